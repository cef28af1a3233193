"""What every family of numbers promises, as classes of tests: a family inherits one and fills in the blanks.

`Contract` holds for every family; `ContinuousContract` adds what needs a density: Kolmogorov's test and quadrature.
"""

import copy
import json
import pickle
import re
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp
from scipy.integrate import tanhsinh

from mcvi.random import Key, as_key, tile_rows

FALSE_FAIL = 1e-9  # chance that correct code fails one assertion about random draws
Z = 6.11  # two-sided normal quantile of FALSE_FAIL
DRAWS = 428_329  # so many that the band of Dvoretzky, Kiefer, Wolfowitz and Massart for FALSE_FAIL is 0.005 wide
GOLDEN = Path(__file__).parents[1] / "data" / "golden_draws"


def error(value, truth):
    """Absolute error below 1, relative error above; 0 for equal infinities or two nans."""
    value, truth = mpmath.mpf(float(value)), mpmath.mpf(truth)
    if mpmath.isnan(value) or mpmath.isnan(truth) or mpmath.isinf(value) or mpmath.isinf(truth):
        same = value == truth or (mpmath.isnan(value) and mpmath.isnan(truth))
        # A reference that no float64 can hold is an infinity to us.
        return 0.0 if same or (mpmath.isinf(value) and value == float(truth)) else np.inf
    return float(abs(value - truth) / max(1, abs(truth)))


def exactly(q):
    """Return the parameters of a distribution as numbers of many digits."""
    return {name: mpmath.mpf(float(value)) for name, value in q.parameters.items()}


def instance(q):
    return repr(q)


