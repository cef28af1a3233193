"""Expectations: plain, and by importance sampling."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of
from mcvi._engine.estimator import (
    Draws,
    Estimand,
    Function,
    LogTerm,
    LogWeight,
    Reading,
    RepeatedTail,
    Total,
    Values,
    estimate,
    importance_mean,
    log_density,
    log_mean_power,
    score_term,
    self_normalized_mean,
    widened,
)
from mcvi._typing import ArrayLike, FloatArray, LogDensity, Progress, RNGLike
from mcvi._typing import Function as AnyFunction
from mcvi.accumulate import LogMoments, Moments, SignedLogMoments, WeightedMoments

__all__ = [
    "expectation",
    "expectation_importance_sampler",
    "expectation_importance_sampler_logspace",
    "expectation_self_normalized",
]


def expectation(
    f: AnyFunction,
    q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    gradient: str = "pathwise",
    block_size: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate :math:`E_q[f(Z)]` by the mean of :math:`f` over draws from `q`.

    .. math:: E_q[f(Z)] \approx \frac1n \sum_i f(z_i), \quad z_i \sim q

    Parameters
    ----------
    f : callable
        Takes draws ``(n, *batch_shape, *event_shape)``, returns ``(n, *batch_shape, *rest)`` or what broadcasts to it
        with n in front; `rest` stays in the answer.
    q : Distribution
        Or any object with `batch_shape`, `event_shape`, `sample` and `log_prob`.
    n : int, optional
        The number of draws. Memory does not grow with it.
    z : array_like ``(n, *batch_shape, *event_shape)``, optional
        Draws from `q`; give exactly one of `n` and `z`.
    rng : optional
        The source of randomness, as in `mcvi.random.as_key`.
    gradient : {"pathwise", "score"}
        While autograd traces: through the draws, or :math:`\nabla f + f \nabla\log q` with the draws held constant.
    block_size : int, optional
        The most draws that `f` is given at a time: lower it for a function that allocates much for each draw. Default:
        16,384 draws, or as many as hold 131,072 numbers over batch and event, if that is fewer. The same size gives the
        same bits. While autograd traces, all draws come at once.
    executor : concurrent.futures.Executor, optional
        The executor that computes blocks of draws; the answer has the same bits on all of them.
    progress : callable, optional
        Called with the numbers of draws done and to do.

    Returns
    -------
    Estimate
        ``value`` and ``standard_error`` of shape ``(*batch_shape, *rest)``. While autograd traces, the traced array.

    Raises
    ------
    TypeError
        `f` is not callable, `q` not a distribution, `n` not an integer.
    ValueError
        Both or neither of `n` and `z`; `n` or `block_size` below 1; z or f(z) of the wrong shape; an unknown
        `gradient`.
    NotImplementedError
        The parameters of a `q` without pathwise derivative are traced, and `n` is given with ``gradient="pathwise"``.

    References
    ----------
    Mohamed, Rosca, Figurnov and Mnih (2020), "Monte Carlo gradient estimation in machine learning", JMLR 21.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.distributions import Normal
    >>> mcvi.expectation(lambda z: z**2, Normal(0.0, 2.0), n=100_000, rng=0)
    3.992 ± 0.018 (n=100000)
    """
    if gradient not in ("pathwise", "score"):
        raise ValueError(f"gradient must be 'pathwise' or 'score'; got {gradient!r}.")
    draws = Draws.of(q, n, z, rng, block_size)
    return estimate(draws, _Mean(Values.of(f, "f", q), gradient), executor, progress)


