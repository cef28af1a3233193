import json
import lzma
import math
import time
from pathlib import Path

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats
from scipy.special import logsumexp, ndtri

from mcvi._kernels.sums.pareto import fit_tails
from mcvi.diagnostics import (
    LONGEST_KEPT_TAIL,
    effective_sample_size,
    khat,
    khat_of_tail,
    khat_threshold,
    psis,
    tail_length,
)

# Inside: numbers from a snapshot of R's loo, and tables computed by its rules, cross-checked with arviz-stats 0.8.
with lzma.open(Path(__file__).parent / "data" / "psis_khat.json.xz", "rt") as _file:
    ORACLE = json.load(_file)["content"]
FIXTURES = ORACLE["deterministic_fixtures"]["rows"]
Z = 6.11  # two-sided, false failure 1e-9


def fixture_log_weights(name, n):
    """The log weights at the mid-quantiles u_i = (i - 1/2)/n."""
    u = (np.arange(1, n + 1) - 0.5) / n
    z = ndtri(u)
    kind, _, parameter = name.rpartition("_")
    if kind == "pareto":
        return -float(parameter.removeprefix("k")) * np.log(1 - u)
    if kind == "normal_scale":
        s = float(parameter.removeprefix("s"))
        return 0.5 * z**2 * (1 - s**2) + math.log(s)
    if kind == "lognormal":
        return float(parameter.removeprefix("s")) * z
    assert name == "t5_over_normal"
    return stats.t.logpdf(z, 5) - stats.norm.logpdf(z)


def naive_fit(x):
    """The fit of Zhang & Stephens with loo's prior, as one reads it: log likelihood on the grid, then its mean."""
    x = np.sort(x)
    n = len(x)
    points = 30 + int(n**0.5)
    theta = 1 / x[-1] + (1 - np.sqrt(points / (np.arange(points) + 0.5))) / (3 * x[int(n / 4 + 0.5) - 1])
    k = np.log1p(-theta[:, None] * x).mean(axis=1)
    log_likelihood = n * (np.log(-theta / k) - k - 1)
    mean = (theta * np.exp(log_likelihood - logsumexp(log_likelihood))).sum()
    k = np.log1p(-mean * x).mean()
    return (n * k + 5) / (n + 10), -k / mean


def fit(x):
    shapes, scales, firsts = np.empty(1), np.empty(1), np.empty(1, np.int64)
    fit_tails(np.sort(x)[None], shapes, scales, firsts)
    return shapes[0], scales[0]


def test_fit_agrees_with_the_snapshot_of_loo():
    snapshot = ORACLE["gpdfit_R_snapshot"]
    k, sigma = fit(np.array(snapshot["x"]))
    assert k == pytest.approx(snapshot["default_30_prior"]["k"], abs=1e-13)
    assert sigma == pytest.approx(snapshot["default_30_prior"]["sigma"], rel=1e-13)


@pytest.mark.parametrize("n", [5, 6, 23, 100, 949])
def test_fit_agrees_with_its_plain_twin(n):
    for k in (-0.5, 0.0, 0.7, 2.0):
        x = stats.genpareto.rvs(k, size=n, random_state=n)
        assert fit(x) == pytest.approx(naive_fit(x), rel=1e-11, abs=1e-12)


def test_fit_takes_the_exponential_limit_where_the_grid_meets_zero():
    # With 100 exceedances, j = 2 gives sqrt(40 / 2.5) = 4; theta is 0 when the quartile is the maximum.
    x = np.full(100, 0.5)
    x[0] = 0.4
    k, sigma = fit(x)
    assert math.isfinite(k)
    assert math.isfinite(sigma)


