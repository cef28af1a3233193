"""The categorical distribution of one-hot vectors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp
from autograd.extend import defvjp, primitive

from mcvi._autograd import value_of
from mcvi._kernels.draws import categories
from mcvi._typing import FloatArray
from mcvi.distributions._base.finite import Classes, entries, kl_classes_classes, logits_otherwise, probs_otherwise
from mcvi.distributions._base.kl import register_kl
from mcvi.random import Key

__all__ = ["OneHotCategorical"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class OneHotCategorical(Classes, compiled=True):
    r"""One of the unit vectors :math:`e_k` of K numbers, with :math:`P(e_k) = p_k`.

    Score at :math:`e_k`: :math:`e_k - p` in `logits`, :math:`e_k / p_k - 1` in `probs` (as renormalised). Mean
    :math:`p`, covariance :math:`\operatorname{diag}(p) - p p^\top`. What is no unit vector has probability zero.

    Parameters
    ----------
    logits : array_like ``(*batch_shape, K)``, keyword-only
        Log probabilities up to a constant; numbers or -inf (a class that cannot occur), not all -inf.
    probs : array_like ``(*batch_shape, K)``, keyword-only
        Probabilities, which sum to one within 1e-6 and are then renormalised. Exactly one of the two is
        given; the other is computed when read.

    Examples
    --------
    >>> from mcvi.distributions import OneHotCategorical
    >>> q = OneHotCategorical(probs=[0.5, 0.25, 0.25])
    >>> q.event_shape
    (3,)
    >>> q.log_prob([[1, 0, 0], [0, 0, 1], [1, 1, 0]])
    array([-0.69314718, -1.38629436,        -inf])
    """

    logits: Any = logits_otherwise
    probs: Any = probs_otherwise

    @property
    def event_shape(self) -> tuple[int, ...]:
        """One axis: the classes."""
        return self._shape[-1:]

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        drawn = self._draw_classes(key, first, count)
        out = np.empty((drawn.size, self._shape[-1]))
        categories.one_hot(drawn, out)
        return out.reshape(count, *self._shape)

    def _class_of(self, value: Any) -> Any:
        shape = np.shape(value_of(value))
        if shape[-1:] != self._shape[-1:]:
            raise ValueError(
                f"OneHotCategorical: value must hold {self._shape[-1]} classes on its last axis; got shape {shape}."
            )
        return _class_of(value)

    def _log_prob(self, value: Any) -> Any:
        return entries(self._log_probabilities, self._class_of(value))

    def score(self, value: Any) -> dict[str, Any]:
        """Return the derivatives of ``log_prob(value)``, vectors over the classes; 0 in ``"value"``."""
        return self._score_at(self._class_of(value_of(self._checked(value))))

    def _mean(self) -> Any:
        return self._probabilities

    def _mode(self) -> Any:
        best = np.argmax(value_of(self._given[1]), axis=-1)
        return (np.arange(self._shape[-1]) == best[..., None]) * 1.0

    def _variance(self) -> Any:
        return self._probabilities * (1.0 - self._probabilities)

    def _covariance(self) -> Any:
        p = self._probabilities
        return anp.eye(self._shape[-1]) * p[..., None] - p[..., None] * p[..., None, :]


@primitive
def _class_of(vectors: Any) -> FloatArray:
    flat = np.ascontiguousarray(vectors, np.float64)
    out = np.empty(flat.shape[:-1])
    categories.hot_category(flat.reshape(-1, flat.shape[-1]), out.reshape(-1))
    return out


defvjp(_class_of, lambda ans, vectors: lambda g: anp.zeros(np.shape(value_of(vectors))))


register_kl(OneHotCategorical, OneHotCategorical)(kl_classes_classes)
