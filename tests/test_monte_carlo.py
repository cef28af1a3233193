"""Expectations and importance samplers: exact answers, hard cases, and the same bits however the work is done."""

import math
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from autograd import grad

import mcvi
from mcvi.distributions import Independent, Laplace, Normal
from tests.statistics import assert_estimates

P, Q = Normal(1.0, 1.0), Normal(0.0, 2.0)


def square(z):
    return z**2


def target(z):
    return -0.5 * (z - 1.0) ** 2


def test_an_expectation_is_the_mean_and_its_error():
    z = Q.sample(1000, rng=0)
    e = mcvi.expectation(square, Q, z=z)
    assert e.value == pytest.approx(np.mean(z**2), rel=1e-14)
    assert e.standard_error == pytest.approx(np.std(z**2, ddof=1) / math.sqrt(1000), rel=1e-12)
    assert e.n == 1000
    assert e.key is None


def test_the_values_of_f_may_have_axes_of_their_own():
    q = Normal([0.0, 1.0, 2.0], 1.0)
    e = mcvi.expectation(lambda z: np.stack([z, z**2], axis=-1), q, n=100_000, rng=0)
    assert e.shape == (3, 2)
    assert_estimates(e, [[0.0, 1.0], [1.0, 2.0], [2.0, 5.0]], resolves=0.3)


def test_importance_sampling_is_right_for_values_of_any_sign():
    e = mcvi.expectation_importance_sampler(lambda z: z - 1.5, P.log_prob, Q, n=200_000, rng=0)
    assert_estimates(e, -0.5, resolves=0.05)
    assert e.khat < 0.7
    assert 0 < e.ess < e.n


def test_importance_sampling_loses_nothing_to_overflow_or_underflow():
    z = np.array([0.5, 1.0, 2.0])
    q = Normal(0.0, 1.0)
    for shift in (-900.0, 0.0, 700.0):

        def log_p(z, shift=shift):
            return q.log_prob(z) + shift

        tiny = math.exp(-shift) if abs(shift) < 700 else math.exp(-700 * math.copysign(1, shift))
        e = mcvi.expectation_importance_sampler(lambda z, tiny=tiny: (z - 1.2) * tiny, log_p, q, z=z)
        expected = np.mean(z - 1.2) * math.exp(shift + math.log(tiny))
        assert float(e) == pytest.approx(expected, rel=1e-12)


def test_self_normalised_estimates_do_not_see_the_constant():
    a = mcvi.expectation_self_normalized(square, target, Q, n=50_000, rng=0)
    b = mcvi.expectation_self_normalized(square, lambda z: target(z) + 2000.0, Q, n=50_000, rng=0)
    assert float(a) == pytest.approx(float(b), rel=1e-9)
    assert_estimates(a, 2.0, resolves=0.3)


def test_log_space_is_the_logarithm_of_the_other():
    a = mcvi.expectation_importance_sampler(square, P.log_prob, Q, n=20_000, rng=0)
    b = mcvi.expectation_importance_sampler_logspace(lambda z: np.log(z**2), P.log_prob, Q, n=20_000, rng=0)
    assert math.log(float(a)) == pytest.approx(float(b), rel=1e-12)
    assert b.standard_error == pytest.approx(a.standard_error / float(a), rel=1e-9)


def test_float32_in_is_float32_out():
    q = Normal(np.float32(0), np.float32(2))
    e = mcvi.renyi_ratio(P.log_prob, q, 0.5, n=1000, rng=0)
    assert e.value.dtype == np.float32
    assert e.standard_error.dtype == np.float32


# The same bits.

PRODUCT_P, PRODUCT_Q = Independent(Normal(np.ones(7), 2.0), 1), Independent(Normal(np.zeros(7), 2.0), 1)
ESTIMATORS = {
    "renyi fused": lambda **k: mcvi.renyi_ratio(P.log_prob, Q, 0.5, **k),
    "curve fused": lambda **k: mcvi.renyi_curve(P.log_prob, Q, [-1.0, 1.0, 1.0 + 1e-9, 2.0], **k),
    "products fused": lambda **k: mcvi.renyi_ratio(PRODUCT_P.log_prob, PRODUCT_Q, 0.5, **k),
    "curve array": lambda **k: mcvi.renyi_curve(target, Q, [-1.0, 1.0, 1.0 + 1e-9, 2.0], **k),
    "elbo fused": lambda **k: mcvi.elbo_ratio(P.log_prob, Q, form="sample", **k),
    "renyi array": lambda **k: mcvi.renyi_ratio(target, Q, 0.5, **k),
    "elbo": lambda **k: mcvi.elbo_ratio(target, Q, **k),
    "expectation": lambda **k: mcvi.expectation(square, Q, **k),
    "self-normalised": lambda **k: mcvi.expectation_self_normalized(square, target, Q, **k),
    "signed": lambda **k: mcvi.expectation_importance_sampler(np.sin, P.log_prob, Q, **k),
    "batch fused": lambda **k: mcvi.renyi_ratio(Normal(1.0, 2.0).log_prob, Normal(np.zeros(70), 2.0), 0.5, **k),
    "batch": lambda **k: mcvi.renyi_ratio(target, Normal(np.zeros(7), 2.0), 0.5, **k),
}
N = 9 * 8 * 2**14 + 12_345


