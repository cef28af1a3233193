"""Passes over log weights against the same written out in NumPy, about every threshold of the code."""

import math

import numpy as np
import pytest

import mcvi
from mcvi._engine.draws import Draws
from mcvi._engine.fused import MeanOfWeights, Sweep
from mcvi._engine.integrands import LogDensity, LogWeight
from mcvi._engine.power_sums import Power, Powers
from mcvi.diagnostics import khat
from mcvi.distributions import Gamma, Independent, Laplace, MultivariateNormalDiag, Normal, StudentT
from mcvi.random import Key

KEY = Key(11)
P, Q = Normal(0.3, 1.3), Normal(0.0, 1.0)


def log_weights(p, q, n):
    z = q.sample(n, rng=KEY)
    return np.asarray(p.log_prob(z) - q.log_prob(z)).reshape(n, -1)


def written_out(log_w, power):
    """Return value, error, bias, effective size and k-hat of each column."""
    n = len(log_w)
    if power == 0.0:
        error = log_w.std(axis=0, ddof=1) / math.sqrt(n)
        return log_w.mean(axis=0), error, np.zeros(log_w.shape[1]), np.full(log_w.shape[1], float(n)), None
    top = (power * log_w).max(axis=0)
    w = np.exp(power * log_w - top)
    spread = w.var(axis=0, ddof=1) / n / w.mean(axis=0) ** 2
    return (
        (np.log(w.mean(axis=0)) + top) / power,
        np.sqrt(spread) / abs(power),
        -spread / power / 2,
        w.sum(axis=0) ** 2 / (w**2).sum(axis=0),
        khat(power * log_w),
    )


def check(found, expected, rtol):
    for field, of in zip(("value", "standard_error", "bias", "ess", "khat"), expected, strict=True):
        own = getattr(found, field)
        if of is None:
            assert own is None
            continue
        # An error is known to the root of the rounding error of 1 / ess: two weights may be nearly equal.
        np.testing.assert_allclose(np.ravel(own), np.ravel(of), rtol=rtol, atol=1e-11, err_msg=field)


# A chunk holds 8192 draws, a block 16,384 of a user's function or 32,768 of a compiled loop, a task eight blocks.
POINTS = sorted(
    {2, 1023, 1024, 1025, *(k + e for k in (2**13, 2**14, 2**15, 2**17, 2**18) for e in (-1, 0, 1)), 300_001}
)


@pytest.mark.parametrize("n", POINTS)
@pytest.mark.parametrize("path", ["fused", "function"])
@pytest.mark.parametrize("alpha", [0.0, 0.95, 1.0, 1.7])
def test_one_number_a_draw(alpha, path, n):
    log_p = P.log_prob if path == "fused" else (lambda z: P.log_prob(z))
    found = mcvi.renyi_ratio(log_p, Q, alpha, n=n, rng=KEY)
    assert found.method == ("Renyi ratio (fused path)" if path == "fused" else "Renyi ratio")
    check(found, written_out(log_weights(P, Q, n), 1.0 - alpha), rtol=2e-9)


