"""Tables of categories: normalised log probabilities, look-up and its derivative, draws, one-hot vectors.

A table is ``(rows, categories)``. Element `i` of a flat array belongs to row ``row_of[i % row_of.size]`` of the table.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import maximum
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.functions.elementary import exp, log, log1p

# Up to so many categories, comparing a draw with all of them is fastest: it vectorises.
FEW = 8
_BLOCK = 1024


@kernel(sums=True)
def _total(x: Any) -> float:
    total = 0.0
    for i in range(x.size):
        total += x[i]
    return total


@kernel
def log_softmax(logits: Any, out: Any) -> None:
    """Set the rows of `out` to ``logits - log(sum(exp(logits)))``.

    The sum leaves out the largest term, which is exactly 1, and `log1p` puts it back: a category that is almost certain
    keeps the digits of its small negative log probability. At least one logit of each row is finite.
    """
    rows, categories = logits.shape
    for r in range(rows):
        x, y = logits[r], out[r]
        top = x[0]
        for k in range(categories):
            top = maximum(top, x[k])
        for k in range(categories):
            y[k] = exp(x[k] - top)
        for k in range(categories):
            if x[k] == top:
                y[k] = 0.0
                break
        log_total = log1p(_total(y))
        for k in range(categories):
            y[k] = (x[k] - top) - log_total


@kernel
def log_normalised(probs: Any, out: Any) -> None:
    """Set the rows of `out` to ``log(probs / sum(probs))``, for rows that sum nearly to one.

    That of a large probability comes from the sum of the others, which is small: near 1 a probability has no digits.
    """
    for r in range(probs.shape[0]):
        log_total, large = log(_total(probs[r])), -1
        for k in range(probs.shape[1]):
            out[r, k] = log(probs[r, k]) - log_total
            large = k if probs[r, k] > 0.5 else large
        if large >= 0:
            others = _total(probs[r, :large]) + _total(probs[r, large + 1 :])
            out[r, large] = 0.0 - log1p(others / probs[r, large])


@kernel
def exponentials(x: Any, out: Any) -> None:
    """Set ``out = exp(x)`` for flat arrays."""
    for i in range(x.size):
        out[i] = exp(x[i])


@scalar
def _is_category(value: float, categories: int) -> Any:
    return (value >= 0.0) & (value < categories) & (value == np.floor(value))


@kernel
def look_up(table: Any, row_of: Any, values: Any, out: Any) -> None:
    """Set `out` to the entries of `table` for the categories `values`; -inf for what is no category, nan for nan."""
    categories, period = table.shape[1], row_of.size
    for start in range(0, values.size, period):
        for j in range(min(period, values.size - start)):
            value = values[start + j]
            inside = _is_category(value, categories)
            found = table[row_of[j], int(value) if inside else 0]
            found = found if inside else -np.inf
            out[start + j] = found if value == value else value


@kernel
def scatter(row_of: Any, values: Any, g: Any, out: Any) -> None:
    """Add the weight ``g[i]`` of each element to its entry of the table `out`: the derivative of `look_up`."""
    categories, period = out.shape[1], row_of.size
    for start in range(0, values.size, period):
        for j in range(min(period, values.size - start)):
            value, weight = values[start + j], g[start + j]
            if value != value:
                out[row_of[j], 0] = np.nan
            elif weight != 0.0 and _is_category(value, categories):
                out[row_of[j], int(value)] += weight


@kernel
def cumulative(probs: Any, out: Any) -> None:
    """Set the rows of `out` to running sums that are exactly 1 from the last possible category on."""
    rows, categories = probs.shape
    for r in range(rows):
        last = categories - 1
        while last > 0 and probs[r, last] == 0.0:
            last -= 1
        total = 0.0
        for k in range(last):
            total += probs[r, k]
            out[r, k] = min(total, 1.0)
        out[r, last:] = 1.0


@kernel
def guide(sums: Any, out: Any) -> None:
    """Set ``out[r, j]`` to the smallest `k` with ``sums[r, k] > j / cells``: where `locate` begins to look.

    The number of cells is a power of two, so that neither ``j / cells`` nor ``u * cells`` is rounded.
    """
    rows, cells = out.shape
    for r in range(rows):
        k = 0
        for j in range(cells):
            while sums[r, k] * cells <= j:
                k += 1
            out[r, j] = k


@kernel
def locate(sums: Any, guides: Any, u: Any, out: Any) -> None:
    """Set ``out[i]`` to the smallest `k` whose running sum is above ``u[i]``; element `i` belongs to row ``i % rows``.

    A category of probability zero is never found: its running sum is that of the one before. Compares with all running
    sums if there are few, begins at the guide if there is one, and else searches: the answer is the same.
    """
    rows, categories = sums.shape
    cells = guides.shape[1]
    if rows == 1 and categories <= FEW:
        for start in range(0, u.size, _BLOCK):
            some, found = u[start : start + _BLOCK], out[start : start + _BLOCK]
            for i in range(some.size):
                found[i] = 0.0
            for k in range(categories - 1):
                for i in range(some.size):
                    found[i] += 1.0 if some[i] >= sums[0, k] else 0.0
    elif cells:
        for start in range(0, u.size, rows):
            for r in range(min(rows, u.size - start)):
                target = u[start + r]
                k = guides[r, int(target * cells)]
                while sums[r, k] <= target:
                    k += 1
                out[start + r] = float(k)
    else:
        for start in range(0, u.size, rows):
            for r in range(min(rows, u.size - start)):
                out[start + r] = _search(sums[r], u[start + r])


@scalar
def _search(sums: Any, target: float) -> Any:
    low, length = 0, sums.size
    while length > 1:
        half = length >> 1
        low = low + half if sums[low + half - 1] <= target else low
        length -= half
    return float(low)


@kernel
def one_hot(categories_of: Any, out: Any) -> None:
    """Set row `i` of `out` to the one-hot vector of category ``categories_of[i]``."""
    out[:] = 0.0
    for i in range(categories_of.size):
        out[i, int(categories_of[i])] = 1.0


@kernel
def hot_category(vectors: Any, out: Any) -> None:
    """Set ``out[i]`` to the category of the one-hot vector in row `i`; -1 if it is none, nan if it holds nan."""
    for i in range(vectors.shape[0]):
        found, wrong, unknown = -1.0, False, False
        for k in range(vectors.shape[1]):
            x = vectors[i, k]
            if x == 1.0:
                wrong = wrong or found >= 0.0
                found = float(k)
            elif x != 0.0:
                wrong = True
                unknown = unknown or x != x
        out[i] = np.nan if unknown else -1.0 if wrong else found
