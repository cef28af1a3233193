"""The regularised incomplete gamma and beta functions, their logarithms and their inverses."""

from typing import Any

from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import incomplete_beta, incomplete_gamma
from mcvi.math._elementary import exp
from mcvi.math._wiring import elementwise, refused

__all__ = [
    "betainc",
    "betaincc",
    "betainccinv",
    "betaincinv",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "log_betainc",
    "log_betaincc",
    "log_gammainc",
    "log_gammaincc",
]


def _shapes_refused(name: str) -> list[Any]:
    """Return the refusals of the derivatives in the shapes of a function, one for each."""
    other = ("q" if name.endswith("ccinv") else "p") if name.endswith("inv") else "x"
    shapes = "a" if "gamma" in name else "ab"
    return [refused(f"{name} has no derivative in its shape {shape}; only in {other}.") for shape in shapes]


def _gamma_elasticity(answer: Any, a: Any, x: Any) -> Any:
    return (a - 1.0) / x - 1.0


def _beta_elasticity(answer: Any, a: Any, b: Any, x: Any) -> Any:
    return (a - 1.0) / x - (b - 1.0) / (1.0 - x)


_log_gamma_density = elementwise(
    incomplete_gamma.log_gamma_density, "gammainc", *_shapes_refused("gammainc"), _gamma_elasticity
)
_log_beta_density = elementwise(
    incomplete_beta.log_beta_density, "betainc", *_shapes_refused("betainc"), _beta_elasticity
)


def _over_tail(density: Any, name: str, elasticity: Any, sign: float) -> Any:
    """Return the density over a tail as a function of the shapes and x: the derivative of the tail's logarithm."""

    def derivative(answer: Any, *arguments: Any) -> Any:
        return answer * (elasticity(answer, *arguments) - sign * answer)

    return elementwise(density, name, *_shapes_refused(name), derivative)


_gamma_over_lower = _over_tail(incomplete_gamma.gamma_density_over_lower, "log_gammainc", _gamma_elasticity, 1.0)
_gamma_over_upper = _over_tail(incomplete_gamma.gamma_density_over_upper, "log_gammaincc", _gamma_elasticity, -1.0)
_beta_over_lower = _over_tail(incomplete_beta.beta_density_over_lower, "log_betainc", _beta_elasticity, 1.0)
_beta_over_upper = _over_tail(incomplete_beta.beta_density_over_upper, "log_betaincc", _beta_elasticity, -1.0)


def _gamma(name: str, derivative: Any) -> Any:
    return elementwise(getattr(incomplete_gamma, name), name, *_shapes_refused(name), derivative)


def _beta(name: str, derivative: Any) -> Any:
    return elementwise(getattr(incomplete_beta, name), name, *_shapes_refused(name), derivative)


_gammainc = _gamma("gammainc", lambda answer, a, x: exp(_log_gamma_density(a, x)))
_gammaincc = _gamma("gammaincc", lambda answer, a, x: -exp(_log_gamma_density(a, x)))
_log_gammainc = _gamma("log_gammainc", lambda answer, a, x: _gamma_over_lower(a, x))
_log_gammaincc = _gamma("log_gammaincc", lambda answer, a, x: -_gamma_over_upper(a, x))
_gammaincinv = _gamma("gammaincinv", lambda answer, a, p: exp(-_log_gamma_density(a, answer)))
_gammainccinv = _gamma("gammainccinv", lambda answer, a, q: -exp(-_log_gamma_density(a, answer)))
_betainc = _beta("betainc", lambda answer, a, b, x: exp(_log_beta_density(a, b, x)))
_betaincc = _beta("betaincc", lambda answer, a, b, x: -exp(_log_beta_density(a, b, x)))
_log_betainc = _beta("log_betainc", lambda answer, a, b, x: _beta_over_lower(a, b, x))
_log_betaincc = _beta("log_betaincc", lambda answer, a, b, x: -_beta_over_upper(a, b, x))
_betaincinv = _beta("betaincinv", lambda answer, a, b, p: exp(-_log_beta_density(a, b, answer)))
_betainccinv = _beta("betainccinv", lambda answer, a, b, q: -exp(-_log_beta_density(a, b, answer)))


