"""A family that is offered is known wherever families are tested; what it lacks is said here, with the reason."""

from importlib import import_module
from pathlib import Path

import pytest

from mcvi import distributions
from mcvi.distributions._base.kl import _TABLE
from tests.distributions.contract import GOLDEN
from tests.testing.test_check_distribution import RIGHT

FAMILIES = {name: getattr(distributions, name) for name in distributions.__all__ if name != "Distribution"}
WITHOUT_CONTRACT = {"Independent": "it has the density of what it holds, and no parameters; test_independent.py"}
WITHOUT_DIVERGENCE = {"StudentT": "there is no closed form"}


@pytest.fixture(scope="module")
def contracts():
    """Return the contracts of each family: all classes of tests in this folder that name one."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for held in vars(import_module(f"tests.distributions.{path.stem}")).values():
            family = getattr(held, "family", None)
            if isinstance(held, type) and held.__module__.endswith(path.stem) and family is not None:
                found.setdefault(family.__name__, []).append(held)
    return found


def check(known, exceptions):
    missing = set(FAMILIES) - set(known)
    assert missing == set(exceptions), (
        f"unknown: {missing - set(exceptions)}; no exception: {set(exceptions) - missing}"
    )


def test_every_family_has_a_contract_with_distributions_to_hold_to_it(contracts):
    check({name for name, held in contracts.items() if any(c.instances for c in held)}, WITHOUT_CONTRACT)


def test_every_family_has_texts_of_its_errors(contracts):
    check({name for name, held in contracts.items() if any(c.bad for c in held)}, WITHOUT_CONTRACT)


def test_every_family_is_compared_at_hard_parameters(contracts):
    hard = {name for name, held in contracts.items() if any(c.grid or getattr(c, "hard", None) for c in held)}
    check(hard, WITHOUT_CONTRACT)


def test_every_family_has_a_divergence_between_two_of_it():
    check({p.__name__ for p, q in _TABLE if p is q}, WITHOUT_DIVERGENCE)


def test_every_family_has_golden_draws_and_every_golden_file_a_family():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(FAMILIES)


def test_every_family_passes_check_distribution():
    check({type(q).__name__ for q in RIGHT}, {})
