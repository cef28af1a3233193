"""The incomplete gamma and beta functions as autograd primitives: differentiable in the value, not in the shapes."""

from typing import Any

import numpy as np
import scipy
from autograd import numpy as anp
from autograd.extend import defvjp, primitive

from mcvi._autograd import unbroadcast, value_of

__all__ = [
    "beta_quantile",
    "gamma_quantile",
    "lower_beta",
    "lower_gamma",
    "student_t_cdf",
    "student_t_quantile",
    "upper_beta",
    "upper_gamma",
]


def _loaded_when_called(name: str) -> Any:
    """Return a function of `scipy.special`, which takes a tenth of a second to load."""

    def function(*arguments: Any) -> Any:
        return getattr(scipy.special, name)(*arguments)

    function.__name__ = name
    return function


lower_gamma = primitive(_loaded_when_called("gammainc"))
upper_gamma = primitive(_loaded_when_called("gammaincc"))
lower_beta = primitive(_loaded_when_called("betainc"))
upper_beta = primitive(_loaded_when_called("betaincc"))
student_t_cdf = primitive(_loaded_when_called("stdtr"))


def gamma_quantile(shape: Any, probability: Any) -> Any:
    """Return the quantile of a gamma variable; `scipy.special.gammaincinv` takes -0.1 for 0 if the shape is small."""
    inside = scipy.special.gammaincinv(shape, probability)
    return np.where((probability >= 0.0) & (probability <= 1.0), inside, np.nan)


beta_quantile = _loaded_when_called("betaincinv")


def student_t_quantile(df: Any, probability: Any) -> Any:
    """Return the quantile of Student's t; `scipy.special.stdtrit` takes 0 for 1, and in some releases 1 for nan."""
    inside = scipy.special.stdtrit(df, probability)
    return np.where(probability == 0.0, -np.inf, np.where(probability == 1.0, np.inf, inside))


def _refuse(*_: Any) -> Any:
    raise NotImplementedError(
        "the derivative of a cdf in the shape parameters has no closed form; differentiate it in the value only."
    )


def _in_value(density: Any, sign: float) -> Any:
    def vjp(ans: Any, *arguments: Any) -> Any:
        shape = anp.shape(value_of(arguments[-1]))
        return lambda g: unbroadcast(sign * g * density(*arguments), shape)

    return vjp


def _gamma_density(a: Any, x: Any) -> Any:
    return anp.exp(scipy.special.xlogy(a - 1.0, x) - x - scipy.special.gammaln(a))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    return anp.exp(scipy.special.xlogy(a - 1.0, x) + scipy.special.xlog1py(b - 1.0, -x) - scipy.special.betaln(a, b))


def _student_t_density(df: Any, t: Any) -> Any:
    log_peak = -0.5 * anp.log(df) - scipy.special.betaln(0.5 * df, 0.5)
    return anp.exp(log_peak - 0.5 * (df + 1.0) * anp.log1p(t * t / df))


defvjp(lower_gamma, _refuse, _in_value(_gamma_density, 1.0))
defvjp(upper_gamma, _refuse, _in_value(_gamma_density, -1.0))
defvjp(lower_beta, _refuse, _refuse, _in_value(_beta_density, 1.0))
defvjp(upper_beta, _refuse, _refuse, _in_value(_beta_density, -1.0))
defvjp(student_t_cdf, _refuse, _in_value(_student_t_density, 1.0))
