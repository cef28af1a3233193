"""The logarithm of the gamma function, its derivatives, and that of the beta function."""

from typing import Any

from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import special
from mcvi.math._wiring import elementwise, refused

__all__ = ["digamma", "lgamma", "log_beta", "trigamma"]

_lgamma = elementwise(special.lgamma, "lgamma", lambda answer, x: digamma(x))
_digamma = elementwise(special.digamma, "digamma", lambda answer, x: trigamma(x))
_trigamma = elementwise(
    special.trigamma, "trigamma", refused("trigamma has no derivative here; take one derivative less.")
)
_log_beta = elementwise(
    special.log_beta,
    "log_beta",
    lambda answer, a, b: digamma(a) - digamma(a + b),
    lambda answer, a, b: digamma(b) - digamma(a + b),
)


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


for _public in (lgamma, digamma, trigamma):
    maps.spell_unary(_public, getattr(special, _public.__name__))
maps.spell_binary(log_beta, special.log_beta)
