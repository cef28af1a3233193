"""The page of a family under other parameters."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

import numpy as np

from mcvi._kernels.compiler.elementwise import table
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.compiler.tuples import counted, joined
from mcvi._typing import FloatArray
from mcvi.distributions._base.constraints import Constraint
from mcvi.distributions._base.page import Functions, Page, require_page
from mcvi.distributions._base.samplers import FromNoise, Sampler
from mcvi.distributions._base.scalars import (
    arguments,
    compiled,
    require_arguments,
    require_constraints,
    require_function,
)
from mcvi.random import Key

__all__ = ["renamed"]


def renamed(
    base: Page, parameters: Mapping[str, Constraint], to_base: Callable[..., Any], pull_back: Callable[..., Any]
) -> Page:
    """Return the page of a family under other parameters.

    Parameters
    ----------
    base
        The page, whose support does not depend on its parameters.
    parameters
        What each new parameter must be.
    to_base
        ``to_base(*parameters)``: the tuple of the parameters of `base`. Some of them may be fixed numbers.
    pull_back
        ``pull_back(s, *parameters)``: the tuple of derivatives in the new parameters, from those in the parameters of
        `base`, ``s[0], s[1], ...``.

    Examples
    --------
    A chi-squared variable with `df` degrees of freedom is a gamma variable:
    ``renamed(gamma, {"df": positive}, lambda df: (0.5 * df, 0.5), lambda s, df: (0.5 * s[0],))``.
    """
    require_page("renamed", base)
    require_constraints("renamed", parameters)
    require_function("renamed", "to_base", to_base)
    require_function("renamed", "pull_back", pull_back)
    names = tuple(parameters)
    require_arguments(to_base, names, "to_base")
    require_arguments(pull_back, (*arguments(pull_back)[:1], *names), "pull_back")
    first = len(base.constants)

    @cache
    def inner() -> Any:
        translate, count = compiled(to_base), len(base.parameters)

        @scalar
        def of(values: Any) -> Any:
            return counted(translate, translate(*values), count)  # type: ignore[call-arg]

        return of

    def make() -> Functions:
        own, pull, to_parameters = base.functions, compiled(pull_back), inner()
        count = len(names)
        prepare_base, density_base, score_base = own.prepare, own.log_density, own.score

        @scalar
        def prepare(values: Any) -> Any:
            return joined(prepare_base(to_parameters(values)), values)

        @scalar
        def log_density(x: float, constants: Any) -> Any:
            return density_base(x, constants[:first])

        @scalar
        def score(x: float, constants: Any) -> Any:
            slopes = score_base(x, constants[:first])
            pulled = pull(slopes[1:], *constants[first:])
            return joined(slopes[:1], counted(pull, pulled, count))  # type: ignore[call-arg]

        def of_value(tails: Any) -> Any:
            if tails is None:
                return None

            @scalar
            def of(x: float, constants: Any) -> Any:
                return tails(x, constants[:first])

            return of

        velocity = quantile = None
        if own.velocity is not None:
            velocity_base = own.velocity

            @scalar
            def velocity(x: float, constants: Any) -> Any:
                return pull(velocity_base(x, constants[:first]), *constants[first:])

        if own.quantile is not None:
            quantile_base = own.quantile

            @scalar
            def quantile(p: float, q: float, values: Any) -> Any:
                return quantile_base(p, q, to_parameters(values))

        return Functions(prepare, log_density, score, of_value(own.tails), of_value(own.log_tails), quantile, velocity)

    return Page(
        parameters=dict(parameters),
        constants=(*base.constants, *names),
        support=base.support,
        sampler=_sampler(base.sampler, inner, len(base.parameters), len(names)),
        make=make,
    )


def _sampler(base: Sampler, inner: Any, count: int, new: int) -> Sampler:
    if not isinstance(base, FromNoise):
        return _Renamed(base, inner, count, new)

    def make() -> Any:
        draw, to_parameters = base.transport, inner()

        @scalar
        def transport(e: float, values: Any) -> Any:
            return draw(e, to_parameters(values))

        return transport

    return FromNoise(base.noise, make, new)


class _Renamed(Sampler):
    """A sampler whose parameters are computed from others."""

    def __init__(self, base: Sampler, inner: Any, count: int, new: int) -> None:
        self._base, self._inner, self._count, self._new = base, inner, count, new

    @cached_property
    def _table(self) -> Any:
        return table(self._inner(), self._new)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        translated = np.empty((self._count, parameters.shape[1]))
        self._table(parameters, translated)
        self._base.fill(key, first, elements, translated, out)
