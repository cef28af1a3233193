"""Scores of counts next to a large mean, in natural units, against mpmath: there every term cancels another."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Binomial, NegativeBinomial, Poisson

LOGITS = [-700.0, -20.0, -0.8, -1e-17, 0.0, 1e-17, 0.8, 3.0, 20.0]
PROBS = [1e-300, 1e-9, 0.3, 0.5, 0.7, 1.0 - 2.0**-30]
ODDS = [("probs", p) for p in PROBS] + [("logits", x) for x in LOGITS]


@pytest.fixture(autouse=True)
def _digits():
    with mpmath.workdps(80):
        yield


def exact_odds(name, value):
    value = mpmath.mpf(value)
    p = value if name == "probs" else 1 / (1 + mpmath.exp(-value))
    return p, 1 - p


def near(mean, spread):
    """Return counts about a mean: the next one, and those some standard deviations away."""
    about = {int(mpmath.nint(mean + s * spread)) for s in (-5, -1, 0, 1, 5)}
    return sorted(float(k) for k in about if 0 < k < 2**53)


def agree(got, exact, unit, x):
    """Compare at the rounding of the score, and at a hundredth of the rounding of its standard deviation."""
    allowed = 4e-15 * (abs(exact) + unit * 0.01)
    assert abs(mpmath.mpf(float(got)) - exact) <= allowed, f"at {x}: {got}, not {mpmath.nstr(exact, 20)}"


@pytest.mark.parametrize("total_count", [1e6, 1e10, 1e15])
@pytest.mark.parametrize(("name", "value"), ODDS)
def test_binomial(total_count, name, value):
    p, q = exact_odds(name, value)
    n = mpmath.mpf(total_count)
    for x in (k for k in near(n * p, mpmath.sqrt(n * p * q)) if k < total_count):
        score = Binomial(total_count, **{name: value}).score(x)
        slope = (x - n * p) / (p * q if name == "probs" else 1)
        agree(score[name], slope, mpmath.sqrt(n * p * q) / (p * q if name == "probs" else 1), x)
        rise = mpmath.psi(0, n + 1) - mpmath.psi(0, n - x + 1) + mpmath.log(q)
        agree(score["total_count"], rise, mpmath.sqrt(p / (q * n)), x)


@pytest.mark.parametrize("total_count", [1e3 + 0.5, 1e6 + 0.1, 1e10, 1e15])
@pytest.mark.parametrize(("name", "value"), ODDS)
def test_negative_binomial(total_count, name, value):
    p, q = exact_odds(name, value)
    r = mpmath.mpf(total_count)
    for x in near(r * p / q, mpmath.sqrt(r * p) / q):
        score = NegativeBinomial(total_count, **{name: value}).score(x)
        slope = (x * q - r * p) / (p * q if name == "probs" else 1)
        agree(score[name], slope, mpmath.sqrt(r * p) / (p * q if name == "probs" else 1), x)
        rise = mpmath.psi(0, x + r) - mpmath.psi(0, r) + mpmath.log(q)
        agree(score["total_count"], rise, mpmath.sqrt(p / r), x)


@pytest.mark.parametrize("log_rate", [0.3, 10.0, np.log(1e15), 36.0])
def test_poisson(log_rate):
    rate = mpmath.exp(mpmath.mpf(log_rate))
    for x in near(rate, mpmath.sqrt(rate)):
        agree(Poisson(log_rate=log_rate).score(x)["log_rate"], x - rate, mpmath.sqrt(rate), x)
