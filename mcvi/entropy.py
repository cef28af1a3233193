"""Evidence bounds and entropies: the ELBO ratio, the Renyi ratio, the Shannon entropy."""

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._draws import Draws, LogWeight, Traced, is_compiled, log_density
from mcvi._gradients import SMALL_POWER, log_mean_power
from mcvi._pass import Pass, warn_of_zero_weights
from mcvi._trace import is_traced, value_of
from mcvi._typing import ArrayLike, FloatArray, LogDensity, RNGLike
from mcvi.accumulate import CentredMoments, LogMoments, Moments, Tail
from mcvi.estimate import Estimate
from mcvi.monte_carlo import _differentiating, _estimate

__all__ = ["ELBOForms", "elbo_ratio", "entropy_shannon", "renyi_alpha", "renyi_curve", "renyi_ratio"]

Progress = Callable[[int, int], Any]


class ELBOForms(StrEnum):
    """How the entropy in an evidence lower bound is had; the strings are accepted everywhere."""

    #: In closed form where there is one, else from the draws.
    default = "default"
    #: The Kullback-Leibler divergence in closed form (`mcvi.vi.elbo` only).
    analytic_kl = "analytic_kl"
    #: The entropy in closed form; NotImplementedError where there is none.
    analytic_entropy = "analytic_entropy"
    #: From the draws.
    sample = "sample"


def _form(form: Any) -> ELBOForms:
    try:
        chosen = ELBOForms(form)
    except ValueError:
        chosen = ELBOForms.analytic_kl
    if chosen is ELBOForms.analytic_kl:
        raise ValueError(f"form must be 'default', 'analytic_entropy' or 'sample'; got {form!r}.")
    return chosen


def _closed_entropy(q: Any, form: ELBOForms) -> Any:
    """Return the entropy in closed form; None where there is none and the form does not insist."""
    if form is ELBOForms.sample:
        return None
    method = getattr(q, "entropy", None)
    if method is None:
        if form is ELBOForms.analytic_entropy:
            raise NotImplementedError(f"{type(q).__name__} has no closed-form entropy. Use form='sample'.")
        return None
    try:
        return method()
    except NotImplementedError:
        if form is ELBOForms.analytic_entropy:
            raise
        return None


