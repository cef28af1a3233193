"""MultivariateNormalDiag and MultivariateNormalTriL: the contract, ill-conditioned factors, one as the other."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from mcvi.distributions import MultivariateNormalDiag, MultivariateNormalTriL, Normal
from tests.distributions.vector_contract import VectorContract, exactly

EPS = np.finfo(float).eps
D = 3
RNG = np.random.default_rng(20260101)
LOC = RNG.normal(size=(2, D))
TRIL = np.tril(RNG.normal(size=(2, D, D)), -1) + np.eye(D) * RNG.uniform(0.5, 2.0, size=(2, 1, D))
SCALE = RNG.uniform(0.5, 2.0, size=(2, D))
FAMILIES = [
    MultivariateNormalDiag(LOC[:, None, :], SCALE),
    MultivariateNormalTriL(LOC[:, None, :], TRIL),
]
both = pytest.mark.parametrize("q", FAMILIES, ids=lambda q: type(q).__name__)
SHAPES = "the parameters must have the same d and batches that broadcast; got shapes "


def exact_log_density(x, loc, tril):
    size, y = len(loc), []
    for i in range(size):
        y.append((x[i] - loc[i] - sum(tril[i, j] * y[j] for j in range(i))) / tril[i, i])
    value = -sum(v * v for v in y) / 2 - size * mpmath.log(2 * mpmath.pi) / 2
    return value - sum(mpmath.log(tril[i, i]) for i in range(size))


def far(q):
    return (q, [*q.sample(3, rng=0), *(100.0 * q.sample(2, rng=1)), np.zeros(q.event_shape)])


class TestMultivariateNormalDiag(VectorContract):
    family = MultivariateNormalDiag
    instances = [MultivariateNormalDiag(loc, scale) for loc, scale in zip(LOC, SCALE, strict=True)]
    instances += [MultivariateNormalDiag([1.0], [2.0])]
    golden = {"": MultivariateNormalDiag([0.5, -1.0, 2.0], [1.0, 0.5, 3.0])}
    grid = [far(MultivariateNormalDiag([0.3, -1e5], [10.0**-k, 10.0**k])) for k in (0, 5, 20)]
    tolerance, digits = 2e-14, 250
    outside = [[np.inf, 0.0, 0.0], [0.0, -np.inf, 0.0]]
    bad = [
        (
            {"loc": 0.0, "scale_diag": [1.0]},
            "MultivariateNormalDiag: loc must have shape (..., d) with d >= 1; got ().",
        ),
        ({"loc": [0.0], "scale_diag": [-1.0]}, "scale_diag must be positive and finite; got -1.0 at index (0,)."),
        ({"loc": np.zeros(3), "scale_diag": np.ones((5, 2))}, f"{SHAPES}loc (3,), scale_diag (5, 2)."),
    ]
    twin = staticmethod(lambda loc, scale_diag: stats.multivariate_normal(loc, np.diag(scale_diag**2)))

    def reference(self, x, loc, scale_diag):
        return exact_log_density(x, loc, np.diag(scale_diag))


class TestMultivariateNormalTriL(VectorContract):
    family = MultivariateNormalTriL
    instances = [MultivariateNormalTriL(loc, tril) for loc, tril in zip(LOC, TRIL, strict=True)]
    golden = {"": MultivariateNormalTriL([1.0, -1.0], [[2.0, 0.0], [0.5, 1.0]])}
    grid = [far(MultivariateNormalTriL([0.3, -1e5], [[10.0**-k, 0.0], [0.5, 10.0**k]])) for k in (0, 2, 20)]
    tolerance, score_tolerance, digits = 2e-14, 1e-12, 250
    outside = [[np.inf, 0.0, 0.0], [0.0, -np.inf, 0.0]]
    bad = [
        (
            {"loc": np.zeros((4, 2)), "scale_tril": np.stack([np.eye(2)] * 3)},
            f"{SHAPES}loc (4, 2), scale_tril (3, 2, 2).",
        ),
        (
            {"loc": [0.0, 0.0], "scale_tril": [[1.0, 0.5], [0.5, 1.0]]},
            "scale_tril must be lower triangular; got 0.5 at index (0, 1). For a covariance matrix pass",
        ),
        (
            {"loc": [0.0, 0.0], "scale_tril": [[1.0, 0.0], [0.5, 0.0]]},
            "the diagonal of scale_tril must be positive; got 0.0 at index (1, 1).",
        ),
        ({"loc": [0.0], "scale_tril": [1.0]}, "scale_tril must have shape (..., d, d) with d >= 1; got (1,)."),
        ({"loc": [np.nan], "scale_tril": [[1.0]]}, "loc must be finite; got nan at index (0,)."),
    ]
    twin = staticmethod(lambda loc, scale_tril: stats.multivariate_normal(loc, scale_tril @ scale_tril.T))

    def reference(self, x, loc, scale_tril):
        return exact_log_density(x, loc, scale_tril)


@pytest.mark.parametrize("condition", [1e2, 1e6, 1e10, 1e14])
def test_the_error_of_an_ill_conditioned_density_is_within_its_bound(condition):
    size = 6
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(size, size)))[0]
    # The condition of the covariance: that of the factor is its square root.
    factor = rotation * np.geomspace(1.0, condition**-0.5, size)
    tril = np.linalg.qr(factor.T)[1].T
    tril = np.tril(tril * np.sign(np.diag(tril)))
    loc = np.arange(size) / 3.0
    q = MultivariateNormalTriL(loc, tril)
    for x in q.sample(5, rng=0):
        with mpmath.workdps(40):
            exact = float(exact_log_density(*map(exactly, (x, loc, tril))))
        bound = 50 * size * EPS * condition
        assert abs(q.log_prob(x) - exact) / max(1.0, abs(exact)) <= bound


def test_a_diagonal_factor_and_a_diagonal_scale_are_the_same_distribution():
    diagonal = MultivariateNormalDiag(LOC, SCALE)
    full = MultivariateNormalTriL(LOC, SCALE[:, None, :] * np.eye(D))
    z = diagonal.sample(50, rng=6)
    np.testing.assert_allclose(full.sample(50, rng=6), z, rtol=1e-15)
    np.testing.assert_allclose(full.log_prob(z), diagonal.log_prob(z), rtol=1e-13)
    np.testing.assert_allclose(diagonal.log_prob(z), Normal(LOC, SCALE).log_prob(z).sum(axis=-1), rtol=1e-15)


@both
def test_infinity_is_outside_and_nan_stays_nan(q):
    z = np.zeros((4, *q.batch_shape, D))
    z[0, ..., 0] = np.inf
    z[1, ..., 1] = -np.inf
    z[2, ..., 2] = np.nan
    z[3, ..., 0], z[3, ..., 1] = np.inf, np.nan
    for log_density in (q.log_prob(z).reshape(4, -1), q._log_prob_block(z)):
        assert np.all(log_density[:2] == -np.inf)
        assert np.all(np.isnan(log_density[2:]))
