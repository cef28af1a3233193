"""Every read-out of every accumulator and estimator against its definition at sixty digits."""

import math
import warnings

import mpmath
import numpy as np
import pytest

import mcvi
from mcvi.accumulate import CentredMoments, LogMoments, Moments, SignedLogMoments, WeightedMoments
from mcvi.diagnostics import khat
from mcvi.estimate import ZeroWeightWarning
from tests._engine import twins


def log_weights(kind, n):
    """Return log weights of some kind: plain, wide, some zero, all zero."""
    rng = np.random.default_rng(n)
    log_w = rng.normal(size=n) * (30.0 if kind == "wide" else 0.7) - 3.0
    if kind == "some zero":
        log_w[:: max(2, n // 3)] = -math.inf
    if kind == "all zero":
        log_w[:] = -math.inf
    return log_w


KINDS = ("plain", "wide", "some zero", "all zero")
SIZES = (1, 2, 50)


def columns(*rows):
    """Return lists of numbers as the columns of a block, contiguous as those of the engine."""
    return np.ascontiguousarray(np.array(rows, np.float64).T)


def of_parts(of, *blocks, cut):
    """Return the accumulator of the whole, and that of two parts merged."""
    n = len(blocks[0])
    yield of(*blocks)
    if 0 < cut < n:
        yield of(*(b[:cut] for b in blocks)) + of(*(b[cut:] for b in blocks))


def close(found, expected, rtol=1e-12, atol=0.0):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("cut", [1, 17])
def test_moments(n, cut):
    x, y = log_weights("plain", n), log_weights("wide", n)[::-1]
    for sums in of_parts(Moments.of, columns(x, y), cut=cut):
        assert sums.n == n
        close(sums.mean, twins.as_floats(map(twins.mean, map(twins.exact, (x, y)))))
        close(sums.standard_error, twins.as_floats(map(twins.error_of_mean, map(twins.exact, (x, y)))))
        np.testing.assert_array_equal(sums.largest, [x.max(), y.max()])
        assert sums.is_below_infinity


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("at", [0, 30, 49])
def test_what_is_not_below_infinity_is_noticed(bad, at):
    x = log_weights("plain", 50)
    x[at] = bad
    for block in (columns(x), columns(x, x[::-1])):
        for sums in of_parts(Moments.of, block, cut=25):
            assert not sums.is_below_infinity
        for sums in of_parts(lambda b: LogMoments.of(b, np.ones(b.shape[1])), block, cut=25):
            assert not sums.is_below_infinity


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 17])
@pytest.mark.parametrize("scale", [1.0, 0.3, -1.5])
def test_log_moments(kind, n, cut, scale):
    if kind in ("some zero", "all zero") and scale < 0:
        return  # an infinite weight: see below
    x, y = log_weights(kind, n), log_weights("plain", n)
    w = [twins.weights(v, scale) for v in (x, y)]
    for sums in of_parts(lambda b: LogMoments.of(b, np.array([scale, scale])), columns(x, y), cut=cut):
        none = np.array([not mpmath.fsum(v) for v in w])
        close(sums.log_mean, twins.as_floats(mpmath.log(twins.mean(v)) if mpmath.fsum(v) else -math.inf for v in w))
        close(sums.ess, twins.as_floats(map(twins.ess, w)))
        spread = twins.as_floats(math.inf if not mpmath.fsum(v) else twins.relative_variance(v) for v in w)
        close(sums.relative_variance, np.where(n == 1, math.nan, spread), atol=1e-14)
        np.testing.assert_array_equal(sums.largest, [x.max(), y.max()])
        assert none[0] == (kind == "all zero" or (kind == "some zero" and n == 1))


def test_an_infinite_weight_has_no_error():
    x = columns([0.0, math.inf, 1.0])
    for sums in of_parts(lambda b: LogMoments.of(b, np.ones(1)), x, cut=1):
        assert sums.log_mean == math.inf
        assert np.isnan(sums.relative_variance)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 17])
def test_signed_log_moments(kind, n, cut):
    x, f = log_weights(kind, n), np.random.default_rng(5).normal(size=n)
    g = abs(f) + 1.0
    terms = [[w * v for w, v in zip(twins.weights(x), twins.exact(values), strict=True)] for values in (f, -g, 0.0 * f)]
    for sums in of_parts(SignedLogMoments.of, columns(x, x, x), columns(f, -g, 0.0 * f), cut=cut):
        scale = max(map(abs, (float(t) for row in terms for t in row)))
        close(sums.mean, twins.as_floats(map(twins.mean, terms)), atol=1e-15 * scale)
        close(sums.standard_error, twins.as_floats(map(twins.error_of_mean, terms)), rtol=1e-10)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("cut", [1, 17])
