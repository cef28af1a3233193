"""Differences of logarithms and digamma functions that stay accurate for large arguments, and entropies of them.

Each can be differentiated once by autograd, like the functions of `mcvi.math`.
"""

from typing import Any

import numpy as np
import scipy
from autograd.extend import primitive

from mcvi._autograd import differentiable
from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import bregman
from mcvi._typing import FloatArray
from mcvi.distributions._functions.kl_terms import digamma_less_log, trigamma_less_reciprocal

__all__ = ["digamma_half_difference", "gamma_entropy", "lgamma_half_difference"]

_digamma_half_excess = maps.unary(bregman.digamma_half_excess)
_trigamma_half_excess = maps.unary(bregman.trigamma_half_excess)


def _applied(loop: Any, x: FloatArray) -> FloatArray:
    out = np.empty(x.shape)
    loop(np.ascontiguousarray(x).reshape(-1), out.reshape(-1))
    return out


# Above it the asymptotic series below are exact to rounding.
_LARGE = 20.0


def _by_size(x: Any, series: Any, direct: Any) -> FloatArray:
    x = np.asarray(x, np.float64)
    large = x > _LARGE
    result: FloatArray = np.where(large, series(np.where(large, x, _LARGE)), direct(np.where(large, _LARGE, x)))
    return result[()]


def _series(coefficients: list[float], z: FloatArray) -> Any:
    return np.polynomial.polynomial.polyval(z, coefficients)


@primitive
def _trigamma_half_difference(x: Any) -> FloatArray:
    x = np.asarray(x, np.float64)
    result: FloatArray = -0.5 / x / x - _applied(_trigamma_half_excess, x)
    return result


@differentiable(lambda ans, x: _trigamma_half_difference(x))
def digamma_half_difference(x: Any) -> FloatArray:
    """Return ``digamma(x + 1/2) - digamma(x)`` for x > 0, about 1/(2 x)."""
    x = np.asarray(x, np.float64)
    result: FloatArray = 0.5 / x + _applied(_digamma_half_excess, x)
    return result


@differentiable(lambda ans, x: digamma_half_difference(x))
def lgamma_half_difference(x: Any) -> FloatArray:
    """Return ``lgamma(x + 1/2) - lgamma(x)`` for x > 0, about log(x)/2."""

    def series(x: FloatArray) -> FloatArray:
        return 0.5 * np.log(x) + _series([-1 / 8, 1 / 192, -1 / 640, 17 / 14336, -31 / 18432], x**-2.0) / x

    return _by_size(x, series, lambda x: scipy.special.gammaln(x + 0.5) - scipy.special.gammaln(x))


@differentiable(lambda ans, x: 1.0 / x + (1.0 - x) * trigamma_less_reciprocal(x))
def gamma_entropy(shape: Any) -> FloatArray:
    """Return the entropy of a gamma variable of scale 1: ``a + lgamma(a) + (1 - a) digamma(a)``.

    For large a it is about log(2 pi e a)/2, without the cancellation of that sum. Of a beta variable it is
    ``gamma_entropy(a) + gamma_entropy(b) - gamma_entropy(a + b) - digamma(a + b)``, because two independent gamma
    variables are as much as their share and their sum; likewise for a Dirichlet variable.
    """

    def series(a: FloatArray) -> FloatArray:
        # Stirling's series for lgamma(a) leaves only small terms.
        stirling_error = _series([1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188], a**-2.0) / a
        return stirling_error + 0.5 * np.log(2.0 * np.pi * a) + (1.0 - a) * digamma_less_log(a)

    return _by_size(shape, series, lambda a: a + scipy.special.gammaln(a) + (1.0 - a) * scipy.special.digamma(a))
