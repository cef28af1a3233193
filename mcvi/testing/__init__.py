"""Tests that you can run on what you hand to the library."""

from mcvi.testing._check import check_distribution

__all__ = ["check_distribution"]
