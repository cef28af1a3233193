"""The multivariate normal distribution with the Cholesky factor of its covariance as parameter."""

from dataclasses import dataclass
from functools import cached_property
from math import log, pi
from typing import Any

import numpy as np
from autograd import numpy as anp
from autograd.extend import defvjp_argnums, primitive

from mcvi import _checks
from mcvi._kernels import triangular
from mcvi._trace import is_traced, unbroadcast, value_of
from mcvi._typing import Array, ArrayLike, FloatArray
from mcvi.distributions._distribution import Distribution
from mcvi.distributions._univariate import _refuse_second_derivative
from mcvi.distributions._vectors import Members, batch_of, event_value, vector
from mcvi.random import Key, standard_normals

__all__ = ["MultivariateNormalTriL"]

_LOG_2PI = log(2 * pi)


@dataclass(frozen=True, eq=False, repr=False)
class MultivariateNormalTriL(Distribution):
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

    loc: ArrayLike
    scale_tril: ArrayLike

    pathwise = True

    def __post_init__(self) -> None:
        owner = type(self).__name__
        loc = vector(self.loc, owner, "loc", "finite")
        tril = _checks.lower_triangular(self.scale_tril, owner, "scale_tril")
        shapes = {"loc": np.shape(value_of(loc)), "scale_tril": np.shape(value_of(tril))}
        batch_of(
            owner, loc=(shapes["loc"], shapes["loc"][-1:]), scale_tril=(shapes["scale_tril"], shapes["scale_tril"][-2:])
        )
        self._set(loc=loc, scale_tril=tril)

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape to which the batches of the parameters broadcast."""
        return np.broadcast_shapes(np.shape(value_of(self.loc))[:-1], np.shape(value_of(self.scale_tril))[:-2])

    @cached_property
    def event_shape(self) -> tuple[int, ...]:
        """``(d,)``."""
        return (np.shape(value_of(self.loc))[-1],)

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
        return _log_density(event_value(self, value), self.loc, self.scale_tril)

    def _log_prob_block(self, z: FloatArray) -> FloatArray:
        held = self.untraced
        return _log_density(z, held.loc, held.scale_tril).reshape(len(z), -1)  # type: ignore[no-any-return]

    def score(self, value: Any) -> dict[str, Any]:
        """Return the derivatives of ``log_prob(value)`` by `value` and by each parameter: vectors, or matrices."""
        held = self.untraced
        value = event_value(self, self._checked(value_of(value)))
        y, w = _solved(value, held.loc, held.scale_tril)
        tril = np.tril(w[..., :, None] * y[..., None, :]) - _inverse_diagonal(held.scale_tril)
        return {"value": self._cast(-w), "loc": self._cast(w), "scale_tril": self._cast(tril)}

    def _fisher(self) -> Any:
        size = self.event_shape[0]
        shape = (*self.batch_shape, size, size)
        tril = np.broadcast_to(self.untraced.scale_tril, shape)
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
        product = anp.matmul(tril, anp.swapaxes(tril, -1, -2))
        return self._shaped(product, (*self.batch_shape, *self.event_shape, *self.event_shape))

    def _log_determinant(self) -> Any:
        # These two axes in this order are the only ones whose derivative autograd knows.
        return anp.sum(anp.log(anp.diagonal(self.scale_tril, axis1=-1, axis2=-2)), axis=-1)

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


@primitive
def _log_density(value: Any, loc: Any, tril: Any) -> FloatArray:
    members, tables = _tables(value, loc, tril)
    squares = np.empty(members.value.shape[:2])
    triangular.squared_norms(*tables, squares)
    diagonal = np.diagonal(tril, axis1=-2, axis2=-1).astype(np.float64)
    peak = -np.log(diagonal).sum(axis=-1) - 0.5 * diagonal.shape[-1] * _LOG_2PI
    return np.asarray(peak - 0.5 * squares.reshape(members.shape))


@primitive
def _pull_back(g: Any, argnums: Any, value: Any, loc: Any, tril: Any) -> tuple[Any, ...]:
    y, w = _solved(value, loc, tril)
    g = np.asarray(g)
    with np.errstate(invalid="ignore", over="ignore"):
        # 0 * inf would be nan: where no derivative is asked for, one that is not finite does not matter.
        along = np.where(g[..., None] == 0, 0.0, g[..., None] * w)
    return tuple(_gradient(argument, g, along, y, (value, loc, tril)) for argument in argnums)


def _gradient(argument: int, g: Any, along: Any, y: Any, arguments: tuple[Any, ...]) -> Any:
    shape, dtype = np.shape(arguments[argument]), np.result_type(float, arguments[argument])
    if argument == 0:
        return unbroadcast(-along, shape, dtype)
    if argument == 1:
        return unbroadcast(along, shape, dtype)
    outer = _sum_of_outer_products(along, y, len(shape) - 2)
    weight = unbroadcast(g, shape[:-2])
    return (np.tril(unbroadcast(outer, shape)) - weight[..., None, None] * _inverse_diagonal(arguments[2])).astype(
        dtype
    )


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


defvjp_argnums(_pull_back, _refuse_second_derivative)
defvjp_argnums(_log_density, lambda argnums, ans, args, kwargs: lambda g: _pull_back(g, argnums, *args))
