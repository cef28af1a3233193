"""The Laplace distribution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._typing import ArrayLike
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.location_scale import SymmetricLocationScale
from mcvi.distributions._base.page import FromUniform, Maths
from mcvi.distributions._functions.kl_terms import excess

__all__ = ["Laplace"]


@scalar
def _prepare(parameters: Any) -> Any:
    loc, scale = parameters
    return loc, 1.0 / scale, -elementary.log(2.0 * scale)


@scalar
def _log_density(x: float, constants: Any) -> Any:
    loc, precision, log_peak = constants
    return log_peak - abs((x - loc) * precision)


@scalar
def _score(x: float, constants: Any) -> Any:
    loc, precision, _ = constants
    t = (x - loc) * precision
    slope = precision if t > 0.0 else -precision
    slope = 0.0 if t == 0.0 else slope
    slope = slope if t == t else t
    return -slope, slope, (abs(t) - 1.0) * precision


@scalar
def _transport(u: float, parameters: Any) -> Any:
    loc, scale = parameters
    # Each half of the unit interval is folded onto a tail, so both have all their digits.
    low = u < 0.5
    distance = -elementary.log_positive(2.0 * (u if low else 1.0 - u))
    return loc + scale * (-distance if low else distance)


@dataclass(frozen=True, eq=False, repr=False)
class Laplace(SymmetricLocationScale):
    r"""The Laplace (double exponential) distribution, :math:`p(x) = \exp(-|x-\mu|/b) / 2b`.

    Score: :math:`\operatorname{sign}(x-\mu)/b` in `loc` (0 at the kink), :math:`(|x-\mu|/b - 1)/b` in `scale`. Fisher
    information: :math:`\operatorname{diag}(1/b^2, 1/b^2)`.

    Parameters
    ----------
    loc : array_like
        The mean, median and mode :math:`\mu`; finite.
    scale : array_like
        The mean distance from it, :math:`b`; positive and finite. Broadcasts with `loc`.

    Examples
    --------
    >>> from mcvi.distributions import Laplace
    >>> Laplace(loc=0.0, scale=2.0).log_cdf([-2000.0, 0.0])
    array([-1.00069315e+03, -6.93147181e-01])
    """

    loc: ArrayLike
    scale: ArrayLike

    _maths = Maths(
        parameters=2,
        constants=3,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        sampler=FromUniform(_transport, 2),
    )

    def _variance(self) -> Any:
        return 2.0 * self.scale**2  # type: ignore[operator]

    def _entropy(self) -> Any:
        return anp.log(self.scale) + (1.0 + np.log(2.0))

    def _fisher(self) -> Any:
        scale = np.broadcast_to(self.untraced.scale, self.batch_shape)[..., None, None]
        return np.eye(2) / scale**2

    def _standard_cdf(self, t: Any) -> Any:
        tail = 0.5 * anp.exp(-anp.abs(t))
        return anp.where(t < 0.0, tail, 1.0 - tail)

    def _standard_log_cdf(self, t: Any) -> Any:
        below = t < 0.0
        return anp.where(below, t - np.log(2.0), math.log1p(-0.5 * anp.exp(-anp.where(below, 0.0, t))))

    def _standard_quantile(self, probability: Any) -> Any:
        low = probability < 0.5
        distance = -anp.log(2.0 * anp.where(low, probability, 1.0 - probability))
        return anp.where(low, -distance, distance)


@register_kl(Laplace, Laplace)
def kl_laplace_laplace(p: Laplace, q: Laplace) -> Any:
    """Return ``r - 1 - log r + r (t - 1 + exp(-t))``, r the ratio of scales, t the distance of means in scales of p."""
    ratio, distance = p.scale / q.scale, anp.abs(p.loc - q.loc)  # type: ignore[operator]
    near = value_of(distance) < value_of(p.scale)
    t = where(near, distance, 0.0) / p.scale
    # Far away r t is the distance in scales of q, although t itself may overflow.
    apart = where(
        near,
        ratio * (t + anp.expm1(-t)),
        distance / q.scale - ratio * (1.0 - anp.exp(-distance / p.scale)),
    )
    return excess(p.scale, q.scale) + apart