def entropy_shannon(
    p: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    form: str | ELBOForms = "default",
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Return the Shannon entropy of `p`, in closed form or from draws.

    .. math:: H[p] = -E_p[\log p(Z)] \approx -\frac1n \sum_i \log p(z_i), \quad z_i \sim p

    Parameters
    ----------
    p : Distribution
        Or any object with `batch_shape`, `event_shape`, `sample` and `log_prob`.
    n : int, optional
        How many draws. Not needed, and not looked at by ``form="default"``, where there is a closed form.
    z : array_like ``(n, *batch_shape, *event_shape)``, optional
        Draws from `p`. Ignored where there is a closed form.
    rng, executor, progress
        As in `mcvi.expectation`.
    form : ELBOForms or str
        ``"default"`` (closed form where there is one), ``"analytic_entropy"`` or ``"sample"``.

    Returns
    -------
    Estimate
        Of ``batch_shape``, in nats; exact in closed form. While autograd traces, the traced array.

    Raises
    ------
    ValueError
        An unknown form; `n` with ``form="analytic_entropy"``; both or neither of `n` and `z` where draws are needed.
    NotImplementedError
        ``form="analytic_entropy"`` and no closed form.

    References
    ----------
    Shannon (1948), "A mathematical theory of communication", doi:10.1002/j.1538-7305.1948.tb01338.x.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.distributions import Normal
    >>> mcvi.entropy_shannon(Normal(0.0, 1.0))
    1.4189385332046727 (exact: closed-form entropy of Normal)
    >>> mcvi.entropy_shannon(Normal(0.0, 1.0), n=100_000, rng=0, form="sample")
    1.418 ± 0.002 (n=100000)
    """
    chosen = _form(form)
    _checks.distribution(p, "p")
    if chosen is ELBOForms.analytic_entropy and n is not None:
        raise ValueError("n must be None with form='analytic_entropy': a closed form takes no draws.")
    exact = _closed_entropy(p, chosen)
    if exact is not None:
        return exact if is_traced(exact) else Estimate(exact, np.zeros_like(exact), method=_closed_form(p))
    draws = Draws.of(p, n, z, rng, "p")
    density = log_density(p.log_prob, "p.log_prob", p)
    try:
        if _differentiating(p, draws.z):
            raise Traced
        total = Pass(draws, (density,), _mean_moments, threads=is_compiled(p.log_prob)).run(executor, progress)
    except Traced:
        return -anp.mean(density.traced(draws.whole()), axis=0)
    (moments,) = total.sums
    return _estimate(draws, -moments.mean, moments.standard_error, method="mean of -log p over draws")


def elbo_ratio(
    log_p: LogDensity,
    q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    form: str | ELBOForms = "default",
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate the evidence lower bound :math:`E_q[\log p(Z) - \log q(Z)] = \log Z_p - KL(q \| p)`.

    .. math:: H[q] + \frac1n \sum_i \log p(z_i) \quad\text{or}\quad \frac1n \sum_i (\log p(z_i) - \log q(z_i)),
              \quad z_i \sim q

    Parameters
    ----------
    log_p : callable
        Takes draws ``(n, *batch_shape, *event_shape)``, returns ``(n, *batch_shape)`` or what broadcasts to it with n
        in front; nats, up to a constant that adds to the answer.
    q : Distribution
        Or any object with `batch_shape`, `event_shape`, `sample` and `log_prob`.
    n, z, rng, executor, progress
        As in `mcvi.expectation`.
    form : ELBOForms or str
        Where the entropy comes from: ``"default"`` (closed form where there is one), ``"analytic_entropy"`` or
        ``"sample"`` (the same draws; with ``log_p = q.log_prob`` exactly 0).

    Returns
    -------
    Estimate
        Of ``batch_shape``, in nats. While autograd traces, the traced array.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As in `mcvi.expectation`; an unknown form; ``form="analytic_entropy"`` and no closed form.

    References
    ----------
    Jordan, Ghahramani, Jaakkola and Saul (1999), doi:10.1023/A:1007665907178.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.distributions import Normal
    >>> p, q = Normal(1.0, 2.0), Normal(0.0, 1.0)
    >>> mcvi.elbo_ratio(p.log_prob, q, n=100_000, rng=0)
    -0.4431 ± 0.0010 (n=100000)
    >>> -mcvi.kl_divergence(q, p).value
    np.float64(-0.4431471805599453)
    """
    chosen = _form(form)
    draws = Draws.of(q, n, z, rng)
    target = log_density(log_p, "log_p", q)
    exact = _closed_entropy(q, chosen)
    function = target if exact is not None else LogWeight.of(log_p, q)
    try:
        if _differentiating(q, draws.z, log_p) or is_traced(exact):
            raise Traced
        threads = is_compiled(log_p)
        if isinstance(function, LogWeight):
            work = Pass.of_weights(draws, function, _mean_moments, threads=threads)
        else:
            work = Pass(draws, (function,), _mean_moments, threads=threads)
        total = work.run(executor, progress)
    except Traced:
        mean = anp.mean(function.traced(draws.whole()), axis=0)
        mean = mean if exact is None else mean + exact
        return mean if np.shape(value_of(mean)) == draws.batch_shape else mean + np.zeros(draws.batch_shape)
    (moments,) = total.sums
    if exact is None:
        return _estimate(draws, moments.mean, moments.standard_error, method="mean of log p - log q over draws")
    value = moments.mean + np.reshape(np.asarray(exact, np.float64), -1)
    return _estimate(draws, value, moments.standard_error, method=f"mean of log p over draws and {_closed_form(q)}")


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
    -0.4441 ± 0.0019 (n=100000, ess=100000)
    """
    draws = Draws.of(q, n, z, rng)
    weight = LogWeight.of(log_p, q)
    alpha = _checks.order(alpha)
    if np.ndim(value_of(alpha)) == len(draws.batch_shape) + 1:
        return _renyi_of_each_draw(draws, weight, alpha)
    _checks.broadcasts_to(np.shape(value_of(alpha)), draws.batch_shape, "alpha", "q.batch_shape")
    (estimate,) = _renyi(
        draws,
        weight,
        [alpha],
        traced=_differentiating(q, draws.z, log_p),
        threads=is_compiled(log_p),
        executor=executor,
        progress=progress,
    )
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
    _checks.broadcasts_to(np.shape(value_of(orders))[1:], draws.batch_shape, "alphas[0]", "q.batch_shape")
    curve = _renyi(
        draws,
        weight,
        [orders[i] for i in range(len(value_of(orders)))],
        traced=_differentiating(q, draws.z, log_p),
        threads=is_compiled(log_p),
        executor=executor,
        progress=progress,
    )
    if not isinstance(curve[0], Estimate):
        return anp.stack(curve)
    fields = ("value", "standard_error", "bias", "ess")
    stacked = {name: np.stack([getattr(point, name) for point in curve]) for name in fields}
    return Estimate(**stacked, n=draws.n, method=curve[0].method, key=draws.key, tail=_Tails(tuple(curve)))


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
    weight: LogWeight,
    alphas: list[Any],
    *,
    traced: bool,
    threads: bool,
    executor: Executor | None,
    progress: Progress | None,
) -> list[Any]:
    """Return the bound at each order, from one pass."""
    batch = draws.batch_shape
    powers = [1.0 - alpha for alpha in alphas]
    try:
        if traced or is_traced(*powers):
            raise Traced
        columns = tuple(np.broadcast_to(power, batch).reshape(-1).astype(np.float64) for power in powers)
        signs = tuple(sign for sign in (1, -1) if any((sign * power > 0).any() for power in columns))
        work = Pass.of_weights(draws, weight, _PowerPlan(columns), tails=signs, threads=threads)
        total = work.run(executor, progress)
    except Traced:
        log_w = weight.traced(draws.whole())
        return [log_mean_power(log_w, power + np.zeros(batch)) for power in powers]
    warn_of_zero_weights(total.sums[0].far.largest, draws.n)
    return [_renyi_estimate(draws, sums, signs, total.tail) for sums in total.sums]


def _renyi_of_each_draw(draws: Draws, weight: LogWeight, alpha: Any) -> Any:
    """Return the bound for orders with an axis of draws in front, as the ancestor has it: the power differs by draw."""
    z = draws.whole()
    _checks.broadcasts_to(np.shape(value_of(alpha)), (draws.n, *draws.batch_shape), "alpha", "(n, *q.batch_shape)")
    power = 1.0 - alpha
    scaled = power * weight.traced(z)
    largest = np.max(value_of(scaled), axis=0)
    centre = np.where(np.isfinite(largest), largest, 0.0)
    value = (anp.log(anp.mean(anp.exp(scaled - centre), axis=0)) + centre) / power
    if is_traced(value):
        return value
    error = np.sqrt(LogMoments.of(np.asarray(scaled).reshape(draws.n, -1), np.ones(scaled[0].size)).relative_variance)
    return Estimate(
        value,
        error.reshape(draws.batch_shape) / abs(power),
        draws.n,
        method="Renyi ratio of an order a draw",
        key=draws.key,
    )


@dataclass(frozen=True)
class _PowerSums:
    """The sums from which ``log(mean(w**power)) / power`` is read, for a power that is zero, small or neither."""

    power: FloatArray
    far: LogMoments
    near: CentredMoments | None
    mean: Moments | None

    @classmethod
    def of(cls, log_w: FloatArray, power: FloatArray, strength: FloatArray, small: bool) -> "_PowerSums":
        far = LogMoments.of(log_w, strength)
        if not small:
            return cls(power, far, None, None)
        mean = Moments.of(log_w)
        return cls(power, far, CentredMoments.of(log_w, strength, mean.mean), mean)

    def __add__(self, other: "_PowerSums") -> "_PowerSums":
        near = None if self.near is None or other.near is None else self.near + other.near
        mean = None if self.mean is None or other.mean is None else self.mean + other.mean
        return _PowerSums(self.power, self.far + other.far, near, mean)

    def read(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return value, standard error, bias and effective sample size."""
        power = self.power
        spread, ess = self.far.relative_variance, self.far.ess
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.far.log_mean / power
            extreme = np.isinf(power)
            if extreme.any():
                value = np.where(extreme, self.far.state[0] * np.sign(power), value)
                spread, ess = np.where(extreme, np.nan, spread), np.where(extreme, np.nan, ess)
            if self.near is None or self.mean is None:
                return value, np.sqrt(spread) / np.abs(power), -0.5 * spread / power, ess
            # The expansion about the mean is meant for weights that the power brings close together.
            close = (np.abs(power) < SMALL_POWER) & (power != 0) & (np.abs(self.near.mean) < 0.5)
            value = np.where(close, self.near.scaled_log_mean, value)
            spread = np.where(close, self.near.relative_variance, spread)
            error, bias = np.sqrt(spread) / np.abs(power), -0.5 * spread / power
            elbo = power == 0
            value = np.where(elbo, self.mean.mean, value)
            error = np.where(elbo, self.mean.standard_error, error)
            bias = np.where(elbo, 0.0, bias)
        return value, error, bias, ess


@dataclass(frozen=True)
class _PowerPlan:
    """Sums a block of log weights for each of several powers, given as one number a column."""

    powers: tuple[FloatArray, ...]

    @cached_property
    def _each(self) -> list[tuple[FloatArray, FloatArray, bool]]:
        # inf and -inf ask for an extreme log weight: LogMoments of the sign alone keeps it as its maximum.
        strengths = [np.where(np.isinf(power), np.sign(power), power) for power in self.powers]
        small = [bool((np.abs(power) < SMALL_POWER).any()) for power in self.powers]
        return list(zip(self.powers, strengths, small, strict=True))

    def __call__(self, log_w: FloatArray) -> tuple[_PowerSums, ...]:
        return tuple(_PowerSums.of(log_w, *each) for each in self._each)


def _renyi_estimate(draws: Draws, sums: _PowerSums, signs: tuple[int, ...], tail: Tail | None) -> Estimate:
    value, error, bias, ess = sums.read()
    kept = None if tail is None or (sums.power == 0).all() else _PowerTail(tail, signs, sums.power)
    return _estimate(draws, value, error, bias=bias, ess=ess, tail=kept, method="Renyi ratio")


@dataclass(frozen=True)
class _PowerTail:
    """The tail of weights raised to a power, one a column; a power of 0 or of infinite size leaves nothing to fit."""

    tail: Tail
    signs: tuple[int, ...]
    power: FloatArray

    @property
    def khat(self) -> FloatArray:
        fitted = np.full(self.power.size, np.nan)
        for part, sign in enumerate(self.signs):
            ours = (sign * self.power > 0) & np.isfinite(self.power)
            rows = part * self.power.size + np.flatnonzero(ours)
            fitted[ours] = self.tail.columns(rows).times(np.abs(self.power[ours])).khat
        return fitted


@dataclass(frozen=True)
class _Tails:
    """The k-hats of several estimates, one after the other."""

    parts: tuple[Estimate, ...]

    @property
    def khat(self) -> FloatArray:
        return np.concatenate(
            [np.full(part.shape, np.nan).ravel() if part.khat is None else np.ravel(part.khat) for part in self.parts]
        )


def _mean_moments(values: FloatArray) -> tuple[Moments]:
    return (Moments.of(values),)


def _closed_form(q: Any) -> str:
    return f"closed-form entropy of {type(q).__name__}"
