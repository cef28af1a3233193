"""Integrals over a density, in pieces that are split at a point in its middle, with their error checked."""

from itertools import pairwise

import numpy as np
from scipy.integrate import tanhsinh

ACCURACY = {"atol": 1e-15, "rtol": 1e-13}


def integrate(f, a, b):
    """Return the integral and its error; where SciPy (1.15 often) does not know the error, two levels are compared."""
    fine = tanhsinh(f, a, b, maxlevel=12, **ACCURACY)
    if np.isnan(fine.error) or not fine.success:
        return fine.integral, abs(fine.integral - tanhsinh(f, a, b, maxlevel=10, **ACCURACY).integral)
    return fine.integral, fine.error


def expectation(q, f, *, support, middle, spread, tolerance, below=np.inf, kinks=()):
    r"""Return :math:`E[f(X); X \le b]` for `b` = `below`.

    At an infinite end of the support the variable is the log of the distance to the middle, in units of `spread`; at a
    finite end the log of the distance to it: heavy tails, and densities that are singular at the end, decay in either.
    `kinks` are the points in which the density or `f` is not smooth.
    """

    def density(x, jacobian):
        log_p = q.log_prob(x)
        possible = np.isfinite(log_p) & (jacobian > 0.0) & (jacobian < np.inf)
        values = np.exp(np.where(possible, log_p, 0.0)) * f(np.where(possible, x, middle)) * jacobian
        return np.where(possible & np.isfinite(values), values, 0.0)

    def to_infinity(start, sign):
        return integrate(lambda t: density(start + sign * spread * np.exp(t), spread * np.exp(t)), -np.inf, np.inf)

    def to_end(end, start):
        width = start - end
        return integrate(lambda t: density(end + width * np.exp(-t), abs(width) * np.exp(-t)), 0.0, np.inf)

    def piece(a, b):
        if a == -np.inf:
            return to_infinity(b, -1.0)
        if b == np.inf:
            return to_infinity(a, 1.0)
        if a == support[0]:
            return to_end(a, b)
        if b == support[1]:
            return to_end(b, a)
        return integrate(lambda x: density(x, np.ones_like(x)), a, b)

    points = sorted({*support, *(p for p in (middle, *kinks, below) if support[0] < p < support[1])})
    with np.errstate(all="ignore"):
        pieces = [piece(a, b) for a, b in pairwise(points) if b <= below]
    total, error = float(sum(value for value, _ in pieces)), float(sum(error for _, error in pieces))
    assert error <= tolerance * max(1.0, abs(total)), f"{q}: the integral {total} is known to {error:.2g} only"
    return total
