"""The accumulators and estimators at sixty digits, by their definitions: the slow obvious twins."""

import math

import mpmath
import numpy as np

mpmath.mp.dps = 60


def exact(numbers):
    """Return numbers as exact mpmath numbers."""
    return [mpmath.mpf(float(x)) for x in numbers]


def weights(log_w, power=1.0):
    """Return ``w**power``; a weight of zero is zero to any power above zero, and infinite below."""
    p = mpmath.mpf(float(power))
    return [mpmath.exp(p * lw) for lw in exact(log_w)]


def mean(x):
    return mpmath.fsum(x) / len(x)


def error_of_mean(x):
    """Return the standard error of the mean; nan for one number."""
    if len(x) == 1:
        return math.nan
    m = mean(x)
    return mpmath.sqrt(mpmath.fsum((v - m) ** 2 for v in x) / (len(x) - 1) / len(x))


def relative_variance(w):
    """Return the variance of the mean over its square."""
    return (error_of_mean(w) / mean(w)) ** 2


def ess(w):
    total = mpmath.fsum(w)
    return total**2 / mpmath.fsum(v * v for v in w) if total else mpmath.mpf(0)


def self_normalized(log_w, f):
    """Return the mean, its delta-method error and its first-order bias."""
    w, f = weights(log_w), exact(f)
    total, n = mpmath.fsum(w), len(w)
    if not total:
        return math.nan, math.nan, math.nan
    m = mpmath.fsum(a * b for a, b in zip(w, f, strict=True)) / total
    squares = mpmath.fsum(a * a * (b - m) ** 2 for a, b in zip(w, f, strict=True))
    error = mpmath.sqrt(squares * n / (n - 1)) / total if n > 1 else math.nan
    return m, error, -mpmath.fsum(a * a * (b - m) for a, b in zip(w, f, strict=True)) / total**2


def renyi(log_w, power):
    """Return value, standard error, bias and effective sample size of ``log(mean(w**power)) / power``."""
    n, p = len(log_w), mpmath.mpf(float(power))
    if power == 0:
        logs = exact(log_w)
        if -math.inf in log_w:
            return -math.inf, math.nan, 0, math.nan
        return mean(logs), error_of_mean(logs), 0, n
    w = weights(log_w, power)
    if not mpmath.fsum(w):
        return -math.inf if p > 0 else math.inf, math.nan if n == 1 else math.inf, None, 0
    if mpmath.isinf(mpmath.fsum(w)):
        return math.inf / p, None, None, None
    spread = relative_variance(w)
    return mpmath.log(mean(w)) / p, mpmath.sqrt(spread) / abs(p), -spread / p / 2, ess(w)


def as_floats(values):
    """Return numbers of mpmath as an array; None, for what is not told, as nan."""
    return np.array([math.nan if v is None else float(v) for v in values])
