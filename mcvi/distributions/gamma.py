"""The gamma distribution."""

from dataclasses import dataclass
from math import log, pi
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.gammas import fill_gammas
from mcvi._kernels.functions import bregman, elementary, special
from mcvi._typing import ArrayLike, FloatArray
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import Maths, Sampler
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions._functions.gamma_terms import gamma_entropy
from mcvi.distributions._functions.incomplete import gamma_quantile, lower_gamma, upper_gamma
from mcvi.distributions._functions.kl_terms import excess, stirling_excess
from mcvi.distributions.exponential import Exponential
from mcvi.random import Key, tile_rows

__all__ = ["Gamma"]

_HALF_LOG_2PI = 0.5 * log(2 * pi)


@scalar
def _prepare(parameters: Any) -> Any:
    a, rate = parameters
    log_a, log_rate = elementary.log(a), elementary.log(rate)
    mean, mean_lacks = special.quotient(a, rate)
    log_peak = 0.5 * log_a - _HALF_LOG_2PI - special.stirling_error(a)  # a log(a) - a - lgamma(a)
    at_zero = -np.inf if a > 1.0 else np.inf
    at_zero = log_rate if a == 1.0 else at_zero
    return a, rate, mean, mean_lacks, rate / a, log_rate - log_a, log_peak, at_zero, -bregman.digamma_less_log(a)


@scalar
def _ratio_to_mean(x: float, constants: Any) -> Any:
    """Return ``r - 1`` and ``log(r)`` for the ratio r of `x` to the mean, log(x), and the deviance of r times `a`."""
    a, rate, mean, mean_lacks, precision, log_precision = constants[:6]
    # The log of the product, which `a` multiplies below, unless the product is no normal number.
    ratio = x * precision
    normal = ratio > 1e-307 and ratio < np.inf
    logarithm = elementary.log(ratio if normal else x)
    log_ratio = logarithm if normal else logarithm + log_precision
    log_x = logarithm - log_precision if normal else logarithm
    # Near the mean the difference is exact, also where a is so large that rate * x - a would not be.
    d = ((x - mean) - mean_lacks) * precision
    deviance = a * special.relative_deviance(d, log_ratio) if abs(d) < 0.29 else (rate * x - a) - a * log_ratio
    return d, log_ratio, log_x, deviance


@scalar
def _log_density(x: float, constants: Any) -> Any:
    _, _, log_x, deviance = _ratio_to_mean(x, constants)
    result = constants[6] - log_x - deviance
    result = constants[7] if x == 0.0 else result
    return -np.inf if x < 0.0 or x == np.inf else result


@scalar
def _score(x: float, constants: Any) -> Any:
    a, rate, mean, mean_lacks = constants[0], constants[1], constants[2], constants[3]
    d, log_ratio, _, deviance = _ratio_to_mean(x, constants)
    near = abs(d) < 0.29
    log_ratio = d - deviance / a if near else log_ratio
    excess = (x - mean) - mean_lacks
    in_value = ((a - 1.0) / x if a != 1.0 else 0.0 * x) - rate
    in_value = -(rate * excess + 1.0) / x if near else in_value  # the same, where its terms cancel
    outside = x < 0.0
    return (
        0.0 if outside else in_value,
        0.0 if outside else log_ratio + constants[8],
        0.0 if outside else -excess,
    )


class _GammaDraws(Sampler):
    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        rows = tile_rows(elements)
        fill_gammas(key.words, 0, first // rows, rows * elements, parameters[0], parameters[1], out)


@dataclass(frozen=True, eq=False, repr=False)
class Gamma(Univariate):
    r"""The gamma distribution, :math:`p(x) = \lambda^a x^{a-1} e^{-\lambda x} / \Gamma(a)` for :math:`x \ge 0`.

    At 0 the density is infinite if :math:`a < 1`, and :math:`\lambda` if :math:`a = 1`. Score:
    :math:`\log(\lambda x) - \psi(a)` in `concentration`, :math:`a/\lambda - x` in `rate`. Fisher information:
    :math:`\begin{pmatrix}\psi'(a) & -1/\lambda\\ -1/\lambda & a/\lambda^2\end{pmatrix}`.

    The log density is computed in saddle-point form, :math:`-a(t - 1 - \log t)` with :math:`t = \lambda x / a` and what
    Stirling's formula lacks, so that it keeps its digits at concentrations like 1e10. Draws are those of Marsaglia and
    Tsang (2000), doi:10.1145/358407.358414; one that is too small for a normal number is held at the smallest.

    Parameters
    ----------
    concentration : array_like
        The shape :math:`a`; positive and finite.
    rate : array_like
        The rate :math:`\lambda`, one over the scale; positive and finite. Broadcasts with `concentration`.

    Examples
    --------
    >>> from mcvi.distributions import Gamma
    >>> Gamma(concentration=3.0, rate=2.0).log_prob([0.0, 1.0])
    array([       -inf, -0.61370564])
    """

    concentration: ArrayLike
    rate: ArrayLike

    _rules = {"concentration": "positive", "rate": "positive"}
    _maths = Maths(
        parameters=2,
        constants=9,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        sampler=_GammaDraws(),
    )

    def _mean(self) -> Any:
        return self.concentration / self.rate  # type: ignore[operator]

    def _mode(self) -> Any:
        inside = self.concentration > 1.0  # type: ignore[operator]
        return anp.where(inside, (self.concentration - 1.0) / self.rate, np.nan)  # type: ignore[operator]

    def _variance(self) -> Any:
        return self.concentration / self.rate / self.rate  # type: ignore[operator]

    def _entropy(self) -> Any:
        return gamma_entropy(self.concentration) - anp.log(self.rate)

    def _fisher(self) -> Any:
        a, rate = np.broadcast_arrays(self.untraced.concentration, self.untraced.rate)
        rows = [[math.trigamma(a), -1.0 / rate], [-1.0 / rate, a / rate / rate]]
        return np.moveaxis(np.array(rows), (0, 1), (-2, -1))

    def _cdf(self, value: Any) -> Any:
        return lower_gamma(self.concentration, self.rate * anp.maximum(value, 0.0))

    def _survival_function(self, value: Any) -> Any:
        return upper_gamma(self.concentration, self.rate * anp.maximum(value, 0.0))

    def _quantile(self, probability: Any) -> Any:
        return gamma_quantile(self.concentration, probability) / self.rate


@register_kl(Gamma, Gamma)
@register_kl(Gamma, Exponential)
@register_kl(Exponential, Gamma)
def kl_gamma_gamma(p: Any, q: Any) -> Any:
    """Return ``c (r - 1 - log r)``, r the ratio of the mean of p to that of q, and what Stirling's formula lacks."""
    a, c = _concentration(p), _concentration(q)
    return c * excess(q.rate * (a / c), p.rate) + stirling_excess(c, a)


def _concentration(distribution: Any) -> Any:
    return 1.0 if isinstance(distribution, Exponential) else distribution.concentration
