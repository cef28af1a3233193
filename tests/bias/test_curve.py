"""The curve that a study of bias returns."""

import pytest

from mcvi.bias import BiasCurve
from tests.bias.problems import small


def test_a_curve_is_frozen():
    curve = small()
    assert isinstance(curve, BiasCurve)
    with pytest.raises(AttributeError):
        curve.name = "other"
