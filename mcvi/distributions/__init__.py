"""Families of distributions."""

from mcvi.distributions._distribution import Distribution
from mcvi.distributions.bernoulli import Bernoulli
from mcvi.distributions.beta import Beta
from mcvi.distributions.categorical import Categorical
from mcvi.distributions.exponential import Exponential
from mcvi.distributions.gamma import Gamma
from mcvi.distributions.independent import Independent
from mcvi.distributions.laplace import Laplace
from mcvi.distributions.logistic import Logistic
from mcvi.distributions.multivariate_normal_diag import MultivariateNormalDiag
from mcvi.distributions.multivariate_normal_tril import MultivariateNormalTriL
from mcvi.distributions.normal import Normal
from mcvi.distributions.one_hot_categorical import OneHotCategorical
from mcvi.distributions.student_t import StudentT
from mcvi.distributions.uniform import Uniform

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "Distribution",
    "Exponential",
    "Gamma",
    "Independent",
    "Laplace",
    "Logistic",
    "MultivariateNormalDiag",
    "MultivariateNormalTriL",
    "Normal",
    "OneHotCategorical",
    "StudentT",
    "Uniform",
]
