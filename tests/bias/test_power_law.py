"""The exponent of a bias against the number of draws."""

import math

import numpy as np
import pytest

from mcvi.bias import bias_curve, fit_power_law
from mcvi.datasets import gaussian
from tests.bias.problems import Z


@pytest.mark.slow
def test_the_exponent_of_a_well_behaved_bias_is_minus_one():
    model = gaussian(3)
    alphas = (-0.5, 0.0, 0.5, 1.0)
    curve = bias_curve(
        model.log_joint,
        model.proposals["wide"],
        sizes=(64, 256, 1024, 4096),
        alphas=alphas,
        truth=[model.limits["wide"](alpha) for alpha in alphas],
        relative_variance=[model.relative_variances["wide"](alpha) for alpha in alphas],
        replications=2000,
        rng=5,
    )
    for alpha in alphas[:-1]:
        law = curve.power_law(alpha)
        assert law.points == 4
        assert law.standard_error < 0.02
        low, high = law.interval(1 - 1e-9)
        assert low < -1 < high
        assert np.all(
            np.abs(curve.bias - curve.asymptotic_bias)[:, curve.column(alpha)]
            < Z * curve.bias_standard_error[:, curve.column(alpha)]
            + np.abs(curve.second_order[curve.column(alpha)]) / curve.sizes**2 * 2
        )
    assert math.isnan(curve.power_law(1.0).exponent)  # the ELBO is unbiased: there is nothing to fit
    assert np.all(np.abs(curve.bias[:, 3]) < Z * curve.bias_standard_error[:, 3])


def test_a_power_law_needs_three_resolved_points_of_one_sign():
    assert math.isnan(fit_power_law([1, 2], [1.0, 0.5], [0.01, 0.01]).exponent)
    law = fit_power_law([1, 2, 4, 8], [1.0, 0.5, -0.25, 0.01], [0.01, 0.01, 0.01, 0.01])
    assert (law.points, math.isnan(law.exponent)) == (2, True)
    assert str(law) == "not fitted (2 of the needed 3 points are resolved)"


def test_a_bias_that_is_no_power_law_widens_the_interval():
    sizes, error = np.array([4, 16, 64, 256]), np.full(4, 1e-3)
    straight = fit_power_law(sizes, 1.0 / sizes, error / sizes)
    bent = fit_power_law(sizes, 1.0 / sizes + 0.01, error / sizes)
    assert straight.exponent == pytest.approx(-1)
    assert bent.misfit > 100
    assert bent.standard_error > 10 * straight.standard_error
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        straight.interval(95)
