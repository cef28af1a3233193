"""Pages of a standard variable moved and stretched: ``loc + scale * T``, and the exponential of that."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._kernels.functions.exp_pair import exp_pair
from mcvi.distributions._base.constraints import positive, real
from mcvi.distributions._base.page import Functions, Page, by_quantile, logarithms_of
from mcvi.distributions._base.samplers import FromNoise
from mcvi.distributions._base.scalars import compiled, guarded_log_density, guarded_score, guarded_tails

__all__ = ["Standard", "location_scale", "log_location_scale"]


class Standard(NamedTuple):
    """A variable T on the real line, as functions of numbers.

    ``log_density(t) + log_peak`` is the log density, and ``slope(t)`` its derivative. ``cdf(t)`` is the pair of
    ``P(T <= t)`` and ``P(T > t)``, and `log_cdf` that of their logarithms. ``quantile(p, q)`` is the value with
    probability p below it and ``q = 1 - p`` above. `draw` is a sampler without parameters; by default the quantile of a
    uniform.
    """

    log_density: Callable[..., Any]
    slope: Callable[..., Any]
    log_peak: float = 0.0
    draw: FromNoise | None = None
    cdf: Callable[..., Any] | None = None
    log_cdf: Callable[..., Any] | None = None
    quantile: Callable[..., Any] | None = None


def location_scale(standard: Standard) -> Page:
    """Return the page of ``loc + scale * T``, with the parameters `loc` and `scale`."""
    names = ("loc", "precision", "log_peak")

    @cache
    def forward() -> Any:
        @scalar
        def of(t: float, parameters: Any) -> Any:
            loc, scale = parameters
            return loc + scale * t

        return of

    def make() -> Functions:
        kernel, derivative, constant = (
            compiled(standard.log_density),
            compiled(standard.slope),
            float(standard.log_peak),
        )

        @scalar
        def prepare(parameters: Any) -> Any:
            loc, scale = parameters
            return loc, 1.0 / scale, constant - elementary.log(scale)

        @scalar
        def log_density(x: float, constants: Any) -> Any:
            loc, precision, log_peak = constants
            return log_peak + kernel((x - loc) * precision)

        @scalar
        def score(x: float, constants: Any) -> Any:
            loc, precision, _ = constants
            t = (x - loc) * precision
            slope = derivative(t)
            return slope * precision, -slope * precision, (-t * slope - 1.0) * precision

        @scalar
        def standardised(x: float, constants: Any) -> Any:
            return (x - constants[0]) * constants[1]

        @scalar
        def velocity(x: float, constants: Any) -> Any:
            return 1.0, standardised(x, constants)

        return _functions(standard, real, names, prepare, log_density, score, standardised, forward(), velocity)

    return Page(
        parameters={"loc": real, "scale": positive},
        constants=names,
        support=real,
        sampler=_sampler(standard, forward),
        make=make,
    )


def log_location_scale(standard: Standard) -> Page:
    """Return the page of ``exp(loc + scale * T)``: `loc` and `scale` are those of the logarithm.

    Where the scale is small, ``log(x) - loc`` loses its digits. Near the median m the page takes the logarithm of
    ``1 + (x - m) / m`` instead, and knows m to twice the digits of a double.
    """
    names = ("loc", "precision", "log_peak", "median", "median_low")

    @cache
    def forward() -> Any:
        @scalar
        def of(t: float, parameters: Any) -> Any:
            loc, scale = parameters
            return elementary.exp(loc + scale * t)

        return of

    def make() -> Functions:
        kernel, derivative, constant = (
            compiled(standard.log_density),
            compiled(standard.slope),
            float(standard.log_peak),
        )

        @scalar
        def prepare(parameters: Any) -> Any:
            loc, scale = parameters
            median, median_low = exp_pair(loc)
            return loc, 1.0 / scale, constant - elementary.log(scale), median, median_low

        @scalar
        def standardised(x: float, constants: Any) -> Any:
            loc, precision, _, median, median_low = constants
            ratio = ((x - median) - median_low) / median
            near = elementary.log1p(ratio)
            far = elementary.log(x) - loc
            return (near if abs(ratio) < 0.5 else far) * precision

        @scalar
        def log_density(x: float, constants: Any) -> Any:
            return constants[2] + kernel(standardised(x, constants)) - elementary.log(x)

        @scalar
        def score(x: float, constants: Any) -> Any:
            t, precision = standardised(x, constants), constants[1]
            slope = derivative(t)
            return (slope * precision - 1.0) / x, -slope * precision, (-t * slope - 1.0) * precision

        @scalar
        def velocity(x: float, constants: Any) -> Any:
            return x, x * standardised(x, constants)

        return _functions(standard, positive, names, prepare, log_density, score, standardised, forward(), velocity)

    return Page(
        parameters={"loc": real, "scale": positive},
        constants=names,
        support=positive,
        sampler=_sampler(standard, forward),
        make=make,
    )


def _functions(
    standard: Standard,
    support: Any,
    names: tuple[str, ...],
    prepare: Any,
    log_density: Any,
    score: Any,
    standardised: Any,
    forward: Any,
    velocity: Any,
) -> Functions:
    """Return the functions of a monotone increasing function of a standard variable."""

    def of_value(tails: Any) -> Any:
        tails = compiled(tails)

        @scalar
        def at(x: float, constants: Any) -> Any:
            return tails(standardised(x, constants))

        return at

    tails = log_tails = None
    if standard.cdf is not None:
        plain = of_value(standard.cdf)
        logs = logarithms_of(plain) if standard.log_cdf is None else of_value(standard.log_cdf)
        tails = guarded_tails(support, names, plain, 1.0, 0.0)
        log_tails = guarded_tails(support, names, logs, 0.0, -np.inf)
    return Functions(
        prepare,
        guarded_log_density(support, names, log_density),
        guarded_score(support, names, score),
        tails,
        log_tails,
        None if standard.quantile is None else _quantile(standard, forward),
        velocity,
    )


def _quantile(standard: Standard, forward: Any) -> Any:
    of_probability = compiled(standard.quantile)

    @scalar
    def quantile(p: float, q: float, parameters: Any) -> Any:
        return forward(of_probability(p, q), parameters)

    return quantile


def _sampler(standard: Standard, forward: Callable[[], Any]) -> FromNoise:
    own = standard.draw
    if own is None:
        return by_quantile(lambda: _quantile(standard, forward()), 2)

    def make() -> Any:
        draw, outer = own.transport, forward()

        @scalar
        def transport(e: float, parameters: Any) -> Any:
            return outer(draw(e, ()), parameters)

        return transport

    return FromNoise(own.noise, make, 2)
