"""The recorded cases of the ancestor, asked of mcvi.

`run_case` takes a case (``name``, ``op``, ``inputs``, ``dtype``) of a golden file and returns mcvi's answer written as
the case's ``expected`` is; what mcvi raises comes through. It knows no expected value and no case by name. What only
the ancestor's signatures had (``axis``, ``keep_dims``, ``noise``) is translated here.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import isbox

import mcvi
from mcvi.estimate import NonFiniteWarning, ZeroWeightWarning
from tests.expressions import untraced
from tests.golden_format import Scope, distribution, encoded, function, gradients, of_draws, parameters
from tests.golden_graphs import GRAPH_OPERATIONS


def draws(inputs: dict[str, Any], q: Any, scope: Scope) -> dict[str, Any]:
    """Read the draws of a case: how many, or which, or the noise that they are made from."""
    given: dict[str, Any] = {}
    if inputs.get("n") is not None:
        given["n"] = inputs["n"]
    if inputs.get("z") is not None:
        given["z"] = scope.array(inputs["z"])
    if inputs.get("noise") is not None:
        given["z"] = q.transport(scope.array(inputs["noise"]))
    return given


def form(inputs: dict[str, Any]) -> dict[str, Any]:
    return {} if inputs.get("form") is None else {"form": inputs["form"]}


def statistic(inputs: dict[str, Any], scope: Scope, name: str) -> Any:
    method = getattr(distribution(inputs, scope), name)
    return method(scope.array(inputs["value"])) if "value" in inputs else method()


def kl_divergence(inputs: dict[str, Any], scope: Scope) -> Any:
    return mcvi.kl_divergence(distribution(inputs["a"], scope), distribution(inputs["b"], scope))


def entropy_shannon(inputs: dict[str, Any], scope: Scope) -> Any:
    p = distribution(inputs.get("p", inputs.get("q")), scope)
    return mcvi.entropy_shannon(p, **draws(inputs, p, scope), **form(inputs))


def elbo_ratio(inputs: dict[str, Any], scope: Scope) -> Any:
    q = distribution(inputs["q"], scope)
    return mcvi.elbo_ratio(of_draws(inputs["log_p"], q, scope), q, **draws(inputs, q, scope), **form(inputs))


def renyi_ratio(inputs: dict[str, Any], scope: Scope) -> Any:
    q = distribution(inputs["q"], scope)
    alpha = scope.value(inputs["alpha"])
    return mcvi.renyi_ratio(of_draws(inputs["log_p"], q, scope), q, alpha, **draws(inputs, q, scope))


def renyi_alpha(inputs: dict[str, Any], scope: Scope) -> Any:
    bounds = {name: scope.array(inputs[name]) for name in ("alpha_min", "alpha_max") if name in inputs}
    return mcvi.renyi_alpha(inputs["step"], inputs["decay_time"], **bounds)


def importance_sampler(estimator: str, argument: str) -> Callable[[dict[str, Any], Scope], Any]:
    def estimate(inputs: dict[str, Any], scope: Scope) -> Any:
        q = distribution(inputs.get("sampling_dist_q", inputs.get("q")), scope)
        f, log_p = of_draws(inputs[argument], q, scope), of_draws(inputs["log_p"], q, scope)
        return getattr(mcvi, estimator)(f, log_p, q, **draws(inputs, q, scope))

    return estimate


@dataclass(frozen=True)
class Draws:
    """Draws that stand on their own, with the log density that the ancestor took beside them."""

    log_prob: Callable[[Any], Any]
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    def sample(self, n: int, *, rng: Any = None) -> Any:
        raise NotImplementedError("the draws are given")


def expectation(inputs: dict[str, Any], scope: Scope) -> Any:
    """Average over any axes: mcvi averages over the first, so one is moved there, and the others are averaged after."""
    f, log_prob = function(inputs["f"], scope), None
    if "q" in inputs:
        q = distribution(inputs["q"], scope)
        samples, log_prob = draws(inputs, q, scope)["z"], q.log_prob
    else:
        samples = scope.array(inputs["samples"])
        if inputs.get("log_prob") is not None:
            log_prob = function(inputs["log_prob"], scope)
    pathwise = inputs.get("use_reparametrization", True)
    if not pathwise and log_prob is None:
        raise ValueError("log_prob must be given when use_reparametrization is False.")

    rank = np.ndim(untraced(f(samples)))
    written = inputs.get("axis", 0)
    first, *others = sorted({axis % rank for axis in (range(rank) if written is None else np.atleast_1d(written))})

    def in_front(g: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda z: anp.moveaxis(g(anp.moveaxis(z, 0, first)), first, 0)

    z = anp.moveaxis(samples, first, 0)
    shape = np.shape(untraced(z))
    if pathwise:
        q = Draws(lambda z: np.zeros(len(z)), (), shape[1:])
    else:
        batch = np.shape(untraced(in_front(log_prob)(z)))[1:]
        q = Draws(in_front(log_prob), batch, shape[1 + len(batch) :])
    result = mcvi.expectation(in_front(f), q, z=z, gradient="pathwise" if pathwise else "score")
    result = result if isbox(result) else np.asarray(result)
    keep = bool(inputs.get("keep_dims"))
    result = anp.expand_dims(result, first) if keep else result
    return anp.mean(result, axis=tuple(axis - (not keep) for axis in others), keepdims=keep) if others else result


def differentiated(estimator: Callable[[dict[str, Any], Scope], Any]) -> Callable[[dict[str, Any], Scope], Any]:
    """The value of an operation, and the derivatives of its sum in the case's parameters."""

    def value_and_gradients(inputs: dict[str, Any], scope: Scope) -> Any:
        params = parameters(inputs, scope)
        value, grads = gradients(lambda params: estimator(inputs, scope.given(**params)), params)
        return {"value": value, "grads": grads}

    return value_and_gradients


ESTIMATORS: dict[str, Callable[[dict[str, Any], Scope], Any]] = {
    "kl_divergence": kl_divergence,
    "entropy_shannon": entropy_shannon,
    "elbo_ratio": elbo_ratio,
    "renyi_ratio": renyi_ratio,
    "expectation": expectation,
    "expectation_importance_sampler": importance_sampler("expectation_importance_sampler", "f"),
    "expectation_importance_sampler_logspace": importance_sampler("expectation_importance_sampler_logspace", "log_f"),
}
OPERATIONS: dict[str, Callable[..., Any]] = {
    "dist": statistic,  # dist.<method>
    "renyi_alpha": renyi_alpha,
    **ESTIMATORS,
    **{f"{name}_grad": differentiated(estimator) for name, estimator in ESTIMATORS.items()},
    **GRAPH_OPERATIONS,
}


def run_case(case: dict[str, Any]) -> Any:
    """Answer one case of a golden file; `LookupError` for an operation or a family that is not mcvi's."""
    name, _, detail = case["op"].partition(".")
    if name not in OPERATIONS:
        raise LookupError(f"{case['op']} is no operation of mcvi.")
    arguments = (detail,) if detail else ()
    with warnings.catch_warnings():
        # The files hold values only: weights that are all zero or not finite show in the value.
        warnings.simplefilter("ignore", NonFiniteWarning)
        warnings.simplefilter("ignore", ZeroWeightWarning)
        # From autograd, of a parameter that a case does not use.
        warnings.filterwarnings("ignore", "Output seems independent of input", UserWarning)
        return encoded(OPERATIONS[name](case["inputs"], Scope(np.dtype(case["dtype"])), *arguments))
