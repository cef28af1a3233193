"""What each draw contributes to the gradient in a parameter that stands in a distribution as it is."""

from typing import Any

import numpy as np

from mcvi._autograd import value_of
from mcvi.distributions import Distribution
from mcvi.stochastic._axes import spread
from mcvi.stochastic._tape import Tape
from mcvi.stochastic._terms import Term

__all__ = ["contribution", "places"]


def places(term: Term, tape: Tape, arrays: int) -> dict[str, int]:
    """Return which parameters of the node's distribution are arrays of the caller, where the family knows its score."""
    family = term.node.distribution
    if term.weight is None or not isinstance(family, Distribution) or type(family).score is Distribution.score:
        return {}
    return {
        name: index
        for name, value in family.parameters.items()
        for index in range(arrays)
        if tape.is_root(value, index)
    }


def contribution(term: Term, name: str, loss_shape: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """Return the score in the parameter `name` times the weight of each draw, ``(n, *shape)``."""
    score = np.asarray(term.node.distribution.untraced.score(value_of(term.node))[name])
    weight = spread(np.broadcast_to(term.weight, loss_shape), term.shape)
    product = score * weight.reshape(weight.shape + (1,) * (score.ndim - weight.ndim))
    # the axes along which the parameter was broadcast, behind the draws
    extra = product.ndim - 1 - len(shape)
    product = product.sum(axis=tuple(range(1, 1 + extra))) if extra else product
    stretched = tuple(1 + i for i, size in enumerate(shape) if size == 1 and product.shape[1 + i] != 1)
    return product.sum(axis=stretched, keepdims=True) if stretched else product
