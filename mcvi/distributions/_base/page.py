"""The page of a one-dimensional family: its mathematics as functions of numbers, and the array loops made of them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mcvi._kernels.compiler.elementwise import elementwise, elementwise_tuple, table
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.compiler.tuples import counted
from mcvi._kernels.draws.noise import uniforms
from mcvi._kernels.functions import elementary
from mcvi._typing import FloatArray
from mcvi.distributions._base.constraints import Constraint, real
from mcvi.distributions._base.samplers import FromNoise, Sampler
from mcvi.distributions._base.scalars import (
    arguments,
    compiled,
    guarded_log_density,
    guarded_score,
    guarded_tails,
    number_or_place,
    require_arguments,
    require_constraints,
    require_fields,
    require_function,
)

__all__ = ["Functions", "Page", "page", "require_page", "widen"]

# A batch of fewer members is repeated side by side, so that the inner loop is long enough to vectorise.
_COLUMNS = 256


def widen(columns: FloatArray) -> FloatArray:
    """Repeat the columns of a table until there is one, or at least enough of them."""
    length = columns.shape[1]
    if length == 0:  # an empty batch: a column that nothing reads, because the loops count in columns
        return np.ones((columns.shape[0], 1))
    if length == 1 or length >= _COLUMNS:
        return columns
    return np.tile(columns, (1, -(-_COLUMNS // length)))


class Functions(NamedTuple):
    """The compiled functions of a page: those of a value take a tuple of constants, others a tuple of parameters."""

    prepare: Any
    log_density: Any
    score: Any
    #: The lower and the upper tail, and their logarithms; the quantile of such a pair; None where there is none.
    tails: Any = None
    log_tails: Any = None
    quantile: Any = None
    velocity: Any = None


@dataclass(frozen=True, eq=False)
class Page:
    """The mathematics of a one-dimensional family. Made by `page`, and by the operators on pages.

    Its functions are made when first used: a family that is only imported costs nothing.
    """

    #: What each parameter must be, by its name.
    parameters: Mapping[str, Constraint]
    #: The names of the constants.
    constants: tuple[str, ...]
    support: Constraint
    sampler: Sampler
    make: Callable[[], Functions]

    @cached_property
    def functions(self) -> Functions:
        """The functions of numbers."""
        return self.make()

    @property
    def scalar_density(self) -> tuple[Callable[..., Any], int]:
        """The scalar log density, and how many constants it takes."""
        return self.functions.log_density, len(self.constants)

    # The array loops.

    @cached_property
    def _prepare_columns(self) -> Any:
        return table(self.functions.prepare, len(self.parameters))

    @cached_property
    def log_densities(self) -> Any:
        """The kernel that sets ``out[i] = log_density(x[i], constants of i)``: ``(x, constants, out)``."""
        return elementwise(self.functions.log_density, len(self.constants))

    @cached_property
    def scores(self) -> Any:
        """The kernel that sets column `i` of `out` to ``score(x[i], constants of i)``: ``(x, constants, out)``."""
        return elementwise_tuple(self.functions.score, len(self.constants))

    @cached_property
    def velocities(self) -> Any:
        """The same for the derivatives of a draw in the parameters."""
        return elementwise_tuple(self.functions.velocity, len(self.constants))

    @cached_property
    def _tails(self) -> tuple[Any, Any]:
        return tuple(
            elementwise_tuple(f, len(self.constants)) for f in (self.functions.tails, self.functions.log_tails)
        )  # type: ignore[return-value]

    def tail_loop(self, log: bool) -> Any:
        """Return the kernel that sets column `i` of `out` to the two tails at ``x[i]``, or to their logarithms."""
        return self._tails[log]

    @cached_property
    def quantiles(self) -> Any:
        """The kernel that sets ``out[i]`` to the quantile of the probability ``p[i]``: ``(p, parameters, out)``."""
        names, quantile = tuple(self.parameters), self.functions.quantile
        low, high = number_or_place(self.support.low, names), number_or_place(self.support.high, names)  # type: ignore[attr-defined]

        @scalar
        def guarded_quantile(p: float, parameters: Any) -> Any:
            inside = quantile(p, 1.0 - p, parameters)  # type: ignore[misc]
            inside = low(parameters) if p == 0.0 else inside
            inside = high(parameters) if p == 1.0 else inside
            return inside if (p >= 0.0) & (p <= 1.0) else np.nan

        return elementwise(guarded_quantile, len(names))

    @cached_property
    def transports(self) -> Any:
        """The kernel that turns one noise into a draw: ``(noise, parameters, out)``."""
        return elementwise(self.sampler.transport, len(self.parameters))  # type: ignore[attr-defined]

    def columns(self, parameters: list[Any], shape: tuple[int, ...]) -> FloatArray:
        """Return the table of parameters of a batch, one row each, repeated until its rows are long enough."""
        columns = np.empty((len(self.parameters), int(np.prod(shape))))
        for row, parameter in zip(columns, parameters, strict=True):
            row[:] = np.broadcast_to(parameter, shape).reshape(-1)
        return widen(columns)

    def prepared(self, columns: FloatArray) -> FloatArray:
        """Return the table of constants for a table of parameters."""
        out = np.empty((len(self.constants), columns.shape[1]))
        self._prepare_columns(columns, out)
        return out


def page(
    *,
    parameters: Mapping[str, Constraint],
    prepare: Callable[..., Any],
    log_density: Callable[..., Any],
    score: Callable[..., Any],
    draw: Sampler | None = None,
    support: Constraint = real,
    cdf: Callable[..., Any] | None = None,
    log_cdf: Callable[..., Any] | None = None,
    quantile: Callable[..., Any] | None = None,
    velocity: Callable[..., Any] | None = None,
) -> Page:
    """Return the page of a family from functions of numbers, which are compiled here; their names are checked.

    Outside the support and at its ends the answers are known: no function needs to give them.

    Parameters
    ----------
    parameters
        What each parameter must be, in the order in which functions take them.
    prepare
        ``prepare(*parameters) -> constants``: all that depends on the parameters alone, computed once for each member
        of a batch. Its annotation says which `NamedTuple` it returns.
    log_density
        ``log_density(x, c)``, where `c` holds the constants by name.
    score
        ``score(x, c)``: the derivatives of the log density in x and in each parameter; without that in x if `support`
        is discrete.
    draw
        How to draw: `from_uniform`, `from_normal`, ... By default the quantile of a uniform.
    support
        The set of possible values. Ends that are parameters must also be constants of the same name.
    cdf, log_cdf
        ``cdf(x, c) -> (P(X <= x), P(X > x))``, so that neither loses its digits, and their logarithms.
    quantile
        ``quantile(p, q, *parameters)``: the value with probability p below it and ``q = 1 - p`` above, neither of them
        0. Use the smaller one where digits matter.
    velocity
        ``velocity(x, c)``: the derivatives in each parameter of a draw x whose probability below it stays the same. It
        makes cdf and quantile differentiable in the parameters; nan for one in which it has no closed form.

    Returns
    -------
    Page

    Raises
    ------
    TypeError
        An argument is of another kind; a function takes other arguments, or reads a constant that `prepare` does not
        return. When first compiled: `prepare`, `score` or `velocity` returns another count of numbers.
    """
    require_constraints("page", parameters)
    if not hasattr(support, "low"):
        raise TypeError(f"page: support must be a constraint of numbers, such as real or positive; got {support!r}.")
    if not isinstance(draw, Sampler | None):
        raise TypeError(f"page: draw must be a sampler, such as from_normal(...); got {draw!r}.")
    for what, needed in {"prepare": prepare, "log_density": log_density, "score": score}.items():
        require_function("page", what, needed)
    for what, given in {"cdf": cdf, "log_cdf": log_cdf, "quantile": quantile, "velocity": velocity}.items():
        if given is not None:
            require_function("page", what, given)
    names = tuple(parameters)
    require_arguments(prepare, names, "prepare")
    record = inspect.signature(getattr(prepare, "py_func", prepare)).return_annotation
    if not (isinstance(record, type) and hasattr(record, "_fields")):
        raise TypeError(f"prepare must be annotated with the NamedTuple that it returns; got {record!r}.")
    constants: tuple[str, ...] = record._fields
    of_value = {"log_density": log_density, "score": score, "cdf": cdf, "log_cdf": log_cdf, "velocity": velocity}
    for what, function in of_value.items():
        if function is not None:
            if len(arguments(function)) != 2:
                raise TypeError(f"{what} takes (x, c); got ({', '.join(arguments(function))}).")
            require_fields(function, constants)
    if quantile is not None:
        require_arguments(quantile, (*arguments(quantile)[:2], *names), "quantile")
    elif draw is None:
        raise TypeError("page: give draw= or quantile=, from which to draw.")

    def with_record(function: Any, count: int = 0) -> Any:
        """Return a function of a tuple of constants; `count` is that of the numbers that it must return, if a tuple."""
        function = compiled(function)
        if count:

            @scalar
            def of_tuple(x: float, values: Any) -> Any:
                return counted(function, function(x, record(*values)), count)  # type: ignore[call-arg]

            return of_tuple

        @scalar
        def of(x: float, values: Any) -> Any:
            return function(x, record(*values))

        return of

    def make() -> Functions:
        compiled_prepare, count = compiled(prepare), len(constants)

        @scalar
        def prepare_columns(values: Any) -> Any:
            return counted(compiled_prepare, compiled_prepare(*values), count)  # type: ignore[call-arg]

        guarded_density = guarded_log_density(support, constants, with_record(log_density))
        slopes = with_record(score, len(names) + (not support.discrete))
        found = Functions(prepare_columns, guarded_density, guarded_score(support, constants, slopes))
        if cdf is not None:
            tails = guarded_tails(support, constants, with_record(cdf, 2), 1.0, 0.0)
            logs = logarithms_of(tails) if log_cdf is None else with_record(log_cdf, 2)
            found = found._replace(tails=tails, log_tails=guarded_tails(support, constants, logs, 0.0, -np.inf))
        if quantile is not None:
            found = found._replace(quantile=_spread(compiled(quantile)))
        return found if velocity is None else found._replace(velocity=with_record(velocity, len(names)))

    sampler = by_quantile(lambda: made.functions.quantile, len(names)) if draw is None else draw
    made = Page(parameters, constants, support, sampler, make)
    return made


def require_page(owner: str, base: Any) -> None:
    """Check that `base`, of which the operator `owner` makes a page, is a page."""
    if not isinstance(base, Page):
        got = base.__name__ if isinstance(base, type) else type(base).__name__
        raise TypeError(f"{owner}: the base must be a page, as Normal._page or Poisson._page['rate']; got {got}.")


def _spread(quantile: Any) -> Any:
    @scalar
    def of(p: float, q: float, values: Any) -> Any:
        return quantile(p, q, *values)

    return of


def by_quantile(quantile: Callable[[], Any], parameters: int) -> FromNoise:
    """Return the sampler that takes the quantile, which `quantile` makes, of a uniform."""

    def make() -> Any:
        function = quantile()

        @scalar
        def transport(u: float, values: Any) -> Any:
            return function(u, 1.0 - u, values)

        return transport

    return FromNoise(uniforms, make, parameters)


def logarithms_of(tails: Any) -> Any:
    """Return the function of the logarithms of two tails, each from the smaller one."""

    @scalar
    def logarithms(x: float, constants: Any) -> Any:
        lower, upper = tails(x, constants)
        small = lower < 0.5
        log_lower = elementary.log(lower) if small else elementary.log1p(-upper)
        log_upper = elementary.log1p(-lower) if small else elementary.log(upper)
        return log_lower, log_upper

    return logarithms
