"""The loss minus the mean loss of the other draws."""

from typing import Any

import numpy as np

from mcvi._autograd import value_of
from mcvi.stochastic._estimators.score_function import ScoreEstimator

__all__ = ["leave_one_out", "leave_one_out_advantage"]


def leave_one_out_advantage(stochastic_tensor: Any, loss: Any) -> Any:
    r"""Return :math:`f_i - \frac1{n-1}\sum_{j\ne i} f_j` along the first axis."""
    held = np.asarray(value_of(loss), np.float64)
    if held.ndim == 0 or held.shape[0] < 2:
        raise ValueError(
            f"{stochastic_tensor.name}: leave_one_out needs at least 2 draws on the first axis of the loss; "
            f"got shape {held.shape}."
        )
    n = held.shape[0]
    return (held - held.mean(axis=0)) * (n / (n - 1))


#: The score function with the mean of the other draws for a baseline (RLOO, VarGrad). Unbiased where the loss of a draw
#: depends on that draw alone, along the first axis. Salimans & Knowles (2014); Kool, van Hoof, Welling (2019).
leave_one_out = ScoreEstimator("score function, leave-one-out", leave_one_out_advantage)
