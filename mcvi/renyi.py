"""The variational Renyi bound: at one order, at many from one pass, and a schedule of orders."""

import math
from concurrent.futures import Executor
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._engine.draws import Draws, LogWeight, Traced
from mcvi._engine.estimator import differentiating, estimate_of
from mcvi._engine.fused import Sweep
from mcvi._engine.on_tape import log_mean_power
from mcvi._engine.power_sums import Power, Powers, PowerSums, PowerTail, Tails
from mcvi._engine.run import run, warn_of_non_finite, warn_of_zero_weights
from mcvi._engine.tail import Tail
from mcvi._typing import ArrayLike, LogDensity, Progress, RNGLike
from mcvi.accumulate import LogMoments, NonFinite
from mcvi.estimate import Estimate

__all__ = ["renyi_alpha", "renyi_curve", "renyi_ratio"]


def renyi_ratio(
    log_p: LogDensity,
    q: Any,
    alpha: ArrayLike,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
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
    n, z, rng, executor, progress
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
    draws = Draws.of(q, n, z, rng)
    weight = LogWeight.of(log_p, q)
    alpha = _checks.order(alpha)
    held = value_of(alpha)
    shape = () if type(held) is float else np.shape(held)
    if len(shape) == len(draws.batch_shape) + 1:
        _checks.broadcasts_to(shape, (draws.n, *draws.batch_shape), "alpha", "(n, *q.batch_shape)")
        if is_traced(alpha) or (held != held[:1]).any():
            return _renyi_of_each_draw(draws, weight, alpha)
        # One order for all draws after all.
        common = renyi_ratio(log_p, q, held[0], n=n, z=z, rng=draws.key, executor=executor, progress=progress)
        return common + np.zeros((len(held), *draws.batch_shape))
    _checks.broadcasts_to(shape, draws.batch_shape, "alpha", "q.batch_shape")
    (estimate,) = _renyi(draws, log_p, weight, [alpha], executor, progress)
    return estimate


def renyi_curve(
    log_p: LogDensity,
    q: Any,
    alphas: ArrayLike,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate the variational Renyi bound at many orders from one pass over the same draws.

    Parameters
    ----------
    log_p, q, n, z, rng, executor, progress
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
    draws = Draws.of(q, n, z, rng)
    weight = LogWeight.of(log_p, q)
    orders = _checks.order(alphas, "alphas")
    if np.ndim(value_of(orders)) == 0:
        raise ValueError(f"alphas must have an axis of orders in front; got the scalar {value_of(orders)}.")
    if len(value_of(orders)) == 0:
        raise ValueError(f"alphas must hold at least one order; got shape {np.shape(value_of(orders))}.")
    _checks.broadcasts_to(np.shape(value_of(orders))[1:], draws.batch_shape, "alphas[0]", "q.batch_shape")
    each = [orders[i] for i in range(len(value_of(orders)))]
    curve = _renyi(draws, log_p, weight, each, executor, progress)
    if not isinstance(curve[0], Estimate):
        return anp.stack(curve)
    fields = ("value", "standard_error", "bias", "ess")
    stacked = {name: np.stack([getattr(point, name) for point in curve]) for name in fields}
    return Estimate(**stacked, n=draws.n, method=curve[0].method, key=draws.key, tail=Tails(tuple(curve)))


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


def _renyi(
    draws: Draws,
    log_p: Any,
    weight: LogWeight,
    alphas: list[Any],
    executor: Executor | None,
    progress: Progress | None,
) -> list[Any]:
    """Return the bound at each order, from one pass."""
    try:
        if differentiating(draws.q, draws.z, log_p) or is_traced(*alphas):
            raise Traced
        powers = Powers([Power.of(1.0 - alpha, draws.batch_shape) for alpha in alphas])
        work = Sweep.of(draws, weight, powers, powers.signs)
        total = run(work, log_p, executor=executor, progress=progress)
    except Traced:
        log_w = weight.traced(draws.whole())
        return [log_mean_power(log_w, 1.0 - alpha + np.zeros(draws.batch_shape)) for alpha in alphas]
    warn_of_zero_weights(total.sums[0].far.largest, draws.n)
    method = work.method("Renyi ratio")
    return [_read(draws, sums, powers.signs, total.tail, method) for sums in total.sums]


def _read(draws: Draws, sums: PowerSums, signs: tuple[int, ...], tail: Tail | None, method: str) -> Estimate:
    value, error, bias, ess = sums.read()
    kept = PowerTail(tail, signs, sums.power.value) if tail is not None and sums.power.signs else None
    return estimate_of(draws, value, error, bias=bias, ess=ess, tail=kept, method=method)


def _renyi_of_each_draw(draws: Draws, weight: LogWeight, alpha: Any) -> Any:
    """Return the bound for orders with an axis of draws in front, as the ancestor has it: the power differs by draw."""
    log_w = weight.traced(draws.whole())
    power = 1.0 - alpha
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scaled = power * log_w
        largest = np.max(value_of(scaled), axis=0)
        centre = np.where(np.isfinite(largest), largest, 0.0)
        value = (anp.log(anp.mean(anp.exp(scaled - centre), axis=0)) + centre) / power
        if is_traced(value):
            return value
        columns = np.asarray(scaled, np.float64).reshape(draws.n, -1)
        error = np.sqrt(LogMoments.of(columns, np.ones(columns.shape[1])).relative_variance)
        error = error.reshape(draws.batch_shape) / abs(power)
    found = NonFinite.of(np.reshape(log_w, columns.shape), 0, draws.whole())
    warn_of_non_finite({weight.name: found}, columns.size)
    warn_of_zero_weights(np.max(log_w, axis=0), draws.n)
    return Estimate(
        value,
        error,
        draws.n,
        method="Renyi ratio of an order a draw",
        key=draws.key,
    )
