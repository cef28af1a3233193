"""Run the console script as a user does: in a process of its own, with a model of the user's own in the folder."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = ("--sizes", "4,16,64", "--replications", "50")

MODEL = '''
"""A target and a proposal of a user's own."""
import time
from pathlib import Path

import numpy as np

from mcvi.distributions import MultivariateNormalDiag


def log_joint(z):
    return -1.5 * np.log(2 * np.pi) - 0.5 * np.sum(z**2, axis=-1) - 4.0


def proposal():
    return MultivariateNormalDiag(np.full(3, 0.2), np.full(3, 1.2))


ready = MultivariateNormalDiag(np.full(3, 0.2), np.full(3, 1.2))
flat = 3


def slow(z):
    if len(z) > 10_000:
        with Path("calls").open("a") as calls:
            calls.write("x")
        time.sleep(0.005)
    return log_joint(z)


def late(z):
    late.drawn += len(z)
    if late.drawn > 300_000:
        raise RuntimeError("too many draws")
    return log_joint(z)


late.drawn = 0


def wide(z):
    return z


def broken(z):
    raise RuntimeError("no such thing")
'''


def environment():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PYTHONWARNINGS": "error"}


@contextmanager
def started(*arguments, folder):
    """Start the script; it hears Ctrl-C even where the tests do not, and never outlives the block."""
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child inherits that a signal is ignored
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcvi", *arguments],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
    finally:
        signal.signal(signal.SIGINT, ours)
    with process:
        try:
            yield process
        finally:
            process.kill()


def run(*arguments, folder):
    """Run the script to its end; return its exit code and what it printed."""
    with started(*arguments, folder=folder) as process:
        out, err = process.communicate(timeout=240)
    return process.returncode, out, err
