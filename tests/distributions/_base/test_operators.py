"""Pages from pages: families made by each operator, against mpmath on hard grids, and by draws."""

from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp

import mcvi
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary, special
from mcvi.distributions import Exponential, Gamma, LogNormal, Normal, Poisson
from mcvi.distributions._base.constraints import positive, real
from mcvi.distributions._base.operators.folded import folded
from mcvi.distributions._base.operators.mapped import Map, mapped
from mcvi.distributions._base.operators.renamed import renamed
from mcvi.distributions._base.operators.restricted import restricted
from mcvi.distributions._base.univariate import Univariate
from mcvi.testing import check_distribution
from tests.distributions._base.test_page import ramp

family = dataclass(frozen=True, eq=False, repr=False)


# Weibull: a power of an exponential variable.


@scalar
def log_ratio(x, scale):
    d = (x - scale) / scale
    return elementary.log1p(d) if abs(d) < 0.5 else elementary.log(x) - elementary.log(scale)


def power_score(s, x, concentration, scale):
    k, log_x = concentration, log_ratio(x, scale)
    y = elementary.exp(k * log_x)
    return (k * (s * y + 1.0) - 1.0) / x, (s * y + 1.0) * log_x + 1.0 / k, -k * (s * y + 1.0) / scale


def power_velocity(x, concentration, scale):
    log_x = log_ratio(x, scale)
    return x / (concentration * elementary.exp(concentration * log_x)), -x * log_x / concentration, x / scale


POWER = Map(
    parameters={"concentration": positive, "scale": positive},
    support=positive,
    forward=lambda y, concentration, scale: scale * elementary.exp(elementary.log(y) / concentration),
    inverse=lambda x, concentration, scale: elementary.exp(concentration * log_ratio(x, scale)),
    log_slope=lambda x, concentration, scale: (
        elementary.log(concentration) + concentration * log_ratio(x, scale) - elementary.log(x)
    ),
    score=power_score,
    velocity=power_velocity,
)


@family
class Weibull(Univariate):
    concentration: Any
    scale: Any

    pathwise = True
    _page = mapped(renamed(Exponential._page, {}, lambda: (1.0,), lambda s: ()), POWER)

    @staticmethod
    def reference(x, concentration, scale):
        k, t = concentration, x / scale
        return mpmath.log(k / scale) + (k - 1) * mpmath.log(t) - t**k

    @staticmethod
    def tails(x, concentration, scale):
        y = (x / scale) ** concentration
        upper = mpmath.exp(-y) if y < 1e4 else mpmath.mpf(0)
        return 1 - upper, upper


# InverseGamma: the reciprocal of a gamma variable, whose map knows its rounding error.

RECIPROCAL = Map(
    support=positive,
    increasing=False,
    forward=lambda y: 1.0 / y,
    inverse=lambda x: 1.0 / x,
    low=lambda x, y: special.quotient(1.0, x)[1],
    log_slope=lambda x: -2.0 * elementary.log(x),
    score=lambda s, x: (-(s / x + 2.0) / x,),
    velocity=lambda x: (-x * x,),
)


@family
class InverseGamma(Univariate):
    concentration: Any
    scale: Any

    _page = renamed(
        mapped(Gamma._page, RECIPROCAL),
        {"concentration": positive, "scale": positive},
        lambda concentration, scale: (concentration, scale),
        lambda s, concentration, scale: s,
    )

    @staticmethod
    def reference(x, concentration, scale):
        a = concentration
        return a * mpmath.log(scale) - (a + 1) * mpmath.log(x) - scale / x - mpmath.loggamma(a)


# HalfNormal, Chi2, a truncated normal.


@family
class HalfNormal(Univariate):
    scale: Any

    pathwise = True
    _page = folded(renamed(Normal._page, {"scale": positive}, lambda scale: (0.0, scale), lambda s, scale: (s[1],)))

    @staticmethod
    def reference(x, scale):
        return mpmath.log(2 / (scale * mpmath.sqrt(2 * mpmath.pi))) - (x / scale) ** 2 / 2

    @staticmethod
    def tails(x, scale):
        return mpmath.erf(x / scale / mpmath.sqrt(2)), mpmath.erfc(x / scale / mpmath.sqrt(2))


