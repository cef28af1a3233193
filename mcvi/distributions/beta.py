"""The beta distribution."""

from dataclasses import dataclass
from math import log, pi
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.gammas import fill_betas
from mcvi._kernels.functions import bregman, elementary, incomplete_beta, incomplete_gamma, special
from mcvi._typing import FloatArray, Parameter
from mcvi.distributions._base.constraints import positive, unit_interval
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import page
from mcvi.distributions._base.samplers import Sampler
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions._functions.gamma_terms import gamma_entropy
from mcvi.distributions._functions.kl_terms import concentrations_kl, trigamma_difference
from mcvi.random import Key, tile_rows

__all__ = ["Beta"]

_HALF_LOG_2PI = 0.5 * log(2 * pi)


@scalar
def _log_peak(a: float) -> Any:
    """Return ``a log(a) - a - lgamma(a)``."""
    return 0.5 * elementary.log(a) - _HALF_LOG_2PI - special.stirling_error(a)


@scalar
def _at_end(a: float, b: float) -> Any:
    """Return the log density at the end where the density has exponent ``a - 1``."""
    result = np.inf if a < 1.0 else -np.inf
    return elementary.log(b) if a == 1.0 else result


class _Constants(NamedTuple):
    concentration1: float
    concentration0: float
    mean: float
    mean_lacks: float
    precision1: float
    precision0: float
    log_precision1: float
    log_precision0: float
    log_peak: float
    at_zero: float
    at_one: float
    in_concentration1: float
    in_concentration0: float


def _prepare(concentration1: float, concentration0: float) -> _Constants:
    a, b = concentration1, concentration0
    n = a + b
    n_lacks = (a - n) + b if a > b else (b - n) + a
    mean, mean_lacks = special.quotient(a, n)
    return _Constants(
        a,
        b,
        mean,
        mean_lacks - mean * (n_lacks / n),
        n / a,
        n / b,
        elementary.log(n / a),
        elementary.log(n / b),
        _log_peak(a) + (_log_peak(b) - _log_peak(n)),
        _at_end(a, b),
        _at_end(b, a),
        bregman.digamma_less_log(n) - bregman.digamma_less_log(a),
        bregman.digamma_less_log(n) - bregman.digamma_less_log(b),
    )


@scalar
def _ratios_to_mean(x: float, c: _Constants) -> Any:
    """Return ``r - 1`` and ``log(r)`` for the ratios of x and of 1 - x to their means."""
    # Near the mean the difference is exact, also where the concentrations are so large that products would not be.
    difference = (x - c.mean) - c.mean_lacks
    log_ratio1 = elementary.log(x) + c.log_precision1
    log_ratio0 = elementary.log1p(-x) + c.log_precision0
    return difference * c.precision1, log_ratio1, -difference * c.precision0, log_ratio0


def _log_density(x: float, c: _Constants) -> Any:
    a, b = c.concentration1, c.concentration0
    d1, log_ratio1, d0, log_ratio0 = _ratios_to_mean(x, c)
    deviance = a * special.relative_deviance(d1, log_ratio1) + b * special.relative_deviance(d0, log_ratio0)
    result = c.log_peak - elementary.log(x) - elementary.log1p(-x) - deviance
    result = c.at_zero if x == 0.0 else result
    return c.at_one if x == 1.0 else result


def _score(x: float, c: _Constants) -> Any:
    a, b = c.concentration1, c.concentration0
    d1, log_ratio1, d0, log_ratio0 = _ratios_to_mean(x, c)
    near1, near0 = abs(d1) < 0.29, abs(d0) < 0.29
    log_ratio1 = d1 - special.relative_deviance(d1, log_ratio1) if near1 else log_ratio1
    log_ratio0 = d0 - special.relative_deviance(d0, log_ratio0) if near0 else log_ratio0
    rising = (a - 1.0) / x if a != 1.0 else 0.0 * x
    falling = (b - 1.0) / (1.0 - x) if b != 1.0 else 0.0 * x
    in_value = rising - falling
    in_value = -(a * d1 + (1.0 - 2.0 * x)) / (x * (1.0 - x)) if near1 and near0 else in_value  # where they cancel
    return in_value, log_ratio1 + c.in_concentration1, log_ratio0 + c.in_concentration0


