"""Logistic: the contract; the tails of the cdf in logs."""

import mpmath
import numpy as np

from mcvi.distributions import Logistic
from tests.distributions.contract import ContinuousContract


class TestLogistic(ContinuousContract):
    family = Logistic
    instances = [Logistic(0.0, 1.0), Logistic(-3.0, 0.25), Logistic(1e4, 500.0)]
    hard = {"loc": (-1e8, 0.0, 0.5), "scale": (1e-300, 1e-8, 0.5, 1.0, 1e8, 1e300)}
    tails = [(Logistic(0.0, 1.0), x) for x in (-700.0, -36.0, -1e-9, 0.0, 1.0, 40.0, 700.0)]
    bad = [
        ({"loc": np.nan, "scale": 1.0}, "Logistic: loc must be finite; got nan."),
        ({"loc": 0.0, "scale": 0.0}, "Logistic: scale must be positive and finite; got 0.0."),
    ]

    @staticmethod
    def cdf_reference(x, loc, scale):
        t = (x - loc) / scale
        return 1 / (1 + mpmath.exp(-t)), 1 / (1 + mpmath.exp(t))

    @staticmethod
    def reference(x, loc, scale):
        t = abs(x - loc) / scale
        return -t - 2 * mpmath.log1p(mpmath.exp(-t)) - mpmath.log(scale)
