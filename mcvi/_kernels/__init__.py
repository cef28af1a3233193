"""Compiled code: arrays and numbers in, arrays and numbers out. Imports nothing else of the package."""
