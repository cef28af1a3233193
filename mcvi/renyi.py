"""The variational Renyi bound: at one order, at many from one pass, and a schedule of orders."""

import math
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._engine.estimator import (
    Draws,
    Estimand,
    LogWeight,
    OfLogWeights,
    Power,
    Powers,
    PowerSums,
    Reading,
    Tails,
    Total,
    estimate,
    log_mean_power,
)
from mcvi._typing import ArrayLike, FloatArray, LogDensity, Progress, RNGLike
from mcvi.accumulate import LogMoments

__all__ = ["renyi_alpha", "renyi_curve", "renyi_ratio"]


def renyi_ratio(
    log_p: LogDensity,
    q: Any,
    alpha: ArrayLike,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    block_size: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate the variational Renyi bound of order `alpha`.

    .. math:: \frac{1}{1-\alpha} \log E_q\Big[\Big(\frac{p(Z)}{q(Z)}\Big)^{1-\alpha}\Big] \approx
              \frac{1}{1-\alpha} \log \frac1n \sum_i \exp((1-\alpha)\ell_i), \quad \ell_i = \log p(z_i) - \log q(z_i)

    Parameters
    ----------
    log_p : callable
        Takes draws ``(n, *batch_shape, *event_shape)``, returns ``(n, *batch_shape)`` or what broadcasts to it with n
        in front; nats, up to a constant that adds to the answer.
    q : Distribution
        Or any object with `batch_shape`, `event_shape`, `sample` and `log_prob`.
    alpha : array_like
        The order: any real number, or an array that broadcasts to ``batch_shape`` (or, with an axis of draws in front,
        to ``(n, *batch_shape)``: one order a draw). 1 is the ELBO, 0 the importance-weighted log evidence; inf and -inf
        are the smallest and the largest log weight.
    n, z, rng, block_size, executor, progress
        As in `mcvi.expectation`.

    Returns
    -------
    Estimate
        Of ``batch_shape``, in nats, with `bias`, and the `ess` and `khat` of the weights to the power ``1 - alpha``.
        While autograd traces, the traced array.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As in `mcvi.expectation`; an alpha that is nan or does not broadcast.

    Notes
    -----
    To first order the estimate is biased by ``-(1/ess - 1/n) / (2 (1 - alpha))``: low for alpha < 1, high above. Near
    alpha = 1 the sum is taken about the mean log weight, and keeps its digits.

    References
    ----------
    Li and Turner (2016), "Renyi divergence variational inference", NeurIPS, arXiv:1602.02311; Burda, Grosse and
    Salakhutdinov (2016), "Importance weighted autoencoders", arXiv:1509.00519.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.distributions import Normal
    >>> p, q = Normal(1.0, 2.0), Normal(0.0, 1.0)
    >>> mcvi.renyi_ratio(p.log_prob, q, 1.0, n=100_000, rng=0)
    -0.4439 ± 0.0019 (n=100000, ess=100000)
    """
    draws, weight = Draws.of(q, n, z, rng, block_size), LogWeight.of(log_p, q)
    estimand, shape = _of_order(weight, alpha, draws)
    bound = estimate(draws, estimand, executor, progress)
    return bound + np.zeros(shape) if shape else bound


def renyi_curve(
    log_p: LogDensity,
    q: Any,
    alphas: ArrayLike,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    block_size: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate the variational Renyi bound at many orders from one pass over the same draws.

    Parameters
    ----------
    log_p, q, n, z, rng, block_size, executor, progress
        As in `renyi_ratio`.
    alphas : array_like ``(m,)`` or ``(m, *batch_shape)``
        The orders.

    Returns
    -------
    Estimate
        ``(m, *batch_shape)``: element ``i`` is ``renyi_ratio(log_p, q, alphas[i], ...)``, from the same draws.
        The errors of the elements are correlated. While autograd traces, the traced array.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As in `renyi_ratio`.

    References
    ----------
    Li and Turner (2016), "Renyi divergence variational inference", NeurIPS, arXiv:1602.02311.

    Examples
    --------
    >>> import numpy as np, mcvi
    >>> from mcvi.distributions import Normal
    >>> p, q = Normal(1.0, 2.0), Normal(0.0, 1.0)
    >>> curve = mcvi.renyi_curve(p.log_prob, q, [0.0, 0.5, 1.0, 2.0], n=10_000, rng=0)
    >>> bool(np.all(np.diff(curve.value) < 0))
    True
    """
    draws, weight = Draws.of(q, n, z, rng, block_size), LogWeight.of(log_p, q)
    return estimate(draws, _Curve(weight, _orders(alphas, draws)), executor, progress)


def renyi_alpha(step: float, decay_time: float, alpha_min: float, alpha_max: float = 0.99999) -> float:
    r"""Return the order of a Renyi bound that moves from `alpha_max` at step 0 to `alpha_min` at `decay_time`.

    .. math:: \alpha(s) = \alpha_{max}(1 - t) + \alpha_{min} t, \quad
              t = \min\Big(1, \frac{e^{s/T} - 1}{e - 1}\Big)

    Parameters
    ----------
    step : float
        The number s of the step; at least 0.
    decay_time : float
        The step T at which `alpha_min` is reached; positive.
    alpha_min, alpha_max : float
        The orders at the end and at the beginning.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        An argument is not a scalar, `step` is negative or `decay_time` not positive.

    References
    ----------
    Li and Turner (2016), "Renyi divergence variational inference", NeurIPS, arXiv:1602.02311.

    Examples
    --------
    >>> [round(renyi_alpha(step, 3, 0.0, 0.5), 4) for step in range(4)]
    [0.5, 0.3849, 0.2242, 0.0]
    """
    values = {"step": step, "decay_time": decay_time, "alpha_min": alpha_min, "alpha_max": alpha_max}
    s, decay, low, high = (_checks.real_scalar(value, name) for name, value in values.items())
    if not s >= 0:
        raise ValueError(f"step must be non-negative; got {s}.")
    if not decay > 0:
        raise ValueError(f"decay_time must be positive; got {decay}.")
    t = 1.0 if s >= decay else math.expm1(s / decay) / (math.e - 1.0)
    return high * (1.0 - t) + low * t


def _orders(alphas: Any, draws: Draws) -> list[Any]:
    """Return the checked orders of a curve."""
    orders = _checks.order(alphas, "alphas")
    shape = np.shape(value_of(orders))
    if not shape:
        raise ValueError(f"alphas must have an axis of orders in front; got the scalar {value_of(orders)}.")
    if not shape[0]:
        raise ValueError(f"alphas must hold at least one order; got shape {shape}.")
    _checks.broadcasts_to(shape[1:], draws.batch_shape, "alphas[0]", "q.batch_shape")
    return [orders[i] for i in range(shape[0])]


def _of_order(weight: LogWeight, alpha: Any, draws: Draws) -> tuple[Estimand, tuple[int, ...]]:
    """Return the bound of a checked order, and the shape to which it is repeated, () for the shape that it has."""
    alpha = _checks.order(alpha)
    if type(alpha) is float:
        return _Bound(weight, alpha), ()
    held = value_of(alpha)
    shape = np.shape(held)
    if len(shape) <= len(draws.batch_shape):
        _checks.broadcasts_to(shape, draws.batch_shape, "alpha", "q.batch_shape")
        return _Bound(weight, alpha), ()
    wide = (draws.n, *draws.batch_shape)
    _checks.broadcasts_to(shape, wide, "alpha", "(n, *q.batch_shape)")
    if is_traced(alpha) or (held != held[:1]).any():
        return _OrderADraw(weight, alpha, wide), ()
    return _Bound(weight, held[0]), (len(held), *draws.batch_shape)


@dataclass(eq=False)
class _Bound(OfLogWeights):
    """The bound of one order."""

    weight: LogWeight
    alpha: Any
    method = "Renyi ratio"

    @property
    def is_traced(self) -> bool:
        return super().is_traced or is_traced(self.alpha)

    def powers(self, batch_shape: tuple[int, ...]) -> Powers:
        return Powers([Power.of(1.0 - self.alpha, batch_shape)])

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        (sums,) = total.sums
        return _contributions(values[0], sums)

    def on_tape(self, draws: Draws) -> Any:
        return log_mean_power(self.weight.traced(draws.whole()), 1.0 - self.alpha + np.zeros(draws.batch_shape))

    def read(self, draws: Draws, total: Total) -> Reading:
        (sums,) = total.sums
        value, error, bias, ess = sums.read()
        return Reading(value, error, bias, ess, sums.khat_of(total.tail), sums.log_moments.largest)


@dataclass(eq=False)
class _Curve(OfLogWeights):
    """The bounds of many orders."""

    weight: LogWeight
    alphas: list[Any]
    method = "Renyi ratio"

    @property
    def is_traced(self) -> bool:
        return super().is_traced or is_traced(*self.alphas)

    def powers(self, batch_shape: tuple[int, ...]) -> Powers:
        return Powers([Power.of(1.0 - alpha, batch_shape) for alpha in self.alphas])

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        return np.concatenate([_contributions(values[0], sums) for sums in total.sums], axis=1)

    def on_tape(self, draws: Draws) -> Any:
        log_w, ones = self.weight.traced(draws.whole()), np.ones(draws.batch_shape)
        return anp.stack([log_mean_power(log_w, ones - alpha) for alpha in self.alphas])

    def read(self, draws: Draws, total: Total) -> Reading:
        value, error, bias, ess = (np.stack(rows) for rows in zip(*(sums.read() for sums in total.sums), strict=True))
        tails = Tails(tuple(sums.khat_of(total.tail) for sums in total.sums), draws.columns)
        shape = (len(self.alphas), *draws.batch_shape)
        return Reading(value, error, bias, ess, tails, total.sums[0].log_moments.largest, shape, batch_axis=1)


def _contributions(log_w: FloatArray, sums: PowerSums) -> FloatArray:
    """Return ``(w**power / mean(w**power) - 1) / power`` for each draw: ``log w`` less its mean at power 0."""
    power, (value, *_) = sums.power.value, sums.read()
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = log_w - value
        terms = np.where(power == 0.0, deviation, np.expm1(power * deviation) / power)
        return np.where(np.isinf(power), np.nan, terms)


@dataclass(eq=False)
class _OrderADraw(Estimand):
    """The bound for orders with an axis of draws in front: the power differs by draw, and all are summed at once."""

    weight: LogWeight
    alpha: Any
    #: ``(n, *batch_shape)``.
    shape: tuple[int, ...]
    method = "Renyi ratio of an order a draw"

    @property
    def integrands(self) -> tuple[LogWeight]:
        return (self.weight,)

    @property
    def is_traced(self) -> bool:
        return super().is_traced or is_traced(self.alpha)

    def task(self, draws: Draws) -> Any:
        return super().task(draws.at_once())

    def sums(self, *values: FloatArray) -> tuple[LogMoments, LogMoments]:
        (log_w,) = values
        ones = np.ones(log_w.shape[1])
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = self._power * log_w
        return LogMoments.of(scaled, ones), LogMoments.of(log_w, ones)

    def on_tape(self, draws: Draws) -> Any:
        power = 1.0 - self.alpha
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scaled = power * self.weight.traced(draws.whole())
            return log_mean_power(scaled, np.ones(draws.batch_shape)) / power

    def read(self, draws: Draws, total: Total) -> Reading:
        scaled, weights = total.sums
        power = self._power
        with np.errstate(divide="ignore", invalid="ignore"):
            value, error = scaled.log_mean / power, np.sqrt(scaled.relative_variance) / abs(power)
        return Reading(value, error, largest=weights.largest, shape=self.shape, batch_axis=1)

    @property
    def _power(self) -> FloatArray:
        return np.broadcast_to(1.0 - self.alpha, self.shape).reshape(self.shape[0], -1)
