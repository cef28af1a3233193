"""The surrogate loss: a number whose derivative is an unbiased gradient of the expected losses."""

import warnings
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums, primitive

from mcvi._trace import value_of
from mcvi.stochastic._axes import extra_axes, spread, summed_to
from mcvi.stochastic._dependencies import downstream, indices_of
from mcvi.stochastic._graph import derivative_levels, parameter_boxes, without_graph
from mcvi.stochastic._losses import checked_losses
from mcvi.stochastic._nodes import BaseStochasticTensor
from mcvi.stochastic._score_function import ScoreEstimator

__all__ = ["MissingGradientWarning", "surrogate_loss"]

FORMS = ("value_preserving", "tf1")


class MissingGradientWarning(UserWarning):
    """A loss depends on a node whose gradient the surrogate loss leaves out, or on no node."""


def surrogate_loss(
    sample_losses: list[Any] | tuple[Any, ...],
    stochastic_tensors: Iterable[BaseStochasticTensor] | None = None,
    *,
    form: str = "value_preserving",
) -> Any:
    r"""Return the sum of the losses, with a derivative that is an unbiased gradient of its expectation.

    .. math:: \nabla E\Big[\sum_l f_l\Big] = E\Big[\sum_l \nabla f_l
              + \sum_v A_v\Big(\sum_{l \succ v} f_l\Big)\, \nabla \log p_v(z_v)\Big]

    where v runs over the stochastic nodes whose draws carry no derivative, :math:`l \succ v` over the losses downstream
    of v, and :math:`A_v` is the node's estimator (for the score function, the sum itself).

    Parameters
    ----------
    sample_losses : list of arrays
        Of one shape, draws in front, made with `autograd.numpy` from stochastic nodes. Each listing of a loss counts.
    stochastic_tensors : iterable of nodes, optional
        Only these get a term. By default every node upstream. A node that is left out is warned of.
    form : {"value_preserving", "tf1"}
        With the first the value *is* the sum of the losses. With the second it is the array of
        ``tf.contrib.bayesflow``: the losses plus each node's ``log_prob * advantage``. Their derivatives are equal.

    Returns
    -------
    array
        Shaped like a loss; take its mean or sum and differentiate. What autograd traces outside a derivative: a plain
        array.

    Raises
    ------
    TypeError, ValueError
        Losses that are not arrays of one shape with at least one axis; a log probability whose axes do not align with
        those of the loss (from the left; axes that the loss lacks are summed).
    NotImplementedError
        A second derivative is taken and an estimator does not provide it (the plain score function does).

    Warns
    -----
    MissingGradientWarning
        The losses depend on no node; a node is left out of `stochastic_tensors`; a node has ``loss_fn=None`` and no
        pathwise derivative.

    References
    ----------
    Schulman et al. (2015), Gradient estimation using stochastic computation graphs; Foerster et al. (2018), DiCE: the
    infinitely differentiable Monte Carlo estimator.

    Examples
    --------
    >>> from mcvi.distributions import Normal
    >>> from mcvi.stochastic import SampleValue, StochasticTensor, surrogate_loss
    >>> import numpy as np
    >>> z = StochasticTensor(Normal(0.0, 1.0), SampleValue(3), value=np.array([1.0, 2.0, 3.0]))
    >>> surrogate_loss([z**2])
    array([1., 4., 9.])
    """
    if form not in FORMS:
        raise ValueError(f"form must be 'value_preserving' or 'tf1'; got {form!r}.")
    losses = checked_losses(sample_losses)
    fed = downstream(losses)
    losses = [without_graph(loss) for loss in losses]
    total = reduce(add, losses)
    if not fed:
        _warn("the losses depend on no stochastic node: the surrogate loss is their sum.")
        return total
    nodes = [(node, bits) for node, bits in _asked_for(fed, stochastic_tensors).items() if _has_term(node)]
    sums = _downstream_losses([np.asarray(value_of(loss)) for loss in losses], nodes)
    if form == "tf1":
        terms = [without_graph(node.loss(sums[bits])) for node, bits in nodes]
        return reduce(add, terms, total)
    nodes = [(node, bits) for node, bits in nodes if any(map(derivative_levels, parameter_boxes(node.distribution)))]
    return _value_preserving(total, losses, nodes, sums) if nodes else total


