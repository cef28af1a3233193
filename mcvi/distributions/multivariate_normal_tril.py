"""The multivariate normal distribution with the Cholesky factor of its covariance as parameter."""

from dataclasses import dataclass
from math import log, pi
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import is_traced, masked_product, once_differentiable
from mcvi._kernels.sums import triangular
from mcvi._typing import Array, FloatArray, Parameter
from mcvi.distributions._base.constraints import lower_triangular, real, vectors_of
from mcvi.distributions._base.distribution import NO_SECOND_DERIVATIVE
from mcvi.distributions._base.kl import closed_form_kl, kl_class, no_closed_form, register_kl
from mcvi.distributions._base.vector_family import VectorFamily
from mcvi.distributions._base.vectors import Members, event_value, matrix_of
from mcvi.distributions._functions.kl_terms import excess
from mcvi.distributions.independent import Independent
from mcvi.distributions.multivariate_normal_diag import MultivariateNormalDiag
from mcvi.distributions.normal import Normal
from mcvi.random import Key, standard_normals

__all__ = ["MultivariateNormalTriL"]

_LOG_2PI = log(2 * pi)


@dataclass(frozen=True, eq=False, repr=False)
class MultivariateNormalTriL(VectorFamily, compiled=True):
    r"""The normal distribution of vectors :math:`N(\mu, L L^\top)` with a lower triangular :math:`L`.

    .. math:: \log p(x) = -\tfrac12 |y|^2 - \sum_i \log L_{ii} - \tfrac d2 \log 2\pi, \quad y = L^{-1}(x-\mu)

    Score, with :math:`w = L^{-\top} y`: :math:`w` in `loc`, the lower triangle of
    :math:`w y^\top - \operatorname{diag}(1/L_{ii})` in `scale_tril`. Fisher information: :math:`\Sigma^{-1}` for `loc`;
    :math:`\delta_{jl} (\Sigma^{-1})_{ik}`, and :math:`1/L_{ii}^2` more on the diagonal of `L`, for the entries
    :math:`L_{ij}, L_{kl}`.

    Parameters
    ----------
    loc : array_like ``(..., d)``
        The mean; finite.
    scale_tril : array_like ``(..., d, d)``
        The factor :math:`L`: zero above the diagonal, positive on it. Its batch broadcasts with that of `loc`. Of a
        covariance matrix it is ``numpy.linalg.cholesky(covariance)``.

    Notes
    -----
    The error of the log density is at most about :math:`d \varepsilon \kappa` for a matrix of condition :math:`\kappa`.

    Examples
    --------
    >>> from mcvi.distributions import MultivariateNormalTriL
    >>> q = MultivariateNormalTriL(loc=[0.0, 1.0], scale_tril=[[1.0, 0.0], [0.5, 2.0]])
    >>> q.covariance()
    array([[1.  , 0.5 ],
           [0.5 , 4.25]])
    """

    loc: Parameter
    scale_tril: Parameter

    pathwise = True

    constraints: ClassVar = {"loc": vectors_of(real), "scale_tril": lower_triangular}
    support: ClassVar = vectors_of(real)

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        held = self.untraced
        return _affine(held._noise(key, first, count), held.loc, held.scale_tril)

    def _noise(self, key: Key, first: int, count: int) -> FloatArray:
        noise = standard_normals(key, first, count, self.elements)
        return noise.reshape(count, *self.batch_shape, *self.event_shape)

    def transport(self, noise: Any) -> Any:
        """Return ``loc + scale_tril @ noise`` for standard normal noise."""
        noise = event_value(self, noise)
        if is_traced(noise) or self.is_traced:
            return self.loc + anp.matmul(anp.tril(self.scale_tril), noise[..., None])[..., 0]
        return self._cast(_affine(noise, self.loc, self.scale_tril))

    def _log_prob(self, value: Any) -> Any:
        held = self.in_float64
        return held._log_peak() - 0.5 * _squared_norm(event_value(self, value), held.loc, held.scale_tril)

    def _scores(self, value: FloatArray) -> dict[str, Any]:
        y, w = _solved(value, self.loc, self.scale_tril)
        tril = np.tril(w[..., :, None] * y[..., None, :]) - _inverse_diagonal(self.scale_tril)
        return {"value": -w, "loc": w, "scale_tril": tril}

    def _fisher(self) -> Any:
        size = self.event_shape[0]
        tril = self._held("scale_tril")
        inverse = np.linalg.inv(tril)
        precision = np.swapaxes(inverse, -1, -2) @ inverse
        rows, columns = np.tril_indices(size)
        factor = precision[..., rows[:, None], rows[None, :]] * (columns[:, None] == columns[None, :])
        diagonal = np.flatnonzero(rows == columns)
        factor[..., diagonal, diagonal] += 1.0 / np.diagonal(tril, axis1=-2, axis2=-1) ** 2
        both = np.zeros((*self.batch_shape, size + len(rows), size + len(rows)))
        both[..., :size, :size] = precision
        both[..., size:, size:] = factor
        return both

    def _mean(self) -> Any:
        return self.loc

    _mode = _mean

    def _variance(self) -> Any:
        return anp.sum(anp.tril(self.scale_tril) ** 2, axis=-1)

    def _covariance(self) -> Any:
        tril = anp.tril(self.scale_tril)
        return anp.matmul(tril, anp.swapaxes(tril, -1, -2))

    def _log_determinant(self) -> Any:
        # These two axes in this order are the only ones whose derivative autograd knows.
        return anp.sum(anp.log(anp.diagonal(self.scale_tril, axis1=-1, axis2=-2)), axis=-1)

    def _log_peak(self) -> Any:
        return -self._log_determinant() - 0.5 * self.event_shape[0] * _LOG_2PI

    def _entropy(self) -> Any:
        return self._log_determinant() + 0.5 * self.event_shape[0] * (1.0 + _LOG_2PI)


