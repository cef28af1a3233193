"""The Shannon entropy and the evidence lower bound."""

from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from math import prod
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._engine.estimator import (
    Draws,
    LogWeight,
    MeanOfWeights,
    OfLogWeights,
    Reading,
    Total,
    estimate,
    log_density,
    widened,
)
from mcvi._typing import ArrayLike, FloatArray, LogDensity, Progress, RNGLike
from mcvi.estimate import Estimate

__all__ = ["ELBOForms", "elbo_ratio", "entropy_shannon"]


class ELBOForms(StrEnum):
    """The ways to compute the entropy term of an evidence lower bound; the strings are accepted everywhere."""

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
        exact = method()
    except NotImplementedError:
        if form is ELBOForms.analytic_entropy:
            raise
        return None
    name, batch_shape = f"the entropy of {type(q).__name__}", tuple(q.batch_shape)
    exact = exact if is_traced(exact) else _checks.real_array(exact, name)[()]
    if np.shape(value_of(exact)) == batch_shape:
        return exact
    _checks.broadcasts_to(np.shape(value_of(exact)), batch_shape, name, "its batch_shape")
    return exact + np.zeros(batch_shape)


def entropy_shannon(
    p: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    form: str | ELBOForms = "default",
    block_size: int | None = None,
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
        The number of draws; ignored by ``form="default"`` where there is a closed form.
    z : array_like ``(n, *batch_shape, *event_shape)``, optional
        Draws from `p`. Ignored where there is a closed form.
    rng, block_size, executor, progress
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
    exact = _exact(p, _form(form), n)
    if exact is not None:
        return exact
    draws = Draws.of(p, n, z, rng, block_size, "p")
    return estimate(draws, _surprise(p), executor, progress)


def _surprise(p: Any) -> "_MeanLogWeight":
    """Return the mean of -log p."""
    weight = LogWeight(log_density(p.log_prob, "p.log_prob", p), None)
    return _MeanLogWeight(weight, "mean of -log p over draws", negative=True)


def _exact(p: Any, form: ELBOForms, n: Any) -> Any:
    """Return the entropy in closed form as an estimate, or traced; None where draws are needed or wanted."""
    _checks.distribution(p, "p")
    if form is ELBOForms.analytic_entropy and n is not None:
        raise ValueError("n must be None with form='analytic_entropy': a closed form takes no draws.")
    exact = _closed_entropy(p, form)
    if exact is None or is_traced(exact):
        return exact
    return Estimate(exact, np.zeros_like(exact), method=_closed_form(p))


def elbo_ratio(
    log_p: LogDensity,
    q: Any,
    *,
    n: int | None = None,
    z: ArrayLike | None = None,
    rng: RNGLike = None,
    form: str | ELBOForms = "default",
    block_size: int | None = None,
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
    n, z, rng, block_size, executor, progress
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
    -0.4430 ± 0.0010 (n=100000)
    >>> -mcvi.kl_divergence(q, p).value
    np.float64(-0.4431471805599453)
    """
    chosen = _form(form)
    draws = Draws.of(q, n, z, rng, block_size)
    return estimate(draws, _bound(LogWeight.of(log_p, q), q, chosen), executor, progress)


def _bound(weight: LogWeight, q: Any, form: ELBOForms) -> "_MeanLogWeight":
    """Return the bound, with its entropy in closed form if there is one and the form does not want it from draws."""
    exact = _closed_entropy(q, form)
    if exact is None:
        return _MeanLogWeight(weight, "mean of log p - log q over draws")
    text = f"mean of log p over draws and {_closed_form(q)}"
    return _MeanLogWeight(LogWeight(weight.log_p, None), text, exact)


@dataclass(eq=False)
class _MeanLogWeight(OfLogWeights):
    """The mean of log weights or of their negatives, and a constant."""

    weight: LogWeight
    method: str
    constant: Any = None
    negative: bool = False

    @property
    def is_traced(self) -> bool:
        return super().is_traced or is_traced(self.constant)

    def powers(self, batch_shape: tuple[int, ...]) -> MeanOfWeights:
        return MeanOfWeights(prod(batch_shape))

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        return -values[0] if self.negative else values[0]

    def on_tape(self, draws: Draws) -> Any:
        mean = anp.mean(self.weight.traced(draws.whole()), axis=0)
        mean = -mean if self.negative else mean
        return widened(mean if self.constant is None else mean + self.constant, draws.batch_shape)

    def read(self, draws: Draws, total: Total) -> Reading:
        (moments,) = total.sums
        value = 0.0 - moments.mean if self.negative else moments.mean
        if self.constant is not None:
            value = value + np.reshape(np.asarray(self.constant, np.float64), -1)
        return Reading(value, moments.standard_error, largest=None if self.negative else moments.largest)


def _closed_form(q: Any) -> str:
    return f"closed-form entropy of {type(q).__name__}"
