"""Monte Carlo variational inference: estimators with honest error bars."""

from mcvi import distributions, divergences, stochastic, vi
from mcvi.divergences import kl_divergence, register_kl
from mcvi.entropy import ELBOForms, elbo_ratio, entropy_shannon
from mcvi.estimate import Estimate
from mcvi.monte_carlo import (
    expectation,
    expectation_importance_sampler,
    expectation_importance_sampler_logspace,
    expectation_self_normalized,
)
from mcvi.renyi import renyi_alpha, renyi_curve, renyi_ratio
from mcvi.stochastic import surrogate_loss, with_gradient

__version__ = "0.1.0"

__all__ = [
    "ELBOForms",
    "Estimate",
    "distributions",
    "divergences",
    "elbo_ratio",
    "entropy_shannon",
    "expectation",
    "expectation_importance_sampler",
    "expectation_importance_sampler_logspace",
    "expectation_self_normalized",
    "kl_divergence",
    "register_kl",
    "renyi_alpha",
    "renyi_curve",
    "renyi_ratio",
    "stochastic",
    "surrogate_loss",
    "vi",
    "with_gradient",
]
