"""The console script ``mcvi``."""

from mcvi.cli._main import main

__all__ = ["main"]