@pytest.mark.parametrize("scale", [1e-1, 1e-4, -1e-4, -0.05])
def test_centred_moments(n, cut, scale):
    v = log_weights("plain", n)
    centre = v[:1]
    x = [mpmath.expm1(mpmath.mpf(scale) * (a - mpmath.mpf(centre[0]))) for a in twins.exact(v)]
    w = [1 + a for a in x]
    for sums in of_parts(lambda b: CentredMoments.of(b, np.array([scale]), centre), columns(v), cut=cut):
        close(sums.mean, [float(twins.mean(x))], atol=1e-17)
        value = mpmath.mpf(centre[0]) + mpmath.log(twins.mean(w)) / mpmath.mpf(scale)
        close(sums.scaled_log_mean, [float(value)], rtol=1e-13)
        close(sums.relative_variance, [float(twins.relative_variance(w))] if n > 1 else [math.nan], rtol=1e-9)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 17])
def test_weighted_moments(kind, n, cut):
    x, f = log_weights(kind, n), np.random.default_rng(5).normal(size=n)
    mean, error, bias = (float(v) for v in twins.self_normalized(x, f))
    total = mpmath.fsum(twins.weights(x))
    for sums in of_parts(WeightedMoments.of, columns(x), columns(f), cut=cut):
        close(sums.mean, [mean], atol=1e-14)
        close(sums.standard_error, [error], rtol=1e-9, atol=1e-16)
        close(sums.bias, [bias], rtol=1e-9, atol=1e-15)
        close(sums.ess, [float(twins.ess(twins.weights(x)))])
        close(sums.log_mean_weight, [float(mpmath.log(total / n)) if total else -math.inf])
        np.testing.assert_array_equal(sums.largest, [x.max()])


# The estimators, at log weights that are handed to them.


class Numbers:
    """Draws that are the numbers of the draws, with log density 0."""

    batch_shape, event_shape = (), ()

    def sample(self, n, *, rng):
        return np.arange(n, dtype=np.float64)

    def log_prob(self, z):
        return np.zeros(len(z))


def estimate(estimator, log_w, *arguments, f=None, **options):
    """Call an estimator so that its log weights, and the values of its function, are those given."""

    def log_p(z):
        return log_w[z.astype(int)]

    functions = [log_p] if f is None else [lambda z: f[z.astype(int)], log_p]
    with warnings.catch_warnings():
        if np.all(np.isneginf(log_w)):
            warnings.simplefilter("ignore", ZeroWeightWarning)
        return estimator(*functions, Numbers(), *arguments, z=np.arange(len(log_w), dtype=np.float64), **options)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("power", [2.0, 1.0, 0.3, 0.1, 0.09999, 1e-4, 1e-9, 0.0, -1e-9, -1e-4, -0.0999, -0.3, -1.5])
def test_a_renyi_bound(power, kind, n):
    if kind == "wide" and abs(power) > 1.0:
        return  # one weight is all: no digit of the rest is left
    log_w = log_weights(kind, n)
    # The power that the estimator computes is the one it is compared at.
    alpha = 1.0 - power
    power = 1.0 - alpha
    value, error, bias, ess = twins.renyi(log_w, power)
    found = estimate(mcvi.renyi_ratio, log_w, alpha)
    close(found.value, float(value), rtol=1e-13, atol=1e-14)
    if ess is None:  # infinite weights
        return
    if ess == 0:
        assert found.ess == 0
        assert np.isnan(found.standard_error) if n == 1 else not np.isfinite(found.standard_error)
        return
    close(found.ess, float(ess), rtol=1e-12)
    small = 1e-15 / max(abs(power), 1e-3)
    close(found.standard_error, float(error), rtol=1e-9, atol=small)
    close(found.bias, math.nan if n == 1 and power else float(bias), rtol=1e-8, atol=small)
    if power and kind == "plain":
        np.testing.assert_allclose(found.khat, khat(power * log_w), rtol=1e-9)
    if power == 0:
        assert found.khat is None


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("kind", ["plain", "some zero"])
def test_an_infinite_order_is_an_extreme_weight(sign, kind):
    log_w = log_weights(kind, 50)
    found = estimate(mcvi.renyi_ratio, log_w, -sign * math.inf)
    assert found.value == (log_w.max() if sign > 0 else log_w.min())
    assert np.isnan([found.standard_error, found.bias, found.ess]).all()
    assert found.khat is None or np.isnan(found.khat)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", ["plain", "wide"])