def bits(estimate):
    fields = (estimate.value, estimate.standard_error, estimate.bias, estimate.ess, estimate.khat)
    return [None if x is None else np.asarray(x).tobytes() for x in fields]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_threads_do_not_change_a_bit(name):
    run = ESTIMATORS[name]
    n = N // {"batch": 7, "products fused": 7, "batch fused": 70}.get(name, 1)
    default = bits(run(n=n, rng=3))
    for workers in (1, 2, 4):
        with ThreadPoolExecutor(workers) as pool:
            assert bits(run(n=n, rng=3, executor=pool)) == default
    assert bits(run(n=n, rng=3)) == default
    assert bits(run(n=n, rng=4)) != default


def test_threads_do_not_change_a_bit_of_longer_tasks():
    run, n = ESTIMATORS["renyi fused"], 10**7  # tasks of 16 blocks
    default = bits(run(n=n, rng=3))
    for workers in (1, 3):
        with ThreadPoolExecutor(workers) as pool:
            assert bits(run(n=n, rng=3, executor=pool)) == default


@pytest.mark.slow
def test_processes_do_not_change_a_bit():
    with ProcessPoolExecutor(2) as pool:
        for name in ("renyi fused", "products fused", "batch fused", "curve fused", "renyi array", "expectation"):
            run = ESTIMATORS[name]
            assert bits(run(n=N, rng=3, executor=pool)) == bits(run(n=N, rng=3))


@pytest.mark.fresh_draws
def test_the_key_of_an_estimate_repeats_it():
    a = mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=1000)
    b = mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=1000, rng=a.key)
    assert bits(a) == bits(b)
    assert bits(mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=1000)) != bits(a)


def test_a_generator_is_advanced_and_a_rerun_repeats():
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    a = [float(mcvi.expectation(square, Q, n=100, rng=first)) for _ in range(2)]
    b = [float(mcvi.expectation(square, Q, n=100, rng=second)) for _ in range(2)]
    assert a == b
    assert a[0] != a[1]


def test_given_draws_are_the_draws_of_the_same_rng():
    a = mcvi.renyi_ratio(target, Q, 0.5, n=5000, rng=0)
    b = mcvi.renyi_ratio(target, Q, 0.5, z=Q.sample(5000, rng=0))
    assert bits(a) == bits(b)


@pytest.mark.slow
def test_it_works_in_a_forked_child_after_threads_were_used():
    code = """
import os, mcvi
from mcvi.distributions import Normal
P, Q = Normal(1.0, 1.0), Normal(0.0, 2.0)
run = lambda: float(mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=2**20, rng=0))
value = run()
if (child := os.fork()) == 0:
    os._exit(0 if run() == value else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], check=True, timeout=60)


class CountsItsCallers:
    """A user's distribution that notes how many threads are inside at once."""

    batch_shape = event_shape = ()

    def __init__(self):
        self.inside, self.most = 0, 0

    def _called(self, result):
        self.inside += 1
        time.sleep(0.001)
        self.most = max(self.most, self.inside)
        self.inside -= 1
        return result

    def sample(self, n, *, rng):
        return self._called(rng.standard_normal(n))

    def log_prob(self, z):
        return self._called(-0.5 * z * z)


@pytest.mark.parametrize("inside", [False, True], ids=["itself", "inside a family"])
def test_a_users_class_is_never_called_from_two_threads_at_once(inside):
    of_user = CountsItsCallers()
    q = Independent(of_user, 0) if inside else of_user
    for run in (
        lambda: mcvi.renyi_ratio(P.log_prob, q, 0.5, n=N, rng=0),
        lambda: mcvi.elbo_ratio(P.log_prob, q, n=N, rng=0),
        lambda: mcvi.expectation(P.log_prob, q, n=N, rng=0),
        lambda: mcvi.expectation_importance_sampler(P.log_prob, P.log_prob, q, n=N, rng=0),
        lambda: mcvi.renyi_ratio(q.log_prob, Q, 0.5, n=N, rng=0),
    ):
        run()
    assert of_user.most == 1
    with ThreadPoolExecutor(2) as pool:  # but with the user's word, it is
        mcvi.renyi_ratio(P.log_prob, q, 0.5, n=N, rng=0, executor=pool)
    assert of_user.most == 2


