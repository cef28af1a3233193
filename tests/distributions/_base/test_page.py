"""A page: its names are checked on import, its guards follow from the support, its code is kept on disk."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from mcvi.distributions import Normal
from mcvi.distributions._base.constraints import above, interval, non_negative, positive, real, whole_up_to
from mcvi.distributions._base.page import page
from mcvi.distributions._base.samplers import from_uniform
from mcvi.distributions._base.univariate import Univariate


class Constants(NamedTuple):
    low: float
    high: float
    slope: float


def prepare(low: float, high: float) -> Constants:
    return Constants(low, high, 2.0 / (high - low) ** 2)


def log_density(x: float, c: Constants) -> float:
    return np.log(c.slope * (x - c.low))


def score(x: float, c: Constants) -> Any:
    return 1.0 / (x - c.low), 0.0, 0.0


def quantile(p: float, q: float, low: float, high: float) -> float:
    return low + (high - low) * np.sqrt(p)


def cdf(x: float, c: Constants) -> Any:
    t = (x - c.low) / (c.high - c.low)
    return t * t, (1.0 - t) * (1.0 + t)


def ramp(**changes):
    """Return the page of a density that rises from one end of an interval to the other."""
    stated = {
        "parameters": {"low": real, "high": above("low")},
        "support": interval("low", "high"),
        "prepare": prepare,
        "log_density": log_density,
        "score": score,
        "quantile": quantile,
        "cdf": cdf,
    }
    return page(**{**stated, **changes})


@dataclass(frozen=True, eq=False, repr=False)
class Ramp(Univariate):
    low: Any
    high: Any

    _page = ramp()


def test_guards_follow_from_the_support():
    q = Ramp([0.0, 1.0], 3.0)
    outside = np.array([-np.inf, -0.5, 3.5, np.inf])[:, None]
    np.testing.assert_array_equal(q.log_prob(outside), -np.inf)
    for slope in q.score(outside).values():
        np.testing.assert_array_equal(slope, 0.0)
    np.testing.assert_array_equal(q.cdf(outside), [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(q.log_survival_function(outside)[2:], -np.inf)
    np.testing.assert_array_equal(q.quantile([[0.0], [1.0], [-0.1], [1.1], [np.nan]])[:2], [[0.0, 1.0], [3.0, 3.0]])
    assert np.isnan(q.quantile([[-0.1], [1.1], [np.nan]])).all()
    for method in (q.log_prob, q.cdf, q.log_cdf, q.survival_function, lambda x: q.score(x)["value"]):
        assert np.isnan(method(np.nan)).all()


def test_the_sampler_takes_the_quantile_that_the_method_has():
    q = Ramp(0.0, 3.0)
    draws = q.sample(1000, rng=0)
    assert np.all((draws > 0.0) & (draws < 3.0))
    np.testing.assert_allclose(q.quantile(q.cdf(draws)), draws, rtol=1e-14)
    np.testing.assert_allclose(q.log_cdf(draws), np.log(q.cdf(draws)), rtol=1e-13, atol=1e-15)


def test_without_a_velocity_a_cdf_is_differentiated_in_the_value_only():
    from autograd import grad

    q = Ramp(0.0, 3.0)
    assert grad(q.cdf)(1.5) == pytest.approx(np.exp(q.log_prob(1.5)))
    with pytest.raises(NotImplementedError, match="the derivative of a cdf in the parameters of this family"):
        grad(lambda high: Ramp(0.0, high).cdf(1.5))(3.0)


def misspelt(x: float, c: Any) -> float:
    return c.slop * x


def swapped(high: float, low: float) -> Constants:
    return Constants(low, high, 1.0)


def bare(low: float, high: float) -> Any:
    return low, high


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"log_density": misspelt}, r"misspelt: no constant is called slop; there are low, high, slope\.$"),
        ({"prepare": swapped}, r"swapped: prepare takes \(low, high\); got \(high, low\)\.$"),
        ({"prepare": bare}, r"^prepare must be annotated with the NamedTuple that it returns"),
        ({"score": lambda x: 0.0}, r"^score takes \(x, c\); got \(x\)\.$"),
        ({"quantile": lambda p, q, low: p}, r"quantile takes \(p, q, low, high\); got \(p, q, low\)\.$"),
        ({"quantile": None}, r"^page: give draw= or quantile=, from which to draw\.$"),
    ],
    ids=lambda case: str(case)[:12],
)
def test_wrong_names_are_errors_on_import(changes, text):
    with pytest.raises(TypeError, match=text):
        ramp(**changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"log_density": None}, r"^page: log_density must be a function of numbers; got None\.$"),
        ({"score": 1.0}, r"^page: score must be a function of numbers; got 1\.0\.$"),
        ({"prepare": None}, r"^page: prepare must be a function of numbers; got None\.$"),
        ({"cdf": "cdf"}, r"^page: cdf must be a function of numbers; got 'cdf'\.$"),
        (
            {"parameters": ["low", "high"]},
            r"^page: parameters must map names to constraints, .*; got \['low', 'high'\]\.",
        ),
        (
            {"parameters": {"low": "real"}},
            r"^page: parameters must map names to constraints, .*; got \{'low': 'real'\}\.",
        ),
        (
            {"support": "real"},
            r"^page: support must be a constraint of numbers, such as real or positive; got 'real'\.",
        ),
        ({"draw": np.sqrt}, r"^page: draw must be a sampler, such as from_normal\(\.\.\.\); got <ufunc 'sqrt'>\.$"),
    ],
    ids=lambda case: str(case)[:24],
)
def test_arguments_of_another_kind_are_refused(changes, text):
    with pytest.raises(TypeError, match=text):
        ramp(**changes)


def two_of_three(low: float, high: float) -> Constants:
    return low, high


@pytest.mark.parametrize(
    ("changes", "method", "text"),
    [
        ({"score": lambda x, c: (0.0, 0.0)}, "score", r"<lambda> must return a tuple of numbers, 3 of them; got 2\.$"),
        ({"score": lambda x, c: (x, x, x, x)}, "score", r"must return a tuple of numbers, 3 of them; got 4\.$"),
        ({"score": lambda x, c: x}, "score", r"must return a tuple of numbers, 3 of them; got float64\.$"),
        ({"prepare": two_of_three}, "log_prob", r"two_of_three must return a tuple of numbers, 3 of them; got 2\.$"),
        ({"cdf": lambda x, c: (x, x, x)}, "cdf", r"must return a tuple of numbers, 2 of them; got 3\.$"),
    ],
    ids=["two", "four", "number", "prepare", "cdf"],
)
def test_another_count_of_numbers_is_refused_when_compiled(changes, method, text):
    @dataclass(frozen=True, eq=False, repr=False)
    class Wrong(Univariate):
        low: Any
        high: Any

        _page = ramp(**changes)

    with pytest.raises(TypeError, match=text):
        getattr(Wrong(0.0, 3.0), method)(1.0)


def test_fields_in_another_order_than_the_page_are_refused():
    with pytest.raises(TypeError, match=r"^Wrong: the page has the parameters low, high; give the class fields"):

        class Wrong(Univariate):
            high: Any
            low: Any

            _page = ramp()


def test_what_a_page_lacks_is_refused_in_a_sentence():
    @dataclass(frozen=True, eq=False, repr=False)
    class Bare(Univariate):
        rate: Any

        _page = page(
            parameters={"rate": positive},
            support=non_negative,
            prepare=_prepare_rate,
            log_density=lambda x, c: -c.rate * x,
            score=lambda x, c: (-c.rate, -x),
            draw=from_uniform(lambda u, rate: u / rate),
        )

    for method in ("cdf", "quantile", "log_survival_function"):
        with pytest.raises(NotImplementedError, match=r"^Bare has no (cdf|quantile)"):
            getattr(Bare(1.0), method)(0.5)
    with pytest.raises(NotImplementedError, match=r"^Bare has no pathwise derivative"):
        Bare(1.0).transport(0.5)


class Rate(NamedTuple):
    rate: float


def _prepare_rate(rate: float) -> Rate:
    return Rate(rate)


def test_a_record_of_constants_has_their_names():
    assert Normal._page.constants == ("loc", "precision", "log_peak")
    assert ramp().constants == ("low", "high", "slope")
    assert whole_up_to("n").at({"n": 3.0}).high == 3.0
