"""The trace number of our boxes: just outside the derivatives that a draw's parameters are traced by."""

from typing import Any

__all__ = ["GraphLevel"]


class GraphLevel(float):
    """A trace number half a step above an autograd trace (or infinite), which refuses to be mistaken for one.

    Autograd compares trace numbers in two places. Among the arguments of a primitive it asks ``a > b`` and, if not,
    ``a == b``. At the end of a derivative it asks only whether the result's number equals its own; a result in our
    graph would count as a constant there, with a derivative of zero. An ``==`` that no failed ``>`` came before is that
    second place.
    """

    _compared = False

    def __gt__(self, other: Any) -> bool:
        larger = float.__gt__(self, other)
        self._compared = not larger
        return larger

    def __lt__(self, other: Any) -> bool:  # `int > GraphLevel`, reflected
        smaller = float.__lt__(self, other)
        self._compared = not smaller
        return smaller

    def __eq__(self, other: object) -> bool:
        if not self._compared and not isinstance(other, GraphLevel):
            raise TypeError(
                "the function to differentiate returned a value of the graph of random draws, whose derivative would "
                "be taken for zero: return surrogate_loss([...]) of it, or without_graph(...) of it for the pathwise "
                "derivative alone."
            )
        self._compared = False
        return float.__eq__(self, other)

    __hash__ = float.__hash__
