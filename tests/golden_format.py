"""The golden files' way of writing numbers, distributions and functions, read into mcvi's.

Only spellings are translated here: text for numbers that are not finite, expressions, and the ancestor's families whose
parameters go through a softplus (or a Cholesky factorisation) before they are one of ours.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp

from mcvi import distributions
from tests.expressions import FUNCTIONS, evaluate, untraced

NOT_FINITE = {"inf", "-inf", "nan"}


@dataclass(frozen=True)
class Scope:
    """The precision of a case, the values of its names, and the functions of its expressions."""

    dtype: Any
    names: dict[str, Any] = field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = field(default_factory=lambda: FUNCTIONS)

    def array(self, value: Any) -> Any:
        """Read numbers; "inf", "-inf" and "nan" are written as text."""
        return np.asarray(value, dtype=float).astype(self.dtype)

    def value(self, written: Any) -> Any:
        """Read numbers, or an expression over the names."""
        if isinstance(written, str) and written not in NOT_FINITE:
            return evaluate(written, self.names, self.functions)
        return self.array(written)

    def given(self, **names: Any) -> "Scope":
        return replace(self, names={**self.names, **names})


def encoded(value: Any) -> Any:
    """Write an array, an `Estimate`, or a dict of them, as the golden files do."""
    if isinstance(value, dict):
        return {name: encoded(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [encoded(entry) for entry in value]
    if isinstance(value, (bool, str)):
        return value
    array = np.asarray(untraced(value))
    if array.ndim:
        return [encoded(entry) for entry in array]
    return array.item() if np.isfinite(array) else str(float(array))


softplus = FUNCTIONS["softplus"]


def _whole(df: Any) -> Any:
    return anp.floor(anp.abs(df))


def _independent(distribution: Any, reduce_batch_ndims: Any = None) -> Any:
    ndims = len(distribution.batch_shape) - 1 if reduce_batch_ndims is None else int(reduce_batch_ndims)
    return distributions.Independent(distribution, max(ndims, 0))


def _full_covariance(loc: Any, covariance_matrix: Any) -> Any:
    return distributions.MultivariateNormalTriL(loc, anp.linalg.cholesky(covariance_matrix))


def _classes(family: str) -> Callable[..., Any]:
    def of(logits: Any = None, probs: Any = None, **others: Any) -> Any:
        """The ancestor takes probabilities of any sum, and divides by it."""
        if probs is None:
            return getattr(distributions, family)(logits=logits, **others)
        return getattr(distributions, family)(probs=probs / anp.sum(probs, axis=-1, keepdims=True), **others)

    return of


def _lower_triangular(loc: Any, scale_tril: Any) -> Any:
    """The ancestor takes a negative diagonal: the law is that of the factor with those columns negated."""
    signs = np.sign(untraced(scale_tril)).diagonal(axis1=-2, axis2=-1)
    return distributions.MultivariateNormalTriL(loc, scale_tril * signs[..., None, :])


def _low_rank(loc: Any, scale_diag: Any, scale_perturb_factor: Any, scale_perturb_diag: Any) -> Any:
    """The scale is ``diag(scale_diag) + U diag(d) U'``; the law is that of any square root of its square."""
    transposed = anp.swapaxes(scale_perturb_factor, -1, -2)
    scale = anp.matmul(scale_perturb_factor * scale_perturb_diag[..., None, :], transposed)
    scale = scale + scale_diag[..., None] * np.eye(np.shape(scale_diag)[-1], dtype=np.asarray(scale_diag).dtype)
    return _full_covariance(loc, anp.matmul(scale, scale))


def _chi_square(df: Any) -> Any:
    return distributions.Gamma(concentration=0.5 * df, rate=np.asarray(0.5, dtype=np.asarray(untraced(df)).dtype))


