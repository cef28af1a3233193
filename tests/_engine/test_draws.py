"""Blocks of draws: cut anywhere the same, given at most `block_size` at a time, and read-only."""

import math
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import mcvi
from mcvi._engine.draws import Draws
from mcvi.distributions import (
    Beta,
    Categorical,
    Dirichlet,
    Gamma,
    Independent,
    MultivariateNormalDiag,
    MultivariateNormalTriL,
    Normal,
    Poisson,
    StudentT,
)
from mcvi.random import Key, tile_rows

KEY = Key(7)
P, Q = Normal(0.3, 1.2), Normal(0.0, 1.0)
FAMILIES = {
    "normal": Normal(0.0, [1.0, 2.0, 3.0]),
    "student": StudentT(3.0, 0.0, 1.0),
    "gamma": Gamma([0.3, 4.0], 1.0),
    "beta": Beta(0.5, 3.0),
    "poisson": Poisson([0.5, 40.0]),
    "categorical": Categorical(probs=[0.2, 0.3, 0.5]),
    "dirichlet": Dirichlet([0.5, 1.0, 3.0]),
    "diagonal": MultivariateNormalDiag(np.zeros(5), np.ones(5)),
    "full": MultivariateNormalTriL(np.zeros(2), [[1.0, 0.0], [0.3, 2.0]]),
    "product": Independent(Gamma([[0.5, 2.0], [3.0, 4.0]], 1.0), 1),
}


class Own:
    """A user's distribution, which returns what it likes: an array, or a list."""

    batch_shape, event_shape = (), ()

    def __init__(self, convert=np.asarray):
        self.convert, self.asked = convert, []

    def sample(self, n, *, rng):
        self.asked.append(n)
        return self.convert(rng.normal(size=n))

    def log_prob(self, z):
        return self.convert(-0.5 * np.asarray(z) ** 2 - 0.5 * math.log(2 * math.pi))


def started(q, n, block_size=None, z=None):
    draws = Draws.of(q, None if z is not None else n, z, KEY, block_size)
    draws.start()
    return draws


# Long draws are their pieces.


@pytest.mark.parametrize("q", FAMILIES.values(), ids=FAMILIES)
def test_blocks_are_the_rows_of_one_long_draw_bit_for_bit(q):
    draws = started(q, 40_001)
    assert draws.blocks > 1
    assert draws.rows % tile_rows(draws.elements) == 0
    whole = q.sample(40_001, rng=KEY)
    pieces = [draws.block(block) for block in range(draws.blocks)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    np.testing.assert_array_equal(draws.whole(), whole)
    np.testing.assert_array_equal(draws.at_once().block(0), whole)
    np.testing.assert_array_equal(draws.constant(), whole)
    assert [len(piece) for piece in pieces[:-1]] == [draws.rows] * (draws.blocks - 1)
    assert draws.first(draws.blocks - 1) + len(pieces[-1]) == draws.n


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("blocks", [1, 2, 8, 9])
def test_every_draw_counts_once_about_the_end_of_a_block(blocks, extra):
    n = 2**14 * blocks + extra
    z = Q.sample(n, rng=KEY)
    found = mcvi.expectation(lambda z: z, Q, n=n, rng=KEY)
    assert found.value == pytest.approx(math.fsum(z) / n, rel=1e-11, abs=1e-15)
    assert found.n == n
    calls = []
    mcvi.expectation(lambda z: (calls.append(len(z)), z)[1], Q, n=n, rng=KEY)
    assert sum(calls) == n
    assert len(calls) == -(-n // 2**14)


@pytest.mark.parametrize("elements", [1, 2, 8, 100, 2**17 - 1, 2**17, 2**17 + 1])
def test_a_block_holds_so_many_draws_and_numbers_at_most(elements):
    draws = started(Independent(Normal(np.zeros(elements), 1.0), 1), 10**6)
    unit = tile_rows(elements)
    assert draws.rows % unit == 0
    assert draws.rows == unit or draws.rows * elements <= 2**17
    assert draws.rows <= max(unit, 2**14)
    assert (draws.rows + unit) * elements > 2**17 or draws.rows + unit > 2**14


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_the_draws_of_a_users_class_come_from_a_generator_a_block(n):
    own = Own()
    draws = started(own, n)
    np.testing.assert_array_equal(draws.block(0), started(Own(list), n).block(0))
    assert own.asked == [n]


def test_a_sampler_that_writes_into_one_array_loses_nothing():
    class Buffered(Own):
        buffer = np.empty(2**14)

        def sample(self, n, *, rng):
            self.buffer[:n] = rng.normal(size=n)
            return self.buffer[:n]

    n = 50_000
    np.testing.assert_array_equal(started(Buffered(), n).whole(), started(Own(), n).whole())


# How many draws a function is given.


def estimators(f, **options):
    """Return every estimator of a function of the draws, which it is given."""
    q = options.pop("q", Q)

    def log_f(z):
        return -np.abs(f(z))

    return {
        "expectation": lambda **o: mcvi.expectation(f, q, **options, **o),
        "importance": lambda **o: mcvi.expectation_importance_sampler(f, P.log_prob, q, **options, **o),
        "importance of log_p": lambda **o: mcvi.expectation_importance_sampler(np.sin, log_f, q, **options, **o),
        "log space": lambda **o: mcvi.expectation_importance_sampler_logspace(log_f, P.log_prob, q, **options, **o),
        "self-normalised": lambda **o: mcvi.expectation_self_normalized(f, P.log_prob, q, **options, **o),
        "bound": lambda **o: mcvi.elbo_ratio(log_f, q, **options, **o),
        "renyi": lambda **o: mcvi.renyi_ratio(log_f, q, 0.5, **options, **o),
        "curve": lambda **o: mcvi.renyi_curve(log_f, q, [0.0, 1.0], **options, **o),
    }


NAMES = list(estimators(np.sin))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", [False, True], ids=["n", "z"])
@pytest.mark.parametrize("size", [1, 7, 1000, 2**14 - 1, 2**14, 2**14 + 1, 2**15, 50_000, 10**6])
def test_a_function_is_given_block_size_draws_at_most(name, size, given):
    asked = []

    def f(z):
        asked.append(len(z))
        return np.cos(z)

    n = 300 if size < 10 else 20_000
    source = {"z": Q.sample(n, rng=1)} if given else {"n": n, "rng": 1}
    found = estimators(f, **source)[name](block_size=size)
    assert max(asked) <= size
    assert sum(asked) == n
    if size >= 2**15:
        assert len(asked) == 1
    plain = estimators(np.cos, **source)[name]()
    np.testing.assert_allclose(found.value, plain.value, rtol=1e-12)
    np.testing.assert_allclose(found.standard_error, plain.standard_error, rtol=1e-11)


def test_a_users_sampler_is_asked_for_block_size_draws_at_most():
    own = Own()
    mcvi.renyi_ratio(P.log_prob, own, 0.5, n=1000, rng=0, block_size=300)
    assert own.asked == [300, 300, 300, 100]


def test_functions_of_the_library_are_not_cut_and_the_fused_path_does_not_look():
    plain = mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=100_000, rng=0)
    small = mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=100_000, rng=0, block_size=10)
    assert (plain.value, plain.standard_error, plain.method) == (small.value, small.standard_error, small.method)


