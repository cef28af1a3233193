"""Uniform: the contract; both ends belong to the support."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Uniform
from tests.distributions.contract import ContinuousContract


class TestUniform(ContinuousContract):
    family = Uniform
    instances = [Uniform(0.0, 1.0), Uniform(-3.0, -2.75), Uniform(1e3, 1e4)]
    grid = [
        (
            Uniform(low, high),
            [low, high, np.nextafter(low, -np.inf), np.nextafter(high, np.inf), -np.inf, np.inf, np.nan],
        )
        for low, high in ((0.0, 5e-300), (0.0, 1.0), (-1e-8, 1e8), (1.0, 1.0 + 2**-52), (-8e307, 8e307))
    ]
    lacks = ("fisher",)
    bad = [
        ({"low": 1.0, "high": 1.0}, "Uniform: low must be below high; got low 1.0, high 1.0."),
        ({"low": [0.0, 3.0], "high": 2.0}, "Uniform: low must be below high; got low 3.0, high 2.0 at index (1,)."),
        ({"low": -1e308, "high": 1e308}, "Uniform: high - low must be finite; got low -1e+308, high 1e+308."),
        ({"low": -np.inf, "high": 0.0}, "Uniform: low must be finite; got -inf."),
    ]

    @staticmethod
    def reference(x, low, high):
        if mpmath.isnan(x):
            return x
        return -mpmath.log(high - low) if low <= x <= high else mpmath.mpf("-inf")

    def test_no_draw_steps_over_the_end(self):
        q = Uniform(1.0, np.nextafter(1.0, 2.0))
        draws = q.sample(1000, rng=0)
        assert set(draws) == {q.low, q.high}
        assert np.all(q.transport(q.noise(1000, rng=0)) <= q.high)

    def test_density_has_no_single_peak(self):
        assert np.isnan(Uniform(0.0, 1.0).mode())

    def test_mean_of_distant_ends_does_not_overflow(self):
        assert Uniform(1.0e308, 1.7e308).mean() == pytest.approx(1.35e308)
