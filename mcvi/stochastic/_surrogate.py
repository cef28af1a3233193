"""The surrogate loss: a number whose derivative is an unbiased gradient of the expected losses."""

from collections.abc import Iterable
from functools import reduce
from operator import add
from typing import Any

from mcvi.stochastic._attach import attached
from mcvi.stochastic._graph.nodes import BaseStochasticTensor
from mcvi.stochastic._magic_box import magic_box, needs_higher_derivatives
from mcvi.stochastic._terms import MissingGradientWarning, collected

__all__ = ["MissingGradientWarning", "surrogate_loss"]

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
    found = collected(sample_losses, stochastic_tensors)
    if form == "tf1":
        return reduce(add, found.arrays(), found.total)
    if needs_higher_derivatives(found):
        return magic_box(found)
    terms = found.terms()
    surrogate = attached(found.total, terms) if terms else found.total
    found.observe()
    return surrogate
