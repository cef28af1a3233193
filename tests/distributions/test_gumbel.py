"""Gumbel: the contract; the steep tail on the left and the exponential one on the right."""

import mpmath

from mcvi.distributions import Gumbel
from tests.distributions.contract import ContinuousContract


class TestGumbel(ContinuousContract):
    family = Gumbel
    instances = [Gumbel(0.0, 1.0), Gumbel(-3.0, 0.25), Gumbel(1e3, 20.0)]
    hard = {"loc": (-1e8, 0.0, 0.5), "scale": (1e-300, 1e-8, 0.5, 1.0, 1e8, 1e300)}
    bad = [({"loc": 0.0, "scale": 0.0}, "Gumbel: scale must be positive and finite; got 0.0.")]

    @staticmethod
    def reference(x, loc, scale):
        t = (x - loc) / scale
        return -t - mpmath.exp(-t) - mpmath.log(scale) if t != -mpmath.inf else -mpmath.inf