def gammainc(a: Any, x: Any, /) -> Any:
    r"""Return the regularised lower incomplete gamma function, for `a` and `x` of at least 0.

    .. math:: P(a, x) = \frac1{\Gamma(a)} \int_0^x t^{a - 1} e^{-t} dt

    It is the distribution function of a gamma variable of shape `a`.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log f|)` for shapes from 1e-300 to 1e15. The
    derivative is taken in `x` only.

    References
    ----------
    DLMF 8.2.4 and 8.7.1, https://dlmf.nist.gov/8.2. Gil, Segura, Temme (2012), Efficient and accurate algorithms for
    the computation and inversion of the incomplete gamma function ratios, SIAM J. Sci. Comput. 34(6).

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.gammainc(1e10, 1e10 - 5e5):.12e}")
    2.865326545109e-07
    """
    return _gammainc(a, x)


def gammaincc(a: Any, x: Any, /) -> Any:
    r"""Return the regularised upper incomplete gamma function, :math:`Q(a, x) = 1 - P(a, x)`, without cancellation.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log f|)` for shapes from 1e-300 to 1e15. The
    derivative is taken in `x` only.

    References
    ----------
    DLMF 8.2.4 and 8.7.1, https://dlmf.nist.gov/8.2. Gil, Segura, Temme (2012), Efficient and accurate algorithms for
    the computation and inversion of the incomplete gamma function ratios, SIAM J. Sci. Comput. 34(6).

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.gammaincc(2.0, 100.0):.12e}")
    3.757276735781e-42
    """
    return _gammaincc(a, x)


def log_gammainc(a: Any, x: Any, /) -> Any:
    r"""Return the logarithm of `gammainc`, also where that underflows.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log |f||)`, for shapes from 1e-300 to 1e15,
    also where the probability underflows or is next to 1. The derivative is taken in `x` only.

    References
    ----------
    DLMF 8.2.4 and 8.7.1, https://dlmf.nist.gov/8.2. Gil, Segura, Temme (2012), Efficient and accurate algorithms for
    the computation and inversion of the incomplete gamma function ratios, SIAM J. Sci. Comput. 34(6).

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.log_gammainc(1000.0, 5.0):.9f}")
    -4307.685258557
    """
    return _log_gammainc(a, x)


def log_gammaincc(a: Any, x: Any, /) -> Any:
    r"""Return the logarithm of `gammaincc`, also where that underflows.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log |f||)`, for shapes from 1e-300 to 1e15,
    also where the probability underflows or is next to 1. The derivative is taken in `x` only.

    References
    ----------
    DLMF 8.2.4 and 8.7.1, https://dlmf.nist.gov/8.2. Gil, Segura, Temme (2012), Efficient and accurate algorithms for
    the computation and inversion of the incomplete gamma function ratios, SIAM J. Sci. Comput. 34(6).

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.log_gammaincc(2.0, 1000.0):.9f}")
    -993.091245221
    """
    return _log_gammaincc(a, x)


def gammaincinv(a: Any, p: Any, /) -> Any:
    r"""Return x with ``gammainc(a, x) = p``: the quantile of a gamma variable; nan for `p` outside [0, 1].

    Notes
    -----
    Newton's method for the logarithm of the smaller tail, which is concave in log(x). The relative error is a few
    ulp, and what an error of a few ulp in the probability makes of it. The derivative is taken in `p` only.

    References
    ----------
    DLMF 8.2.4 and 8.7.1, https://dlmf.nist.gov/8.2. Gil, Segura, Temme (2012), Efficient and accurate algorithms for
    the computation and inversion of the incomplete gamma function ratios, SIAM J. Sci. Comput. 34(6).

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.gammaincinv(3.0, 1e-200):.12e}")
    3.914867641169e-67
    """
    return _gammaincinv(a, p)


def gammainccinv(a: Any, q: Any, /) -> Any:
    r"""Return x with ``gammaincc(a, x) = q``: the quantile of the upper tail; nan for `q` outside [0, 1].

    Notes
    -----
    Newton's method for the logarithm of the smaller tail, which is concave in log(x). The relative error is a few
    ulp, and what an error of a few ulp in the probability makes of it. The derivative is taken in `q` only.

    References
    ----------
    DLMF 8.2.4 and 8.7.1, https://dlmf.nist.gov/8.2. Gil, Segura, Temme (2012), Efficient and accurate algorithms for
    the computation and inversion of the incomplete gamma function ratios, SIAM J. Sci. Comput. 34(6).

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.gammainccinv(3.0, 1e-200):.9f}")
    472.142669826
    """
    return _gammainccinv(a, q)


