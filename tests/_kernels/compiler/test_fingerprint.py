"""The digest of what compiled code is made from: it changes with all that the code reads, and with nothing else."""

import gc
from types import ModuleType

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

import mcvi
from mcvi._kernels.compiler.fingerprint import UnknownValueError, fingerprint
from mcvi._kernels.compiler.jit import kernel, scalar

BASE = """
@scalar
def helper(x):
    return x + SHIFT

@kernel
def use(x):
    return helper(x[0]) * module.factor
"""


def made(source=BASE, **values):
    """Return the fingerprint of the kernel `use` of a module with this source and these globals."""
    module = ModuleType("a_users_module")
    module.factor = values.pop("factor", 2.0)
    page = {"__name__": "page", "scalar": scalar, "kernel": kernel, "SHIFT": 1.0, "module": module, **values}
    exec(source, page)
    return fingerprint(page["use"])


def test_the_same_source_has_the_same_fingerprint():
    assert made() == made()


@pytest.mark.parametrize(
    "source",
    ["# A comment.\n" + BASE, BASE.replace("def helper(x):", "def helper(x):\n    'A docstring.'")],
    ids=["comment", "docstring"],
)
def test_comments_and_docstrings_do_not_count(source):
    assert made(source) == made()


@pytest.mark.parametrize(
    "source",
    [
        BASE.replace("x + SHIFT", "x - SHIFT"),
        BASE.replace("x + SHIFT", "x + 1.0"),
        BASE.replace("x + SHIFT", "x + 2.0"),
        BASE.replace("@kernel", "@kernel(sums=True)"),
        BASE.replace("helper(x[0])", "helper(x[1])"),
    ],
)
def test_a_changed_function_counts_wherever_it_is(source):
    assert made(source) != made()


@pytest.mark.parametrize(
    "values",
    [
        {"SHIFT": 1.5},
        {"SHIFT": 1},
        {"SHIFT": np.float32(1.0)},
        {"SHIFT": (1.0,)},
        {"SHIFT": np.ones(3)},
        {"factor": 3.0},
    ],
    ids=repr,
)
def test_a_changed_constant_counts(values):
    assert made(**values) != made()


def test_an_array_counts_by_its_contents():
    assert made(SHIFT=np.ones(3)) == made(SHIFT=np.ones(3))
    assert len({made(SHIFT=array) for array in (np.ones(3), np.zeros(3), np.ones((3, 1)), np.ones(3, np.float32))}) == 4


@pytest.mark.parametrize(
    "value", [object(), lambda x: x, [1.0], {"a": 1.0}], ids=["object", "function", "list", "dict"]
)
def test_what_cannot_be_told_by_its_contents_is_refused(value):
    with pytest.raises(UnknownValueError):
        made(SHIFT=value)


def test_a_public_function_counts_as_what_it_is_compiled_to():
    # Both are Python functions, whose compiled form only Numba's typing knows.
    source = BASE.replace("x + SHIFT", "SHIFT(x)")
    assert made(source, SHIFT=mcvi.math.sigmoid) != made(source, SHIFT=mcvi.math.tanh)


def test_every_kernel_of_the_package_has_a_fingerprint():
    # By type: isinstance would ask weak references to what is gone.
    found = [d for d in gc.get_objects() if issubclass(type(d), Dispatcher)]
    ours = [d for d in found if d.py_func.__module__.startswith("mcvi.")]
    assert len(ours) > 100
    for dispatcher in ours:
        fingerprint(dispatcher)
