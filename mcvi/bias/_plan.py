"""The arguments of a bias study, checked before anything is drawn."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._engine.estimator import LogWeight
from mcvi._typing import FloatArray
from mcvi.random import Key

__all__ = ["Plan"]

_LEAST_REFERENCE = 100_000
_LEAST_REFERENCE_FOR_TRUTH = 2**20


@dataclass(frozen=True)
class Plan:
    """The checked arguments."""

    weight: LogWeight
    sizes: tuple[int, ...]
    alphas: tuple[float, ...]
    replications: tuple[int, ...]
    truth: FloatArray
    relative_variance: FloatArray
    reference: int
    key: Key

    @property
    def powers(self) -> tuple[float, ...]:
        return tuple(1.0 - alpha for alpha in self.alphas)

    @property
    def total(self) -> int:
        return self.reference + sum(n * runs for n, runs in zip(self.sizes, self.replications, strict=True))

    @classmethod
    def of(
        cls,
        log_p: Any,
        q: Any,
        sizes: Any,
        alphas: Any,
        replications: Any,
        truth: Any,
        relative_variance: Any,
        reference: Any,
        key: Key,
    ) -> "Plan":
        """Check everything before anything is drawn."""
        _checks.distribution(q, "q")
        if getattr(q, "is_traced", False):
            raise TypeError("bias_curve has no derivative: q must not have traced parameters.")
        if tuple(q.batch_shape) != ():
            raise ValueError(
                f"q must have an empty batch_shape; got {tuple(q.batch_shape)}. Study one member at a time."
            )
        counts = tuple(_checks.draw_count(n, "each of sizes") for n in _listed(sizes, "sizes"))
        if any(a >= b for a, b in pairwise(counts)):
            raise ValueError(f"sizes must increase; got {', '.join(map(str, counts))}.")
        orders = tuple(_finite(alpha, "each of alphas") for alpha in _listed(alphas, "alphas"))
        if len(set(orders)) < len(orders):
            raise ValueError(f"alphas must differ; got {', '.join(f'{alpha:g}' for alpha in orders)}.")
        runs = _listed(replications, "replications") if np.ndim(replications) else (replications,) * len(counts)
        if len(runs) != len(counts):
            raise ValueError(
                f"replications must be one number, or one for each of {len(counts)} sizes; got {len(runs)}."
            )
        repeats = tuple(_checks.draw_count(run, "replications") for run in runs)
        if min(repeats) < 2:
            raise ValueError("replications must be at least 2: one run has no spread.")
        limits = np.full(len(orders), np.nan)
        if truth is not None and np.ndim(truth) == 0:
            limits[[alpha == 0.0 for alpha in orders]] = _finite(truth, "truth")
        elif truth is not None:
            limits = _one_each(truth, len(orders), "truth")
        variances = (
            np.full(len(orders), np.nan)
            if relative_variance is None
            else _one_each(relative_variance, len(orders), "relative_variance")
        )
        if reference is None:
            unknown = bool(np.isnan(limits).any())
            least, times = (_LEAST_REFERENCE_FOR_TRUTH, 16) if unknown else (_LEAST_REFERENCE, 4)
            reference = max(least, times * counts[-1])
        return cls(
            LogWeight.of(log_p, q),
            counts,
            orders,
            repeats,
            limits,
            variances,
            _checks.draw_count(reference, "reference"),
            key,
        )


def _listed(values: Any, name: str) -> tuple[Any, ...]:
    if np.ndim(values) != 1 or len(values) == 0:
        raise ValueError(f"{name} must be a sequence of at least one number; got {values!r}.")
    return tuple(values)


def _finite(value: Any, name: str) -> float:
    number = _checks.real_scalar(value, name)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite; got {number}.")
    return number


def _one_each(values: Any, count: int, name: str) -> FloatArray:
    array = np.asarray(
        _checks.real_array([np.nan if v is None else v for v in _listed(values, name)], name), np.float64
    )
    if array.shape != (count,):
        raise ValueError(f"{name} must have one number for each of {count} alphas; got shape {array.shape}.")
    if np.isinf(array).any():
        raise ValueError(f"{name} must be finite, or nan where it is not known; got {array}. Leave that order out.")
    return array
