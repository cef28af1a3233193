"""Log probabilities of counts in saddle-point form.

Loader, "Fast and accurate computation of binomial probabilities" (2000): differences of `lgamma` lose all digits of a
large count; Stirling's errors and deviances are of the size of the answer. Branch-free. Probabilities come with their
logarithms, which say what they are where they underflow.
"""

from typing import Any

import numpy as np

from mcvi._kernels.elementary import log
from mcvi._kernels.jit import scalar
from mcvi._kernels.special import bd0, stirling_error

_HALF_LOG_2PI = 0.9189385332046728
_UNDERFLOW = -300.0


@scalar
def is_count(x: float) -> Any:
    """Tell whether `x` is a whole number, 0 or more."""
    return (x >= 0.0) & (x < np.inf) & (x == np.floor(x))


@scalar
def _deviance(x: float, m: float, log_m: float) -> Any:
    return bd0(x, m) if log_m > _UNDERFLOW else x * (log(x) - log_m) - x + m


@scalar
def log_poisson(k: float, rate: float, log_rate: float) -> Any:
    """Return the log probability of the count `k`; rate 0 is legal."""
    saddle = -_deviance(k, rate, log_rate) - stirling_error(k) - (0.5 * log(k) + _HALF_LOG_2PI)
    return saddle if k > 0.0 else 0.0 - rate


@scalar
def log_binomial(k: float, n: float, p: float, q: float, log_p: float, log_q: float) -> Any:
    """Return the log probability of `k` successes in `n` trials, 0 <= k <= n; p = 0, q = 0 and n = 0 are legal."""
    rest, log_n = n - k, log(n)
    saddle = stirling_error(n) - stirling_error(k) - stirling_error(rest)
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
    saddle = log(r / n) + stirling_error(n) - stirling_error(k) - error_r
    saddle = saddle - _deviance(k, n * p, log_n + log_p) - _deviance(r, n * q, log_n + log_q)
    saddle = saddle - (0.5 * log(k * (r / n)) + _HALF_LOG_2PI)
    saddle = r * log_q if k == 0.0 else saddle
    return saddle if r > 0.0 else 0.0 if k == 0.0 else -np.inf
