"""The recorded stochastic graphs of the ancestor, asked of mcvi: operations for the table of `tests.golden`.

Nodes are made in the order written. Recorded draws keep their inputs in the graph, as drawn ones do.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from autograd.core import VJPNode
from autograd.tracer import trace

from mcvi import stochastic, vi
from tests.expressions import FUNCTIONS, untraced
from tests.golden_format import Scope, distribution, gradients, parameters

# What keeps the dependency on a node where plain autograd loses it.
GRAPH_FUNCTIONS = {
    **FUNCTIONS,
    "stop": stochastic.stop_gradient,
    "gather": stochastic.take,
    "ones_like": lambda x: 0.0 * stochastic.stop_gradient(x) + 1.0,
    "zeros_like": lambda x: 0.0 * stochastic.stop_gradient(x),
}


def estimator(spec: dict[str, Any] | str, scope: Scope) -> Any:
    """Read a node's `loss_fn`."""
    spec = {"type": spec} if isinstance(spec, str) else spec

    def of_loss(_: Any, loss: Any) -> Any:
        return scope.given(loss=loss).value(spec["expr"])

    match spec["type"]:
        case "none":
            return None
        case "score_function":
            return stochastic.score_function
        case "constant_baseline":
            return stochastic.get_score_function_with_constant_baseline(scope.value(spec["baseline"]))
        case "baseline_fn":
            return stochastic.get_score_function_with_baseline(of_loss)
        case "advantage_fn":
            return stochastic.get_score_function_with_advantage(of_loss)
        case "vimco":
            return stochastic.get_score_function_with_advantage(
                stochastic.get_vimco_advantage_fn(spec["have_log_loss"])
            )
    raise ValueError(f"loss_fn of type {spec['type']!r}")


def value_type(spec: dict[str, Any] | None) -> Any:
    if spec is None:
        return None
    stop = spec.get("stop_gradient", False)
    if spec["type"] == "MeanValue":
        return stochastic.MeanValue(stop_gradient=stop)
    return stochastic.SampleValue(spec.get("shape", ()), stop_gradient=stop)


def node(spec: dict[str, Any], scope: Scope) -> Any:
    """Make a stochastic node: observed, from noise, from recorded draws, or the mean."""
    dist, name = distribution(spec, scope), spec["name"]
    if "observed" in spec:
        return stochastic.ObservedStochasticTensor(dist, scope.array(spec["observed"]), name=name)
    given: dict[str, Any] = {}
    if "noise" in spec:
        given = {"value": dist.transport(scope.array(spec["noise"])), "pathwise": spec.get("reparam")}
    elif "sample" in spec:
        given = {"value": scope.array(spec["sample"]), "pathwise": spec.get("reparam")}
    loss_fn = estimator(spec.get("loss_fn", "score_function"), scope)
    return stochastic.StochasticTensor(dist, value_type(spec.get("value_type")), loss_fn, name=name, rng=0, **given)


def graph(inputs: dict[str, Any], params: dict[str, Any], scope: Scope) -> tuple[dict[str, Any], Scope]:
    """Make the nodes of a case; also return the scope in which they have their names."""
    consts = {name: scope.value(value) for name, value in inputs.get("consts", {}).items()}
    scope = replace(scope, functions=GRAPH_FUNCTIONS).given(**consts, **params)
    nodes: dict[str, Any] = {}
    for spec in inputs["nodes"]:
        nodes[spec["name"]] = node(spec, scope)
        scope = scope.given(**{spec["name"]: nodes[spec["name"]]})
    return nodes, scope


def without_path(f: Callable[[Any], Any], params: dict[str, Any]) -> list[str]:
    """The parameters on which `f` does not depend differentiably."""

    def reached(name: str) -> bool:
        _, end = trace(VJPNode.new_root(), lambda value: f({**params, name: value}), params[name])
        return end is not None

    return [name for name in params if not reached(name)]


def surrogate_loss(inputs: dict[str, Any], scope: Scope) -> dict[str, Any]:
    params = parameters(inputs, scope)

    def losses_of(params: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        nodes, names = graph(inputs, params, scope)
        losses: list[Any] = []
        for written in inputs["losses"]:
            # "@i" is the very same array as loss i
            losses.append(losses[int(written[1:])] if written.startswith("@") else names.value(written))
        return nodes, losses

    def surrogate(params: dict[str, Any]) -> Any:
        nodes, losses = losses_of(params)
        asked = inputs.get("stochastic_tensors")
        return stochastic.surrogate_loss(losses, [nodes[name] for name in asked] if asked else None, form="tf1")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stochastic.MissingGradientWarning)
        nodes, losses = losses_of(params)
        fed = {node.name: indices for node, indices in stochastic.dependencies(losses).items()}
        value, grads = gradients(surrogate, params)
        unreached = without_path(surrogate, params)
    answer = {
        "surrogate": value,
        "losses": [np.asarray(untraced(loss)) for loss in losses],
        "grads": grads,
        "dependencies": {name: fed.get(name, []) for name in nodes},
    }
    return {**answer, "no_path": unreached} if unreached else answer


