"""The promises of every family of numbers, as classes of tests: a family inherits one and fills in the blanks.

`Contract` holds for every family; `ContinuousContract` adds what needs a density: Kolmogorov's test and quadrature.
Both go by what a family can do: what it `lacks` must be refused by name, and everything else is tested.
"""

import copy
import json
import pickle
import re
from itertools import pairwise, product
from pathlib import Path

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp

from mcvi.random import Key, as_key, tile_rows
from tests.distributions.quadrature import expectation
from tests.distributions.references import error, exactly, score_errors, units

FALSE_FAIL = 1e-9  # chance that correct code fails one assertion about random draws
Z = 6.11  # two-sided normal quantile of FALSE_FAIL
DRAWS = 428_329  # so many that the band of Dvoretzky, Kiefer, Wolfowitz and Massart for FALSE_FAIL is 0.005 wide
GOLDEN = Path(__file__).parents[1] / "data" / "golden_draws"
#: Values at which the log density is compared whatever the family, beside the ends of the support and some draws.
ALWAYS = [0.0, -0.0, 5e-324, -1e-300, 1.0, -8.0, 40.0, 1e150, -1e300, np.inf, -np.inf, np.nan]


def instance(q):
    return repr(q)


class Contract:
    """A family gives `family`, `instances`, `reference` and `hard`; the rest has defaults.

    `q` in a test is each of `instances` in turn.
    """

    family = None
    #: Distributions of scalar parameters, in the ordinary range.
    instances = []
    #: Values of each parameter, from the smallest to the largest: the log density is compared for all combinations.
    hard = {}
    #: More of them, as pairs (distribution, values).
    grid = []
    #: Largest `error` there, and largest error of a score in the units of `score_errors`; of some scores by name.
    tolerance, score_tolerance, score_tolerances = 1e-15, 1e-12, {}
    #: Values at which every instance has log density -inf, beside those that follow from `support`.
    outside = []
    #: Pairs (keyword arguments, text of the error).
    bad = []
    #: Names of methods that the family does not have, such as "entropy".
    lacks = ()
    #: Names of tests that take more than a second for this family.
    slow = ()
    #: Functions of a distribution: the ends of its support, and how many of its moments are finite.
    support = staticmethod(lambda q: (q.support.low, q.support.high))
    moments = staticmethod(lambda q: np.inf)

    @staticmethod
    def reference(x, **parameters):
        """Return the log density with mpmath, from the textbook."""
        raise NotImplementedError

    def points(self, q):
        """Return the values at which the log density is compared for hard parameters."""
        ends = [end for end in map(float, self.support(q)) if np.isfinite(end)]
        near = [np.nextafter(end, side) for end in ends for side in (-np.inf, np.inf)]
        return [*ALWAYS, *ends, *near, *np.sort(q.sample(60, rng=0).astype(float))[::12]]

    def hard_grid(self):
        """Yield pairs of a distribution and the values at which it is compared."""
        yield from self.grid
        for values in product(*self.hard.values()) if self.hard else ():
            q = self.family(**dict(zip(self.hard, values, strict=True)))
            yield q, self.points(q)

    def has(self, *names):
        return not set(names) & set(self.lacks)

    def of(self, q, name, value):
        """Return the distribution with another value of one parameter."""
        return self.family(**{**q.parameters, name: value})

    def pytest_generate_tests(self, metafunc):
        if "q" in metafunc.fixturenames:
            metafunc.parametrize("q", self.instances, ids=instance)

    def test_what_is_lacking_is_refused_by_name(self, q):
        for name in self.lacks:
            arguments = (0.5,) if name in ("cdf", "quantile", "survival_function", "transport") else ()
            with pytest.raises(NotImplementedError, match=f"^{self.family.__name__} has no "):
                getattr(q, name)(*arguments)

    # The density

    def test_log_density_is_right_on_the_hard_grid(self):
        with mpmath.workdps(60):
            for q, values in self.hard_grid():
                for x, got in zip(values, q.log_prob(np.array(values)), strict=True):
                    truth = self.reference(mpmath.mpf(float(x)), **exactly(q))
                    assert error(got, truth) <= self.tolerance, f"{q} at {x}: {got}, not {mpmath.nstr(truth, 20)}"

    def test_outside_the_support_it_is_minus_infinity_and_nan_stays_nan(self, q):
        low, high = map(float, self.support(q))
        outside = [*self.outside]
        outside += [np.nextafter(low, -np.inf), low - 1.0, -np.inf] if low > -np.inf and not q.discrete else []
        outside += [np.nextafter(high, np.inf), high + 1.0, np.inf] if high < np.inf and not q.discrete else []
        if outside:
            np.testing.assert_array_equal(q.log_prob(outside), -np.inf)
            assert all(np.all(slope == 0.0) for slope in q.score(outside).values())
        assert np.isnan(q.log_prob(np.nan))
        assert all(np.isnan(slope) for name, slope in q.score(np.nan).items() if name != "value" or not q.discrete)

    def score_is_right(self, q, values):
        unit = units(q)
        for x in values:
            for name, off in score_errors(q, x, self.reference, unit).items():
                allowed = self.score_tolerances.get(name, self.score_tolerance)
                assert off <= allowed, f"{q}: score in {name} at {x} is {off} units off"

    def test_score_is_the_derivative_of_the_log_density(self, q):
        self.score_is_right(q, q.sample(4, rng=1))

    def test_score_is_right_on_the_hard_grid(self):
        """At points inside the support, between its ends."""
        for q, values in self.hard_grid():
            values = np.array(values)
            inside = np.isfinite(values) & np.isfinite(q.log_prob(values))
            if not q.discrete:
                inside &= ~np.isin(values, np.array(self.support(q), float))
            self.score_is_right(q, values[inside])

    def test_autograd_takes_the_score(self, q):
        x = q.sample(5, rng=2).astype(float)
        for name, value in q.parameters.items():
            slope = grad(lambda v, name=name: anp.sum(self.of(q, name, v).log_prob(x)))
            np.testing.assert_allclose(slope(float(value)), q.score(x)[name].sum(), rtol=1e-14)

    def test_a_batch_is_its_members_one_by_one(self):
        names = self.instances[0].parameters
        alike = [q for q in self.instances if q.parameters.keys() == names.keys()]
        batch = self.family(**{name: [q.parameters[name] for q in alike] for name in names})
        assert batch.batch_shape == (len(alike),)
        x = np.stack([q.sample(7, rng=3) for q in alike], axis=-1)
        np.testing.assert_array_equal(
            batch.log_prob(x), np.stack([q.log_prob(x[:, i]) for i, q in enumerate(alike)], -1)
        )
        if self.has("entropy"):
            np.testing.assert_allclose(batch.entropy(), [q.entropy() for q in alike], rtol=1e-14)
        assert batch.sample(4, rng=0).shape == (4, len(alike))
        column = self.family(**{name: np.array([q.parameters[name] for q in alike])[:, None] for name in names})
        assert column.log_prob(x.T).shape == x.T.shape
        assert column.log_prob(x[0]).shape == (len(alike), len(alike))

    # Draws

    def test_draws_have_the_stated_mean_and_variance(self, q):
        """A z-test each; it sees a mean 0.01 standard deviations off, and a variance some per cent off."""
        x = q.sample(DRAWS, rng=4).astype(float)
        if self.has("mean", "variance") and self.moments(q) > 2:
            assert abs(x.mean() - q.mean()) < Z * q.stddev() / np.sqrt(DRAWS)
        if self.has("mean", "variance") and self.moments(q) > 4:
            squares = (x - q.mean()) ** 2
            assert abs(squares.mean() - q.variance()) <= Z * squares.std() / np.sqrt(DRAWS)

    def test_draws_are_the_same_however_they_are_cut(self, q):
        for batch in ([q], [q] * 3):
            many = self.family(**{name: [b.parameters[name] for b in batch] for name in q.parameters})
            rows, key = tile_rows(many.elements), as_key(5)
            whole = many._draw(key, 0, 5 * rows + 3)
            cuts = [0, rows, 4 * rows, 5 * rows + 3]
            parts = [many._draw(key, a, b - a) for a, b in pairwise(cuts)]
            np.testing.assert_array_equal(np.concatenate(parts), whole)
            np.testing.assert_array_equal(many._draw(key, 0, 5), whole[:5])

    def test_a_long_call_draws_what_short_calls_draw(self):
        """A sampler may work in steps of its own: draws of several of them, and of a part of one, against pieces."""
        q, key = self.instances[0], as_key(12)
        rows = tile_rows(1)
        count = 3 * 8192 + 5
        pieces = [q._draw(key, first, min(rows, count - first)) for first in range(0, count, rows)]
        np.testing.assert_array_equal(q._draw(key, 0, count), np.concatenate(pieces))

    def test_draws_are_those_of_the_golden_file(self, q):
        """A change here is a change of the stream: raise `STREAM_VERSION`, and record with `record_golden_draws.py`."""
        if not self.family.__module__.startswith("mcvi."):
            return
        golden = json.loads((GOLDEN / f"{self.family.__name__}.json").read_text())[repr(q)]
        # Fused multiply-adds differ from one CPU type to another: equal to rounding, bits on one type.
        np.testing.assert_allclose(q.sample(64, rng=2024), [float.fromhex(x) for x in golden], rtol=1e-12)

    def test_streams_of_different_keys_differ(self, q):
        assert not np.any(q.sample(50, rng=Key(1)) == q.sample(50, rng=Key(2))) or q.discrete

    # The object

    def test_an_empty_batch_gives_empty_results(self, q):
        empty = self.family(**{name: np.full(0, float(value)) for name, value in q.parameters.items()})
        assert empty.sample(3, rng=0).shape == (3, 0)
        assert empty.log_prob(np.ones((3, 0))).shape == (3, 0)
        assert empty.score(1.0)["value"].shape == (0,)
        assert not self.has("mean") or empty.mean().shape == (0,)

    def test_bad_parameters_are_refused_in_a_sentence(self, q):
        for arguments, text in self.bad:
            with pytest.raises((TypeError, ValueError), match=re.escape(text)):
                self.family(**arguments)
        for name in q.parameters:
            with pytest.raises(ValueError, match=rf"^{self.family.__name__}: {name} must be .*; got nan\.$"):
                self.of(q, name, np.nan)

    def test_it_survives_pickle_and_copy(self, q):
        x = q.sample(5, rng=6)
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(q, protocol))
            assert repr(again) == repr(q)
            np.testing.assert_array_equal(again.log_prob(x), q.log_prob(x))
        assert repr(copy.deepcopy(q)) == repr(q)

    def test_repr_shows_family_and_parameters(self, q):
        assert repr(q).startswith(f"{self.family.__name__}(")
        assert all(f"{name}=" in repr(q) for name in q.parameters)

    def test_float32_parameters_give_float32_results(self, q):
        single = self.family(**{name: np.float32(value) for name, value in q.parameters.items()})
        x = single.sample(10, rng=7)
        assert x.dtype == (np.int64 if q.discrete else np.float32)
        double = self.family(**{name: float(np.float32(value)) for name, value in q.parameters.items()})
        np.testing.assert_allclose(single.log_prob(x), double.log_prob(x), rtol=2e-7, atol=1e-7)
        assert single.log_prob(x).dtype == np.float32
        for name in ("mean", "variance", "entropy"):
            if self.has(name):
                got = getattr(single, name)()
                assert got.dtype == np.float32
                np.testing.assert_allclose(got, getattr(double, name)(), rtol=1e-5, atol=1e-6)


