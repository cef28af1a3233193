"""The table of closed-form Kullback-Leibler divergences: each stands beside its family, and is entered on its import.

The public door is `mcvi.divergences`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from mcvi._autograd import is_traced, value_of

__all__ = ["closed_form_kl", "no_closed_form", "register_kl", "require_equal"]

KL = Callable[[Any, Any], Any]
F = TypeVar("F", bound=KL)

_TABLE: dict[tuple[type, type], KL] = {}


def register_kl(p_class: type, q_class: type) -> Callable[[F], F]:
    r"""Enter a closed form of :math:`KL(p \| q)` for a pair of classes, as a decorator.

    Parameters
    ----------
    p_class, q_class : type
        Classes of distributions, ours or yours. The form also serves their subclasses, unless a closer one is entered.

    Returns
    -------
    callable
        Takes a function ``(p, q) -> array`` of the shape to which the two batches broadcast, and returns it unchanged.
        Written with `autograd.numpy` it can be differentiated in the parameters.

    Raises
    ------
    TypeError
        What is decorated cannot be called, or `p_class` or `q_class` is no class.
    ValueError
        The very pair has a closed form already.

    Examples
    --------
    >>> import mcvi
    >>> class Point:
    ...     batch_shape = event_shape = ()
    ...     def __init__(self, at):
    ...         self.at = at
    >>> @mcvi.register_kl(Point, Point)
    ... def point_to_point(p, q):
    ...     return 0.0 if p.at == q.at else float("inf")
    >>> mcvi.kl_divergence(Point(1.0), Point(2.0))
    inf (exact: closed form for (Point, Point))
    """
    for name, given in (("p_class", p_class), ("q_class", q_class)):
        if not isinstance(given, type):
            raise TypeError(f"register_kl: {name} must be a class; got {type(given).__name__}.")

    def enter(function: F) -> F:
        if not callable(function):
            raise TypeError(f"register_kl: the closed form must be callable; got {type(function).__name__}.")
        pair = (p_class, q_class)
        if pair in _TABLE:
            raise ValueError(
                f"register_kl: ({p_class.__name__}, {q_class.__name__}) has a closed form already: "
                f"{_TABLE[pair].__module__}.{_TABLE[pair].__qualname__}. Register a subclass instead."
            )
        _TABLE[pair] = function
        return function

    return enter


def closed_form_kl(p: Any, q: Any) -> KL:
    """Return the closed form for the closest pair of ancestors of the classes of `p` and `q`.

    Closest is the smallest sum of distances in the two orders of inheritance; of two such, the one closer to `p`.

    Raises
    ------
    NotImplementedError
        There is none.
    """
    # min() keeps the first of equals, and that is the one with the smaller distance for p.
    pairs = [
        (i + j, _TABLE[a, b])
        for i, a in enumerate(type(p).__mro__)
        for j, b in enumerate(type(q).__mro__)
        if (a, b) in _TABLE
    ]
    if not pairs:
        raise no_closed_form(p, q)
    return min(pairs, key=lambda pair: pair[0])[1]


def no_closed_form(p: Any, q: Any, condition: str = "") -> NotImplementedError:
    """Return the error that says so: of the pair, or of the pair under a condition."""
    p_name, q_name = type(p).__name__, type(q).__name__
    under = f" {condition}" if condition else ""
    return NotImplementedError(
        f"no closed-form KL for ({p_name}, {q_name}){under}. Pass n= to estimate it from draws of {p_name}, "
        "or add one with mcvi.register_kl."
    )


def require_equal(p: Any, q: Any, name: str) -> None:
    """Check that a parameter of two distributions, without which there is no closed form, is the same in both."""
    ours, theirs = getattr(p, name), getattr(q, name)
    if not np.all(np.equal(value_of(ours), value_of(theirs))):
        raise no_closed_form(p, q, f"with unequal {name}")
    if is_traced(ours, theirs) and ours is not theirs:
        # A form for equal parameters knows nothing of how the divergence changes as one leaves the other.
        raise no_closed_form(p, q, f"that could be differentiated in one {name} alone")
