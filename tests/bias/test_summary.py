"""The first-order prediction, and the share of the target that the draws found."""

import numpy as np

from mcvi.bias import bias_curve
from mcvi.distributions import Normal, Uniform
from tests.bias.problems import BOUNDS, assert_biases, lognormal_weights


def test_the_first_order_prediction_is_believed_where_it_holds_and_flagged_where_it_does_not():
    table = BOUNDS["lognormal_s2_0.5"]
    sizes = [int(n) for n in table["bias"]]
    curve = bias_curve(
        lognormal_weights(0.5), Normal(0.0, 1.0), sizes=sizes, alphas=(0.0,), truth=0.0, replications=4000, rng=4
    )
    biases = np.array([orders[0] for orders in table["bias"].values()])
    assert_biases(curve, 0.0, biases, resolves=0.6)
    assert abs(curve.relative_variance[0] / (-2 * table["a1"]) - 1) < 0.05
    trusted = curve.asymptotic_trusted[:, 0]
    assert trusted[2:].all()
    assert np.all(np.abs(curve.asymptotic_bias[trusted, 0] / biases[trusted] - 1) < 0.3)
    # log-variance 4: the expansion is useless below n = 10,000, where a bias of -26.8/n is predicted
    heavy = bias_curve(
        lognormal_weights(4.0), Normal(0.0, 1.0), sizes=(4, 64, 512), alphas=(0.0,), truth=0.0, replications=2000, rng=4
    )
    biases = np.array([BOUNDS["lognormal_s2_4"]["bias"][n][0] for n in ("4", "64", "512")])
    assert not heavy.asymptotic_trusted.any()
    assert not heavy.controlled.any()
    assert_biases(heavy, 0.0, biases, resolves=3.0)


def test_what_the_proposal_never_reaches_is_seen_when_the_evidence_is_known():
    # half of the target lies where a Uniform(0, 1) never draws
    curve = bias_curve(lambda z: np.log(0.25 + 0.5 * z), Uniform(0.0, 1.0), alphas=(0.0,), truth=0.0, rng=7)
    assert curve.missing.all()
    assert abs(curve.recovered[0] - 0.5) < 0.01
    assert not curve.controlled.any()
    assert "the draws found 0.5" in curve.table()
