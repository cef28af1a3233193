"""Axes of a batch as axes of an event."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, tracing, value_of
from mcvi._kernels.sums.rows import group_sums
from mcvi._typing import Array, FloatArray, RNGLike
from mcvi.distributions._base.blockwise import Blockwise, Numbers
from mcvi.distributions._base.distribution import Distribution
from mcvi.distributions._base.kl import closed_form_kl, no_closed_form, register_kl
from mcvi.distributions._base.vectors import matrix_of
from mcvi.random import Key, generator

__all__ = ["Independent"]


@dataclass(frozen=True, eq=False, repr=False)
class Independent(Distribution, compiled=True):
    r"""A batch of independent distributions as one distribution of arrays: :math:`\log p(x) = \sum_i \log p_i(x_i)`.

    The last `reinterpreted_batch_ndims` axes of the batch become the first axes of the event. Draws are those of the
    distribution inside, number for number.

    Parameters
    ----------
    distribution : Distribution
        Any family, or an object of your own with ``batch_shape``, ``event_shape``, ``sample(n, *, rng)`` and
        ``log_prob(z)``.
    reinterpreted_batch_ndims : int
        The number of axes, counted from the last one of the batch.

    Raises
    ------
    TypeError
        `distribution` lacks one of the four, or `reinterpreted_batch_ndims` is no integer.
    ValueError
        `reinterpreted_batch_ndims` is negative, or larger than the batch has axes.

    Notes
    -----
    `score` and `fisher` are those of the distribution inside: one entry (one block) for each number of the event.

    Examples
    --------
    >>> from mcvi.distributions import Independent, Normal
    >>> q = Independent(Normal(loc=[0.0, 1.0], scale=2.0), 1)
    >>> q.batch_shape, q.event_shape
    ((), (2,))
    >>> print(q.log_prob([0.0, 1.0]).round(6))
    -3.224171
    """

    distribution: Any
    reinterpreted_batch_ndims: int

    def __post_init__(self) -> None:
        inner = _checks.distribution(self.distribution, "Independent: distribution")
        axes = _checks.axis_count(
            self.reinterpreted_batch_ndims, len(inner.batch_shape), "Independent: reinterpreted_batch_ndims"
        )
        self._set(reinterpreted_batch_ndims=axes)

    @property
    def pathwise(self) -> bool:  # type: ignore[override]
        """True if a draw carries, by default, its derivative in the parameters."""
        if isinstance(self.distribution, Distribution):
            return self.distribution.draws_by_transport
        return bool(getattr(self.distribution, "pathwise", hasattr(self.distribution, "transport")))

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """True if draws are whole numbers."""
        return bool(getattr(self.distribution, "discrete", False))

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        """The axes of the batch that stay."""
        inner = tuple(self.distribution.batch_shape)
        return inner[: len(inner) - self.reinterpreted_batch_ndims]

    @cached_property
    def event_shape(self) -> tuple[int, ...]:
        """The axes of the batch that were taken, then those of the event inside."""
        return (*tuple(self.distribution.batch_shape)[len(self.batch_shape) :], *self.distribution.event_shape)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the distribution inside."""
        return np.dtype(getattr(self.distribution, "dtype", np.float64))

    @cached_property
    def is_traced(self) -> bool:
        """True if autograd traces the parameters of the distribution inside, or the density of a user's."""
        if isinstance(self.distribution, Distribution):
            return self.distribution.is_traced
        if not tracing():
            return False
        drawn = value_of(self.distribution.sample(1, rng=generator(Key(0), 0)))
        return is_traced(self.distribution.log_prob(drawn))

    @cached_property
    def untraced(self) -> "Independent":
        """The same distribution with the values of its traced parameters."""
        if not self.is_traced or not isinstance(self.distribution, Distribution):
            return self
        return Independent(self.distribution.untraced, self.reinterpreted_batch_ndims)

    @cached_property
    def _family(self) -> Distribution | None:
        """The distribution inside; None for a user's object, or a subclass with a sampler or a density of its own."""
        inner = self.distribution
        if (
            isinstance(inner, Distribution)
            and inner.blockwise.draw is not None
            and inner.blockwise.log_density is not None
        ):
            return inner
        return None

    @cached_property
    def blockwise(self) -> Blockwise:
        """The same of the distribution inside, if it is a family of the library."""
        own, inner = super().blockwise, self._family
        return own._replace(compiled=own.compiled and inner is not None and inner.blockwise.compiled)

    @property
    def _numbers(self) -> Numbers | None:
        return None if self._family is None else self._family.blockwise.numbers

    def _summed(self, log_density: Any) -> Any:
        """Sum over the axes that were taken from the batch."""
        axes = self.reinterpreted_batch_ndims
        return anp.sum(log_density, axis=tuple(range(-axes, 0))) if axes else log_density

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        if self._family is not None:
            return self._family._draw(key, first, count)
        # A foreign sampler takes a Generator: one for each block, so that its draws repeat block by block.
        drawn = value_of(self.distribution.sample(count, rng=generator(key, first)))
        shape = (count, *self.batch_shape, *self.event_shape)
        return np.asarray(_checks.sample_shape(drawn, shape), np.float64)

    def _noise(self, key: Key, first: int, count: int) -> FloatArray:
        if self._family is not None:
            return self._family._noise(key, first, count)
        if not hasattr(self.distribution, "noise"):
            return super()._noise(key, first, count)
        return np.asarray(self.distribution.noise(count, rng=generator(key, first)), np.float64)

    def transport(self, noise: Any) -> Any:
        """Turn noise into draws as the distribution inside does."""
        if not hasattr(self.distribution, "transport"):
            return super().transport(noise)
        return self.distribution.transport(noise)

    def sample(self, n: int | None = None, *, rng: RNGLike = None) -> Any:
        """Draw from the distribution inside: ``(n, *batch_shape, *event_shape)``, without the first axis if no `n`."""
        if self._family is not None:
            return self._family.sample(n, rng=rng)
        if isinstance(self.distribution, Distribution) or not self.pathwise:
            return super().sample(n, rng=rng)
        # Whether a foreign object holds traced parameters cannot be seen: its draws are transported in any case.
        draws = self.transport(self.noise(1 if n is None else n, rng=rng))
        return draws[0] if n is None else draws

    def noise(self, n: int, *, rng: RNGLike = None) -> Array:
        """Draw the parameter-free noise of the distribution inside."""
        if self._family is not None:
            return self._family.noise(n, rng=rng)
        return super().noise(n, rng=rng)

    def _log_prob(self, value: Any) -> Any:
        if self._family is not None:
            return self._summed(self._family._log_prob(value))
        return self._summed(self.distribution.log_prob(value))

    def _log_prob_block(self, z: FloatArray) -> FloatArray:
        if self._family is None:
            return super()._log_prob_block(z)
        inner = self._family._log_prob_block(z)
        out = np.empty((len(inner), prod(self.batch_shape)))
        group_sums(inner.reshape(-1), out.reshape(-1))
        return out

    def score(self, value: Any) -> dict[str, Any]:
        """Return the scores of the distribution inside, one for each number of the event."""
        return self._inner("score", "closed-form score")(value)  # type: ignore[no-any-return]

    def _weighted_score(self, value: Any, weights: Any) -> dict[str, Any]:
        ahead = (1,) * self.reinterpreted_batch_ndims
        inner = self._inner("weighted_score", "closed-form score")
        return inner(value, np.reshape(weights, (*np.shape(weights), *ahead)))  # type: ignore[no-any-return]

    def _inner(self, method: str, what: str) -> Any:
        found = getattr(self.distribution, method, None)
        if found is None:
            raise self._lacks(what)
        return found

    def _fisher(self) -> Any:
        return self._inner("fisher", "closed-form Fisher information")()

    def _mean(self) -> Any:
        return self._inner("mean", "closed-form mean")()

    def _mode(self) -> Any:
        return self._inner("mode", "closed-form mode")()

    def _variance(self) -> Any:
        return self._inner("variance", "closed-form variance")()

    def _covariance(self) -> Any:
        if len(self.event_shape) != 1:
            raise self._lacks(f"covariance matrix: an event has shape {self.event_shape}, not one axis", "")
        if not self.reinterpreted_batch_ndims:
            return self._inner("covariance", "closed-form covariance")()
        return matrix_of(self._variance())

    def _entropy(self) -> Any:
        return self._summed(self._inner("entropy", "closed-form entropy")())


@register_kl(Independent, Independent)
def kl_independent_independent(p: Independent, q: Independent) -> Any:
    """Return the sum over the event of the divergences inside."""
    p, q = _flat(p), _flat(q)
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise no_closed_form(p, q, "that take different numbers of axes from the batch")
    inside = closed_form_kl(p.distribution, q.distribution)(p.distribution, q.distribution)
    shape = np.broadcast_shapes(p.distribution.batch_shape, q.distribution.batch_shape)
    return p._summed(inside + np.zeros(shape))


def _flat(distribution: Independent) -> Independent:
    """Return one layer for a layer within a layer."""
    inner, axes = distribution.distribution, distribution.reinterpreted_batch_ndims
    while isinstance(inner, Independent):
        inner, axes = inner.distribution, axes + inner.reinterpreted_batch_ndims
    return Independent(inner, axes)
