"""The interface between a family and the engine of the estimators: what is called once for each block of draws.

The engine reads `Distribution.blockwise`, and nothing else of a family beside its public methods.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from mcvi._typing import FloatArray
from mcvi.random import Key

__all__ = ["Blockwise", "Numbers"]


class Numbers(NamedTuple):
    """A density that is a product over the numbers of a draw, as scalar functions from which a loop can be compiled."""

    #: ``(*batch_shape, *event_shape)``: the shape of one draw.
    shape: tuple[int, ...]
    #: The scalar log density of a number, and how many constants it takes.
    density: tuple[Callable[..., Any], int]
    #: ``table(shape)``: the constants of the density, a column for each number of a draw of that (wider) shape.
    table: Callable[[tuple[int, ...]], FloatArray]
    #: The parameters that the sampler takes, a column for each number.
    parameters: FloatArray
    #: How a number is drawn from one noise (`FromNoise`); None where it takes several.
    sampler: Any


class Blockwise(NamedTuple):
    """The sampler and the log density of a family for blocks of draws, without the checks of the public methods.

    A field is None where a subclass overrides the public method that it stands for: then the method is called.
    """

    #: ``draw(key, first, count)``: draws `first` to ``first + count`` of the stream `key`, as float64; for `sample`.
    draw: Callable[[Key, int, int], FloatArray] | None
    #: The same of the noise that `transport` takes.
    noise: Callable[[Key, int, int], FloatArray] | None
    #: ``log_density(z)``: the log densities of a block of float64 draws, ``(rows, batch)``; for `log_prob`.
    log_density: Callable[[FloatArray], FloatArray] | None
    #: The density as a product over numbers; None where it is none, or a parameter is traced.
    numbers: Numbers | None
    #: True if draws and log density run no Python code of a user's, so that threads may share them.
    compiled: bool


#: The methods that `Blockwise` stands for: a subclass that overrides one revokes what it had inherited.
STOOD_FOR = frozenset(
    {"sample", "noise", "log_prob", "_draw", "_fill", "_noise", "_log_prob", "_log_prob_block", "_density"}
)
