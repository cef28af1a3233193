"""Families of distributions."""

from mcvi.distributions._distribution import Distribution
from mcvi.distributions.independent import Independent
from mcvi.distributions.normal import Normal

__all__ = ["Distribution", "Independent", "Normal"]
