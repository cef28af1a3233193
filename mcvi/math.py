r"""Functions of numbers, of arrays and of traced values, that vectorise in your own compiled code.

Each of them can be called

- from Python, on a number or an array: the shape stays, float32 gives float32, anything else float64;
- under ``autograd``: all have derivatives;
- inside a function compiled by ``numba.njit``, on numbers. A loop that calls ``numpy.exp`` or ``math.log`` there costs
  3 to 10 ns an element, because Numba has no vector mathematics; with these it vectorises, at about 1 ns.

Errors are below 1 ulp for `exp` and `log`, 1.5 ulp for `log1p` and `expm1`, and below
:math:`4 \varepsilon \max(1, |f|)`, :math:`\varepsilon = 2^{-52}`, for the others, over the whole range of a double.

Examples
--------
>>> import numba
>>> import numpy as np
>>> from mcvi import math
>>> @numba.njit
... def log_density(x, out):
...     for i in range(x.size):
...         out[i] = -math.log1p(x[i] * x[i])
>>> out = np.empty(3)
>>> log_density(np.array([0.0, 1.0, 2.0]), out)
>>> out
array([-0.        , -0.69314718, -1.60943791])
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import differentiable
from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import elementary, special

__all__ = [
    "digamma",
    "exp",
    "expm1",
    "lgamma",
    "log",
    "log1p",
    "log_beta",
    "log_ndtr",
    "ndtr",
    "ndtri",
    "ndtri_exp",
    "sigmoid",
    "softplus",
    "tanh",
    "trigamma",
    "xlogy",
]

_SQRT_2PI = 2.5066282746310002

# A kernel is made when a function is first called, so that the import stays light.
_unary_kernel = cache(maps.unary)
_binary_kernel = cache(maps.binary)


def _operand(x: Any, name: str) -> Any:
    array = np.asarray(x)
    if array.dtype == np.float64 or array.dtype == np.float32:
        return array
    if array.dtype.kind not in "fiub":
        remedy = " If it was made from traced values, build it with autograd.numpy." if array.dtype == object else ""
        raise TypeError(f"{name}: the argument must be real numbers; got dtype {array.dtype}.{remedy}")
    return array.astype(np.float64)


def _unary(scalar: Any, derivative: Callable[[Any, Any], Any], name: str) -> Any:
    """Return `scalar` as an elementwise function with the derivative ``derivative(answer, x)``."""

    @differentiable(derivative)
    def apply(x: Any) -> Any:
        x = _operand(x, name)
        out = np.empty(x.shape, x.dtype)
        _unary_kernel(scalar)(np.ascontiguousarray(x).reshape(-1), out.reshape(-1))
        return out[()]

    return apply


def _binary(scalar: Any, derivatives: tuple[Callable[..., Any], Callable[..., Any]], name: str) -> Any:
    """Return `scalar` as an elementwise function of two arguments that broadcast."""

    @differentiable(*derivatives)
    def apply(x: Any, y: Any) -> Any:
        x, y = np.broadcast_arrays(_operand(x, name), _operand(y, name))
        dtype = np.result_type(x, y)
        out = np.empty(x.shape, dtype)
        flat = (np.ascontiguousarray(a, dtype).reshape(-1) for a in (x, y))
        _binary_kernel(scalar)(*flat, out.reshape(-1))
        return out[()]

    return apply


def _refused(name: str) -> Callable[[Any, Any], Any]:
    def derivative(answer: Any, x: Any) -> Any:
        raise NotImplementedError(f"{name} has no derivative here; take one derivative less.")

    return derivative


_exp = _unary(elementary.exp, lambda answer, x: answer, "exp")
_expm1 = _unary(elementary.expm1, lambda answer, x: exp(x), "expm1")
_log = _unary(elementary.log, lambda answer, x: 1.0 / x, "log")
_log1p = _unary(elementary.log1p, lambda answer, x: 1.0 / (1.0 + x), "log1p")
# Not answer (1 - answer), which is 0 long before its time.
_sigmoid = _unary(elementary.sigmoid, lambda answer, x: answer * sigmoid(-x), "sigmoid")
_softplus = _unary(elementary.softplus, lambda answer, x: sigmoid(x), "softplus")
_tanh = _unary(elementary.tanh, lambda answer, x: 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x), "tanh")
_lgamma = _unary(special.lgamma, lambda answer, x: digamma(x), "lgamma")
_digamma = _unary(special.digamma, lambda answer, x: trigamma(x), "digamma")
_trigamma = _unary(special.trigamma, _refused("trigamma"), "trigamma")
_ndtr = _unary(special.ndtr, lambda answer, x: exp(-0.5 * x * x) / _SQRT_2PI, "ndtr")
_log_ndtr = _unary(special.log_ndtr, lambda answer, x: _log_ndtr_derivative(x), "log_ndtr")
_log_ndtr_derivative: Any = _unary(special.log_ndtr_derivative, lambda answer, x: _log_ndtr_second(x), "log_ndtr")
_log_ndtr_second: Any = _unary(
    special.log_ndtr_second_derivative, _refused("the second derivative of log_ndtr"), "log_ndtr"
)
_ndtri = _unary(special.ndtri, lambda answer, p: _SQRT_2PI * exp(0.5 * answer * answer), "ndtri")
_ndtri_exp = _unary(special.ndtri_exp, lambda answer, log_p: 1.0 / _log_ndtr_derivative(answer), "ndtri_exp")
_log_beta = _binary(
    special.log_beta,
    (lambda answer, a, b: digamma(a) - digamma(a + b), lambda answer, a, b: digamma(b) - digamma(a + b)),
    "log_beta",
)
# 0/0 counts as 0: along x = 0 the function is constant.
_xlogy = _binary(
    elementary.xlogy,
    (lambda answer, x, y: log(y), lambda answer, x, y: x / anp.where(x == 0.0, 1.0, y)),
    "xlogy",
)


def exp(x: Any, /) -> Any:
    """Return :math:`e^x`.

    Examples
    --------
    >>> from mcvi import math
    >>> math.exp([0.0, 1.0])
    array([1.        , 2.71828183])
    """
    return _exp(x)


def expm1(x: Any, /) -> Any:
    """Return :math:`e^x - 1`, without cancellation near 0.

    Examples
    --------
    >>> from mcvi import math
    >>> float(math.expm1(1e-20))
    1e-20
    """
    return _expm1(x)


def log(x: Any, /) -> Any:
    r"""Return the natural logarithm; :math:`-\infty` at 0, nan below, without a warning.

    Examples
    --------
    >>> from mcvi import math
    >>> math.log([0.0, 1.0])
    array([-inf,   0.])
    """
    return _log(x)


def log1p(x: Any, /) -> Any:
    r"""Return :math:`\log(1 + x)`, without cancellation near 0.

    Examples
    --------
    >>> from mcvi import math
    >>> float(math.log1p(1e-20))
    1e-20
    """
    return _log1p(x)


def sigmoid(x: Any, /) -> Any:
    """Return :math:`1 / (1 + e^{-x})`: the probability with log odds `x`.

    Examples
    --------
    >>> from mcvi import math
    >>> float(math.sigmoid(0.0))
    0.5
    """
    return _sigmoid(x)


def softplus(x: Any, /) -> Any:
    r"""Return :math:`\log(1 + e^x)`; ``-softplus(-x)`` is the logarithm of ``sigmoid(x)``.

    Examples
    --------
    >>> from mcvi import math
    >>> float(math.softplus(1000.0))
    1000.0
    """
    return _softplus(x)


def tanh(x: Any, /) -> Any:
    """Return the hyperbolic tangent.

    Examples
    --------
    >>> from mcvi import math
    >>> float(math.tanh(-1e-20))
    -1e-20
    """
    return _tanh(x)


def lgamma(x: Any, /) -> Any:
    r"""Return :math:`\log \Gamma(x)` for :math:`x \ge 0`; nan below. Accurate relatively at its zeros, 1 and 2.

    Examples
    --------
    >>> from mcvi import math
    >>> float(math.lgamma(1.0))
    0.0
    """
    return _lgamma(x)


def digamma(x: Any, /) -> Any:
    r"""Return :math:`\psi(x) = (\log \Gamma)'(x)` for :math:`x \ge 0`; nan below.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.digamma(1.0):.12f}")
    -0.577215664902
    """
    return _digamma(x)


def trigamma(x: Any, /) -> Any:
    r"""Return :math:`\psi'(x)` for :math:`x \ge 0`; nan below.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.trigamma(1.0):.12f}")
    1.644934066848
    """
    return _trigamma(x)


def log_beta(a: Any, b: Any, /) -> Any:
    r"""Return :math:`\log \Gamma(a)\Gamma(b)/\Gamma(a + b)` for positive `a`, `b`, which broadcast.

    Its parts, each perhaps 1e11, are never formed.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.log_beta(2.0, 1e10):.12f}")
    -46.051701859981
    """
    return _log_beta(a, b)


def ndtr(x: Any, /) -> Any:
    r"""Return the standard normal distribution function, :math:`\Phi(x)`; accurate relatively in the left tail.

    Examples
    --------
    >>> from mcvi import math
    >>> float(math.ndtr(0.0))
    0.5
    """
    return _ndtr(x)


def log_ndtr(x: Any, /) -> Any:
    r"""Return :math:`\log \Phi(x)`, accurate relatively in both tails.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.log_ndtr(-1e8):.6e} {math.log_ndtr(10.0):.6e}")
    -5.000000e+15 -7.619853e-24
    """
    return _log_ndtr(x)


def ndtri(p: Any, /) -> Any:
    r"""Return the standard normal quantile, :math:`\Phi^{-1}(p)`; :math:`\mp\infty` at 0 and 1, nan outside.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.ndtri(0.975):.12f}")
    1.959963984540
    """
    return _ndtri(p)


def ndtri_exp(log_p: Any, /) -> Any:
    r"""Return :math:`\Phi^{-1}(e^{\ell})` for :math:`\ell \le 0`: the inverse of `log_ndtr`.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.ndtri_exp(-1e6):.9f}")
    -1414.207782991
    """
    return _ndtri_exp(log_p)


def xlogy(x: Any, y: Any, /) -> Any:
    r"""Return :math:`x \log y`, with :math:`0 \log 0 = 0`; the two broadcast.

    Examples
    --------
    >>> from mcvi import math
    >>> math.xlogy([0.0, 2.0], [0.0, 1.0])
    array([0., 0.])
    """
    return _xlogy(x, y)


for _public, _scalar in (
    (exp, elementary.exp),
    (expm1, elementary.expm1),
    (log, elementary.log),
    (log1p, elementary.log1p),
    (sigmoid, elementary.sigmoid),
    (softplus, elementary.softplus),
    (tanh, elementary.tanh),
    (lgamma, special.lgamma),
    (digamma, special.digamma),
    (trigamma, special.trigamma),
    (ndtr, special.ndtr),
    (log_ndtr, special.log_ndtr),
    (ndtri, special.ndtri),
    (ndtri_exp, special.ndtri_exp),
):
    maps.spell_unary(_public, _scalar)
maps.spell_binary(log_beta, special.log_beta)
maps.spell_binary(xlogy, elementary.xlogy)
