"""Diagnostics of importance weights: Pareto k-hat, Pareto smoothing, effective sample size."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcvi._autograd import value_of
from mcvi._checks import draw_count, real_array
from mcvi._kernels.sums.pareto import FEWEST_EXCEEDANCES, fit_tails
from mcvi._typing import ArrayLike

__all__ = [
    "SmoothedWeights",
    "effective_sample_size",
    "khat",
    "khat_of_tail",
    "khat_threshold",
    "psis",
    "tail_length",
]

# What a streaming estimator keeps: the longest tail, and the cutoff below it.
LONGEST_KEPT_TAIL = 3000


class SmoothedWeights(NamedTuple):
    """Pareto smoothed log weights, and the k-hat of the fit."""

    log_weights: NDArray[np.floating]
    khat: NDArray[np.float64]


def khat(log_weights: ArrayLike, *, r_eff: float = 1.0) -> NDArray[np.float64]:
    r"""Return the Pareto k-hat of importance weights: how heavy their upper tail is.

    The largest :math:`M = \lceil\min(0.2\,n, 3\sqrt n)\rceil` weights, less the next one, are fitted by a generalised
    Pareto law with density :math:`\sigma^{-1}(1 + k x/\sigma)^{-1/k - 1}`. Weights with tail index :math:`k` have
    :math:`\lfloor 1/k \rfloor` finite moments: from 1/2 on they have no variance, and above :func:`khat_threshold`
    a mean over these draws, and the standard error beside it, are not to be believed.

    Parameters
    ----------
    log_weights : array_like
        Log importance weights ``log p(z) - log q(z)``, ``(n, *batch)``; a constant added to them changes nothing.
    r_eff : float
        The relative efficiency of draws from a Markov chain, their effective number over `n`: the tail is
        :math:`\lceil\min(0.2\,n, 3\sqrt{n/r})\rceil` weights long. 1 for independent draws.

    Returns
    -------
    numpy.ndarray
        k-hat, float64, of shape ``batch``. It is ``-inf`` where the tail is one value (weights equal within 1e-10: a
        constant has every moment), ``inf`` where it cannot be judged (fewer than 5 weights in the tail, as always for
        n <= 20, or fewer than 5 above its many ties), and nan where a log weight is nan or ``+inf``.

    Raises
    ------
    ValueError
        If `log_weights` has no axis of draws, or no draws.

    Notes
    -----
    The tail length is that of R's loo (some ports round down: the answers then differ by up to 0.02 at n = 1000). The
    values agree with loo's default fit, but where loo has none: for equal weights (``inf`` there, with a warning), and
    where a quarter of the tail ties with the cutoff (the ties are left out here). ``-inf`` is a weight of zero.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72).
    Zhang & Stephens (2009), Technometrics 51(3), doi:10.1198/tech.2009.08017.

    Examples
    --------
    A proposal Exp(rate 2) for a target Exp(rate 1) has weights of tail index 1/2:

    >>> import numpy as np
    >>> z = np.random.default_rng(0).exponential(1 / 2, size=100_000)
    >>> print(f"{khat(-z - (np.log(2) - 2 * z)):.1f}")
    0.5
    """
    log_weights = _log_weights(log_weights)
    return khat_of_tail(log_weights, log_weights.shape[0], r_eff=r_eff)


def khat_of_tail(tail_log_weights: ArrayLike, n: int, *, r_eff: float = 1.0) -> NDArray[np.float64]:
    """Return k-hat when only the largest log weights of `n` draws were kept.

    Parameters
    ----------
    tail_log_weights : array_like
        At least the ``tail_length(n, r_eff) + 1`` largest log weights, in any order, ``(m, *batch)``; or the 3001
        largest, where more would be needed: the fit then takes the 3000 that it has above the cutoff.
    n : int
        The number of draws.
    r_eff : float
        As in :func:`khat`.

    Returns
    -------
    numpy.ndarray
        As :func:`khat`; the same number, unless the tail was cut at 3000.

    Raises
    ------
    ValueError
        If fewer log weights were kept than the rule needs, or more than `n`.

    Examples
    --------
    >>> import numpy as np
    >>> log_weights = np.random.default_rng(0).normal(size=1000)
    >>> kept = np.sort(log_weights)[-200:]
    >>> bool(khat_of_tail(kept, 1000) == khat(log_weights))
    True
    """
    tail = _log_weights(tail_log_weights, "tail_log_weights")
    wanted = tail_length(n, r_eff)
    length = min(wanted, tail.shape[0] - 1)
    if tail.shape[0] > n:
        raise ValueError(f"tail_log_weights must hold at most n = {n} log weights; got {tail.shape[0]}.")
    if length < min(wanted, LONGEST_KEPT_TAIL, n - 1):
        raise ValueError(
            f"tail_log_weights must hold the {min(wanted, LONGEST_KEPT_TAIL) + 1} largest of n = {n} log weights; "
            f"got {tail.shape[0]}. Keep more."
        )
    batch = tail.shape[1:]
    if length < FEWEST_EXCEEDANCES:
        unusable = np.isnan(tail) | (tail == np.inf)
        return np.where(unusable.any(axis=0), np.nan, np.inf)[()]
    rows = tail.reshape(tail.shape[0], -1).T
    largest = np.sort(np.partition(rows, tail.shape[0] - length - 1, axis=1)[:, -length - 1 :], axis=1)
    shapes, _, _, _ = _fit(largest)
    return shapes.reshape(batch)[()]


def khat_threshold(n: int) -> float:
    """Return the k-hat above which `n` draws are too few: ``min(1 - 1 / log10(n), 0.7)``.

    Below it the error of a mean over `n` draws is moderate with high probability (Vehtari et al. 2024, section 3.2.4).

    Examples
    --------
    >>> khat_threshold(100), khat_threshold(100_000)
    (0.5, 0.7)
    """
    n = draw_count(n)
    return -math.inf if n == 1 else min(1 - 1 / math.log10(n), 0.7)


def tail_length(n: int, r_eff: float = 1.0) -> int:
    """Return how many of `n` weights count as the tail: ``ceil(min(n / 5, 3 sqrt(n / r_eff)))``, as in R's loo.

    Parameters
    ----------
    n : int
        The number of draws.
    r_eff : float
        Their effective number over `n`; 1 for independent draws.

    Examples
    --------
    >>> tail_length(100), tail_length(1000), tail_length(1000, r_eff=0.25)
    (20, 95, 190)
    """
    n = draw_count(n)
    if not np.isscalar(r_eff) or isinstance(r_eff, str) or not 0.0 < r_eff < math.inf:
        raise ValueError(f"r_eff must be a positive number (effective draws over draws); got {r_eff!r}.")
    return math.ceil(min(0.2 * n, 3 * math.sqrt(n / r_eff)))


def psis(log_weights: ArrayLike, *, r_eff: float = 1.0) -> SmoothedWeights:
    r"""Replace the largest weights by the expected order statistics of the Pareto tail fitted to them.

    The i-th of the M weights in the tail becomes the quantile :math:`(i - 1/2)/M` of the fitted law, at most the
    largest raw weight. Equal weights, as discrete proposals make them, share the mean of their smoothed values. The
    result is less variable, with a small bias, and useful for k-hat up to about 0.7.

    Parameters
    ----------
    log_weights : array_like
        Log importance weights, ``(n, *batch)``.
    r_eff : float
        As in :func:`khat`.

    Returns
    -------
    SmoothedWeights
        ``log_weights``, in their place and **not** normalised (the log of their mean estimates the log evidence;
        subtract their log-sum-exp for weights that sum to one), and ``khat`` of shape ``batch``. Where k-hat is not
        finite the weights are returned as they came.

    Raises
    ------
    ValueError
        If `log_weights` has no axis of draws, or no draws.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72).

    Examples
    --------
    >>> import numpy as np
    >>> log_weights = np.random.default_rng(0).normal(size=1000)
    >>> smoothed, k = psis(log_weights)
    >>> bool(smoothed.max() <= log_weights.max()), bool(k < khat_threshold(1000))
    (True, True)
    """
    given = _log_weights(log_weights)
    n = given.shape[0]
    length = min(tail_length(n, r_eff), n - 1)
    if length < FEWEST_EXCEEDANCES:
        return SmoothedWeights(given.copy(), khat_of_tail(given, n, r_eff=r_eff))
    rows = np.array(given.reshape(n, -1).T, dtype=np.float64, order="C")
    largest = np.sort(np.partition(rows, n - length - 1, axis=1)[:, -length - 1 :], axis=1)
    shapes, scales, firsts, cutoffs = _fit(largest)
    for row in np.flatnonzero(np.isfinite(shapes)):
        count = length - firsts[row]
        quantiles = _pareto_quantiles((np.arange(count) + 0.5) / count, shapes[row], scales[row])
        _smooth(rows[row], largest[row, -count:], np.minimum(cutoffs[row] + quantiles, 1.0))
    smoothed_weights = rows.T.reshape(given.shape).astype(given.dtype, copy=False)
    return SmoothedWeights(smoothed_weights, shapes.reshape(given.shape[1:])[()])


def effective_sample_size(log_weights: ArrayLike) -> NDArray[np.float64]:
    r"""Return Kish's effective sample size, :math:`(\sum_i w_i)^2 / \sum_i w_i^2`.

    Parameters
    ----------
    log_weights : array_like
        Log importance weights, ``(n, *batch)``; a constant added to them changes nothing.

    Returns
    -------
    numpy.ndarray
        Between 1 and n, of shape ``batch``; 0 where every weight is zero, nan where a log weight is nan or ``+inf``.

    Raises
    ------
    ValueError
        If `log_weights` has no axis of draws, or no draws.

    Examples
    --------
    >>> import numpy as np
    >>> float(effective_sample_size([0.0, 0.0, -np.inf, 0.0]))
    3.0
    """
    weights, _ = _scaled_weights(np.moveaxis(_log_weights(log_weights), 0, -1))
    square = np.square(weights).sum(axis=-1)
    # no weight at all: 0 / 1, not 0 / 0
    sizes: NDArray[np.float64] = np.square(weights.sum(axis=-1)) / np.where(square == 0, 1.0, square)
    return sizes[()]


def _fit(
    largest: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Fit rows of ascending log weights, the cutoff first: shapes, scales, first exceedances, cutoffs.

    The scales and cutoffs are of weights whose largest is one.
    """
    weights, all_zero = _scaled_weights(largest)
    cutoffs = weights[:, 0]
    count = weights.shape[0]
    shapes, scales, firsts = np.empty(count), np.empty(count), np.empty(count, np.int64)
    fit_tails(weights[:, 1:] - cutoffs[:, None], shapes, scales, firsts)
    # equal weights of zero are no evidence of a light tail
    shapes[all_zero] = np.inf
    return shapes, scales, firsts, cutoffs


