"""Gumbel: the contract; the steep tail on the left and the exponential one on the right."""

import mpmath
import numpy as np

from mcvi.distributions import Gumbel
from tests.distributions.contract import ContinuousContract

POINTS = [0.0, 5e-324, -1e-300, 1.0, -8.0, 40.0, -1e3, 1e100, -1e300, np.inf, -np.inf, np.nan]


class TestGumbel(ContinuousContract):
    family = Gumbel
    instances = [Gumbel(0.0, 1.0), Gumbel(-3.0, 0.25), Gumbel(1e3, 20.0)]
    grid = [(Gumbel(a, s), POINTS) for a in (-1e8, 0.0, 0.5) for s in (1e-300, 1e-8, 0.5, 1.0, 1e8, 1e300)]

    @staticmethod
    def reference(x, loc, scale):
        t = (x - loc) / scale
        return -t - mpmath.exp(-t) - mpmath.log(scale) if t != -mpmath.inf else -mpmath.inf