def expectation_importance_sampler(
    f: AnyFunction,
    log_p: LogDensity,
    sampling_dist_q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    block_size: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate :math:`E_p[f(Z)]` by importance sampling from `sampling_dist_q`, for an `f` of any sign.

    .. math:: E_p[f(Z)] \approx \frac1n \sum_i f(z_i) \exp\ell_i, \quad
              \ell_i = \log p(z_i) - \log q(z_i), \quad z_i \sim q

    The terms are summed as signed exponentials of :math:`\log|f(z_i)| + \ell_i`, relative to the largest: neither tiny
    values nor huge weights are lost. `log_p` must be normalised; otherwise see `expectation_self_normalized`.

    Parameters
    ----------
    f : callable
        As in `expectation`: its values ``(n, *batch_shape, *rest)`` may have axes of their own.
    log_p : callable
        Takes draws ``(n, *batch_shape, *event_shape)``, returns ``(n, *batch_shape)`` or what broadcasts to it with n
        in front; nats. ``-inf`` is a weight of zero.
    sampling_dist_q : Distribution
        The proposal. It must cover the support of :math:`f p`.
    n, z, rng, block_size, executor, progress
        As in `expectation`.

    Returns
    -------
    Estimate
        Of shape ``(*batch_shape, *rest)``, with the `ess` and `khat` of the weights of the member of the batch. While
        autograd traces, the traced array.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As in `expectation`.

    References
    ----------
    Owen (2013), "Monte Carlo theory, methods and examples", chapter 9.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.distributions import Normal
    >>> p, q = Normal(1.0, 1.0), Normal(0.0, 2.0)
    >>> mcvi.expectation_importance_sampler(lambda z: z, p.log_prob, q, n=100_000, rng=0).interval()[0] < 1.0
    np.True_
    """
    draws = Draws.of(sampling_dist_q, n, z, rng, block_size, "sampling_dist_q")
    f_of, weight = Values.of(f, "f", sampling_dist_q), LogWeight.of(log_p, sampling_dist_q)
    return estimate(draws, _Importance(weight, f_of), executor, progress)


def expectation_importance_sampler_logspace(
    log_f: AnyFunction,
    log_p: LogDensity,
    sampling_dist_q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    block_size: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate :math:`\log E_p[f(Z)]` for a positive `f`, by importance sampling from `sampling_dist_q`.

    .. math:: \log E_p[f(Z)] \approx \log \frac1n \sum_i \exp\ell_i, \quad
              \ell_i = \log f(z_i) + \log p(z_i) - \log q(z_i), \quad z_i \sim q

    Parameters
    ----------
    log_f, log_p : callable
        Take draws ``(n, *batch_shape, *event_shape)``, return ``(n, *batch_shape)`` or what broadcasts to it with n in
        front; nats. ``-inf`` is a weight of zero.
    sampling_dist_q : Distribution
        The proposal.
    n, z, rng, block_size, executor, progress
        As in `expectation`.

    Returns
    -------
    Estimate
        Of ``batch_shape``, in nats, with `bias`, `ess` and `khat`. While autograd traces, the traced array.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As in `expectation`.

    Notes
    -----
    The logarithm of a mean is biased low: by ``(1/ess - 1/n)/2`` to first order, which is what ``bias`` holds. Where
    ``khat >= 0.7`` neither it nor the standard error is to be trusted: see `Estimate.check`.

    References
    ----------
    Owen (2013), "Monte Carlo theory, methods and examples", chapter 9; Vehtari, Simpson, Gelman, Yao and Gabry (2024),
    "Pareto smoothed importance sampling", JMLR 25.

    Examples
    --------
    The second moment of N(0, 1), which is 1, from draws of N(0, 2):

    >>> import numpy as np, mcvi
    >>> from mcvi.distributions import Normal
    >>> p, q = Normal(0.0, 1.0), Normal(0.0, 2.0)
    >>> e = mcvi.expectation_importance_sampler_logspace(lambda z: np.log(z**2), p.log_prob, q, n=100_000, rng=0)
    >>> bool(abs(e.value) < 4 * e.standard_error)
    True
    """
    draws = Draws.of(sampling_dist_q, n, z, rng, block_size, "sampling_dist_q")
    weight = LogWeight.of(log_p, sampling_dist_q)
    term = LogTerm(log_density(log_f, "log_f", sampling_dist_q), weight)
    return estimate(draws, _LogImportance(term), executor, progress)


def expectation_self_normalized(
    f: AnyFunction,
    log_p: LogDensity,
    sampling_dist_q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    block_size: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate :math:`E_p[f(Z)]` for a `log_p` that is known up to a constant.

    .. math:: E_p[f(Z)] \approx \sum_i w_i f(z_i) \Big/ \sum_i w_i, \quad w_i = p(z_i)/q(z_i), \quad z_i \sim q

    Parameters
    ----------
    f : callable
        As in `expectation`: its values ``(n, *batch_shape, *rest)`` may have axes of their own.
    log_p : callable
        Takes draws ``(n, *batch_shape, *event_shape)``, returns ``(n, *batch_shape)`` or what broadcasts to it with n
        in front; nats. ``-inf`` is a weight of zero.
    sampling_dist_q : Distribution
        The proposal. It must cover the support of p.
    n, z, rng, block_size, executor, progress
        As in `expectation`.

    Returns
    -------
    Estimate
        Of shape ``(*batch_shape, *rest)``, with the delta-method `standard_error`, first-order `bias`, and the `ess`
        and `khat` of the weights of the member of the batch. While autograd traces, the traced array.

    Raises
    ------
    TypeError, ValueError, NotImplementedError
        As in `expectation`.

    References
    ----------
    Owen (2013), "Monte Carlo theory, methods and examples", section 9.2.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.distributions import Normal
    >>> log_p = lambda z: -0.5 * (z - 1.0)**2
    >>> e = mcvi.monte_carlo.expectation_self_normalized(lambda z: z, log_p, Normal(0.0, 2.0), n=100_000, rng=0)
    >>> bool(abs(e.value - 1.0) < 4 * e.standard_error)
    True
    """
    draws = Draws.of(sampling_dist_q, n, z, rng, block_size, "sampling_dist_q")
    f_of, weight = Values.of(f, "f", sampling_dist_q), LogWeight.of(log_p, sampling_dist_q)
    return estimate(draws, _SelfNormalized(weight, f_of), executor, progress)


@dataclass(eq=False)
class _Mean(Estimand):
    """The mean of `f`."""

    f: Values
    gradient: str
    method = "mean of f over draws"

    @property
    def integrands(self) -> tuple[Values]:
        return (self.f,)

    def sums(self, *values: FloatArray) -> tuple[Moments]:
        (f,) = values
        return (Moments.of(f),)

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        return values[0]

    def on_tape(self, draws: Draws) -> Any:
        if self.gradient == "pathwise":
            return widened(anp.mean(self.f.traced(draws.whole()), axis=0), draws.batch_shape)
        z = draws.constant()
        f = self.f.traced(z)
        log_q = Function(draws.q.log_prob, "q.log_prob", draws.batch_shape).traced(z)
        shape, rest = np.shape(value_of(log_q)), np.ndim(value_of(f)) - np.ndim(value_of(log_q))
        weight = anp.reshape(score_term(log_q), (*shape, *(1,) * rest))
        return anp.mean(f + value_of(f) * weight, axis=0)

    def read(self, draws: Draws, total: Total) -> Reading:
        (moments,) = total.sums
        return Reading(moments.mean, moments.standard_error, shape=total.shape)


@dataclass(eq=False)
class _Importance(Estimand):
    """The mean of `f` times the weight."""

    weight: LogWeight
    f: Values
    method = "importance sampling"
    signs = (1,)

    @property
    def integrands(self) -> tuple[LogWeight, Values]:
        return (self.weight, self.f)

    def sums(self, *values: FloatArray) -> tuple[LogMoments, SignedLogMoments]:
        log_w, f = values
        return LogMoments.of(log_w, np.ones(log_w.shape[1])), SignedLogMoments.of(_repeated(log_w, f.shape[1]), f)

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        log_w, f = values
        return _times(np.exp(_repeated(log_w, f.shape[1])), f)

    def on_tape(self, draws: Draws) -> Any:
        z = draws.whole()
        return importance_mean(self.f.traced(z), self.weight.traced(z))

    def read(self, draws: Draws, total: Total) -> Reading:
        weights, signed = total.sums
        ess, tail = _repeated(weights.ess, signed.mean.size), _tail(total, draws, signed.mean.size)
        return Reading(signed.mean, signed.standard_error, None, ess, tail, weights.largest, total.shape)


@dataclass(eq=False)
class _LogImportance(Estimand):
    """The logarithm of the mean of positive terms."""

    term: LogTerm
    method = "importance sampling in log space"
    signs = (1,)

    @property
    def integrands(self) -> tuple[LogTerm]:
        return (self.term,)

    def sums(self, *values: FloatArray) -> tuple[LogMoments]:
        (terms,) = values
        return (LogMoments.of(terms, np.ones(terms.shape[1])),)

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        (terms,) = total.sums
        return np.exp(values[0] - terms.log_mean)

    def on_tape(self, draws: Draws) -> Any:
        return log_mean_power(self.term.traced(draws.whole()), np.ones(draws.batch_shape))

    def read(self, draws: Draws, total: Total) -> Reading:
        (terms,) = total.sums
        variance = terms.relative_variance
        return Reading(terms.log_mean, np.sqrt(variance), -0.5 * variance, terms.ess, total.tail, terms.largest)


@dataclass(eq=False)
class _SelfNormalized(Estimand):
    """The mean of `f` under normalised weights."""

    weight: LogWeight
    f: Values
    method = "self-normalised importance sampling"
    signs = (1,)

    @property
    def integrands(self) -> tuple[LogWeight, Values]:
        return (self.weight, self.f)

    def sums(self, *values: FloatArray) -> tuple[WeightedMoments]:
        log_w, f = values
        return (WeightedMoments.of(_repeated(log_w, f.shape[1]), f),)

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        (sums,), (log_w, f) = total.sums, values
        return _times(np.exp(_repeated(log_w, f.shape[1]) - sums.log_mean_weight), f - sums.mean)

    def on_tape(self, draws: Draws) -> Any:
        z = draws.whole()
        return self_normalized_mean(self.f.traced(z), self.weight.traced(z))

    def read(self, draws: Draws, total: Total) -> Reading:
        (sums,) = total.sums
        tail = _tail(total, draws, sums.mean.size)
        return Reading(sums.mean, sums.standard_error, sums.bias, sums.ess, tail, sums.largest, total.shape)


def _times(w: FloatArray, f: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        return np.where(w == 0.0, 0.0, w * f)


def _repeated(weights: FloatArray, columns: int) -> FloatArray:
    """Repeat the weights of each member of the batch for each of the values that it has."""
    members = weights.shape[-1]
    return weights if members == columns else np.repeat(weights, columns // members, axis=-1)


def _tail(total: Total, draws: Draws, columns: int) -> Any:
    """Return the k-hats of the weights, for each value of each member of the batch."""
    members = draws.columns
    return total.tail if total.tail is None or members == columns else RepeatedTail(total.tail, columns // members)
