"""A node that is drawn, and a node that is observed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._typing import RNGLike
from mcvi.stochastic._estimators.score_function import score_function
from mcvi.stochastic._graph.draws import drawn, has_transport, leading_draws, node_key, recorded, values_of_parameters
from mcvi.stochastic._graph.nodes import BaseStochasticTensor
from mcvi.stochastic._graph.trace import (
    DependencyNode,
    derivative_levels,
    graph_nodes,
    nearest_draws,
    outermost_level,
    parameter_boxes,
    without_graph,
)
from mcvi.stochastic._graph.value_types import MeanValue, SampleValue, ValueType, set_value_type

__all__ = ["ObservedStochasticTensor", "StochasticTensor"]


class StochasticTensor(BaseStochasticTensor):
    """A random node: draws from a distribution, with the estimator of the gradient in the distribution's parameters.

    It behaves as the array of its draws. Losses computed from it are handed to `surrogate_loss`.

    Parameters
    ----------
    dist : distribution
        Its parameters may depend on other nodes and on what `autograd` differentiates.
    dist_value_type : SampleValue or MeanValue, optional
        What the node holds; by default what `value_type` set, else one draw without an axis of draws. Inside
        `value_and_grad` a node without random ancestors takes its n draws.
    loss_fn : callable or None
        The estimator where the draws carry no derivative: ``loss_fn(node, value, loss)`` gives the term of a surrogate
        loss.
    value : array, optional
        Recorded draws ``(*draws, *batch_shape, *event_shape)`` instead of new ones. If `autograd` traces them (noise
        put through a transport), their derivative is the pathwise one.
    pathwise : bool, optional
        Whether derivatives flow through the draws. By default what is best for the family: yes for transports of noise
        (location-scale families, Uniform, Exponential), no for the others.
    rng : optional
        Where the randomness comes from (SPEC 7). Two nodes with the same int share their draws. Inside `value_and_grad`
        it is not used: there the address of the draws is the key of the run and the order in which nodes are created.
    name : str, optional
        Used in errors and pictures.

    Raises
    ------
    TypeError
        `dist` is no distribution; `loss_fn` is neither None nor callable.
    ValueError
        `pathwise=True` for a family without a pathwise derivative, or with recorded draws that carry none; recorded
        draws of a wrong shape.

    References
    ----------
    Schulman, Heess, Weber, Abbeel (2015), Gradient estimation using stochastic computation graphs, NeurIPS.

    Examples
    --------
    >>> from autograd import grad
    >>> from autograd import numpy as anp
    >>> from mcvi.distributions import Normal
    >>> from mcvi.stochastic import SampleValue, StochasticTensor, surrogate_loss
    >>> def objective(loc):
    ...     z = StochasticTensor(Normal(loc, 1.0), SampleValue(100_000), pathwise=False, rng=0)
    ...     return anp.mean(surrogate_loss([(z - 3.0) ** 2]))
    >>> bool(abs(grad(objective)(1.0) - 2 * (1.0 - 3.0)) < 0.2)
    True
    """

    def __init__(
        self,
        dist: Any,
        dist_value_type: ValueType | None = None,
        loss_fn: Callable[..., Any] | None = score_function,
        *,
        value: Any = None,
        pathwise: bool | None = None,
        rng: RNGLike = None,
        name: str | None = None,
    ) -> None:
        self.name = name if name is not None else f"StochasticTensor({type(dist).__name__})"
        _checks.distribution(dist, f"{self.name}: dist")
        if loss_fn is not None and not callable(loss_fn):
            raise TypeError(f"{self.name}: loss_fn must be None or callable; got {type(loss_fn).__name__}.")
        if dist_value_type is not None and not isinstance(dist_value_type, ValueType):
            got = type(dist_value_type).__name__
            raise TypeError(f"{self.name}: dist_value_type must be a SampleValue or a MeanValue; got {got}.")
        self.distribution, self.loss_fn = dist, loss_fn
        boxes = list(parameter_boxes(dist))
        if is_traced(value):
            boxes.append(value)
        parents = _parents(boxes)
        above = [node.source.attributes for node in nearest_draws(parents)]
        sampled_above = any(attributes.get("_has_draws") for attributes in above)
        self.value_type = _chosen_value_type(dist_value_type, sampled_above)
        self.pathwise = self._chosen_pathwise(pathwise, value, boxes)
        self._has_draws = sampled_above or isinstance(self.value_type, SampleValue)
        needs_key = value is None and isinstance(self.value_type, SampleValue)
        held = self._held(value, node_key(rng) if needs_key else None, traced=bool(boxes))
        own_axes = np.ndim(value_of(held)) - len(dist.batch_shape) - len(dist.event_shape)
        self._draw_axes = own_axes + max((attributes.get("_draw_axes", 0) for attributes in above), default=0)
        self._enter(held, parents, outermost_level(boxes))

    def _chosen_pathwise(self, pathwise: bool | None, value: Any, boxes: list[Any]) -> bool:
        possible = has_transport(self.distribution)
        if pathwise and not possible and value is None:
            raise ValueError(
                f"{self.name}: {type(self.distribution).__name__} has no pathwise derivative; "
                "use pathwise=False with the score function or another estimator."
            )
        if value is None:
            by_default = getattr(
                self.distribution, "draws_by_transport", getattr(self.distribution, "pathwise", possible)
            )
            return bool(by_default if pathwise is None else pathwise)
        if derivative_levels(value):
            return True if pathwise is None else pathwise
        if pathwise and any(map(derivative_levels, boxes)):
            raise ValueError(
                f"{self.name}: pathwise=True needs a value that carries its derivative, such as dist.transport(noise); "
                "got plain numbers. Use pathwise=False for the score function."
            )
        return bool(pathwise)

    def _held(self, value: Any, key: Any, *, traced: bool) -> Any:
        """Return what the node holds: with its derivative if it has one and keeps it, else plain numbers."""
        kept = not self.value_type.stop_gradient
        if value is not None:
            held = recorded(value, self.distribution, self.name)
        elif isinstance(self.value_type, MeanValue):
            return without_graph(self.distribution.mean()) if kept else value_of(self.distribution.mean())
        else:
            shape = self.value_type.shape  # type: ignore[attr-defined]
            held = drawn(self.distribution, shape, key, carry_derivative=traced and kept and self.pathwise)
        return without_graph(held) if kept and self.pathwise else _numbers(held)

    @property
    def wants_score(self) -> bool:
        """True if the gradient needs a score term: no derivative passes through the value of the node."""
        sampled = isinstance(self.value_type, SampleValue)
        return self.value_type.stop_gradient or (sampled and not self.pathwise)

    @property
    def stops_parameters(self) -> bool:
        """True if `log_prob` takes the parameters of the distribution as constants."""
        return self.pathwise and getattr(self.loss_fn, "stops_parameters", False)

    @property
    def draw_axes(self) -> int:
        """The number of leading axes that are draws: the node's own, and those of the nodes upstream of it."""
        return self._draw_axes

    def log_prob(self) -> Any:
        """Return ``distribution.log_prob`` of what the node holds.

        At a node with the estimator `sticking_the_landing` the parameters count as constants.
        """
        # What the density depends on upstream is met through the value at which it is taken.
        q = values_of_parameters(self.distribution) if self.stops_parameters else self.distribution
        return q.log_prob(self.value())

    def loss(self, sample_loss: Any) -> Any:
        """Return the term that this node adds to a surrogate loss in the form ``tf1``, or None if it needs none."""
        if self.loss_fn is None or not self.wants_score:
            return None
        term = self.loss_fn(self, value_of(self), sample_loss)
        if term is None:
            raise TypeError(f"{self.name}: loss_fn must return an array, log_prob times a weight; it returned None.")
        return term


