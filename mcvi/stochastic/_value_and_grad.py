"""The expected loss and its gradient, with their standard errors."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self
from warnings import warn

import numpy as np

from mcvi import _checks
from mcvi._autograd import value_of
from mcvi._engine.estimator import Total, fold, run
from mcvi._tree import flattened
from mcvi._typing import Progress, RNGLike
from mcvi.accumulate import NOTHING_FOUND, Moments, NonFinite
from mcvi.estimate import Estimate
from mcvi.random import Key, as_key
from mcvi.stochastic._block import Block, Gradient
from mcvi.stochastic._graph.trace import value_sizes
from mcvi.stochastic._graph.value_types import ValueType, set_value_type, value_type
from mcvi.stochastic._terms import MissingGradientWarning

__all__ = ["value_and_grad"]

# Where no estimator compares draws, a block holds at most so many draws, and so many numbers drawn, which stay in the
# second-level cache. Where one does, the draws of a block are compared: as many as fit into 256 MB, with all that the
# loss makes of them.
_CACHED_DRAWS, _CACHED_NUMBERS, _MOST_NUMBERS = 2**13, 2**18, 2**25
# Up to so many draws are one block in any case.
_FEW_DRAWS = 64
_TRIAL_DRAWS = 2
# Groups whose gradients are compared where those of single draws are not known: standard errors accurate to 12 %.
_GROUPS = 32


def value_and_grad(loss_fn: Callable[[Any], Any]) -> Callable[..., tuple[Any, Any]]:
    r"""Return a function that estimates :math:`E[f_\theta(Z_\theta)]` and its gradient in :math:`\theta`.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(params)`` creates stochastic nodes, and returns the loss of every draw, ``(n, *rest)``, or a list of
        such losses. A node without random ancestors takes the draws of the block; its children have them through their
        parameters.

    Returns
    -------
    callable
        ``estimate(params, *, n, rng=None, errors=True, block_size=None, executor=None, progress=None)``. It returns the
        value and the gradients, the latter in the same dicts, lists and tuples as `params`. Losses are summed over the
        axes after the draws and over the list, and averaged over the draws.

        params : array, number, or a dict, list or tuple of them
            The parameters.
        n : int
            The number of draws.
        rng : optional
            The source of randomness (SPEC 7).
        errors : bool
            If True, all results are `Estimate` objects. If False they are plain arrays, for an optimiser: `loss_fn` is
            run once, and the price is that of ``autograd.grad``.
        block_size : int, optional
            The most draws that `loss_fn` is given at a time. By default all at once with ``errors=False``, also up to
            64 draws; else as many as fit into 256 MB with all that the loss makes of them, which a first run of
            `loss_fn` with two draws tells; and no more than 8192 draws or 2**18 numbers where no estimator compares
            draws.
        executor : concurrent.futures.Executor, optional
            Where the blocks are done, one a task. Without it `loss_fn` is called in the caller's thread. A pool of
            processes needs a `loss_fn` and `params` that pickle: a function of a module, not a lambda.
        progress : callable, optional
            ``progress(done, n)`` is called in the caller's thread.

    Notes
    -----
    The gradient is that of `surrogate_loss`; each node has its own estimator. Estimators that compare draws
    (leave-one-out, VIMCO) compare all those of a block. The answer depends on `rng`, `n` and `block_size` alone: it has
    the same bits on every executor, and the same draws in every order.

    The standard error of a gradient comes from the contribution of each draw where these are known: for a parameter
    that stands as it is in distributions of nodes with score functions, and nowhere else. For other parameters it comes
    from the gradients of groups of draws, whose losses were compared with those of all draws: 32 groups, which makes
    standard errors accurate to 12 %. ``method`` says which. Baselines and advantages count as known numbers in it,
    with two exceptions. Where the second-order part of the variance of leave-one-out prevails, the error is at least
    that. For VIMCO, and for a function that says so (see `get_score_function_with_advantage`), the groups are left out
    in turn and the advantages taken anew (the jackknife).

    Raises
    ------
    TypeError, ValueError
        Parameters that are no numbers; a loss without the draws on its first axis; a baseline that learns and an
        `executor`; all that `surrogate_loss` refuses.

    Warns
    -----
    NonFiniteWarning
        Losses are nan or +inf.
    MissingGradientWarning
        See `surrogate_loss`.

    Examples
    --------
    >>> from mcvi.distributions import Bernoulli
    >>> from mcvi.stochastic import StochasticTensor, leave_one_out, value_and_grad
    >>> def loss(params):
    ...     b = StochasticTensor(Bernoulli(logits=params["logits"]), loss_fn=leave_one_out)
    ...     return (b - 0.45) ** 2
    >>> value, gradient = value_and_grad(loss)({"logits": 0.0}, n=100_000, rng=0)
    >>> gradient["logits"]
    0.0250002 ± 0.0000004 (n=100000)
    >>> value, gradient = value_and_grad(loss)({"logits": 0.0}, n=100, rng=0, errors=False)
    >>> print(round(gradient["logits"], 4))
    0.0253
    """
    _checks.function(loss_fn, "loss_fn")

    def estimate(
        params: Any,
        *,
        n: int,
        rng: RNGLike = None,
        errors: bool = True,
        block_size: int | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> tuple[Any, Any]:
        n, errors = _checks.draw_count(n), _checks.flag(errors, "errors")
        size = n if block_size is None else _checks.draw_count(block_size, "block_size")
        _checks.executor(executor)
        if progress is not None:
            _checks.function(progress, "progress")
        arrays, restore = flat = flattened(params)
        work = _Blocks(loss_fn, params, flat, as_key(rng), n, size, errors, executor is None, set_value_type())
        if errors and block_size is None and n > _FEW_DRAWS:
            work.size = work.fitting_size()
        sums = run(work, executor, progress, fewest=1).sums
        for message in sums[0].missing:
            warn(message, MissingGradientWarning, stacklevel=2)
        if not errors:
            return sums[1].value / n, restore([total / n for total in sums[1].gradients])
        value, *gradients = sums[1:]
        shapes = [array.shape for array in arrays]
        results = [_estimate(found, n, work.key, shape) for found, shape in zip(gradients, shapes, strict=True)]
        return _value(value, n, work.key), restore(results)

    return estimate


def _value(moments: Moments, n: int, key: Key) -> Estimate:
    method = "standard error from each draw"
    return Estimate(value=moments.mean[0], standard_error=moments.standard_error[0], n=n, method=method, key=key)


def _estimate(found: Gradient, n: int, key: Key, shape: tuple[int, ...]) -> Estimate:
    units = found.moments.n
    error = np.sqrt(np.maximum(found.moments.standard_error**2, found.floor / n**2))
    return Estimate(
        value=found.moments.mean.reshape(shape)[()],
        standard_error=error.reshape(shape)[()],
        n=n,
        method=f"standard error from {'each draw' if units == n else f'{units} groups of draws'}",
        key=key,
    )


class _Missing(NamedTuple):
    """The sentences on what is missing from the gradient: those of the first block."""

    missing: tuple[str, ...]

    def __add__(self, other: Any) -> "_Missing":
        return self


class _Sum(NamedTuple):
    """The sums of the losses and of their gradients."""

    value: float
    gradients: list[Any]

    def __add__(self, other: Any) -> "_Sum":
        return _Sum(self.value + other.value, [a + b for a, b in zip(self.gradients, other.gradients, strict=True)])


class _Loss(NamedTuple):
    """The description of a function for the engine: its name in warnings, and whether threads may share it."""

    name: str = "loss_fn"
    is_compiled: bool = False


@dataclass(eq=False)
class _Blocks:
    """The work of one call: the losses of each block of draws and the sums of their gradients.

    It pickles if the loss function and the parameters do.
    """

    loss_fn: Callable[[Any], Any]
    params: Any
    #: The arrays of the parameters, and how others are put in their places.
    flat: tuple[list[Any], Callable[[list[Any]], Any]]
    key: Key
    n: int
    #: The most draws in a block.
    size: int
    errors: bool
    #: True if the blocks are done in their order, in one thread.
    in_order: bool
    #: What `value_type` set where the call was made: another thread does not know it.
    kind: ValueType | None

    path: ClassVar[str] = ""
    is_compiled: ClassVar[bool] = False
    integrands: ClassVar[tuple[_Loss, ...]] = (_Loss(),)

    @property
    def draws(self) -> Self:
        """The draws as the engine asks for them: how many, and in how many blocks."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "flat": None}  # made of functions, which do not pickle

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, flat=flattened(state["params"]))

    @property
    def blocks(self) -> int:
        """The number of blocks, of nearly equal sizes."""
        return -(-self.n // self.size)

    def first(self, block: int) -> int:
        """Return the number of the first draw of a block."""
        return block * (self.n // self.blocks) + min(block, self.n % self.blocks)

    def fitting_size(self) -> int:
        """Return how many draws fit into a block, from a run of the loss with two draws."""
        sizes: list[int] = []
        token = value_sizes.set(sizes)
        try:
            trial = self._block(self.key.child(0), _TRIAL_DRAWS, f"in a first run: {_TRIAL_DRAWS} draws")
        finally:
            value_sizes.reset(token)
        made = max(1, (sum(sizes) + trial.elements) // _TRIAL_DRAWS)
        most = max(2, _MOST_NUMBERS // made)
        if not trial.found.compares_draws:
            most = min(most, _CACHED_DRAWS, max(_FEW_DRAWS, _CACHED_NUMBERS * _TRIAL_DRAWS // max(1, trial.elements)))
        return min(self.n, most)

    def _block(self, key: Key, count: int, place: str) -> Block:
        arrays, restore = self.flat

        def losses(params: Any) -> Any:
            try:
                return self.loss_fn(params)
            except Exception as error:
                error.add_note(f"raised {place} of rng={self.key!r}.")
                raise

        if self.kind is None:
            return Block(losses, arrays, restore, key, count)
        with value_type(self.kind):
            return Block(losses, arrays, restore, key, count)

    def __call__(self, first: int, last: int, floors: Any) -> Total:
        """Return the merged sums of blocks `first` to ``last - 1``."""
        return fold(self._total(number) for number in range(first, last))

    def _total(self, number: int) -> Total:
        start, stop = self.first(number), self.first(number + 1)
        block = self._block(self.key.child(1 + number), stop - start, f"in block {number}: draws {start} to {stop - 1}")
        self._learn(block)
        missing = _Missing(tuple(block.found.missing))
        found = _watched(block, start)
        if not self.errors:
            return Total((missing, _Sum(block.losses.sum(), block.total())), (), (found,))
        groups = min(block.n, -(-_GROUPS // self.blocks))
        return Total((missing, Moments.of(block.losses[:, None]), *block.gradients(groups)), (), (found,))

    def _learn(self, block: Block) -> None:
        """Update the baselines, which need the blocks in their order."""
        if not self.in_order and block.found.learning:
            raise ValueError(
                f"{block.found.learning[0].name}: its baseline learns from each block of draws for the next, in their "
                "order; leave out executor, or use an estimator without state, such as leave_one_out."
            )
        block.found.observe()


def _watched(block: Block, first: int) -> NonFinite:
    """Count the losses that are nan or +inf, and keep the draws of the first."""
    if not np.any(bad := np.isnan(block.losses) | (block.losses == np.inf)):
        return NOTHING_FOUND
    row = int(np.argmax(bad))
    held = {node.name: value_of(node) for node in block.found.upstream}
    draws = {name: np.array(value[row]) for name, value in held.items() if np.shape(value)[:1] == (block.n,)}
    return NonFinite(int(bad.sum()), first + row, draws)