@pytest.mark.parametrize("row", FIXTURES, ids=lambda row: f"{row['input']}-{row['S']}")
def test_khat_and_smoothed_weights_agree_with_the_deterministic_fixtures(row):
    n = row["S"]
    log_weights = fixture_log_weights(row["input"], n)
    smoothed, k = psis(log_weights)
    assert k == khat(log_weights)
    assert k == pytest.approx(row["khat"], abs=1e-10)
    assert effective_sample_size(log_weights) == pytest.approx(row["ess_raw"], rel=1e-10)
    # The points come in pairs z and -z, some equal to the last bit: loo smooths each of the two for itself.
    if np.unique(np.sort(log_weights)[-tail_length(n) - 1 :]).size == tail_length(n) + 1:
        assert effective_sample_size(smoothed) == pytest.approx(row["ess_psis"], rel=1e-10)
    else:
        np.testing.assert_allclose(smoothed, twin_of_smoothing(log_weights), rtol=0, atol=1e-12)
    assert logsumexp(smoothed) - math.log(n) == pytest.approx(row["log_mean_psis"], abs=1e-10)
    assert smoothed.max() - logsumexp(smoothed) == pytest.approx(row["lw_smooth_max_minus_lse"], abs=1e-10)


# where both rules take the same tail, of more than five
@pytest.mark.parametrize("n", [30, 100, 225, 400, 900, 2500, 10_000])
def test_random_log_weights_agree_with_arviz_stats(n):
    rng = np.random.default_rng(n)
    for log_weights in (
        2 * rng.normal(size=n),
        rng.standard_t(3, size=n),
        rng.exponential(size=n),
        -rng.gamma(2, size=n),
    ):
        theirs, their_khat = array_stats.psislw(-log_weights)  # it negates its input, and normalises
        smoothed, k = psis(log_weights)
        assert k == pytest.approx(their_khat, abs=1e-10)
        np.testing.assert_allclose(smoothed - logsumexp(smoothed), theirs, atol=1e-10)


@pytest.mark.parametrize("row", ORACLE["exponential_rate_study"]["rows"], ids=lambda row: f"{row['theta']}-{row['S']}")
def test_khat_of_exponential_proposals_is_where_the_study_found_it(row):
    n, theta = row["S"], row["theta"]
    replications = 30 if n > 10_000 else 200
    z = np.random.default_rng(7).exponential(1 / theta, size=(n, replications))
    k = khat((theta - 1) * z)
    margin = Z * row["khat_sd"] * math.sqrt(1 / replications + 1 / 200)
    assert abs(k.mean() - row["khat_mean"]) < margin
    assert margin < 0.2


def test_khat_is_invariant_under_scale_order_and_batching():
    rng = np.random.default_rng(1)
    log_weights = rng.normal(size=(500, 2, 3))
    k = khat(log_weights)
    assert k.shape == (2, 3)
    assert k[1, 2] == khat(log_weights[:, 1, 2])
    np.testing.assert_allclose(khat(log_weights + 1e5), k, atol=1e-9)
    np.testing.assert_array_equal(khat(rng.permutation(log_weights, axis=0)), k)
    assert khat(np.ascontiguousarray(log_weights[:, 0, 0], dtype=np.float32)) == pytest.approx(k[0, 0], abs=1e-5)


@pytest.mark.parametrize("n", [25, 1000, 30_000])
def test_the_kept_tail_gives_the_same_khat_as_all_draws(n):
    rng = np.random.default_rng(2)
    log_weights = rng.normal(size=(n, 2))
    largest = np.sort(log_weights, axis=0)[-tail_length(n) - 1 :]
    np.testing.assert_array_equal(khat_of_tail(rng.permutation(largest), n), khat(log_weights))


def test_a_tail_cut_at_its_longest_is_fitted_as_it_is():
    n = 4_000_000
    kept = np.sort(np.random.default_rng(3).exponential(0.5, size=n))[-LONGEST_KEPT_TAIL - 1 :]
    k = khat_of_tail(kept, n)
    assert k == pytest.approx(naive_fit(np.exp(kept[1:] - kept[-1]) - np.exp(kept[0] - kept[-1]))[0], abs=1e-10)
    assert abs(k - 0.5) < Z * 1.5 / math.sqrt(LONGEST_KEPT_TAIL)  # asymptotic sd (1 + k) / sqrt(M)


