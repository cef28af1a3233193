"""Functions of a block of draws: densities, weights and a user's own functions, checked and as blocks of float64.

Each has a `name` for warnings, says by `is_traced` whether autograd traces its parameters (a traced value inside a
user's function shows only when it is called) and by `is_compiled` whether threads may share it, gives the values of a
block when it is called, and by `traced` the same on autograd's tape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numba.core.dispatcher import Dispatcher

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._engine.draws import Traced
from mcvi._kernels.log_weights.arguments import Given
from mcvi._kernels.log_weights.numbers import log_weights_of
from mcvi._typing import FloatArray
from mcvi.distributions import Distribution

__all__ = ["Function", "Integrand", "LogDensity", "LogTerm", "LogWeight", "Values", "log_density"]


class Integrand(Protocol):
    """A function of a block of draws."""

    @property
    def name(self) -> str:
        """The name in a warning."""
        ...

    @property
    def is_traced(self) -> bool:
        """True if autograd is known to trace its parameters."""
        ...

    @property
    def is_compiled(self) -> bool:
        """True if it runs no Python code of a user's, so that threads may share it."""
        ...

    def __call__(self, z: Any) -> FloatArray:
        """Return the values at a block of draws, a row a draw; raise `Traced` where they are traced."""
        ...

    def traced(self, z: Any) -> Any:
        """Return the same on autograd's tape: checked for its shape, and nothing else."""
        ...


def _read_only(z: Any) -> Any:
    """Return draws as a view that a user's function cannot write into; what a block holds is used again."""
    if not isinstance(z, np.ndarray):
        return z
    view = z.view()
    view.flags.writeable = False
    return view


@dataclass(eq=False)
class Function:
    """A user's function of a block of draws, with one value for each draw of each member of the batch."""

    function: Callable[[Any], Any]
    name: str
    batch_shape: tuple[int, ...]

    @property
    def is_traced(self) -> bool:
        """True for the method of a distribution with traced parameters."""
        owner = getattr(self.function, "__self__", None)
        return isinstance(owner, Distribution) and owner.is_traced

    @property
    def is_compiled(self) -> bool:
        """True for a function made by Numba."""
        return isinstance(self.function, Dispatcher)

    def __call__(self, z: Any) -> FloatArray:
        """Return a copy of the values: the user's next call, of this function or another, may write into them."""
        result, shape = self._called(z), (len(z), *self.batch_shape)
        if type(result) is np.ndarray and result.shape == shape and result.dtype == np.float64:
            return result.copy()
        result = self._checked(result, len(z))
        if is_traced(result):
            raise Traced
        values = np.empty((*shape, *np.shape(result)[len(shape) :]))
        values[...] = result
        return values

    def traced(self, z: Any) -> Any:
        """Evaluate and check the shape, and nothing else."""
        return self._checked(self._called(z), len(z))

    def _called(self, z: Any) -> Any:
        if self.is_compiled and not getattr(self.function, "_can_compile", True):
            return self.function(z.copy())  # compiled for the types that it names, which are of arrays to write into
        return self.function(_read_only(z))

    def _checked(self, result: Any, rows: int) -> Any:
        return _checks.result_shape(result, (rows, *self.batch_shape), self.name)


class Values(Function):
    """A user's function of a block of draws, whose values may have axes of their own after those of the batch."""

    @classmethod
    def of(cls, function: Any, name: str, q: Any) -> Self:
        """Check that the function can be called."""
        return cls(_checks.function(function, name), name, tuple(q.batch_shape))

    def _checked(self, result: Any, rows: int) -> Any:
        rest = np.shape(value_of(result))[1 + len(self.batch_shape) :]
        return _checks.result_shape(result, (rows, *self.batch_shape, *rest), self.name, len(rest))


@dataclass(eq=False)
class LogDensity:
    """The log density of a family at a block of draws, without the checks that a user's function needs."""

    distribution: Distribution
    name: str
    batch_shape: tuple[int, ...]

    @property
    def is_traced(self) -> bool:
        """True if autograd traces a parameter."""
        return self.distribution.is_traced

    @property
    def is_compiled(self) -> bool:
        """True unless a subclass of a user's computes it."""
        return self.distribution.blockwise.compiled

    def __call__(self, z: Any) -> FloatArray:
        """Return a block of log densities, one row a draw."""
        p = self.distribution
        stated = p.blockwise
        if p.is_traced or not isinstance(z, np.ndarray):
            raise Traced
        if z.dtype != np.float64:
            z = z.astype(np.float64)
        elif not stated.compiled:
            z = _read_only(z)
        if stated.log_density is not None and p.batch_shape == self.batch_shape:
            return stated.log_density(z)
        if stated.log_density is not None and p.batch_shape == ():
            flat = z.reshape(-1, *z.shape[1 + len(self.batch_shape) :])
            return stated.log_density(flat).reshape(len(z), -1)
        return Function(p.log_prob, self.name, self.batch_shape)(z)

    def traced(self, z: Any) -> Any:
        """Evaluate and check the shape, and nothing else."""
        return Function(self.distribution.log_prob, self.name, self.batch_shape).traced(z)