class Contract:
    """A family gives the attributes below; `q` in a test is each of `instances` in turn."""

    family = None
    #: Distributions of scalar parameters, in the ordinary range, light-tailed enough for a z-test of the variance.
    instances = []
    #: Pairs (distribution, values): the log density is compared with `reference` at each.
    grid = []
    #: Largest `error` there, and that of the score at draws of `instances`.
    tolerance, score_tolerance = 1e-15, 1e-13
    #: Optional: the derivatives of `reference` by name, with mpmath; compared on the grid too.
    score_reference = None
    #: Values at which every instance has log density -inf.
    outside = []
    #: Pairs (keyword arguments, text of the error).
    bad = []
    has_entropy = True

    @staticmethod
    def reference(x, **parameters):
        """Return the log density with mpmath, from the textbook."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc):
        if "q" in metafunc.fixturenames:
            metafunc.parametrize("q", self.instances, ids=instance)

    # The density

    def test_log_density_is_right_on_the_hard_grid(self):
        with mpmath.workdps(60):
            for q, values in self.grid:
                for x, got in zip(values, q.log_prob(np.array(values)), strict=True):
                    truth = self.reference(mpmath.mpf(x), **exactly(q))
                    assert error(got, truth) <= self.tolerance, f"{q} at {x}: {got}, not {mpmath.nstr(truth, 20)}"

    def test_outside_the_support_it_is_minus_infinity_and_nan_stays_nan(self, q):
        if self.outside:
            np.testing.assert_array_equal(q.log_prob(self.outside), -np.inf)
            assert all(np.all(slope == 0.0) for slope in q.score(self.outside).values())
        assert np.isnan(q.log_prob(np.nan))
        assert all(np.isnan(slope) for name, slope in q.score(np.nan).items() if name != "value" or not q.discrete)

    def test_score_is_the_derivative_of_the_log_density(self, q):
        with mpmath.workdps(40):
            for x in q.sample(4, rng=1):
                scores, at = q.score(float(x)), {"value": mpmath.mpf(float(x)), **exactly(q)}
                for name in at if not q.discrete else q.parameters:
                    truth = mpmath.diff(
                        lambda v, name=name, at=at: self.reference(
                            **{"x" if k == "value" else k: v if k == name else w for k, w in at.items()}
                        ),
                        at[name],
                    )
                    assert error(scores[name], truth) <= self.score_tolerance, f"{q}: score in {name} at {x}"

    def test_score_is_right_on_the_hard_grid(self):
        """Against `score_reference`, where a family gives it, at points inside the support."""
        if self.score_reference is None:
            return
        with mpmath.workdps(60):
            for q, values in self.grid:
                inside = np.isfinite(values) & np.isfinite(q.log_prob(values)) & ~np.isin(values, self.support(q))
                for x in np.array(values)[inside]:
                    scores = q.score(x)
                    for name, truth in self.score_reference(mpmath.mpf(x), **exactly(q)).items():
                        assert error(scores[name], truth) <= self.score_tolerance, f"{q}: score in {name} at {x}"

    def test_autograd_takes_the_score(self, q):
        x = q.sample(5, rng=2).astype(float)
        for name, value in q.parameters.items():
            others = {k: v for k, v in q.parameters.items() if k != name}
            slope = grad(lambda v, name=name, others=others: anp.sum(self.family(**others, **{name: v}).log_prob(x)))
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
        if self.has_entropy:
            np.testing.assert_allclose(batch.entropy(), [q.entropy() for q in alike], rtol=1e-14)
        assert batch.sample(4, rng=0).shape == (4, len(alike))
        column = self.family(**{name: np.array([q.parameters[name] for q in alike])[:, None] for name in names})
        assert column.log_prob(x.T).shape == x.T.shape
        assert column.log_prob(x[0]).shape == (len(alike), len(alike))

    # Draws

    def test_draws_have_the_stated_mean_and_variance(self, q):
        """A z-test each; it sees a mean 0.01 standard deviations off, and a variance some per cent off."""
        x = q.sample(DRAWS, rng=4).astype(float)
        assert abs(x.mean() - q.mean()) < Z * q.stddev() / np.sqrt(DRAWS)
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

    def test_draws_are_those_of_the_golden_file(self, q):
        """A change here is a change of the stream: raise `STREAM_VERSION`, and record with `record_golden_draws.py`."""
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
        assert empty.score(1.0)["value"].shape == empty.mean().shape == (0,)

    def test_bad_parameters_are_refused_in_a_sentence(self):
        for arguments, text in self.bad:
            with pytest.raises((TypeError, ValueError), match=re.escape(text)):
                self.family(**arguments)

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
        for result in (single.log_prob(x), single.mean(), single.variance()):
            assert result.dtype == np.float32
        double = self.family(**{name: float(np.float32(value)) for name, value in q.parameters.items()})
        np.testing.assert_allclose(single.log_prob(x), double.log_prob(x), rtol=2e-7, atol=1e-7)
        if self.has_entropy:
            assert single.entropy().dtype == np.float32
            np.testing.assert_allclose(single.entropy(), double.entropy(), rtol=1e-5, atol=1e-6)


class ContinuousContract(Contract):
    """Families with a density and a cdf."""

    #: How far a closed form may be from the integral.
    quadrature_tolerance = 1e-10
    #: Triples (distribution, value, (cdf, survival function)), exact: compared in logs.
    tails = []
    tail_tolerance = 1e-14
    has_fisher = True

    @staticmethod
    def support(q):
        return -np.inf, np.inf

    def expect(self, q, f):
        """Return ``E[f(x)]`` by quadrature of the density, in two pieces: none has a kink inside."""
        low, high = self.support(q)
        middle = float(q.quantile(0.5))

        def integrand(x):
            log_p = q.log_prob(x)
            possible = log_p > -700.0
            return np.where(possible, np.exp(log_p) * f(np.where(possible, x, middle)), 0.0)

        with np.errstate(all="ignore"):
            return sum(
                tanhsinh(integrand, a, b, atol=1e-14, rtol=1e-12).integral for a, b in ((low, middle), (middle, high))
            )

    def test_density_integrates_to_one(self, q):
        assert self.expect(q, np.ones_like) == pytest.approx(1.0, abs=self.quadrature_tolerance)

    def test_closed_forms_are_the_integrals(self, q):
        mean = self.expect(q, lambda x: x)
        close = {"rel": self.quadrature_tolerance, "abs": self.quadrature_tolerance}
        assert q.mean() == pytest.approx(mean, **close)
        assert q.variance() == pytest.approx(self.expect(q, lambda x: (x - mean) ** 2), **close)
        assert q.stddev() == pytest.approx(np.sqrt(q.variance()))
        assert q.entropy() == pytest.approx(-self.expect(q, q.log_prob), **close)

    def test_fisher_is_the_second_moment_of_the_score(self, q):
        if not self.has_fisher:
            with pytest.raises(NotImplementedError, match="Fisher"):
                q.fisher()
            return
        names = list(q.parameters)
        expected = [[self.expect(q, lambda x, a=a, b=b: q.score(x)[a] * q.score(x)[b]) for b in names] for a in names]
        np.testing.assert_allclose(q.fisher(), expected, rtol=1e-8, atol=1e-8)

    def test_nothing_is_more_probable_than_the_mode(self, q):
        mode = q.mode()
        if not np.isnan(mode):
            assert np.all(q.log_prob(mode) >= q.log_prob(q.sample(1000, rng=8)))
            step = 1e-6 * q.stddev()
            assert q.log_prob(mode) >= np.max(q.log_prob([mode - step, mode + step]))

    def test_draws_follow_the_cdf(self, q):
        """Kolmogorov's test; it sees any cdf that is off by 0.01 somewhere."""
        u = np.sort(q.cdf(q.sample(DRAWS, rng=9)))
        steps = np.arange(DRAWS + 1) / DRAWS
        distance = max(np.max(steps[1:] - u), np.max(u - steps[:-1]))
        assert distance < np.sqrt(np.log(2 / FALSE_FAIL) / (2 * DRAWS))

    def test_no_draw_is_impossible(self, q):
        assert np.all(np.isfinite(q.log_prob(q.sample(DRAWS, rng=10))))

    def test_cdf_is_the_integral_of_the_density(self, q):
        for p in (0.1, 0.5, 0.9):
            x = float(q.quantile(p))
            below = self.expect(q, lambda y, x=x: (y <= x) * 1.0) if p == 0.5 else None
            assert q.cdf(x) == pytest.approx(p, rel=1e-12)
            assert q.survival_function(x) == pytest.approx(1.0 - p, rel=1e-12)
            assert q.log_cdf(x) == pytest.approx(np.log(p), rel=1e-11)
            assert q.log_survival_function(x) == pytest.approx(np.log1p(-p), rel=1e-11)
            assert below is None or below == pytest.approx(p, abs=1e-9)

    def test_tails_keep_their_digits(self):
        with mpmath.workdps(60):
            for q, x, (below, above) in self.tails:
                assert error(q.log_cdf(x), mpmath.log(below)) < self.tail_tolerance, f"log_cdf of {q} at {x}"
                assert error(q.log_survival_function(x), mpmath.log(above)) < self.tail_tolerance, f"{q} at {x}"

    def test_cdf_and_quantile_at_the_ends(self, q):
        low, high = self.support(q)
        np.testing.assert_array_equal(q.quantile([0.0, 1.0]), [low, high])
        assert np.all(np.isnan(q.quantile([-0.1, 1.1, np.nan])))
        np.testing.assert_array_equal(q.cdf([-np.inf, low, high, np.inf]), [0.0, 0.0, 1.0, 1.0])
        np.testing.assert_array_equal(q.survival_function([-np.inf, low, high, np.inf]), [1.0, 1.0, 0.0, 0.0])
        np.testing.assert_array_equal(q.log_cdf([-np.inf, low, high, np.inf]), [-np.inf, -np.inf, 0.0, 0.0])
        np.testing.assert_array_equal(q.log_survival_function([low, high]), [0.0, -np.inf])
        assert all(np.isnan(f(np.nan)) for f in (q.cdf, q.log_cdf, q.survival_function, q.log_survival_function))

    def test_entropy_can_be_differentiated(self, q):
        for name, value in q.parameters.items():
            others = {k: v for k, v in q.parameters.items() if k != name}

            def entropy(v, name=name, others=others):
                return (
                    self.family(**others, **{name: v}).entropy() + 0.0 * v
                )  # where it does not depend on v, a trace of it

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
            others = {k: v for k, v in q.parameters.items() if k != name}

            def total(v, name=name, others=others):
                return anp.sum(self.family(**others, **{name: v}).sample(50, rng=11))

            step = 1e-4 * max(abs(value), 0.1)
            expected = (total(value + step) - total(value - step)) / (2 * step)
            assert grad(total)(float(value)) == pytest.approx(expected, rel=1e-6, abs=1e-6)
