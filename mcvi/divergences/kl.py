"""The Kullback-Leibler divergence: in closed form, else from draws."""

from dataclasses import replace
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._typing import RNGLike
from mcvi.distributions import Independent
from mcvi.distributions._base.kl import closed_form_kl
from mcvi.entropy import elbo_ratio
from mcvi.estimate import Estimate
from mcvi.monte_carlo import expectation

__all__ = ["kl_divergence"]


def kl_divergence(p: Any, q: Any, *, n: int | None = None, rng: RNGLike = None, block_size: int | None = None) -> Any:
    r"""Return the Kullback-Leibler divergence of `q` from `p`.

    .. math:: KL(p \| q) = E_p[\log p(Z) - \log q(Z)] \ge 0

    Parameters
    ----------
    p, q : Distribution
        Two distributions over the same events, whose batches broadcast.
    n : int, optional
        The number of draws of `p` to estimate it from, where there is no closed form. Not looked at where there is one.
    rng : None, int, sequence of ints, SeedSequence, Generator or Key
        The source of those draws.
    block_size : int, optional
        The most draws that a density is given at a time, as in `mcvi.expectation`.

    Returns
    -------
    Estimate
        Of the shape to which the batches broadcast, in nats. In closed form it is exact and never negative;
        ``0 log 0 = 0``. It is inf, with or without draws, where `p` reaches outside the support of `q` as far as both
        declare theirs. While autograd traces a parameter, the traced array.

    Raises
    ------
    NotImplementedError
        No closed form for this pair, no `n`, and the supports do not settle it; the text names the pair.
    ValueError
        Events of different shapes, or batches that do not broadcast.
    TypeError
        `p` or `q` is no distribution.

    Notes
    -----
    The closed forms are sums of terms that vanish, with their derivatives, where `p` and `q` agree: they keep their
    digits there, and parameters such as a scale of 1e-200 neither underflow nor overflow.

    References
    ----------
    Kullback and Leibler (1951), "On information and sufficiency", doi:10.1214/aoms/1177729694.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.distributions import Categorical, Laplace, Normal
    >>> mcvi.kl_divergence(Normal(0.0, 1.0), Normal(1.0, 2.0))
    0.4431471805599453 (exact: closed form for (Normal, Normal))
    >>> mcvi.kl_divergence(Categorical(probs=[0.8, 0.2, 0.0]), Categorical(probs=[0.4, 0.4, 0.2])).value.round(6)
    np.float64(0.415888)
    >>> mcvi.kl_divergence(Normal(0.0, 1.0), Laplace(0.5, 2.0), n=100_000, rng=0)
    0.4158 ± 0.0016 (n=100000)
    """
    shape = _shape(p, q)
    try:
        with np.errstate(over="ignore", divide="ignore"):  # inf is a distance
            value = closed_form_kl(p, q)(*(getattr(d, "in_float64", d) for d in (p, q)))
    except NotImplementedError:
        outside = np.broadcast_to(_reaches_outside(p, q), shape)
        if outside.all() and outside.size:
            return Estimate(
                np.full(shape, np.inf)[()], np.zeros(shape)[()], method="p reaches outside the support of q"
            )
        if n is None:
            raise
        return _infinite_where(outside, _estimated(p, q, n, rng, block_size))
    if np.shape(value) != shape:
        value = value + np.zeros(shape)
    if is_traced(value):
        return value
    single = all(getattr(d, "dtype", None) == np.float32 for d in (p, q))
    value = np.asarray(value, np.float32 if single else np.float64)[()]
    return Estimate(value, np.zeros_like(value), method=f"closed form for ({type(p).__name__}, {type(q).__name__})")


def _shape(p: Any, q: Any) -> tuple[int, ...]:
    for name, distribution in (("p", p), ("q", q)):
        if not hasattr(distribution, "batch_shape") or not hasattr(distribution, "event_shape"):
            raise TypeError(f"{name} must be a distribution; got {type(distribution).__name__}.")
    events = tuple(p.event_shape), tuple(q.event_shape)
    if events[0] != events[1]:
        raise ValueError(f"p and q must have the same event_shape; got {events[0]} and {events[1]}.")
    batches = tuple(p.batch_shape), tuple(q.batch_shape)
    try:
        return np.broadcast_shapes(*batches)
    except ValueError:
        raise ValueError(f"the batches of p and q must broadcast; got {batches[0]} and {batches[1]}.") from None


def _reaches_outside(p: Any, q: Any) -> Any:
    """Return a mask of the members of the batch where `p` has probability outside the declared support of `q`."""
    try:
        ours, theirs = p.support, q.support
        ends = [np.asarray(value_of(end), np.float64) for end in (ours.low, ours.high, theirs.low, theirs.high)]
    except (AttributeError, NotImplementedError):  # not declared, or no interval of numbers
        return False
    low, high, their_low, their_high = ends
    if ours.discrete != theirs.discrete:
        return True
    if not ours.discrete:
        return (low < their_low) | (high > their_high)
    # All counts begin at 0. A distribution need not reach its largest: the next after theirs tells.
    beyond = np.minimum(their_high, np.finfo(float).max) + 1.0
    with np.errstate(all="ignore"):
        return (high > their_high) & (value_of(p.log_prob(beyond)) > -np.inf)


def _infinite_where(outside: Any, estimate: Any) -> Any:
    if not outside.any():
        return estimate
    if not isinstance(estimate, Estimate):
        return anp.where(outside, np.inf, estimate)
    value, error = np.where(outside, np.inf, estimate.value), np.where(outside, 0.0, estimate.standard_error)
    return replace(estimate, value=value[()], standard_error=error[()])


def _estimated(p: Any, q: Any, n: int, rng: RNGLike, block_size: int | None = None) -> Any:
    for name, distribution in (("p", p), ("q", q)):
        _checks.distribution(distribution, name)
    shape = _shape(p, q)
    if tuple(p.batch_shape) == shape:
        estimate = -elbo_ratio(q.log_prob, p, n=n, rng=rng, form="sample", block_size=block_size)
    else:
        # The same draws serve all of a wider batch of q: axes of f beside one joint draw of the batch of p.
        ahead = (1,) * (len(shape) - len(p.batch_shape))

        def log_ratio(z: Any) -> Any:
            z = anp.reshape(z, (len(z), *ahead, *np.shape(value_of(z))[1:]))
            return p.log_prob(z) - q.log_prob(z)

        estimate = expectation(log_ratio, Independent(p, len(p.batch_shape)), n=n, rng=rng, block_size=block_size)
        if isinstance(estimate, Estimate):
            estimate = replace(estimate, method="mean of log p - log q over draws")
    return estimate
