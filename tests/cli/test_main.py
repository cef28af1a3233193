"""The console script, run as a user runs it."""

import json
import signal
import sys
import time

import numpy as np
import pytest

from mcvi.cli import main
from tests.cli.running import SMALL, started


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
        (["--sizes", "1" + 23 * "0"], "argument --sizes: must be below 2**63"),
        (["--target", "gaussian", "--dim", str(10**15)], "--dim 1000000000000000 raised"),
        (["--target", "mymodel:log_joint", "--dim", str(10**15)], "--dim 1000000000000000 raised"),
        (["--target", "leaving:log_joint", "--dim", "3"], "--target: importing leaving raised SystemExit"),
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


def test_a_target_that_fails_late_leaves_what_is_done_on_disk_and_says_so(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    arguments = ["--target", "mymodel:late", "--dim", "3", "--truth", "-4", "--alphas", "0", "--replications", "50"]
    assert main(["bias", *arguments, "--sizes", "4,16,20001"]) == 1
    monkeypatch.delitem(sys.modules, "mymodel")
    out, err = capsys.readouterr()
    assert "(interrupted: only what was done)" in out
    assert err == "mymodel:late, normal proposal raised RuntimeError: too many draws: what was done is in mcvi-bias.\n"
    (curve,) = json.loads((folder / "mcvi-bias" / "bias.json").read_text(encoding="utf-8"))
    assert [point["n"] for point in curve["points"]] == [4, 16]


def test_what_cannot_be_written_is_still_printed(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "taken" / "bias.txt").mkdir(parents=True)
    assert main(["bias", "--target", "gaussian", "--out", "taken", *SMALL]) == 1
    out, err = capsys.readouterr()
    assert "evidence (alpha = 0)" in out
    assert err == "mcvi bias: error: taken cannot be written to: Is a directory.\n"


@pytest.mark.slow
def test_ctrl_c_leaves_what_is_done_on_disk_and_says_so(folder):
    arguments = ("--target", "mymodel:slow", "--dim", "3", "--truth", "-4", "--alphas", "0", "--sizes", "4,16,10000")
    with started("bias", *arguments, "--replications", "2000,2000,100000", folder=folder) as process:
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
