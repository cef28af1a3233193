"""Families of distributions."""

from mcvi.distributions._distribution import Distribution
from mcvi.distributions.bernoulli import Bernoulli
from mcvi.distributions.independent import Independent
from mcvi.distributions.normal import Normal

__all__ = ["Bernoulli", "Distribution", "Independent", "Normal"]
