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
off_zero = [-30.0, -3.0, -0.7, -1e-3, 0.2, 1.0, 7.9, 8.1, 30.0, 1e3]
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
    "erf": (whole_line, mpmath.erf),
    "erfc": (whole_line, mpmath.erfc),
    "erfcx": ([-3.0, *whole_line[2:]], lambda x: mpmath.exp(x * x) * mpmath.erfc(x)),
    "erfinv": ([0.0, -0.3, 0.59, -0.61, 0.999], mpmath.erfinv),
    "erfcinv": (unit_interval, lambda x: mpmath.erfinv(1 - x)),
    "i0e": (off_zero, lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(0, x)),
    "i1e": (off_zero, lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(1, x)),
}
INVERSE = {
    "ndtri": math.ndtr,
    "ndtri_exp": math.log_ndtr,
    "erfinv": math.erf,
    "erfcinv": math.erfc,
}
TWICE = [name for name in UNARY if name not in ("digamma", "trigamma", "erfcx")]
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


@pytest.mark.parametrize("name", [name for name in UNARY if name not in ("trigamma", *INVERSE)])
def test_derivatives_are_those_of_the_definition(name):
    points, definition = UNARY[name]
    found = elementwise_grad(getattr(math, name))(np.array(points))
    np.testing.assert_allclose(found, reference(definition, points, 1), rtol=3e-15, atol=1e-15)


@pytest.mark.parametrize("name", INVERSE)
def test_the_derivative_of_a_quantile_is_one_over_that_of_its_inverse(name):
    inverse = INVERSE[name]
    points = np.array(UNARY[name][0])
    function = getattr(math, name)
    found = elementwise_grad(function)(points)
    np.testing.assert_allclose(found * elementwise_grad(inverse)(function(points)), 1.0, rtol=3e-13)


@pytest.mark.parametrize("name", [name for name in TWICE if name not in INVERSE])
def test_second_derivatives_are_those_of_the_definition(name):
    points, definition = UNARY[name]
    points = [x for x in points if name != "i1e" or abs(x) > 0.1]  # it loses digits near 0, as its docstring says
    found = elementwise_grad(elementwise_grad(getattr(math, name)))(np.array(points))
    np.testing.assert_allclose(found, reference(definition, points, 2), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", INVERSE)
def test_second_derivatives_of_a_quantile_follow_from_those_of_its_inverse(name):
    inverse = INVERSE[name]
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

    count = len(inspect.signature(function).parameters)
    if count == 1:

        @numba.njit
        def loop(x, out):
            for i in range(x.size):
                out[i] = function(x[i])

        expected = function(x)
    elif count == 2:

        @numba.njit
        def loop(x, out):
            for i in range(x.size):
                out[i] = function(x[i], 2)

        expected = function(x, 2)
    else:

        @numba.njit
        def loop(x, out):
            for i in range(x.size):
                out[i] = function(2, x[i], 0.3)

        expected = function(2, x, 0.3)
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


TAILS = {
    "gammainc": ((2.5,), 1.7, lambda a, x: mpmath.gammainc(a, 0, x, regularized=True)),
    "gammaincc": ((2.5,), 1.7, lambda a, x: mpmath.gammainc(a, x, regularized=True)),
    "betainc": ((2.5, 0.7), 0.3, lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True)),
    "betaincc": ((2.5, 0.7), 0.3, lambda a, b, x: mpmath.betainc(a, b, x, 1, regularized=True)),
}


@pytest.mark.parametrize("name", TAILS)
@pytest.mark.parametrize("log", [False, True])
def test_the_derivatives_of_a_tail_are_its_density_and_what_follows(name, log):
    shapes, at, definition = TAILS[name]
    function = getattr(math, f"log_{name}" if log else name)

    def exact(order):
        with mpmath.workdps(50):
            held = [mpmath.mpf(s) for s in shapes]

            def f(x):
                value = definition(*held, x)
                return mpmath.log(value) if log else value

            return float(mpmath.diff(f, mpmath.mpf(at), order))

    first = grad(function, len(shapes))
    np.testing.assert_allclose(first(*shapes, at), exact(1), rtol=1e-14)
    np.testing.assert_allclose(grad(first, len(shapes))(*shapes, at), exact(2), rtol=1e-13)
    np.testing.assert_allclose(make_jvp(lambda x: function(*shapes, x))(at)(1.0)[1], exact(1), rtol=1e-14)
    refusal = f"^{function.__name__} has no derivative in its shape a; only in x"
    with pytest.raises(NotImplementedError, match=refusal):
        grad(function)(*shapes, at)
    if log:
        with pytest.raises(NotImplementedError, match=refusal):
            grad(first)(*shapes, at)


@pytest.mark.parametrize("name", ["gammaincinv", "gammainccinv", "betaincinv", "betainccinv"])
def test_the_derivative_of_a_quantile_is_one_over_the_density(name):
    tail = getattr(math, name.removesuffix("inv"))
    shapes = (2.5,) if name.startswith("gamma") else (2.5, 0.7)
    function = getattr(math, name)
    x = function(*shapes, 0.2)
    slope = grad(tail, len(shapes))(*shapes, x)
    np.testing.assert_allclose(grad(function, len(shapes))(*shapes, 0.2), 1.0 / slope, rtol=1e-14)
    with pytest.raises(NotImplementedError, match=f"^{name} has no derivative in its shape a; only in [pq]"):
        grad(function)(*shapes, 0.2)


