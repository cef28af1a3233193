"""The expected loss and its gradient, with their standard errors."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._autograd import unbroadcast, value_of
from mcvi._tree import flattened
from mcvi._typing import RNGLike
from mcvi.distributions import Distribution
from mcvi.estimate import Estimate
from mcvi.random import Key, as_key
from mcvi.stochastic._axes import spread
from mcvi.stochastic._graph.draws import drawing_block
from mcvi.stochastic._surrogate import attached
from mcvi.stochastic._tape import Tape
from mcvi.stochastic._terms import Collected, Term, collected

__all__ = ["value_and_grad"]

# The largest block: so many numbers in the draws of all its nodes, so that they stay in the second-level cache, and so
# many draws, whatever else the loss makes of them.
_BLOCK_ELEMENTS = 2**18
_BLOCK_DRAWS = 2**13
# Groups whose gradients are compared where those of single draws are not known: 12 % accurate standard errors.
_GROUPS = 32
_TRIAL_DRAWS = 2


@dataclass
class _Sums:
    """Running mean and centred square sum of weighted contributions; Chan, Golub, LeVeque (1983)."""

    weight: float = 0.0
    mean: Any = 0.0
    square: Any = 0.0
    count: int = 0

    def add(self, weight: float, mean: Any, square: Any, count: int) -> None:
        whole = self.weight + weight
        gap = mean - self.mean
        self.mean = self.mean + gap * (weight / whole)
        self.square = self.square + square + gap**2 * (self.weight * weight / whole)
        self.weight, self.count = whole, self.count + count


def value_and_grad(loss_fn: Callable[[Any], Any]) -> Callable[..., tuple[Estimate, Any]]:
    r"""Return a function that estimates :math:`E[f_\theta(Z_\theta)]` and its gradient in :math:`\theta`.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(params)`` creates stochastic nodes, and returns the loss of every draw, ``(n, *rest)``, or a list of
        such losses. It is run once for each block of draws, and once with two draws to see its graph. A node without
        random ancestors takes the n draws of the block; its children have them through their parameters.

    Returns
    -------
    callable
        ``estimate(params, *, n, rng=None)``, which returns the value, an `Estimate`, and the gradients, `Estimate`
        objects in the same dicts, lists and tuples as `params`. Losses are summed over the axes after the draws and
        over the list, and averaged over the draws.

    Notes
    -----
    The gradient is that of `surrogate_loss`; each node has its own estimator. Its standard error comes from the
    contribution of each draw where these are known: for a parameter that stands as it is in distributions of nodes with
    score functions, and nowhere else. For other parameters the draws are cut into groups, and the error comes from
    the spread of the groups' gradients (``method`` says which). Draws that share a loss (leave-one-out, VIMCO) do so
    within a block or group. Memory is bounded by the block, whatever n is.

    Raises
    ------
    TypeError, ValueError
        Parameters that are no numbers; a loss without the n draws on its first axis; all that `surrogate_loss` refuses.

    Examples
    --------
    >>> from mcvi.distributions import Bernoulli
    >>> from mcvi.stochastic import StochasticTensor, leave_one_out, value_and_grad
    >>> def loss(params):
    ...     b = StochasticTensor(Bernoulli(logits=params["logits"]), loss_fn=leave_one_out)
    ...     return (b - 0.45) ** 2
    >>> value, gradient = value_and_grad(loss)({"logits": 0.0}, n=100_000, rng=0)
    >>> gradient["logits"]
    0.0250002 ± 0.0000009 (n=100000)
    """
    _checks.function(loss_fn, "loss_fn")

    def estimate(params: Any, *, n: int, rng: RNGLike = None) -> tuple[Estimate, Any]:
        arrays, restore = flattened(params)
        n, key = _checks.draw_count(n), as_key(rng)

        def run(n_block: int, block_key: Key, *, warn: bool = True) -> "_Block":
            return _run(loss_fn, arrays, restore, n_block, block_key, warn=warn)

        trial = run(_TRIAL_DRAWS, key.child(0))
        sizes = _block_sizes(n, trial)
        value = _Sums()
        gradients = [_Sums() for _ in arrays]
        for number, size in enumerate(sizes, start=1):
            block = run(size, key.child(number), warn=False)
            block.found.observe()
            value.add(*_moments(block.loss))
            for index, sums in enumerate(gradients):
                if index in trial.known:
                    sums.add(*_moments(block.contributions(index)))
            for index, derivative in block.derivatives(trial.known).items():
                gradients[index].add(size, derivative / size, 0.0, 1)
        results = [_estimate(sums, n, key, known=index in trial.known) for index, sums in enumerate(gradients)]
        return _estimate(value, n, key, known=True), restore(results)

    return estimate


def _moments(contributions: Any) -> tuple[float, Any, Any, int]:
    mean = contributions.mean(axis=0)
    return len(contributions), mean, np.sum((contributions - mean) ** 2, axis=0), len(contributions)


def _block_sizes(n: int, trial: "_Block") -> list[int]:
    """Cut n draws into nearly equal blocks: as few as memory allows, or as many groups as the errors need."""
    largest = min(_BLOCK_DRAWS, max(64, _BLOCK_ELEMENTS // max(1, trial.elements // _TRIAL_DRAWS)))
    blocks = -(-n // largest)
    if len(trial.known) < len(trial.arrays):
        blocks = max(blocks, min(_GROUPS, n // 2), 1)
    return [n // blocks + (index < n % blocks) for index in range(blocks)]


def _estimate(sums: _Sums, n: int, key: Key, *, known: bool) -> Estimate:
    if known:
        variance = sums.square / (n - 1) if n > 1 else sums.square * np.nan
        method = "standard error from each draw"
    else:
        # Groups differ by at most one draw; their weighted square sum estimates the variance of a draw.
        variance = sums.square / (sums.count - 1) if sums.count > 1 else sums.mean * np.nan
        method = f"standard error from {sums.count} groups of draws"
    error = np.sqrt(variance / n)
    return Estimate(value=np.asarray(sums.mean)[()], standard_error=np.asarray(error)[()], n=n, method=method, key=key)


class _Block:
    """The loss of some draws, the score terms, and the tape that they were made on."""

    def __init__(self, found: Collected, tape: Tape, arrays: list[Any], n: int, elements: int) -> None:
        shape = np.shape(value_of(found.total))
        if shape[0] != n:
            raise ValueError(
                f"loss_fn must return losses with the {n} draws on the first axis; got shape {shape}. "
                "Nodes inside value_and_grad take their draws by themselves: leave out SampleValue."
            )
        self.found, self.tape, self.arrays, self.n, self.elements = found, tape, arrays, n, elements
        self.terms = found.terms()
        self.shape = shape
        self.loss = np.asarray(value_of(found.total), np.float64).reshape(n, -1).sum(axis=1)
        self.places = [_places(term, tape, len(arrays)) for term in self.terms]
        self.known = self._known()

    def _known(self) -> frozenset[int]:
        """Return the parameters whose contributions draw by draw are scores times weights, and nothing more."""
        other = self.tape.reaches([self.found.total])
        for term, known in zip(self.terms, self.places, strict=True):
            other |= self.tape.reaches(list(term.inputs.values())) - set(known.values())
        return frozenset(range(len(self.arrays))) - frozenset(other)

    def contributions(self, index: int) -> Any:
        """Return the contribution of each draw to the gradient in a parameter, ``(n, *shape)``."""
        shape = self.arrays[index].shape
        total: Any = np.zeros((self.n, *shape))
        for term, known in zip(self.terms, self.places, strict=True):
            for name, place in known.items():
                if place == index:
                    total = total + _contribution(term, name, self.shape, shape)
        return total

    def derivatives(self, known: frozenset[int]) -> dict[int, Any]:
        """Return the derivative of the block's sum in the parameters that are not known draw by draw."""
        if len(known) == len(self.arrays):
            return {}
        surrogate = attached(self.found.total, self.terms) if self.terms else self.found.total
        pulled = self.tape.pull_back(surrogate, np.ones(self.shape))
        return {index: pulled[index] for index in range(len(self.arrays)) if index not in known}


