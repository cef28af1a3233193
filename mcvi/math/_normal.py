"""The normal distribution function, its logarithm and its quantile, and the same in the units of the error function."""

from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of
from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import erf as errors
from mcvi._kernels.functions import special
from mcvi.math._elementary import exp
from mcvi.math._wiring import elementwise, refused

__all__ = ["erf", "erfc", "erfcinv", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri", "ndtri_exp"]

_SQRT_2PI = 2.5066282746310002
_SQRT_2 = 1.4142135623730951
_SQRT_PI = 1.772453850905516
_2_OVER_SQRT_PI = 1.1283791670955126

_ndtr = elementwise(special.ndtr, "ndtr", lambda answer, x: exp(-0.5 * x * x) / _SQRT_2PI)
_log_ndtr = elementwise(special.log_ndtr, "log_ndtr", lambda answer, x: _log_ndtr_derivative(x))
_log_ndtr_derivative: Any = elementwise(special.log_ndtr_derivative, "log_ndtr", lambda answer, x: _log_ndtr_second(x))
_log_ndtr_second: Any = elementwise(
    special.log_ndtr_second_derivative,
    "log_ndtr",
    refused("the second derivative of log_ndtr has no derivative here; take one derivative less."),
)
_ndtri = elementwise(special.ndtri, "ndtri", lambda answer, p: _SQRT_2PI * exp(0.5 * answer * answer))
_ndtri_exp = elementwise(special.ndtri_exp, "ndtri_exp", lambda answer, log_p: 1.0 / _log_ndtr_derivative(answer))
_erf = elementwise(errors.erf, "erf", lambda answer, x: _2_OVER_SQRT_PI * exp(-x * x))
_erfc = elementwise(errors.erfc, "erfc", lambda answer, x: -_2_OVER_SQRT_PI * exp(-x * x))


def _slope_of_erfcx(answer: Any, x: Any) -> Any:
    # The first form cancels for large x; the second is the curvature of the logarithm of the normal tail. Each is taken
    # at a harmless point where the other holds. Below -26.5 the derivative is beyond the range: -inf.
    near = value_of(x) < 1.0
    far_x, far_answer = anp.where(near, 1.0, x), anp.where(near, 0.0, answer)
    far = _SQRT_PI * far_answer * far_answer * _log_ndtr_second(-_SQRT_2 * far_x)
    with np.errstate(over="ignore"):
        return anp.where(near, 2.0 * anp.where(near, x, 0.0) * answer - _2_OVER_SQRT_PI, far)


_erfcx = elementwise(errors.erfcx, "erfcx", _slope_of_erfcx)
_erfinv = elementwise(errors.erfinv, "erfinv", lambda answer, y: exp(answer * answer) / _2_OVER_SQRT_PI)
_erfcinv = elementwise(errors.erfcinv, "erfcinv", lambda answer, y: -exp(answer * answer) / _2_OVER_SQRT_PI)


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


def erf(x: Any, /) -> Any:
    r"""Return the error function, :math:`\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt`.

    Notes
    -----
    Its relative error is below 1 ulp.

    References
    ----------
    DLMF 7.2.1, https://dlmf.nist.gov/7.2

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.erf(1.0):.12f}")
    0.842700792950
    """
    return _erf(x)


def erfc(x: Any, /) -> Any:
    r"""Return the complementary error function, :math:`1 - \operatorname{erf}(x)`, without cancellation for large `x`.

    Notes
    -----
    Its relative error is below 3 ulp, down to subnormal results.

    References
    ----------
    DLMF 7.2.2, https://dlmf.nist.gov/7.2

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.erfc(10.0):.12e}")
    2.088487583763e-45
    """
    return _erfc(x)


def erfcx(x: Any, /) -> Any:
    r"""Return the scaled complementary error function, :math:`e^{x^2} \operatorname{erfc}(x)`.

    It is about :math:`1 / (\sqrt\pi x)` for large `x`, where both factors leave the range of a double, and infinite
    below -26.6. It has first derivatives only.

    Notes
    -----
    Its relative error is below 3 ulp.

    References
    ----------
    DLMF 7.2.3 and 7.12.1, https://dlmf.nist.gov/7.12

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.erfcx(1e10):.12e}")
    5.641895835478e-11
    """
    return _erfcx(x)


def erfinv(y: Any, /) -> Any:
    r"""Return the inverse of `erf`; :math:`\pm\infty` at :math:`\pm 1`, nan outside.

    Notes
    -----
    The relative error is below 2 ulp. Next to 1 use `erfcinv`, whose argument keeps its digits.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.erfinv(0.5):.12f}")
    0.476936276204
    """
    return _erfinv(y)


def erfcinv(y: Any, /) -> Any:
    r"""Return the inverse of `erfc`; :math:`\infty` at 0, :math:`-\infty` at 2, nan outside.

    Notes
    -----
    The relative error is below 2 ulp, down to the smallest `y`; near 1, where the result is 0, it is that of 1 - y.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.erfcinv(1e-300):.12f}")
    26.209469960516
    """
    return _erfcinv(y)


for _public in (ndtr, log_ndtr, ndtri, ndtri_exp):
    maps.spell_unary(_public, getattr(special, _public.__name__))
for _public in (erf, erfc, erfcx, erfinv, erfcinv):
    maps.spell_unary(_public, getattr(errors, _public.__name__))