def tempered(z):
    return 0.7 * P.log_prob(z) + 0.1 * np.sin(z)


@pytest.mark.parametrize("size", [1000, 2**14, 40_000])
def test_the_same_block_size_gives_the_same_bits_on_any_executor(size):
    runs = [mcvi.renyi_ratio(tempered, Q, 0.5, n=400_000, rng=1, block_size=size)]
    runs.append(mcvi.renyi_ratio(tempered, Q, 0.5, n=400_000, rng=runs[0].key, block_size=size))
    for pool in (ThreadPoolExecutor(2), ProcessPoolExecutor(2)):
        with pool:
            runs.append(mcvi.renyi_ratio(tempered, Q, 0.5, n=400_000, rng=1, block_size=size, executor=pool))
    assert len({(run.value, run.standard_error, run.bias, run.ess, run.khat) for run in runs}) == 1


def test_block_size_bounds_the_memory_of_a_density_that_allocates_per_data_point():
    data = np.linspace(-3.0, 3.0, 3000)

    def log_joint(z):
        return P.log_prob(z) + np.sum(-0.5 * (data - z[:, None]) ** 2, axis=1) / 3000

    q = Normal(0.0, 0.8)
    mcvi.renyi_ratio(log_joint, q, 0.5, n=1000, rng=0)  # compiles
    tracemalloc.start()
    try:
        mcvi.renyi_ratio(log_joint, q, 0.5, n=4000, rng=0, block_size=100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Two arrays (100, 3000) at a time are 4.8 MB; without block_size they would be 192 MB.
    assert peak < 10e6


@pytest.mark.parametrize(
    ("size", "error", "sentence"),
    [
        (0, ValueError, "block_size must be a positive integer; got 0."),
        (-3, ValueError, "block_size must be a positive integer; got -3."),
        (1e3, TypeError, "block_size must be an integer; got 1000.0 (float); use int(1000.0)."),
        (True, TypeError, "block_size must be an integer; got True (bool)."),
        ("10", TypeError, "block_size must be an integer; got '10' (str)."),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_block_size_that_is_none_is_refused_before_anything_is_drawn(name, size, error, sentence):
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    with pytest.raises(error) as caught:
        estimators(np.cos, n=10, rng=rng)[name](block_size=size)
    assert str(caught.value) == sentence
    with pytest.raises(error):
        mcvi.kl_divergence(Q, StudentT(3.0, 0.0, 1.0), n=10, rng=rng, block_size=size)
    assert rng.bit_generator.state == before


def test_whatever_is_refused_leaves_the_generator_where_it_was():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    for call in (
        lambda: mcvi.elbo_ratio(3, Q, n=10, rng=rng),
        lambda: mcvi.elbo_ratio(P.log_prob, Q, n=10, rng=rng, form="none"),
        lambda: mcvi.elbo_ratio(P.log_prob, Q, n=10, rng=rng, executor=3),
        lambda: mcvi.elbo_ratio(P.log_prob, Q, n=10, rng=rng, progress=3),
        lambda: mcvi.renyi_ratio(P.log_prob, Q, math.nan, n=10, rng=rng),
        lambda: mcvi.renyi_ratio(P.log_prob, Q, [0.0, 1.0], n=10, rng=rng),
        lambda: mcvi.renyi_curve(P.log_prob, Q, [], n=10, rng=rng),
        lambda: mcvi.renyi_curve(P.log_prob, Q, 0.5, n=10, rng=rng),
        lambda: mcvi.renyi_curve(P.log_prob, Normal([0.0, 1.0], 1.0), np.zeros((2, 3)), n=10, rng=rng),
        lambda: mcvi.expectation(3, Q, n=10, rng=rng),
        lambda: mcvi.expectation(np.sin, Q, n=10, rng=rng, gradient="none"),
        lambda: mcvi.expectation_importance_sampler(np.sin, 3, Q, n=10, rng=rng),
        lambda: mcvi.expectation_importance_sampler_logspace(3, P.log_prob, Q, n=10, rng=rng),
        lambda: mcvi.expectation_self_normalized(3, P.log_prob, Q, n=10, rng=rng),
    ):
        with pytest.raises((TypeError, ValueError)):
            call()
    assert rng.bit_generator.state == before


def test_alphas_that_do_not_fit_the_batch_are_refused_in_a_sentence():
    with pytest.raises(ValueError) as caught:
        mcvi.renyi_curve(P.log_prob, Normal([0.0, 1.0], 1.0), np.zeros((2, 3)), n=10, rng=0)
    assert str(caught.value) == "alphas[0] must broadcast to q.batch_shape (2,); got shape (3,)."


# Read-only to the user.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", [False, True], ids=["n", "z"])
def test_a_function_that_works_in_place_gets_the_error_of_numpy(name, given):
    def f(z):
        z *= 2.0
        return z

    z = Q.sample(100, rng=0)
    kept = z.copy()
    source = {"z": z} if given else {"n": 100, "rng": 0}
    with pytest.raises(ValueError, match="read-only"):
        estimators(f, **source)[name]()
    np.testing.assert_array_equal(z, kept)
    assert z.flags.writeable


def test_so_does_the_density_of_a_users_class_and_of_a_users_subclass():
    class InPlace(Own):
        def log_prob(self, z):
            z += 1.0
            return z

    class Sub(Normal):
        def _log_prob_block(self, z):
            z += 1.0
            return super()._log_prob_block(z)

    for q in (InPlace(), Sub(0.0, 1.0)):
        with pytest.raises(ValueError, match="read-only"):
            mcvi.renyi_ratio(P.log_prob, q, 0.5, n=100, rng=0)


def test_the_array_that_a_users_sampler_keeps_stays_writeable():
    kept = np.zeros(100)

    class Keeps(Own):
        def sample(self, n, *, rng):
            kept[:n] = rng.normal(size=n)
            return kept

    mcvi.renyi_ratio(P.log_prob, Keeps(), 0.5, n=100, rng=0)
    assert kept.flags.writeable


def test_a_caller_may_give_draws_that_are_read_only():
    z = Q.sample(100, rng=0)
    expected = {name: float(np.ravel(call())[0]) for name, call in estimators(np.cos, z=z).items()}
    z.flags.writeable = False
    assert {name: float(np.ravel(call())[0]) for name, call in estimators(np.cos, z=z).items()} == expected
    assert not z.flags.writeable


def test_functions_made_by_numba_take_blocks_also_where_they_name_their_types():
    import numba

    lazy = numba.njit(lambda z: -z * z)
    eager = numba.njit("float64[:](float64[:])")(lambda z: -z * z)
    a, b = (mcvi.renyi_ratio(f, Q, 0.5, n=1000, rng=0) for f in (lazy, eager))
    assert a.value == b.value
    assert a.value == pytest.approx(float(mcvi.renyi_ratio(lambda z: -z * z, Q, 0.5, n=1000, rng=0)), rel=1e-13)
