"""The difference of two estimates draw by draw, in a pass of its own over the draws that they had in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from mcvi._engine.draws import Draws
from mcvi._engine.integrands import Integrand
from mcvi._engine.parallel import fold
from mcvi._engine.run import Total
from mcvi._typing import FloatArray
from mcvi.accumulate import Moments

__all__ = ["Paired", "Source", "keeping_sources", "sources_are_kept"]

_kept: ContextVar[bool] = ContextVar("sources", default=False)
sources_are_kept = _kept.get


@contextmanager
def keeping_sources() -> Iterator[None]:
    """Let every estimate keep where it came from, so that another can be subtracted draw by draw."""
    token = _kept.set(True)
    try:
        yield
    finally:
        _kept.reset(token)


class Contributing(Protocol):
    """An estimand that knows what each draw contributes."""

    @property
    def integrands(self) -> tuple[Integrand, ...]:
        """The functions that are evaluated at each block of draws."""
        ...

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        """Return, for each draw, a number whose mean over the draws errs as the estimate does, to first order."""
        ...


@dataclass(eq=False)
class Source:
    """An estimate as a function of its draws: their first-order contributions, times a factor."""

    draws: Draws
    estimand: Contributing
    total: Total
    #: The shape of the estimate before it was multiplied.
    shape: tuple[int, ...]
    factor: Any = 1.0

    def times(self, factor: Any) -> Self:
        """Return the source of the estimate times a factor."""
        return replace(self, factor=self.factor * factor)

    def contributions(self, z: Any) -> FloatArray:
        """Return the contributions of the draws of a block, ``(rows, *shape)``."""
        values = [self.draws.at(function, z) for function in self.estimand.integrands]
        flat = [value.reshape(len(value), -1) for value in values]
        terms = self.estimand.contributions(self.total, *flat)
        ahead = (1,) * (np.ndim(self.factor) - len(self.shape))
        return np.asarray(terms.reshape(len(z), *ahead, *self.shape) * self.factor)


@dataclass(eq=False)
class Paired:
    """The moments of the sum of what a draw contributes to one or two estimates."""

    sources: tuple[Source, ...]
    shape: tuple[int, ...]
    path: ClassVar[str] = ""
    #: Those of the first.
    draws: Draws = field(init=False)

    def __post_init__(self) -> None:
        self.draws = self.sources[0].draws

    @property
    def integrands(self) -> tuple[Integrand, ...]:
        """The functions of both."""
        return tuple(function for source in self.sources for function in source.estimand.integrands)

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> Total:
        """Return the merged result of blocks `first` to ``last - 1``."""
        return fold(self._block(block) for block in range(first, last))

    def _block(self, block: int) -> Total:
        z = self.draws.block(block)
        terms = np.zeros((len(z), *self.shape))
        for source in self.sources:
            own = z if source.draws.q is self.draws.q else source.draws.block(block)
            part = source.contributions(own)
            terms += part.reshape(len(part), *(1,) * (terms.ndim - part.ndim), *part.shape[1:])
        return Total((Moments.of(terms.reshape(len(terms), -1)),), self.shape, ())
