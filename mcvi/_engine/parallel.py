"""Blocks of work, on threads or on anybody's executor, merged by a fixed tree.

The tree depends on the number of blocks alone: block results are merged in pairs, the pairs in pairs, and so on. A task
computes a whole subtree, so that the answer has the same bits whoever computed which task, and in which order.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["FEWEST_BLOCKS", "fold", "reduce_blocks"]

T = TypeVar("T")

# How many blocks make a task: enough that handing it over costs little, few enough that all cores have some to do, and
# that progress is seen.
FEWEST_BLOCKS, _MOST_BLOCKS, _TASKS = 8, 64, 16

_pool: ThreadPoolExecutor | None = None
_inside_task = threading.local()


def fold(results: Iterable[T]) -> T:
    """Merge results in order with ``+``, as a binary counter carries: a fixed tree whatever the number of results."""
    stack: list[tuple[int, Any]] = []
    for result in results:
        size, merged = 1, result
        while stack and stack[-1][0] == size:
            left_size, left = stack.pop()
            size, merged = size + left_size, left + merged
        stack.append((size, merged))
    _, total = stack.pop()
    while stack:
        _, left = stack.pop()
        total = left + total
    return total  # type: ignore[no-any-return]


def reduce_blocks(
    task: Callable[[int, int, Any], T],
    blocks: int,
    *,
    threads: bool,
    executor: Executor | None = None,
    hint: Callable[[Any, T], Any] | None = None,
    progress: Callable[[int], None] | None = None,
    fewest: int = FEWEST_BLOCKS,
) -> T:
    """Return the merged results of ``task(first, last, hint)`` over ``range(blocks)``.

    Parameters
    ----------
    task
        Returns the merged result of blocks `first` to ``last - 1``.
    blocks
        The number of blocks.
    threads
        True to use a pool of threads, one a core, when no `executor` is given and there is more than one task.
    executor
        The executor on which the tasks run; they must pickle if it needs that.
    hint
        ``hint(latest hint, result)`` is handed to later tasks; it must not change any answer, only save work.
    progress
        Called in the caller's thread with how many blocks are done.
    fewest
        The fewest blocks in a task: a power of two.
    """
    if executor is None and blocks <= fewest:  # one task, nothing to merge: no microsecond to spare
        result = task(0, blocks, None)
        if progress is not None:
            progress(blocks)
        return result
    size = _task_size(blocks, fewest)
    tasks = -(-blocks // size)
    pool = executor
    if pool is None and threads and tasks > 1 and _cores() > 1 and not getattr(_inside_task, "active", False):
        pool = _threads()

    def bounds(number: int) -> tuple[int, int]:
        return number * size, min((number + 1) * size, blocks)

    def results() -> Iterable[T]:
        latest = None
        queue: deque[Future[T]] = deque()
        ahead = 0
        most = 2 * (getattr(pool, "_max_workers", None) or _cores()) if pool is not None else 0
        try:
            for done in range(tasks):
                if pool is None:
                    result = task(*bounds(done), latest)
                else:
                    while ahead < tasks and len(queue) < most:
                        first, last = bounds(ahead)
                        queue.append(_submitted(pool, task, first, last, latest))
                        ahead += 1
                    result = queue.popleft().result()
                if hint is not None:
                    latest = hint(latest, result)
                if progress is not None:
                    progress(bounds(done)[1])
                yield result
        finally:
            for future in queue:
                future.cancel()

    return fold(results())


def _task_size(blocks: int, fewest: int) -> int:
    """Return how many blocks make a task: a power of two, so that a task is a subtree."""
    size = fewest
    while size < _MOST_BLOCKS and blocks >= 2 * size * _TASKS:
        size *= 2
    return size


def _submitted(pool: Executor, task: Callable[..., T], *arguments: Any) -> "Future[T]":
    try:
        return pool.submit(_run, task, *arguments)
    except RuntimeError as error:
        raise RuntimeError(f"executor accepts no work (shut down?): {error}") from error


def _run(task: Callable[..., T], *arguments: Any) -> T:
    # An estimator called inside a task works alone: waiting for threads of its own pool could wait for ever.
    _inside_task.active = True
    try:
        return task(*arguments)
    finally:
        _inside_task.active = False


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603 - one pool a process
    if _pool is None:
        _pool = ThreadPoolExecutor(_cores(), thread_name_prefix="mcvi")
    return _pool


def _forget_threads() -> None:
    # A forked child inherits the pool object but none of its threads.
    global _pool  # noqa: PLW0603
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
