"""Fixtures of the benchmarks: JAX if it is installed, and a ratio taken in one process."""

import time

import pytest


def pytest_ignore_collect(collection_path, config):
    """Leave the benchmarks out of an ordinary run: they take minutes, and mean nothing on a busy machine."""
    return None if config.getoption("benchmark_enable") else True


@pytest.fixture(scope="session")
def jax():
    """JAX in float64; the benchmark is skipped, and says so, where it is not installed."""
    module = pytest.importorskip("jax", reason="JAX is not installed: install the extra `bench`")
    module.config.update("jax_enable_x64", True)
    return module


@pytest.fixture
def ratio(benchmark):
    """Return a function that times ours and theirs, and records how many times faster ours is."""

    def measure(ours, theirs, rounds):
        ours()
        theirs()
        best_ours = best_theirs = float("inf")
        # In batches, not in turns: the second core needs some runs to wake after a single-threaded one.
        for _ in range(2):
            best_ours = min(best_ours, *(_seconds(ours) for _ in range(rounds)))
            best_theirs = min(best_theirs, *(_seconds(theirs) for _ in range(rounds)))
        times = best_theirs / best_ours
        benchmark.extra_info.update({"times faster": round(times, 2), "ours, seconds": best_ours})
        benchmark.pedantic(ours, rounds=3)
        print(f"\n{benchmark.name}: ours {best_ours:.3g} s, theirs {best_theirs:.3g} s: {times:.2f} times")
        return times

    return measure


def _seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