@pytest.mark.parametrize("inside", [False, True], ids=["itself", "inside a family"])
def test_what_a_subclass_says_of_itself_is_heard(inside):
    class Truncated(Normal):
        def sample(self, n=None, *, rng=None):
            return np.abs(super().sample(n, rng=rng))

        def log_prob(self, value):
            return np.where(value > 0, super().log_prob(value) + math.log(2.0), -np.inf)

    half = Independent(Truncated(0.0, 1.0), 0) if inside else Truncated(0.0, 1.0)
    assert_estimates(mcvi.expectation(lambda z: z, half, n=100_000, rng=0), math.sqrt(2 / math.pi), resolves=0.1)
    z = half.sample(1000, rng=0)
    assert (z > 0).all()
    assert half.log_prob(-1.0) == -np.inf
    for target, proposal in [(Q, half), (half, Q)]:
        expected = math.log(np.mean(np.exp(target.log_prob(z) - proposal.log_prob(z))))
        assert float(mcvi.renyi_ratio(target.log_prob, proposal, 0.0, z=z)) == pytest.approx(expected, rel=1e-12)


def test_estimators_may_be_called_from_many_threads_and_from_inside_f():
    alone = float(mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=2**21, rng=0))
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda _: float(mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=2**21, rng=0)), range(8)))
    assert many == [alone] * 8

    def f(z):
        return z * float(mcvi.expectation(square, Q, n=100, rng=1))

    inside = mcvi.expectation(f, Q, n=100_000, rng=0)
    assert inside == pytest.approx(float(mcvi.expectation(lambda z: z, Q, n=100_000, rng=0)) * 4.1, rel=0.2)


@pytest.mark.slow
def test_memory_does_not_grow_with_n():
    code = """
import resource, mcvi
from mcvi.distributions import Normal
P, Q = Normal(1.0, 1.0), Normal(0.0, 2.0)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=2**18, rng=0)
mcvi.expectation(lambda z: z, Q, n=2**18, rng=0)
before = peak()
mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=10**8, rng=0)
mcvi.expectation(lambda z: z, Q, n=10**7, rng=0)
assert peak() - before < 64, peak() - before
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_progress_is_reported_and_an_interrupt_comes_through():
    seen = []
    mcvi.expectation(square, Q, n=N, rng=0, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (N, N)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=10**8, rng=0, progress=interrupt)


def test_gradients_of_the_importance_samplers_are_those_of_their_formulas():
    noise = np.random.default_rng(0).normal(size=50)

    def value(f):
        def at(m):
            z = m + 2.0 * noise
            q = Normal(m, 2.0)
            return f(q, z)

        return at

    for f in (
        lambda q, z: mcvi.expectation_importance_sampler(lambda z: z**3, P.log_prob, q, z=z),
        lambda q, z: mcvi.expectation_importance_sampler_logspace(lambda z: 0.1 * z, P.log_prob, q, z=z),
        lambda q, z: mcvi.expectation_self_normalized(lambda z: z, Laplace(0.3, 1.0).log_prob, q, z=z),
    ):
        at = value(f)
        numeric = (float(at(0.2 + 1e-6)) - float(at(0.2 - 1e-6))) / 2e-6
        assert grad(at)(0.2) == pytest.approx(numeric, rel=1e-6)


def test_functions_may_write_their_results_into_one_array():
    buffer = np.empty(1000)

    class Own:
        batch_shape, event_shape = (), ()

        def sample(self, n, rng):
            return rng.normal(size=n)

        def log_prob(self, z):
            return np.multiply(-0.5 * z, z, out=buffer)

    def log_p(z):
        return np.multiply(-0.3 * z, z, out=buffer)

    def f(z):
        return np.add(z, 2.0, out=buffer)

    z, q = np.random.default_rng(0).normal(size=1000), Own()
    expected = mcvi.renyi_ratio(lambda z: log_p(z).copy(), q, 0.5, z=z)
    assert bits(mcvi.renyi_ratio(log_p, q, 0.5, z=z)) == bits(expected)
    expected = mcvi.expectation_self_normalized(lambda z: f(z).copy(), lambda z: log_p(z).copy(), q, z=z)
    assert bits(mcvi.expectation_self_normalized(f, log_p, q, z=z)) == bits(expected)
