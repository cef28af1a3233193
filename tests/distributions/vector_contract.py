"""The promises of every family of vectors, as a class of tests: a family inherits it and fills in the blanks.

A family that gives `values`, all values of its support, is held to sums over them; any other to means of draws.
"""

import copy
import itertools
import json
import pickle
import re
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp
from scipy import stats

import mcvi
from mcvi.random import Key, as_key, tile_rows
from tests.distributions.contract import FALSE_FAIL, GOLDEN, Z, error

DRAWS = 100_000


def exactly(array):
    """Return an array of mpmath's numbers."""
    return np.vectorize(lambda x: mpmath.mpf(float(x)), otypes=[object])(array)


def changed(q, **parameters):
    """Return the distribution with other values of some parameters."""
    return type(q)(**{**q.parameters, **parameters})


def free(q, name):
    """Return the index of the entries of a parameter that may change on their own."""
    if q.constraints[name].event_ndim == 2:
        return (..., *np.tril_indices(q.event_shape[-1]))
    return (...,)


def real_parameters(q):
    return [name for name in q.parameters if not q.constraints[name].discrete]


def recorded(family, name):
    """Return the draws of a golden file: of its only distribution, or of the one called `name`."""
    held = json.loads((GOLDEN / f"{family}.json").read_text())
    draws = held if isinstance(held, list) else held[name]
    return np.array([[float.fromhex(x) if isinstance(x, str) else x for x in draw] for draw in draws])


def golden_format(q):
    """Return 64 draws as a golden file holds them."""
    return [[float(x).hex() for x in np.ravel(draw)] for draw in q.sample(64, rng=2024)]


# Counts of categories

#: Probabilities that are far apart, zero, or sum to one only nearly, from either parameter.
HARD_ODDS = [{"probs": p} for p in ([0.2, 0.3, 0.5], [0.0, 0.25, 0.75], [1e-300, 1.0 - 1e-9, 1e-9], [0.0, 1.0])]
HARD_ODDS += [
    {"logits": x} for x in ([2.0, 1.2, -1.0], [0.3, -800.0, 2.0], [40.0, -np.inf, -30.0], [1e-9, -1e-9, 0.0, -700.0])
]


def all_counts(total, size):
    """Return all vectors of `size` counts that sum to `total`."""
    rows = itertools.product(range(int(total) + 1), repeat=size - 1)
    return np.array([(*row, int(total) - sum(row)) for row in rows if sum(row) <= total])


def some_counts(q):
    """Return draws, and counts far from them: all in one category, or in equal parts in two."""
    one = q.total_count * np.eye(q.event_shape[0])
    half = np.floor(q.total_count / 2.0)
    return [
        *q.sample(3, rng=1),
        *one,
        *(half * np.roll(one, 1, 0) + (q.total_count - half) * one) / max(q.total_count, 1.0),
    ]


def log_odds(probs=None, logits=None):
    """Return the logarithms of normalised probabilities with mpmath."""
    if probs is None:
        top = max(logits)
        probs = [mpmath.exp(x - top) if x > -mpmath.inf else mpmath.mpf(0) for x in logits]
    total = mpmath.fsum(probs)
    return [mpmath.log(p / total) if p else -mpmath.inf for p in probs]


def times(count, log_p):
    """Return ``count * log_p`` with 0 log 0 = 0."""
    return count * log_p if count else mpmath.mpf(0)


