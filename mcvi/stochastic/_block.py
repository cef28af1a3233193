"""The losses of a block of draws on a tape, and the gradient of their sum: in all, by groups of draws, by each draw."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from math import prod
from operator import add
from typing import Any, Self

import numpy as np

from mcvi._autograd import unbroadcast, value_of
from mcvi._typing import FloatArray
from mcvi.accumulate import Moments, WeightedMoments
from mcvi.distributions import Distribution
from mcvi.random import Key
from mcvi.stochastic._axes import spread
from mcvi.stochastic._graph.draws import drawing_block
from mcvi.stochastic._surrogate import attached
from mcvi.stochastic._tape import Tape
from mcvi.stochastic._terms import Collected, Term, collected

__all__ = ["Block", "Gradient"]

# Numbers in the scores of so many draws as are computed at a time: they stay in the second-level cache.
_TILE = 2**17


@dataclass(frozen=True)
class Gradient:
    r"""The gradient in one parameter, from some draws.

    Parameters
    ----------
    moments : WeightedMoments
        Of the gradients of single draws, or of groups of draws weighted by their sizes.
    floor : array
        A lower bound of the variance of their sum: the second-order part where draws are compared in pairs, else 0.
    """

    moments: WeightedMoments
    floor: Any

    def __add__(self, other: Self) -> "Gradient":
        return Gradient(self.moments + other.moments, self.floor + other.floor)


class Block:
    """The losses of some draws, their score terms, and the tape that they were made on.

    Parameters
    ----------
    loss_fn, arrays, restore
        The user's function, the arrays of its parameters, and how they are put in their places.
    key, n
        The address of the draws, and how many.
    """

    def __init__(self, loss_fn: Callable[[Any], Any], arrays: list[Any], restore: Any, key: Key, n: int) -> None:
        with Tape.over(arrays) as tape, drawing_block(key, n) as drawn:
            found = _collected(loss_fn(restore(tape.boxes)), n)
            if found.levels() - {tape.level}:
                raise NotImplementedError(
                    "value_and_grad: loss_fn uses values that a derivative around it traces, and that derivative would "
                    "be lost: differentiate a surrogate_loss with autograd, or pass stop_gradient of the values."
                )
        self.found, self.tape, self.arrays, self.n, self.elements = found, tape, arrays, n, drawn.elements
        self.losses = np.asarray(value_of(found.total), np.float64).reshape(n, -1).sum(axis=1)

    @cached_property
    def terms(self) -> list[Term]:
        """The score terms: the estimators are called when these are asked for."""
        return self.found.terms()

    def total(self) -> list[Any]:
        """Return the gradient of the sum over the draws in each parameter."""
        return self.tape.pull_back(self._surrogate(self.terms), np.ones(self.found.shape))

    def _surrogate(self, terms: list[Term], total: Any = None) -> Any:
        total = self.found.total if total is None else total
        return attached(total, terms) if terms else total

    def gradients(self, groups: int) -> list[Gradient]:
        """Return the gradient in each parameter: from each draw where that is known, else from groups of draws."""
        if any(term.of_losses for term in self.terms):
            return self._leaving_out(groups)
        places = [_places(term, self.tape, len(self.arrays)) for term in self.terms]
        grouped = self.tape.reaches([self.found.total])
        for term, known in zip(self.terms, places, strict=True):
            grouped |= self.tape.reaches(list(term.inputs.values())) - set(known.values())
        by_group = self._by_group(groups) if grouped else []
        return [
            by_group[index] if index in grouped else self._by_draw(index, places) for index in range(len(self.arrays))
        ]

    def _by_draw(self, index: int, places: list[dict[str, int]]) -> Gradient:
        """Return the gradient in a parameter that stands in distributions as it is: scores times advantages."""
        shape, columns = self.arrays[index].shape, prod(self.arrays[index].shape)
        parts = [
            _Part(term, name, shape)
            for term, known in zip(self.terms, places, strict=True)
            for name, place in known.items()
            if place == index
        ]
        if not parts:
            return Gradient(_of_equal_weights(Moments(self.n, np.zeros((3, columns)))), np.zeros(columns))
        moments, squares = [], np.zeros(columns)
        for rows in self._tiles(parts):
            first, second = zip(*(part.of(rows) for part in parts), strict=True)
            moments.append(Moments.of(reduce(add, first).reshape(-1, columns)))
            squares += np.sum(np.square(reduce(add, second).reshape(-1, columns)), axis=0)
        return Gradient(_of_equal_weights(reduce(add, moments)), self._floor(squares))

    def _tiles(self, parts: list["_Part"]) -> list[slice]:
        numbers = max(prod(part.term.shape[1:]) for part in parts)
        step = max(1, _TILE // max(1, numbers)) if all(part.term.draws_in_front for part in parts) else self.n
        return [slice(first, min(first + step, self.n)) for first in range(0, self.n, step)]

    def _by_group(self, groups: int) -> list[Gradient]:
        """Return the gradient in every parameter by pulling back ones at the draws of each group, zeros elsewhere."""
        second = [term for term in map(Term.second_order, self.terms) if term is not None]
        ends = np.linspace(0, self.n, groups + 1).astype(int)
        columns = [array.size for array in self.arrays]
        means = [np.empty((groups, size)) for size in columns]
        squares = [np.zeros(size) for size in columns]
        surrogate = self._surrogate(self.terms)
        of_second = self._surrogate(second, np.zeros(self.found.shape))
        for group in range(groups):
            ones = np.zeros(self.found.shape)
            ones[ends[group] : ends[group + 1]] = 1.0
            for index, pulled in enumerate(self.tape.pull_back(surrogate, ones)):
                means[index][group] = pulled.reshape(-1) / (ends[group + 1] - ends[group])
            for index, pulled in enumerate(self.tape.pull_back(of_second, ones) if second else []):
                squares[index] += np.square(pulled.reshape(-1))
        log_sizes = np.log(np.diff(ends))[:, None]
        return [
            Gradient(WeightedMoments.of(np.repeat(log_sizes, size, axis=1), mean), self._floor(square))
            for size, mean, square in zip(columns, means, squares, strict=True)
        ]

    def _leaving_out(self, groups: int) -> list[Gradient]:
        """Return the gradient in every parameter, with the pseudo-values of the jackknife about it.

        Groups of equal size are left out; a remainder of draws stays in each time.
        """
        size = self.n // groups
        total = self.total()
        if self.n - size < 2:
            groups = 1
        values = [np.tile(each.reshape(-1) / self.n, (groups, 1)) for each in total]
        if groups > 1:
            # A pseudo-value varies as the mean of `size` draws does, and stands here for that of n / groups.
            scale = (self.n - size) / size * np.sqrt(size * groups / self.n)
            for index, left in enumerate(self._left(groups, size)):
                values[index] += scale * (left.mean(axis=0) - left)
        log_size = np.log(self.n / groups)
        return [
            Gradient(WeightedMoments.of(np.full(value.shape, log_size), value), np.zeros(value.shape[1]))
            for value in values
        ]

    def _left(self, groups: int, size: int) -> list[FloatArray]:
        """Return the gradient in each parameter without each of the groups, ``(groups, numbers)``."""
        left = [np.empty((groups, array.size)) for array in self.arrays]
        for group in range(groups):
            rows = slice(group * size, (group + 1) * size)
            ones = np.ones(self.found.shape)
            ones[rows] = 0.0
            surrogate = self._surrogate([term.without(rows) for term in self.terms])
            for index, pulled in enumerate(self.tape.pull_back(surrogate, ones)):
                left[index][group] = pulled.reshape(-1) / (self.n - size)
        return left

    def _floor(self, squares: FloatArray) -> FloatArray:
        return 2.0 * squares / max(self.n - 1, 1)


def _collected(losses: Any, n: int) -> Collected:
    losses = list(losses) if isinstance(losses, (list, tuple)) else [losses]
    for loss in losses:
        if np.ndim(value_of(loss)) == 0 and isinstance(value_of(loss), (float, int, np.ndarray, np.generic)):
            raise ValueError(
                "loss_fn must return the loss of every draw, (n, ...); got a scalar. value_and_grad takes the mean."
            )
    found = collected(losses)
    if found.shape[0] != n:
        raise ValueError(
            f"loss_fn must return losses with the {n} draws on the first axis; got shape {found.shape}. "
            "Nodes inside value_and_grad take their draws by themselves: leave out SampleValue."
        )
    return found


def _of_equal_weights(moments: Moments) -> WeightedMoments:
    mean, squares, _ = moments.state
    zero, one = np.zeros_like(mean), np.full_like(mean, moments.n)
    return WeightedMoments(moments.n, np.array([zero, one, one, mean, zero, squares]))


def _places(term: Term, tape: Tape, arrays: int) -> dict[str, int]:
    """Return which parameters of the node's distribution are arrays of the caller, where the family knows its score."""
    family = term.node.distribution
    if term.advantage is None or not (isinstance(family, Distribution) and family.differentiates_by("score")):
        return {}
    return {
        name: index
        for name, value in family.parameters.items()
        for index in range(arrays)
        if tape.is_root(value, index)
    }


class _Part:
    """The part that one distribution has in the gradient of a parameter which stands in it as it is."""

    def __init__(self, term: Term, name: str, shape: tuple[int, ...]) -> None:
        self.term, self.name, self.shape = term, name, shape
        self.family, self.value = term.node.distribution.untraced, value_of(term.node)
        second = term.second_order()
        self.advantages = [np.asarray(each.advantage) for each in (term, second) if each is not None]

    def of(self, rows: slice) -> tuple[Any, Any]:
        """Return the score times the advantage of some draws, and times that of second order, ``(rows, *shape)``."""
        value = self.value[rows] if self.term.draws_in_front else self.value
        score = np.asarray(self.family.score(value)[self.name])
        products = [self._product(score, advantage[rows]) for advantage in self.advantages]
        return products[0], products[1] if len(products) > 1 else 0.0 * products[0][:1]

    def _product(self, score: Any, advantage: Any) -> Any:
        advantage = spread(advantage, (len(advantage), *self.term.shape[1:]))
        advantage = advantage.reshape(advantage.shape + (1,) * (score.ndim - advantage.ndim))
        return unbroadcast(score * advantage, self.shape, leading=1)