def _tables(value: Any, loc: Any, tril: Any) -> tuple[Members, tuple[Any, ...]]:
    members = Members(value, np.broadcast_shapes(np.shape(loc)[:-1], np.shape(tril)[:-2]))
    return members, (members.value, *members.table(loc, 1), *members.table(tril, 2))


def _solved(value: Any, loc: Any, tril: Any) -> tuple[FloatArray, FloatArray]:
    """Return ``y = tril^-1 (value - loc)`` and ``w = tril^-T y``, each shaped like the draws."""
    members, tables = _tables(value, loc, tril)
    y, w = np.empty_like(members.value), np.empty_like(members.value)
    triangular.solve_both(*tables, y, w)
    shape = (*members.shape, members.value.shape[-1])
    return y.reshape(shape), w.reshape(shape)


def _inverse_diagonal(tril: Any) -> Array:
    diagonal = np.diagonal(tril, axis1=-2, axis2=-1)
    return np.where(np.eye(diagonal.shape[-1], dtype=bool), 1.0 / diagonal[..., None], 0.0)


def _pull_back(g: Any, argnums: Any, answer: Any, value: Any, loc: Any, tril: Any) -> list[Any]:
    y, w = _solved(value, loc, tril)
    along = masked_product(2.0 * np.asarray(g)[..., None], w)

    def gradient(argument: int) -> Any:
        if argument == 2:
            return -np.tril(_sum_of_outer_products(along, y, np.ndim(tril) - 2))
        return along if argument == 0 else -along

    return [gradient(argument) for argument in argnums]


def _sum_of_outer_products(a: Any, b: Any, batch_axes: int) -> Any:
    """Sum ``a bᵀ`` over the axes in front of the batch, as one matrix product."""
    lead = a.ndim - 1 - batch_axes
    a, b = (np.moveaxis(x.reshape(-1, *x.shape[lead:]), 0, -2) for x in (a, b))
    return np.swapaxes(a, -1, -2) @ b


def _affine(noise: Any, loc: Any, tril: Any) -> FloatArray:
    """Return ``loc + tril @ noise`` of untraced arrays."""
    members, tables = _tables(noise, loc, tril)
    out = np.empty_like(members.value)
    triangular.multiply(*tables, out)
    return out.reshape(*members.shape, out.shape[-1])


@once_differentiable(_pull_back, NO_SECOND_DERIVATIVE)
def _squared_norm(value: Any, loc: Any, tril: Any) -> FloatArray:
    """Return ``|tril^-1 (value - loc)|**2``."""
    members, tables = _tables(value, loc, tril)
    squares = np.empty(members.value.shape[:2])
    triangular.squared_norms(*tables, squares)
    return squares.reshape(members.shape)


def _factor(distribution: Any) -> Any:
    if isinstance(distribution, MultivariateNormalDiag):
        return matrix_of(distribution.scale_diag)
    return anp.tril(distribution.scale_tril)


@register_kl(MultivariateNormalTriL, MultivariateNormalTriL)
@register_kl(MultivariateNormalTriL, MultivariateNormalDiag)
@register_kl(MultivariateNormalDiag, MultivariateNormalTriL)
def kl_tril_tril(p: Any, q: Any) -> Any:
    r"""Return :math:`\sum_i (r_i - 1 - \log r_i) + |L_q^{-1} (L_p - L_q)|^2/2 + |L_q^{-1}(\mu_p - \mu_q)|^2/2`.

    The :math:`r_i` are the ratios of the diagonals; the first norm is Frobenius'.
    """
    ours, theirs = _factor(p), _factor(q)
    ratios = excess(anp.diagonal(ours, axis1=-1, axis2=-2), anp.diagonal(theirs, axis1=-1, axis2=-2))
    columns = anp.moveaxis(ours - theirs, -1, 0)
    spread = anp.sum(_squared_norm(columns, np.zeros(columns.shape[-1]), theirs), axis=0)
    return anp.sum(ratios, axis=-1) + 0.5 * spread + 0.5 * _squared_norm(p.loc, q.loc, theirs)


@register_kl(Independent, MultivariateNormalDiag)
@register_kl(Independent, MultivariateNormalTriL)
def kl_independent_normal(p: Independent, q: Any) -> Any:
    p = _as_diagonal(p, p, q)
    return closed_form_kl(p, q)(p, q)


@register_kl(MultivariateNormalDiag, Independent)
@register_kl(MultivariateNormalTriL, Independent)
def kl_normal_independent(p: Any, q: Independent) -> Any:
    q = _as_diagonal(q, p, q)
    return closed_form_kl(p, q)(p, q)


def _as_diagonal(distribution: Independent, p: Any, q: Any) -> Any:
    """Return a batch of independent normals, which may be one of the pair, as a multivariate normal."""
    normal = distribution.distribution
    if kl_class(normal) is not Normal:
        raise no_closed_form(p, q, f"around {type(normal).__name__}")
    wide: Any = np.zeros(distribution.event_shape)
    return MultivariateNormalDiag(wide + normal.loc, wide + normal.scale)
