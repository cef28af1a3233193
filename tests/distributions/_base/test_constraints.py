"""Constraints: their members, their errors, and their maps from the real line, against mpmath at hard points."""

import mpmath
import numpy as np
import pytest
from autograd import grad, jacobian
from autograd import numpy as anp

from mcvi.distributions._base import constraints as sets

HARD = [-745.0, -708.0, -40.0, -1.0, -1e-9, -1e-300, 0.0, 1e-300, 0.3, 20.0, 36.0, 708.0]
MEMBERS = [
    (sets.real, [0.0, -1e308, 5e-324], [np.nan, np.inf, -np.inf]),
    (sets.positive, [5e-324, 1.0, 1e308], [0.0, -1.0, np.inf, np.nan]),
    (sets.non_negative, [0.0, -0.0, 1e308], [-5e-324, np.inf, np.nan]),
    (sets.unit_interval, [0.0, 0.5, 1.0], [-5e-324, 1.0 + 2**-52, np.nan, np.inf]),
    (sets.interval(-1.0, 3.0), [-1.0, 3.0], [-1.5, 3.5, np.nan]),
    (sets.above(2.0), [2.5], [2.0, np.inf, np.nan]),
    (sets.whole, [0.0, 7.0, 1e18], [-1.0, 0.5, np.inf, np.nan]),
    (sets.whole_up_to(3), [0.0, 3.0], [4.0, 2.5, np.nan]),
    (sets.binary, [0.0, 1.0], [0.5, 2.0, -1.0, np.nan]),
    (sets.vectors_of(sets.positive), [[1.0, 2.0], [5e-324, 1e308]], [[1.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]]),
    (sets.log_weights, [[-np.inf, 0.0], [1e308, -1e308]], [[-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0]]),
    (sets.counts_of(3), [[0.0, 3.0], [1.0, 2.0]], [[1.0, 1.0], [1.5, 1.5], [-1.0, 4.0], [np.nan, 3.0], [np.inf, 0.0]]),
    (sets.simplex, [[0.5, 0.5], [0.0, 1.0]], [[0.5, 0.6], [-0.1, 1.1], [np.nan, 1.0]]),
]


@pytest.mark.parametrize(("constraint", "members", "others"), MEMBERS, ids=lambda c: type(c).__name__)
def test_members_are_told_from_other_values(constraint, members, others):
    assert np.all(constraint.contains(np.array(members)))
    assert not np.any(constraint.contains(np.array(others)))


def sigmoid(t):
    return 1 / (1 + mpmath.exp(-t))


#: Constraint, x of t in mpmath, and the size of the numbers that are added.
MAPS = [
    (sets.real, lambda t: t, 0),
    (sets.positive, mpmath.exp, 0),
    (sets.non_negative, mpmath.exp, 0),
    (sets.above(3.0), lambda t: 3 + mpmath.exp(t), 0),
    (sets.unit_interval, sigmoid, 0),
    (sets.interval(-2.0, 6.0), lambda t: -2 + 8 * sigmoid(t), 2),
]


@pytest.mark.parametrize(("constraint", "exact", "size"), MAPS, ids=lambda c: getattr(c, "words", ""))
def test_maps_keep_their_digits_at_hard_points(constraint, exact, size):
    with mpmath.workdps(400):
        for t in HARD:
            x = constraint.from_real(np.float64(t))
            truth = exact(mpmath.mpf(t))
            assert abs(mpmath.mpf(float(x)) - truth) <= 4e-16 * max(size, abs(truth)) + mpmath.mpf(5e-324)
            slope = mpmath.log(mpmath.diff(exact, mpmath.mpf(t), h=mpmath.mpf(10) ** -60))
            log_jacobian = constraint.log_jacobian(np.float64(t))
            assert abs(log_jacobian - slope) <= 4e-16 * max(1, abs(slope))