class ObservedStochasticTensor(BaseStochasticTensor):
    """A node whose value was observed: data with a distribution.

    The value has no ancestors; losses made of it depend on the node, which adds no term. `mcvi.vi.elbo` treats it as
    data.

    Parameters
    ----------
    dist : distribution
    value : array ``(*more, *batch_shape, *event_shape)``
        What was observed, untraced, of the kind of number that the family draws.
    name : str, optional

    Raises
    ------
    TypeError
        `dist` is no distribution.
    ValueError
        The value's rank, shape or type does not fit.
    """

    loss_fn = None
    wants_score = False
    pathwise = False
    _has_draws = False

    def __init__(self, dist: Any, value: Any, *, name: str | None = None) -> None:
        self.name = name if name is not None else f"ObservedStochasticTensor({type(dist).__name__})"
        _checks.distribution(dist, f"{self.name}: dist")
        held = np.asarray(value_of(recorded(value, dist, self.name)))
        if getattr(dist, "discrete", False) and np.any(held != np.floor(held)):
            raise ValueError(f"{self.name}: the type of value must be whole numbers for {type(dist).__name__}.")
        self.distribution = dist
        self.value_type = SampleValue(stop_gradient=True)
        self._enter(_numbers(held), (), outermost_level(parameter_boxes(dist)))

    def loss(self, sample_loss: Any) -> None:
        """Return None: an observation adds no term."""
        return

    def log_prob(self) -> Any:
        """Return the log likelihood of the observation."""
        return self.distribution.log_prob(value_of(self))


def _numbers(held: Any) -> Any:
    array = np.asarray(value_of(held))
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _parents(boxes: list[Any]) -> tuple[DependencyNode, ...]:
    return tuple(dict.fromkeys(node for box in boxes for node in graph_nodes(box)))


def _chosen_value_type(given: ValueType | None, sampled_above: bool) -> ValueType:
    if given is not None:
        return given
    draws = leading_draws()
    return set_value_type() or (SampleValue() if draws is None or sampled_above else SampleValue(draws))
