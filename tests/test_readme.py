"""The README and the pages of the documentation: their examples print what they say, their links lead somewhere."""

import doctest
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def example_of(path):
    """Return the prompts of a page as one example; a page is told from top to bottom."""
    text = re.sub(r"^```\w*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return doctest.DocTestParser().get_doctest(text, {}, name_of(path), str(path), 0)


def with_its_marks(path):
    # this page shows how a run without a seed is repeated
    return pytest.param(path, marks=[pytest.mark.fresh_draws] if path.name == "reproducibility.md" else [])


@pytest.mark.parametrize("path", [with_its_marks(path) for path in PAGES if example_of(path).examples], ids=name_of)
def test_the_examples_of_a_page_print_what_they_say(path):
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example_of(path), out=report.append)
    assert runner.failures == 0, "".join(report)


def test_the_readme_has_an_example():
    assert example_of(ROOT / "README.md").examples


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_the_links_of_a_page_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("path", [path for path in PAGES if path.name != "CHANGELOG.md"], ids=name_of)
def test_the_names_on_a_page_exist(path):
    text = path.read_text(encoding="utf-8")
    for name in sorted(set(re.findall(r"\bmcvi(?:\.[A-Za-z_]\w*)+", text))):
        assert pkgutil.resolve_name(name) is not None, name


def test_the_readme_gives_two_commands_that_each_start_from_nothing():
    assert len(COMMANDS) == 2
    assert all(command.startswith("python3 -m venv .venv\n") for command in COMMANDS)
    assert ".venv/bin/mcvi bias" in COMMANDS[0]
    assert ".venv/bin/python -m pytest" in COMMANDS[1]


def test_every_decision_has_its_page_in_the_list_of_decisions():
    design = ROOT / "docs" / "design"
    listed = set(re.findall(r"\]\((\w+\.md)\)", (design / "README.md").read_text(encoding="utf-8")))
    assert listed == {page.name for page in design.glob("*.md")} - {"README.md"}
