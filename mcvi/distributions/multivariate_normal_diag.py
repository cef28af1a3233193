"""The multivariate normal distribution with a diagonal covariance."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi._kernels.sums.rows import group_sums
from mcvi._typing import FloatArray, Parameter
from mcvi.distributions._base.blockwise import Numbers
from mcvi.distributions._base.constraints import positive, real, vectors_of
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.vector_family import VectorFamily
from mcvi.distributions._base.vectors import event_value, matrix_of
from mcvi.distributions.normal import Normal, kl_normal_normal
from mcvi.random import Key

__all__ = ["MultivariateNormalDiag"]


@dataclass(frozen=True, eq=False, repr=False)
class MultivariateNormalDiag(VectorFamily, compiled=True):
    r"""The normal distribution of vectors :math:`N(\mu, \operatorname{diag}(\sigma^2))`.

    Its mathematics is that of `Normal`, number by number. Fisher information:
    :math:`\operatorname{diag}(1/\sigma_i^2, \dots, 2/\sigma_i^2, \dots)`.

    Parameters
    ----------
    loc : array_like ``(..., d)``
        The mean; finite.
    scale_diag : array_like ``(..., d)``
        The standard deviations; positive and finite. Its batch broadcasts with that of `loc`.

    Examples
    --------
    >>> from mcvi.distributions import MultivariateNormalDiag
    >>> q = MultivariateNormalDiag(loc=[0.0, 1.0], scale_diag=[1.0, 2.0])
    >>> q.event_shape
    (2,)
    >>> print(q.log_prob([0.0, 1.0]).round(6))
    -2.531024
    """

    loc: Parameter
    scale_diag: Parameter

    pathwise = True

    constraints: ClassVar = {"loc": vectors_of(real), "scale_diag": vectors_of(positive)}
    support: ClassVar = vectors_of(real)

    @cached_property
    def _elements(self) -> Normal:
        return Normal(self.loc, self.scale_diag)

    @property
    def _numbers(self) -> Numbers | None:
        return self._elements.blockwise.numbers

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        return self._elements._draw(key, first, count)

    def _noise(self, key: Key, first: int, count: int) -> FloatArray:
        return self._elements._noise(key, first, count)

    def transport(self, noise: Any) -> Any:
        """Return ``loc + scale_diag * noise`` for standard normal noise."""
        return self._elements.transport(noise)

    def _log_prob(self, value: Any) -> Any:
        return anp.sum(self._elements._log_prob(event_value(self, value)), axis=-1)

    def _log_prob_block(self, z: FloatArray) -> FloatArray:
        out = np.empty((len(z), prod(self.batch_shape)))
        group_sums(self._elements._log_prob_block(z).reshape(-1), out.reshape(-1))
        return out

    def _scores(self, value: FloatArray) -> dict[str, Any]:
        scores = self._elements.score(value)
        return {"value": scores["value"], "loc": scores["loc"], "scale_diag": scores["scale"]}

    def _fisher(self) -> Any:
        scale = self._held("scale_diag")
        return matrix_of(np.concatenate([1.0 / scale**2, 2.0 / scale**2], axis=-1))

    def _mean(self) -> Any:
        return self.loc

    _mode = _mean

    def _variance(self) -> Any:
        return self.scale_diag**2

    def _covariance(self) -> Any:
        return matrix_of(self.variance())

    def _entropy(self) -> Any:
        return anp.sum(self._elements.entropy(), axis=-1)


@register_kl(MultivariateNormalDiag, MultivariateNormalDiag)
def kl_diag_diag(p: MultivariateNormalDiag, q: MultivariateNormalDiag) -> Any:
    return anp.sum(kl_normal_normal(p._elements, q._elements), axis=-1)
