"""The estimators on autograd's tape: the same numbers, from all draws at once."""

from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import differentiable, value_of
from mcvi._kernels.sums.moments import SMALL_POWER

__all__ = ["importance_mean", "log_mean_power", "score_term", "self_normalized_mean", "widened"]


def _largest(x: Any) -> Any:
    """Return the maximum over draws as a constant, 0 where it is not finite."""
    largest = np.max(value_of(x), axis=0)
    return np.where(np.isfinite(largest), largest, 0.0)


def log_mean_power(log_w: Any, power: Any) -> Any:
    """Return ``log(mean(w**power)) / power`` over axis 0; the mean of `log_w` at power 0, and without loss near it."""
    held, strength = value_of(log_w), np.abs(value_of(power))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        spread = np.max(held, axis=0) - np.min(held, axis=0)
        small = (strength < SMALL_POWER) & (strength * spread <= 1.0) & np.isfinite(spread)
        zero, infinite = strength == 0, strength == np.inf
        large_power = anp.where(small | zero | infinite, 1.0, power)
        scaled = large_power * log_w
        centre = _largest(scaled)
        result = (anp.log(anp.mean(anp.exp(scaled - centre), axis=0)) + centre) / large_power
        if infinite.any():
            extreme = anp.where(value_of(power) > 0, anp.max(log_w, axis=0), anp.min(log_w, axis=0))
            result = anp.where(infinite, extreme, result)
        if not (small.any() or zero.any()):
            return result
        middle = np.where(small, np.mean(held, axis=0), 0.0)
        deviation = anp.where(small, log_w - middle, 0.0)
        tiny_power = anp.where(small & ~zero, power, 1.0)
        near = middle + anp.log1p(anp.mean(anp.expm1(tiny_power * deviation), axis=0)) / tiny_power
        # Towards a power of zero: the mean, and half the variance times the power, which is the derivative in it.
        limit = anp.mean(log_w, axis=0) + anp.where(zero, power, 0.0) * 0.5 * anp.mean(deviation**2, axis=0)
        return anp.where(zero, limit, anp.where(small, near, result))


def importance_mean(f: Any, log_w: Any) -> Any:
    """Return ``mean(f exp(log_w))`` over axis 0, for an `f` that may have axes after those of the weights."""
    centre = _largest(log_w)
    mean = anp.mean(f * _beside(anp.exp(log_w - centre), f), axis=0)
    return mean * _beside(np.exp(centre), mean)


def self_normalized_mean(f: Any, log_w: Any) -> Any:
    """Return ``sum(w f) / sum(w)`` over axis 0, for an `f` that may have axes after those of the weights."""
    w = _beside(anp.exp(log_w - _largest(log_w)), f)
    return anp.sum(w * f, axis=0) / anp.sum(w, axis=0)


def _beside(weights: Any, f: Any) -> Any:
    """Give weights as many axes as `f` has."""
    shape, axes = np.shape(value_of(weights)), np.ndim(value_of(f))
    return weights if len(shape) == axes else anp.reshape(weights, shape + (1,) * (axes - len(shape)))


def widened(mean: Any, batch_shape: tuple[int, ...]) -> Any:
    """Repeat a mean along axes of the batch that its function left at length 1."""
    shape = np.shape(value_of(mean))
    wide = (*batch_shape, *shape[len(batch_shape) :])
    return mean if shape == wide else mean + np.zeros(wide)


@differentiable(lambda answer, log_prob: 1.0)
def score_term(log_prob: Any) -> Any:
    """Return zeros that carry the derivative of `log_prob`: what a score function adds to a value."""
    return np.zeros(np.shape(log_prob))
