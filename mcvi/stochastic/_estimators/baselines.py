"""Baselines learnt from past losses: a running mean, and a regression on what was known before the draw."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._autograd import value_of

__all__ = ["MeanBaseline", "RegressionBaseline", "get_mean_baseline", "get_regression_baseline"]


class MeanBaseline:
    """The bias-corrected exponential mean of the losses seen before: zero at first.

    Calling it returns the value *before* the present loss enters, so that the estimator stays unbiased. It has state:
    make one for each node, outside the function that is differentiated.
    """

    def __init__(self, ema_decay: float, name: str) -> None:
        self.ema_decay = ema_decay
        self.__name__ = name
        self._sum, self._weight = 0.0, 0.0

    def read(self, stochastic_tensor: Any = None, loss: Any = None) -> float:
        """Return the mean of the losses seen so far."""
        return self._sum / self._weight if self._weight else 0.0

    def update(self, stochastic_tensor: Any, loss: Any) -> None:
        """Take in a loss."""
        mean = float(np.mean(value_of(loss)))
        if not np.isfinite(mean):  # one bad step must not poison the baseline for ever
            return
        self._sum = self.ema_decay * self._sum + (1.0 - self.ema_decay) * mean
        self._weight = self.ema_decay * self._weight + (1.0 - self.ema_decay)

    def __call__(self, stochastic_tensor: Any, loss: Any) -> float:
        """Return the mean of the losses before this one, then take this one in."""
        before = self.read()
        self.update(stochastic_tensor, loss)
        return before


def get_mean_baseline(ema_decay: float = 0.99, name: str | None = None) -> MeanBaseline:
    r"""Return a baseline that is the exponential mean of the losses of earlier steps.

    .. math:: b_t = \sum_{s<t} d^{t-1-s} m_s \Big/ \sum_{s<t} d^{t-1-s}, \quad b_1 = 0

    Parameters
    ----------
    ema_decay : float in [0, 1)
        d. :math:`m_s` is the mean of all elements of the loss at step s.
    """
    if not 0.0 <= ema_decay < 1.0:
        raise ValueError(f"ema_decay must be at least 0 and below 1; got {ema_decay!r}.")
    return MeanBaseline(float(ema_decay), name or f"mean (decay {ema_decay:g})")


class RegressionBaseline:
    """The least-squares prediction of the loss from features, fitted to the losses seen before.

    Calling it returns the prediction *before* the present loss enters. It has state, as `MeanBaseline` has.
    """

    def __init__(self, features: Callable[[Any, Any], Any], ema_decay: float, ridge: float, name: str) -> None:
        self.features, self.ema_decay, self.ridge = features, ema_decay, ridge
        self.__name__ = name
        self._gram: Any = None
        self._moment: Any = None
        self._weight = 0.0

    def _design(self, node: Any, loss: Any) -> Any:
        """Return the features with a column of ones in front, ``(loss.size, k + 1)``."""
        features = np.asarray(value_of(self.features(node, loss)), np.float64)
        shape = np.shape(loss)
        if features.shape[: len(shape)] != shape or features.ndim > len(shape) + 1:
            raise ValueError(
                f"{node.name}: features must have the shape {shape} of the loss, with at most one axis more; "
                f"got {features.shape}."
            )
        rows = features.reshape(np.size(loss), -1)
        return np.concatenate([np.ones((len(rows), 1)), rows], axis=1)

    def read(self, stochastic_tensor: Any, loss: Any) -> Any:
        """Return the prediction from the losses seen so far; zero before the first."""
        if self._gram is None:
            return 0.0
        rows = self._design(stochastic_tensor, loss)
        scale = np.trace(self._gram) / len(self._gram)
        slope = np.linalg.solve(self._gram + self.ridge * scale * np.eye(len(self._gram)), self._moment)
        return (rows @ slope).reshape(np.shape(loss))

    def update(self, stochastic_tensor: Any, loss: Any) -> None:
        """Take in a loss."""
        held = np.asarray(value_of(loss), np.float64)
        rows = self._design(stochastic_tensor, held)
        if not (np.isfinite(held).all() and np.isfinite(rows).all()):
            return
        gram, moment = rows.T @ rows / len(rows), rows.T @ held.reshape(-1) / len(rows)
        keep, take = (0.0, 1.0) if self._gram is None else (self.ema_decay, 1.0 - self.ema_decay)
        self._gram = take * gram + (keep * self._gram if keep else 0.0)
        self._moment = take * moment + (keep * self._moment if keep else 0.0)

    def __call__(self, stochastic_tensor: Any, loss: Any) -> Any:
        """Return the prediction from the losses before this one, then take this one in."""
        before = self.read(stochastic_tensor, loss)
        self.update(stochastic_tensor, loss)
        return before


def get_regression_baseline(
    features: Callable[[Any, Any], Any], *, ema_decay: float = 0.99, ridge: float = 1e-8, name: str | None = None
) -> RegressionBaseline:
    r"""Return a baseline linear in features of what was known before the draw: :math:`b = w_0 + w^\top\varphi`.

    The weights are the least-squares fit to past losses, with exponentially decaying weight.

    Parameters
    ----------
    features : callable
        ``features(node, loss)`` returns ``loss.shape`` or ``(*loss.shape, k)``. It must not depend on the node's own
        draws (nor on the loss): data, parents, other plates are fine; otherwise the estimator is biased.
    ema_decay : float in [0, 1)
    ridge : float
        Relative regularisation of the normal equations.

    References
    ----------
    Mnih, Gregor (2014), Neural variational inference and learning in belief networks, ICML (input-dependent baselines).
    """
    _checks.function(features, "features")
    if not 0.0 <= ema_decay < 1.0:
        raise ValueError(f"ema_decay must be at least 0 and below 1; got {ema_decay!r}.")
    return RegressionBaseline(features, float(ema_decay), float(ridge), name or "regression on features")