def _family(function: Any) -> Distribution | None:
    """Return the family whose `log_prob` a function is, unless a subclass of a user's has its own."""
    owner = getattr(function, "__self__", None)
    if not isinstance(owner, Distribution) or owner.blockwise.log_density is None:
        return None
    return owner if function.__func__ is type(owner).log_prob else None


def log_density(function: Any, name: str, q: Any) -> Function | LogDensity:
    """Return a log density as a function of blocks; that of a family skips what was checked already."""
    _checks.function(function, name)
    family = _family(function)
    shape = tuple(q.batch_shape)
    if family is not None and tuple(family.event_shape) == tuple(q.event_shape):
        # Told by its shapes, and not by the shape of a result, where n draws could pass for a batch of n.
        _checks.broadcasts_to(family.batch_shape, shape, f"the batch_shape of {name}", "q.batch_shape")
        return LogDensity(family, name, shape)
    return Function(function, name, shape)


def _density_of(q: Any) -> Function | LogDensity:
    name, shape = "q.log_prob", tuple(q.batch_shape)
    return LogDensity(q, name, shape) if _family(q.log_prob) is not None else Function(q.log_prob, name, shape)


@dataclass(eq=False)
class LogWeight:
    """``log p(z) - log q(z)`` of a block of draws, or ``log p(z)`` alone; -inf where p excludes a draw."""

    log_p: Function | LogDensity
    log_q: Function | LogDensity | None

    @classmethod
    def of(cls, log_p: Any, q: Any) -> Self:
        """Pair a target with a proposal."""
        return cls(log_density(log_p, "log_p", q), _density_of(q))

    @property
    def name(self) -> str:
        """The name in a warning."""
        return f"{self.log_p.name}(z) - q.log_prob(z)" if self.log_q is not None else self.log_p.name

    @property
    def is_traced(self) -> bool:
        """True if autograd is known to trace a parameter."""
        return self.log_p.is_traced or (self.log_q is not None and self.log_q.is_traced)

    @property
    def is_compiled(self) -> bool:
        """True if both densities are."""
        return self.log_p.is_compiled and (self.log_q is None or self.log_q.is_compiled)

    def __call__(self, z: Any) -> FloatArray:
        """Return a block of log weights, one row a draw."""
        log_p = self.log_p(z)
        return log_p if self.log_q is None else log_ratio(log_p, self.log_q(z))

    def traced(self, z: Any) -> Any:
        """Evaluate on the tape."""
        log_p = self.log_p.traced(z)
        return log_p if self.log_q is None else log_p - self.log_q.traced(z)


def log_ratio(log_p: FloatArray, log_q: FloatArray) -> FloatArray:
    """Return ``log_p - log_q``; -inf where `log_p` is, also where both are: p excludes that draw."""
    out = np.empty(log_p.shape)
    log_weights_of(Given(log_p=log_p.reshape(-1), log_q=log_q.reshape(-1)), 0, out.reshape(-1))
    return out


@dataclass(eq=False)
class LogTerm:
    """``log f(z) + log w(z)``."""

    log_f: Function | LogDensity
    weight: LogWeight

    @property
    def name(self) -> str:
        """The name in a warning."""
        return f"log_f(z) + {self.weight.name}"

    @property
    def is_traced(self) -> bool:
        """True if autograd is known to trace a parameter."""
        return self.log_f.is_traced or self.weight.is_traced

    @property
    def is_compiled(self) -> bool:
        """True if all three functions are."""
        return self.log_f.is_compiled and self.weight.is_compiled

    def __call__(self, z: Any) -> FloatArray:
        """Return a block of log terms, one row a draw."""
        log_w, log_f = self.weight(z), self.log_f(z)
        log_f = log_f.reshape(log_w.shape)
        with np.errstate(invalid="ignore"):  # 0 times an infinite weight is nan
            total = log_w + log_f
        # A weight of zero counts for nothing, whatever f is there, unless it is nan.
        total[(log_w == -np.inf) & ~np.isnan(log_f)] = -np.inf
        return total

    def traced(self, z: Any) -> Any:
        """Evaluate on the tape."""
        return self.log_f.traced(z) + self.weight.traced(z)
