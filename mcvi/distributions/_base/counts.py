"""Shared parts of the families of counts: draws, tails and their derivative, quantiles by bisection."""

from functools import cached_property
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._autograd import is_traced, once_differentiable, value_of
from mcvi._kernels.compiler.elementwise import table
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws import categories, counts
from mcvi._typing import FloatArray
from mcvi.distributions._base.samplers import ByAttempts, Sampler
from mcvi.distributions._base.scalars import arguments, compiled
from mcvi.distributions._base.univariate import Univariate
from mcvi.random import Key, standard_uniforms

__all__ = ["CountSampler", "Counts", "log_tail"]


# Draws of each member of a batch from which on a guide into its table pays for itself.
_WORTH_A_GUIDE = 16
_CELLS = 4 * counts.TERMS
_NO_GUIDES = np.empty((0, 0), np.uint32)


class CountSampler(Sampler):
    """Draws of counts, by inversion in a table where the mean is small and by attempts where it is not.

    ``prepare(*parameters)`` returns the constants that `attempt` and `sums` take; see `mcvi._kernels.draws.counts`.
    """

    def __init__(self, prepare: Any, constants: int, attempt: Any, sums: Any) -> None:
        self._function, self._constants, self._sums = prepare, constants, sums
        self._by_attempts = ByAttempts(attempt, constants)

    @cached_property
    def _prepare(self) -> Any:
        function = compiled(self._function)

        @scalar
        def prepared(parameters: Any) -> Any:
            return function(*parameters)

        return table(prepared, len(arguments(function)))

    @cached_property
    def _running_sums(self) -> Any:
        return counts.running_sums(self._sums, self._constants)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        constants = np.empty((self._constants, parameters.shape[1]))
        self._prepare(parameters, constants)
        few = constants[0, :elements] < counts.FEW
        if not few.all():
            self._by_attempts.fill(key, first, elements, constants, out)
        if few.any():
            found = self._inverted(key, first, elements, constants[:, :elements], out.size)
            np.copyto(out, found, where=True if few.all() else np.resize(few, out.size))

    def _inverted(self, key: Key, first: int, elements: int, constants: FloatArray, size: int) -> FloatArray:
        u, found = standard_uniforms(key, first, size // elements, elements), np.empty(size)
        sums = np.empty((elements, counts.TERMS))
        self._running_sums(constants, sums)
        guides = _NO_GUIDES
        if size >= _WORTH_A_GUIDE * elements:
            guides = np.empty((elements, _CELLS), np.uint32)
            categories.guide(sums, guides)
        categories.locate(sums, guides, u, found)
        start, sign = constants[1:3]
        if sign.min() < 0.0:
            found = np.resize(start, size) + np.resize(sign, size) * found
        return found


class Counts(Univariate):
    """A family of counts from 0 to `_top` that takes one of two parameters, beside others that are fixed.

    It gives, for untraced parameters, ``_descent(k)``: minus the derivative of the probability of at most k in the
    given parameter, over the probability of `k`.
    """

    @property
    def _top(self) -> Any:
        return np.inf

    def _cdf(self, value: Any) -> Any:
        return self._tail_of_count(value, upper=False)

    def _survival_function(self, value: Any) -> Any:
        return self._tail_of_count(value, upper=True)

    def _log_cdf(self, value: Any) -> Any:
        return self._tail_of_count(value, upper=False, log=True)

    def _log_survival_function(self, value: Any) -> Any:
        return self._tail_of_count(value, upper=True, log=True)

    def _tail_of_count(self, value: Any, *, upper: bool, log: bool = False) -> Any:
        held: Any = self.untraced
        k = np.floor(np.asarray(value_of(value), np.float64))
        inside = (k >= 0) & (k < np.inf)
        count = np.where(inside, k, 0.0)
        result = held._tail(k, upper=upper, log=log)
        if not self.is_traced:
            return result
        given = next(name for name in type(self)._page if name in self.parameters)  # type: ignore[attr-defined]
        if is_traced(*(value for name, value in self.parameters.items() if name != given)):
            raise self._lacks(f"derivative of its cdf in any parameter but {given}")
        scale = np.where(result > -np.inf, result, 0.0) if log else 0.0
        probability = np.where(inside, np.exp(held.log_prob(count) - scale), 0.0)
        slope = np.where(probability > 0, held._descent(count) * probability, 0.0)
        return _with_slope(self.parameters[given], result, slope if upper else -slope)

    def _quantile(self, probability: Any) -> Any:
        held = self.untraced
        wanted = np.asarray(value_of(probability), np.float64)
        shape = np.broadcast_shapes(wanted.shape, self.batch_shape)
        inside = np.broadcast_to((wanted > 0) & (wanted < 1), shape)
        low = np.full(shape, -1.0)
        high = np.broadcast_to(np.ceil(held.mean() + held.stddev()), shape)
        while np.any(short := inside & (held._cdf(high) < wanted)):
            low, high = np.where(short, high, low), np.where(short, 2.0 * high + 1.0, high)
        while True:  # the cdf is too small at `low` and large enough at `high`
            middle = np.floor(low + 0.5 * (high - low))
            apart = inside & (low < middle) & (middle < high)
            if not apart.any():
                break
            reached = held._cdf(middle) >= wanted
            low, high = np.where(apart & ~reached, middle, low), np.where(apart & reached, middle, high)
        ends = np.where(wanted == 0, 0.0, np.where(wanted == 1, held._top, np.nan))
        return np.where(inside, high, ends)


def log_tail(probability: Any, complement: Any) -> Any:
    """Return ``log(probability)``, from the smaller one of it and its complement."""
    held = value_of(probability)
    # What is not selected is replaced before the logarithm: 0 times an infinite derivative would be nan.
    small = anp.where((held > 0) & (held < 0.5), probability, 0.5)
    large = anp.where(held < 0.5, 0.5, complement)
    return anp.where(held == 0, -np.inf, anp.where(held < 0.5, math.log(small), math.log1p(-large)))


def _times_slope(g: Any, argnums: Any, answer: Any, parameter: Any, result: Any, slope: Any) -> list[Any]:
    return [g * slope]


@once_differentiable(_times_slope, "the derivative of a cdf has no derivative here; take one derivative less.")
def _with_slope(parameter: Any, result: Any, slope: Any) -> Any:
    return result
