"""The ancestor's recorded graphs in the form that keeps the value: the same gradients, and the losses themselves."""

import json
import lzma
import warnings
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.stochastic import MissingGradientWarning, surrogate_loss
from tests.expressions import untraced
from tests.golden_format import Scope, parameters
from tests.golden_graphs import graph

with lzma.open(Path(__file__).parents[1] / "data/bayesflow.json.xz", "rt") as file:
    CASES = [case for case in json.load(file) if case["op"] == "surrogate_loss" and "tf_quirk" not in case]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_both_forms_have_one_gradient_and_the_first_is_the_loss(case):
    inputs, scope = case["inputs"], Scope(np.dtype(case["dtype"]))
    params = parameters(inputs, scope)

    def surrogate(params, form):
        _, names = graph(inputs, params, scope)
        return surrogate_loss([names.value(written) for written in inputs["losses"]], form=form)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingGradientWarning)
        warnings.filterwarnings("ignore", "Output seems independent of input", UserWarning)
        value = surrogate(params, "value_preserving")
        ours, ancestor = (
            grad(lambda params, form=form: anp.sum(surrogate(params, form)))(params)
            for form in ("value_preserving", "tf1")
        )
    np.testing.assert_allclose(untraced(value), np.sum(case["expected"]["losses"], axis=0), rtol=1e-12)
    for name in params:
        np.testing.assert_allclose(ours[name], ancestor[name], rtol=1e-10, atol=1e-13)


def test_there_are_cases():
    assert len(CASES) >= 30
