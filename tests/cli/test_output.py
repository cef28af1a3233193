"""The output of the console script, and its progress while it works."""

import subprocess
import sys

import pytest

from mcvi.cli import main
from tests.cli.running import SMALL, environment, run


@pytest.mark.slow
def test_the_same_seed_writes_the_same_files(folder):
    for out, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        arguments = ("--target", "gaussian", "--dim", "3", "--rng", seed, "--out", out, "--format", "svg", *SMALL)
        assert run("bias", *arguments, folder=folder)[0] == 0
    a, b, c = ((folder / out / "bias.json").read_bytes() for out in "abc")
    assert a == b
    assert a != c
    assert "<svg" in (folder / "a" / "bias.svg").read_text(encoding="utf-8")


def test_a_terminal_shows_progress(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    main(["bias", "--target", "gaussian", "--out", str(tmp_path), *SMALL])
    shown = capsys.readouterr().err
    assert "[1/1] Gaussian, d = 2, wide proposal: 100 %" in shown
    assert shown.endswith("\r\x1b[K")


@pytest.mark.slow
def test_a_reader_that_stops_early_is_no_error(folder):
    command = f"{sys.executable} -m mcvi bias --target gaussian --sizes 4,16,64 --replications 50 | head -1"
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.stderr == ""
    assert (folder / "mcvi-bias" / "bias.csv").exists()
