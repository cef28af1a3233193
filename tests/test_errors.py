"""Input that is refused, in which words, and input that is not: the matrix of bad input to the estimators.

Every refusal names the argument, what it must be and what came, and comes before any work: no function of the user's
has been called.
"""

import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

import mcvi
from mcvi import distributions
from mcvi.distributions import Bernoulli, Exponential, Normal
from mcvi.estimate import NonFiniteWarning, ZeroWeightWarning

N = 100


def square(z):
    return z * z


def log_square(z):
    return -z * z


# Every estimator with arguments that are right, all by name: a row of the matrix changes some of them.
RIGHT = {
    mcvi.expectation: {"f": square, "q": Normal(0.0, 1.0)},
    mcvi.expectation_importance_sampler: {"f": square, "log_p": log_square, "sampling_dist_q": Normal(0.0, 1.0)},
    mcvi.expectation_importance_sampler_logspace: {
        "log_f": log_square,
        "log_p": log_square,
        "sampling_dist_q": Normal(0.0, 1.0),
    },
    mcvi.expectation_self_normalized: {"f": square, "log_p": log_square, "sampling_dist_q": Normal(0.0, 1.0)},
    mcvi.elbo_ratio: {"log_p": log_square, "q": Normal(0.0, 1.0)},
    mcvi.entropy_shannon: {"p": Normal(0.0, 1.0), "form": "sample"},
    mcvi.renyi_ratio: {"log_p": log_square, "q": Normal(0.0, 1.0), "alpha": 0.5},
    mcvi.renyi_curve: {"log_p": log_square, "q": Normal(0.0, 1.0), "alphas": [0.0, 0.5]},
}
ESTIMATORS = list(RIGHT)
WITH_LOG_P = [estimator for estimator in ESTIMATORS if "log_p" in RIGHT[estimator]]

every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda f: f.__name__)
every_estimator_of_weights = pytest.mark.parametrize("estimator", WITH_LOG_P, ids=lambda f: f.__name__)


def functions_of(estimator):
    """Return the names of the arguments that are functions of the draws."""
    return [name for name in RIGHT[estimator] if name in {"f", "log_f", "log_p"}]


def proposal_of(estimator):
    """Return the name of the argument that is sampled from."""
    (name,) = {"q", "p", "sampling_dist_q"} & set(RIGHT[estimator])
    return name


class Watched:
    """A function that remembers whether it was called."""

    def __init__(self, function):
        self.function = function
        self.called = False

    def __call__(self, z):
        self.called = True
        return self.function(z)


def assert_refused(estimator, kind, *fragments, **changes):
    """Assert that the call is refused in one sentence with these fragments, before anything was done."""
    watched = {name: Watched(RIGHT[estimator][name]) for name in functions_of(estimator)}
    with pytest.raises(kind) as caught:
        estimator(**{**RIGHT[estimator], **watched, "rng": 0, **changes})
    message = str(caught.value)
    for fragment in fragments:
        assert re.search(re.escape(fragment), message), f"{fragment!r} is not in {message!r}"
    assert len(message.splitlines()) == 1
    assert not any(function.called for function in watched.values()), "work had begun"


# How many draws

BAD_COUNTS = [
    (0, ValueError, "n must be a positive integer; got 0."),
    (-3, ValueError, "n must be a positive integer; got -3."),
    (np.int64(-1), ValueError, "n must be a positive integer; got -1."),
    (10**19, ValueError, "n must be at most 2**63 - 1; got 10000000000000000000."),
    (1.5, TypeError, "n must be an integer; got 1.5 (float)."),
    (1e6, TypeError, "n must be an integer; got 1000000.0 (float); use int(1000000.0)."),
    (float("nan"), TypeError, "n must be an integer; got nan (float)."),
    (True, TypeError, "n must be an integer; got True (bool)."),
    (np.True_, TypeError, "(bool)."),
    ("10", TypeError, "n must be an integer; got '10' (str)."),
    ([10], TypeError, "n must be an integer; got [10] (list)."),
    (np.array([10]), TypeError, "n must be an integer; got array([10]) (ndarray)."),
    (None, ValueError, "specify exactly one of n (number of draws) and z (draws from "),
]


