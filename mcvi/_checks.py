"""Every argument error of the library: which argument must be what, what came, what to do.

Each function takes what a caller passed and returns it in the form that the rest of the library works with.
"""

import operator
from collections.abc import Callable
from math import isnan
from typing import Any

import numpy as np

from mcvi._autograd import is_traced, value_of

_LARGEST_COUNT = 2**63 - 1


def draw_count(n: Any, name: str = "n") -> int:
    """Return `n` as an int; it must be a positive integer below 2**63."""
    if isinstance(n, (bool, np.bool_)):
        raise TypeError(f"{name} must be an integer; got {n!r} (bool).")
    try:
        count = operator.index(n)
    except TypeError:
        remedy = f"; use int({n!r})" if isinstance(n, (float, np.floating)) and float(n).is_integer() else ""
        raise TypeError(f"{name} must be an integer; got {n!r} ({type(n).__name__}){remedy}.") from None
    if count < 1:
        raise ValueError(f"{name} must be a positive integer; got {count}.")
    if count > _LARGEST_COUNT:
        raise ValueError(f"{name} must be at most 2**63 - 1; got {count}.")
    return count


def one_source_of_draws(n: Any, z: Any) -> None:
    """Check that exactly one of `n` and `z` was given."""
    if (n is None) == (z is None):
        got = "neither" if n is None else f"both (n={n!r}, z of shape {np.shape(value_of(z))})"
        raise ValueError(f"specify exactly one of n (number of draws) and z (draws from q); got {got}.")


def axis_count(value: Any, largest: int, name: str) -> int:
    """Return `value` as an int between 0 and `largest`, the number of axes that there are."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer; got {value!r} ({type(value).__name__}).") from None
    if not 0 <= count <= largest:
        raise ValueError(f"{name} must be between 0 and {largest}, the number of axes of the batch; got {count}.")
    return count


def distribution(value: Any, name: str) -> Any:
    """Check that `value` has what every distribution has, ours or a user's."""
    whole = not isinstance(value, type)
    try:
        _ = value.batch_shape, value.event_shape, value.sample, value.log_prob
    except AttributeError:
        whole = False
    if not whole:
        wanted = ("batch_shape", "event_shape", "sample", "log_prob")
        missing = [what for what in wanted if not hasattr(value, what)]
        without = " (a class, not an instance)" if isinstance(value, type) else f" without {', '.join(missing)}"
        raise TypeError(
            f"{name} must be a distribution: an object with {', '.join(wanted)}; got {type(value).__name__}{without}."
        )
    return value


def function(value: Any, name: str) -> Callable[..., Any]:
    """Check that `value` can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable; got {type(value).__name__}.")
    return value  # type: ignore[no-any-return]


def flag(value: Any, name: str) -> bool:
    """Return `value` as a bool; it must be one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}.")
    return bool(value)


def executor(value: Any) -> None:
    """Check that `value` is None or has what every executor of `concurrent.futures` has."""
    if value is not None and not callable(getattr(value, "submit", None)):
        raise TypeError(f"executor must be a concurrent.futures.Executor; got {type(value).__name__}.")


def real_array(value: Any, name: str) -> Any:
    """Return `value` as a real array of floats (integers become float64), or as it is if autograd traces it."""
    if type(value) is np.ndarray:
        if value.dtype == np.float64:
            return value
        array = value
    elif is_traced(value):
        return value
    else:
        if value is None:
            raise TypeError(f"{name} must be real numbers; got None.")
        if isinstance(value, np.ma.MaskedArray) and np.any(value.mask):
            raise ValueError(f"{name} must not be masked; got {np.sum(value.mask)} masked numbers. Fill them.")
        array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(
            f"{name} must be real numbers; got an object array. "
            "If it was made from traced values, build it with autograd.numpy."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers; got dtype {array.dtype}.")
    if array.dtype == np.float64 or array.dtype == np.float32:
        return array
    return array.astype(np.float64)


def draws(z: Any, batch_shape: tuple[int, ...], event_shape: tuple[int, ...], *, discrete: bool = False) -> Any:
    """Return draws given by the caller as an array ``(n, *batch_shape, *event_shape)``, n >= 1."""
    z = z if discrete and np.asarray(value_of(z)).dtype.kind in "iu" else real_array(z, "z")
    shape, wanted = np.shape(value_of(z)), (*batch_shape, *event_shape)
    if len(shape) != len(wanted) + 1 or shape[1:] != wanted:
        expected = ", ".join(["n", *map(str, wanted)]) + ("," if not wanted else "")
        hint = " Did you mean z.T?" if len(shape) == 2 and shape[:1] == wanted else ""
        raise ValueError(f"z must have shape ({expected}) to match q; got {shape}.{hint}")
    if shape[0] == 0:
        raise ValueError(f"z must hold at least one draw; got shape {shape}.")
    return z


def result_shape(result: Any, expected: tuple[int, ...], name: str, free: int = 0) -> Any:
    """Return what the user's function `name` returned, if it broadcasts to `expected` with its first axis in front.

    The last `free` axes may have any length.

    A scalar, or a result with fewer axes than `expected`, is refused: on which axis it was meant cannot be known.
    """
    result = real_array(result, f"what {name} returned")
    shape = np.shape(value_of(result))
    if shape == expected:
        return result
    fits = len(shape) == len(expected) and all(
        size == want or (axis > 0 and size == 1) for axis, (size, want) in enumerate(zip(shape, expected, strict=True))
    )
    if not fits:
        wanted = f"({', '.join(map(str, expected[: len(expected) - free]))}, ...)" if free else str(expected)
        raise ValueError(f"{name} returned shape {shape}; expected {wanted}.")
    return result


def sample_shape(z: Any, expected: tuple[int, ...]) -> Any:
    """Return what a user's distribution drew, if its shape is right; whole numbers stay whole numbers."""
    if is_traced(z):
        return z
    z = np.asarray(z)
    z = z if z.dtype.kind in "iu" else real_array(z, "what q.sample returned")
    if z.shape != expected:
        raise ValueError(f"q.sample(n={expected[0]}) returned shape {z.shape}; expected {expected}.")
    return z


def real_scalar(value: Any, name: str) -> float:
    """Return a single real number as a float."""
    array = real_array(value, name)
    if np.ndim(value_of(array)) != 0:
        raise ValueError(f"{name} must be scalar; got shape {np.shape(value_of(array))}.")
    if np.isnan(value_of(array)):
        raise ValueError(f"{name} must be a real number; got nan.")
    return float(value_of(array))


def broadcasts_to(shape: tuple[int, ...], target: tuple[int, ...], name: str, target_name: str) -> None:
    """Check that an argument of `shape` broadcasts to `target`."""
    if shape in (target, ()):
        return
    try:
        fits = np.broadcast_shapes(shape, target) == target
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} must broadcast to {target_name} {target}; got shape {shape}.")