def _warn(message: str) -> None:
    warnings.warn(message, MissingGradientWarning, stacklevel=3)


def _asked_for(
    fed: dict[BaseStochasticTensor, int], asked: Iterable[BaseStochasticTensor] | None
) -> dict[BaseStochasticTensor, int]:
    asked = list(asked) if asked is not None else []
    if not asked:
        return fed
    wanted = {id(node) for node in asked}
    for node in fed:
        if id(node) not in wanted and getattr(node, "wants_score", False):
            _warn(
                f"{node.name} is upstream of a loss but not in stochastic_tensors: "
                "its part of the gradient is left out."
            )
    return {node: bits for node, bits in fed.items() if id(node) in wanted}


def _has_term(node: Any) -> bool:
    """Tell whether a node needs a score term; a node that needs one and has no estimator is warned of."""
    if not getattr(node, "wants_score", True):
        return False
    if getattr(node, "loss_fn", True) is not None:
        return True
    if not node.value_type.stop_gradient:
        _warn(f"{node.name} has loss_fn=None and no pathwise derivative: its part of the gradient is left out.")
    return False


def _downstream_losses(losses: list[Any], nodes: list[tuple[Any, int]]) -> dict[int, Any]:
    """Return the sum of the losses for every set of losses that some node feeds.

    A set that holds the one before it only adds the difference: linear in the length of a chain.
    """
    sums: dict[int, Any] = {}
    last, total = 0, None
    for bits in sorted({bits for _, bits in nodes}, key=int.bit_count):
        if total is None or last & bits != last:
            last, total = 0, 0.0
        total = reduce(add, (losses[index] for index in indices_of(bits & ~last)), total)
        sums[bits], last = total, bits
    return sums


def _value_preserving(total: Any, losses: list[Any], nodes: list[tuple[Any, int]], sums: dict[int, Any]) -> Any:
    """Attach the score terms to the sum of the losses without changing its value."""
    terms: list[Any] = []
    weights: list[Any] = []
    observers: list[Any] = []
    shape = np.shape(value_of(total))
    for node, bits in nodes:
        estimator = node.loss_fn
        if isinstance(estimator, ScoreEstimator):
            term = without_graph(node.distribution.log_prob(value_of(node)))
            advantage = np.asarray(value_of(estimator.advantage(node, sums[bits])))
            term_shape = np.shape(value_of(term))
            extra_axes(term_shape, shape, node.name)
            weights.append(advantage)
            if estimator.observe is not None:
                observers.append((estimator.observe, node, sums[bits]))
        else:  # a caller's own: the term itself
            term = summed_to(without_graph(node.loss(sums[bits])), shape, node.name)
            weights.append(None)
        terms.append(term)
    _one_level(total, terms, [node for node, _ in nodes])
    for observe, node, loss in observers:
        observe(node, loss)
    return _attach(total, *terms, weights=weights)


def _one_level(total: Any, terms: list[Any], nodes: list[Any]) -> None:
    levels = derivative_levels(total).union(*map(derivative_levels, terms))
    if len(levels) > 1:
        raise NotImplementedError(
            "second derivatives of a surrogate loss are not available with the estimator of "
            f"{nodes[0].name} ({nodes[0].loss_fn!r})."
        )


@primitive
def _attach(total: Any, *terms: Any, weights: list[Any]) -> Any:
    """Return `total` itself; its derivative has that of ``sum of terms * weights`` with it."""
    return total


def _attached(argnums: Any, answer: Any, args: Any, kwargs: Any) -> Any:
    shapes = [np.shape(value_of(argument)) for argument in args]
    weights = kwargs["weights"]

    def pull_back(g: Any) -> Any:
        for argnum in argnums:
            if argnum == 0 or weights[argnum - 1] is None:
                yield g
            else:
                yield spread(np.broadcast_to(weights[argnum - 1] * g, shapes[0]), shapes[argnum])

    return pull_back


defvjp_argnums(_attach, _attached)