def mean_baseline_trace(inputs: dict[str, Any], scope: Scope) -> list[Any]:
    """The gradient at each step of a run with a running mean as baseline; the scale is one."""
    baseline = stochastic.get_mean_baseline(inputs["ema_decay"])
    loss_fn = stochastic.get_score_function_with_baseline(baseline)

    def step(sample: Any) -> Callable[[dict[str, Any]], Any]:
        def surrogate(params: dict[str, Any]) -> Any:
            dist = distribution({"dist": "Normal", "params": {"loc": "mu", "scale": 1.0}}, scope.given(**params))
            z = stochastic.StochasticTensor(dist, None, loss_fn, value=scope.array(sample), pathwise=False)
            loss = replace(scope, functions=GRAPH_FUNCTIONS).given(z=z).value(inputs["loss"])
            return stochastic.surrogate_loss([loss], form="tf1")

        return surrogate

    mu = {"mu": scope.array(inputs["mu"])}
    return [gradients(step(sample), mu)[1]["mu"] for sample in inputs["samples"]]


def stochastic_tensor_loss(inputs: dict[str, Any], scope: Scope) -> dict[str, bool]:
    """Tell if a node adds a term to a surrogate loss, and if a derivative passes through its value."""
    params = parameters(inputs, scope)

    def made(params: dict[str, Any]) -> Any:
        dist = distribution({**inputs, "params": {name: name for name in params}}, scope.given(**params))
        loss_fn = estimator(inputs["loss_fn"], scope)
        return stochastic.StochasticTensor(dist, value_type(inputs["value_type"]), loss_fn, rng=0)

    def value(params: dict[str, Any]) -> Any:
        return stochastic.without_graph(made(params).value())

    drawn = made(params)
    term = drawn.loss(np.ones(np.shape(untraced(drawn))))
    return {"has_loss_term": term is not None, "value_differentiable": len(without_path(value, params)) < len(params)}


def vimco_advantage(inputs: dict[str, Any], scope: Scope) -> Any:
    return stochastic.get_vimco_advantage_fn(inputs["have_log_loss"])(None, scope.array(inputs["loss"]))


def mean_baseline_sequence(inputs: dict[str, Any], scope: Scope) -> list[Any]:
    baseline = stochastic.get_mean_baseline(inputs["ema_decay"])
    return [baseline(None, scope.array(loss)) for loss in inputs["losses"]]


def evidence_bound(with_log_joint: bool) -> Callable[[dict[str, Any], Scope], dict[str, Any]]:
    def bound(inputs: dict[str, Any], scope: Scope) -> dict[str, Any]:
        options = {name: inputs[name] for name in ("form", "keep_batch_dim") if inputs.get(name) is not None}

        def elbo(params: dict[str, Any]) -> Any:
            nodes, names = graph(inputs, params, scope)
            if with_log_joint:
                log_joint = names.value(inputs.get("log_joint", inputs.get("log_likelihood")))
                return vi.elbo_with_log_joint(log_joint, **options)
            priors = {nodes[name]: distribution(spec, names) for name, spec in inputs.get("priors", {}).items()}
            # an empty dict handed over is no missing one: the bound is then the likelihood
            given = priors if priors or inputs.get("how") == "explicit" else None
            return vi.elbo(names.value(inputs["log_likelihood"]), given, **options)

        params = parameters(inputs, scope)
        value, grads = gradients(lambda params: stochastic.without_graph(elbo(params)), params)
        _, negative = gradients(lambda params: stochastic.surrogate_loss([-elbo(params)], form="tf1"), params)
        return {"elbo": value, "grads": grads, "surrogate_neg_grads": negative}

    return bound


GRAPH_OPERATIONS: dict[str, Callable[..., Any]] = {
    "surrogate_loss": surrogate_loss,
    "surrogate_loss_mean_baseline_trace": mean_baseline_trace,
    "stochastic_tensor_loss": stochastic_tensor_loss,
    "vimco_advantage": vimco_advantage,
    "mean_baseline_sequence": mean_baseline_sequence,
    "elbo": evidence_bound(with_log_joint=False),
    "elbo_with_log_joint": evidence_bound(with_log_joint=True),
}
