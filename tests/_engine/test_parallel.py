"""Tasks over blocks: cut by their number alone, merged by one tree, whoever computes them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mcvi._engine import parallel
from mcvi._engine.parallel import fold, reduce_blocks


class Words:
    """Blocks as words that show how they were merged."""

    def __init__(self, text):
        self.text = text

    def __add__(self, other):
        return Words(f"({self.text} {other.text})")


def tree(items):
    """Return the merged words of some blocks: pairs, pairs of pairs, and the rest on the right, written out."""
    level = list(items)
    if len(level) == 1:
        return level[0]
    size = 1
    while size * 2 < len(level):
        size *= 2
    return f"({tree(level[:size])} {tree(level[size:])})"


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 8, 9, 16, 31, 33, 100])
def test_the_tree_of_a_fold(n):
    assert fold(Words(str(i)) for i in range(n)).text == tree(map(str, range(n)))


class Task:
    """A task that remembers how it was called."""

    def __init__(self, wait=0.0):
        self.calls, self.threads, self.wait = [], set(), wait

    def __call__(self, first, last, hint):
        self.calls.append((first, last, hint))
        self.threads.add(threading.get_ident())
        time.sleep(self.wait if first == 0 else 0.0)
        return fold(Words(str(i)) for i in range(first, last))


@pytest.mark.parametrize(
    "blocks", [1, 7, 8, 9, 16, 17, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2047, 2048, 3001]
)
def test_tasks_are_subtrees_and_depend_on_the_number_of_blocks_alone(blocks):
    alone = Task()
    merged = reduce_blocks(alone, blocks, threads=False).text
    assert merged == tree(map(str, range(blocks)))
    sizes = {last - first for first, last, _ in alone.calls[:-1]} or {8}
    (size,) = sizes
    # Eight blocks; from sixteen tasks of twice the size on, twice as many; never more than 64.
    assert size == (8 if blocks < 256 else 16 if blocks < 512 else 32 if blocks < 1024 else 64)
    assert [call[:2] for call in alone.calls] == [
        (first, min(first + size, blocks)) for first in range(0, blocks, size)
    ]
    with ThreadPoolExecutor(3) as pool:
        shared = Task(wait=0.01)
        assert reduce_blocks(shared, blocks, threads=False, executor=pool).text == merged
    assert sorted(call[:2] for call in shared.calls) == [call[:2] for call in alone.calls]


def test_threads_are_used_where_they_may_be_and_there_is_more_than_one_task(monkeypatch):
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    main = threading.get_ident()
    for blocks, threads, alone in ((8, True, True), (9, True, False), (100, False, True), (100, True, False)):
        task = Task()
        reduce_blocks(task, blocks, threads=threads)
        assert (task.threads == {main}) == alone
    monkeypatch.setattr(parallel, "_cores", lambda: 1)
    task = Task()
    reduce_blocks(task, 100, threads=True)
    assert task.threads == {main}


def test_a_task_that_makes_tasks_does_them_itself(monkeypatch):
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    seen = []

    def outer(first, last, _):
        inner = Task()
        reduce_blocks(inner, 100, threads=True)
        seen.append(inner.threads == {threading.get_ident()})
        return Words("x")

    reduce_blocks(outer, 20, threads=True)
    assert seen == [True] * 3
    task = Task()  # and afterwards this thread may use others again
    reduce_blocks(task, 100, threads=True)
    assert task.threads != {threading.get_ident()}


def test_a_hint_is_made_of_the_results_so_far_in_their_order():
    task, given = Task(), []

    def hint(latest, result):
        given.append((latest, result.text))
        return len(given)

    reduce_blocks(task, 30, threads=False, hint=hint)
    assert [call[2] for call in task.calls] == [None, 1, 2, 3]
    assert [latest for latest, _ in given] == [None, 1, 2, 3]
    assert given[1][1] == tree(map(str, range(8, 16)))


@pytest.mark.parametrize("executor", [False, True])
def test_progress_is_told_how_many_blocks_are_done_in_the_thread_of_the_caller(executor):
    seen, main = [], threading.get_ident()

    def progress(done):
        assert threading.get_ident() == main
        seen.append(done)

    pool = ThreadPoolExecutor(2) if executor else None
    for blocks in (3, 20, 24):
        reduce_blocks(Task(), blocks, threads=False, executor=pool, progress=progress)
    if pool is not None:
        pool.shutdown()
    assert seen == [3, 8, 16, 20, 8, 16, 24]


def test_an_executor_that_was_shut_down_is_named():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match=r"^executor accepts no work \(shut down\?\): cannot schedule new futures"):
        reduce_blocks(Task(), 20, threads=False, executor=pool)


def test_an_error_cancels_what_has_not_begun():
    started = []

    def task(first, last, _):
        started.append(first)
        time.sleep(0.01)
        if first == 0:
            raise ZeroDivisionError("first")
        return Words("x")

    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError, match=r"^first$"):
        reduce_blocks(task, 10_000, threads=False, executor=pool)
    assert len(started) <= 3  # of 157


def test_no_more_is_handed_out_than_twice_as_many_tasks_as_there_are_workers():
    class Counts(ThreadPoolExecutor):
        open = most = 0

        def submit(self, *arguments):
            self.open += 1
            self.most = max(self.most, self.open)
            future = super().submit(*arguments)
            result = future.result

            def taken(*a):
                self.open -= 1
                return result(*a)

            future.result = taken
            return future

    with Counts(3) as pool:
        reduce_blocks(Task(), 2000, threads=False, executor=pool)
    assert pool.most == 6
