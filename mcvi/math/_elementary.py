"""Exponentials and logarithms."""

from typing import Any

from autograd import numpy as anp

from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import elementary
from mcvi.math._wiring import elementwise

__all__ = ["exp", "expm1", "log", "log1p", "sigmoid", "softplus", "tanh", "xlogy"]

_exp = elementwise(elementary.exp, "exp", lambda answer, x: answer)
_expm1 = elementwise(elementary.expm1, "expm1", lambda answer, x: exp(x))
_log = elementwise(elementary.log, "log", lambda answer, x: 1.0 / x)
_log1p = elementwise(elementary.log1p, "log1p", lambda answer, x: 1.0 / (1.0 + x))
# Not answer (1 - answer), which is 0 long before its time.
_sigmoid = elementwise(elementary.sigmoid, "sigmoid", lambda answer, x: answer * sigmoid(-x))
_softplus = elementwise(elementary.softplus, "softplus", lambda answer, x: sigmoid(x))
_tanh = elementwise(elementary.tanh, "tanh", lambda answer, x: 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x))
# 0/0 counts as 0: along x = 0 the function is constant.
_xlogy = elementwise(
    elementary.xlogy, "xlogy", lambda answer, x, y: log(y), lambda answer, x, y: x / anp.where(x == 0.0, 1.0, y)
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


def xlogy(x: Any, y: Any, /) -> Any:
    r"""Return :math:`x \log y`, with :math:`0 \log 0 = 0`; the two broadcast.

    Examples
    --------
    >>> from mcvi import math
    >>> math.xlogy([0.0, 2.0], [0.0, 1.0])
    array([0., 0.])
    """
    return _xlogy(x, y)


for _public in (exp, expm1, log, log1p, sigmoid, softplus, tanh):
    maps.spell_unary(_public, getattr(elementary, _public.__name__))
maps.spell_binary(xlogy, elementary.xlogy)
