"""Student's t distribution."""

import math as libm
from dataclasses import dataclass
from math import log, pi
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi._kernels.compiler import maps
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import bregman, elementary, special, student_t
from mcvi._typing import Parameter
from mcvi.distributions._base.constraints import positive, real
from mcvi.distributions._base.page import page
from mcvi.distributions._base.samplers import from_uniform_pair
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions._functions.gamma_terms import digamma_half_difference, lgamma_half_difference

__all__ = ["StudentT"]

_LOG_PI = log(pi)
_LARGEST = 1.7976931348623157e308


class _Constants(NamedTuple):
    df: float
    loc: float
    precision: float
    root_precision: float
    log_peak: float
    log_shrink: float
    in_df: float


def _prepare(df: float, loc: float, scale: float) -> _Constants:
    half = 0.5 * df
    log_peak = special.lgamma_half_difference(half) - 0.5 * (elementary.log(df) + _LOG_PI) - elementary.log(scale)
    in_df = bregman.digamma_half_excess(half)
    log_shrink = -elementary.log(scale) - 0.5 * elementary.log(df)
    return _Constants(df, loc, 1.0 / scale, 1.0 / libm.sqrt(df), log_peak, log_shrink, in_df)


@scalar
def _log1p_square(distance: float, shrink: float, log_shrink: float) -> Any:
    """Return ``log(1 + w**2)`` for ``w = distance * shrink``, also where w or its square overflows."""
    w = distance * shrink
    large = abs(w) > 1e8
    square = w * w
    rounded = 1.0 + square
    log = elementary.log(abs(distance) if large else rounded)
    return 2.0 * (log + log_shrink) if large else log + (square - (rounded - 1.0)) / rounded


def _log_density(x: float, c: _Constants) -> Any:
    return c.log_peak - 0.5 * (c.df + 1.0) * _log1p_square(x - c.loc, c.precision * c.root_precision, c.log_shrink)


def _score(x: float, c: _Constants) -> Any:
    df = c.df
    t = (x - c.loc) * c.precision
    w = t * c.root_precision
    share = 1.0 / (1.0 + 1.0 / (w * w))  # w**2 / (1 + w**2)
    slope = c.precision * (df + 1.0) * c.root_precision / (w + 1.0 / w)
    excess = df * share - 1.0 / (1.0 + w * w)
    # For many degrees of freedom the score in df is of the order of 1/df**2: here every term is.
    log1p_square = _log1p_square(x - c.loc, c.precision * c.root_precision, c.log_shrink)
    curved = special.relative_deviance(-share, -log1p_square)
    return -slope, 0.5 * (c.in_df - curved + share / df), slope, c.precision * excess


@scalar
def _information_in_df(df: float) -> Any:
    """Return the Fisher information of df: about ``7 / (2 df**4)`` for large df."""
    half, product = 0.5 * df, (df + 1.0) * (df + 3.0)
    few = 0.25 * bregman.trigamma_half_excess(half) + 0.5 * (3.0 - df) / product / df / df
    many = 0.5 * (7.0 + 3.0 / df) / product / df / df - 0.25 * bregman.trigamma_half_remainder(half)
    return many if half >= 16.0 else few


_informations_in_df = maps.unary(_information_in_df)


def _cdf(x: float, c: _Constants) -> Any:
    distance = abs(x - c.loc)
    log_t = elementary.log(distance) + c.log_shrink + 0.5 * elementary.log(c.df)
    beyond = student_t.student_t_tail(c.df, distance * c.precision, log_t)
    return (beyond, 1.0 - beyond) if x < c.loc else (1.0 - beyond, beyond)


def _log_cdf(x: float, c: _Constants) -> Any:
    distance = abs(x - c.loc)
    log_t = elementary.log(distance) + c.log_shrink + 0.5 * elementary.log(c.df)
    beyond = student_t.log_student_t_tail(c.df, distance * c.precision, log_t)
    rest = elementary.log1p(-elementary.exp(beyond))
    return (beyond, rest) if x < c.loc else (rest, beyond)


def _quantile(p: float, q: float, df: float, loc: float, scale: float) -> Any:
    t = student_t.student_t_quantile(df, p if p < 0.5 else q)
    return loc - scale * t if p < 0.5 else loc + scale * t


def _velocity(x: float, c: _Constants) -> Any:
    return np.nan, 1.0, (x - c.loc) * c.precision