@family
class Chi2(Univariate):
    df: Any

    _page = renamed(Gamma._page, {"df": positive}, lambda df: (0.5 * df, 0.5), lambda s, df: (0.5 * s[0],))

    @staticmethod
    def reference(x, df):
        half = df / 2
        return (half - 1) * mpmath.log(x) - x / 2 - half * mpmath.log(2) - mpmath.loggamma(half)


@family
class TruncatedNormal(Univariate):
    loc: Any
    scale: Any
    low: Any
    high: Any

    pathwise = True
    _page = restricted(Normal._page)

    @staticmethod
    def mass(low, high):
        root = mpmath.sqrt(2)
        if low > 0:
            return (mpmath.erfc(low / root) - mpmath.erfc(high / root)) / 2
        return (mpmath.erfc(-high / root) - mpmath.erfc(-low / root)) / 2

    @classmethod
    def reference(cls, x, loc, scale, low, high):
        z = mpmath.log(scale * cls.mass((low - loc) / scale, (high - loc) / scale))
        return -(((x - loc) / scale) ** 2) / 2 - mpmath.log(2 * mpmath.pi) / 2 - z

    @classmethod
    def tails(cls, x, loc, scale, low, high):
        a, t, b = ((v - loc) / scale for v in (low, x, high))
        return cls.mass(a, t) / cls.mass(a, b), cls.mass(t, b) / cls.mass(a, b)


FACTORS = [1e-3, 0.3, 0.9, 1.0 - 1e-9, 1.0, 1.0 + 1e-6, 1.3, 4.0]
GRID = [
    *(
        (Weibull(k, s), s * np.array(FACTORS), 2e-13)
        for k in (1e-8, 0.3, 1.0, 7.0, 1e4, 1e10)
        for s in (1e-100, 0.7, 1e8)
    ),
    *(
        (InverseGamma(a, s), s / a * np.array([*FACTORS, 1.0 + 3.0 / np.sqrt(a)]), 2e-14)
        for a in (1e-3, 0.5, 3.0, 1e4, 1e8, 1e10)
        for s in (1e-50, 0.7, 1e50)
    ),
    *((HalfNormal(s), s * np.array(FACTORS), 1e-15) for s in (1e-300, 1e-8, 1.0, 1e300)),
    *((Chi2(df), df * np.array(FACTORS), 1e-12) for df in (1e-3, 1.0, 2.0, 1e6, 1e10)),
]
TRUNCATED = [
    (a, b)
    for a, b in (
        (-1.0, 2.0),
        (-0.1, 0.1),
        (-1e-8, 1e-8),
        (1.0, 1.0 + 1e-6),
        (3.0, 3.5),
        (7.0, 50.0),
        (40.0, 41.0),
        (-60.0, -50.0),
        (-3.0, 40.0),
        (-5.0, -1.0),
    )
]
GRID += [
    (TruncatedNormal(m, s, m + s * a, m + s * b), m + s * (a + (b - a) * np.array([1e-3, 0.3, 0.5, 0.999])), 2e-13)
    for a, b in TRUNCATED
    for m, s in ((0.0, 1.0), (0.0, 1e-100), (2.0, 0.25))
]


def exactly(q):
    return {name: mpmath.mpf(float(value)) for name, value in q.parameters.items()}


