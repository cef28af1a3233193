"""The tails and the quantile of Student's t, from those of the beta variable ``df / (df + t**2)``."""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import exp, log, log1p
from mcvi._kernels.functions.incomplete_beta import beta_quantile_odds, beta_tails
from mcvi._kernels.functions.incomplete_gamma import log_of_tail, tail

__all__ = ["log_student_t_tail", "student_t_quantile", "student_t_tail"]

_LOG_2 = 0.6931471805599453


@scalar(inline=False)
def _tails(df: float, t: float, log_t: float) -> Any:
    """Return what `beta_tails` does for a positive t, which may leave the range of a double; log_t may not."""
    square = t * t / df
    if square > 1e-280 and square < 1e280:
        x, y = 1.0 / (1.0 + square), square / (1.0 + square)
        log_x = -log1p(square)
        log_y = log(square) + log_x if square < 1.0 else -log1p(1.0 / square)
    else:
        log_square = 2.0 * log_t - log(df)
        small = exp(-abs(log_square))
        x, y = (small, 1.0) if log_square > 0.0 else (1.0, small)
        log_x, log_y = (-log_square, -small) if log_square > 0.0 else (-small, log_square)
    return beta_tails(0.5 * df, 0.5, x, y, log_x, log_y)


@scalar
def student_t_tail(df: float, t: float, log_t: float) -> Any:
    """Return the probability beyond a positive t, whose logarithm is log_t."""
    return 0.5 * tail(_tails(df, t, log_t), True)


@scalar
def log_student_t_tail(df: float, t: float, log_t: float) -> Any:
    """Return the logarithm of the probability beyond a positive t, whose logarithm is log_t."""
    return log_of_tail(_tails(df, t, log_t), True) - _LOG_2


@scalar
def student_t_quantile(df: float, p: float) -> Any:
    """Return the positive t beyond which lies the probability p of at most 1/2."""
    odds, log_odds = beta_quantile_odds(0.5 * df, 0.5, log(p) + _LOG_2, log1p(-2.0 * p))
    near = odds > 1e-290 and odds < 1e290
    return np.sqrt(df / odds) if near else np.sqrt(df) * exp(-0.5 * log_odds)
