"""Tests that one family inherits may take long for it and not for another: it names them in `slow`."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name in getattr(getattr(item, "cls", None), "slow", ()):
            item.add_marker(pytest.mark.slow)
