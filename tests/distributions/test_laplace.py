"""Laplace: the contract, with a kink at the peak and exponential tails on both sides."""

import mpmath
import numpy as np

from mcvi.distributions import Laplace
from tests.distributions.contract import ContinuousContract

POINTS = [0.0, -0.0, 5e-324, -1e-300, 1.0, -8.0, 40.0, 1e150, -1e300, np.inf, -np.inf, np.nan]


def tail(x):
    return mpmath.exp(-mpmath.mpf(x)) / 2


class TestLaplace(ContinuousContract):
    family = Laplace
    instances = [Laplace(0.0, 1.0), Laplace(-3.0, 0.25), Laplace(1e4, 500.0)]
    grid = [(Laplace(loc, scale), POINTS) for loc in (-1e8, 0.0, 0.5) for scale in (1e-300, 1e-8, 0.5, 1.0, 1e8, 1e300)]
    tails = [
        (Laplace(0.0, 1.0), sign * x, (tail(x), 1 - tail(x))[::-sign])
        for x in (1e-300, 1e-9, 30.0, 700.0)
        for sign in (-1, 1)
    ]
    bad = [
        ({"loc": np.inf, "scale": 1.0}, "Laplace: loc must be finite; got inf."),
        ({"loc": 0.0, "scale": [1.0, -2.0]}, "Laplace: scale must be positive and finite; got -2.0 at index (1,)."),
        ({"loc": np.zeros(2), "scale": np.ones(3)}, "Laplace: the parameters must broadcast together"),
    ]

    @staticmethod
    def reference(x, loc, scale):
        return -abs(x - loc) / scale - mpmath.log(2 * scale)

    def test_score_in_the_location_is_zero_at_the_kink(self):
        assert Laplace(1.0, 2.0).score(1.0)["loc"] == 0.0
