"""Refuse randomness that nobody could repeat: under test, a draw without a seed is an error.

A test that draws anew each time fails by luck. One that tests just this says so with ``@pytest.mark.fresh_draws``.

What mcvi and `default_rng` draw is refused while the tests run (`require_seeds`). The other sources of NumPy, SciPy and
Python, and the programs that tests give to a child process, are found in the text of the tests (`unseeded_calls`).
"""

import ast
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy.stats  # noqa: F401 - draws examples for its own documentation when it is first imported

import mcvi.random

_FRESH_KEY, _DEFAULT_RNG = mcvi.random._fresh_key, np.random.default_rng


def _refuse():
    raise AssertionError("a test drew without a seed: pass rng=, or mark the test with fresh_draws")


def _seeded_generator(seed=None):
    return _refuse() if seed is None else _DEFAULT_RNG(seed)


def require_seeds() -> None:
    """Let `rng=None`, and NumPy's `default_rng` without a seed, raise in this process."""
    mcvi.random._fresh_key, np.random.default_rng = _refuse, _seeded_generator


@contextmanager
def fresh_draws_allowed() -> Iterator[None]:
    """Take the randomness of the operating system inside the block."""
    mcvi.random._fresh_key, np.random.default_rng = _FRESH_KEY, _DEFAULT_RNG
    try:
        yield
    finally:
        require_seeds()


#: Classes and functions whose randomness can be repeated only if they are given an argument.
_NEED_AN_ARGUMENT = {
    *("default_rng", "RandomState", "SeedSequence", "Random"),
    *("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"),
}
#: Modules whose functions draw from one state that all tests share.
_SHARED_STATE = {"random", "np.random", "numpy.random"}
_NO_DRAWS = _NEED_AN_ARGUMENT | {"Generator", "BitGenerator"}


def unseeded_calls(source: str) -> Iterator[str]:
    """Yield the calls in a program that nobody could repeat, and those in the programs that it holds as strings."""
    program = ast.parse(source)
    yield from _unseeded(program)
    for text in ast.walk(program):
        if isinstance(text, ast.Constant) and isinstance(text.value, str) and "import " in text.value:
            try:
                child = ast.parse(textwrap.dedent(text.value))
            except SyntaxError:  # prose
                continue
            yield from _unseeded(child)
            yield from (ast.unparse(node) for node in ast.walk(child) if _draws_afresh(node))


def _unseeded(program: ast.Module) -> Iterator[str]:
    """Yield calls of the generators of NumPy, SciPy and Python without a seed, and of their shared state."""
    nodes = list(ast.walk(program))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    shared = (
        _SHARED_STATE if "random" in imported else _SHARED_STATE - {"random"}
    )  # another package may have a `random`
    for node in nodes:
        if isinstance(node, ast.ImportFrom):  # a bare name would hide where it comes from
            if node.module in _SHARED_STATE and any(alias.name not in _NO_DRAWS for alias in node.names):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call):
            owner, _, name = ast.unparse(node.func).rpartition(".")
            given = {keyword.arg for keyword in node.keywords}
            of_shared_state = owner in shared and name not in _NO_DRAWS
            without_argument = name in _NEED_AN_ARGUMENT and not node.args and not given
            if of_shared_state or without_argument or (name == "rvs" and "random_state" not in given):
                yield ast.unparse(node)


def _draws_afresh(node: ast.AST) -> bool:
    """Tell whether a node is a draw of mcvi without `rng`."""
    draws = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("sample", "noise")
    )
    return draws and all(keyword.arg != "rng" for keyword in node.keywords)