class ContinuousContract(Contract):
    """Families with a density."""

    #: How far a closed form may be from the integral.
    quadrature_tolerance = 1e-10
    #: Pairs (distribution, value): log cdf and log survival function are compared with `cdf_reference` there.
    tails = []
    tail_tolerance = 1e-14
    #: A function of a distribution: the points other than the median at which its density is not smooth.
    kinks = staticmethod(lambda q: ())

    @staticmethod
    def cdf_reference(x, **parameters):
        """Return the probabilities below and above `x` with mpmath."""
        raise NotImplementedError

    def expect(self, q, f, below=np.inf):
        """Return ``E[f(X); X <= below]`` by quadrature of the density."""
        quartiles = np.quantile(q.sample(2000, rng=0), [0.25, 0.5, 0.75])
        return expectation(
            q,
            f,
            support=tuple(map(float, self.support(q))),
            middle=float(q.quantile(0.5)) if self.has("quantile") else quartiles[1],
            spread=quartiles[2] - quartiles[0],
            tolerance=self.quadrature_tolerance,
            below=below,
            kinks=self.kinks(q),
        )

    def test_density_integrates_to_one(self, q):
        assert self.expect(q, np.ones_like) == pytest.approx(1.0, abs=self.quadrature_tolerance)

    def test_closed_forms_are_the_integrals(self, q):
        close = {"rel": self.quadrature_tolerance, "abs": self.quadrature_tolerance}
        moments = self.moments(q)
        if self.has("mean"):
            mean = self.expect(q, lambda x: x) if moments > 1 else np.nan
            assert q.mean() == pytest.approx(mean, **close) if moments > 1 else not np.isfinite(q.mean())
        if self.has("mean", "variance"):
            if moments > 2:
                assert q.variance() == pytest.approx(self.expect(q, lambda x: (x - mean) ** 2), **close)
                assert q.stddev() == pytest.approx(np.sqrt(q.variance()))
            else:
                assert not np.isfinite(q.variance())
        if self.has("entropy"):
            assert q.entropy() == pytest.approx(-self.expect(q, q.log_prob), **close)

    def test_fisher_is_the_second_moment_of_the_score(self, q):
        if self.has("fisher"):
            names = list(q.parameters)
            expected = [
                [self.expect(q, lambda x, a=a, b=b: q.score(x)[a] * q.score(x)[b]) for b in names] for a in names
            ]
            np.testing.assert_allclose(q.fisher(), expected, rtol=1e-8, atol=1e-8)

    def test_nothing_is_more_probable_than_the_mode(self, q):
        mode = q.mode() if self.has("mode") else np.nan
        if not np.isnan(mode):
            draws = q.sample(1000, rng=8)
            step = 1e-6 * np.subtract(*np.quantile(draws, [0.75, 0.25]))
            assert np.all(q.log_prob(mode) >= q.log_prob([*draws, mode - step, mode + step]))

    def test_draws_follow_the_cdf(self, q):
        """Kolmogorov's test; it sees any cdf that is off by 0.01 somewhere.

        Without a cdf the integral of the density stands for it, at 33 of the draws.
        """
        draws = np.sort(q.sample(DRAWS, rng=9))
        if self.has("cdf"):
            u, steps = q.cdf(draws), np.arange(DRAWS + 1) / DRAWS
            distance = max(np.max(steps[1:] - u), np.max(u - steps[:-1]))
        else:
            places = np.linspace(0, DRAWS - 1, 33).astype(int)
            distance = max(
                abs(self.expect(q, np.ones_like, below=float(draws[i])) - (i + 1) / DRAWS) for i in places[:-1]
            )
        assert distance < np.sqrt(np.log(2 / FALSE_FAIL) / (2 * DRAWS))

    def test_no_draw_is_impossible(self, q):
        assert np.all(np.isfinite(q.log_prob(q.sample(DRAWS, rng=10))))

    def test_cdf_is_the_integral_of_the_density(self, q):
        if not self.has("cdf", "quantile"):
            return
        for p in (0.1, 0.5, 0.9):
            x = float(q.quantile(p))
            assert q.cdf(x) == pytest.approx(p, rel=1e-12)
            assert q.survival_function(x) == pytest.approx(1.0 - p, rel=1e-12)
            assert q.log_cdf(x) == pytest.approx(np.log(p), rel=1e-11)
            assert q.log_survival_function(x) == pytest.approx(np.log1p(-p), rel=1e-11)
            assert self.expect(q, np.ones_like, below=x) == pytest.approx(p, abs=1e-9)

    def test_tails_keep_their_digits(self):
        with mpmath.workdps(60):
            for q, x in self.tails:
                logs = [mpmath.log(p) for p in self.cdf_reference(mpmath.mpf(x), **exactly(q))]
                for name, truth in zip(("log_cdf", "log_survival_function"), logs, strict=True):
                    assert error(getattr(q, name)(x), truth) < self.tail_tolerance, f"{name} of {q} at {x}"

    def test_cdf_and_quantile_at_the_ends(self, q):
        if not self.has("cdf", "quantile"):
            return
        low, high = self.support(q)
        np.testing.assert_array_equal(q.quantile([0.0, 1.0]), [low, high])
        assert np.all(np.isnan(q.quantile([-0.1, 1.1, np.nan])))
        np.testing.assert_array_equal(q.cdf([-np.inf, low, high, np.inf]), [0.0, 0.0, 1.0, 1.0])
        np.testing.assert_array_equal(q.survival_function([-np.inf, low, high, np.inf]), [1.0, 1.0, 0.0, 0.0])
        np.testing.assert_array_equal(q.log_cdf([-np.inf, low, high, np.inf]), [-np.inf, -np.inf, 0.0, 0.0])
        np.testing.assert_array_equal(q.log_survival_function([low, high]), [0.0, -np.inf])
        assert all(np.isnan(f(np.nan)) for f in (q.cdf, q.log_cdf, q.survival_function, q.log_survival_function))

    def test_entropy_can_be_differentiated(self, q):
        for name, value in q.parameters.items() if self.has("entropy") else ():

            def entropy(v, name=name):
                return self.of(q, name, v).entropy() + 0.0 * v  # where it does not depend on v, a trace of it

            step = 1e-5 * max(abs(value), 0.1)
            expected = (entropy(value + step) - entropy(value - step)) / (2 * step)
            assert grad(entropy)(float(value)) == pytest.approx(expected, rel=1e-6, abs=1e-8)

    def test_transported_noise_is_the_draws(self, q):
        if not q.pathwise:
            with pytest.raises(NotImplementedError, match="pathwise"):
                q.transport(np.zeros(3))
            return
        noise, x = q.noise(3000, rng=11), q.sample(3000, rng=11)
        np.testing.assert_allclose(q.transport(noise), x, rtol=1e-14, atol=1e-14)
        for name, value in q.parameters.items():

            def total(v, name=name):
                return anp.sum(self.of(q, name, v).sample(50, rng=11))

            step = 1e-4 * max(abs(value), 0.1)
            expected = (total(value + step) - total(value - step)) / (2 * step)
            assert grad(total)(float(value)) == pytest.approx(expected, rel=1e-6, abs=1e-6)
