"""The documentation's site: every public module has a page in the reference, every page a place in the contents."""

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import mcvi

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "api"


def contents(page):
    """Return the entries of the page's table of contents."""
    (block,) = re.findall(r"^```\{toctree\}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return {line for line in block.split("\n") if line and not line.startswith(":")}


def test_every_public_module_is_in_the_reference():
    for name in {module.name for module in pkgutil.iter_modules(mcvi.__path__)} - {"cli"}:
        if not name.startswith("_") and name not in contents(REFERENCE / "index.md"):
            # What `mcvi` itself exports stands on its page, whichever module it is written in.
            assert set(import_module(f"mcvi.{name}").__all__) <= set(mcvi.__all__), name


def test_each_page_of_the_reference_is_about_the_module_that_it_names():
    for name in contents(REFERENCE / "index.md"):
        text = (REFERENCE / f"{name}.md").read_text(encoding="utf-8")
        module = "mcvi" if name == "mcvi" else f"mcvi.{name}"
        assert text.startswith(f"# {module}\n")
        assert f".. automodule:: {module}\n" in text


def test_every_page_is_in_the_contents():
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"}
    assert contents(ROOT / "docs" / "index.md") >= pages
