"""A value with a derivative that is not its own."""

from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums, primitive

from mcvi._trace import value_of
from mcvi.stochastic._axes import spread
from mcvi.stochastic._graph import derivative_levels
from mcvi.stochastic._terms import Term

__all__ = ["attached"]


def attached(total: Any, terms: list[Term]) -> Any:
    """Return `total`, whose derivative has that of ``sum(log_prob * weight)`` added; its value stays, bit for bit."""
    levels = derivative_levels(total).union(*(derivative_levels(term.log_prob) for term in terms))
    if len(levels) > 1:
        node = terms[0].node
        raise NotImplementedError(
            f"{node.name}: no second derivatives of a surrogate loss with the estimator {node.loss_fn!r}."
        )
    return _attach(total, *(term.log_prob for term in terms), weights=[term.weight for term in terms])


@primitive
def _attach(total: Any, *log_probs: Any, weights: list[Any]) -> Any:
    return total


def _pull_back(argnums: Any, answer: Any, args: Any, kwargs: Any) -> Any:
    shapes = [np.shape(value_of(argument)) for argument in args]
    weights = kwargs["weights"]

    def vjp(g: Any) -> Any:
        for argnum in argnums:
            if argnum == 0 or weights[argnum - 1] is None:
                yield g
            else:
                yield spread(np.broadcast_to(weights[argnum - 1] * g, shapes[0]), shapes[argnum])

    return vjp


defvjp_argnums(_attach, _pull_back)
