"""What the estimators of means evaluate at a block of draws, beside the weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._engine.draws import LogWeight, Traced
from mcvi._typing import FloatArray, Function

__all__ = ["LogTerm", "Values"]


@dataclass(frozen=True)
class Values:
    """The function of a plain expectation, whose values may have axes of their own after those of the batch."""

    function: Function
    batch_shape: tuple[int, ...]
    name: str = "f"

    def __call__(self, z: Any) -> FloatArray:
        result = self.traced(z)
        if is_traced(result):
            raise Traced
        rest = result.shape[1 + len(self.batch_shape) :]
        return np.ascontiguousarray(np.broadcast_to(result, (len(z), *self.batch_shape, *rest)), np.float64)

    def traced(self, z: Any) -> Any:
        result = self.function(z)
        rest = np.shape(value_of(result))[1 + len(self.batch_shape) :]
        return _checks.result_shape(result, (len(z), *self.batch_shape, *rest), self.name)


@dataclass(frozen=True)
class LogTerm:
    """``log f(z) + log w(z)``."""

    log_f: Any
    weight: LogWeight

    @property
    def name(self) -> str:
        return f"log_f(z) + {self.weight.name}"

    def __call__(self, z: Any) -> FloatArray:
        log_w, log_f = self.weight(z), self.log_f(z)
        log_f = log_f.reshape(log_w.shape)
        with np.errstate(invalid="ignore"):  # 0 times an infinite weight is nan
            total = log_w + log_f
        # a weight of zero counts for nothing, whatever f is there, unless it is nan
        total[(log_w == -np.inf) & ~np.isnan(log_f)] = -np.inf
        return total  # type: ignore[no-any-return]

    def traced(self, z: Any) -> Any:
        return self.log_f.traced(z) + self.weight.traced(z)
