"""The surrogate loss: a number whose derivative is an unbiased gradient of the expected losses."""

import warnings
from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from autograd import numpy as anp
from autograd.extend import defvjp_argnums, primitive

from mcvi._autograd import value_of
from mcvi.stochastic._axes import summed_to
from mcvi.stochastic._estimators.score_function import ScoreEstimator
from mcvi.stochastic._graph.dependencies import indices_of
from mcvi.stochastic._graph.nodes import BaseStochasticTensor
from mcvi.stochastic._graph.trace import derivative_levels, without_graph
from mcvi.stochastic._terms import Collected, MissingGradientWarning, Term, collected, estimator_of

__all__ = ["MissingGradientWarning", "attached", "surrogate_loss"]

FORMS = ("value_preserving", "tf1")


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
        pathwise derivative; a loss depends on a pathwise node through jumps alone.

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
    found = collected(sample_losses, stochastic_tensors)
    for message in found.missing:
        warnings.warn(message, MissingGradientWarning, stacklevel=2)
    if form == "tf1":
        return reduce(add, found.arrays(), found.total)
    if _needs_higher_derivatives(found):
        return _magic_box(found)
    terms = found.terms()
    surrogate = attached(found.total, terms) if terms else found.total
    found.observe()
    return surrogate


def attached(total: Any, terms: list[Term]) -> Any:
    """Return `total`, bit for bit, with a derivative to which that of the score terms is added."""
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


def _needs_higher_derivatives(found: Collected) -> bool:
    """Tell whether more than one derivative is being taken, and every node has the plain score function.

    With another estimator the first-order surrogate is built, which refuses a second derivative.
    """
    estimators = [estimator_of(node) for node, _ in found.nodes]
    if not all(isinstance(estimator, ScoreEstimator) and estimator.plain for estimator in estimators):
        return False
    return bool(found.nodes) and len(found.levels()) > 1


def _magic_box(found: Collected) -> Any:
    r"""Return :math:`\sum_l f_l \exp(s_l - \bar s_l)`, where :math:`s_l` sums the log probabilities upstream of loss l.

    Its value is that of the losses, and its derivatives of every order have the expectations' derivatives for their
    expectations. Foerster et al. (2018), DiCE, ICML.
    """
    shape = np.shape(value_of(found.losses[0]))
    upstream: list[list[Any]] = [[] for _ in found.losses]
    for node, bits in found.nodes:
        log_prob = summed_to(without_graph(node.distribution.log_prob(value_of(node))), shape, node.name)
        for index in indices_of(bits):
            upstream[index].append(log_prob)
    return reduce(add, map(_boxed, found.losses, upstream))


def _boxed(loss: Any, log_probs: list[Any]) -> Any:
    if not log_probs:
        return loss
    log_prob = reduce(add, log_probs)
    held = value_of(log_prob)
    # -inf - (-inf) must not make nan of a value that is known
    return loss * anp.exp(anp.where(np.isfinite(held), log_prob - held, 0.0))
