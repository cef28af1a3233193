"""Families of one real or whole number, from a page of scalar functions."""

from functools import cached_property
from inspect import get_annotations
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import unbroadcast, value_of
from mcvi._typing import FloatArray
from mcvi.distributions._base.alternatives import Either, keep_given
from mcvi.distributions._base.array_functions import log_density, quantile, scores, tail, transported
from mcvi.distributions._base.blockwise import Numbers
from mcvi.distributions._base.constraints import Constraint
from mcvi.distributions._base.distribution import Distribution
from mcvi.distributions._base.page import Page
from mcvi.distributions._base.samplers import FromNoise
from mcvi.distributions._base.weighted_scores import weighted_scores
from mcvi.random import Key

__all__ = ["Univariate"]


class Univariate(Distribution, compiled=True):
    """A family of numbers.

    A subclass names its parameters as fields and gives `_page`, made by `page` or by an operator on pages. A family
    that takes one of two parameters for the same thing gives a page for `either` (see `Bernoulli`).
    """

    _page: ClassVar[Page]
    #: The parameters at which a draw is itself the noise that `transport` takes, where that is not the sampler's noise.
    _standard: ClassVar[tuple[float, ...] | None] = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        found: Any = vars(cls).get("_page")
        if found is None:
            return
        declared = [*getattr(cls, "__dataclass_fields__", ()), *get_annotations(cls)]
        pages = found.pages if isinstance(found, Either) else {"": found}
        for one in pages.values():
            if [name for name in dict.fromkeys(declared) if name in one.parameters] != list(one.parameters):
                raise TypeError(
                    f"{cls.__name__}: the page has the parameters {', '.join(one.parameters)}; "
                    "give the class fields of these names in this order."
                )
        cls.constraints = {name: rule for one in pages.values() for name, rule in one.parameters.items()}

    def __post_init__(self) -> None:
        owner, held = type(self).__name__, vars(self)
        pages: Any = type(self)._page
        if isinstance(pages, dict):  # one page for each of several parameters
            keep_given(self, pages)
        checked: dict[str, Any] = {}
        for name in self._page.parameters:
            checked[name] = self.constraints[name].at(checked).check(held[name], owner, name)
        _checks.together(owner, **checked)
        self._set(**checked)

    def _parameters(self) -> tuple[Any, ...]:
        return tuple(self.parameters.values())

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape to which the parameters broadcast."""
        return np.broadcast_shapes(*(np.shape(value_of(p)) for p in self.parameters.values()))

    @property
    def support(self) -> Constraint:
        """The set of possible values, with an array for each end that depends on the parameters."""
        return self._page.support.at(self.parameters)

    @property
    def _numbers(self) -> Numbers:
        page = self._page
        one_noise = page.sampler if isinstance(page.sampler, FromNoise) else None
        return Numbers(self.batch_shape, page.scalar_density, self._table_of, self._columns, one_noise)

    # Parameters and constants as tables whose columns are the members of the batch.

    @cached_property
    def _columns(self) -> FloatArray:
        return self._page.columns([value_of(p) for p in self._parameters()], self.batch_shape)

    @cached_property
    def _table(self) -> FloatArray:
        return self._page.prepared(self._columns)

    def _table_of(self, batch_shape: tuple[int, ...]) -> FloatArray:
        """Return the table of constants for a wider batch."""
        if batch_shape == self.batch_shape:
            return self._table
        return self._page.prepared(self._page.columns(list(self._parameters()), batch_shape))

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        return self._filled(key, first, count, self._columns)

    def _noise(self, key: Key, first: int, count: int) -> FloatArray:
        sampler = self._page.sampler
        if self._standard is not None:
            return self._filled(key, first, count, np.array(self._standard)[:, None])
        if not (self.pathwise and isinstance(sampler, FromNoise)):
            return super()._noise(key, first, count)
        out = np.empty(count * self.elements)
        if self.elements:
            sampler.fill_noise(key, first, self.elements, out)
        return out.reshape(count, *self.batch_shape)

    def _filled(self, key: Key, first: int, count: int, columns: FloatArray) -> FloatArray:
        out = np.empty(count * self.elements)
        if self.elements:
            self._page.sampler.fill(key, first, self.elements, columns, out)
        return out.reshape(count, *self.batch_shape)

    def _log_prob(self, value: Any) -> Any:
        if self.is_traced or not isinstance(value, np.ndarray):
            return log_density(value, *self._parameters(), page=self._page)
        batch = self.batch_shape
        if batch and value.shape[-len(batch) :] != batch:
            value = np.broadcast_to(value, np.broadcast_shapes(value.shape, batch))
            if value.shape[-len(batch) :] != batch:  # an axis of length 1 in the batch was stretched
                return log_density(value, *self._parameters(), page=self._page)
        return self._log_prob_block(np.ascontiguousarray(value, np.float64)).reshape(value.shape)

    def _log_prob_block(self, z: FloatArray) -> FloatArray:
        flat = z.reshape(-1)
        out = np.empty(flat.size)
        self._page.log_densities(flat, self._table, out)
        rows = len(z) if z.ndim else 1
        return out.reshape(rows, flat.size // rows if rows else 0)

    def score(self, value: Any) -> dict[str, Any]:
        """Return the derivatives of ``log_prob(value)``: one for each parameter by its name, and one for ``"value"``.

        Each has the shape to which `value` and the parameters broadcast.
        """
        rows = scores(self._page, self._checked(value_of(value)), self.untraced._parameters())
        return {name: self._cast(row) for name, row in zip(["value", *self.parameters], rows, strict=True)}

    def _weighted_score(self, value: Any, weights: Any) -> dict[str, Any]:
        sums = weighted_scores(self._page, self._table, value, weights, self.batch_shape)
        return {
            name: unbroadcast(row, np.shape(held))
            for row, (name, held) in zip(sums[1:], self.parameters.items(), strict=True)
        }

    # Tails, quantiles and draws from the page.

    def _tail(self, value: Any, *, upper: bool, log: bool = False) -> Any:
        return tail(value, *self._parameters(), page=self._page, upper=upper, log=log)

    def _cdf(self, value: Any) -> Any:
        if self._page.functions.tails is None:
            raise self._lacks("a cdf")
        return self._tail(value, upper=False)

    def _survival_function(self, value: Any) -> Any:
        return 1.0 - self._cdf(value) if self._page.functions.tails is None else self._tail(value, upper=True)

    def _log_cdf(self, value: Any) -> Any:
        if self._page.functions.tails is None:
            return log_of(self._cdf(value), self._survival_function(value))
        return self._tail(value, upper=False, log=True)

    def _log_survival_function(self, value: Any) -> Any:
        if self._page.functions.tails is None:
            return log_of(self._survival_function(value), self._cdf(value))
        return self._tail(value, upper=True, log=True)

    def _quantile(self, probability: Any) -> Any:
        if self._page.functions.quantile is None:
            raise self._lacks("a quantile")
        return quantile(probability, *self._parameters(), page=self._page)

    def transport(self, noise: Any) -> Any:
        """Turn noise into draws, by a differentiable function of the parameters (the pathwise derivative)."""
        if not self.pathwise:
            return super().transport(noise)
        return transported(noise, *self._parameters(), page=self._page)


def log_of(probability: Any, complement: Any) -> Any:
    """Return the log of a probability, from it or its complement, whichever is small: neither end loses digits."""
    small = value_of(probability) < 0.5
    return anp.where(small, anp.log(anp.where(small, probability, 1.0)), anp.log1p(-anp.where(small, 0.0, complement)))
