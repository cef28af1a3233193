"""Log probabilities of counts in saddle-point form.

Loader, "Fast and accurate computation of binomial probabilities" (2000): differences of `lgamma` lose all digits of a
large count; Stirling's errors and deviances are of the size of the answer. Branch-free. Probabilities come with their
logarithms, which say what they are where they underflow.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import log
from mcvi._kernels.functions.stirling import bd0, stirling_error, stirling_error_large

_HALF_LOG_2PI = 0.9189385332046728
_ERROR_OF_1 = 0.08106146679532726
_ERROR_OF_2 = 0.0413406959554093
_UNDERFLOW = -300.0


@scalar
def is_count(x: float) -> Any:
    """Tell whether `x` is a whole number, 0 or more."""
    return (x >= 0.0) & (x < np.inf) & (x == np.floor(x))


@scalar
def _deviance(x: float, m: float, log_m: float) -> Any:
    # Both are computed, and one is selected: a branch would keep the loop from vectorising.
    ordinary, tiny = bd0(x, m), x * (log(x) - log_m) - x + m
    return ordinary if log_m > _UNDERFLOW else tiny


@scalar
def _stirling_error(k: float) -> Any:
    """Return `stirling_error` of a count of at least 1, from the series or, for 1 and 2, as a number."""
    few = _ERROR_OF_1 if k < 2.0 else _ERROR_OF_2
    return stirling_error_large(k) if k >= 3.0 else few


@scalar
def log_poisson(k: float, rate: float, log_rate: float) -> Any:
    """Return the log probability of the count `k`; rate 0 is legal."""
    saddle = -_deviance(k, rate, log_rate) - _stirling_error(k) - (0.5 * log(k) + _HALF_LOG_2PI)
    return saddle if k > 0.0 else 0.0 - rate


@scalar
def log_binomial(k: float, n: float, p: float, q: float, log_p: float, log_q: float) -> Any:
    """Return the log probability of `k` successes in `n` trials, 0 <= k <= n; p = 0, q = 0 and n = 0 are legal."""
    rest, log_n = n - k, log(n)
    saddle = _stirling_error(n) - _stirling_error(k) - _stirling_error(rest)
    saddle = saddle - _deviance(k, n * p, log_n + log_p) - _deviance(rest, n * q, log_n + log_q)
    saddle = saddle - (0.5 * log(k * (rest / n)) + _HALF_LOG_2PI)
    saddle = n * log_p if rest == 0.0 else saddle
    saddle = n * log_q if k == 0.0 else saddle
    return saddle if n > 0.0 else 0.0


@scalar
def log_negative_binomial(k: float, r: float, error_r: float, p: float, q: float, log_p: float, log_q: float) -> Any:
    """Return the log probability of `k` successes before `r` failures, `r` real; `error_r` is ``stirling_error(r)``."""
    n = k + r
    log_n = log(n)
    saddle = log(r / n) + stirling_error(n) - _stirling_error(k) - error_r
    saddle = saddle - _deviance(k, n * p, log_n + log_p) - _deviance(r, n * q, log_n + log_q)
    saddle = saddle - (0.5 * log(k * (r / n)) + _HALF_LOG_2PI)
    saddle = r * log_q if k == 0.0 else saddle
    return saddle if r > 0.0 else 0.0 if k == 0.0 else -np.inf
