"""The gamma distribution."""

from dataclasses import dataclass
from math import log, pi
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.gammas import fill_gammas
from mcvi._kernels.functions import bregman, elementary, incomplete_gamma, special
from mcvi._typing import FloatArray, Parameter
from mcvi.distributions._base.constraints import non_negative, positive
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import page
from mcvi.distributions._base.samplers import Sampler
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions._functions.gamma_terms import gamma_entropy
from mcvi.distributions._functions.kl_terms import excess, stirling_excess
from mcvi.distributions.exponential import Exponential
from mcvi.random import Key, tile_rows

__all__ = ["Gamma"]

_HALF_LOG_2PI = 0.5 * log(2 * pi)


class _Constants(NamedTuple):
    concentration: float
    rate: float
    mean: float
    mean_lacks: float
    precision: float
    log_precision: float
    log_peak: float
    at_zero: float
    in_concentration: float


def _prepare(concentration: float, rate: float) -> _Constants:
    a, log_a, log_rate = concentration, elementary.log(concentration), elementary.log(rate)
    mean, mean_lacks = special.quotient(a, rate)
    log_peak = 0.5 * log_a - _HALF_LOG_2PI - special.stirling_error(a)  # a log(a) - a - lgamma(a)
    at_zero = -np.inf if a > 1.0 else np.inf
    at_zero = log_rate if a == 1.0 else at_zero
    in_concentration = -bregman.digamma_less_log(a)
    return _Constants(a, rate, mean, mean_lacks, rate / a, log_rate - log_a, log_peak, at_zero, in_concentration)


@scalar
def _ratio_to_mean(x: float, c: _Constants) -> Any:
    """Return ``r - 1`` and ``log(r)`` for the ratio r of `x` to the mean, log(x), and the deviance of r times `a`."""
    # The log of the product, which `a` multiplies below, unless the product is no normal number.
    ratio = x * c.precision
    normal = ratio > 1e-307 and ratio < np.inf
    logarithm = elementary.log(ratio if normal else x)
    log_ratio = logarithm if normal else logarithm + c.log_precision
    log_x = logarithm - c.log_precision if normal else logarithm
    # Near the mean the difference is exact, also where a is so large that rate * x - a would not be.
    d = ((x - c.mean) - c.mean_lacks) * c.precision
    near = c.concentration * special.relative_deviance(d, log_ratio)
    deviance = near if abs(d) < 0.29 else (c.rate * x - c.concentration) - c.concentration * log_ratio
    return d, log_ratio, log_x, deviance


def _log_density(x: float, c: _Constants) -> Any:
    _, _, log_x, deviance = _ratio_to_mean(x, c)
    result = c.log_peak - log_x - deviance
    result = c.at_zero if x == 0.0 else result
    return -np.inf if x == np.inf else result


def _score(x: float, c: _Constants) -> Any:
    a = c.concentration
    d, log_ratio, _, deviance = _ratio_to_mean(x, c)
    near = abs(d) < 0.29
    log_ratio = d - deviance / a if near else log_ratio
    excess = (x - c.mean) - c.mean_lacks
    in_value = ((a - 1.0) / x if a != 1.0 else 0.0 * x) - c.rate
    in_value = -(c.rate * excess + 1.0) / x if near else in_value  # the same, where its terms cancel
    return in_value, log_ratio + c.in_concentration, -excess


@scalar
def _tails(x: float, c: _Constants) -> Any:
    product = c.rate * x
    normal = product > 1e-307 and product < np.inf
    log_product = elementary.log(product) if normal else elementary.log(c.rate) + elementary.log(x)
    return incomplete_gamma.gamma_tails(c.concentration, product, log_product)


def _cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.both_tails(_tails(x, c))


def _log_cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.logs_of_both_tails(_tails(x, c))


def _quantile(p: float, q: float, concentration: float, rate: float) -> Any:
    return incomplete_gamma.gamma_quantile(concentration, elementary.log(p), elementary.log(q)) / rate


def _velocity(x: float, c: _Constants) -> Any:
    return np.nan, -x / c.rate


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

    concentration: Parameter
    rate: Parameter

    _page = page(
        parameters={"concentration": positive, "rate": positive},
        support=non_negative,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        draw=_GammaDraws(),
        cdf=_cdf,
        log_cdf=_log_cdf,
        quantile=_quantile,
        velocity=_velocity,
    )

    def _mean(self) -> Any:
        return self.concentration / self.rate

    def _mode(self) -> Any:
        inside = self.concentration > 1.0
        return anp.where(inside, (self.concentration - 1.0) / self.rate, np.nan)

    def _variance(self) -> Any:
        return self.concentration / self.rate / self.rate

    def _entropy(self) -> Any:
        return gamma_entropy(self.concentration) - anp.log(self.rate)

    def _fisher(self) -> Any:
        a, rate = np.broadcast_arrays(self.untraced.concentration, self.untraced.rate)
        rows = [[math.trigamma(a), -1.0 / rate], [-1.0 / rate, a / rate / rate]]
        return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


@register_kl(Gamma, Gamma)
@register_kl(Gamma, Exponential)
@register_kl(Exponential, Gamma)
def kl_gamma_gamma(p: Any, q: Any) -> Any:
    """Return ``c (r - 1 - log r)``, r the ratio of the mean of p to that of q, and what Stirling's formula lacks."""
    a, c = _concentration(p), _concentration(q)
    return c * excess(q.rate * (a / c), p.rate) + stirling_excess(c, a)


def _concentration(distribution: Any) -> Any:
    return 1.0 if isinstance(distribution, Exponential) else distribution.concentration
