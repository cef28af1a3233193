"""Targets and proposals of a user's own."""

import json
import sys

import pytest

from mcvi.cli import main
from tests.cli.running import SMALL, run


@pytest.mark.slow
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
