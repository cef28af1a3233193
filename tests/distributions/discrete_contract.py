"""The promises of every family of counts, beyond `Contract`: sums in place of integrals."""

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp

from tests.distributions.contract import DRAWS, FALSE_FAIL, Contract


class DiscreteContract(Contract):
    """Families of counts 0, 1, 2, ... ."""

    #: Largest relative error of a closed form, compared with a sum over `counts`.
    sum_tolerance = 1e-12
    outside = [-1.0, -0.5, 0.5, 1.5, np.inf, -np.inf]

    @staticmethod
    def counts(q):
        """Return all counts that matter to a sum: beyond them is less than 1e-30 of the probability."""
        return np.arange(np.ceil(float(q.mean() + 200.0 * (q.stddev() + 1.0))) + 1.0)

    def expect(self, q, f):
        k = self.counts(q)
        log_p = q.log_prob(k)
        possible = log_p > -np.inf
        return float(np.sum(np.exp(log_p[possible]) * f(k[possible])))

    def test_probabilities_sum_to_one(self, q):
        assert self.expect(q, np.ones_like) == pytest.approx(1.0, abs=self.sum_tolerance)

    def test_closed_forms_are_the_sums(self, q):
        mean = self.expect(q, lambda k: k)
        if self.has("mean"):
            assert q.mean() == pytest.approx(mean, rel=self.sum_tolerance)
        if self.has("variance"):
            assert q.variance() == pytest.approx(self.expect(q, lambda k: (k - mean) ** 2), rel=self.sum_tolerance)
        if self.has("entropy"):
            assert q.entropy() == pytest.approx(-self.expect(q, q.log_prob), rel=self.sum_tolerance)

    def test_fisher_is_the_second_moment_of_the_score(self, q):
        if self.has("fisher"):
            names = list(q.parameters)
            moments = [
                [self.expect(q, lambda k, a=a, b=b: q.score(k)[a] * q.score(k)[b]) for b in names] for a in names
            ]
            np.testing.assert_allclose(q.fisher(), moments, rtol=1e-11)

    def test_nothing_is_more_probable_than_the_mode(self, q):
        if self.has("mode"):  # two neighbours may be equally probable, but for rounding
            assert np.all(q.log_prob(q.mode()) >= q.log_prob(self.counts(q)) - 1e-14)

    def test_cdf_is_the_running_sum(self, q):
        if not self.has("cdf"):
            return
        k = self.counts(q)
        p = np.exp(q.log_prob(k))
        below = np.cumsum(p)
        above = np.append(np.cumsum(p[::-1])[::-1][1:], 0.0)
        near = above > 1e-40
        np.testing.assert_allclose(q.cdf(k), below, rtol=self.sum_tolerance, atol=1e-300)
        np.testing.assert_allclose(q.survival_function(k[near]), above[near], rtol=1e-11)
        np.testing.assert_allclose(q.log_survival_function(k[near]), np.log(above[near]), rtol=1e-11, atol=1e-14)
        likely = below > 1e-300
        np.testing.assert_allclose(q.log_cdf(k[likely]), np.log(below[likely]), rtol=1e-11, atol=1e-12)
        np.testing.assert_array_equal(q.cdf(k[:5] + 0.5), q.cdf(k[:5]))

    def test_cdf_at_the_ends(self, q):
        if not self.has("cdf"):
            return
        ends = [-np.inf, -1.0, -1e-300, np.inf, np.nan]
        np.testing.assert_array_equal(q.cdf(ends), [0.0, 0.0, 0.0, 1.0, np.nan])
        np.testing.assert_array_equal(q.survival_function(ends), [1.0, 1.0, 1.0, 0.0, np.nan])
        np.testing.assert_array_equal(q.log_cdf(ends), [-np.inf, -np.inf, -np.inf, 0.0, np.nan])
        np.testing.assert_array_equal(q.log_survival_function(ends), [0.0, 0.0, 0.0, -np.inf, np.nan])

    def test_quantile_is_the_smallest_count_that_the_cdf_allows(self, q):
        if not self.has("cdf", "quantile"):
            return
        p = np.array([1e-12, 0.1, 0.5, 0.9, 0.999, 1.0 - 1e-12])
        k = q.quantile(p)
        assert np.all(q.cdf(k) >= p)
        assert np.all((k == 0) | (q.cdf(k - 1) < p))
        reached = q.cdf(np.arange(20.0))
        reached = np.unique(reached[reached < 1.0])
        np.testing.assert_array_equal(q.quantile(reached), np.arange(float(len(reached))))
        assert q.quantile(0.0) == 0.0
        assert np.isnan(q.quantile([-0.1, 1.1, np.nan])).all()

    def test_draws_follow_the_cdf(self, q):
        """The band of Dvoretzky, Kiefer, Wolfowitz and Massart; it sees any cdf that is off by 0.01 somewhere.

        Without a cdf the sum of the probabilities stands for it.
        """
        drawn = q.sample(DRAWS, rng=9)
        assert drawn.dtype == np.int64
        frequency = np.cumsum(np.bincount(drawn)) / DRAWS
        counts = np.arange(float(frequency.size))
        expected = q.cdf(counts) if self.has("cdf") else np.cumsum(np.exp(q.log_prob(counts)))
        distance = np.max(abs(frequency - expected))
        assert distance < np.sqrt(np.log(2 / FALSE_FAIL) / (2 * DRAWS))

    def test_no_draw_is_impossible(self, q):
        assert np.all(np.isfinite(q.log_prob(q.sample(DRAWS, rng=10))))

    def test_draws_are_floats_while_autograd_traces_and_have_no_derivative(self, q):
        name = list(q.parameters)[-1]
        seen = []

        def drawn(v):
            z = self.of(q, name, v).sample(50, rng=11)
            seen.append(z)
            return anp.sum(z) + 0.0 * v

        assert grad(drawn)(float(q.parameters[name])) == 0.0
        assert seen[0].dtype == np.float64
        np.testing.assert_array_equal(seen[0], q.sample(50, rng=11))
        with pytest.raises(NotImplementedError, match="pathwise"):
            q.transport(np.zeros(3))

    def test_cdf_and_entropy_can_be_differentiated(self, q):
        name = list(q.parameters)[-1]
        at = float(q.parameters[name])
        k = np.array([-1.0, 0.0, float(q.mode()), float(q.mode()) + 2.5, np.inf])
        functions = []
        if self.has("cdf"):
            functions.append(lambda v: anp.sum(self.of(q, name, v).cdf(k)))
            functions.append(lambda v: anp.sum(self.of(q, name, v).survival_function(k) * np.arange(5.0)))
            functions.append(lambda v: anp.sum(self.of(q, name, v).log_cdf(k[2:])))
        if self.has("entropy"):
            functions.append(lambda v: self.of(q, name, v).entropy())
        for f in functions:
            step = 1e-5 * max(abs(at), 0.1)
            assert grad(f)(at) == pytest.approx((f(at + step) - f(at - step)) / (2 * step), rel=1e-6, abs=1e-8)

    def test_the_other_parameter_is_computed(self, q):
        given = list(q.parameters)[-1]
        (other,) = set(type(q)._page) - {given}
        again = self.family(**{k: v for k, v in q.parameters.items() if k != given}, **{other: getattr(q, other)})
        k = np.arange(5.0)
        np.testing.assert_allclose(again.log_prob(k), q.log_prob(k), rtol=1e-13)
        assert getattr(again, given) == pytest.approx(float(q.parameters[given]), rel=1e-13)


def logarithms(probs=None, logits=None):
    """Return log p and log(1 - p) with mpmath from either parameter."""
    if logits is None:
        probs = mpmath.mpf(probs)
        log_p = mpmath.log(probs) if probs else -mpmath.inf
        return log_p, mpmath.log(1 - probs) if probs != 1 else -mpmath.inf
    size = abs(logits)
    tail = mpmath.log1p(mpmath.exp(-size)) if size < 1e5 else mpmath.mpf(0)
    ends = -tail, -size - tail
    return ends if logits > 0 else ends[::-1]


def times(count, log_p):
    """Return ``count * log_p`` with 0 log 0 = 0."""
    return count * log_p if count else mpmath.mpf(0)
