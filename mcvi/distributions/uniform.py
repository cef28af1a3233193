"""The uniform distribution on an interval."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.functions import elementary
from mcvi._typing import Parameter
from mcvi.distributions._base.constraints import above, interval, real
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import page
from mcvi.distributions._base.univariate import Univariate

__all__ = ["Uniform"]


class _Constants(NamedTuple):
    low: float
    high: float
    density: float
    log_density: float


def _prepare(low: float, high: float) -> _Constants:
    return _Constants(low, high, 1.0 / (high - low), -elementary.log(high - low))


def _log_density(x: float, c: _Constants) -> float:
    return c.log_density if x == x else x


def _score(x: float, c: _Constants) -> Any:
    return 0.0, c.density, -c.density


def _quantile(p: float, q: float, low: float, high: float) -> float:
    x = low + (high - low) * p
    return high if x > high else x  # rounding may step over the end


def _cdf(x: float, c: _Constants) -> Any:
    return (x - c.low) / (c.high - c.low), (c.high - x) / (c.high - c.low)


def _velocity(x: float, c: _Constants) -> Any:
    return (c.high - x) / (c.high - c.low), (x - c.low) / (c.high - c.low)


@dataclass(frozen=True, eq=False, repr=False)
class Uniform(Univariate):
    r"""The uniform distribution, :math:`p(x) = 1/(h-l)` for :math:`l \le x \le h`.

    Both ends belong to the support, because a draw may round to either. Score inside: :math:`1/(h-l)` in `low`,
    :math:`-1/(h-l)` in `high`. The support moves with the parameters, so there is no Fisher information, and
    score-function gradients of expectations are wrong: use the pathwise ones, which are the default.

    Parameters
    ----------
    low : array_like
        The lower end :math:`l`; finite.
    high : array_like
        The upper end :math:`h`; finite, above `low`. Broadcasts with `low`.

    Examples
    --------
    >>> from mcvi.distributions import Uniform
    >>> Uniform(low=0.0, high=2.0).log_prob([-1.0, 0.5])
    array([       -inf, -0.69314718])
    """

    low: Parameter
    high: Parameter

    pathwise = True
    _standard = (0.0, 1.0)
    _page = page(
        parameters={"low": real, "high": above("low")},
        support=interval("low", "high"),
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        cdf=_cdf,
        quantile=_quantile,
        velocity=_velocity,
    )

    def transport(self, noise: Any) -> Any:
        """Return ``low + (high - low) * noise`` for noise on (0, 1)."""
        return anp.minimum(self.low + self._width() * noise, self.high)

    def _width(self) -> Any:
        return self.high - self.low

    def _mean(self) -> Any:
        return 0.5 * self.low + 0.5 * self.high

    def _mode(self) -> Any:
        return np.nan * self._width()

    def _variance(self) -> Any:
        return self._width() ** 2 / 12.0

    def _entropy(self) -> Any:
        return anp.log(self._width())


@register_kl(Uniform, Uniform)
def kl_uniform_uniform(p: Uniform, q: Uniform) -> Any:
    """Return the log of the ratio of widths; inf where p reaches outside q."""
    width = p._width()
    below, above = p.low - q.low, q.high - p.high
    inside = (value_of(below) >= 0.0) & (value_of(above) >= 0.0)
    more = where(inside, below + above, 0.0)
    near = value_of(more) < value_of(width)
    # log1p keeps the digits of a small difference, logs of the widths those of a ratio that overflows.
    log_ratio = where(near, anp.log1p(where(near, more, 0.0) / width), anp.log(q._width()) - anp.log(width))
    return where(inside, log_ratio, np.inf)
