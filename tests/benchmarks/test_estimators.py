"""The speed of the estimators, as ratios in one process: ``pytest tests/benchmarks --benchmark-enable -s``.

Ratios depend on the machine and on what else runs on it; the numbers that the project claims, and the machine they were
measured on, stand in docs/design/speed.md.
"""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mcvi
from mcvi.distributions import Beta, Exponential, Gamma, Independent, Laplace, Logistic, Normal, StudentT, Uniform

P, Q = Normal(1.0, 2.0), Normal(0.0, 1.0)
LOG_2 = math.log(2.0)


def lean_log_weights(z):
    """Return log N(z; 1, 2) - log N(z; 0, 1) in place, as a careful user writes it."""
    v = z - 1.0
    v *= 0.5
    v *= v
    v *= -0.5
    v -= LOG_2
    z = z * z
    z *= 0.5
    v += z
    return v


def lean_renyi(v):
    """Return the Renyi ratio of order 1/2 and its standard error from log weights, overwriting them."""
    v *= 0.5
    largest = v.max()
    v -= largest
    np.exp(v, out=v)
    mean = v.mean()
    return (math.log(mean) + largest) / 0.5, math.sqrt((v @ v / v.size / mean**2 - 1) / v.size) / 0.5


def plain_renyi(z):
    """Return the same with a temporary for every step, as it is written down first."""
    v = -0.5 * ((z - 1.0) / 2.0) ** 2 - LOG_2 + 0.5 * z**2
    largest = np.max(0.5 * v)
    w = np.exp(0.5 * v - largest)
    mean = np.mean(w)
    return (np.log(mean) + largest) / 0.5, np.sqrt((np.mean(w**2) / mean**2 - 1) / z.size) / 0.5


def lean(n):
    return lean_renyi(lean_log_weights(np.random.default_rng(0).standard_normal(n)))


def test_renyi_ratio_of_ten_million_draws_against_numpy(ratio):
    assert ratio(lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=10**7, rng=0), lambda: lean(10**7), rounds=7) > 8


def test_renyi_ratio_of_ten_million_draws_against_jax(ratio, jax):
    numpy, random = jax.numpy, jax.random

    @jax.jit
    def renyi(key):
        z = random.normal(key, (10**7,), dtype=numpy.float64)
        v = 0.5 * (-0.5 * ((z - 1) / 2) ** 2 - LOG_2 + 0.5 * z * z)
        largest = v.max()
        w = numpy.exp(v - largest)
        mean = w.mean()
        return (numpy.log(mean) + largest) / 0.5, (w * w).mean() / mean**2

    key = random.key(0)
    times = ratio(
        lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=10**7, rng=0),
        lambda: jax.block_until_ready(renyi(key)),
        rounds=7,
    )
    assert times > 10


@pytest.mark.parametrize("reuse", [False, True], ids=["fresh memory", "memory used again"])
def test_renyi_ratio_of_given_draws_against_plain_numpy(reuse):
    """In a process of its own: how long a temporary takes depends on whether the allocator keeps its memory.

    By default it gives arrays of this size back to the system, and fetches them anew for each operation.
    """
    code = """
import time, mcvi
from tests.benchmarks.test_estimators import P, Q, plain_renyi
def least(run):
    times = []
    for _ in range(300):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)
z = Q.sample(100_000, rng=0)
ours, theirs = least(lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.5, z=z)), least(lambda: plain_renyi(z))
print(f"{ours:.3g} s, plain NumPy {theirs:.3g} s: {theirs / ours:.2f} times")
print(theirs / ours)
"""
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**28)}
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment if reuse else None
    )
    print(run.stdout)
    assert float(run.stdout.split()[-1]) > (2 if reuse else 5)


def test_renyi_ratio_of_given_draws_against_lean_numpy(ratio):
    z = Q.sample(100_000, rng=0)
    ratio(lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.5, z=z), lambda: lean_renyi(lean_log_weights(z)), rounds=300)