def test_too_short_and_too_long_tails_are_refused():
    with pytest.raises(ValueError, match="must hold the 96 largest of n = 1000 log weights; got 95"):
        khat_of_tail(np.arange(95.0), 1000)
    with pytest.raises(ValueError, match="must hold the 3001 largest"):
        khat_of_tail(np.arange(3000.0), 10**9)
    with pytest.raises(ValueError, match="at most n = 50"):
        khat_of_tail(np.arange(51.0), 50)
    with pytest.raises(ValueError, match="must have draws along its first axis"):
        khat(0.0)
    with pytest.raises(ValueError, match="must have draws along its first axis"):
        psis(np.empty((0, 3)))
    with pytest.raises(ValueError, match="n must be a positive integer; got 0"):
        khat_threshold(0)


@pytest.mark.parametrize(
    ("log_weights", "expected"),
    [
        (np.zeros(100), -np.inf),
        (1e-13 * np.random.default_rng(0).normal(size=100), -np.inf),  # rounding of equal weights is no tail
        (np.r_[np.zeros(90), np.ones(10)], -np.inf),  # two values: bounded
        (np.r_[np.zeros(97), 1.0, 2.0, 3.0], np.inf),  # three jumps above a constant cannot be judged
        (np.full(100, -np.inf), np.inf),
        (np.r_[np.full(97, -np.inf), 1.0, 2.0, 3.0], np.inf),
        (np.random.default_rng(0).normal(size=100) * 1e6, np.inf),  # all weight on one draw
        (np.zeros(20), np.inf),
        (np.zeros(1), np.inf),
        (np.r_[np.zeros(50), np.nan], np.nan),
        (np.r_[np.zeros(50), np.inf], np.nan),
        (np.r_[-np.inf, np.inf, 0.0], np.nan),
        (np.r_[0.0, np.nan], np.nan),
    ],
)
def test_khat_at_the_edges(log_weights, expected):
    smoothed, k = psis(log_weights)
    np.testing.assert_equal([float(khat(log_weights)), float(k)], [expected, expected])
    np.testing.assert_array_equal(smoothed, log_weights)


def test_ties_that_fill_a_quarter_of_the_tail_are_left_out_of_the_fit():
    above = np.random.default_rng(5).exponential(size=10)
    log_weights = np.r_[np.full(90, -np.inf), np.log(above)]
    assert khat(log_weights) == pytest.approx(naive_fit(above)[0], abs=1e-12)
    assert np.isneginf(psis(log_weights).log_weights).sum() == 90


def test_psis_leaves_its_argument_alone_and_the_small_weights_in_place():
    log_weights = np.random.default_rng(6).normal(size=(1000, 2)) + 40
    before = log_weights.copy()
    smoothed = psis(log_weights).log_weights
    np.testing.assert_array_equal(log_weights, before)
    changed = smoothed != log_weights
    assert np.all(changed.sum(axis=0) <= tail_length(1000))
    order = np.argsort(log_weights, axis=0)
    assert np.all(np.diff(np.take_along_axis(smoothed, order, axis=0), axis=0) >= 0)
    assert np.all(smoothed.max(axis=0) <= log_weights.max(axis=0))
    one = np.ascontiguousarray(log_weights[:, 1])
    np.testing.assert_array_equal(psis(one).log_weights, smoothed[:, 1])
    np.testing.assert_array_equal(one, before[:, 1])
    assert psis(one.astype(np.float32)).log_weights.dtype == np.float32


def test_threshold_and_tail_length_follow_the_published_rules():
    assert [khat_threshold(n) for n in (1, 10, 100, 2000, 10**9)] == pytest.approx(
        [-math.inf, 0, 0.5, 1 - 1 / math.log10(2000), 0.7]
    )
    assert [tail_length(n) for n in (1, 21, 225, 226, 1000, 10**6)] == [1, 5, 45, 46, 95, 3000]


