"""Operators that make pages from pages: what is compiled, drawn and differentiated follows from the base."""