@pytest.mark.parametrize(("constraint", "exact", "size"), MAPS, ids=lambda c: getattr(c, "words", ""))
def test_autograd_differentiates_the_map_and_its_inverse(constraint, exact, size):
    for t in (-20.0, -1.0, 0.0, 0.3, 9.0):
        slope = np.exp(constraint.log_jacobian(np.float64(t)))
        assert grad(lambda t: constraint.from_real(t))(t) == pytest.approx(slope, rel=1e-12)
        x = constraint.from_real(np.float64(t))
        assert grad(lambda x: constraint.to_real(x))(x) == pytest.approx(1 / slope, rel=1e-6)
        step = 1e-6
        difference = (constraint.log_jacobian(t + step) - constraint.log_jacobian(t - step)) / (2 * step)
        assert grad(lambda t: 1.0 * constraint.log_jacobian(t))(t) == pytest.approx(difference, abs=1e-8)
        assert constraint.to_real(x) == pytest.approx(t, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("t", [[0.0, 0.0], [3.0, -700.0], [30.0, -40.0], [-5.0, -800.0]])
def test_softmax_onto_the_simplex(t):
    t = np.array(t)
    x = sets.simplex.from_real(t)
    with mpmath.workdps(60):
        total = 1 + sum(mpmath.exp(v) for v in t)
        exact = [mpmath.exp(v) / total for v in [*t, mpmath.mpf(0)]]
        np.testing.assert_allclose(x, [float(v) for v in exact], rtol=2e-15, atol=1e-320)
        log_det = float(sum(mpmath.log(v) for v in exact))
    assert sets.simplex.log_jacobian(t) == pytest.approx(log_det, rel=1e-14)
    if x.min() > 1e-100:
        np.testing.assert_allclose(sets.simplex.to_real(x), t, rtol=1e-12, atol=1e-12)
        matrix = jacobian(lambda t: sets.simplex.from_real(t)[:-1])(t)
        # The determinant of three columns of two rows of an underflowing matrix has no digits: ordinary t only.
        if abs(t).max() < 10:
            assert np.log(abs(np.linalg.det(matrix))) == pytest.approx(log_det, rel=1e-12)
    assert np.all(np.isfinite(grad(lambda t: sets.simplex.log_jacobian(t))(t)))


def test_matrices_of_a_positive_diagonal():
    t = np.array([[0.3, -1.0, 2.0, 0.5, 0.25, -3.0], [0.0, 1e8, -700.0, 1e-8, 5.0, 0.1]])
    x = sets.lower_triangular.from_real(t)
    assert x.shape == (2, 3, 3)
    assert np.all(sets.lower_triangular.contains(x))
    np.testing.assert_array_equal(x[0, 2], [0.5, 0.25, np.exp(-3.0)])
    np.testing.assert_allclose(sets.lower_triangular.to_real(x), t, rtol=1e-14)
    np.testing.assert_allclose(sets.lower_triangular.log_jacobian(t), t[:, [0, 2, 5]].sum(axis=1))
    rows, columns = np.tril_indices(3)
    matrix = jacobian(lambda t: sets.lower_triangular.from_real(t)[rows, columns])(t[0])
    assert np.log(np.linalg.det(matrix)) == pytest.approx(t[0, [0, 2, 5]].sum())
    for bad in (np.zeros((2, 2)), [[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [np.nan, 1.0]]):
        assert not sets.lower_triangular.contains(np.array(bad))


def test_an_error_names_the_parameter_the_rule_the_value_and_its_index():
    with pytest.raises(ValueError, match=r"^Normal: scale must be positive and finite; got 0\.0 at index \(0, 1\)\.$"):
        sets.positive.check([[1.0, 0.0]], "Normal", "scale")
    with pytest.raises(ValueError, match=r"^Uniform: low must be below high; got low 3\.0, high 2\.0\.$"):
        sets.above("low").at({"low": 3.0}).check(2.0, "Uniform", "high")
    with pytest.raises(TypeError, match=r"^Normal: loc must be real numbers; got dtype <U1"):
        sets.real.check("0", "Normal", "loc")


def test_an_end_may_be_a_parameter():
    support = sets.interval("low", "high")
    np.testing.assert_array_equal(support.at({"low": np.array([0.0, 2.0]), "high": 3.0}).contains(1.0), [True, False])
    assert sets.whole_up_to("total_count").at({"total_count": 3.0}).contains(3.0)
    assert sets.real.at({}) is sets.real
    ends = anp.array([0.0, 2.0])
    assert grad(lambda e: sets.interval("a", "b").at({"a": e[0], "b": e[1]}).from_real(0.0))(ends).tolist() == [
        0.5,
        0.5,
    ]


@pytest.mark.parametrize("constraint", [sets.whole, sets.binary])
def test_isolated_points_have_no_map_from_the_line(constraint):
    for method in (constraint.from_real, constraint.to_real, constraint.log_jacobian):
        with pytest.raises(NotImplementedError, match="isolated points"):
            method(0.0)
