"""The console script, run as a user runs it."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mcvi.cli import main

ROOT = Path(__file__).parents[2]
SMALL = ("--sizes", "4,16,64", "--replications", "50")

MODEL = '''
"""A target and a proposal of a user's own."""
import time
from pathlib import Path

import numpy as np

from mcvi.distributions import MultivariateNormalDiag


def log_joint(z):
    return -1.5 * np.log(2 * np.pi) - 0.5 * np.sum(z**2, axis=-1) - 4.0


def proposal():
    return MultivariateNormalDiag(np.full(3, 0.2), np.full(3, 1.2))


ready = MultivariateNormalDiag(np.full(3, 0.2), np.full(3, 1.2))
flat = 3


def slow(z):
    if len(z) > 10_000:
        with Path("calls").open("a") as calls:
            calls.write("x")
        time.sleep(0.005)
    return log_joint(z)


def wide(z):
    return z


def broken(z):
    raise RuntimeError("no such thing")
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mymodel.py").write_text(MODEL, encoding="utf-8")
    return tmp_path


def environment():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PYTHONWARNINGS": "error"}


def start(*arguments, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "mcvi", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run(*arguments, folder):
    process = start(*arguments, folder=folder)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def test_without_arguments_the_lesson_is_taught(folder):
    code, out, err = run("bias", *SMALL, "--out", "here", folder=folder)
    assert (code, err) == (0, ""), err  # a pipe: no progress
    for name in ("Gaussian, d = 2, wide", "eight schools, mean-field", "eight schools, wide"):
        assert f"{name} proposal\n" in out
    assert "1.2 % of the posterior has log tau more than 5 standard deviations below the proposal's" in out
    assert "Compare with a wider proposal before you believe an evidence." in out
    assert "wrote bias.txt, bias.csv, bias.json, bias.png to here" in out
    written = folder / "here"
    assert (written / "bias.txt").read_text(encoding="utf-8") in out
    rows = list(csv.DictReader((written / "bias.csv").read_text(encoding="utf-8").splitlines()))
    # three orders twice, and two for the wide proposal, under which the ELBO is minus infinity
    assert len(rows) == 3 * (3 + 3 + 2)
    record = json.loads((written / "bias.json").read_text(encoding="utf-8"))
    assert [curve["complete"] for curve in record] == [True, True, True]
    assert float(rows[0]["bias"]) == record[0]["points"][0]["bias"]
    assert (written / "bias.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_writes_the_same_files(folder):
    for out, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        arguments = ("--target", "gaussian", "--dim", "3", "--rng", seed, "--out", out, "--format", "svg", *SMALL)
        assert run("bias", *arguments, folder=folder)[0] == 0
    a, b, c = ((folder / out / "bias.json").read_bytes() for out in "abc")
    assert a == b
    assert a != c
    assert "<svg" in (folder / "a" / "bias.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("proposal", ["mymodel:proposal", "mymodel:ready"])
def test_a_target_of_a_users_own_is_imported(folder, proposal):
    arguments = ("--target", "mymodel:log_joint", "--dim", "3", "--proposal", proposal, "--truth", "-4", *SMALL)
    code, out, err = run("bias", *arguments, folder=folder)
    assert (code, err) == (0, "")
    assert "limit -4.000000 (exact)" in out
    (curve,) = json.loads((folder / "mcvi-bias" / "bias.json").read_text(encoding="utf-8"))
    evidence = [point for point in curve["points"] if point["alpha"] == 0.0]
    assert all(abs(p["bias"] - p["asymptotic_bias"]) < 0.5 * abs(p["asymptotic_bias"]) for p in evidence[1:])


def test_the_default_proposal_for_it_is_the_standard_normal(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    main(["bias", "--target", "mymodel:log_joint", "--dim", "3", "--alphas", "0", *SMALL])
    monkeypatch.delitem(sys.modules, "mymodel")
    # the target is this proposal, times exp(-4): every weight is the same
    assert "limit -4.000000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--target", "nonsense"], "--target must be eight-schools, gaussian or module:function; got 'nonsense'"),
        (["--target", "nonsense:f", "--dim", "2"], "importing nonsense raised ModuleNotFoundError"),
        (["--target", "mymodel:nothing", "--dim", "3"], "module mymodel has no nothing"),
        (["--target", "mymodel:", "--dim", "3"], "--target must be module:name; got 'mymodel:'"),
        (["--target", "mymodel:flat", "--dim", "3"], "must be a function; it is a int"),
        (["--target", "mymodel:log_joint"], "--dim is needed with a target of your own"),
        (["--target", "mymodel:wide", "--dim", "3"], r"must return shape (2,) for draws of shape (2, 3); got (2, 3)"),
        (["--target", "mymodel:broken", "--dim", "3"], "raised RuntimeError: no such thing"),
        (["--target", "mymodel:log_joint", "--dim", "2", "--proposal", "mymodel:ready"], "event_shape (2,); it has"),
        (["--target", "mymodel:log_joint", "--dim", "3", "--proposal", "mymodel:flat"], "raised TypeError"),
        (["--target", "mymodel:log_joint", "--dim", "3", "--proposal", "wide"], "must be normal or module:name"),
        (["--target", "__import__('os').system('touch evil'):f", "--dim", "3"], "ModuleNotFoundError"),
        (["--target", "gaussian", "--proposal", "mean-field"], "must be wide or narrow; got 'mean-field'"),
        (["--target", "gaussian", "--truth", "1"], "--truth is for a target of your own"),
        (["--target", "eight-schools", "--dim", "3"], "--dim of eight-schools is 10; got 3"),
        (["--target", "eight-schools", "--proposal", "wide", "--alphas", "1"], "leaves no order"),
        (["--proposal", "wide"], "--proposal and --dim need a --target"),
        (["--sizes", "4,4"], "--sizes must increase; got 4,4"),
        (["--sizes", "4,x"], "argument --sizes: must be a positive whole number; got 'x'"),
        (["--sizes", ""], "argument --sizes: must be a positive whole number; got ''"),
        (["--alphas", "0,inf"], "argument --alphas: must be finite and differ; got '0,inf'"),
        (["--alphas", "a"], "argument --alphas: must be numbers with commas between them; got 'a'"),
        (["--replications", "1"], "--replications must be at least 2; got 1"),
        (["--replications", "5,6"], "--replications must be one number, or one for each of 7 sizes; got 2"),
        (
            ["--truth", "nan", "--target", "mymodel:log_joint", "--dim", "3"],
            "argument --truth: must be a finite number",
        ),
        (["--dim", "0"], "argument --dim: must be a positive whole number; got '0'"),
        (["--rng", "-1"], "argument --rng: must be a whole number >= 0; got '-1'"),
        (["--format", "pdf"], "argument --format: invalid choice: 'pdf'"),
        (["--out", "mymodel.py"], "--out mymodel.py cannot be made: File exists"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_argument_is_refused_in_one_sentence_before_anything_starts(folder, monkeypatch, capsys, arguments, text):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("mcvi.cli._main._measure", lambda *_: pytest.fail("started"))
    with pytest.raises(SystemExit) as stopped:
        main(["bias", *arguments])
    sys.modules.pop("mymodel", None)
    out, err = capsys.readouterr()
    assert stopped.value.code == 2
    assert out == ""
    assert text in err
    assert err.startswith(("mcvi bias: error: ", "mcvi: error: "))
    assert err.count("\n") == 1
    assert not (folder / "evil").exists()
    assert not (folder / "mcvi-bias").exists()


def test_help_and_version_are_there(capsys):
    for arguments, text in ((["--help"], "bias"), (["bias", "--help"], "module:function"), (["--version"], "mcvi 0.")):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0
        assert text in capsys.readouterr().out


def test_ctrl_c_leaves_what_is_done_on_disk_and_says_so(folder):
    arguments = ("--target", "mymodel:slow", "--dim", "3", "--truth", "-4", "--alphas", "0", "--sizes", "4,16,10000")
    process = start("bias", *arguments, "--replications", "2000,2000,100000", folder=folder)
    calls, deadline = folder / "calls", time.monotonic() + 120
    # a step of the work is 64 blocks: by then runs of the last size have been done, and most have not
    while time.monotonic() < deadline and (not calls.exists() or calls.stat().st_size < 200):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == "interrupted: what was done is in mcvi-bias.\n"
    assert "(interrupted: only what was done)" in out
    (curve,) = json.loads((folder / "mcvi-bias" / "bias.json").read_text(encoding="utf-8"))
    assert not curve["complete"]
    sizes = [point["n"] for point in curve["points"]]
    assert sizes[:2] == [4, 16]
    assert all(np.isfinite(point["mean"]) for point in curve["points"])
    assert (folder / "mcvi-bias" / "bias.png").exists()


def test_a_terminal_shows_progress(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    main(["bias", "--target", "gaussian", "--out", str(tmp_path), *SMALL])
    shown = capsys.readouterr().err
    assert "[1/1] Gaussian, d = 2, wide proposal: 100 %" in shown
    assert shown.endswith("\r\x1b[K")


def test_a_reader_that_stops_early_is_no_error(folder):
    command = f"{sys.executable} -m mcvi bias --target gaussian --sizes 4,16,64 --replications 50 | head -1"
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.stderr == ""
    assert (folder / "mcvi-bias" / "bias.csv").exists()
