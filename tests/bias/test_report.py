"""A study as a table, as CSV and as JSON."""

import csv
import io
import json

import pytest

from tests.bias.problems import (
    small,
)


def test_tables_hold_every_point():
    curve = small(alphas=(0.0, 0.5, 1.0), name="a name")
    rows = list(csv.DictReader(io.StringIO(curve.to_csv())))
    assert len(rows) == 6
    assert {row["name"] for row in rows} == {"a name"}
    assert float(rows[3]["bias"]) == curve.bias[1, 1]
    record = json.loads(curve.to_json())
    assert [order["alpha"] for order in record["orders"]] == [0.0, 0.5, 1.0]
    assert record["key"] == f"0x{curve.key.value:032x}"
    text = curve.table()
    assert "evidence (alpha = 0)" in text
    assert "ELBO (alpha = 1)" in text
    assert repr(curve) == "BiasCurve('a name', sizes 4, 16; alphas 0, 0.5, 1)"
    with pytest.raises(ValueError, match=r"alpha must be one of 0, 0\.5, 1; got 3"):
        curve.power_law(3)
