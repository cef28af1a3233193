"""The cut of a call of value_and_grad into blocks: sizes, memory, executors, progress, warnings, plain arrays."""

import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad as autograd_value_and_grad

import mcvi.stochastic._value_and_grad as _value_and_grad_module
from mcvi.distributions import Bernoulli, Normal
from mcvi.estimate import NonFiniteWarning
from mcvi.random import as_key
from mcvi.stochastic import (
    MeanValue,
    SampleValue,
    StochasticTensor,
    get_mean_baseline,
    get_regression_baseline,
    get_score_function_with_advantage,
    get_score_function_with_baseline,
    get_score_function_with_constant_baseline,
    leave_one_out,
    score_function,
    surrogate_loss,
    take,
    value_and_grad,
    value_type,
)
from mcvi.stochastic._graph.trace import value_sizes
from mcvi.stochastic._tape import Tape

LOGITS = np.array([0.3, -1.0, 2.0])


def bits(params):
    """A loss of a module, which pickles."""
    b = StochasticTensor(Bernoulli(logits=params["logits"]), loss_fn=leave_one_out)
    return (b - 0.45) ** 2 * params["scale"]


PARAMS = {"logits": LOGITS, "scale": 1.5}


def mixed(params):
    k = StochasticTensor(Bernoulli(logits=2 * params["logits"][0]), loss_fn=score_function)
    z = StochasticTensor(Normal(take(params["logits"][1:], k), anp.exp(params["scale"])))
    return [z**2, k * params["scale"]]


def numbers(result):
    value, gradient = result
    return [np.asarray(x) for e in (value, gradient["logits"], gradient["scale"]) for x in (e.value, e.standard_error)]


def sizes_of(estimator=score_function, elements=1, width=1, pathwise=False):
    """Return a loss and the list of the numbers of draws that it was given."""
    sizes = []

    def loss(loc):
        z = StochasticTensor(Normal(loc * np.ones(elements), 1.0), loss_fn=estimator, pathwise=pathwise)
        sizes.append(len(z))
        return anp.sum(z[:, :1] * np.ones(width), axis=1)

    return loss, sizes


# Sizes of blocks