@pytest.mark.parametrize("cls", [Weibull, InverseGamma, HalfNormal, Chi2, TruncatedNormal])
def test_log_density_and_score_keep_their_digits_on_the_hard_grid(cls):
    for q, points, tolerance in GRID:
        if not isinstance(q, cls):
            continue
        with mpmath.workdps(400):
            at = exactly(q)
            for x, log_p, *scores in zip(points, q.log_prob(points), *q.score(points).values(), strict=True):
                x = mpmath.mpf(float(x))
                truth = cls.reference(x, **at)
                if truth < -1.7e308:  # no number
                    assert log_p == -np.inf
                    continue
                assert abs(log_p - truth) <= tolerance * max(1, abs(truth)), f"{q} at {mpmath.nstr(x, 17)}"
                for name, score in zip(("value", *at), scores, strict=True):

                    def moved(v, name=name, x=x, at=at):
                        return cls.reference(**{"x": x, **at, "x" if name == "value" else name: v})

                    here = x if name == "value" else at[name]
                    own = cls is not TruncatedNormal or name == "scale"
                    unit = abs(here) if own else max(abs(here), at["scale"])
                    step = unit * mpmath.mpf(10) ** -80
                    slope = (moved(here + step) - moved(here - step)) / (2 * step)
                    # In the natural unit of the parameter, times what is subtracted in a score: a concentration, or the
                    # squared distance of the ends.
                    terms = (
                        at.get("concentration", 1) if cls is not TruncatedNormal else (at["high"] / at["scale"]) ** 2
                    )
                    size = max(1, abs(truth), abs(slope * unit), terms, (at.get("low", 0) / at.get("scale", 1)) ** 2)
                    assert abs(score - slope) * unit <= 1e-12 * size, f"{q}: {name} at {mpmath.nstr(x, 17)}"


@pytest.mark.parametrize("cls", [Weibull, HalfNormal, TruncatedNormal])
def test_tails_and_quantile_invert_each_other(cls):
    for q, points, _ in GRID:
        if not isinstance(q, cls) or (cls is Weibull and not 0.1 < q.concentration < 100.0):
            continue  # a quantile beyond all numbers, or so steep that they are too coarse
        tolerance = 1e-11 if cls is TruncatedNormal else 1e-12
        with mpmath.workdps(60):
            for x, lower, upper, log_lower in zip(
                points, q.cdf(points), q.survival_function(points), q.log_cdf(points), strict=True
            ):
                below, above = cls.tails(mpmath.mpf(float(x)), **exactly(q))
                sized = 1 if cls is HalfNormal else below  # a difference of tails: absolute
                size = max(1, *(abs(mpmath.log(tail)) for tail in (below, above) if tail > 1e-300))
                assert abs(lower - below) <= tolerance * size * sized + mpmath.mpf(1e-300), f"{q} at {x}"
                assert abs(upper - above) <= tolerance * size * above + mpmath.mpf(1e-300), f"{q} at {x}"
                if cls is not HalfNormal and below > 1e-300:
                    assert abs(log_lower - mpmath.log(below)) <= tolerance * size, f"{q} at {x}"
        p = np.array([1e-3, 0.2, 0.5, 0.9])
        np.testing.assert_allclose(q.cdf(q.quantile(p)), p, rtol=1e-6, atol=1e-12)


INSTANCES = [
    Weibull([0.8, 3.0], 2.0),
    InverseGamma([4.0, 9.0], 2.0),
    HalfNormal([0.5, 3.0]),
    Chi2([3.0, 9.5]),
    TruncatedNormal(0.0, [1.0, 3.0], [-1.0, 4.0], [0.5, 20.0]),
]


@pytest.mark.parametrize("q", INSTANCES, ids=lambda q: type(q).__name__)
def test_it_is_a_distribution(q):
    check_distribution(q)
    low = np.broadcast_to(q.support.low, q.batch_shape)
    np.testing.assert_array_equal(q.log_prob(low - 1.0), -np.inf)
    assert all(np.all(slope == 0.0) for slope in q.score(low - 1.0).values())
    assert np.all(np.isnan(q.log_prob(np.nan)))


def test_far_truncation_is_drawn_where_the_tail_is_no_number():
    q = TruncatedNormal(0.0, 1.0, 45.0, 60.0)
    draws = q.sample(100_000, rng=0)
    assert np.all((draws >= 45.0) & (draws <= 60.0))
    u = np.sort(q.cdf(draws))
    assert np.max(abs(u - np.arange(1, 100_001) / 100_000)) < np.sqrt(np.log(2e9) / 2e5)


