"""The terms of closed-form Kullback-Leibler divergences: never negative, exact zeros, derivatives by autograd."""

from typing import Any

import numpy as np
from autograd import numpy as anp
from autograd.extend import defvjp, primitive

from mcvi import math
from mcvi._autograd import differentiable, value_of, where
from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import bregman, special
from mcvi._typing import FloatArray

__all__ = [
    "concentrations_kl",
    "deviance",
    "digamma_less_log",
    "excess",
    "log_complement",
    "relative_entropy",
    "safe_log",
    "stirling_excess",
    "trigamma_difference",
    "trigamma_less_reciprocal",
]


_excess = maps.binary(bregman.excess)
_deviance = maps.binary(special.bd0)
_relative_entropy = maps.binary(bregman.relative_entropy)
_stirling_excess = maps.binary(bregman.stirling_excess)
_digamma_less_log = maps.unary(bregman.digamma_less_log)
_trigamma_difference = maps.binary(bregman.trigamma_difference)
_trigamma_less_reciprocal = maps.unary(bregman.trigamma_less_reciprocal)


def _apply(loop: Any, *arguments: Any) -> FloatArray:
    arrays = np.broadcast_arrays(*(np.asarray(argument, np.float64) for argument in arguments))
    out = np.empty(arrays[0].shape)
    loop(*(np.ascontiguousarray(array).reshape(-1) for array in arrays), out.reshape(-1))
    return out


@differentiable(lambda ans, a, b: (a - b) / b / a, lambda ans, a, b: (b - a) / b / b)
def excess(a: Any, b: Any) -> FloatArray:
    """Return ``a / b - 1 - log(a / b)`` for positive `a` and `b`: accurate near ``a = b``, where it is 0."""
    return _apply(_excess, a, b)


def _log_ratio(ans: Any, x: Any, m: Any) -> Any:
    some = value_of(x) > 0  # at 0 log 0 the derivative counts as 0
    return math.log(where(some, x, 1.0)) - math.log(where(some, m, 1.0))


def _shortfall(ans: Any, x: Any, m: Any) -> Any:
    some = (value_of(x) > 0) | (value_of(m) > 0)
    return where(some, (m - x) / where(some, m, 1.0), 1.0)


@differentiable(_log_ratio, _shortfall)
def deviance(x: Any, m: Any) -> FloatArray:
    """Return ``x log(x / m) + m - x`` for `x` and `m` of 0 or more: accurate near ``x = m``, where it is 0."""
    return _apply(_deviance, x, m)


def _weighted_log_ratio(ans: Any, log_p: Any, log_q: Any) -> Any:
    possible = value_of(log_p) > -np.inf
    return anp.exp(log_p) * (where(possible, log_p, 0.0) - where(possible, log_q, 0.0))


@differentiable(_weighted_log_ratio, lambda ans, log_p, log_q: anp.exp(log_q) - anp.exp(log_p))
def relative_entropy(log_p: Any, log_q: Any) -> FloatArray:
    """Return ``p log(p / q) - p + q`` from logarithms of `p` and `q`: 0 where both are 0, inf where `q` alone is."""
    return _apply(_relative_entropy, log_p, log_q)


@primitive
def trigamma_less_reciprocal(x: Any) -> FloatArray:
    """Return ``trigamma(x) - 1 / x``."""
    return _apply(_trigamma_less_reciprocal, x)


def trigamma_difference(a: Any, b: Any) -> FloatArray:
    """Return ``trigamma(a) - trigamma(a + b)`` for positive `a` and `b`; nothing is traced."""
    return _apply(_trigamma_difference, a, b)


@differentiable(lambda ans, x: trigamma_less_reciprocal(x))
def digamma_less_log(x: Any) -> FloatArray:
    """Return ``digamma(x) - log(x)``."""
    return _apply(_digamma_less_log, x)


@differentiable(
    lambda ans, c, a: digamma_less_log(c) - digamma_less_log(a),
    lambda ans, c, a: (a - c) * trigamma_less_reciprocal(a),
)
def stirling_excess(c: Any, a: Any) -> FloatArray:
    """Return ``H(c) - H(a) - (c - a) H'(a)`` for ``H(x) = lgamma(x) - x log x + x``, `c` and `a` positive."""
    return _apply(_stirling_excess, c, a)


@primitive
def safe_log(x: Any) -> Any:
    """Return ``log(x)``, whose derivative counts for nothing where none is asked for, even at 0."""
    return math.log(x)


@primitive
def log_complement(x: Any) -> Any:
    """Return ``log(1 - x)``, whose derivative counts for nothing where none is asked for, even at 1."""
    return math.log1p(-x)


def _quotient(g: Any, x: Any) -> Any:
    """Return ``g / x``, and 0 for 0 / 0."""
    return anp.where(g == 0.0, 0.0, g / anp.where(g == 0.0, 1.0, x))


defvjp(safe_log, lambda ans, x: lambda g: _quotient(g, x))
defvjp(log_complement, lambda ans, x: lambda g: -_quotient(g, 1.0 - x))


def concentrations_kl(a: Any, c: Any) -> Any:
    r"""Return the divergence between Dirichlet distributions of concentrations `a` and `c`, ``(..., k)``.

    The sum over components of :math:`c \log(c A / (a C)) + a C / A - c`, A and C the sums of `a` and `c`, and what
    Stirling's formula lacks.
    """
    a_total, c_total = anp.sum(a, axis=-1), anp.sum(c, axis=-1)
    shares = deviance(c, a * (c_total / a_total)[..., None]) + stirling_excess(c, a)
    result = anp.sum(shares, axis=-1) - stirling_excess(c_total, a_total)
    return anp.where(result < 0.0, 0.0, result)  # one ulp apart, the last difference may fall below 0