@pytest.mark.parametrize("errors", [True, False])
@pytest.mark.parametrize(("n", "size"), [(100, 100), (100, 1000), (100, 30), (7, 3), (5, 1), (64, 16)])
def test_blocks_are_of_nearly_equal_sizes_at_most_the_one_given(errors, n, size):
    loss, sizes = sizes_of()
    value_and_grad(loss)(0.3, n=n, rng=0, errors=errors, block_size=size)
    assert sum(sizes) == n  # no other run of the loss
    assert len(sizes) == -(-n // size)
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
    assert sorted(sizes, reverse=True) == sizes


@pytest.mark.parametrize("n", [1, 64, 65, 20_000])
def test_plain_arrays_take_one_run_of_the_loss(n):
    loss, sizes = sizes_of()
    value_and_grad(loss)(0.3, n=n, rng=0, errors=False)
    assert sizes == [n]


@pytest.mark.parametrize(("n", "expected"), [(64, [64]), (65, [2, 65]), (8192, [2, 8192]), (8193, [2, 4097, 4096])])
@pytest.mark.parametrize(
    "estimator", [score_function, get_score_function_with_constant_baseline(0.5)], ids=["plain", "constant"]
)
def test_up_to_64_draws_are_one_block_and_independent_draws_at_most_8192(n, expected, estimator):
    loss, sizes = sizes_of(estimator)
    value_and_grad(loss)(0.3, n=n, rng=0)
    assert sizes == expected


def test_pathwise_draws_are_independent_too():
    loss, sizes = sizes_of(pathwise=True)
    value_and_grad(loss)(0.3, n=8193, rng=0)
    assert sizes == [2, 4097, 4096]


@pytest.mark.parametrize(("elements", "largest"), [(32, 8192), (33, 7943), (4000, 65), (4096, 64), (4097, 64)])
def test_independent_draws_hold_at_most_a_quarter_of_a_million_numbers_but_64_draws(elements, largest):
    loss, sizes = sizes_of(elements=elements)
    value_and_grad(loss)(0.3, n=largest, rng=0)
    assert sizes[-1] == largest
    sizes.clear()
    value_and_grad(loss)(0.3, n=largest + 1, rng=0)
    assert len(sizes) == 3


@pytest.mark.parametrize(
    "estimator",
    [leave_one_out, get_score_function_with_baseline(lambda node, loss: 0.5), len],
    ids=["loo", "baseline", "len"],
)
def test_draws_that_are_compared_are_one_block(estimator):
    if estimator is len:  # a caller's own estimator, of which nothing is known

        def estimator(node, value, loss):
            return node.distribution.log_prob(value)[:, 0] * loss

    loss, sizes = sizes_of(estimator)
    value_and_grad(loss)(0.3, n=20_000, rng=0)
    assert sizes == [2, 20_000]


@pytest.mark.parametrize("estimator", [leave_one_out, score_function], ids=["loo", "plain"])
@pytest.mark.parametrize(("n", "blocks"), [(128, [64, 64]), (129, [43, 43, 43])])
def test_a_block_holds_what_fits_into_the_memory(estimator, n, blocks, monkeypatch):
    assert 8 * _value_and_grad_module._MOST_NUMBERS == 256 * 2**20
    monkeypatch.setattr(_value_and_grad_module, "_MOST_NUMBERS", 64 * 64)
    # the draw, its slice, as wide a product, and the loss: 64 numbers
    loss, sizes = sizes_of(estimator, width=61)
    value_and_grad(loss)(0.3, n=n, rng=0)
    assert sizes == [2, *blocks]


def test_a_block_holds_two_draws_whatever_they_need(monkeypatch):
    monkeypatch.setattr(_value_and_grad_module, "_MOST_NUMBERS", 1)
    loss, sizes = sizes_of(leave_one_out)
    value_and_grad(loss)(0.3, n=66, rng=0)
    assert sizes == [2] * 34


def test_the_trial_calls_no_estimator_and_teaches_no_baseline():
    seen = []

    def advantage(node, loss):
        seen.append(len(loss))
        return loss

    baseline = get_mean_baseline(0.0)

    def loss(logit):
        a = StochasticTensor(Bernoulli(logits=logit), loss_fn=get_score_function_with_advantage(advantage))
        b = StochasticTensor(Bernoulli(logits=logit), loss_fn=get_score_function_with_baseline(baseline))
        return (a + b - 0.45) ** 2

    value, _ = value_and_grad(loss)(0.3, n=100, rng=9)
    assert seen == [100]
    np.testing.assert_allclose(baseline.read(), value.value)


def test_one_estimator_that_compares_draws_is_enough_for_one_block():
    sizes = []

    def loss(logit):
        a = StochasticTensor(Bernoulli(logits=logit), loss_fn=score_function)
        b = StochasticTensor(Bernoulli(logits=logit), loss_fn=leave_one_out)
        sizes.append(len(a))
        return (a + b - 0.45) ** 2

    value_and_grad(loss)(0.3, n=10_000, rng=0)
    assert sizes == [2, 10_000]


def test_sizes_are_counted_in_the_trial_alone():
    seen = []

    def loss(loc):
        seen.append(value_sizes.get() is not None)
        return StochasticTensor(Normal(loc, 1.0)) ** 2

    value_and_grad(loss)(0.3, n=100, rng=0)
    assert seen == [True, False]
    assert value_sizes.get() is None


def test_errors_from_draws_pull_nothing_back(monkeypatch):
    monkeypatch.setattr(Tape, "pull_back", None)
    value_and_grad(lambda p: bits({"logits": p, "scale": 1.5}))(LOGITS, n=100, rng=0)


def test_blocks_are_compared_within_themselves():
    _, gradient = value_and_grad(bits)(PARAMS, n=100, rng=2, block_size=25)
    probs, parts = 1 / (1 + np.exp(-LOGITS)), []
    for block in range(4):
        b = np.asarray(Bernoulli(logits=LOGITS).sample(25, rng=as_key(2).child(1 + block).child(1)), float)
        f = 1.5 * (b - 0.45) ** 2
        parts.append((f - f.mean(axis=0)) * 25 / 24 * (b - probs))
    parts = np.concatenate(parts)
    np.testing.assert_allclose(gradient["logits"].value, parts.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(gradient["logits"].standard_error, parts.std(axis=0, ddof=1) / np.sqrt(100), rtol=1e-10)


# The same bits


@pytest.mark.parametrize("loss", [bits, mixed])
@pytest.mark.parametrize("size", [None, 7, 16])
def test_the_same_bits_on_every_executor(loss, size):
    def run(executor=None):
        return numbers(value_and_grad(loss)(PARAMS, n=200, rng=4, block_size=size, executor=executor))

    expected = run()
    for first, second in zip(expected, run(), strict=True):
        np.testing.assert_array_equal(first, second)
    with ThreadPoolExecutor(3) as pool:
        for first, second in zip(expected, run(pool), strict=True):
            np.testing.assert_array_equal(first, second)


def test_processes_give_the_same_bits_too():
    with ProcessPoolExecutor(2) as pool:
        for loss in (bits, mixed):
            run = value_and_grad(loss)
            expected = numbers(run(PARAMS, n=90, rng=4, block_size=15))
            found = numbers(run(PARAMS, n=90, rng=4, block_size=15, executor=pool))
            for first, second in zip(expected, found, strict=True):
                np.testing.assert_array_equal(first, second)
            plain = run(PARAMS, n=90, rng=4, block_size=15, executor=pool, errors=False)
            np.testing.assert_array_equal(plain[0], run(PARAMS, n=90, rng=4, block_size=15, errors=False)[0])


def test_a_value_type_holds_in_the_threads_of_an_executor():
    def loss(loc):
        z = StochasticTensor(Normal(loc, 1.0), name="z")
        return z * np.ones(50)

    with value_type(MeanValue()), ThreadPoolExecutor(2) as pool:
        value, _ = value_and_grad(loss)(0.3, n=50, rng=0, executor=pool)
    assert value.value == 0.3


# Plain arrays


@pytest.mark.parametrize("loss", [bits, mixed])
@pytest.mark.parametrize("size", [None, 16])
def test_plain_arrays_are_the_values_of_the_estimates(loss, size):
    value, gradient = value_and_grad(loss)(PARAMS, n=50, rng=5, block_size=size)
    plain_value, plain = value_and_grad(loss)(PARAMS, n=50, rng=5, block_size=size, errors=False)
    assert isinstance(plain_value, float)
    assert isinstance(plain["logits"], np.ndarray)
    assert plain["scale"].shape == ()
    np.testing.assert_allclose(plain_value, value.value, rtol=1e-13)
    for name in PARAMS:
        np.testing.assert_allclose(plain[name], gradient[name].value, rtol=1e-11, atol=1e-15)


def test_plain_arrays_are_those_of_autograd():
    held = np.asarray(Bernoulli(logits=LOGITS).sample(40, rng=as_key(6).child(1).child(1)), float)

    def by_hand(params):
        b = StochasticTensor(Bernoulli(logits=params["logits"]), loss_fn=leave_one_out, value=held)
        return anp.mean(anp.sum(surrogate_loss([(b - 0.45) ** 2 * params["scale"]]), axis=1))

    value, gradient = value_and_grad(bits)(PARAMS, n=40, rng=6, errors=False)
    expected_value, expected = autograd_value_and_grad(by_hand)(PARAMS)
    np.testing.assert_allclose(value, expected_value, rtol=1e-13)
    for name in PARAMS:
        np.testing.assert_allclose(gradient[name], expected[name], rtol=1e-12)


# What is said on the way


@pytest.mark.parametrize(("size", "steps"), [(None, [100]), (30, [25, 50, 75, 100]), (100, [100])])
@pytest.mark.parametrize("pool", [False, True])
def test_progress_counts_the_draws(size, steps, pool):
    seen = []
    executor = ThreadPoolExecutor(2) if pool else None
    value_and_grad(bits)(
        PARAMS, n=100, rng=0, block_size=size, progress=lambda done, n: seen.append((done, n)), executor=executor
    )
    assert seen == [(step, 100) for step in steps]
    if executor is not None:
        executor.shutdown()


@pytest.mark.parametrize("errors", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("size", [None, 5])
def test_losses_that_are_not_finite_are_warned_of_with_their_draws(errors, bad, size):
    sizes, a, b = [20] if size is None else [5] * 4, [], []
    for block, count in enumerate(sizes):
        key = as_key(3).child(1 + block)
        a.extend(Normal(0.0, 1.0).sample(count, rng=key.child(1)))
        b.extend(Normal(np.zeros(2), 1.0).sample(count, rng=key.child(2)))
    limit = max(a[:7])
    places = [index for index, number in enumerate(a) if number > limit]  # in the second block or later

    def loss(loc):
        first = StochasticTensor(Normal(loc, 1.0), name="a")
        second = StochasticTensor(Normal(loc * np.ones(2), 1.0), name="b")
        return anp.where(first > limit, bad, 0.0) + second[:, 0]

    with warnings.catch_warnings(record=True) as caught, np.errstate(invalid="ignore"):
        warnings.simplefilter("always")
        value_and_grad(loss)(0.0, n=20, rng=3, errors=errors, block_size=size)
    (warning,) = [w for w in caught if w.category is NonFiniteWarning]
    shown = [np.array2string(np.asarray(held[places[0]])).removesuffix(".") for held in (a, b)]
    assert str(warning.message) == (
        f"loss_fn was nan or +inf {len(places)} times in 20 values; first at draw {places[0]}, "
        f"a = {shown[0]}, b = {shown[1]}."
    )
    assert warning.filename == __file__


def test_a_loss_of_minus_infinity_is_no_accident():
    def loss(loc):
        z = StochasticTensor(Normal(loc, 1.0))
        return anp.where(z > 0.0, -np.inf, z)

    with np.errstate(invalid="ignore"):
        value, _ = value_and_grad(loss)(0.0, n=40, rng=0, block_size=10)
    assert value.value == -np.inf


@pytest.mark.parametrize("n", [30, 300])
def test_a_missing_gradient_is_warned_of_where_the_call_stands(n):
    def loss(logit):
        return StochasticTensor(Bernoulli(logits=2 * logit), loss_fn=None, name="b") + logit

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value_and_grad(loss)(0.3, n=n, rng=0, block_size=n // 3)
    (warning,) = caught
    assert str(warning.message) == (
        "b has loss_fn=None and no pathwise derivative: its part of the gradient is missing."
    )
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("n", "size", "place"),
    [
        (50, None, "in block 0: draws 0 to 49"),
        (50, 20, "in block 1: draws 17 to 33"),
        (65, None, "in a first run: 2 draws"),
    ],
)
def test_an_exception_of_the_loss_comes_with_the_place_of_its_draws(n, size, place):
    calls = []

    def loss(loc):
        calls.append(1)
        if len(calls) == (2 if size else 1):
            raise KeyError("from the loss")
        return StochasticTensor(Normal(loc, 1.0)) ** 2

    with pytest.raises(KeyError, match="from the loss") as caught:
        value_and_grad(loss)(0.3, n=n, rng=3, block_size=size)
    assert caught.value.__notes__ == [f"raised {place} of rng={as_key(3)!r}."]


# What is refused


@pytest.mark.parametrize(
    "baseline",
    [get_mean_baseline(), get_regression_baseline(lambda node, loss: np.ones(loss.shape))],
    ids=["mean", "regression"],
)
def test_a_baseline_that_learns_needs_its_blocks_in_order(baseline):
    def loss(logit):
        return StochasticTensor(Bernoulli(logits=logit), None, get_score_function_with_baseline(baseline), name="b")

    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(
            ValueError,
            match=r"^b: its baseline learns from each block of draws for the next, in their order; leave out executor, "
            r"or use an estimator without state, such as leave_one_out\.$",
        ),
    ):
        value_and_grad(loss)(0.3, n=10, rng=0, executor=pool)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"n": 0}, ValueError, r"^n must be a positive integer; got 0\.$"),
        ({"n": 2.5}, TypeError, r"^n must be an integer; got 2\.5 \(float\)\.$"),
        ({"block_size": 0}, ValueError, r"^block_size must be a positive integer; got 0\.$"),
        ({"errors": 1}, TypeError, r"^errors must be True or False; got 1\.$"),
        ({"executor": 3}, TypeError, r"^executor must be a concurrent\.futures\.Executor; got int\.$"),
        ({"progress": 3}, TypeError, r"^progress must be callable; got int\.$"),
        (
            {"params": {"a": None}},
            TypeError,
            r"^value_and_grad: params\['a'\] must be an array, a number, or a dict or list of them; got None\.$",
        ),
    ],
)
def test_what_is_wrong_is_said_before_the_generator_advances(options, error, text):
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    arguments = {"params": PARAMS, "n": 10, **options}
    with pytest.raises(error, match=text):
        value_and_grad(bits)(arguments.pop("params"), rng=rng, **arguments)
    assert rng.bit_generator.state == before


def test_a_sampler_inside_must_be_left_out():
    def loss(loc):
        return StochasticTensor(Normal(loc, 1.0), SampleValue(7)) ** 2

    with pytest.raises(
        ValueError,
        match=r"^loss_fn must return losses with the 10 draws on the first axis; got shape \(7,\)\. "
        r"Nodes inside value_and_grad take their draws by themselves: leave out SampleValue\.$",
    ):
        value_and_grad(loss)(0.3, n=10, rng=0)
