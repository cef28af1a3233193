"""mcvi.math from Python, under autograd and in compiled code."""

import inspect

import mpmath
import numba
import numpy as np
import pytest
from autograd import elementwise_grad, grad, make_jvp
from autograd import numpy as anp
from numba.core.errors import TypingError

from mcvi import math

half_line = [1e-3, 0.3, 1.0, 1.5, 2.0, 3.7, 40.0]
whole_line = [-30.0, -3.0, -0.7, -1e-3, 0.0, 0.2, 1.0, 5.0, 30.0]
unit_interval = [1e-300, 1e-5, 0.1, 0.2, 0.5, 0.7, 0.9, 0.999]


def phi(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def quantile(p):
    return mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1)


UNARY = {
    "exp": (whole_line, mpmath.exp),
    "expm1": (whole_line, mpmath.expm1),
    "log": (half_line, mpmath.log),
    "log1p": (half_line, mpmath.log1p),
    "sigmoid": (whole_line, lambda x: 1 / (1 + mpmath.exp(-x))),
    "softplus": (whole_line, lambda x: mpmath.log1p(mpmath.exp(x))),
    "tanh": (whole_line, mpmath.tanh),
    "lgamma": (half_line, mpmath.loggamma),
    "digamma": (half_line, mpmath.digamma),
    "trigamma": (half_line, lambda x: mpmath.psi(1, x)),
    "ndtr": (whole_line, phi),
    "log_ndtr": (whole_line, lambda x: mpmath.log(phi(x))),
    "ndtri": (unit_interval, quantile),
    "ndtri_exp": (np.log(unit_interval), lambda x: quantile(mpmath.exp(x))),
}
TWICE = [name for name in UNARY if name not in ("digamma", "trigamma")]
BINARY = {
    "log_beta": lambda a, b: mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b),
    "xlogy": lambda x, y: x * mpmath.log(y),
}


def reference(definition, points, order=0):
    with mpmath.workdps(60):
        exact = [mpmath.mpf(float(x)) for x in points]
        # a step that stays inside (0, 1) and suits both 1e-3 and 40
        return np.array(
            [float(mpmath.diff(definition, x, order, h=abs(x) * mpmath.mpf(10) ** -15 or 1e-15)) for x in exact]
        )


