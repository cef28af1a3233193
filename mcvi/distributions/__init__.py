"""Families of distributions."""

from mcvi.distributions._base.distribution import Distribution
from mcvi.distributions.bernoulli import Bernoulli
from mcvi.distributions.beta import Beta
from mcvi.distributions.binomial import Binomial
from mcvi.distributions.categorical import Categorical
from mcvi.distributions.dirichlet import Dirichlet
from mcvi.distributions.exponential import Exponential
from mcvi.distributions.gamma import Gamma
from mcvi.distributions.geometric import Geometric
from mcvi.distributions.gumbel import Gumbel
from mcvi.distributions.independent import Independent
from mcvi.distributions.laplace import Laplace
from mcvi.distributions.log_normal import LogNormal
from mcvi.distributions.logistic import Logistic
from mcvi.distributions.multinomial import Multinomial
from mcvi.distributions.multivariate_normal_diag import MultivariateNormalDiag
from mcvi.distributions.multivariate_normal_tril import MultivariateNormalTriL
from mcvi.distributions.negative_binomial import NegativeBinomial
from mcvi.distributions.normal import Normal
from mcvi.distributions.one_hot_categorical import OneHotCategorical
from mcvi.distributions.poisson import Poisson
from mcvi.distributions.student_t import StudentT
from mcvi.distributions.uniform import Uniform

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "Independent",
    "Laplace",
    "LogNormal",
    "Logistic",
    "Multinomial",
    "MultivariateNormalDiag",
    "MultivariateNormalTriL",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "Poisson",
    "StudentT",
    "Uniform",
]
