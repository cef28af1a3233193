"""What closed-form Kullback-Leibler divergences are sums of: never negative, exact zeros, derivatives by autograd."""

from typing import Any

import numpy as np
from autograd import numpy as anp
from autograd.extend import defvjp, primitive

from mcvi import math
from mcvi._autograd import value_of
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
    "trigamma_less_reciprocal",
    "where",
]


_excess = maps.binary(bregman.excess)
_deviance = maps.binary(special.bd0)
_relative_entropy = maps.binary(bregman.relative_entropy)
_stirling_excess = maps.binary(bregman.stirling_excess)
_digamma_less_log = maps.unary(bregman.digamma_less_log)
_trigamma_less_reciprocal = maps.unary(bregman.trigamma_less_reciprocal)


def _apply(loop: Any, *arguments: Any) -> FloatArray:
    arrays = np.broadcast_arrays(*(np.asarray(argument, np.float64) for argument in arguments))
    out = np.empty(arrays[0].shape)
    loop(*(np.ascontiguousarray(array).reshape(-1) for array in arrays), out.reshape(-1))
    return out


def _sum_to(gradient: Any, like: Any) -> Any:
    """Sum a derivative, traced or not, over the axes along which `like` was broadcast."""
    shape = np.shape(like)
    extra = anp.ndim(gradient) - len(shape)
    if extra > 0:
        gradient = anp.sum(gradient, axis=tuple(range(extra)))
    stretched = tuple(i for i, size in enumerate(shape) if size == 1 and anp.shape(gradient)[i] != 1)
    return anp.sum(gradient, axis=stretched, keepdims=True) if stretched else gradient


def _wide(g: Any, a: Any, b: Any) -> Any:
    return g * np.ones(np.broadcast_shapes(np.shape(a), np.shape(b)))


def where(condition: Any, a: Any, b: Any) -> Any:
    """Choose between `a` and `b`, which may broadcast: the derivative of autograd's own forgets that they do."""
    wide = np.zeros(np.broadcast_shapes(np.shape(condition), np.shape(a), np.shape(b)))
    return anp.where(condition, a + wide, b + wide)


@primitive
def excess(a: Any, b: Any) -> FloatArray:
    """Return ``a / b - 1 - log(a / b)`` for positive `a` and `b`: accurate near ``a = b``, where it is 0."""
    return _apply(_excess, a, b)


defvjp(
    excess,
    lambda ans, a, b: lambda g: _sum_to(_wide(g, a, b) * ((a - b) / b / a), a),
    lambda ans, a, b: lambda g: _sum_to(_wide(g, a, b) * ((b - a) / b / b), b),
)


@primitive
def deviance(x: Any, m: Any) -> FloatArray:
    """Return ``x log(x / m) + m - x`` for `x` and `m` of 0 or more: accurate near ``x = m``, where it is 0."""
    return _apply(_deviance, x, m)


def _log_ratio(x: Any, m: Any) -> Any:
    some = value_of(x) > 0  # at 0 log 0 the derivative counts as 0
    return math.log(where(some, x, 1.0)) - math.log(where(some, m, 1.0))


def _shortfall(x: Any, m: Any) -> Any:
    some = (value_of(x) > 0) | (value_of(m) > 0)
    return where(some, (m - x) / where(some, m, 1.0), 1.0)


defvjp(
    deviance,
    lambda ans, x, m: lambda g: _sum_to(_wide(g, x, m) * _log_ratio(x, m), x),
    lambda ans, x, m: lambda g: _sum_to(_wide(g, x, m) * _shortfall(x, m), m),
)


@primitive
def relative_entropy(log_p: Any, log_q: Any) -> FloatArray:
    """Return ``p log(p / q) - p + q`` from logarithms of `p` and `q`: 0 where both are 0, inf where `q` alone is."""
    return _apply(_relative_entropy, log_p, log_q)


def _weighted_log_ratio(log_p: Any, log_q: Any) -> Any:
    possible = value_of(log_p) > -np.inf
    return anp.exp(log_p) * (where(possible, log_p, 0.0) - where(possible, log_q, 0.0))


defvjp(
    relative_entropy,
    lambda ans, p, q: lambda g: _sum_to(_wide(g, p, q) * _weighted_log_ratio(p, q), p),
    lambda ans, p, q: lambda g: _sum_to(_wide(g, p, q) * (anp.exp(q) - anp.exp(p)), q),
)


@primitive
def trigamma_less_reciprocal(x: Any) -> FloatArray:
    """Return ``trigamma(x) - 1 / x``."""
    return _apply(_trigamma_less_reciprocal, x)


@primitive
def digamma_less_log(x: Any) -> FloatArray:
    """Return ``digamma(x) - log(x)``."""
    return _apply(_digamma_less_log, x)


defvjp(digamma_less_log, lambda ans, x: lambda g: g * trigamma_less_reciprocal(x))


@primitive
def stirling_excess(c: Any, a: Any) -> FloatArray:
    """Return ``H(c) - H(a) - (c - a) H'(a)`` for ``H(x) = lgamma(x) - x log x + x``, `c` and `a` positive."""
    return _apply(_stirling_excess, c, a)


defvjp(
    stirling_excess,
    lambda ans, c, a: lambda g: _sum_to(_wide(g, c, a) * (digamma_less_log(c) - digamma_less_log(a)), c),
    lambda ans, c, a: lambda g: _sum_to(_wide(g, c, a) * ((a - c) * trigamma_less_reciprocal(a)), a),
)


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
