"""Settings of every test: seeds are required, no window opens, a property is tried on the same examples each time."""

import os

import pytest
from hypothesis import settings

from tests.seeds import fresh_draws_allowed, require_seeds

os.environ["MPLBACKEND"] = "Agg"

# A first call compiles, which is no matter of the example at hand: no deadline.
settings.register_profile("mcvi", derandomize=True, deadline=None)
settings.load_profile("mcvi")

require_seeds()  # here, so that it holds while test modules are imported as well


def pytest_itemcollected(item):
    """Refuse a name that holds an address: parallel workers must give each test the same name."""
    if " at 0x" in item.nodeid:
        raise pytest.UsageError(f"{item.nodeid}: name the parameters of this test with ids= of your own.")


@pytest.fixture(autouse=True)
def _seeded(request):
    if request.node.get_closest_marker("fresh_draws") is None:
        yield
    else:
        with fresh_draws_allowed():
            yield
