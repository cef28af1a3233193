"""Runs are cut from one stream of draws, however they fall into blocks."""

import math

import numpy as np
import pytest
from scipy.special import logsumexp

from mcvi.bias import StudyInterrupted, bias_curve
from mcvi.distributions import Normal
from tests.bias.problems import small, stopping_after


@pytest.mark.parametrize("n", [1, 7, 1000, 40_000])
def test_a_run_is_the_estimate_from_its_draws_however_they_fall_into_blocks(n):
    alphas = (-1.0, 0.0, 0.5, 1.0 - 1e-9, 1.0, 1.0 + 1e-4, 2.0)
    p, q = Normal(0.3, 1.2), Normal(0.0, 1.0)
    curve = bias_curve(
        p.log_prob, q, sizes=(n,), alphas=alphas, replications=50, truth=[0.0] * 7, control_variate=False, rng=8
    )
    z = q.sample(50 * n, rng=curve.key.child(2))
    log_w = (p.log_prob(z) - q.log_prob(z)).reshape(50, n)
    for column, alpha in enumerate(alphas):
        power = 1 - alpha
        if abs(power) < 1e-6:  # to second order about the mean: exact here to 1e-12
            naive = log_w.mean(axis=1) + power / 2 * log_w.var(axis=1)
        else:
            naive = (logsumexp(power * log_w, axis=1) - math.log(n)) / power
        np.testing.assert_allclose(curve.mean[0, column], naive.mean(), rtol=0, atol=2e-11)
        assert curve.low[0, column] < curve.median[0, column] < curve.high[0, column]
        np.testing.assert_allclose(curve.median[0, column], np.sort(naive)[24], rtol=0, atol=2e-11)
        if n > 1:
            np.testing.assert_allclose(curve.variance[0, column], naive.var(ddof=1), rtol=1e-7)


def test_an_interrupt_in_the_middle_of_a_size_keeps_its_whole_runs():
    # a step of the work is 64 blocks of 16,384 draws
    with pytest.raises(StudyInterrupted) as stopped:
        small(log_p=stopping_after(1 + 70), sizes=(10_000,), replications=200)
    curve = stopped.value.curve
    assert curve.replications[0] == 64 * 16384 // 10_000
    assert np.isfinite(curve.mean).all()
    assert np.isnan(curve.khat).all()
