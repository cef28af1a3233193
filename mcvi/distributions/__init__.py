"""Families of distributions."""

from mcvi.distributions._distribution import Distribution
from mcvi.distributions.bernoulli import Bernoulli
from mcvi.distributions.independent import Independent
from mcvi.distributions.multivariate_normal_diag import MultivariateNormalDiag
from mcvi.distributions.multivariate_normal_tril import MultivariateNormalTriL
from mcvi.distributions.normal import Normal

__all__ = [
    "Bernoulli",
    "Distribution",
    "Independent",
    "MultivariateNormalDiag",
    "MultivariateNormalTriL",
    "Normal",
]
