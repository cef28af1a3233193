"""Arguments for the tests of the compiled functions, and the errors they measure: against mpmath, over all doubles."""

import mpmath
import numba
import numpy as np

EPS = 2.0**-52
LARGEST = np.finfo(np.float64).max
SMALLEST = 5e-324
NORMAL = 2.2250738585072014e-308
ROOM = 200  # bits of the references


def loop_over(function):
    """Return `function` of numbers as a function of arrays: the loop that it is meant to be inlined into."""

    @numba.njit(fastmath={"contract"}, error_model="numpy")
    def one(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    @numba.njit(fastmath={"contract"}, error_model="numpy")
    def two(x, y, out):
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    def apply(*arguments):
        arguments = [np.asarray(a, dtype=np.float64) for a in arguments]
        out = np.empty_like(arguments[0])
        (one if len(arguments) == 1 else two)(*arguments, out)
        return out

    apply.loop = one
    return apply


def log_uniform(rng, low, high, size):
    """Positive doubles, uniform in their bit pattern."""
    first, last = np.array([low, high]).view(np.int64)
    return rng.integers(first, last, size).view(np.float64)


def around(points, steps=3):
    """Points and the doubles next to them."""
    found = [np.asarray(points, dtype=np.float64)]
    up = down = found[0]
    for _ in range(steps):
        up, down = np.nextafter(up, np.inf), np.nextafter(down, -np.inf)
        found += [up, down]
    return np.concatenate(found)


def largest_error(values, definition, *arguments, unit):
    """Return the largest error of `values` in units of ``unit(exact)``; infinite and nan values must be exact."""
    worst = 0.0
    with mpmath.workprec(ROOM):
        for value, *point in zip(values, *arguments, strict=True):
            exact = definition(*(mpmath.mpf(float(x)) for x in point))
            rounded = float(exact)
            where = ", ".join(float(x).hex() for x in point)
            if not (np.isfinite(rounded) and np.isfinite(value)):
                assert value == rounded, f"at {where}: {value} for {rounded}"
                continue
            error = float(abs(exact - mpmath.mpf(float(value))) / mpmath.mpf(float(unit(exact))))
            worst = max(worst, error)
    return worst


def ulp(exact):
    """The distance of doubles at the exact value."""
    return np.spacing(abs(float(exact)))


def mixed(exact):
    """EPS, relative above 1 and absolute below: what an error in a log density counts as."""
    return EPS * max(1.0, abs(float(exact)))


def relative(exact):
    """EPS of the exact value."""
    return max(EPS * abs(float(exact)), SMALLEST)
