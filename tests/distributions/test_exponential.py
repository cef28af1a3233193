"""Exponential: the contract; the density at 0 is the rate."""

import mpmath
import numpy as np

from mcvi.distributions import Exponential
from tests.distributions.contract import ContinuousContract


class TestExponential(ContinuousContract):
    family = Exponential
    instances = [Exponential(1.0), Exponential(0.02), Exponential(300.0)]
    hard = {"rate": (1e-300, 1e-8, 0.5, 1.0, 2.0, 1e8, 1e300)}
    tails = [(Exponential(2.0), x) for x in (1e-300, 1e-9, 0.3, 0.4, 20.0, 350.0)]
    bad = [({"rate": 0.0}, "Exponential: rate must be positive and finite; got 0.0.")]

    @staticmethod
    def cdf_reference(x, rate):
        return -mpmath.expm1(-rate * x), mpmath.exp(-rate * x)

    @staticmethod
    def reference(x, rate):
        return mpmath.log(rate) - rate * x if not x < 0 else mpmath.mpf("-inf")

    def test_mode_is_none_because_the_peak_is_at_the_edge(self):
        assert np.isnan(Exponential([1.0, 2.0]).mode()).all()