@pytest.mark.parametrize("name", UNARY)
def test_values_are_those_of_the_definition(name):
    points, definition = UNARY[name]
    found = getattr(math, name)(np.array(points))
    with mpmath.workdps(400):
        exact = np.array([float(definition(mpmath.mpf(float(x)))) for x in points])
    np.testing.assert_allclose(found, exact, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("name", [name for name in UNARY if name not in ("trigamma", "ndtri", "ndtri_exp")])
def test_derivatives_are_those_of_the_definition(name):
    points, definition = UNARY[name]
    found = elementwise_grad(getattr(math, name))(np.array(points))
    np.testing.assert_allclose(found, reference(definition, points, 1), rtol=3e-15, atol=1e-15)


@pytest.mark.parametrize("name", ["ndtri", "ndtri_exp"])
def test_the_derivative_of_a_quantile_is_one_over_that_of_its_inverse(name):
    inverse = {"ndtri": math.ndtr, "ndtri_exp": math.log_ndtr}[name]
    points = np.array(UNARY[name][0])
    function = getattr(math, name)
    found = elementwise_grad(function)(points)
    np.testing.assert_allclose(found * elementwise_grad(inverse)(function(points)), 1.0, rtol=3e-13)


@pytest.mark.parametrize("name", [name for name in TWICE if name not in ("ndtri", "ndtri_exp")])
def test_second_derivatives_are_those_of_the_definition(name):
    points, definition = UNARY[name]
    found = elementwise_grad(elementwise_grad(getattr(math, name)))(np.array(points))
    np.testing.assert_allclose(found, reference(definition, points, 2), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["ndtri", "ndtri_exp"])
def test_second_derivatives_of_a_quantile_follow_from_those_of_its_inverse(name):
    inverse = {"ndtri": math.ndtr, "ndtri_exp": math.log_ndtr}[name]
    points = np.array(UNARY[name][0])[1:]
    x = getattr(math, name)(points)
    first, second = elementwise_grad(inverse)(x), elementwise_grad(elementwise_grad(inverse))(x)
    found = elementwise_grad(elementwise_grad(getattr(math, name)))(points)
    np.testing.assert_allclose(found, -second / first**3, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", TWICE)
def test_forward_derivatives_agree_with_backward_ones(name):
    function, x = getattr(math, name), -0.4 if name == "ndtri_exp" else 0.4
    assert make_jvp(function)(x)(1.0)[1] == grad(function)(x)


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_arguments_and_its_derivatives_are_those_of_the_definition(name):
    x, y = np.meshgrid(half_line, half_line)
    function, definition = getattr(math, name), BINARY[name]
    with mpmath.workdps(60):
        pairs = [(mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(x.flat, y.flat, strict=True)]
        values = np.array([float(definition(*pair)) for pair in pairs]).reshape(x.shape)
        slopes = [
            np.array([float(mpmath.diff(definition, pair, n)) for pair in pairs]).reshape(x.shape)
            for n in ((1, 0), (0, 1))
        ]
    np.testing.assert_allclose(function(x, y), values, rtol=1e-15, atol=1e-15)
    for argnum, slope in enumerate(slopes):
        np.testing.assert_allclose(elementwise_grad(function, argnum)(x, y), slope, rtol=2e-14, atol=2e-15)


@pytest.mark.parametrize("name", BINARY)
def test_derivatives_are_summed_over_what_was_broadcast(name):
    function = getattr(math, name)
    x, y = np.array([[0.5], [2.0]]), np.array([0.3, 1.0, 4.0])
    assert function(x, y).shape == (2, 3)
    in_x, in_y = (elementwise_grad(function, i)(*np.broadcast_arrays(x, y)) for i in (0, 1))
    total_in_x, total_in_y = grad(lambda *both: anp.sum(function(*both)), (0, 1))(x, y)
    np.testing.assert_allclose(total_in_x, in_x.sum(axis=1, keepdims=True), rtol=1e-15)
    np.testing.assert_allclose(total_in_y, in_y.sum(axis=0), rtol=1e-15)
    assert np.shape(grad(lambda a: anp.sum(function(a, y)))(2.0)) == ()


def test_zero_log_zero_is_zero_and_so_is_its_derivative_in_the_second_argument():
    assert math.xlogy(0.0, 0.0) == 0.0
    assert math.xlogy(0.0, np.inf) == 0.0
    assert np.isnan(math.xlogy(0.0, np.nan))
    assert np.isnan(math.xlogy(np.nan, 0.0))
    assert np.isnan(math.xlogy(0.0, -1.0))
    assert grad(math.xlogy, 1)(0.0, 0.0) == 0.0
    assert grad(math.xlogy, 1)(2.0, 4.0) == 0.5


def test_the_derivatives_stay_right_far_into_the_tails():
    x = np.array([-1e8, -40.0, 40.0])
    with mpmath.workdps(40):
        at_minus_40 = float(mpmath.npdf(40) / phi(mpmath.mpf(-40)))
    np.testing.assert_allclose(elementwise_grad(math.log_ndtr)(x)[:2], [1e8, at_minus_40], rtol=1e-15)
    np.testing.assert_allclose(elementwise_grad(elementwise_grad(math.log_ndtr))(x)[0], -1.0, rtol=1e-14)
    np.testing.assert_allclose(elementwise_grad(math.sigmoid)(x), np.exp([-1e8, -40.0, -40.0]), rtol=1e-15)
    np.testing.assert_allclose(elementwise_grad(math.expm1)(np.array([-50.0])), np.exp(-50.0), rtol=1e-15)


def test_a_derivative_that_is_missing_is_refused_in_a_sentence():
    with pytest.raises(NotImplementedError, match="trigamma has no derivative here"):
        grad(math.trigamma)(1.0)


@pytest.mark.parametrize("name", math.__all__)
def test_shape_and_precision_are_those_of_the_argument(name):
    function = getattr(math, name)
    count = len(inspect.signature(function).parameters)

    def of(x):
        return function(*[x] * count)

    block = np.linspace(0.1, 0.9, 24).reshape(2, 3, 4)
    block = -block if name == "ndtri_exp" else block
    expected = of(block.reshape(-1))
    assert expected.dtype == np.float64
    for view in (block, block[:, ::-1, ::2], block.T, np.asfortranarray(block)):
        np.testing.assert_array_equal(of(view), of(np.ascontiguousarray(view)))
        assert of(view).shape == view.shape
    assert of(block[:0]).shape == (0, 3, 4)
    single = block.astype(np.float32)
    assert of(single).dtype == np.float32
    np.testing.assert_array_equal(of(single), of(single.astype(np.float64)).astype(np.float32))
    assert of(np.float32(block[0, 0, 0])).dtype == np.float32
    assert isinstance(of(float(block[0, 0, 0])), np.float64)
    one = 0 if name == "ndtri_exp" else 1
    assert of(one) == of(float(one)) == of(np.bool_(one))
    readonly = block.copy()
    readonly.flags.writeable = False
    np.testing.assert_array_equal(of(readonly), of(block))
    assert of([0.5] if name != "ndtri_exp" else [-0.5]).shape == (1,)


@pytest.mark.parametrize("name", ["exp", "log_beta"])
@pytest.mark.parametrize("bad", [1j, "1", [None], np.array([1.0], dtype=object)])
def test_what_is_not_a_real_number_is_refused(name, bad):
    arguments = [bad] if name == "exp" else [bad, 1.0]
    with pytest.raises(TypeError, match=f"{name}: the argument must be real numbers; got dtype"):
        getattr(math, name)(*arguments)


def test_an_array_of_traced_values_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"build it with autograd\.numpy"):
        grad(lambda x: math.exp(np.array([x, x]))[0])(1.0)


def test_overflow_and_the_ends_of_the_domain_pass_without_a_warning():
    assert math.exp(np.float32(100)) == np.inf
    assert math.exp(1000.0) == np.inf
    assert math.log(0.0) == -np.inf
    assert np.isnan(math.log(-1.0))
    assert np.isnan(math.ndtri(1.5))


@pytest.mark.parametrize("name", math.__all__)
def test_compiled_code_gets_the_same_numbers(name):
    function = getattr(math, name)
    x = np.linspace(0.1, 0.9, 50) * (-1 if name == "ndtri_exp" else 1)

    if len(inspect.signature(function).parameters) == 1:

        @numba.njit
        def loop(x, out):
            for i in range(x.size):
                out[i] = function(x[i])

        expected = function(x)
    else:

        @numba.njit
        def loop(x, out):
            for i in range(x.size):
                out[i] = function(x[i], 2)

        expected = function(x, 2)
    out = np.empty_like(x)
    loop(x, out)
    np.testing.assert_allclose(out, expected, rtol=1e-15)


def test_the_unsafe_options_of_a_caller_do_not_reach_inside():
    @numba.njit(fastmath=True)
    def loop(x, out):
        for i in range(x.size):
            out[i] = math.exp(x[i]) * 1.0

    x = np.linspace(-700, 700, 1000)
    out = np.empty_like(x)
    loop(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=1e-15)


def test_an_array_in_compiled_code_is_refused_with_the_remedy():
    @numba.njit
    def wrong(x):
        return math.exp(x)

    with pytest.raises(TypingError, match=r"mcvi\.math\.exp takes numbers in compiled code.*in a loop"):
        wrong(np.ones(3))
