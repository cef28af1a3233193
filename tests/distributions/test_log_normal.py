"""LogNormal: the contract; scales down to 1e-12, where log(x) - loc has no digits left."""

import mpmath
import numpy as np

from mcvi.distributions import LogNormal
from tests.distributions.contract import ContinuousContract


class TestLogNormal(ContinuousContract):
    family = LogNormal
    instances = [LogNormal(0.0, 0.25), LogNormal(-3.0, 0.1), LogNormal(2.0, 0.5)]
    grid = [
        (
            LogNormal(m, s),
            [*LogNormal(m, s).quantile([1e-300, 1e-9, 0.3, 0.5, 1 - 1e-9]), 5e-324, 0.7, 1e300, np.inf, -1.0],
        )
        for m in (-300.0, -1.0, 0.0, 0.7, 300.0)
        for s in (1e-12, 1e-8, 1e-3, 1.0, 30.0)
    ]
    tolerance, outside, support = 1e-12, [0.0, -1.0, -np.inf], staticmethod(lambda q: (0.0, np.inf))
    bad = [({"loc": 0.0, "scale": 0.0}, "LogNormal: scale must be positive and finite; got 0.0.")]

    @staticmethod
    def reference(x, loc, scale):
        t = (mpmath.log(x) - loc) / scale if 0 < x < mpmath.inf else mpmath.inf
        return -t * t / 2 - mpmath.log(scale * mpmath.sqrt(2 * mpmath.pi)) - (mpmath.log(x) if t < mpmath.inf else 0)
