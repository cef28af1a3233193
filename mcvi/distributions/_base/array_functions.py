"""The functions of a page on whole arrays, as primitives that autograd can differentiate.

Values broadcast against parameters. A loop runs over the flat values and, along them, over the columns of a table of
constants, one for each member of the batch.
"""

from typing import Any

import numpy as np

from mcvi._autograd import masked_product, once_differentiable
from mcvi._typing import FloatArray
from mcvi.distributions._base.distribution import NO_SECOND_DERIVATIVE
from mcvi.distributions._base.page import Page
from mcvi.distributions._base.weighted_scores import weighted_scores

__all__ = ["log_density", "quantile", "scores", "tail", "transported"]


def _aligned(page: Page, value: Any, parameters: tuple[Any, ...]) -> tuple[Any, FloatArray, tuple[int, ...]]:
    """Return the flat values, the table of parameters that repeats along them, and the shape of the result."""
    value = np.asarray(value, np.float64)
    batch = np.broadcast_shapes(*(np.shape(p) for p in parameters))
    shape = np.broadcast_shapes(value.shape, batch)
    columns = page.columns(list(parameters), shape[len(shape) - len(batch) :])
    return np.ascontiguousarray(np.broadcast_to(value, shape)).reshape(-1), columns, shape


def _column_by_column(page: Page, loop: Any, rows: int, value: Any, parameters: tuple[Any, ...]) -> FloatArray:
    flat, columns, shape = _aligned(page, value, parameters)
    out = np.empty((rows, flat.size))
    loop(flat, page.prepared(columns), out)
    return out.reshape(rows, *shape)


def scores(page: Page, value: Any, parameters: tuple[Any, ...]) -> FloatArray:
    """Return the derivatives of the log density: a row for the value and one for each parameter."""
    return _column_by_column(page, page.scores, 1 + len(parameters), value, parameters)


def _slopes_of_density(g: Any, argnums: Any, answer: Any, value: Any, *parameters: Any, page: Page) -> list[Any]:
    batch = np.broadcast_shapes(*(np.shape(p) for p in parameters))
    shape = np.shape(value)
    if 0 not in argnums and len(shape) > len(batch) and shape[len(shape) - len(batch) :] == batch:
        table = page.prepared(page.columns(list(parameters), batch))
        sums = weighted_scores(page, table, value, g, batch)
        return [sums[a] for a in argnums]
    slopes = scores(page, value, parameters)
    return [masked_product(g, slopes[a]) for a in argnums]


@once_differentiable(_slopes_of_density, NO_SECOND_DERIVATIVE)
def log_density(value: Any, *parameters: Any, page: Page) -> FloatArray:
    """Return the log density."""
    flat, columns, shape = _aligned(page, value, parameters)
    out = np.empty(flat.size)
    page.log_densities(flat, page.prepared(columns), out)
    return out.reshape(shape)


# Tails, quantiles and draws change with the parameters as a draw does whose probability below it stays the same.

_REFUSAL = "second derivatives of a cdf, a quantile or a draw are not available; take one derivative less."


def _velocities(page: Page, argnums: Any, value: Any, parameters: tuple[Any, ...]) -> FloatArray:
    if page.functions.velocity is None:
        raise NotImplementedError(
            "the derivative of a cdf in the parameters of this family has no closed form; differentiate in the value."
        )
    rows = _column_by_column(page, page.velocities, len(parameters), value, parameters)
    known = np.isfinite(np.broadcast_to(value, rows.shape[1:]))
    for row, name in [(rows[a - 1], name) for a, name in enumerate(page.parameters, 1) if a in argnums]:
        if known.any() and np.isnan(row[known]).all():
            raise NotImplementedError(
                f"the derivative of a cdf in {name} has no closed form; differentiate in the value or other parameters."
            )
    return rows


def _product(a: Any, b: Any) -> Any:
    """Return ``a * b``, and 0 where either is 0, also times infinity."""
    return np.where(a == 0, 0.0, masked_product(b, a))


def _slopes_of_tail(
    g: Any, argnums: Any, answer: Any, value: Any, *parameters: Any, page: Page, upper: bool, log: bool
) -> list[Any]:
    with np.errstate(all="ignore"):
        log_slope = log_density(value, *parameters, page=page)
        # A slope of 0 stays 0, also where the logarithm of a probability of 0 is differentiated.
        slope = np.where(log_slope == -np.inf, 0.0, np.exp(log_slope - answer if log else log_slope))
    slope = masked_product(g, -slope if upper else slope)
    moved = _velocities(page, argnums, value, parameters) if any(argnums) else None
    return [slope if a == 0 else -_product(slope, moved[a - 1]) for a in argnums]  # type: ignore[index]


@once_differentiable(_slopes_of_tail, _REFUSAL)
def tail(value: Any, *parameters: Any, page: Page, upper: bool, log: bool) -> FloatArray:
    """Return the probability of at most, or of more than `value`; or its logarithm."""
    return _column_by_column(page, page.tail_loop(log), 2, value, parameters)[int(upper)]


def _slopes_of_quantile(g: Any, argnums: Any, answer: Any, value: Any, *parameters: Any, page: Page) -> list[Any]:
    moved = _velocities(page, argnums, answer, parameters) if any(argnums) else None
    with np.errstate(over="ignore"):
        slope = np.exp(-log_density(answer, *parameters, page=page)) if 0 in argnums else None
    return [masked_product(g, slope if a == 0 else moved[a - 1]) for a in argnums]  # type: ignore[index]


@once_differentiable(_slopes_of_quantile, _REFUSAL)
def quantile(probability: Any, *parameters: Any, page: Page) -> FloatArray:
    """Return the value below which lies a probability; nan outside [0, 1]."""
    flat, columns, shape = _aligned(page, probability, parameters)
    out = np.empty(flat.size)
    page.quantiles(flat, columns, out)
    return out.reshape(shape)


def _slopes_of_draws(g: Any, argnums: Any, answer: Any, noise: Any, *parameters: Any, page: Page) -> list[Any]:
    if 0 in argnums:
        raise NotImplementedError("transport has no derivative in the noise.")
    moved = _velocities(page, argnums, answer, parameters)
    return [masked_product(g, moved[a - 1]) for a in argnums]


@once_differentiable(_slopes_of_draws, _REFUSAL)
def transported(noise: Any, *parameters: Any, page: Page) -> FloatArray:
    """Return the draws that the sampler of the page makes of noise."""
    flat, columns, shape = _aligned(page, noise, parameters)
    out = np.empty(flat.size)
    page.transports(flat, columns, out)
    return out.reshape(shape)