def test_a_thousand_draws(ratio, benchmark):
    ratio(lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=1000, rng=0), lambda: lean(1000), rounds=3000)
    assert benchmark.extra_info["ours, seconds"] < 40e-6


@pytest.mark.parametrize("n", [1000, 2000, 10**5, 10**7])
def test_a_python_callable_against_the_numpy_code_that_its_user_would_write(ratio, n):
    def log_p(z):
        return -0.5 * ((z - 1.0) / 2.0) ** 2

    def theirs():
        z = np.random.default_rng(0).standard_normal(n)
        v = 0.5 * (log_p(z) + 0.5 * z**2)
        largest = v.max()
        w = np.exp(v - largest)
        mean = w.mean()
        return np.log(mean) + largest, np.sqrt((np.mean(w**2) / mean**2 - 1) / n)

    ratio(lambda: mcvi.renyi_ratio(log_p, Q, 0.5, n=n, rng=0), theirs, rounds=5 if n > 10**6 else 300)


def test_a_curve_of_eight_orders_against_numpy(ratio):
    alphas = np.linspace(0.0, 0.9, 8)

    def theirs():
        v = lean_log_weights(np.random.default_rng(0).standard_normal(10**6))
        return [np.log(np.mean(np.exp((1 - alpha) * v - (top := np.max((1 - alpha) * v))))) + top for alpha in alphas]

    assert ratio(lambda: mcvi.renyi_curve(P.log_prob, Q, alphas, n=10**6, rng=0), theirs, rounds=10) > 5


def test_a_self_normalised_mean_against_numpy(ratio):
    def theirs():
        z = np.random.default_rng(0).standard_normal(10**6)
        v = lean_log_weights(z)
        w = np.exp(v - v.max())
        mean = w @ z / w.sum()
        return mean, math.sqrt(np.sum((w * (z - mean)) ** 2)) / w.sum()

    ours = lambda: mcvi.expectation_self_normalized(lambda z: z, P.log_prob, Q, n=10**6, rng=0)
    assert ratio(ours, theirs, rounds=10) > 1.5


def test_the_evidence_bound_of_a_batch_against_numpy(ratio):
    q, p = Normal(np.zeros(100), 1.0), Normal(np.ones(100), 2.0)

    def theirs():
        v = lean_log_weights(np.random.default_rng(0).standard_normal((20_000, 100)))
        return v.mean(axis=0), v.std(axis=0) / math.sqrt(20_000)

    assert ratio(lambda: mcvi.elbo_ratio(p.log_prob, q, n=20_000, rng=0, form="sample"), theirs, rounds=10) > 4


# The last is the slowest: parts of its tails are selected where they are merged.
BATCHES = [(200_000, 10), (20_000, 100), (2000, 1000), (200, 10_000), (1000, 10_000)]


@pytest.mark.parametrize(("shape", "least"), [*zip(BATCHES, [2.5, 2.5, 2.5, 2.5, 1], strict=True)])
def test_renyi_ratios_of_a_batch_against_numpy(ratio, shape, least):
    n, members = shape
    q, p = Normal(np.zeros(members), 1.0), Normal(np.ones(members), 2.0)

    def theirs():
        v = lean_log_weights(np.random.default_rng(0).standard_normal(shape))
        v *= 0.5
        largest = v.max(axis=0)
        v -= largest
        np.exp(v, out=v)
        mean = v.mean(axis=0)
        v *= v
        return (np.log(mean) + largest) / 0.5, np.sqrt((v.mean(axis=0) / mean**2 - 1) / n) / 0.5

    assert ratio(lambda: mcvi.renyi_ratio(p.log_prob, q, 0.5, n=n, rng=0), theirs, rounds=7) > least


