"""Laplace: the contract, with a kink at the peak and exponential tails on both sides."""

import mpmath
import numpy as np

from mcvi.distributions import Laplace
from tests.distributions.contract import ContinuousContract


class TestLaplace(ContinuousContract):
    family = Laplace
    instances = [Laplace(0.0, 1.0), Laplace(-3.0, 0.25), Laplace(1e4, 500.0)]
    hard = {"loc": (-1e8, 0.0, 0.5), "scale": (1e-300, 1e-8, 0.5, 1.0, 1e8, 1e300)}
    tails = [(Laplace(0.0, 1.0), sign * x) for x in (1e-300, 1e-9, 30.0, 700.0) for sign in (-1, 1)]
    bad = [
        ({"loc": np.inf, "scale": 1.0}, "Laplace: loc must be finite; got inf."),
        ({"loc": 0.0, "scale": [1.0, -2.0]}, "Laplace: scale must be positive and finite; got -2.0 at index (1,)."),
        ({"loc": np.zeros(2), "scale": np.ones(3)}, "Laplace: the parameters must broadcast together"),
    ]

    def points(self, q):
        """No distance from the kink that is 0 in units of the scale: the side is lost."""
        return [x for x in super().points(q) if not 0.0 < abs(x - q.loc) < 1e-320 * q.scale]

    @staticmethod
    def cdf_reference(x, loc, scale):
        tail = mpmath.exp(-abs(x - loc) / scale) / 2
        return (tail, 1 - tail) if x < loc else (1 - tail, tail)

    @staticmethod
    def reference(x, loc, scale):
        return -abs(x - loc) / scale - mpmath.log(2 * scale)

    def test_score_in_the_location_is_zero_at_the_kink(self):
        assert Laplace(1.0, 2.0).score(1.0)["loc"] == 0.0