@pytest.mark.parametrize(
    ("log_weights", "expected"),
    [
        ([0.0, 0.0, -np.inf, 0.0], 3),
        ([1000.0, 0.0], 1),
        ([-np.inf, -np.inf], 0),
        ([0.0, np.nan], np.nan),
        ([0.0, np.inf], np.nan),
        ([[0.0, 0.0], [0.0, math.log(3.0)]], [2, 1.6]),
    ],
)
def test_effective_sample_size_counts_equal_weights(log_weights, expected):
    np.testing.assert_allclose(effective_sample_size(log_weights), expected, rtol=1e-15)


def test_khat_of_a_hundred_thousand_draws_is_cheap_beside_sorting_them():
    log_weights = np.random.default_rng(8).normal(size=100_000)

    def best(function):
        times = []
        for _ in range(15):
            start = time.perf_counter()
            function(log_weights)
            times.append(time.perf_counter() - start)
        return min(times)

    khat(log_weights)
    assert best(khat) < 10 * best(np.sort)


def twin_of_smoothing(log_weights):
    """Smooth by sorting alone, then let equal weights share the mean of theirs: one column."""
    n = len(log_weights)
    length = tail_length(n)
    order = np.argsort(log_weights, kind="stable")
    ascending = np.exp(log_weights[order] - log_weights.max())
    cutoff = ascending[-length - 1]
    above = ascending[-length:] - cutoff
    k, sigma = naive_fit(above)
    u = (np.arange(1, length + 1) - 0.5) / length
    ascending[-length:] = np.minimum(cutoff + sigma * np.expm1(-k * np.log1p(-u)) / k, 1.0)
    for value in np.unique(log_weights):
        tied = log_weights[order] == value
        ascending[tied] = np.mean(ascending[tied])
    out = np.empty(n)
    out[order] = np.log(ascending) + log_weights.max()
    return out


@pytest.mark.parametrize("decimals", [0, 1, 2])
def test_equal_weights_share_the_mean_of_their_smoothed_weights(decimals):
    # the third of these has ties on both sides of the cutoff of the tail
    log_weights = np.random.default_rng(4).normal(size=600).round(decimals)
    if decimals == 0:
        log_weights = 0.4 * np.random.default_rng(4).poisson(9, size=600).astype(float)
    tail = np.sort(log_weights)[-tail_length(600) - 1 :]
    assert decimals == 2 or np.count_nonzero(log_weights == tail[0]) > np.count_nonzero(tail == tail[0])
    smoothed = psis(log_weights).log_weights
    for value in np.unique(log_weights):
        assert np.unique(smoothed[log_weights == value]).size == 1
    assert np.count_nonzero(tail[1:] == tail[0]) < len(tail) // 4  # fewer ties than the fit leaves out
    np.testing.assert_allclose(smoothed, twin_of_smoothing(log_weights), rtol=0, atol=1e-12)


def test_smoothing_does_not_depend_on_the_order_of_the_draws():
    rng = np.random.default_rng(5)
    log_weights = rng.normal(size=1000).round(1)
    order = rng.permutation(1000)
    np.testing.assert_array_equal(psis(log_weights[order]).log_weights, psis(log_weights).log_weights[order])


def test_correlated_draws_take_a_longer_tail():
    log_weights = np.random.default_rng(6).standard_t(4, size=4000)
    length = math.ceil(3 * math.sqrt(4000 / 0.1))
    assert tail_length(4000, 0.1) == length
    top = np.exp(np.sort(log_weights) - log_weights.max())
    expected, _ = naive_fit(top[-length:] - top[-length - 1])
    assert khat(log_weights, r_eff=0.1) == pytest.approx(expected, rel=1e-11)
    smoothed = psis(log_weights, r_eff=0.1)
    assert smoothed.khat == khat(log_weights, r_eff=0.1)
    assert np.count_nonzero(smoothed.log_weights != log_weights) == length


@pytest.mark.parametrize("r_eff", [0.0, -1.0, math.inf, math.nan, "1"])
def test_the_relative_efficiency_must_be_a_positive_number(r_eff):
    with pytest.raises(ValueError, match=r"^r_eff must be a positive number \(effective draws over draws\); got"):
        khat(np.zeros(100), r_eff=r_eff)