@pytest.mark.parametrize(("shape", "least"), [*zip(BATCHES, [4, 4, 4, 4, 1.5], strict=True)])
def test_renyi_ratios_of_a_batch_against_jax(ratio, jax, shape, least):
    n, members = shape
    q, p = Normal(np.zeros(members), 1.0), Normal(np.ones(members), 2.0)
    numpy, random = jax.numpy, jax.random

    @jax.jit
    def renyi(key):
        z = random.normal(key, shape, dtype=numpy.float64)
        v = 0.5 * (-0.5 * ((z - 1) / 2) ** 2 - LOG_2 + 0.5 * z * z)
        largest = v.max(axis=0)
        w = numpy.exp(v - largest)
        mean = w.mean(axis=0)
        return (numpy.log(mean) + largest) / 0.5, (w * w).mean(axis=0) / mean**2

    ours = lambda: mcvi.renyi_ratio(p.log_prob, q, 0.5, n=n, rng=0)
    assert ratio(ours, lambda: jax.block_until_ready(renyi(random.key(0))), rounds=7) > least


def test_an_evidence_bound_with_the_entropy_in_closed_form_against_numpy(ratio):
    def theirs():
        v = np.random.default_rng(0).standard_normal(10**7)
        v -= 1.0
        v *= v
        v *= -0.125
        return v.mean() - LOG_2, v.std() / math.sqrt(v.size)

    assert ratio(lambda: mcvi.elbo_ratio(P.log_prob, Q, n=10**7, rng=0), theirs, rounds=7) > 8


FAMILIES = {
    "Normal": Normal(0.0, 1.0),
    "Laplace": Laplace(0.0, 1.0),
    "Logistic": Logistic(0.0, 1.0),
    "StudentT": StudentT(5.0, 0.0, 1.0),
    "Uniform": Uniform(0.1, 0.9),
    "Exponential": Exponential(1.0),
    "Gamma": Gamma(2.5, 1.0),
    "Beta": Beta(2.0, 3.0),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_fused_loop_against_the_array_path(ratio, name):
    """StudentT, Gamma and Beta are drawn a block at a time, and only weighed in one loop: the ratio is of threads."""
    q = FAMILIES[name]
    p = type(q)(**{key: value * 1.1 for key, value in q.parameters.items()})
    ratio(
        lambda: mcvi.renyi_ratio(p.log_prob, q, 0.5, n=10**6, rng=0),
        lambda: mcvi.renyi_ratio(lambda z: p.log_prob(z), q, 0.5, n=10**6, rng=0),
        rounds=10,
    )


@pytest.mark.parametrize("size", [2, 10, 100])
@pytest.mark.parametrize("name", ["Normal", "Laplace", "Logistic", "Uniform", "Exponential"])
def test_the_fused_loop_of_products_against_the_array_path(ratio, name, size):
    """The array path is given the threads that it has not by itself, so that the ratio is that of the loops."""
    factors = FAMILIES[name]
    numbers = {key: np.full(size, value) for key, value in factors.parameters.items()}
    q = Independent(type(factors)(**numbers), 1)
    p = Independent(type(factors)(**{key: value * 1.1 for key, value in numbers.items()}), 1)
    n = 10**6 // size
    with ThreadPoolExecutor(2) as pool:
        ratio(
            lambda: mcvi.renyi_ratio(p.log_prob, q, 0.5, n=n, rng=0),
            lambda: mcvi.renyi_ratio(lambda z: p.log_prob(z), q, 0.5, n=n, rng=0, executor=pool),
            rounds=10,
        )


def test_a_billion_draws_in_flat_memory():
    code = """
import resource, time, mcvi
from mcvi.distributions import Normal
P, Q = Normal(1.0, 2.0), Normal(0.0, 1.0)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=2**18, rng=0)
before, start = peak(), time.perf_counter()
estimate = mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=10**9, rng=0)
print(f"{estimate!r}: {time.perf_counter() - start:.2f} s, {peak() - before:.1f} MB more")
assert peak() - before < 64
"""
    print(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