def test_the_derivative_of_a_tail_keeps_its_digits_where_tail_and_density_underflow():
    assert grad(math.gammainc, 1)(1e16, 1e16) == pytest.approx(3.989422804014327e-09, rel=1e-14)
    assert grad(math.log_gammaincc, 1)(2.0, 1000.0) == pytest.approx(-1000 / 1001, rel=1e-13)
    assert grad(math.log_betainc, 2)(104.0, 104.0, 1e-20) == pytest.approx(104e20, rel=1e-13)


@pytest.mark.parametrize("name", ["gammainc", "log_gammainc", "gammaincc", "log_gammaincc"])
def test_at_the_end_of_the_support_the_derivative_of_a_tail_is_zero(name):
    assert grad(getattr(math, name), 1)(0.5, 0.0) == 0.0
    assert grad(getattr(math, name.replace("gamma", "beta")), 2)(0.5, 0.5, 0.0) == 0.0
    assert grad(getattr(math, name.replace("gamma", "beta")), 2)(0.5, 0.5, 1.0) == 0.0


def test_the_derivatives_of_bessel_functions_keep_their_digits_far_out():
    with mpmath.workdps(40):
        for x in (1e-3, 5.0, 8.5, 1e6):
            i0, i1, scale = mpmath.besseli(0, x), mpmath.besseli(1, x), mpmath.exp(-x)
            np.testing.assert_allclose(grad(math.i0e)(x), float(scale * (i1 - i0)), rtol=4e-15)
            np.testing.assert_allclose(grad(math.i1e)(x), float(scale * (i0 - i1 / x - i1)), rtol=4e-15)
    assert grad(math.i0e)(0.0) == 0.0
    assert grad(math.i1e)(0.0) == 0.5


def test_erfcx_has_a_first_derivative_only():
    with mpmath.workdps(40):
        for x in (-2.0, 0.5, 1e8):
            exact = 2 * x * mpmath.exp(mpmath.mpf(x) ** 2) * mpmath.erfc(x) - 2 / mpmath.sqrt(mpmath.pi)
            np.testing.assert_allclose(grad(math.erfcx)(x), float(exact), rtol=4e-15)
    with pytest.raises(NotImplementedError, match="take one derivative less"):
        grad(grad(math.erfcx))(grad(math.log_ndtr)(0.1))


@pytest.mark.parametrize("x", [-1e300, -30.0, -26.6, -26.5, -26.0, -20.0, 0.999, 1.0, 1e300])
def test_the_derivative_of_erfcx_is_right_as_far_as_there_are_numbers(x):
    with mpmath.workdps(60):
        if x < -30.0 or x > 1e100:
            exact = -np.inf if x < 0.0 else 0.0
        else:
            held = mpmath.mpf(x)
            exact = float(2 * held * mpmath.exp(held**2) * mpmath.erfc(held) - 2 / mpmath.sqrt(mpmath.pi))
    np.testing.assert_allclose(grad(math.erfcx)(x), exact, rtol=4e-15)


@pytest.mark.parametrize("name", [name for name in UNARY if name != "trigamma"])
def test_the_derivative_at_a_number_is_a_number(name):
    assert isinstance(grad(getattr(math, name))(0.5), np.float64)


def test_the_incomplete_functions_of_a_shape_of_zero_are_those_of_a_point_mass():
    for x in (0.0, 1e-300, 0.5, 1.0):
        assert math.gammainc(0.0, x) == math.betainc(0.0, 2.0, x) == 1.0
        assert math.gammaincc(0.0, x) == math.betaincc(0.0, 2.0, x) == 0.0
        assert math.betainc(2.0, 0.0, x) == (x == 1.0)
        assert math.betaincc(2.0, 0.0, x) == (x < 1.0)
        assert math.log_betainc(2.0, 0.0, x) == (0.0 if x == 1.0 else -np.inf)
        assert np.isnan(math.betainc(0.0, 0.0, x))
    assert grad(math.betainc, 2)(0.0, 2.0, 0.5) == grad(math.betainc, 2)(2.0, 0.0, 0.5) == 0.0


@pytest.mark.parametrize(
    ("a", "x"), [(1.0, 1e-300), (0.5, 1e-300), (1.9, 1e-150), (1.0, 3e-30), (7.3, 3e-30), (20.0, 1e-14), (3.0, 9e-11)]
)
def test_the_lower_incomplete_gamma_function_of_a_small_number_is_its_leading_term(a, x):
    with mpmath.workdps(60):
        exact = mpmath.gammainc(a, 0, mpmath.mpf(x), regularized=True)
        assert abs(math.gammainc(a, x) - exact) <= (3e-16 if a <= 2.0 else 2e-15) * exact
