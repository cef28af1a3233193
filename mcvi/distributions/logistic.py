"""The logistic distribution."""

from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._typing import ArrayLike
from mcvi.distributions._base.kl import register_kl, require_equal
from mcvi.distributions._base.location_scale import SymmetricLocationScale
from mcvi.distributions._base.page import FromUniform, Maths

__all__ = ["Logistic"]


@scalar
def _prepare(parameters: Any) -> Any:
    loc, scale = parameters
    return loc, 1.0 / scale, -elementary.log(scale)


@scalar
def _log_density(x: float, constants: Any) -> Any:
    loc, precision, log_precision = constants
    distance = abs((x - loc) * precision)
    return log_precision - distance - 2.0 * elementary.log1p_unit(elementary.exp(-distance))


@scalar
def _score(x: float, constants: Any) -> Any:
    loc, precision, _ = constants
    t = (x - loc) * precision
    slope = elementary.tanh(0.5 * t)
    return -slope * precision, slope * precision, (t * slope - 1.0) * precision


@scalar
def _transport(u: float, parameters: Any) -> Any:
    loc, scale = parameters
    return loc + scale * elementary.log_positive(u / (1.0 - u))


@dataclass(frozen=True, eq=False, repr=False)
class Logistic(SymmetricLocationScale):
    r"""The logistic distribution, :math:`p(x) = e^{-t} / (s (1 + e^{-t})^2)` with :math:`t = (x-\mu)/s`.

    Score: :math:`\tanh(t/2)/s` in `loc`, :math:`(t \tanh(t/2) - 1)/s` in `scale`. Fisher information:
    :math:`\operatorname{diag}(1/3, (3+\pi^2)/9)/s^2`.

    Parameters
    ----------
    loc : array_like
        The mean, median and mode :math:`\mu`; finite.
    scale : array_like
        The scale :math:`s`; positive and finite. Broadcasts with `loc`.

    Examples
    --------
    >>> from mcvi.distributions import Logistic
    >>> Logistic(loc=0.0, scale=1.0).cdf([-1.0, 0.0, 1.0])
    array([0.26894142, 0.5       , 0.73105858])
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
        return (pi**2 / 3.0) * self.scale**2  # type: ignore[operator]

    def _entropy(self) -> Any:
        return anp.log(self.scale) + 2.0

    def _fisher(self) -> Any:
        scale = np.broadcast_to(self.untraced.scale, self.batch_shape)[..., None, None]
        return np.diag([1.0 / 3.0, (3.0 + pi**2) / 9.0]) / scale**2

    def _standard_cdf(self, t: Any) -> Any:
        return math.sigmoid(t)

    def _standard_log_cdf(self, t: Any) -> Any:
        return -math.softplus(-t)

    def _standard_quantile(self, probability: Any) -> Any:
        return anp.log(probability) - math.log1p(-probability)


@register_kl(Logistic, Logistic)
def kl_logistic_logistic(p: Logistic, q: Logistic) -> Any:
    r"""Return :math:`2 (y \coth y - 1)`, y half the distance of the means in scales; the scales must be equal."""
    require_equal(p, q, "scale")
    y = 0.5 * anp.abs((p.loc - q.loc) / p.scale)  # type: ignore[operator]
    near = value_of(y) < 1.0
    square = where(near, y, 1.0) ** 2
    fraction = 19.0
    for odd in range(17, 1, -2):  # Lambert's continued fraction of y coth y - 1: y^2 / (3 + y^2 / (5 + ...))
        fraction = odd + square / fraction
    far = where(near, 1.0, y)
    decay = anp.exp(-2.0 * far)
    return 2.0 * where(near, square / fraction, far - 1.0 + 2.0 * far * decay / (1.0 - decay))
