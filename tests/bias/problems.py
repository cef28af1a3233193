"""Problems whose biases are known, and small studies of them."""

import json
import lzma
import math
from pathlib import Path

import numpy as np

from mcvi.bias import bias_curve
from mcvi.datasets import gaussian
from mcvi.distributions import Normal

# Chance that correct code fails one assertion: 1e-9, two-sided.
Z = 6.11


def exact(name):
    """Return the content of a file of exact answers."""
    with lzma.open(Path(__file__).parents[1] / "data" / f"{name}.json.xz") as page:
        return json.load(page)["content"]


BOUNDS = exact("bounds")
TWO_POINT = exact("two_point_weights")


def assert_biases(curve, alpha, exact, *, resolves):
    """The biases are the exact ones, and a relative error of `resolves` in any of them would have been seen."""
    column = curve.column(alpha)
    bias, error = curve.bias[:, column], curve.bias_standard_error[:, column]
    assert np.all(2 * Z * error <= resolves * np.abs(exact)), "test too weak"
    rounding = 1e-13 * np.abs(exact)  # two-point weights at n = 1: the control variate leaves nothing but rounding
    assert np.all(np.abs(bias - exact) < Z * error + rounding), (bias, exact, error)


def exponential_weights(z):
    """Log density whose weights under Uniform(0, 1) follow the exponential law."""
    return np.log(-np.log(z))


def lognormal_weights(variance):
    """Log density whose weights under Normal(0, 1) are lognormal with mean 1."""
    scale = math.sqrt(variance)
    return lambda z: Normal(0.0, 1.0).log_prob(z) + scale * z - variance / 2


def small(log_p=None, q=None, **options):
    """Return a study that costs next to nothing."""
    model = gaussian(2)
    settings = {"sizes": (4, 16), "alphas": (0.0,), "replications": 20, "reference": 100, "rng": 0} | options
    return bias_curve(log_p or model.log_joint, q or model.proposals["wide"], **settings)


def stopping_after(calls, error=KeyboardInterrupt):
    """Return the log joint of a Gaussian that raises after `calls` calls."""
    model, count = gaussian(2), [0]

    def log_p(z):
        count[0] += 1
        if count[0] > calls:
            raise error
        return model.log_joint(z)

    return log_p
