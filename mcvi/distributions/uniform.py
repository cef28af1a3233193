"""The uniform distribution on an interval."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._typing import ArrayLike
from mcvi.distributions._base.constraints import above
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import FromUniform, Maths
from mcvi.distributions._base.univariate import Univariate

__all__ = ["Uniform"]


@scalar
def _prepare(parameters: Any) -> Any:
    low, high = parameters
    return low, high, -elementary.log(high - low), 1.0 / (high - low)


@scalar
def _log_density(x: float, constants: Any) -> Any:
    low, high, log_density, _ = constants
    result = log_density if x <= high else -np.inf
    result = result if x >= low else -np.inf
    return result if x == x else x


@scalar
def _score(x: float, constants: Any) -> Any:
    low, high, _, density = constants
    inside = density if x <= high else 0.0
    inside = inside if x >= low else 0.0
    inside = inside if x == x else x
    return 0.0 * inside, inside, -inside


@scalar
def _transport(u: float, parameters: Any) -> Any:
    low, high = parameters
    x = low + (high - low) * u
    return high if x > high else x  # rounding may step over the end


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

    low: ArrayLike
    high: ArrayLike

    pathwise = True
    _standard = (0.0, 1.0)
    _rules = {"low": "finite", "high": "finite"}
    _maths = Maths(
        parameters=2,
        constants=4,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        sampler=FromUniform(_transport, 2),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        above("low").at({"low": self.low}).check(self.high, "Uniform", "high")

    def transport(self, noise: Any) -> Any:
        """Return ``low + (high - low) * noise`` for noise on (0, 1)."""
        return anp.minimum(self.low + self._width() * noise, self.high)

    def _width(self) -> Any:
        return self.high - self.low  # type: ignore[operator]

    def _mean(self) -> Any:
        return 0.5 * self.low + 0.5 * self.high  # type: ignore[operator]

    def _mode(self) -> Any:
        return np.nan * self._width()

    def _variance(self) -> Any:
        return self._width() ** 2 / 12.0

    def _entropy(self) -> Any:
        return anp.log(self._width())

    def _cdf(self, value: Any) -> Any:
        return anp.minimum(anp.maximum((value - self.low) / self._width(), 0.0), 1.0)

    def _survival_function(self, value: Any) -> Any:
        return anp.minimum(anp.maximum((self.high - value) / self._width(), 0.0), 1.0)

    def _quantile(self, probability: Any) -> Any:
        possible = (probability >= 0.0) & (probability <= 1.0)
        return anp.where(possible, self.transport(probability), np.nan)


@register_kl(Uniform, Uniform)
def kl_uniform_uniform(p: Uniform, q: Uniform) -> Any:
    """Return the log of the ratio of widths; inf where p reaches outside q."""
    width = p._width()
    below, above = p.low - q.low, q.high - p.high  # type: ignore[operator]
    inside = (value_of(below) >= 0.0) & (value_of(above) >= 0.0)
    more = where(inside, below + above, 0.0)
    near = value_of(more) < value_of(width)
    # log1p keeps the digits of a small difference, logs of the widths those of a ratio that overflows.
    log_ratio = where(near, anp.log1p(where(near, more, 0.0) / width), anp.log(q._width()) - anp.log(width))
    return where(inside, log_ratio, np.inf)