class VectorContract:
    """A family gives the attributes below; `q` in a test is each of `instances` in turn."""

    family = None
    #: Distributions without a batch, in the ordinary range; at least two are alike in the shapes of their parameters.
    instances = []
    #: Pairs (distribution, values): the log density is compared with `reference` at each, and so is the score.
    grid = []
    #: Largest `error` of the log density there, and of the score in units of its standard deviation.
    tolerance, score_tolerance = 1e-14, 1e-13
    #: How many digits the differences of `reference` take.
    digits = 90
    #: Values at which the first instance has log density -inf.
    outside = []
    #: Pairs (keyword arguments, text of the error).
    bad = []
    #: The distributions of the golden file by name; the instances, by what `repr` says, if it is not given.
    golden = None
    has_mean = has_entropy = has_fisher = True
    #: Optional: the same distribution by SciPy, from the parameters by name.
    twin = None

    def reference(self, x, **parameters):
        """Return the log density with mpmath, from the textbook; its arguments are arrays of mpmath's numbers."""
        raise NotImplementedError

    @staticmethod
    def values(q):
        """Return all values that a draw may have; None where they are not to be counted."""
        return None

    def pytest_generate_tests(self, metafunc):
        if "q" in metafunc.fixturenames:
            metafunc.parametrize("q", self.instances, ids=repr)

    @classmethod
    def recorded_instances(cls):
        return cls.golden or {repr(q): q for q in cls.instances}

    def expect(self, q, f):
        """Return the mean of ``f(X)``, and how far it may be off."""
        values = self.values(q)
        if values is None:
            terms = f(q.sample(DRAWS, rng=8))
            return terms.mean(axis=0), Z * terms.std(axis=0) / np.sqrt(DRAWS)
        weights, terms = np.exp(q.log_prob(values)), f(values)
        return np.tensordot(weights, terms, 1), 1e-12 * np.tensordot(weights, abs(terms), 1) + 1e-300

    def assert_expected(self, stated, q, f, resolves=0.2):
        """Assert that a closed form is the mean of ``f(X)``, and that one off by `resolves` times its size is seen."""
        mean, margin = self.expect(q, f)
        assert np.all(2 * margin <= resolves * np.max(abs(np.asarray(stated))) + 1e-12), f"test too weak: {margin}"
        assert np.all(abs(stated - mean) <= margin + 1e-12 * np.max(abs(np.asarray(stated)))), f"{q}: {stated}, {mean}"

    def flat_score(self, q, z):
        """Return the score in the real parameters as vectors, in the order of the Fisher information."""
        scores = q.score(z)
        return np.concatenate([scores[n][free(q, n)].reshape(*scores[n].shape[:1], -1) for n in real_parameters(q)], 1)

    @property
    def alike(self):
        """The instances that can be members of one batch."""
        shapes = [{name: np.shape(held) for name, held in q.parameters.items()} for q in self.instances]
        return [q for q, shape in zip(self.instances, shapes, strict=True) if shape == shapes[0]]

    def batch(self, *ones):
        """Return a batch of the instances that are alike, each of its axes of length 1 followed by `ones` axes."""
        alike = self.alike
        stacked = {name: np.stack([q.parameters[name] for q in alike]) for name in alike[0].parameters}
        count = len(alike)
        return self.family(**{name: held.reshape(count, *ones, *held.shape[1:]) for name, held in stacked.items()})

    # The density

    def test_log_density_is_right_on_the_hard_grid(self):
        with mpmath.workdps(60):
            for q, values in self.grid:
                parameters = {name: exactly(held) for name, held in q.parameters.items()}
                for x, got in zip(values, q.log_prob(np.array(values)), strict=True):
                    truth = self.reference(exactly(x), **parameters)
                    assert error(got, truth) <= self.tolerance, f"{q} at {x}: {got}, not {mpmath.nstr(truth, 20)}"

    def test_score_is_the_derivative_of_the_reference(self):
        with mpmath.workdps(self.digits):
            for q, values in [*self.grid, *((q, q.sample(3, rng=1)) for q in self.instances)]:
                information = np.diagonal(q.fisher()) if self.has_fisher else np.ones(1)
                if not np.all(np.isfinite(information)):
                    continue  # at the edge of the parameters the score has no derivative on both sides
                for x in np.array(values, float)[np.isfinite(q.log_prob(np.array(values)))]:
                    self.compare_score(q, x)

    def compare_score(self, q, x):
        held = {"x": exactly(x), **{name: exactly(value) for name, value in q.parameters.items()}}
        scores = q.score(x)
        units = {name: 1.0 for name in q.parameters}
        if self.has_fisher:
            ends = np.cumsum([0] + [np.size(q.parameters[n][free(q, n)]) for n in real_parameters(q)])
            spread = np.sqrt(np.diagonal(q.fisher()))
            units |= {n: spread[a:b] for n, (a, b) in zip(real_parameters(q), pairwise(ends), strict=True)}
        for name in [*real_parameters(q), *([] if q.discrete else ["value"])]:
            argument = "x" if name == "value" else name
            places = free(q, name) if name != "value" else (...,)
            derivatives = np.vectorize(float, otypes=[float])(self.gradient(held, argument))[places]
            unit = np.maximum(units.get(name, 1.0), abs(derivatives))
            wrong = abs(np.asarray(scores[name])[places] - derivatives) / np.where(unit > 0.0, unit, 1.0)
            assert np.all(wrong <= self.score_tolerance), f"{q}: score in {name} at {x}: {scores[name]}, {derivatives}"

    def gradient(self, held, name):
        slopes = np.empty(held[name].shape, object)
        for place in np.ndindex(slopes.shape):
            at = held[name][place]
            step = abs(at) * mpmath.mpf(10) ** -30 if at else mpmath.mpf(10) ** -30
            ends = []
            for sign in (1, -1):
                moved = held[name].copy()
                moved[place] = at + sign * step
                ends.append(self.reference(**{**held, name: moved}))
            slopes[place] = (ends[0] - ends[1]) / (2 * step)
        return slopes

    def test_outside_the_support_it_is_minus_infinity_and_nan_stays_nan(self):
        q = self.instances[0]
        if self.outside:
            np.testing.assert_array_equal(q.log_prob(self.outside), -np.inf)
            assert not q.support.contains(np.array(self.outside, float)).any()
        x = q.sample(rng=0) * 1.0
        unknown = np.full(np.shape(x), np.nan) if np.ndim(x) == 0 else np.concatenate([[np.nan], x[1:]])
        assert np.isnan(q.log_prob(unknown))
        for name in [] if self.values(q) is None else real_parameters(q):
            assert np.isnan(q.score(unknown)[name]).all()

    def test_autograd_takes_the_score(self, q):
        x, weights = q.sample(5, rng=2) * 1.0, np.array([1.0, -2.0, 0.5, 0.0, 3.0])
        for name in real_parameters(q):
            slope = grad(lambda v, name=name: anp.sum(weights * changed(q, **{name: v}).log_prob(x)))(
                q.parameters[name]
            )
            expected = np.tensordot(weights, q.score(x)[name], 1)
            np.testing.assert_allclose(slope[free(q, name)], expected[free(q, name)], rtol=1e-10, atol=1e-10)
        slope = grad(lambda x: anp.sum(weights * q.log_prob(x)) + 0.0 * anp.sum(x))(x)
        wide = weights.reshape(-1, *(1,) * len(q.event_shape))
        np.testing.assert_allclose(slope, wide * q.score(x)["value"], rtol=1e-12, atol=1e-14)
        assert not (q.discrete and np.any(slope))

    def test_second_derivatives_are_refused_in_a_sentence(self):
        q, name = self.instances[0], real_parameters(self.instances[0])[0]
        x = q.sample(rng=0) * 1.0

        def slope(v):
            return anp.sum(grad(lambda v: changed(q, **{name: v}).log_prob(x))(v) ** 2)

        with pytest.raises(NotImplementedError, match="second derivatives of log_prob are not available"):
            grad(slope)(q.parameters[name])

    # Batches

    def crossed(self):
        """Return a batch ``(members, members)`` of the first parameter against the others, and its members by index.

        The batch of a family of one parameter is ``(1, members)``.
        """
        alike = self.alike
        first, *others = alike[0].parameters
        plain = self.batch().parameters
        lead = (1, len(alike)) if not others else (len(alike), 1)
        outer = self.family(**{**plain, first: plain[first].reshape(*lead, *plain[first].shape[1:])})
        members = {(0, j): q for j, q in enumerate(alike)} if not others else {}
        for i, j in itertools.product(range(len(alike)), repeat=2) if others else ():
            members[i, j] = changed(alike[j], **{first: alike[i].parameters[first]})
        return outer, members

    def test_a_batch_is_its_members_one_by_one(self):
        outer, members = self.crossed()
        event = self.instances[0].event_shape
        shape = tuple(np.max(list(members), axis=0) + 1)
        assert (outer.batch_shape, outer.event_shape) == (shape, event)
        x = outer.sample(4, rng=3)
        assert x.shape == (4, *shape, *event)
        assert outer.sample(rng=3).shape == (*shape, *event)
        assert np.all(outer.support.contains(x * 1.0))
        np.testing.assert_array_equal(outer._log_prob_block(x * 1.0), outer.log_prob(x).reshape(4, -1))
        results = {"mode": event, **({"mean": event, "variance": event, "stddev": event} if self.has_mean else {})}
        results |= {"covariance": event * 2} if self.has_mean and len(event) == 1 else {}
        results |= {"entropy": ()} if self.has_entropy else {}
        results |= {"fisher": self.instances[0].fisher().shape} if self.has_fisher else {}
        of_batch = {method: getattr(outer, method)() for method in results}
        for method, own in results.items():
            assert of_batch[method].shape == (*shape, *own), method
        log_densities, scores = outer.log_prob(x), outer.score(x)
        for index, one in members.items():
            at = (slice(None), *index)
            np.testing.assert_allclose(log_densities[at], one.log_prob(x[at]), rtol=1e-14, atol=1e-14)
            for name, score in one.score(x[at]).items():
                np.testing.assert_allclose(scores[name][at], score, rtol=1e-12, atol=1e-14)
            for method in results:
                np.testing.assert_allclose(of_batch[method][index], getattr(one, method)(), rtol=1e-13, atol=1e-15)

    def test_weighted_scores_are_sums_of_scores(self):
        outer, members = self.crossed()
        x = outer.sample(4, rng=3)
        weights = np.cos(np.arange(4.0 * len(members))).reshape(4, *outer.batch_shape)
        sums, scores = outer.weighted_score(x, weights), outer.score(x)
        assert list(sums) == real_parameters(outer)
        for name, total in sums.items():
            axes = outer.constraints[name].event_ndim
            products = (scores[name] * weights.reshape(*weights.shape, *(1,) * axes)).sum(axis=0)
            batch = total.shape[: total.ndim - axes]
            for axis in range(2 - len(batch)):  # the axes of the batch that the parameter lacks, and those of length 1
                products = products.sum(axis=axis)
            for axis, size in enumerate(batch):
                products = products.sum(axis=axis, keepdims=True) if size == 1 else products
            np.testing.assert_allclose(total[free(outer, name)], products[free(outer, name)], rtol=1e-9, atol=1e-9)

    def test_values_broadcast_against_the_batch(self):
        count, column = len(self.alike), self.batch(1)
        x = self.batch().sample(5, rng=4)
        np.testing.assert_allclose(
            column.log_prob(x[0]), [q.log_prob(x[0]) for q in self.alike], rtol=1e-14, atol=1e-14
        )
        assert column.log_prob(x[:, None]).shape == (5, count, count)
        one = self.instances[0]
        assert one.log_prob(np.broadcast_to(x[0, 0], (2, 3, *one.event_shape))).shape == (2, 3)
        np.testing.assert_array_equal(
            self.batch().log_prob(x[0, 0]), self.batch().log_prob(np.stack([x[0, 0]] * count))
        )

    def test_an_empty_batch_gives_empty_results(self):
        q = self.batch()
        empty = self.family(**{name: held[:0] for name, held in q.parameters.items()})
        assert empty.sample(3, rng=0).shape == (3, 0, *q.event_shape)
        assert empty.log_prob(np.ones((3, 0, *q.event_shape))).shape == (3, 0)
        assert empty.mode().shape == (0, *q.event_shape)

    # Closed forms

    def test_closed_forms_are_the_expectations(self, q):
        if self.values(q) is not None:
            assert np.exp(q.log_prob(self.values(q))).sum() == pytest.approx(1.0, abs=1e-13)
        if self.has_mean:
            mean = q.mean()
            self.assert_expected(mean, q, lambda z: z * 1.0)
            self.assert_expected(q.variance(), q, lambda z: (z - mean) ** 2)
            np.testing.assert_array_equal(q.stddev(), np.sqrt(q.variance()))
            if len(q.event_shape) == 1:
                self.assert_expected(q.covariance(), q, lambda z: (z - mean)[:, :, None] * (z - mean)[:, None, :], 0.2)
                np.testing.assert_allclose(np.diagonal(q.covariance()), q.variance(), rtol=1e-14)
        if self.has_entropy:
            self.assert_expected(q.entropy(), q, lambda z: np.nan_to_num(-q.log_prob(z), posinf=0.0))
        else:
            with pytest.raises(NotImplementedError, match="entropy"):
                q.entropy()

    def test_closed_forms_are_those_of_scipy(self, q):
        if self.twin is None:
            return
        other = type(self).twin(**q.parameters)
        x = q.sample(5, rng=5)
        log_density = other.logpmf if q.discrete else other.logpdf
        expected = [log_density(v) for v in x]
        np.testing.assert_allclose(q.log_prob(x), expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(q.entropy(), other.entropy(), rtol=1e-11)

    def test_fisher_is_the_second_moment_of_the_score(self, q):
        if not self.has_fisher:
            with pytest.raises(NotImplementedError, match="Fisher"):
                q.fisher()
            return
        self.assert_expected(
            q.fisher(), q, lambda z: self.flat_score(q, z)[:, :, None] * self.flat_score(q, z)[:, None, :], 0.5
        )

    def test_the_score_has_mean_zero(self, q):
        mean, margin = self.expect(q, lambda z: self.flat_score(q, z))
        assert np.all(abs(mean) <= margin + 1e-12)

    def test_nothing_is_more_probable_than_the_mode(self, q):
        mode, values = q.mode(), self.values(q)
        if not np.any(np.isnan(mode)):
            others = q.sample(1000, rng=9) if values is None else values
            assert np.all(q.log_prob(mode) >= q.log_prob(others) - 1e-13)

    def test_the_divergence_is_the_expectation(self):
        for p, q in pairwise(self.alike):
            stated = mcvi.kl_divergence(p, q).value
            assert mcvi.kl_divergence(p, p).value == 0.0
            q_reaches = self.values(p) is None or np.all(np.isfinite(q.log_prob(self.values(p))))
            if q_reaches:
                self.assert_expected(stated, p, lambda z, p=p, q=q: p.log_prob(z) - q.log_prob(z), 0.3)
            else:
                assert stated == np.inf

    def test_gradients_of_closed_forms_are_differences(self, q):
        rng = np.random.default_rng(6)
        methods = [*(["mean", "variance"] if self.has_mean else []), *(["entropy"] if self.has_entropy else [])]
        methods += ["covariance"] if self.has_mean and len(q.event_shape) == 1 else []
        for name in real_parameters(q):
            held = q.parameters[name]
            along = rng.normal(size=np.shape(held))
            along = np.tril(along) if q.constraints[name].event_ndim == 2 else along
            along = (along - along.mean()) if name == "probs" else along
            step = 1e-6 * min(1.0, np.min(abs(held[free(q, name)])) + (0.1 if name in ("loc", "logits") else 0.0))
            for method in methods:

                def total(v, method=method, name=name):
                    weights = np.cos(np.arange(getattr(q, method)().size)).reshape(getattr(q, method)().shape)
                    return anp.sum(weights * getattr(changed(q, **{name: v}), method)()) + 0.0 * anp.sum(v)

                expected = (total(held + step * along) - total(held - step * along)) / (2 * step)
                size = max(1.0, abs(total(held)))
                assert anp.sum(grad(total)(held) * along) == pytest.approx(expected, rel=1e-5, abs=1e-4 * size)

    # Draws

    def test_draws_follow_the_probabilities(self, q):
        """Chi-square at 1e-9, the values of fewer than 5 expected draws put together."""
        values = self.values(q)
        if values is None:
            return
        z = q.sample(DRAWS, rng=10)
        assert z.dtype == np.int64
        found, counts = np.unique(z.reshape(DRAWS, -1), axis=0, return_counts=True)
        seen = {tuple(row): count for row, count in zip(found, counts, strict=True)}
        p = np.exp(q.log_prob(values))
        observed = np.array([seen.pop(tuple(np.ravel(v).astype(int)), 0) for v in values])
        assert not seen, "a draw outside the support"
        assert not observed[p == 0.0].any()
        often = p * DRAWS >= 5
        observed = np.append(observed[often], observed[~often].sum())
        expected = np.append(p[often], max(p[~often].sum(), 0.0)) * DRAWS
        kept = expected > 0
        total = observed[kept].sum()
        assert stats.chisquare(observed[kept], expected[kept] * total / expected[kept].sum()).pvalue > FALSE_FAIL

    def test_draws_lie_in_the_support(self, q):
        z = q.sample(10_000, rng=11)
        assert np.all(np.isfinite(q.log_prob(z)))
        assert np.all(q.support.contains(z * 1.0))

    def test_draws_are_the_same_however_they_are_cut(self, q):
        batch = self.family(**{name: np.stack([held] * 3) for name, held in q.parameters.items()})
        for many in (q, batch):
            rows, key = tile_rows(many.elements), as_key(5)
            whole = many._draw(key, 0, 5 * rows + 3)
            parts = [many._draw(key, a, b - a) for a, b in pairwise([0, rows, 4 * rows, 5 * rows + 3])]
            np.testing.assert_array_equal(np.concatenate(parts), whole)
            np.testing.assert_array_equal(many._draw(key, 0, 5), whole[:5])

    def test_draws_are_those_of_the_golden_file(self):
        """A change here is a change of the stream: raise `STREAM_VERSION`, and record with `record_golden_draws.py`."""
        for name, q in self.recorded_instances().items():
            # Fused multiply-adds differ from one CPU type to another: equal to rounding, bits on one type.
            golden = recorded(self.family.__name__, name)
            np.testing.assert_allclose(np.ravel(q.sample(64, rng=2024)), golden.ravel(), rtol=1e-12, atol=1e-15)

    def test_streams_of_different_keys_differ(self, q):
        assert np.any(q.sample(50, rng=Key(1)) != q.sample(50, rng=Key(2)))

    def test_draws_are_transported_noise_or_have_no_derivative(self, q):
        name = real_parameters(q)[-1]
        held, seen = q.parameters[name], []

        def total(v):
            seen.append(changed(q, **{name: v}).sample(50, rng=11))
            return anp.sum(seen[-1] ** 2) + 0.0 * anp.sum(v)

        slope = grad(total)(held)
        if not q.pathwise:
            assert not np.any(slope)
            assert seen[0].dtype == np.float64
            np.testing.assert_array_equal(seen[0], q.sample(50, rng=11))
            with pytest.raises(NotImplementedError, match=f"{type(q).__name__} has no pathwise derivative"):
                q.transport(np.zeros(3))
            return
        np.testing.assert_allclose(q.transport(q.noise(7, rng=5)), q.sample(7, rng=5), rtol=1e-14)
        along = np.zeros(np.shape(held))
        along[free(q, name)] = np.cos(np.arange(along[free(q, name)].size)).reshape(along[free(q, name)].shape)
        expected = (total(held + 1e-5 * along) - total(held - 1e-5 * along)) / 2e-5
        assert np.sum(slope * along) == pytest.approx(expected, rel=1e-6)

    # The object

    def test_bad_parameters_are_refused_in_a_sentence(self):
        for arguments, text in self.bad:
            with pytest.raises((TypeError, ValueError), match=re.escape(text)):
                self.family(**arguments)

    def test_a_value_of_another_length_is_refused_in_a_sentence(self):
        q = self.instances[0]
        if q.event_shape:
            (size,) = q.event_shape
            text = f"{type(q).__name__}: value must have shape (..., {size}); got "
            for method in (q.log_prob, q.score):
                for wrong in (np.ones(size + 1), np.ones((size, 1)), np.float64(1.0)):
                    with pytest.raises(ValueError, match=re.escape(f"{text}{np.shape(wrong)}.")):
                        method(wrong)

    def test_it_survives_pickle_and_copy(self, q):
        x = q.sample(5, rng=6)
        for again in (*(pickle.loads(pickle.dumps(q, p)) for p in range(2, 6)), copy.deepcopy(q)):
            assert repr(again) == repr(q)
            assert list(again.parameters) == list(q.parameters)
            np.testing.assert_array_equal(again.log_prob(x), q.log_prob(x))
            np.testing.assert_array_equal(again.sample(5, rng=6), x)
        assert repr(q).startswith(f"{self.family.__name__}(")
        assert all(f"{name}=" in repr(q) for name in q.parameters)

    def test_who_writes_to_a_result_does_not_change_the_distribution(self, q):
        methods = ["mode", *(["mean", "variance", "stddev"] if self.has_mean else []), *(["fisher"] * self.has_fisher)]
        before = {method: np.array(getattr(q, method)()) for method in methods}
        x = q.sample(3, rng=6)
        log_density = q.log_prob(x)
        for method in methods:
            result = getattr(q, method)()
            if np.ndim(result):
                result[...] = 7.0
        for method in methods:
            np.testing.assert_array_equal(getattr(q, method)(), before[method])
        np.testing.assert_array_equal(q.log_prob(x), log_density)
        for name in q.constraints:
            held = getattr(q, name)
            assert np.ndim(held) == 0 or not held.flags.writeable, name

    def test_float32_parameters_give_float32_results(self, q):
        single = self.family(**{name: np.float32(held) for name, held in q.parameters.items()})
        double = self.family(**{name: np.float64(held) for name, held in single.parameters.items()})
        x = single.sample(1000, rng=7)
        assert x.dtype == (np.int64 if q.discrete else np.float32)
        assert np.all(np.isfinite(single.log_prob(x)))
        methods = [*(["mean", "variance"] if self.has_mean else []), *(["entropy"] if self.has_entropy else [])]
        methods += [*(["fisher"] if self.has_fisher else []), "mode"]
        for method in methods:
            one, other = getattr(single, method)(), getattr(double, method)()
            assert one.dtype == np.float32
            np.testing.assert_array_equal(one, np.float32(other), err_msg=method)
        for one, other in [
            (single.log_prob(x), double.log_prob(x)),
            *zip(single.score(x).values(), double.score(x).values(), strict=True),
        ]:
            assert one.dtype == np.float32
            np.testing.assert_array_equal(one, np.float32(other))
