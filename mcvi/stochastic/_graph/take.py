"""Indexing by a stochastic node."""

from typing import Any

import numpy as np
from autograd import numpy as anp
from autograd.extend import defvjp, primitive

from mcvi._autograd import value_of

__all__ = ["take"]


@primitive
def _rows(array: Any, index: Any) -> Any:
    return np.asarray(array)[np.asarray(index).astype(np.intp)]


@primitive
def _scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, dtype=np.result_type(g, np.float32))
    np.add.at(out, np.asarray(index).astype(np.intp), g)
    return out


# Linear in the array, so each is the other's derivative, to any order. An index has no derivative.
defvjp(_rows, lambda ans, array, index: lambda g: _scatter(g, index, np.shape(value_of(array))), None)
defvjp(_scatter, lambda ans, g, index, shape: lambda h: _rows(h, index), None, None)


def take(array: Any, node: Any) -> Any:
    """Return ``array[node]``, where `node` holds whole numbers: rows of `array` chosen at random.

    Parameters
    ----------
    array : array, traced or not, or a list of such
        Its first axis is indexed.
    node : StochasticTensor, or anything computed from one
        Whole numbers in ``[0, len(array))``, as floats or integers.

    Returns
    -------
    array ``(*node.shape, *array.shape[1:])``
        Differentiable in `array`; depends on `node`.

    Raises
    ------
    ValueError
        `array` is a scalar.
    IndexError
        Where an index is not a whole number in ``[0, len(array))``.

    Examples
    --------
    >>> from mcvi.distributions import Normal
    >>> from mcvi.stochastic import take
    >>> import numpy as np
    >>> take(np.array([10.0, 20.0, 30.0]), np.array([2.0, 0.0]))
    array([30., 10.])
    """
    if isinstance(array, (list, tuple)):
        array = anp.array(array)
    index = np.asarray(value_of(node))
    if np.ndim(value_of(array)) == 0:
        raise ValueError("take: array must have at least one axis to be indexed; got a scalar.")
    rows = len(value_of(array))
    bad = ~((index >= 0) & (index < rows) & (index == np.floor(index)))
    if bad.any():
        raise IndexError(f"take: indices must be whole numbers from 0 to {rows - 1}; got {index[bad].flat[0]}.")
    return _rows(array, node)
