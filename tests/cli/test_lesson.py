"""The study that is made without arguments."""

import csv
import json

import pytest

from tests.cli.running import SMALL, run


@pytest.mark.slow
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
