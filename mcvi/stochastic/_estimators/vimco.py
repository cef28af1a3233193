"""VIMCO: the advantage of each draw in the logarithm of a mean, exact at any gap between the draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, once_differentiable, value_of

__all__ = ["get_vimco_advantage_fn", "leave_one_out_log_sum_exp", "leave_one_out_mean"]


def leave_one_out_log_sum_exp(x: Any) -> Any:
    """Return ``log sum_{i != j} exp(x[i])`` for each j along the first axis, in O(n).

    What is left after the largest goes is summed relative to the second largest; what is left after any other goes
    still holds the largest, so that the difference of the sums loses nothing.
    """
    top = np.argmax(x, axis=0)[None]
    largest = np.take_along_axis(x, top, 0)
    others = x.copy()
    np.put_along_axis(others, top, -np.inf, 0)
    # -inf is weight zero, and keeps (-inf) - (-inf) out of the exponentials
    largest = np.where(np.isneginf(largest), 0.0, largest)
    second = np.max(others, axis=0, keepdims=True)
    second = np.where(np.isneginf(second), 0.0, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        without_top = second + np.log(np.sum(np.exp(others - second), axis=0, keepdims=True))
        weights = np.exp(x - largest)
        result = largest + np.log(np.sum(weights, axis=0, keepdims=True) - weights)
    np.put_along_axis(result, top, without_top, 0)
    return result


def leave_one_out_mean(x: Any) -> Any:
    """Return the mean of the others for each element along the first axis, in O(n) and without subtracting."""
    zero = np.zeros_like(x[:1])
    before = np.concatenate([zero, np.cumsum(x, axis=0)[:-1]])
    after = np.concatenate([np.cumsum(x[::-1], axis=0)[::-1][1:], zero])
    return (before + after) / (len(x) - 1)


def _pull_back(g: Any, argnums: Any, answer: Any, log_loss: Any) -> list[Any]:
    """Return the derivative of ``sum(g * advantage)`` in finite log losses, in O(n)."""
    x = log_loss - np.max(log_loss, axis=0, keepdims=True)
    weights = np.exp(x)
    mean = leave_one_out_mean(x)
    log_replaced = np.logaddexp(leave_one_out_log_sum_exp(x), mean)
    top = np.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1)) == np.argmax(x, axis=0)
    # Of the denominators only that of the largest draw may be tiny: it meets the others' weights in logs.
    shares = np.where(top, 0.0, g * np.exp(-np.where(top, 0.0, log_replaced)))
    g_top, log_top = (np.sum(np.where(top, part, 0.0), axis=0) for part in (g, log_replaced))
    from_others = weights * (shares.sum(axis=0) - shares) + g_top * np.exp(np.where(top, -np.inf, x - log_top))
    through_means = g * np.exp(mean - log_replaced)
    from_means = (through_means.sum(axis=0) - through_means) / (len(x) - 1)
    return [weights / weights.sum(axis=0) * g.sum(axis=0) - from_others - from_means]


@once_differentiable(_pull_back, "VIMCO's advantage has a first derivative only.")
def vimco_advantage(log_loss: Any) -> Any:
    """Return the advantage for log losses along the first axis."""
    # A common shift leaves the advantage as it is; about the largest, no digits go to a common size.
    shift = np.max(log_loss, axis=0, keepdims=True)
    log_loss = log_loss - np.where(np.isfinite(shift), shift, 0.0)
    with np.errstate(divide="ignore"):
        whole = np.log(np.sum(np.exp(log_loss), axis=0, keepdims=True))
    with np.errstate(invalid="ignore"):  # nan in is nan out
        replaced = np.logaddexp(leave_one_out_log_sum_exp(log_loss), leave_one_out_mean(log_loss))
        advantage = whole - replaced
    # all weights zero, with and without the draw: nothing to gain
    return np.where(np.isneginf(whole) & np.isneginf(replaced), 0.0, advantage)


def _logarithm(loss: Any, name: str) -> Any:
    """Return the log of a loss; a draw may weigh nothing, but not all of them."""
    log_of, loss = loss, np.asarray(value_of(loss))
    bad = (loss < 0) | ~np.any(loss != 0, axis=0)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}: VIMCO takes the logarithm of the loss, which must be positive; got {loss[index]} at index {index}"
            f"{' and in every other draw' if loss[index] == 0 else ''}. Pass have_log_loss=True for a loss in logs."
        )
    with np.errstate(divide="ignore"):
        return anp.log(log_of)


def get_vimco_advantage_fn(have_log_loss: bool = False) -> Callable[[Any, Any], Any]:
    r"""Return the advantage function of VIMCO for a loss that is a ratio along its first axis, the draws.

    .. math:: A_j = \log\frac1n\sum_i e^{L_i} - \log\frac1n\Big(\sum_{i\ne j} e^{L_i} + e^{\bar L_{-j}}\Big),
              \quad \bar L_{-j} = \frac1{n-1}\sum_{i\ne j} L_i

    Parameters
    ----------
    have_log_loss : bool
        Whether the loss is already :math:`L`, else :math:`L = \log(\text{loss})`.

    Returns
    -------
    callable
        ``advantage(node, loss)``, for `get_score_function_with_advantage`.

    Notes
    -----
    What is estimated is the gradient of the log of a mean; the surrogate's value is still the sum of the losses, and
    its direct gradient is that of the losses: hand over losses whose direct gradient is what is wanted. The
    leave-one-out log-sum-exp takes the largest term out instead of subtracting it: exact at any gap, O(n).

    References
    ----------
    Mnih, Rezende (2016), Variational inference for Monte Carlo objectives, ICML.
    """

    def advantage(stochastic_tensor: Any, loss: Any) -> Any:
        name = getattr(stochastic_tensor, "name", "vimco")
        held = _checks.real_array(loss, f"{name}: loss")
        shape = np.shape(value_of(held))
        if not shape or shape[0] < 2:
            raise ValueError(f"{name}: VIMCO needs at least 2 draws on the first axis of the loss; got shape {shape}.")
        if not have_log_loss:
            held = _logarithm(held, name)
        return vimco_advantage(held if is_traced(held) else np.asarray(held, np.float64))

    advantage.__name__ = "VIMCO"
    advantage.of_losses = True  # type: ignore[attr-defined]
    return advantage