def _run(loss_fn: Any, arrays: list[Any], restore: Any, n: int, key: Key, *, warn: bool) -> _Block:
    with Tape.over(arrays) as tape, drawing_block(key, n) as drawn:
        losses = loss_fn(restore(tape.boxes))
        losses = list(losses) if isinstance(losses, (list, tuple)) else [losses]
        for loss in losses:
            if np.ndim(value_of(loss)) == 0 and isinstance(value_of(loss), (float, int, np.ndarray, np.generic)):
                raise ValueError(
                    "loss_fn must return the loss of every draw, (n, ...); got a scalar. value_and_grad takes the mean."
                )
        found = collected(losses, warn_above=5 if warn else None)
        if found.levels() - {tape.level}:
            raise NotImplementedError(
                "value_and_grad: loss_fn uses values that a derivative around it traces, and that derivative would be "
                "lost: differentiate a surrogate_loss with autograd, or pass stop_gradient of the values."
            )
        return _Block(found, tape, arrays, n, drawn.elements)


def _places(term: Term, tape: Tape, arrays: int) -> dict[str, int]:
    """Return which parameters of the node's distribution are arrays of the caller, where the family knows its score."""
    family = term.node.distribution
    if term.advantage is None or not (isinstance(family, Distribution) and family.differentiates_by("score")):
        return {}
    return {
        name: index
        for name, value in family.parameters.items()
        for index in range(arrays)
        if tape.is_root(value, index)
    }


def _contribution(term: Term, name: str, loss_shape: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """Return the score in the parameter `name` times the advantage of each draw, ``(n, *shape)``."""
    score = np.asarray(term.node.distribution.untraced.score(value_of(term.node))[name])
    advantage = spread(np.broadcast_to(term.advantage, loss_shape), term.shape)
    return unbroadcast(
        score * advantage.reshape(advantage.shape + (1,) * (score.ndim - advantage.ndim)), shape, leading=1
    )
