"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import mcvi

MODULES = ["mcvi", *sorted(module.name for module in pkgutil.walk_packages(mcvi.__path__, "mcvi."))]


def examples():
    """Return the examples of each module: a test for each docstring that has any."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = []
    for name in MODULES:
        if name != "mcvi.__main__":
            found += [test for test in finder.find(importlib.import_module(name)) if test.examples]
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_the_example_prints_what_it_says(example):
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    with np.printoptions():
        runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
