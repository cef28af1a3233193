"""The cost of `import mcvi`: little time, no plotting, no compilation."""

import os
import subprocess
import sys

import pytest

BUDGET = 0.6  # seconds of processor time
RUNS = 5


def run(script):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def seconds(statement):
    """Return the least processor time of several fresh processes: a busy machine lengthens the clock, less so this."""
    script = f"from time import process_time as t; start = t(); {statement}; print(t() - start)"
    return min(float(run(script)) for _ in range(RUNS))


@pytest.mark.slow
def test_importing_takes_little_more_than_numpy_and_numba_do():
    own, bare = seconds("import mcvi"), seconds("import numpy, numba")
    # On a machine where NumPy and Numba alone take longer than the budget allows, half as much again as they.
    assert own < max(BUDGET, 1.5 * bare), f"import mcvi: {own:.2f} s, numpy and numba alone: {bare:.2f} s"


@pytest.mark.parametrize(
    "module", ["matplotlib", "scipy.special", "scipy.stats", "pandas", "xarray", "arviz_stats", "distributed", "jax"]
)
def test_importing_leaves_heavy_modules_alone(module):
    assert run(f"import sys, mcvi; print({module!r} in sys.modules)") == "False"


def test_importing_compiles_nothing():
    script = """
import gc
from numba.core import event
from numba.core.dispatcher import Dispatcher
with event.install_recorder("numba:compile") as compiled:
    import mcvi
    import mcvi.distributions, mcvi.math
ours = [d for d in gc.get_objects() if isinstance(d, Dispatcher) and d.py_func.__module__.startswith("mcvi")]
print(len(ours) > 0, len(compiled.buffer), sum(len(d.signatures) for d in ours))
"""
    assert run(script) == "True 0 0"


def test_every_part_can_be_named_after_importing_the_package():
    parts = "bias datasets diagnostics distributions divergences math monte_carlo plots random stochastic testing vi"
    assert run(f"import mcvi; print([getattr(mcvi, part).__name__ for part in {parts!r}.split()] != [])") == "True"
    assert run("import mcvi; print(hasattr(mcvi, 'nothing_of_the_kind'), 'bias' in dir(mcvi))") == "False True"
