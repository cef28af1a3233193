"""Normal: the contract; log density finite to 1e150, tails of the cdf in logs."""

import mpmath
import numpy as np

from mcvi.distributions import Normal
from tests.distributions.contract import ContinuousContract


class TestNormal(ContinuousContract):
    family = Normal
    instances = [Normal(0.0, 1.0), Normal(-3.0, 0.25), Normal(1e4, 500.0)]
    hard = {"loc": (-1e8, 0.0, 0.5), "scale": (1e-300, 1e-8, 0.5, 1.0, 1e8, 1e300)}
    tails = [(Normal(0.0, 1.0), x) for x in (-30.0, -5.0, -1e-9, 0.0, 1.0, 9.0, 37.0)]
    bad = [
        ({"loc": np.nan, "scale": 1.0}, "Normal: loc must be finite; got nan."),
        ({"loc": 0.0, "scale": [[1.0, 0.0]]}, "Normal: scale must be positive and finite; got 0.0 at index (0, 1)."),
        ({"loc": "0", "scale": 1.0}, "Normal: loc must be real numbers; got dtype <U1."),
    ]

    @staticmethod
    def cdf_reference(x, loc, scale):
        return mpmath.ncdf((x - loc) / scale), mpmath.ncdf((loc - x) / scale)

    @staticmethod
    def reference(x, loc, scale):
        return -(((x - loc) / scale) ** 2) / 2 - mpmath.log(scale) - mpmath.log(2 * mpmath.pi) / 2