def order(alpha: Any, name: str = "alpha") -> Any:
    """Return a Renyi order as a float or a float array; any real number, and +-inf for the limits."""
    if type(alpha) is float and not isnan(alpha):
        return alpha
    alpha = real_array(alpha, name)
    held = np.asarray(value_of(alpha))
    bad = np.isnan(held)
    if bad.any():
        raise ValueError(f"{name} must be a real number; got {first(bad, held)}.")
    return alpha


def first(bad: Any, array: Any) -> str:
    """Say which element offends: its value, and its index unless there is only one."""
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f" at index {index}" if index else ""
    return f"{np.asarray(array)[index]!s}{where}"


def lower_triangular(array: Any, owner: str, name: str) -> Any:
    """Return an array of finite numbers that holds matrices ``(..., d, d)``, zero above a positive diagonal."""
    held = np.asarray(value_of(array))
    if held.ndim < 2 or held.shape[-1] != held.shape[-2] or held.shape[-1] == 0:
        raise ValueError(f"{owner}: {name} must have shape (..., d, d) with d >= 1; got {held.shape}.")
    above = np.triu(held, 1) != 0
    if above.any():
        raise ValueError(
            f"{owner}: {name} must be lower triangular; got {first(above, held)}. "
            "For a covariance matrix pass numpy.linalg.cholesky(covariance)."
        )
    bad = np.eye(held.shape[-1], dtype=bool) & ~(held > 0)
    if bad.any():
        raise ValueError(f"{owner}: the diagonal of {name} must be positive; got {first(bad, held)}.")
    return array


def whole(draws: Any, owner: str) -> Any:
    """Return draws as 64-bit integers."""
    try:
        with np.errstate(invalid="raise"):  # the cast itself sees what does not fit
            return draws.astype(np.int64)
    except FloatingPointError:
        raise ValueError(f"{owner}: a draw does not fit a 64-bit integer; got {np.max(draws):.6g}.") from None


def class_logits(value: Any, owner: str, name: str = "logits") -> Any:
    """Return logits of classes, which stand on the last axis: numbers or -inf, at least one finite in each row."""
    array, held = _classes(value, owner, name)
    bad = np.isnan(held) | (held == np.inf)
    if bad.any():
        raise ValueError(f"{owner}: {name} must be numbers or -inf; got {first(bad, held)}.")
    bad = np.all(held == -np.inf, axis=-1)
    if bad.any():
        where = f" at index {tuple(int(i) for i in np.argwhere(bad)[0])}" if held.ndim > 1 else ""
        raise ValueError(f"{owner}: {name} must not be -inf for every class; got that{where}.")
    return array


def class_probs(value: Any, owner: str, name: str = "probs") -> Any:
    """Return an array of probabilities of classes, which stand on the last axis and sum to one within 1e-6."""
    array, held = _classes(value, owner, name)
    total = held.sum(axis=-1, dtype=np.float64)
    bad = ~(abs(total - 1.0) <= 1e-6)
    if bad.any():
        raise ValueError(f"{owner}: {name} must sum to 1 over the last axis; got a sum of {first(bad, total)}.")
    return array


def _classes(value: Any, owner: str, name: str) -> tuple[Any, Any]:
    array = real_array(value, f"{owner}: {name}")
    held = np.asarray(value_of(array))
    if held.ndim == 0 or held.shape[-1] == 0:
        raise ValueError(f"{owner}: {name} must have at least one class on the last axis; got shape {held.shape}.")
    return array, held


def together(owner: str, **arrays: Any) -> tuple[int, ...]:
    """Return the shape to which the parameters of a distribution broadcast."""
    shapes = {name: np.shape(value_of(array)) for name, array in arrays.items()}
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listing = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"{owner}: the parameters must broadcast together; got shapes {listing}.") from None


def one_of(owner: str, **arguments: Any) -> str:
    """Return the name of the one argument that is not None."""
    given = [name for name, value in arguments.items() if value is not None]
    if len(given) != 1:
        names = " and ".join(arguments)
        raise ValueError(f"{owner}: specify exactly one of {names}; got {'both' if given else 'neither'}.")
    return given[0]
