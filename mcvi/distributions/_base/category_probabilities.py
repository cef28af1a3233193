"""Probabilities of K categories, given as `probs` or as `logits`, with the categories on the last axis."""

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import once_differentiable, where
from mcvi._kernels.draws import categories
from mcvi._typing import FloatArray
from mcvi.distributions._base.alternatives import otherwise
from mcvi.distributions._base.constraints import log_weights, simplex
from mcvi.distributions._base.distribution import NO_SECOND_DERIVATIVE
from mcvi.distributions._base.vector_family import VectorFamily
from mcvi.distributions._base.vectors import matrix_of

__all__ = ["CategoryProbabilities", "logits_otherwise", "probs_otherwise"]

#: Defaults of the two fields.
logits_otherwise = otherwise(lambda distribution: distribution._log_probabilities)
probs_otherwise = otherwise(lambda distribution: distribution._probabilities)


class CategoryProbabilities(VectorFamily):
    """A family with the probabilities of K categories; the tables of them are ``(*batch_shape, K)``, traced or not."""

    logits: Any
    probs: Any

    constraints = {"logits": log_weights, "probs": simplex}
    _one_of: ClassVar = ("logits", "probs")

    @property
    def _given(self) -> str:
        return "logits" if "logits" in self.parameters else "probs"

    @cached_property
    def _log_probabilities(self) -> Any:
        return _log_probabilities(self.parameters[self._given], given=self._given)

    @cached_property
    def _probabilities(self) -> Any:
        given = self.parameters[self._given]
        return anp.exp(self._log_probabilities) if self._given == "logits" else given / _row_sums(given)

    @cached_property
    def _complements(self) -> Any:
        """One minus each probability: of a large one the sum of the others, which has not lost its digits."""
        p = self._probabilities
        large = p > 0.5
        return where(large, _row_sums(anp.where(large, 0.0, p)), 1.0 - p)

    def _one_trial_covariance(self) -> Any:
        r"""Return :math:`\operatorname{diag}(p) - p p^\top`."""
        p = self._probabilities
        return matrix_of(p * self._complements, -p[..., None] * p[..., None, :])

    def _one_trial_fisher(self) -> Any:
        """Return the Fisher information of one trial, in the parameter that was given."""
        if self._given == "logits":
            return self._one_trial_covariance()
        return matrix_of(self._complements / self._probabilities, -1.0)


def _row_sums(probs: Any) -> Any:
    return anp.sum(probs, axis=-1, keepdims=True)


def _pull_back(g: Any, argnums: Any, log_p: Any, parameter: Any, *, given: str) -> list[Any]:
    total = g.sum(axis=-1, keepdims=True)
    if given == "logits":
        return [g - np.exp(log_p) * total]
    with np.errstate(divide="ignore"):
        return [np.where(g == 0, 0.0, g / np.where(g == 0, 1.0, parameter)) - total / _row_sums(parameter)]


@once_differentiable(_pull_back, NO_SECOND_DERIVATIVE)
def _log_probabilities(parameter: Any, *, given: str) -> FloatArray:
    table = np.ascontiguousarray(parameter, np.float64).reshape(-1, np.shape(parameter)[-1])
    out = np.empty_like(table)
    (categories.log_softmax if given == "logits" else categories.log_normalised)(table, out)
    return out.reshape(np.shape(parameter))
