"""Draws without a seed are refused under test, and are fresh each time for a user."""

from pathlib import Path

import numpy as np
import pytest

import mcvi
from mcvi.bias import bias_curve
from mcvi.distributions import Normal
from mcvi.stochastic import SampleValue, StochasticTensor, value_and_grad
from tests.seeds import unseeded_calls

HERE = Path(__file__)

q = Normal(0.0, 1.0)

UNSEEDED = {
    "an estimator": lambda: mcvi.elbo_ratio(q.log_prob, q, n=4),
    "sample": lambda: q.sample(4),
    "noise": lambda: q.noise(4),
    "a node": lambda: StochasticTensor(q, SampleValue(4)),
    "value_and_grad": lambda: value_and_grad(lambda loc: StochasticTensor(Normal(loc, 1.0)) ** 2)(0.0, n=64),
    "bias_curve": lambda: bias_curve(q.log_prob, q, sizes=(4,), alphas=(0.0,), replications=2, truth=0.0),
    "a generator": lambda: np.random.default_rng(),
}


@pytest.mark.parametrize("draw", UNSEEDED.values(), ids=UNSEEDED)
def test_a_draw_without_a_seed_is_refused(draw):
    with pytest.raises(AssertionError, match="drew without a seed"):
        draw()


@pytest.mark.fresh_draws
def test_without_a_seed_every_call_draws_anew():
    assert not np.array_equal(q.sample(4), q.sample(4))
    first = mcvi.elbo_ratio(lambda z: -z * z, q, n=4)
    assert first.value != mcvi.elbo_ratio(lambda z: -z * z, q, n=4).value
    assert first.value == mcvi.elbo_ratio(lambda z: -z * z, q, n=4, rng=first.key).value


@pytest.mark.parametrize(
    "call",
    [
        *("np.random.rand()", "np.random.seed(0)", "np.random.RandomState()", "np.random.PCG64()", "default_rng()"),
        *("Generator(PCG64())", "np.random.SeedSequence()", "import random; random.random()", "random.Random()"),
        *("stats.norm.rvs(size=3)", "from random import random", "from numpy.random import rand"),
        "run('from mcvi.distributions import Normal; Normal(0.0, 1.0).sample(3)')",
        "run('import numpy as np; np.random.default_rng()')",
    ],
)
def test_a_call_that_nobody_could_repeat_is_found(call):
    assert list(unseeded_calls(call))


@pytest.mark.parametrize(
    "call",
    [
        *("np.random.default_rng(0)", "np.random.RandomState(0)", "Generator(PCG64(0))", "mcvi.random.as_key(0)"),
        *("stats.norm.rvs(size=3, random_state=0)", "random.Random(0)", "'words that import nothing'"),
        "from jax import random; random.normal(key)",
        "run('from mcvi.distributions import Normal; Normal(0.0, 1.0).sample(3, rng=0)')",
    ],
)
def test_a_call_with_a_seed_is_not(call):
    assert not list(unseeded_calls(call))


def test_no_test_draws_without_a_seed():
    files = [path for path in HERE.parent.rglob("*.py") if path != HERE]
    found = {str(path): calls for path in files if (calls := list(unseeded_calls(path.read_text())))}
    assert len(files) > 50
    assert not found, f"pass a seed: {found}"
