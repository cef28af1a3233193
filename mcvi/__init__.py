"""Monte Carlo variational inference: estimators with honest error bars."""

from importlib import import_module
from types import ModuleType

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
from mcvi.paired import difference
from mcvi.renyi import renyi_alpha, renyi_curve, renyi_ratio
from mcvi.stochastic import surrogate_loss, with_gradient

__version__ = "0.1.0"

__all__ = [
    "ELBOForms",
    "Estimate",
    "difference",
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

# Parts that `import mcvi` does without: each is imported when it is first named.
_LATER = ("bias", "cli", "datasets", "diagnostics", "plots", "testing")


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return import_module(f"mcvi.{name}")
    raise AttributeError(f"module 'mcvi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