def betainc(a: Any, b: Any, x: Any, /) -> Any:
    r"""Return the regularised incomplete beta function, for `x` in [0, 1] and `a` and `b` of at least 0, not both 0.

    .. math:: I_x(a, b) = \frac1{B(a, b)} \int_0^x t^{a - 1} (1 - t)^{b - 1} dt

    It is the distribution function of a beta variable; with `a` of 0 that of the number 0, with `b` of 0 that of 1.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log f|)` for shapes from 1e-8 to 1e12. The
    derivative is taken in `x` only.

    References
    ----------
    DLMF 8.17.1 and 8.17.7, https://dlmf.nist.gov/8.17. Loader (2000), Fast and accurate computation of binomial
    probabilities.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.betainc(3.0, 100.0, 1e-60):.12e}")
    1.717000000000e-175
    """
    return _betainc(a, b, x)


def betaincc(a: Any, b: Any, x: Any, /) -> Any:
    r"""Return the complement of `betainc`, :math:`1 - I_x(a, b)`, without cancellation.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log f|)` for shapes from 1e-8 to 1e12. The
    derivative is taken in `x` only.

    References
    ----------
    DLMF 8.17.1 and 8.17.7, https://dlmf.nist.gov/8.17. Loader (2000), Fast and accurate computation of binomial
    probabilities.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.betaincc(2.0, 50.0, 0.9):.12e}")
    4.600000000000e-49
    """
    return _betaincc(a, b, x)


def log_betainc(a: Any, b: Any, x: Any, /) -> Any:
    r"""Return the logarithm of `betainc`, also where that underflows.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log |f||)`, for shapes from 1e-8 to 1e12,
    also where the probability underflows or is next to 1. The derivative is taken in `x` only.

    References
    ----------
    DLMF 8.17.1 and 8.17.7, https://dlmf.nist.gov/8.17. Loader (2000), Fast and accurate computation of binomial
    probabilities.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.log_betainc(104.0, 104.0, 1e-20):.9f}")
    -4648.791289363
    """
    return _log_betainc(a, b, x)


def log_betaincc(a: Any, b: Any, x: Any, /) -> Any:
    r"""Return the logarithm of `betaincc`, also where that underflows.

    Notes
    -----
    The relative error of a result f is below :math:`10^{-15} (8 + |\log |f||)`, for shapes from 1e-8 to 1e12,
    also where the probability underflows or is next to 1. The derivative is taken in `x` only.

    References
    ----------
    DLMF 8.17.1 and 8.17.7, https://dlmf.nist.gov/8.17. Loader (2000), Fast and accurate computation of binomial
    probabilities.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.log_betaincc(2.0, 500.0, 0.9):.9f}")
    -1145.181079158
    """
    return _log_betaincc(a, b, x)


def betaincinv(a: Any, b: Any, p: Any, /) -> Any:
    r"""Return x with ``betainc(a, b, x) = p``: the quantile of a beta variable; nan for `p` outside [0, 1].

    Notes
    -----
    Newton's method for the logarithm of the smaller tail, which is concave in log(x / (1 - x)). The relative error is
    a few ulp, and what an error of a few ulp in the probability makes of it. The derivative is taken in `p` only.

    References
    ----------
    DLMF 8.17.1 and 8.17.7, https://dlmf.nist.gov/8.17. Loader (2000), Fast and accurate computation of binomial
    probabilities.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.betaincinv(3.0, 100.0, 1e-200):.12e}")
    3.876233241425e-69
    """
    return _betaincinv(a, b, p)


def betainccinv(a: Any, b: Any, q: Any, /) -> Any:
    r"""Return x with ``betaincc(a, b, x) = q``: the quantile of the upper tail; nan for `q` outside [0, 1].

    Notes
    -----
    Newton's method for the logarithm of the smaller tail, which is concave in log(x / (1 - x)). The relative error is
    a few ulp, and what an error of a few ulp in the probability makes of it. The derivative is taken in `q` only.

    References
    ----------
    DLMF 8.17.1 and 8.17.7, https://dlmf.nist.gov/8.17. Loader (2000), Fast and accurate computation of binomial
    probabilities.

    Examples
    --------
    >>> from mcvi import math
    >>> print(f"{math.betainccinv(3.0, 100.0, 1e-20):.12f}")
    0.410489462026
    """
    return _betainccinv(a, b, q)


for _of_two in (gammainc, gammaincc, log_gammainc, log_gammaincc, gammaincinv, gammainccinv):
    maps.spell_binary(_of_two, getattr(incomplete_gamma, _of_two.__name__))
for _of_three in (betainc, betaincc, log_betainc, log_betaincc, betaincinv, betainccinv):
    maps.spell_ternary(_of_three, getattr(incomplete_beta, _of_three.__name__))