def _draw(u: float, v: float, df: float, loc: float, scale: float) -> Any:
    # Bailey, Math. Comp. 62 (1994) 779, with u**(-2/df) - 1 as exp(y) (1 - exp(-y)): no square overflows.
    y = -2.0 * elementary.log_positive(u) / df
    _, cosine = elementary.sincos2pi(v)
    radius = elementary.exp(0.5 * y) * libm.sqrt(-df * elementary.expm1(-y))
    x = loc + scale * (radius * cosine)
    x = _LARGEST if x > _LARGEST else x
    return -_LARGEST if x < -_LARGEST else x


@dataclass(frozen=True, eq=False, repr=False)
class StudentT(Univariate):
    r"""Student's t, :math:`p(x) = \frac{\Gamma((\nu+1)/2)}{\Gamma(\nu/2)\sqrt{\nu\pi}\,s} (1 + t^2/\nu)^{-(\nu+1)/2}`.

    Here :math:`t = (x-\mu)/s`. With :math:`w = t^2/(\nu+t^2)` the score is
    :math:`\frac12[\psi(\frac{\nu+1}2) - \psi(\frac\nu2) - \frac1\nu - \log(1+t^2/\nu) + \frac{\nu+1}\nu w]` in `df`,
    :math:`(\nu+1) w / (t s)` in `loc` and :math:`((\nu+1) w - 1)/s` in `scale`. The mean is nan for :math:`\nu \le 1`;
    the variance infinite for :math:`1 < \nu \le 2` and nan below. The constant comes from a series of the difference of
    the log gamma functions, so the log density keeps its digits at any `df`.

    Draws are :math:`\sqrt{\nu(u^{-2/\nu} - 1)}\cos 2\pi v` (Bailey 1994, doi:10.1090/S0025-5718-1994-1219709-8), held
    at the largest number. By default they carry no derivative: the score function is used.

    Parameters
    ----------
    df : array_like
        Degrees of freedom :math:`\nu`; positive and finite.
    loc : array_like
        The median and mode :math:`\mu`; finite.
    scale : array_like
        The scale :math:`s`, not the standard deviation; positive and finite.

    Examples
    --------
    >>> from mcvi.distributions import StudentT
    >>> q = StudentT(df=[1.5, 5.0], loc=0.0, scale=1.0)
    >>> q.variance()
    array([       inf, 1.66666667])
    >>> q.log_prob(1e200)
    array([-1151.8623654 , -2759.24241744])
    """

    df: Parameter
    loc: Parameter
    scale: Parameter

    _page = page(
        parameters={"df": positive, "loc": real, "scale": positive},
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        draw=from_uniform_pair(_draw),
        cdf=_cdf,
        log_cdf=_log_cdf,
        quantile=_quantile,
        velocity=_velocity,
    )

    def _mean(self) -> Any:
        return anp.where(self.df > 1.0, self.loc, np.nan)

    def _mode(self) -> Any:
        return self.loc

    def _variance(self) -> Any:
        finite = self.df > 2.0
        stretch = self.df / anp.where(finite, self.df - 2.0, 1.0)
        undefined = anp.where(self.df > 1.0, np.inf, np.nan)
        return anp.where(finite, stretch, undefined) * self.scale**2

    def _entropy(self) -> Any:
        half = 0.5 * self.df
        shape = (half + 0.5) * digamma_half_difference(half) - lgamma_half_difference(half)
        return shape + 0.5 * (anp.log(self.df) + _LOG_PI) + anp.log(self.scale)

    def _fisher(self) -> Any:
        df, scale = (np.asarray(self.untraced.df, float), np.asarray(self.untraced.scale, float))
        df, scale = np.broadcast_arrays(df, np.broadcast_to(scale, self.batch_shape))
        in_df = np.empty(df.shape)
        _informations_in_df(np.ascontiguousarray(df).reshape(-1), in_df.reshape(-1))
        cross = -2.0 / (scale * (df + 1.0) * (df + 3.0))
        zero = np.zeros_like(df)
        rows = [
            [in_df, zero, cross],
            [zero, (df + 1.0) / (df + 3.0) / scale**2, zero],
            [cross, zero, 2.0 * df / (df + 3.0) / scale**2],
        ]
        return np.moveaxis(np.array(rows), (0, 1), (-2, -1))
