"""LogNormal: the contract; scales down to 1e-12, where log(x) - loc has no digits left."""

import mpmath

from mcvi.distributions import LogNormal
from tests.distributions.contract import ContinuousContract


class TestLogNormal(ContinuousContract):
    family = LogNormal
    instances = [LogNormal(0.0, 0.25), LogNormal(-3.0, 0.1), LogNormal(2.0, 0.5)]
    hard = {"loc": (-300.0, -1.0, 0.0, 0.7, 300.0), "scale": (1e-12, 1e-8, 1e-3, 1.0, 30.0)}
    tolerance = 1e-12
    bad = [({"loc": 0.0, "scale": -1.0}, "LogNormal: scale must be positive and finite; got -1.0.")]

    @staticmethod
    def reference(x, loc, scale):
        log_x = mpmath.log(x if x > 0 else mpmath.inf) if x == x else x
        t = (log_x - loc) / scale
        return -t * t / 2 - mpmath.log(scale * mpmath.sqrt(2 * mpmath.pi)) - log_x
