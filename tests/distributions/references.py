"""Log densities with many digits: the errors of ours, the derivatives that ours must have, and the units of a score."""

import mpmath
import numpy as np


def exactly(q):
    """Return the parameters of a distribution as numbers of many digits."""
    return {name: mpmath.mpf(float(value)) for name, value in q.parameters.items()}


def error(value, truth):
    """Absolute error below 1, relative error above; 0 for equal infinities or two nans."""
    value, truth = mpmath.mpf(float(value)), mpmath.mpf(truth)
    if mpmath.isnan(value) or mpmath.isnan(truth) or mpmath.isinf(value) or mpmath.isinf(truth):
        same = value == truth or (mpmath.isnan(value) and mpmath.isnan(truth))
        # A reference that no float64 can hold is an infinity to us.
        return 0.0 if same or (mpmath.isinf(value) and value == float(truth)) else np.inf
    return float(abs(value - truth) / max(1, abs(truth)))


def units(q):
    """Return the typical size of each score of a distribution: the median over draws of its absolute value.

    That of a parameter is about the root of its Fisher information, one over the error in the parameter that a draw
    can notice. What is small against it may be wrong in every digit without harm; what is as large must be right. Where
    all draws have score 0, as all that are one double, it is one over the smallest parameter.
    """
    smallest = min((abs(float(value)) for value in q.parameters.values() if value), default=1.0)
    try:
        draws = q.sample(256, rng=0).astype(float)
    except ValueError:  # counts that no integer holds: there are no draws to be typical of
        draws = np.array([0.0, 1.0, 1e10])
    scores = {name: np.abs(score[np.isfinite(score)]) for name, score in q.score(draws).items()}
    return {name: float(np.median([*sizes, 0.0])) or 1.0 / smallest for name, sizes in scores.items()}


def score_errors(q, x, reference, unit):
    """Return the error of each score at `x`, in units of its typical size, or of its own where that is larger.

    The truth is the derivative of `reference`, without that at an end of a parameter's domain, where it has none.
    """
    at, errors = {"x": mpmath.mpf(float(x)), **exactly(q)}, {}
    for name, score in q.score(float(x)).items():
        if name == "value" and q.discrete:
            continue
        size = np.nanmax([unit[name], abs(score) if np.isfinite(score) else 0.0])
        truth = derivative(reference, at, "x" if name == "value" else name, size)
        if truth is not None:
            off = abs(mpmath.mpf(float(score)) - truth)
            # No error: an infinity that no double can hold, and a difference below the smallest double.
            exact = float(truth) == score or off < 5e-324
            errors[name] = 0.0 if exact else float(off / max(unit[name], abs(truth)))
    return errors


def derivative(reference, at, name, unit):
    r"""Return the derivative of ``reference(**at)`` in one of its arguments, a central difference at many digits.

    None at an end of the argument's domain: there the difference is not a number. The step is 1e-40 of ``1 / unit``,
    the distance over which the log density varies, and of every argument; there are as many digits as this needs.
    """
    unit = unit or 1.0
    with mpmath.workdps(30):
        step = mpmath.mpf(10) ** -40 * min([1 / mpmath.mpf(unit), *(abs(value) for value in at.values() if value)])
        size = abs(reference(**at))
        digits = mpmath.log10(max(abs(at[name]) / step, (1 + size) / (step * unit)))
    with mpmath.workdps(60 + int(digits)):
        try:
            high, low = (reference(**at | {name: at[name] + h}) for h in (step, -step))
        except ValueError:  # a pole of the gamma function beside the end
            return None
        slope = (high - low) / (2 * step)
        return slope if isinstance(slope, mpmath.mpf) and mpmath.isfinite(slope) else None
