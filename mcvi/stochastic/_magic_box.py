"""The infinitely differentiable surrogate: a loss times ``exp(s - stop(s))``, s the log probability upstream of it."""

from functools import reduce
from operator import add
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of
from mcvi.stochastic._axes import summed_to
from mcvi.stochastic._estimators.score_function import ScoreEstimator
from mcvi.stochastic._graph.dependencies import indices_of
from mcvi.stochastic._graph.trace import without_graph
from mcvi.stochastic._terms import Collected, estimator_of

__all__ = ["magic_box", "needs_higher_derivatives"]


def needs_higher_derivatives(found: Collected) -> bool:
    """Tell whether more than one derivative is being taken, and every node has the plain score function.

    With another estimator the first-order surrogate is built, which refuses a second derivative.
    """
    estimators = [estimator_of(node) for node, _ in found.nodes]
    if not all(isinstance(estimator, ScoreEstimator) and estimator.plain for estimator in estimators):
        return False
    return bool(found.nodes) and len(found.levels()) > 1


def magic_box(found: Collected) -> Any:
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