@pytest.mark.parametrize("form", ["default", "sample"])
def test_an_evidence_lower_bound(kind, n, form):
    log_w = log_weights(kind, n)
    found = estimate(mcvi.elbo_ratio, log_w, form=form)
    logs = twins.exact(log_w)
    close(found.value, float(twins.mean(logs)))
    close(found.standard_error, float(twins.error_of_mean(logs)), rtol=1e-11)
    assert (found.bias, found.ess, found.khat, found.n) == (None, None, None, n)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_importance_sampling(kind, n):
    log_w, f = log_weights(kind, n), np.random.default_rng(7).normal(size=n)
    w = twins.weights(log_w)
    terms = [a * b for a, b in zip(w, twins.exact(f), strict=True)]
    found = estimate(mcvi.expectation_importance_sampler, log_w, f=f)
    close(found.value, float(twins.mean(terms)), rtol=1e-11)
    close(found.standard_error, float(twins.error_of_mean(terms)), rtol=1e-9)
    close(found.ess, float(twins.ess(w)))
    assert found.bias is None
    if kind == "plain":
        np.testing.assert_allclose(found.khat, khat(log_w), rtol=1e-9)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_importance_sampling_in_log_space(kind, n):
    log_w, log_f = log_weights(kind, n), np.random.default_rng(7).normal(size=n)
    w = twins.weights(log_w + log_f)
    found = estimate(mcvi.expectation_importance_sampler_logspace, log_w, f=log_f)
    if not mpmath.fsum(w):
        assert (found.value, found.ess) == (-math.inf, 0.0)
        assert not np.isfinite(found.standard_error)
        return
    close(found.value, float(mpmath.log(twins.mean(w))))
    spread = twins.relative_variance(w) if n > 1 else mpmath.nan
    close(found.standard_error, float(mpmath.sqrt(spread)), rtol=1e-9, atol=1e-15)
    close(found.bias, float(-spread / 2), rtol=1e-9, atol=1e-15)
    close(found.ess, float(twins.ess(w)))
    if kind == "plain":
        np.testing.assert_allclose(found.khat, khat(log_w + log_f), rtol=1e-9)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_self_normalised_importance_sampling(kind, n):
    log_w, f = log_weights(kind, n), np.random.default_rng(7).normal(size=n)
    found = estimate(mcvi.expectation_self_normalized, log_w, f=f)
    mean, error, bias = (float(v) for v in twins.self_normalized(log_w, f))
    close(found.value, mean, atol=1e-14)
    close(found.standard_error, error, rtol=1e-9, atol=1e-16)
    close(found.bias, bias, rtol=1e-9, atol=1e-15)
    close(found.ess, float(twins.ess(twins.weights(log_w))))


@pytest.mark.parametrize("n", SIZES)
def test_a_mean_and_an_entropy(n):
    f = np.random.default_rng(7).normal(size=n)
    z = np.arange(n, dtype=np.float64)
    found = mcvi.expectation(lambda z: f[z.astype(int)], Numbers(), z=z)
    close(found.value, float(twins.mean(twins.exact(f))), atol=1e-16)
    close(found.standard_error, float(twins.error_of_mean(twins.exact(f))))
    assert (found.bias, found.ess, found.khat) == (None, None, None)

    class Own(Numbers):
        def log_prob(self, z):
            return f[np.asarray(z).astype(int)]

    entropy = mcvi.entropy_shannon(Own(), z=z, form="sample")
    close(entropy.value, -float(twins.mean(twins.exact(f))), atol=1e-16)
    close(entropy.standard_error, float(twins.error_of_mean(twins.exact(f))))


def test_all_weights_zero_is_said_in_a_sentence():
    log_w = np.full(7, -np.inf)
    for estimator, arguments, options in (
        (mcvi.renyi_ratio, (0.5,), {}),
        (mcvi.renyi_curve, ([0.5, 0.0],), {}),
        (mcvi.renyi_ratio, (np.linspace(0.0, 0.9, 7),), {}),
        (mcvi.elbo_ratio, (), {}),
        (mcvi.expectation_importance_sampler, (), {"f": np.ones(7)}),
        (mcvi.expectation_importance_sampler_logspace, (), {"f": np.zeros(7)}),
        (mcvi.expectation_self_normalized, (), {"f": np.ones(7)}),
    ):
        f = options.get("f")

        def log_p(z):
            return log_w[z.astype(int)]

        functions = [log_p] if f is None else [lambda z, f=f: f[z.astype(int)], log_p]
        with pytest.warns(ZeroWeightWarning) as caught:
            estimator(*functions, Numbers(), *arguments, z=np.arange(7.0))
        assert [str(w.message) for w in caught] == ["all 7 draws have zero weight: q and log_p may not share support."]
        assert caught[0].filename == __file__
