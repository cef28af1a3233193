"""Expectations: plain, and by importance sampling."""

from concurrent.futures import Executor
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._engine.by_block import Blocks
from mcvi._engine.draws import Draws, Function, LogWeight, Traced, log_density
from mcvi._engine.estimator import differentiating, estimate_of
from mcvi._engine.integrands import LogTerm, Values
from mcvi._engine.on_tape import importance_mean, log_mean_power, score_term, self_normalized_mean
from mcvi._engine.run import run, warn_of_zero_weights
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
        How many draws. Memory does not grow with it.
    z : array_like ``(n, *batch_shape, *event_shape)``, optional
        Draws from `q`; give exactly one of `n` and `z`.
    rng : optional
        Where the randomness comes from (SPEC 7).
    gradient : {"pathwise", "score"}
        While autograd traces: through the draws, or :math:`\nabla f + f \nabla\log q` with the draws held constant.
    executor : concurrent.futures.Executor, optional
        Where blocks of draws are computed; the answer has the same bits on all of them.
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
        Both or neither of `n` and `z`; n < 1; z or f(z) of the wrong shape; an unknown `gradient`.
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
    _checks.function(f, "f")
    if gradient not in ("pathwise", "score"):
        raise ValueError(f"gradient must be 'pathwise' or 'score'; got {gradient!r}.")
    draws = Draws.of(q, n, z, rng)
    values = Values(f, draws.batch_shape)
    try:
        # The values alone do not show whether the parameters of a user's distribution are traced.
        if is_traced(draws.z) or draws.of_traced:
            raise Traced
        work = Blocks(draws, (values,), _moments)
        total = run(work, f, executor=executor, progress=progress)
    except Traced:
        if gradient == "pathwise":
            mean = anp.mean(values.traced(draws.whole()), axis=0)
            shape = np.shape(value_of(mean))
            wide = (*draws.batch_shape, *shape[len(draws.batch_shape) :])
            return mean if shape == wide else mean + np.zeros(wide)
        constant = draws.constant()
        fx = values.traced(constant)
        log_q = Function(q.log_prob, "q.log_prob", draws.batch_shape).traced(constant)
        rest = np.ndim(value_of(fx)) - np.ndim(value_of(log_q))
        weight = anp.reshape(score_term(log_q), (*np.shape(value_of(log_q)), *(1,) * rest))
        return anp.mean(fx + value_of(fx) * weight, axis=0)
    (moments,) = total.sums
    return estimate_of(draws, moments.mean, moments.standard_error, shape=total.shape, method="mean of f over draws")


def expectation_importance_sampler(
    f: AnyFunction,
    log_p: LogDensity,
    sampling_dist_q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
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
    f, log_p : callable
        Take draws ``(n, *batch_shape, *event_shape)``, return ``(n, *batch_shape)`` or what broadcasts to it with n in
        front.
    sampling_dist_q : Distribution
        The proposal. It must cover the support of :math:`f p`.
    n, z, rng, executor, progress
        As in `expectation`.

    Returns
    -------
    Estimate
        Of ``batch_shape``, with the `ess` and `khat` of the weights. While autograd traces, the traced array.

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
    _checks.function(f, "f")
    draws = Draws.of(sampling_dist_q, n, z, rng, "sampling_dist_q")
    weight = LogWeight.of(log_p, sampling_dist_q)
    values = Function(f, "f", draws.batch_shape)
    try:
        if differentiating(sampling_dist_q, draws.z, log_p):
            raise Traced
        work = Blocks(draws, (weight, values), _signed_moments, (1,))
        total = run(work, f, log_p, executor=executor, progress=progress)
    except Traced:
        z = draws.whole()
        return importance_mean(values.traced(z), weight.traced(z))
    weights, signed = total.sums
    warn_of_zero_weights(weights.largest, draws.n)
    return estimate_of(
        draws, signed.mean, signed.standard_error, ess=weights.ess, tail=total.tail, method="importance sampling"
    )


def expectation_importance_sampler_logspace(
    log_f: AnyFunction,
    log_p: LogDensity,
    sampling_dist_q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
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
    n, z, rng, executor, progress
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
    draws = Draws.of(sampling_dist_q, n, z, rng, "sampling_dist_q")
    weight = LogTerm(log_density(log_f, "log_f", sampling_dist_q), LogWeight.of(log_p, sampling_dist_q))
    try:
        if differentiating(sampling_dist_q, draws.z, log_p, log_f):
            raise Traced
        work = Blocks(draws, (weight,), _log_moments, (1,))
        total = run(work, log_f, log_p, executor=executor, progress=progress)
    except Traced:
        return log_mean_power(weight.traced(draws.whole()), np.ones(draws.batch_shape))
    (weights,) = total.sums
    warn_of_zero_weights(weights.largest, draws.n)
    return estimate_of(
        draws,
        weights.log_mean,
        np.sqrt(weights.relative_variance),
        bias=-0.5 * weights.relative_variance,
        ess=weights.ess,
        tail=total.tail,
        method="importance sampling in log space",
    )


def expectation_self_normalized(
    f: AnyFunction,
    log_p: LogDensity,
    sampling_dist_q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Any:
    r"""Estimate :math:`E_p[f(Z)]` for a `log_p` that is known up to a constant.

    .. math:: E_p[f(Z)] \approx \sum_i w_i f(z_i) \Big/ \sum_i w_i, \quad w_i = p(z_i)/q(z_i), \quad z_i \sim q

    Parameters
    ----------
    f, log_p : callable
        Take draws ``(n, *batch_shape, *event_shape)``, return ``(n, *batch_shape)`` or what broadcasts to it with n in
        front.
    sampling_dist_q : Distribution
        The proposal. It must cover the support of p.
    n, z, rng, executor, progress
        As in `expectation`.

    Returns
    -------
    Estimate
        Of ``batch_shape``, with the delta-method `standard_error`, first-order `bias`, and the `ess` and `khat` of the
        weights. While autograd traces, the traced array.

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
    _checks.function(f, "f")
    draws = Draws.of(sampling_dist_q, n, z, rng, "sampling_dist_q")
    weight = LogWeight.of(log_p, sampling_dist_q)
    values = Function(f, "f", draws.batch_shape)
    try:
        if differentiating(sampling_dist_q, draws.z, log_p):
            raise Traced
        work = Blocks(draws, (weight, values), _weighted_moments, (1,))
        total = run(work, f, log_p, executor=executor, progress=progress)
    except Traced:
        z = draws.whole()
        return self_normalized_mean(values.traced(z), weight.traced(z))
    (moments,) = total.sums
    warn_of_zero_weights(moments.state[0], draws.n)
    return estimate_of(
        draws,
        moments.mean,
        moments.standard_error,
        bias=moments.bias,
        ess=moments.ess,
        tail=total.tail,
        method="self-normalised importance sampling",
    )


def _moments(values: FloatArray) -> tuple[Moments]:
    return (Moments.of(values),)


def _log_moments(log_w: FloatArray) -> tuple[LogMoments]:
    return (LogMoments.of(log_w, np.ones(log_w.shape[1])),)


def _signed_moments(log_w: FloatArray, f: FloatArray) -> tuple[LogMoments, SignedLogMoments]:
    return (*_log_moments(log_w), SignedLogMoments.of(log_w, f))


def _weighted_moments(log_w: FloatArray, f: FloatArray) -> tuple[WeightedMoments]:
    return (WeightedMoments.of(log_w, f),)
