"""The table of closed-form Kullback-Leibler divergences: each stands beside its family, and is entered on its import.

The public door is `mcvi.divergences`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from mcvi._autograd import is_traced, value_of

__all__ = ["closed_form_kl", "kl_class", "no_closed_form", "register_kl", "require_equal"]

KL = Callable[[Any, Any], Any]
F = TypeVar("F", bound=KL)

_TABLE: dict[tuple[type, type], KL] = {}


def register_kl(p_class: type, q_class: type) -> Callable[[F], F]:
    r"""Enter a closed form of :math:`KL(p \| q)` for a pair of classes, as a decorator.

    Parameters
    ----------
    p_class, q_class : type
        Classes of distributions, ours or yours. The form holds for these two classes alone, not for their subclasses:
        a class often inherits code from a family without having its density. A subclass that does have the density says
        so in its body, ``kl_class = Normal``, and then has all closed forms of `Normal`.

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
    >>> class NamedPoint(Point):
    ...     kl_class = Point
    >>> mcvi.kl_divergence(NamedPoint(1.0), Point(1.0))
    0.0 (exact: closed form for (NamedPoint, Point))
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
                f"{_TABLE[pair].__module__}.{_TABLE[pair].__qualname__}. Enter a form for a subclass instead."
            )
        _TABLE[pair] = function
        return function

    return enter


def kl_class(distribution: Any) -> type:
    """Return the class whose closed forms hold for a distribution: its own, unless its class names another."""
    own = type(distribution)
    named: type = vars(own).get("kl_class", own)  # of the class itself: what its bases name is not inherited either
    return named


def closed_form_kl(p: Any, q: Any) -> KL:
    """Return the closed form for the classes of `p` and `q`; NotImplementedError if there is none."""
    try:
        return _TABLE[kl_class(p), kl_class(q)]
    except KeyError:
        raise no_closed_form(p, q) from None


def no_closed_form(p: Any, q: Any, condition: str = "") -> NotImplementedError:
    """Return the error that says so: of the pair, or of the pair under a condition."""
    p_name, q_name = type(p).__name__, type(q).__name__
    under = f" {condition}" if condition else _not_inherited(p, q)
    return NotImplementedError(
        f"no closed-form KL for ({p_name}, {q_name}){under}. Pass n= to estimate it from draws of {p_name}, "
        "or add one with mcvi.register_kl."
    )


def _not_inherited(p: Any, q: Any) -> str:
    """Return the words about a form that holds for ancestors of the classes; none if there is no such form."""
    for a in type(p).__mro__:
        for b in type(q).__mro__:
            if (a, b) in _TABLE:
                lacking = [(type(d), c) for d, c in ((p, a), (q, b)) if kl_class(d) is not c]
                remedy = " and ".join(
                    f"`kl_class = {c.__name__}` in {own.__name__}" for own, c in dict(lacking).items()
                )
                return (
                    f": a subclass does not inherit that of ({a.__name__}, {b.__name__}), because its density may be "
                    f"another; if it is not, write {remedy}"
                )
    return ""


def require_equal(p: Any, q: Any, name: str) -> None:
    """Check that a parameter of two distributions, without which there is no closed form, is the same in both."""
    ours, theirs = getattr(p, name), getattr(q, name)
    if not np.all(np.equal(value_of(ours), value_of(theirs))):
        raise no_closed_form(p, q, f"with unequal {name}")
    if is_traced(ours, theirs) and ours is not theirs:
        # A form for equal parameters knows nothing of how the divergence changes as one leaves the other.
        raise no_closed_form(p, q, f"that could be differentiated in one {name} alone")
