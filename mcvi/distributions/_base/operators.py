"""Operators that make a page from functions of a standard variable, or from other pages."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi.distributions._base.constraints import positive, real
from mcvi.distributions._base.page import Page, by_quantile, logarithms_of
from mcvi.distributions._base.samplers import FromNoise
from mcvi.distributions._base.scalars import compiled, guarded_tails

__all__ = ["location_scale"]


class _LocationScale(NamedTuple):
    loc: float
    precision: float
    log_peak: float


def location_scale(
    *,
    log_density: Callable[..., Any],
    slope: Callable[..., Any],
    log_peak: float = 0.0,
    draw: FromNoise | None = None,
    cdf: Callable[..., Any] | None = None,
    log_cdf: Callable[..., Any] | None = None,
    quantile: Callable[..., Any] | None = None,
) -> Page:
    """Return the page of ``loc + scale * T`` from functions of a standard variable T on the real line.

    Parameters
    ----------
    log_density, log_peak
        ``log_density(t) + log_peak`` is the log density of T.
    slope
        ``slope(t)``: the derivative of `log_density`.
    draw
        How to draw T, without parameters; by default the quantile of a uniform.
    cdf, log_cdf
        ``cdf(t) -> (P(T <= t), P(T > t))``, and their logarithms.
    quantile
        ``quantile(p, q)``: the value with probability p below it and ``q = 1 - p`` above.

    Returns
    -------
    Page
        With the parameters `loc` and `scale`.
    """
    kernel, derivative, constant = compiled(log_density), compiled(slope), float(log_peak)

    @scalar
    def prepare(parameters: Any) -> Any:
        loc, scale = parameters
        return loc, 1.0 / scale, constant - elementary.log(scale)

    @scalar
    def density(x: float, constants: Any) -> Any:
        loc, precision, peak = constants
        return peak + kernel((x - loc) * precision)

    @scalar
    def score(x: float, constants: Any) -> Any:
        loc, precision, _ = constants
        t = (x - loc) * precision
        s = derivative(t)
        return s * precision, -s * precision, (-t * s - 1.0) * precision

    @scalar
    def velocity(x: float, constants: Any) -> Any:
        loc, precision, _ = constants
        return 1.0, (x - loc) * precision

    def of_standard(tails: Any) -> Any:
        tails = compiled(tails)

        @scalar
        def of(x: float, constants: Any) -> Any:
            loc, precision, _ = constants
            return tails((x - loc) * precision)

        return of

    tails = log_tails = at = None
    names = _LocationScale._fields
    if cdf is not None:
        plain = of_standard(cdf)
        tails = guarded_tails(real, names, plain, 1.0, 0.0)
        logs = logarithms_of(plain) if log_cdf is None else of_standard(log_cdf)
        log_tails = guarded_tails(real, names, logs, 0.0, -np.inf)
    if quantile is not None:
        standard_quantile = compiled(quantile)

        @scalar
        def at(p: float, q: float, parameters: Any) -> Any:
            loc, scale = parameters
            return loc + scale * standard_quantile(p, q)

    return Page(
        parameters={"loc": real, "scale": positive},
        constants=names,
        prepare=prepare,
        log_density=density,
        score=score,
        sampler=by_quantile(at, 2) if draw is None else _scaled(draw),
        support=real,
        tails=tails,
        log_tails=log_tails,
        quantile=at,
        velocity=velocity,
    )


def _scaled(standard: FromNoise) -> FromNoise:
    drawn = standard.transport

    @scalar
    def transport(e: float, parameters: Any) -> Any:
        loc, scale = parameters
        return loc + scale * drawn(e, ())

    return FromNoise(standard.noise, transport, 2)
