"""The contract goes by abilities: families without a variance, without a cdf, and on a circle keep it as they are.

Four families that are only here: Cauchy, HalfCauchy, Pareto of any shape, VonMises on the circle.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
from autograd import numpy as anp

from mcvi.distributions._base.distribution import Distribution
from mcvi.random import standard_uniforms
from tests.distributions.contract import ContinuousContract


class ByFormulas(Distribution):
    """A family of numbers in plain NumPy: `quantile_of(u)` draws, `_log_prob` and `slopes` weigh."""

    def __post_init__(self) -> None:
        for name, value in self.parameters.items():
            plain = getattr(value, "_value", value)
            if np.isnan(plain).any():
                raise ValueError(f"{type(self).__name__}: {name} must be a number; got nan.")
        kept = {k: v if hasattr(v, "_value") else np.asarray(v)[()] for k, v in self.parameters.items()}
        self._set(**kept)

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(*(np.shape(getattr(p, "_value", p)) for p in self.parameters.values()))

    def _draw(self, key: Any, first: int, count: int) -> Any:
        u = standard_uniforms(key, first, count, self.elements).reshape(count, *self.batch_shape)
        return self.quantile_of(u)

    def score(self, value: Any) -> dict[str, Any]:
        with np.errstate(all="ignore"):
            slopes = self.slopes(np.asarray(value, np.float64))
        value = np.asarray(value, np.float64)
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        outside = ~self.inside(value) & ~np.isnan(value)
        return {k: np.where(outside, 0.0, v + np.zeros(shape))[()] for k, v in slopes.items()}

    def _log_prob(self, value: Any) -> Any:
        with np.errstate(all="ignore"):
            inside = self.inside(getattr(value, "_value", value))
            log_density = self.log_density(anp.where(inside, value, 1.5))
            return anp.where(np.isnan(getattr(value, "_value", value)), np.nan, anp.where(inside, log_density, -np.inf))

    def inside(self, value: Any) -> Any:
        return np.isfinite(value)


@dataclass(frozen=True, eq=False, repr=False)
class Cauchy(ByFormulas):
    loc: Any
    scale: Any

    def quantile_of(self, u):
        return self.loc + self.scale * np.tan(np.pi * (u - 0.5))

    def log_density(self, value):
        return -anp.log(np.pi * self.scale) - anp.log1p(((value - self.loc) / self.scale) ** 2)

    def slopes(self, value):
        t = (value - self.loc) / self.scale
        slope = 2.0 / (t + 1.0 / t) / self.scale
        return {"value": -slope, "loc": slope, "scale": (slope * t * self.scale - 1.0) / self.scale}

    def _mode(self):
        return self.loc

    def _entropy(self):
        return anp.log(4 * np.pi * self.scale)

    def _cdf(self, value):
        return 0.5 + anp.arctan2(value - self.loc, self.scale) / np.pi

    def _survival_function(self, value):
        return 0.5 - anp.arctan2(value - self.loc, self.scale) / np.pi

    def _log_cdf(self, value):
        return anp.log(self._cdf(value))

    def _log_survival_function(self, value):
        return anp.log(self._survival_function(value))

    def _quantile(self, p):
        possible = (p >= 0) & (p <= 1)
        ends = np.where(p == 0, -np.inf, np.inf)
        return np.where(possible, np.where((p == 0) | (p == 1), ends, self.quantile_of(p)), np.nan)

    def _fisher(self):
        return np.eye(2) * 0.5 / np.asarray(self.scale)[..., None, None] ** 2


class TestCauchy(ContinuousContract):
    family = Cauchy
    instances = [Cauchy(0.0, 1.0), Cauchy(-3.0, 0.25)]
    support = staticmethod(lambda q: (-np.inf, np.inf))
    lacks = ("mean", "variance")
    moments = staticmethod(lambda q: 1)

    @staticmethod
    def reference(x, loc, scale):
        return -mpmath.log(mpmath.pi * scale) - mpmath.log1p(((x - loc) / scale) ** 2)


@dataclass(frozen=True, eq=False, repr=False)
class HalfCauchy(ByFormulas):
    scale: Any

    def quantile_of(self, u):
        return self.scale * np.tan(0.5 * np.pi * u)

    def inside(self, value):
        return (value >= 0.0) & (value < np.inf)

    def log_density(self, value):
        return anp.log(2 / np.pi / self.scale) - anp.log1p((value / self.scale) ** 2)

    def slopes(self, value):
        t = value / self.scale
        slope = 2.0 / (t + 1.0 / t)
        return {"value": -slope / self.scale, "scale": (slope * t - 1.0) / self.scale}


class TestHalfCauchy(ContinuousContract):
    family = HalfCauchy
    instances = [HalfCauchy(1.0), HalfCauchy(30.0)]
    hard = {"scale": (1.0, 1e10, 1e100)}
    lacks = ("mean", "variance", "mode", "entropy", "cdf", "quantile", "fisher")
    support = staticmethod(lambda q: (0.0, np.inf))

    @staticmethod
    def reference(x, scale):
        if x < 0:
            return -mpmath.inf
        return mpmath.log(2 / mpmath.pi / scale) - mpmath.log1p((x / scale) ** 2)


@dataclass(frozen=True, eq=False, repr=False)
class Pareto(ByFormulas):
    shape: Any

    def quantile_of(self, u):
        return np.exp(-np.log(u) / self.shape)

    def inside(self, value):
        return (value >= 1.0) & (value < np.inf)

    def log_density(self, value):
        return anp.log(self.shape) - (self.shape + 1.0) * anp.log(value)

    def slopes(self, value):
        return {"value": -(self.shape + 1.0) / value, "shape": 1.0 / self.shape - np.log(value)}

    def _mean(self):
        return anp.where(self.shape > 1.0, self.shape / anp.where(self.shape > 1.0, self.shape - 1.0, 1.0), np.inf)

    def _variance(self):
        some = self.shape > 2.0
        a = anp.where(some, self.shape, 3.0)
        return anp.where(some, a / (a - 1.0) ** 2 / (a - 2.0), np.inf)

    def _entropy(self):
        return 1.0 + 1.0 / self.shape - anp.log(self.shape)

    def _fisher(self):
        return (1.0 / np.asarray(self.shape) ** 2)[..., None, None]


class TestPareto(ContinuousContract):
    family = Pareto
    instances = [Pareto(0.5), Pareto(1.5), Pareto(2.5), Pareto(9.0)]
    lacks = ("mode", "cdf", "quantile")
    support = staticmethod(lambda q: (1.0, np.inf))
    moments = staticmethod(lambda q: q.shape)

    @staticmethod
    def reference(x, shape):
        return mpmath.log(shape) - (shape + 1) * mpmath.log(x)


@dataclass(frozen=True, eq=False, repr=False)
class VonMises(ByFormulas):
    """On the circle, from -pi to pi; drawn by inverting a table of its cdf."""

    concentration: Any

    def quantile_of(self, u):
        grid = np.linspace(-np.pi, np.pi, 200_001)
        tables = [
            np.exp(k * (np.cos(0.5 * (grid[1:] + grid[:-1])) - 1.0))
            for k in np.broadcast_to(self.concentration, self.batch_shape).ravel()
        ]
        cdfs = [np.concatenate([[0.0], np.cumsum(t) / t.sum()]) for t in tables]
        draws = u.reshape(len(u), -1).copy()
        for column, cdf in zip(draws.T, cdfs, strict=True):
            column[:] = np.interp(column, cdf, grid)
        return draws.reshape(u.shape)

    def inside(self, value):
        return abs(value) <= np.pi

    def log_density(self, value):
        k = self.concentration
        plain = getattr(k, "_value", k)
        # log I0 with the derivative I1 / I0
        log_i0 = np.log(scipy.special.i0e(plain)) + plain
        ratio = scipy.special.i1e(plain) / scipy.special.i0e(plain)
        return k * anp.cos(value) - np.log(2 * np.pi) - (log_i0 + ratio * (k - plain))

    def slopes(self, value):
        k = np.asarray(self.concentration)
        ratio = scipy.special.i1e(k) / scipy.special.i0e(k)
        return {"value": -k * np.sin(value), "concentration": np.cos(value) - ratio}


class TestVonMises(ContinuousContract):
    family = VonMises
    instances = [VonMises(0.5), VonMises(4.0)]
    hard = {"concentration": (1e-3, 1.0, 300.0)}
    tolerance = 1e-13
    lacks = ("mean", "variance", "mode", "entropy", "cdf", "quantile", "fisher")
    support = staticmethod(lambda q: (-np.pi, np.pi))

    @staticmethod
    def reference(x, concentration):
        if abs(x) > mpmath.mpf(float(np.pi)):
            return -mpmath.inf
        return concentration * mpmath.cos(x) - mpmath.log(2 * mpmath.pi * mpmath.besseli(0, concentration))


class Draws:
    """Families above with draws that are off by a little."""

    class WideHalfCauchy(HalfCauchy):
        def quantile_of(self, u):
            return 1.02 * super().quantile_of(u)

    class StiffVonMises(VonMises):
        def quantile_of(self, u):
            return 1.02 * super().quantile_of(u) % np.pi

    class LongTailedPareto(Pareto):
        def quantile_of(self, u):
            return super().quantile_of(u) ** 1.03


@pytest.mark.parametrize(
    ("contract", "family"),
    [
        (TestHalfCauchy, Draws.WideHalfCauchy),
        (TestVonMises, Draws.StiffVonMises),
        (TestPareto, Draws.LongTailedPareto),
    ],
    ids=lambda case: case.__name__,
)
def test_draws_that_are_off_are_seen_without_a_cdf(contract, family):
    with pytest.raises(AssertionError):
        contract().test_draws_follow_the_cdf(family(1.5))


def test_an_ability_that_is_said_to_lack_and_does_not_is_seen():
    held = TestPareto()
    held.lacks = ("mean",)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        held.test_what_is_lacking_is_refused_by_name(Pareto(3.0))


def test_an_integral_that_does_not_converge_is_no_integral():
    with pytest.raises(AssertionError, match="is known to"):
        TestPareto().expect(Pareto(0.5), lambda x: x)