@pytest.mark.parametrize("q", [Weibull(1.7, 2.0), HalfNormal(1.5), TruncatedNormal(0.3, 2.0, -1.0, 4.0)], ids=repr)
@pytest.mark.parametrize(
    "method", ["cdf", "log_cdf", "survival_function", "log_survival_function", "quantile", "sample"]
)
def test_derivatives_follow_the_velocity(q, method):
    at = np.array([0.2, 0.5, 0.9])
    for name, value in q.parameters.items():

        def total(v, name=name):
            moved = q.__class__(**{**q.parameters, name: v})
            found = moved.sample(3, rng=1) if method == "sample" else getattr(moved, method)(at)
            return anp.sum(found * np.array([1.0, 2.0, -0.5]))

        step = 1e-5
        difference = (total(value + step) - total(value - step)) / (2 * step)
        assert grad(total)(float(value)) == pytest.approx(difference, rel=1e-6, abs=1e-8)
    if method != "sample":
        slope = grad(lambda x: anp.sum(getattr(q, method)(x)))(at)
        difference = (getattr(q, method)(at + 1e-6) - getattr(q, method)(at - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-8)


def test_a_map_of_the_normal_is_the_log_normal():
    exp = Map(
        support=positive,
        forward=elementary.exp,
        inverse=elementary.log,
        log_slope=lambda x: -elementary.log(x),
        score=lambda s, x: ((s - 1.0) / x,),
        velocity=lambda x: (x,),
    )

    @family
    class Image(Univariate):
        loc: Any
        scale: Any

        pathwise = True
        _page = mapped(Normal._page, exp)

    ours, other, x = Image(0.3, 0.7), LogNormal(0.3, 0.7), np.array([-1.0, 0.0, 1e-9, 0.7, 1.3, 50.0, np.inf, np.nan])
    np.testing.assert_allclose(ours.log_prob(x), other.log_prob(x), rtol=1e-13)
    np.testing.assert_allclose(ours.sample(50, rng=0), other.sample(50, rng=0), rtol=1e-14)
    np.testing.assert_allclose(ours.cdf(x), other.cdf(x), rtol=1e-12)
    for name, slope in ours.score(x[2:6]).items():
        np.testing.assert_allclose(slope, other.score(x[2:6])[name], rtol=1e-12)


def test_what_operators_make_is_drawn_and_weighed_in_one_loop():
    for q in (Weibull(1.5, 2.0), HalfNormal(1.0), TruncatedNormal(0.5, 1.0, 0.0, 3.0)):
        ratio = mcvi.renyi_ratio(Exponential(1.0).log_prob, q, 0.5, n=2000, rng=0)
        assert "fused" in ratio.method
        apart = mcvi.renyi_ratio(lambda z: Exponential(1.0).log_prob(z), q, 0.5, n=2000, rng=0)
        assert ratio.value == pytest.approx(apart.value, rel=1e-12)


def test_a_base_without_a_cdf_cannot_be_restricted():
    with pytest.raises(TypeError, match=r"restricted: the base must have a cdf, a quantile and a velocity\."):
        restricted(replace(Normal._page, make=lambda: Normal._page.functions._replace(velocity=None)))


def test_a_base_of_another_kind_cannot_be_restricted():
    with pytest.raises(TypeError, match=r"^restricted: the base must be a page, as Normal\._page or .*; got Normal\.$"):
        restricted(Normal)
    for discrete_or_moving in (Poisson._page["rate"], ramp()):
        with pytest.raises(TypeError, match=r"^restricted: the base must be continuous, on a support that does not "):
            restricted(discrete_or_moving)


def test_functions_with_other_arguments_are_refused():
    with pytest.raises(TypeError, match=r"pull_back takes \(s, df\); got \(s\)\."):
        renamed(Gamma._page, {"df": positive}, lambda df: (df, 0.5), lambda s: s)
    with pytest.raises(TypeError, match=r"forward takes \(y, shift\); got \(y\)\."):
        Map(
            parameters={"shift": real},
            support=real,
            forward=lambda y: y,
            inverse=lambda x, shift: x,
            log_slope=lambda x, shift: 0.0,
            score=lambda s, x, shift: (s, 0.0),
            velocity=lambda x, shift: (1.0, 0.0),
        )
