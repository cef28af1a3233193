"""The commands of CONTRIBUTING.md, and the settings of the tools: what they name exists."""

import re
import shlex
import tomllib
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

import mcvi

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# What the tests do not install; each is installed by the command before it.
INSTALLED_ON_THE_WAY = {"sphinx", "pre-commit"}


def commands():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from re.split(r" && |\n", block.strip())


def names_a_module(name):
    return name in INSTALLED_ON_THE_WAY or find_spec(name) is not None


def names_a_script(name):
    return name in INSTALLED_ON_THE_WAY or name in {script.name for script in entry_points(group="console_scripts")} | {
        "ruff"
    }


@pytest.mark.parametrize("command", list(commands()))
def test_what_a_command_names_exists(command):
    program, *arguments = shlex.split(command)
    if program == ".venv/bin/python":
        assert arguments[0] == "-m"
        assert names_a_module(arguments[1])
    elif program.startswith(".venv/bin/"):
        assert names_a_script(program.removeprefix(".venv/bin/"))
    else:
        assert program == "python3" or (ROOT / program).exists()
    for path in arguments:
        if path.startswith(("tests/", "docs")) and "_build" not in path:
            assert (ROOT / path).exists()
    for extra in re.findall(r"\.\[(\w+)\]", command):
        assert extra in PROJECT["project"]["optional-dependencies"]


def test_markers_that_a_command_selects_are_registered():
    registered = {marker.split(":")[0] for marker in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    selected = {name for command in commands() for name in re.findall(r'-m "?(?:not )?(\w+)"?$', command)}
    assert selected
    assert selected <= registered


def test_versions_agree():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {mcvi.__version__}\n" in citation
    assert PROJECT["project"]["version"] == mcvi.__version__


def test_the_lowest_versions_are_those_of_the_project():
    assert all(re.fullmatch(r"[\w-]+>=[\d.]+", requirement) for requirement in PROJECT["project"]["dependencies"])