def _scaled_weights(log_weights: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the weights over the last axis divided by the largest, and where that is zero; +inf and nan become nan."""
    top = log_weights.max(axis=-1, keepdims=True).astype(np.float64)
    all_zero = top == -np.inf
    with np.errstate(invalid="ignore"):  # inf - inf is the nan that is wanted
        weights = np.exp(log_weights - np.where(all_zero, 0.0, top))
    return np.where(top == np.inf, np.nan, weights), all_zero[..., 0]


def _smooth(log_weights: NDArray[np.float64], tail: NDArray[np.float64], smoothed: NDArray[np.float64]) -> None:
    """Give the log weights in an ascending tail their smoothed weights, which are relative to the largest.

    Values are replaced, not places: which of several equal draws a selection would put in the tail is arbitrary.
    """
    top = tail[-1]
    values, first, inside = np.unique(tail, return_index=True, return_counts=True)
    sums = np.add.reduceat(smoothed, first)
    # The tail may begin between equal weights. Those outside of it keep what they have, before all of them share.
    outside = np.count_nonzero(log_weights == values[0]) - inside[0]
    sums[0] += outside * np.exp(values[0] - top)
    inside[0] += outside
    members = np.flatnonzero(log_weights >= values[0])
    with np.errstate(divide="ignore"):
        log_weights[members] = (np.log(sums / inside) + top)[np.searchsorted(values, log_weights[members])]


def _pareto_quantiles(levels: NDArray[np.float64], shape: float, scale: float) -> NDArray[np.float64]:
    exponential = -np.log1p(-levels)
    return scale * (exponential if shape == 0 else np.expm1(shape * exponential) / shape)


def _log_weights(log_weights: ArrayLike, name: str = "log_weights") -> NDArray[np.floating]:
    array: NDArray[np.floating] = np.asarray(value_of(real_array(log_weights, name)))
    if array.ndim == 0 or array.shape[0] == 0:
        raise ValueError(f"{name} must have draws along its first axis; got shape {array.shape}.")
    return array
