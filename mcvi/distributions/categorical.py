"""The categorical distribution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of
from mcvi._typing import FloatArray, Parameter
from mcvi.distributions._base.category_probabilities import logits_otherwise, probs_otherwise
from mcvi.distributions._base.constraints import Constraint, whole_up_to
from mcvi.distributions._base.counts import log_tail
from mcvi.distributions._base.finite import Classes, entries, kl_classes_classes
from mcvi.distributions._base.kl import register_kl
from mcvi.random import Key

__all__ = ["Categorical"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Categorical(Classes, compiled=True):
    r"""One of the numbers 0 to K - 1, with :math:`P(k) = p_k = e^{\ell_k} / \sum_j e^{\ell_j}`.

    Score at k: :math:`1_k - p` in `logits`, :math:`1_k / p_k - 1` in `probs` (as renormalised). Fisher information:
    :math:`\operatorname{diag}(p) - p p^\top` in `logits`. The index has a mode, but no mean: it is a label.

    Parameters
    ----------
    logits : array_like ``(*batch_shape, K)``, keyword-only
        Log probabilities :math:`\ell` up to a constant; numbers or -inf (a class that cannot occur), not all -inf.
    probs : array_like ``(*batch_shape, K)``, keyword-only
        Probabilities :math:`p`, which sum to one within 1e-6 and are then renormalised. Exactly one of the two is
        given; the other is computed when read.

    Examples
    --------
    >>> from mcvi.distributions import Categorical
    >>> q = Categorical(probs=[0.5, 0.25, 0.25, 0.0])
    >>> q.log_prob([0, 1, 3, 4])
    array([-0.69314718, -1.38629436,        -inf,        -inf])
    >>> q.cdf(1)
    np.float64(0.75)
    """

    logits: Parameter = logits_otherwise
    probs: Parameter = probs_otherwise

    @property
    def event_shape(self) -> tuple[int, ...]:
        """``()``: a class is a number."""
        return ()

    @property
    def support(self) -> Constraint:
        """The whole numbers from 0 to K - 1."""
        return whole_up_to(self._size - 1)

    def _fill(self, key: Key, first: int, out: FloatArray) -> None:
        self._draw_classes(key, first, out)

    def _class_of(self, value: Any) -> Any:
        return value

    def _mode(self) -> Any:
        return anp.argmax(self._log_probabilities, axis=-1) * 1.0

    def _steps(self, table: Any, value: Any, below: float, from_last: float) -> Any:
        """Return entries of `table` as a step function of `value`: nan at nan."""
        inside = entries(table, anp.clip(anp.floor(value), 0, self._size - 1))
        return anp.where(value < 0, below, anp.where(value >= self._size - 1, from_last, inside))

    @property
    def _below(self) -> Any:
        return anp.cumsum(self._probabilities, axis=-1)

    @property
    def _above(self) -> Any:
        # From the other end, so that a small tail keeps its digits.
        beyond = anp.cumsum(self._probabilities[..., :0:-1], axis=-1)[..., ::-1]
        return anp.concatenate([beyond, np.zeros((*self.batch_shape, 1))], axis=-1)

    def _cdf(self, value: Any) -> Any:
        return self._steps(self._below, value, 0.0, 1.0)

    def _log_cdf(self, value: Any) -> Any:
        return self._steps(log_tail(self._below, self._above), value, -np.inf, 0.0)

    def _survival_function(self, value: Any) -> Any:
        return self._steps(self._above, value, 1.0, 0.0)

    def _log_survival_function(self, value: Any) -> Any:
        return self._steps(log_tail(self._above, self._below), value, 0.0, -np.inf)

    def _quantile(self, probability: Any) -> Any:
        smaller = self._sums.reshape(*self.batch_shape, self._size) < np.asarray(value_of(probability))[..., None]
        possible = (probability >= 0) & (probability <= 1)
        return np.where(possible, smaller.sum(axis=-1), np.nan)


register_kl(Categorical, Categorical)(kl_classes_classes)