@scalar
def _tails(x: float, c: _Constants) -> Any:
    logs = elementary.log(x), elementary.log1p(-x)
    return incomplete_beta.beta_tails(c.concentration1, c.concentration0, x, 1.0 - x, *logs)


def _cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.both_tails(_tails(x, c))


def _log_cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.logs_of_both_tails(_tails(x, c))


def _quantile(p: float, q: float, concentration1: float, concentration0: float) -> Any:
    logs = elementary.log(p), elementary.log(q)
    odds, _ = incomplete_beta.beta_quantile_odds(concentration1, concentration0, *logs)
    return odds / (1.0 + odds) if odds < np.inf else 1.0


class _BetaDraws(Sampler):
    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        rows = tile_rows(elements)
        fill_betas(key.words, 0, first // rows, rows * elements, parameters[0], parameters[1], out)


@dataclass(frozen=True, eq=False, repr=False)
class Beta(Univariate):
    r"""The beta distribution, :math:`p(x) = x^{a-1} (1-x)^{b-1} / B(a, b)` for :math:`0 \le x \le 1`.

    At an end whose exponent is negative the density is infinite; where it is 0, finite (0 log 0 = 0). Score:
    :math:`\log x - \psi(a) + \psi(a+b)` in `concentration1`, :math:`\log(1-x) - \psi(b) + \psi(a+b)` in
    `concentration0`. Fisher information: :math:`\operatorname{diag}(\psi'(a), \psi'(b)) - \psi'(a+b)`.

    The log density is computed in saddle-point form about the mean, so that it keeps its digits at concentrations like
    1e10. Draws are the share of one gamma draw in the sum of two, in logs; they are held inside (0, 1).

    Parameters
    ----------
    concentration1 : array_like
        The exponent :math:`a` that pulls towards 1; positive and finite.
    concentration0 : array_like
        The exponent :math:`b` that pulls towards 0; positive and finite. Broadcasts with `concentration1`.

    Examples
    --------
    >>> from mcvi.distributions import Beta
    >>> Beta(concentration1=2.0, concentration0=1.0).log_prob([0.0, 0.25, 1.0])
    array([       -inf, -0.69314718,  0.69314718])
    """

    concentration1: Parameter
    concentration0: Parameter

    _page = page(
        parameters={"concentration1": positive, "concentration0": positive},
        support=unit_interval,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        draw=_BetaDraws(),
        cdf=_cdf,
        log_cdf=_log_cdf,
        quantile=_quantile,
    )

    def _total(self) -> Any:
        return self.concentration1 + self.concentration0

    def _mean(self) -> Any:
        return self.concentration1 / self._total()

    def _mode(self) -> Any:
        inside = (self.concentration1 > 1.0) & (self.concentration0 > 1.0)
        weight = anp.where(inside, self._total() - 2.0, 1.0)
        return anp.where(inside, (self.concentration1 - 1.0) / weight, np.nan)

    def _variance(self) -> Any:
        total = self._total()
        return (self.concentration1 / total) * (self.concentration0 / total) / (total + 1.0)

    def _entropy(self) -> Any:
        parts = gamma_entropy(self.concentration1) + gamma_entropy(self.concentration0)
        return parts - gamma_entropy(self._total()) - math.digamma(self._total())

    def _fisher(self) -> Any:
        a, b = np.broadcast_arrays(self.untraced.concentration1, self.untraced.concentration0)
        both = math.trigamma(a + b)
        rows = [[trigamma_difference(a, b), -both], [-both, trigamma_difference(b, a)]]
        return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


@register_kl(Beta, Beta)
def kl_beta_beta(p: Beta, q: Beta) -> Any:
    return concentrations_kl(_pair(p), _pair(q))


def _pair(distribution: Beta) -> Any:
    """Return the two concentrations as those of a Dirichlet distribution."""
    wide: Any = np.zeros(distribution.batch_shape)
    return anp.stack([wide + distribution.concentration1, wide + distribution.concentration0], axis=-1)
