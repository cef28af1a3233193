"""A value with a derivative that is not its own."""

from typing import Any

from autograd.extend import defvjp_argnums, primitive

from mcvi.stochastic._graph.trace import derivative_levels
from mcvi.stochastic._terms import Term, estimator_of

__all__ = ["attached"]


def attached(total: Any, terms: list[Term]) -> Any:
    """Return `total`, whose derivative has that of the weighted score terms added; its value stays, bit for bit."""
    inputs = [held for term in terms for held in term.inputs.values()]
    levels = derivative_levels(total).union(*map(derivative_levels, inputs))
    if len(levels) > 1:
        node = terms[0].node
        raise NotImplementedError(
            f"{node.name}: no second derivatives of a surrogate loss with the estimator {estimator_of(node)!r}."
        )
    return _attach(total, *inputs, terms=terms)


@primitive
def _attach(total: Any, *inputs: Any, terms: list[Term]) -> Any:
    return total


def _pull_back(argnums: Any, answer: Any, args: Any, kwargs: Any) -> Any:
    def vjp(g: Any) -> Any:
        parts = [g]
        for term in kwargs["terms"]:
            pulled = term.pull_back(g)
            parts.extend(pulled[name] for name in term.inputs)
        return [parts[argnum] for argnum in argnums]

    return vjp


defvjp_argnums(_attach, _pull_back)