@pytest.mark.parametrize("members", [2, 31, 32, 33, 64, 129, 1000])
@pytest.mark.parametrize("n", [2, 50, 1025])
@pytest.mark.parametrize("path", ["fused", "function"])
def test_a_batch(path, n, members):
    q = Normal(np.linspace(-0.2, 0.2, members), 1.0)
    log_p = P.log_prob if path == "fused" else (lambda z: P.log_prob(z))
    found = mcvi.renyi_ratio(log_p, q, 0.4, n=n, rng=KEY)
    check(found, written_out(log_weights(P, q, n), 0.6), rtol=1e-9)
    curve = mcvi.renyi_curve(log_p, q, [0.4, 1.0, 0.99, 2.0], n=n, rng=KEY)
    for row, power in zip(range(4), (0.6, 0.0, 0.01, -1.0), strict=True):
        expected = written_out(log_weights(P, q, n), power)[:4]
        for field, of in zip(("value", "standard_error", "bias", "ess"), expected, strict=True):
            np.testing.assert_allclose(getattr(curve, field)[row], of, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("n", [3, 2000, 40_000])
def test_an_order_for_each_member(n):
    q = Normal([-0.2, 0.0, 0.1, 0.2, 0.3], 1.0)
    alphas = np.array([0.0, 1.0, 1.5, 0.999, -math.inf])
    found = mcvi.renyi_ratio(P.log_prob, q, alphas, n=n, rng=KEY)
    log_w = log_weights(P, q, n)
    for i, alpha in enumerate(alphas[:-1]):
        check(found[i], (*written_out(log_w[:, i : i + 1], 1.0 - alpha)[:4], found.khat[i]), rtol=2e-9)
    assert found.value[-1] == pytest.approx(log_w[:, -1].max(), rel=1e-14)
    for i in (0, 2):
        assert found.khat[i] == pytest.approx(float(khat((1.0 - alphas[i]) * log_w[:, i])), rel=1e-9)
    assert np.isnan(found.khat[[1, 4]]).all()


PAIRS = {
    "vectors": (MultivariateNormalDiag(np.zeros(7), 1.2 * np.ones(7)), MultivariateNormalDiag(np.zeros(7), np.ones(7))),
    "a batch of vectors": (
        MultivariateNormalDiag(np.zeros(3), 1.2 * np.ones(3)),
        MultivariateNormalDiag(np.zeros((5, 3)), np.ones(3)),
    ),
    "products": (Independent(Laplace(np.zeros(4), 0.8), 1), Independent(Normal(np.zeros(4), 1.0), 1)),
    "several noises": (Gamma(2.0, 1.0), Gamma(1.8, 0.9)),
    "several noises, a batch": (StudentT(4.0, 0.0, 1.0), StudentT(3.0, [0.0, 0.1, 0.2], 1.1)),
}


@pytest.mark.parametrize("n", [100, 8193, 40_001])
@pytest.mark.parametrize("name", PAIRS)
def test_draws_of_many_numbers(name, n):
    p, q = PAIRS[name]
    log_w = log_weights(p, q, n)
    for log_p in (p.log_prob, lambda z: p.log_prob(z)):
        check(mcvi.renyi_ratio(log_p, q, 0.3, n=n, rng=KEY), written_out(log_w, 0.7), rtol=2e-9)
        bound = mcvi.elbo_ratio(log_p, q, n=n, rng=KEY, form="sample")
        np.testing.assert_allclose(np.ravel(bound.value), log_w.mean(axis=0), rtol=1e-10, atol=1e-13)
        error = log_w.std(axis=0, ddof=1) / math.sqrt(n)
        np.testing.assert_allclose(np.ravel(bound.standard_error), error, rtol=1e-9)


@pytest.mark.parametrize("n", [100, 40_000])
def test_weights_that_are_not_finite_are_found_on_every_path(n):
    z = Q.sample(n, rng=KEY)
    at = n // 2

    def log_p(z):
        return np.where(z == spoiled, np.inf, P.log_prob(z))

    spoiled = z[at]
    for run in (
        lambda **d: mcvi.renyi_ratio(log_p, Q, 0.5, **d),
        lambda **d: mcvi.elbo_ratio(log_p, Q, form="sample", **d),
    ):
        for source in ({"n": n, "rng": KEY}, {"z": z}):
            with pytest.warns(mcvi.estimate.NonFiniteWarning, match=f"1 times in {n} values; first at draw {at}, z = "):
                assert run(**source).value == np.inf
    held = z.copy()
    held[at] = np.nan
    with pytest.warns(mcvi.estimate.NonFiniteWarning, match=f"1 times in {n} values; first at draw {at}, z = nan"):
        assert np.isnan(mcvi.renyi_ratio(P.log_prob, Q, 0.5, z=held).value)  # the fused path


def task(log_p, q, n, sums, **source):
    draws = Draws.of(q, None if source else n, source.get("z"), KEY)
    draws.start()
    return Sweep.of(draws, LogWeight.of(log_p, q), sums)


def test_parts_of_a_pass_merge_to_the_whole():
    powers = Powers([Power.of(0.5, ()), Power.of(0.0, ())])
    work = task(P.log_prob, Q, 200_000, powers)
    whole = work(0, work.draws.blocks, None)
    half = work.draws.blocks // 2
    merged = work(0, half, None) + work(half, work.draws.blocks, None)
    for a, b in zip(whole.sums, merged.sums, strict=True):
        np.testing.assert_allclose(np.array(a.read()), np.array(b.read()), rtol=1e-12)
    np.testing.assert_array_equal(whole.sums[0].khat_of(whole.tail).khat, merged.sums[0].khat_of(merged.tail).khat)
    assert whole.sums[1].khat_of(whole.tail) is None


def test_sums_that_keep_no_tail_have_none():
    work = task(P.log_prob, Q, 1000, MeanOfWeights(1))
    assert work(0, 1, None).tail is None
    assert isinstance(work.weight.log_p, LogDensity)


def test_a_task_that_has_travelled_finds_its_loop_again():
    import pickle

    work = task(P.log_prob, Q, 1000, Powers([Power.of(0.5, ())]))
    again = pickle.loads(pickle.dumps(work))
    assert again.path == work.path == " (fused path)"
    np.testing.assert_array_equal(work(0, 1, None).sums[0].read(), again(0, 1, None).sums[0].read())


@pytest.mark.parametrize(
    ("elements", "columns"),
    [(1, 1), (5, 1), (5, 5), (500, 1), (500, 100), (10_000, 1), (10_000, 10_000), (2**21, 2**21)],
)
def test_a_chunk_is_a_whole_number_of_tiles_near_8192_numbers(elements, columns):
    from mcvi.random import tile_rows

    batch, event = (columns,) if columns > 1 else (), (elements // columns,) if elements > columns else ()
    q = Normal(np.zeros((*batch, *event)), 1.0)
    work = task(P.log_prob if not event else lambda z: z, Independent(q, len(event)), 100, MeanOfWeights(columns))
    rows = work._chunk()
    assert rows % tile_rows(elements) == 0
    wanted = 2**13 if columns == 1 else min(max(2**13, 16 * elements), 2**20)
    assert rows == max(tile_rows(elements), wanted // elements // tile_rows(elements) * tile_rows(elements))


def test_a_density_that_needs_no_proposal_is_not_divided_by_one():
    n = 20_000
    z = Q.sample(n, rng=KEY)
    found = mcvi.elbo_ratio(P.log_prob, Q, n=n, rng=KEY)
    assert found.method == "mean of log p over draws and closed-form entropy of Normal (fused path)"
    assert found.value == pytest.approx(np.mean(P.log_prob(z)) + float(Q.entropy()), rel=1e-13)
    sample = mcvi.elbo_ratio(P.log_prob, Q, n=n, rng=KEY, form="sample")
    assert sample.method == "mean of log p - log q over draws (fused path)"
    entropy = mcvi.entropy_shannon(Q, n=n, rng=KEY, form="sample")
    assert entropy.method == "mean of -log p over draws (fused path)"
    assert entropy.value == pytest.approx(-np.mean(Q.log_prob(z)), rel=1e-13)
