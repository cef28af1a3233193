"""Docstrings: every example runs and prints what it says, and every first line begins with a noun or a verb."""

import ast
import doctest
import importlib
import pkgutil
import re
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

import mcvi
from mcvi import distributions

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


# A docstring names its object: no headless clause ("What the runs say"), no question.
HEADLESS = re.compile(r"(What|Whether|How|Where|Which|When|Who|Why|That of|Of|Can)\b")
ROOT = Path(mcvi.__path__[0]).parent
SOURCES = sorted(path for folder in ("mcvi", "tests") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_docstring_begins_with_a_noun_or_a_verb(path):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, documented)]
    headless = [text.splitlines()[0] for text in map(ast.get_docstring, nodes) if text and HEADLESS.match(text)]
    assert headless == []


def test_signatures_show_short_names():
    assert "z: ArrayLike | None = None, rng: RNGLike = None" in str(signature(mcvi.difference))
    assert str(signature(distributions.Multinomial)).startswith("(total_count: Parameter, *, logits: Parameter = None")
    for name in distributions.__all__:
        family = getattr(distributions, name)
        if isinstance(family, type) and name != "Independent":
            assert "Any" not in str(signature(family)), name
