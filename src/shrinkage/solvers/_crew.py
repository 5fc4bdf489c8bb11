"""Several Python threads at items that do not touch each other, such as the folds of a cross-validation.

The compiled core shares what is long *within* one call among its own team (native/include/shrinkage/team.hpp). A fold
is a chain of calls with a little Python between them: there a thread takes a whole item. Calls of the core and of NumPy
on arrays that are not small leave Python's lock to the others. Each item is computed by one thread, in an order of its
own, so results have the same bits for any number of threads.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from shrinkage import _core

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Crew:
    """The calling thread and its helpers, as many as the setting allows; a context, whose end sends them away.

    Parameters
    ----------
    most : int
        No more threads than that, the calling one included.
    crews : int
        How many crews work side by side: each takes its part of the threads.
    """

    def __init__(self, most: int, crews: int = 1):
        self._threads = max(1, _core.threads() // crews)
        self._helpers = max(1, min(self._threads, most)) - 1
        self._pool = ThreadPoolExecutor(self._helpers, "shrinkage") if self._helpers > 0 else None
        self._beside = 0  # threads that were given work beside items

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        if self._pool is not None:  # after Ctrl-C nobody waits: a helper ends its item, which is lost, and goes
            self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def beside(self, work: Callable[[], _Result]) -> Callable[[], _Result]:
        """Start work that a helper does meanwhile, and return what waits for its result; without helpers, do it now."""
        if self._pool is None:
            found = work()
            return lambda: found
        self._beside += 1
        return self._pool.submit(_within_team, self._threads > self._helpers + 1, work).result

    def each(self, work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
        """Return work(item) of every item, in their order; what one raises ends all."""
        if self._pool is None or len(items) < 2:
            return [work(item) for item in items]
        found: dict[int, _Result] = {}
        left = deque(enumerate(items))

        def take() -> None:
            while left:
                try:
                    at, item = left.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    found[at] = work(item)
                except BaseException:
                    left.clear()
                    raise

        free = len(items) + self._beside < self._threads
        helping: list[Future] = [
            self._pool.submit(_within_team, free, take) for _ in range(min(self._helpers, len(items) - 1))
        ]
        _within_team(free, take)
        for helper in helping:
            if not helper.cancel():  # one that is still busy beside has nothing left to take
                helper.result()
        return [found[at] for at in range(len(items))]


def _within_team(free: bool, work: Callable[[], _Result]) -> _Result:
    """Do work whose calls of the core take other threads only if some are free: more would fight for the cores."""
    before = _core.work_alone(False)
    try:
        _core.work_alone(not free)
        return work()
    finally:
        _core.work_alone(before)
