"""Families of distributions."""

from mcvi.distributions._distribution import Distribution
from mcvi.distributions.normal import Normal

__all__ = ["Distribution", "Normal"]
