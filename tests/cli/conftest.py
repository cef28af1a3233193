"""Fixtures of the tests of the console script."""

import pytest

from tests.cli.running import MODEL


@pytest.fixture
def folder(tmp_path):
    """Return an empty folder with a model of a user's own in it."""
    (tmp_path / "mymodel.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "leaving.py").write_text("raise SystemExit(3)", encoding="utf-8")
    return tmp_path