@every_estimator
@pytest.mark.parametrize(("n", "kind", "text"), BAD_COUNTS, ids=lambda value: repr(value)[:20])
def test_a_count_that_is_none_is_refused(estimator, n, kind, text):
    assert_refused(estimator, kind, text, n=n)


@every_estimator
@pytest.mark.parametrize("z", [[0.0, 1.0], (0.0, 1.0), np.zeros(2)], ids=["list", "tuple", "ndarray"])
def test_a_count_and_draws_together_are_refused(estimator, z):
    assert_refused(
        estimator, ValueError, "specify exactly one of n (number of draws) and z", "got both", "n=7", "(2,)", n=7, z=z
    )


@every_estimator
def test_neither_a_count_nor_draws_is_refused(estimator):
    assert_refused(estimator, ValueError, "specify exactly one of n (number of draws) and z", "got neither.")


# Draws that the user passes

BAD_DRAWS = [
    (np.zeros((3, N)), ValueError, "z must have shape (n, 3) to match q; got (3, 100). Did you mean z.T?"),
    (np.zeros((N, 2)), ValueError, "z must have shape (n, 3) to match q; got (100, 2)."),
    (np.zeros(N), ValueError, "z must have shape (n, 3) to match q; got (100,)."),
    (np.zeros((N, 3, 1)), ValueError, "z must have shape (n, 3) to match q; got (100, 3, 1)."),
    (0.0, ValueError, "z must have shape (n, 3) to match q; got ()."),
    ([0.0, 1.0, 2.0], ValueError, "z must have shape (n, 3) to match q; got (3,)."),
    (np.zeros((0, 3)), ValueError, "z must hold at least one draw; got shape (0, 3)."),
    ([], ValueError, "z must "),
    (np.zeros((N, 3), complex), TypeError, "z must be real numbers; got dtype complex128."),
    (np.full((N, 3), "a"), TypeError, "z must be real numbers; got dtype <U1."),
    (np.zeros((N, 3), object), TypeError, "z must be real numbers; got an object array."),
    ([[None, 1.0, 2.0]], TypeError, "z must be real numbers; got an object array."),
    (
        np.ma.masked_array(np.zeros((2, 3)), mask=np.eye(2, 3)),
        ValueError,
        "z must not be masked; got 2 masked numbers. Fill them.",
    ),
    (np.zeros((N, 3), "datetime64[s]"), TypeError, "z must be real numbers; got dtype datetime64[s]."),
]


@every_estimator
@pytest.mark.parametrize(("z", "kind", "text"), BAD_DRAWS, ids=lambda value: str(getattr(value, "shape", ""))[:20])
def test_draws_of_a_wrong_shape_or_kind_are_refused(estimator, z, kind, text):
    q = {proposal_of(estimator): Normal(np.zeros(3), 1.0)}
    assert_refused(estimator, kind, text, z=z, **q)


# Arguments of the wrong kind


