"""How many threads share work, and how they do: results come in order, and few wait to be taken."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["in_threads", "processors"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_threads(
    work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int | None = None, *, name: str = "work"
) -> Iterator[_Result]:
    """Yield what ``work`` makes of each item, in order.

    Parameters
    ----------
    work
        Called by several threads at once.
    items
        Taken when there is room: no more than two for each thread wait, or are done and not yet taken.
    threads
        How many; None for as many as there are processors.
    name
        Of the threads.

    Raises
    ------
    Exception
        What ``work`` raised, for the first item for which it did, or what taking an item raised, as soon as it does. No
        thread is left behind, whatever was raised.
    """
    n_threads = threads or processors()
    waiting: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix=name)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
