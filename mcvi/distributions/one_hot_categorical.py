"""The categorical distribution of one-hot vectors."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp
from autograd.extend import defvjp, primitive

from mcvi._autograd import value_of
from mcvi._kernels.draws import categories
from mcvi._typing import FloatArray, Parameter
from mcvi.distributions._base.category_probabilities import logits_otherwise, probs_otherwise
from mcvi.distributions._base.constraints import counts_of
from mcvi.distributions._base.finite import Classes, kl_classes_classes
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

    logits: Parameter = logits_otherwise
    probs: Parameter = probs_otherwise

    support: ClassVar = counts_of(1.0)

    def _fill(self, key: Key, first: int, out: FloatArray) -> None:
        drawn = np.empty(len(out))
        self._draw_classes(key, first, drawn)
        categories.one_hot(drawn, out)

    def _class_of(self, value: Any) -> Any:
        return _class_of(value)

    def _mean(self) -> Any:
        return self._probabilities

    def _mode(self) -> Any:
        best = np.argmax(value_of(self._log_probabilities), axis=-1)
        return (np.arange(self._size) == best[..., None]) * 1.0

    def _variance(self) -> Any:
        return self._probabilities * self._complements

    def _covariance(self) -> Any:
        return self._one_trial_covariance()


@primitive
def _class_of(vectors: Any) -> FloatArray:
    flat = np.ascontiguousarray(vectors, np.float64)
    out = np.empty(flat.shape[:-1])
    categories.hot_category(flat.reshape(-1, flat.shape[-1]), out.reshape(-1))
    return out


defvjp(_class_of, lambda ans, vectors: lambda g: anp.zeros(np.shape(value_of(vectors))))


register_kl(OneHotCategorical, OneHotCategorical)(kl_classes_classes)