@pytest.mark.parametrize(
    ("estimator", "name"),
    [(estimator, name) for estimator in ESTIMATORS for name in functions_of(estimator)],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize(
    ("function", "kind"), [("-z**2", "str"), (1.0, "float"), (None, "NoneType"), (np.zeros(3), "ndarray")]
)
def test_a_function_that_cannot_be_called_is_refused(estimator, name, function, kind):
    assert_refused(estimator, TypeError, f"{name} must be callable; got {kind}.", n=N, **{name: function})


@every_estimator
@pytest.mark.parametrize(
    "value",
    [None, 1.0, "normal", square, Normal, distributions],
    ids=["None", "number", "str", "function", "class", "module"],
)
def test_what_is_no_distribution_is_refused(estimator, value):
    name = proposal_of(estimator)
    assert_refused(estimator, TypeError, f"{name} must be a distribution", n=N, **{name: value})


BAD_RNGS = [
    ("0", TypeError, "rng must be None, an int, a sequence of ints, a SeedSequence or a Generator; got str."),
    (1.5, TypeError, "rng must be None, an int, a sequence of ints, a SeedSequence or a Generator; got float."),
    (True, TypeError, "got True (bool)."),
    (-1, ValueError, "rng must be a non-negative integer; got -1."),
    ([1, -2], ValueError, "rng as a sequence must hold non-negative integers; got [1, -2]."),
    ([0.5], ValueError, "rng as a sequence must hold non-negative integers; got [0.5]."),
    (np.random.RandomState(0), TypeError, "got RandomState."),
    (np.random, TypeError, "got module."),
]


@every_estimator
@pytest.mark.parametrize(("rng", "kind", "text"), BAD_RNGS, ids=lambda value: repr(value)[:20])
def test_an_rng_that_is_none_is_refused(estimator, rng, kind, text):
    assert_refused(estimator, kind, text, n=N, rng=rng)


@every_estimator
@pytest.mark.parametrize("keyword", ["seed", "random_state", "name", "size"])
def test_an_unknown_keyword_is_refused(estimator, keyword):
    assert_refused(estimator, TypeError, f"unexpected keyword argument '{keyword}'", n=N, **{keyword: 0})


@every_estimator
def test_options_cannot_be_passed_by_position(estimator):
    with pytest.raises(TypeError, match="positional argument"):
        estimator(*RIGHT[estimator].values(), N, None, 0, None, None)


@pytest.mark.parametrize("estimator", [mcvi.elbo_ratio, mcvi.entropy_shannon], ids=lambda f: f.__name__)
@pytest.mark.parametrize("form", ["sampel", "", None, 3], ids=repr)
def test_an_unknown_form_is_refused_with_the_known_ones(estimator, form):
    assert_refused(
        estimator, ValueError, "form must be 'default', 'analytic_entropy' or 'sample'", f"got {form!r}", n=N, form=form
    )


BAD_ORDERS = [
    (float("nan"), ValueError, "must be a real number; got nan."),
    ([0.5, float("nan")], ValueError, "must be a real number; got nan at index (1,)."),
    ("a", TypeError, "must be real numbers; got dtype <U1."),
    (1j, TypeError, "must be real numbers; got dtype complex128."),
    (None, TypeError, "must be real numbers; got None."),
]


@pytest.mark.parametrize(
    ("estimator", "name"),
    [(mcvi.renyi_ratio, "alpha"), (mcvi.renyi_curve, "alphas")],
    ids=lambda x: getattr(x, "__name__", x),
)
@pytest.mark.parametrize(("alpha", "kind", "text"), BAD_ORDERS, ids=lambda value: repr(value)[:20])
def test_an_order_that_is_none_is_refused(estimator, name, alpha, kind, text):
    assert_refused(estimator, kind, f"{name} {text}", n=N, **{name: alpha})


def test_orders_that_do_not_fit_the_batch_are_refused():
    q = Normal(np.zeros(3), 1.0)
    assert_refused(mcvi.renyi_ratio, ValueError, "alpha", "(2,)", "(3,)", n=N, q=q, alpha=[0.5, 0.6])


def test_a_curve_without_orders_is_refused():
    assert_refused(mcvi.renyi_curve, ValueError, "alphas must hold at least one order; got shape (0,).", n=N, alphas=[])


@pytest.mark.parametrize("n", [3, N])
def test_a_target_of_a_wider_batch_is_refused_also_where_the_draws_are_as_many(n):
    text = "the batch_shape of log_p must broadcast to q.batch_shape (); got shape (3,)."
    for estimator in (mcvi.renyi_ratio, mcvi.elbo_ratio):
        with pytest.raises(ValueError, match=re.escape(text)):
            estimator(**{**RIGHT[estimator], "log_p": Normal(np.zeros(3), 1.0).log_prob}, n=n, rng=0)


# Where the work is done


@every_estimator
def test_what_is_no_executor_and_a_progress_that_cannot_be_called_are_refused(estimator):
    assert_refused(estimator, TypeError, "executor must be a concurrent.futures.Executor; got int.", n=N, executor=2)
    assert_refused(estimator, TypeError, "progress must be callable; got bool.", n=N, progress=True)


@every_estimator
def test_an_executor_that_was_shut_down_is_refused(estimator):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    assert_refused(estimator, RuntimeError, "executor accepts no work (shut down?)", n=N, executor=executor)


# Parameters of families

BAD_PARAMETERS = [
    (partial(Normal, 0.0, -2.0), ValueError, "Normal: scale must be positive and finite; got -2.0."),
    (partial(Normal, 0.0, 0.0), ValueError, "Normal: scale must be positive and finite; got 0.0."),
    (partial(Normal, 0.0, 0), ValueError, "Normal: scale must be positive and finite; got 0.0."),
    (
        partial(Normal, 0.0, [1.0, -2.0]),
        ValueError,
        "Normal: scale must be positive and finite; got -2.0 at index (1,).",
    ),
    (
        partial(Normal, 0.0, np.array([[1.0, np.nan]])),
        ValueError,
        "Normal: scale must be positive and finite; got nan at index (0, 1).",
    ),
    (partial(Normal, 0.0, np.inf), ValueError, "Normal: scale must be positive and finite; got inf."),
    (partial(Normal, np.nan, 1.0), ValueError, "Normal: loc must be finite; got nan."),
    (partial(Normal, [0.0, -np.inf], 1.0), ValueError, "Normal: loc must be finite; got -inf at index (1,)."),
    (partial(Normal, "a", 1.0), TypeError, "Normal: loc must be real numbers; got dtype <U1."),
    (partial(Normal, 0.0, 1j), TypeError, "Normal: scale must be real numbers; got dtype complex128."),
    (
        partial(Normal, [None], 1.0),
        TypeError,
        "Normal: loc must be real numbers; got an object array. "
        "If it was made from traced values, build it with autograd.numpy.",
    ),
    (
        partial(Normal, [0.0, 1.0], [1.0, 1.0, 1.0]),
        ValueError,
        "Normal: the parameters must broadcast together; got shapes loc (2,), scale (3,).",
    ),
    (partial(Exponential, 0.0), ValueError, "Exponential: rate must be positive and finite; got 0.0."),
    (partial(Bernoulli, probs=1.5), ValueError, "Bernoulli: probs must be between 0 and 1; got 1.5."),
    (
        partial(Bernoulli, probs=[0.5, -0.1]),
        ValueError,
        "Bernoulli: probs must be between 0 and 1; got -0.1 at index (1,).",
    ),
    (Bernoulli, ValueError, "Bernoulli: specify exactly one of logits and probs; got neither."),
    (
        partial(Bernoulli, logits=0.0, probs=0.5),
        ValueError,
        "Bernoulli: specify exactly one of logits and probs; got both.",
    ),
]


@pytest.mark.parametrize(
    ("make", "kind", "text"), BAD_PARAMETERS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_parameter_outside_its_range_is_refused_with_its_index(make, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        make()


@pytest.mark.parametrize("n", [0, -3, 1.5, True, "10", 10**19], ids=repr)
def test_sample_refuses_the_same_counts(n):
    kind, text = next((kind, text) for count, kind, text in BAD_COUNTS if type(count) is type(n) and count == n)
    with pytest.raises(kind, match=re.escape(text)):
        Normal(0.0, 1.0).sample(n)


# What the user's functions return


@pytest.mark.parametrize(
    ("estimator", "name"),
    [(estimator, name) for estimator in WITH_LOG_P for name in functions_of(estimator) if name != "f"],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize(
    ("shaped", "got"),
    [
        (lambda z: z[:, None], "(100, 1)"),
        (lambda z: z[:-1], "(99,)"),
        (lambda z: z.sum(), "()"),
        (lambda z: np.stack([z, z]), "(2, 100)"),
        (lambda z: 0.0, "()"),
    ],
    ids=["column", "short", "sum", "wide", "number"],
)
def test_a_log_density_of_a_wrong_shape_is_refused_with_the_expected_one(estimator, name, shaped, got):
    with pytest.raises(ValueError, match=re.escape(f"{name} returned shape {got}; expected (100,).")):
        estimator(**{**RIGHT[estimator], name: shaped}, n=N, rng=0)


@every_estimator_of_weights
def test_a_log_density_that_is_wider_than_the_batch_is_refused_with_both_shapes(estimator):
    log_p = lambda z: np.zeros((len(z), 3))
    q = {proposal_of(estimator): Normal(np.zeros(2), 1.0)}
    with pytest.raises(ValueError, match=re.escape("log_p returned shape (100, 3); expected (100, 2).")):
        estimator(**{**RIGHT[estimator], **q, "log_p": log_p}, n=N, rng=0)


@every_estimator_of_weights
@pytest.mark.parametrize(
    ("returned", "text"),
    [
        (lambda z: z + 1j, "what log_p returned must be real numbers; got dtype complex128."),
        (lambda z: z.astype(object), "what log_p returned must be real numbers; got an object array."),
        (lambda z: None, "what log_p returned must be real numbers; got None."),
        (lambda z: "a", "what log_p returned must be real numbers; got dtype <U1."),
    ],
    ids=["complex", "object", "None", "str"],
)
def test_a_log_density_of_another_kind_is_refused(estimator, returned, text):
    with pytest.raises(TypeError, match=re.escape(text)):
        estimator(**{**RIGHT[estimator], "log_p": returned}, n=N, rng=0)


class OwnError(Exception):
    """An exception that only the tests know."""


@every_estimator_of_weights
@pytest.mark.parametrize("n", [N, 200_000])
def test_an_exception_of_the_user_comes_through_with_the_draws_that_it_came_from(estimator, n):
    def raising(z):
        raise OwnError("from the user's function")

    with pytest.raises(OwnError, match="from the user's function") as caught:
        estimator(**{**RIGHT[estimator], "log_p": raising}, n=n, rng=0)
    (note,) = caught.value.__notes__
    assert "block 0" in note
    assert "rng=Key(0x" in note


@every_estimator_of_weights
def test_an_interrupt_comes_through(estimator):
    def interrupted(z):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimator(**{**RIGHT[estimator], "log_p": interrupted}, n=N, rng=0)


# Values that are no numbers: computed, with one warning


def only_warning(call):
    """Return the result of a call and the one warning that it gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert len(caught) == 1, [str(warning.message) for warning in caught]
    return result, caught[0]


@every_estimator_of_weights
@pytest.mark.parametrize("n", [N, 50_000], ids=["one block", "several blocks"])
def test_nan_among_the_weights_gives_nan_and_one_warning_of_how_many_and_where(estimator, n):
    z = np.linspace(-1.0, 1.0, n)
    bad = [n // 2, n - 3]

    def log_p(block):
        return np.where(np.isin(block, z[bad]), np.nan, -block * block)

    result, warning = only_warning(lambda: estimator(**{**RIGHT[estimator], "log_p": log_p}, z=z))
    assert np.all(np.isnan(result.value))
    assert warning.category is NonFiniteWarning
    text = str(warning.message)
    assert f"2 times in {n} values; first at draw {bad[0]}, z = " in text
    assert warning.filename == __file__, "the warning points at the caller"


@pytest.mark.parametrize(
    "estimator",
    [mcvi.elbo_ratio, mcvi.renyi_ratio, mcvi.expectation_importance_sampler_logspace],
    ids=lambda f: f.__name__,
)
def test_an_infinite_weight_gives_an_infinite_answer_and_one_warning(estimator):
    log_p = lambda z: np.where(z == z[7], np.inf, -z * z)
    z = np.linspace(-1.0, 1.0, N)
    result, warning = only_warning(lambda: estimator(**{**RIGHT[estimator], "log_p": log_p}, z=z))
    assert result.value == np.inf
    assert np.isnan(result.standard_error)
    assert warning.category is NonFiniteWarning
    assert f"1 times in {N} values; first at draw 7, z = " in str(warning.message)


def test_draws_that_hold_nan_are_computed_with_one_warning():
    z = np.array([0.0, np.nan, 1.0])
    result, warning = only_warning(lambda: mcvi.elbo_ratio(log_square, Normal(0.0, 1.0), z=z))
    assert np.isnan(result.value)
    assert warning.category is NonFiniteWarning


def test_only_the_members_of_a_batch_that_hold_nan_are_nan():
    z = np.array([[0.0, 0.0], [1.0, np.nan]])
    result, _ = only_warning(lambda: mcvi.elbo_ratio(log_square, Normal(np.zeros(2), 1.0), z=z))
    assert np.isfinite(result.value[0])
    assert np.isnan(result.value[1])


@pytest.mark.parametrize(
    ("estimator", "answer"),
    [
        (mcvi.renyi_ratio, -np.inf),
        (mcvi.expectation_importance_sampler_logspace, -np.inf),
        (mcvi.expectation_importance_sampler, 0.0),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_weights_that_are_all_zero_give_the_answer_of_the_mathematics_and_one_warning(estimator, answer):
    nowhere = lambda z: np.full(len(z), -np.inf)
    result, warning = only_warning(lambda: estimator(**{**RIGHT[estimator], "log_p": nowhere}, n=N, rng=0))
    assert result.value == answer
    assert warning.category is ZeroWeightWarning


def test_an_order_a_draw_warns_as_one_order_does():
    orders = np.linspace(0.1, 0.9, N)
    with pytest.warns(NonFiniteWarning, match="first at draw 0"):
        mcvi.renyi_ratio(lambda z: np.where(z > 0.5, np.nan, 0.0), Normal(0.0, 1.0), orders, n=N, rng=0)
    with pytest.warns(ZeroWeightWarning, match="all 100 draws have zero weight"):
        mcvi.renyi_ratio(lambda z: np.full(N, -np.inf), Normal(0.0, 1.0), orders, n=N, rng=0)


def test_several_functions_that_are_not_finite_make_one_warning():
    for estimator in (mcvi.expectation_importance_sampler, mcvi.expectation_self_normalized):
        with pytest.warns(NonFiniteWarning) as caught:
            estimator(lambda z: z * np.nan, lambda z: z * np.inf, Normal(0.0, 1.0), z=[1.0, 2.0])
        (warning,) = caught
        assert str(warning.message) == (
            "log_p(z) - q.log_prob(z) was nan or +inf 2 times in 2 values; first at draw 0, z = 1. "
            "f was nan or +inf 2 times in 2 values; first at draw 0, z = 1."
        )
        assert warning.filename == __file__


def test_zero_times_an_infinite_weight_is_nan_with_one_warning():
    args = (lambda z: np.where(z > 0, -np.inf, 0.0), lambda z: np.where(z > 0, np.inf, 0.0), Normal(0.0, 1.0))
    with pytest.warns(NonFiniteWarning) as caught:
        assert np.isnan(mcvi.expectation_importance_sampler_logspace(*args, n=N, rng=0).value)
    assert len(caught) == 1


@pytest.mark.parametrize("q", [distributions.Poisson(1e300), distributions.Geometric(probs=1e-300)])
def test_draws_beyond_every_integer_are_refused_and_not_wrapped(q):
    with pytest.raises(ValueError, match="a draw does not fit a 64-bit integer"):
        mcvi.expectation(lambda z: z, q, n=N, rng=0)


@pytest.mark.parametrize("zero", [slice(7, 8), slice(None)], ids=["one", "all"])
def test_an_elbo_with_a_weight_of_zero_is_minus_infinity(zero):
    log_w = np.zeros(N)
    log_w[zero] = -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroWeightWarning)
        result = mcvi.elbo_ratio(lambda z: log_w, Normal(0.0, 1.0), z=np.zeros(N))
    assert result.value == -np.inf


@every_estimator
def test_the_right_arguments_are_accepted_without_a_warning(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator(**RIGHT[estimator], n=N, rng=0)
