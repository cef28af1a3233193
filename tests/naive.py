"""The slow obvious twins of the kernels."""

import math

import mpmath
import numpy as np


def log_mean_exp(v):
    """Return log mean exp of a list of numbers at 60 digits, by the contract of the library."""
    v = [float(x) for x in v]
    if any(math.isnan(x) for x in v):
        return math.nan
    if math.inf in v:
        return math.inf
    finite = [x for x in v if x != -math.inf]
    if not finite:
        return -math.inf
    with mpmath.workdps(60):
        return float(mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(x)) for x in finite) / len(v)))


def renyi(log_w, alpha):
    """Return the Renyi ratio of log weights at 60 digits."""
    with mpmath.workdps(60):
        lw = [mpmath.mpf(float(x)) for x in log_w]
        power = 1 - mpmath.mpf(float(alpha))
        if power == 0:
            return float(mpmath.fsum(lw) / len(lw))
        return float(mpmath.log(mpmath.fsum(mpmath.exp(power * x) for x in lw) / len(lw)) / power)


def largest(values, keep):
    """Return the `keep` largest in descending order."""
    return np.sort(values)[::-1][:keep]
