"""Stochastic nodes and the surrogate losses whose derivatives are unbiased gradients."""

from mcvi.stochastic._estimators.baselines import get_mean_baseline, get_regression_baseline
from mcvi.stochastic._estimators.score_function import (
    get_score_function_with_advantage,
    get_score_function_with_baseline,
    get_score_function_with_constant_baseline,
    leave_one_out,
    score_function,
)
from mcvi.stochastic._estimators.sticking_the_landing import sticking_the_landing
from mcvi.stochastic._estimators.vimco import get_vimco_advantage_fn
from mcvi.stochastic._foreign import with_gradient
from mcvi.stochastic._graph.dependencies import dependencies
from mcvi.stochastic._graph.nodes import BaseStochasticTensor
from mcvi.stochastic._graph.picture import GraphPicture, picture
from mcvi.stochastic._graph.stochastic_tensor import ObservedStochasticTensor, StochasticTensor
from mcvi.stochastic._graph.take import take
from mcvi.stochastic._graph.trace import stop_gradient, without_graph
from mcvi.stochastic._graph.value_types import (
    MeanValue,
    NoValueTypeSetError,
    SampleValue,
    get_current_value_type,
    value_type,
)
from mcvi.stochastic._surrogate import MissingGradientWarning, surrogate_loss
from mcvi.stochastic._value_and_grad import value_and_grad

__all__ = [
    "BaseStochasticTensor",
    "StochasticTensor",
    "ObservedStochasticTensor",
    "SampleValue",
    "MeanValue",
    "value_type",
    "get_current_value_type",
    "NoValueTypeSetError",
    "surrogate_loss",
    "MissingGradientWarning",
    "value_and_grad",
    "dependencies",
    "picture",
    "GraphPicture",
    "with_gradient",
    "stop_gradient",
    "without_graph",
    "take",
    "score_function",
    "get_score_function_with_baseline",
    "get_score_function_with_constant_baseline",
    "get_score_function_with_advantage",
    "get_mean_baseline",
    "get_regression_baseline",
    "get_vimco_advantage_fn",
    "leave_one_out",
    "sticking_the_landing",
]
