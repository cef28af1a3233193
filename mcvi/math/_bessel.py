"""Modified Bessel functions of orders 0 and 1, exponentially scaled."""

from typing import Any

from autograd import numpy as anp

from mcvi._autograd import value_of
from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import bessel
from mcvi.math._wiring import elementwise

__all__ = ["i0e", "i1e"]


def _fall(x: Any) -> Any:
    """Return the derivative of `i0e`."""
    return -anp.sign(value_of(x)) * _difference(abs(x))


def _slope_of_i1e(answer: Any, x: Any) -> Any:
    near = value_of(x) == 0.0
    return _difference(abs(x)) - anp.where(near, 0.5, answer / anp.where(near, 1.0, x))


_i0e = elementwise(bessel.i0e, "i0e", lambda answer, x: _fall(x))
_i1e = elementwise(bessel.i1e, "i1e", _slope_of_i1e)
_difference: Any = elementwise(bessel.i0e_less_i1e, "i0e", lambda answer, x: -2.0 * answer + _i1e(x) / x)


def i0e(x: Any, /) -> Any:
    r"""Return :math:`e^{-|x|} I_0(x)`, the scaled modified Bessel function of order 0.

    Notes
    -----
    Its relative error is below 4 ulp. Its derivative keeps its digits for large `x`, the second loses :math:`x` of them
    in units of :math:`\varepsilon`.

    References
    ----------
    DLMF 10.25.2 and 10.40.1, https://dlmf.nist.gov/10.25

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.i0e(1000.0):.12f}")
    0.012617240456
    """
    return _i0e(x)


def i1e(x: Any, /) -> Any:
    r"""Return :math:`e^{-|x|} I_1(x)`, the scaled modified Bessel function of order 1.

    ``i1e(x) / i0e(x)`` is the mean resultant length of a von Mises variable of concentration `x`.

    Notes
    -----
    Its relative error is below 4 ulp. The second derivative loses digits near 0, in units of :math:`\varepsilon / |x|`.

    References
    ----------
    DLMF 10.25.2 and 10.40.1, https://dlmf.nist.gov/10.25

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.i1e(1.0) / math.i0e(1.0):.12f}")
    0.446389965897
    """
    return _i1e(x)


maps.spell_unary(i0e, bessel.i0e)
maps.spell_unary(i1e, bessel.i1e)
