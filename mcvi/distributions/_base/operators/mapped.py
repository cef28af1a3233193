"""The page of a monotone function of another variable: ``X = forward(Y, *parameters)``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from mcvi._kernels.compiler.elementwise import elementwise
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.compiler.tuples import counted, joined, scaled
from mcvi._typing import FloatArray
from mcvi.distributions._base.constraints import Constraint
from mcvi.distributions._base.page import Functions, Page, require_page
from mcvi.distributions._base.samplers import FromNoise, Sampler
from mcvi.distributions._base.scalars import (
    arguments,
    compiled,
    guarded_log_density,
    guarded_score,
    guarded_tails,
    require_arguments,
    require_constraints,
    require_function,
)
from mcvi.random import Key

__all__ = ["Map", "mapped"]


@dataclass(frozen=True, eq=False)
class Map:
    """A monotone map of the real line or a part of it, as functions of numbers; `parameters` are its own.

    The names of the arguments of each function are those below, followed by the parameters.
    """

    #: The set onto which the map leads.
    support: Constraint
    #: ``forward(y, *parameters)``: the value x.
    forward: Callable[..., Any]
    #: ``inverse(x, *parameters)``: the number y.
    inverse: Callable[..., Any]
    #: ``log_slope(x, *parameters)``: the logarithm of the size of dy/dx.
    log_slope: Callable[..., Any]
    #: ``score(s, x, *parameters)``: the derivatives of ``log p(y) + log_slope`` in x and in each parameter, from the
    #: derivative s of ``log p`` in y.
    score: Callable[..., Any]
    #: ``velocity(x, *parameters)``: the derivative dx/dy, and those of x in each parameter for the same y.
    velocity: Callable[..., Any]
    parameters: Mapping[str, Constraint] = field(default_factory=dict)
    increasing: bool = True
    #: ``low(x, y, *parameters)``: the low-order part of y, what its rounding lost. With it the log density is corrected
    #: by the slope of that of Y, so that composition keeps the digits.
    low: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        require_constraints("Map", self.parameters)
        names = tuple(self.parameters)
        for what, first in (
            ("forward", 1),
            ("inverse", 1),
            ("log_slope", 1),
            ("score", 2),
            ("velocity", 1),
            ("low", 2),
        ):
            function = getattr(self, what)
            if function is not None or what != "low":
                require_function("Map", what, function)
                require_arguments(function, (*arguments(function)[:first], *names), what)


def mapped(base: Page, by: Map) -> Page:
    """Return the page of the image of a variable under a map; the parameters of `base` stand first.

    The support of `base` must be where the map is defined.
    """
    require_page("mapped", base)
    if not isinstance(by, Map):
        raise TypeError(f"mapped: by must be a Map; got {by!r}.")
    count, first = len(base.parameters), len(base.constants)
    names = (*base.constants, *by.parameters)

    def make() -> Functions:
        functions = (by.forward, by.inverse, by.log_slope, by.score, by.velocity)
        forward, inverse, log_slope, map_score, map_velocity = map(compiled, functions)
        own_base = base.functions
        prepare_base, density_base, score_base = own_base.prepare, own_base.log_density, own_base.score
        slopes = 1 + len(by.parameters)
        increasing, low = by.increasing, None if by.low is None else compiled(by.low)

        @scalar
        def prepare(parameters: Any) -> Any:
            return joined(prepare_base(parameters[:count]), parameters[count:])

        @scalar
        def plain_density(x: float, constants: Any) -> Any:
            own = constants[first:]
            return density_base(inverse(x, *own), constants[:first]) + log_slope(x, *own)

        log_density = plain_density
        if low is not None:

            @scalar
            def log_density(x: float, constants: Any) -> Any:
                inner, own = constants[:first], constants[first:]
                y = inverse(x, *own)
                correction = low(x, y, *own) * score_base(y, inner)[0]
                correction = correction if abs(correction) < 1.0 else 0.0
                return (density_base(y, inner) + log_slope(x, *own)) + correction

        @scalar
        def score(x: float, constants: Any) -> Any:
            own = constants[first:]
            inner = score_base(inverse(x, *own), constants[:first])
            outer = counted(map_score, map_score(inner[0], x, *own), slopes)  # type: ignore[call-arg]
            return joined(joined(outer[:1], inner[1:]), outer[1:])

        def tails_of(tails: Any) -> Any:
            @scalar
            def of(x: float, constants: Any) -> Any:
                lower, upper = tails(inverse(x, *constants[first:]), constants[:first])
                return (lower, upper) if increasing else (upper, lower)

            return of

        tails = log_tails = quantile = velocity = None
        if own_base.tails is not None:
            tails = guarded_tails(by.support, names, tails_of(own_base.tails), 1.0, 0.0)
            log_tails = guarded_tails(by.support, names, tails_of(own_base.log_tails), 0.0, -np.inf)
        if own_base.quantile is not None:
            quantile_base = own_base.quantile

            @scalar
            def quantile(p: float, q: float, parameters: Any) -> Any:
                lower, upper = (p, q) if increasing else (q, p)
                return forward(quantile_base(lower, upper, parameters[:count]), *parameters[count:])

        if own_base.velocity is not None:
            velocity_base = own_base.velocity

            @scalar
            def velocity(x: float, constants: Any) -> Any:
                own = constants[first:]
                outer = counted(map_velocity, map_velocity(x, *own), slopes)  # type: ignore[call-arg]
                return joined(scaled(velocity_base(inverse(x, *own), constants[:first]), outer[0]), outer[1:])

        return Functions(
            prepare,
            guarded_log_density(by.support, names, log_density),
            guarded_score(by.support, names, score),
            tails,
            log_tails,
            quantile,
            velocity,
        )

    @cache
    def outer() -> Any:
        forward = compiled(by.forward)

        @scalar
        def of(y: float, parameters: Any) -> Any:
            return forward(y, *parameters[count:])

        return of

    own = len(by.parameters)
    drawn_once = isinstance(base.sampler, FromNoise)
    return Page(
        parameters={**base.parameters, **by.parameters},
        constants=names,
        support=by.support,
        sampler=(_of_noise if drawn_once else _Mapped)(base.sampler, outer, count, own),  # type: ignore[arg-type]
        make=make,
    )


def _of_noise(sampler: FromNoise, outer: Any, count: int, own: int) -> FromNoise:
    def make() -> Any:
        inner, forward = sampler.transport, outer()

        @scalar
        def transport(e: float, parameters: Any) -> Any:
            return forward(inner(e, parameters[:count]), parameters)

        return transport

    return FromNoise(sampler.noise, make, count + own)


class _Mapped(Sampler):
    """Draws of a sampler of its own, mapped one by one."""

    def __init__(self, base: Sampler, outer: Any, count: int, own: int) -> None:
        self._base, self._outer, self._count, self._own = base, outer, count, own

    @cached_property
    def _loop(self) -> Any:
        return elementwise(self._outer(), self._count + self._own)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        drawn = np.empty_like(out)
        self._base.fill(key, first, elements, parameters[: self._count], drawn)
        self._loop(drawn, parameters, out)