#: The families whose name and parameters are the ancestor's.
SAME = {
    *("Normal", "Laplace", "Logistic", "StudentT", "Uniform", "Exponential", "Gamma", "Beta", "Dirichlet"),
    *("Bernoulli", "Binomial", "Poisson", "Geometric", "NegativeBinomial", "MultivariateNormalDiag"),
}
#: The ancestor's other spellings of them.
SPELLINGS: dict[str, Callable[..., Any]] = {
    "Independent": _independent,
    "NormalWithSoftplusScale": lambda loc, scale: distributions.Normal(loc, softplus(scale)),
    "LaplaceWithSoftplusScale": lambda loc, scale: distributions.Laplace(loc, softplus(scale)),
    "StudentTWithAbsDfSoftplusScale": lambda df, loc, scale: distributions.StudentT(_whole(df), loc, softplus(scale)),
    "ExponentialWithSoftplusRate": lambda rate: distributions.Exponential(softplus(rate)),
    "GammaWithSoftplusConcentrationRate": lambda concentration, rate: distributions.Gamma(
        softplus(concentration), softplus(rate)
    ),
    "BetaWithSoftplusConcentration": lambda concentration1, concentration0: distributions.Beta(
        softplus(concentration1), softplus(concentration0)
    ),
    "BernoulliWithSigmoidProbs": lambda logits: distributions.Bernoulli(logits=logits),
    "Chi2": _chi_square,
    "Chi2WithAbsDf": lambda df: _chi_square(_whole(df)),
    "MultivariateNormalDiagWithSoftplusScale": lambda loc, scale_diag: distributions.MultivariateNormalDiag(
        loc, softplus(scale_diag)
    ),
    "Categorical": _classes("Categorical"),
    "OneHotCategorical": _classes("OneHotCategorical"),
    "Multinomial": _classes("Multinomial"),
    "MultivariateNormalTriL": _lower_triangular,
    "MultivariateNormalFullCovariance": _full_covariance,
    "MultivariateNormalDiagPlusLowRank": _low_rank,
}
FAMILIES = {*SAME, *SPELLINGS}


def distribution(spec: dict[str, Any], scope: Scope) -> Any:
    """Build a distribution from its written form; a parameter may be numbers, an expression or a distribution."""
    name, written = spec["dist"], spec.get("params", spec.get("args", {}))
    parameters = {
        key: distribution(value, scope) if isinstance(value, dict) else value if value is None else scope.value(value)
        for key, value in written.items()
    }
    if name not in FAMILIES:
        raise LookupError(f"{name} is no family of mcvi.")
    return SPELLINGS[name](**parameters) if name in SPELLINGS else getattr(distributions, name)(**parameters)


def function(spec: dict[str, Any], scope: Scope) -> Callable[[Any], Any]:
    """Make the function of `x` that is written: a log density with a shift, or an expression."""
    if spec["kind"] == "dist_log_prob":
        p, shift = distribution(spec["dist"], scope), scope.value(spec.get("shift", 0.0))
        return lambda x: p.log_prob(x) + shift
    consts = {name: scope.value(value) for name, value in (spec.get("consts") or {}).items()}
    return lambda x: scope.given(**consts, x=x).value(spec["expr"])


def of_draws(spec: dict[str, Any], q: Any, scope: Scope) -> Callable[[Any], Any]:
    """Make a function of draws; the ancestor let its result broadcast against the draws, from the right."""
    written = function(spec, scope)

    def f(z: Any) -> Any:
        result = written(z)
        shape = (len(z), *q.batch_shape)
        return result if np.ndim(untraced(result)) >= len(shape) else result + np.zeros(shape, scope.dtype)

    return f


def parameters(inputs: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """Read what a case differentiates in."""
    return {name: scope.array(value) for name, value in inputs["params"].items()}


def gradients(f: Callable[[Any], Any], params: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The value of `f`, and the derivatives of its sum."""
    vjp, value = make_vjp(f)(params)
    value = np.asarray(untraced(value))
    return value, vjp(np.ones_like(value))
