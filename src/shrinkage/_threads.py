"""How many threads the engine uses, and BLAS kept at one inside it.

Every long computation of the compiled core is cut into blocks that depend on the data alone, and its own team of
threads (native/include/shrinkage/team.hpp) shares the blocks, so results have the same bits for any number of threads.
That number is process-wide: `threads(n)` sets it, at first it is what `default_count` reads from the environment. BLAS
calls run inside the blocks, or between them on small matrices: on one thread, however many BLAS itself has been given.
So each door of the engine is entered through the decorator `@blas_alone` (or ``with BLAS_ALONE:``), which costs a few
microseconds, nests, and gives BLAS its threads back when the outermost door is left.
"""

import os
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from itertools import product
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

from shrinkage import _core
from shrinkage._errors import ArgumentError

_P = ParamSpec("_P")
_R = TypeVar("_R")


class threads:
    """Set how many threads the compiled engine may use; as a context, until its end.

    Results have the same bits for any number. The setting is for the whole process. Without it, the environment
    variable ``SHRINKAGE_NUM_THREADS`` decides, then ``OMP_NUM_THREADS``, then the number of cores that the process may
    run on. Optimizers of networks use the threads of their framework.

    Parameters
    ----------
    n : int >= 1, optional
        The most threads that one call may use, the calling one included; without it, the setting stays as it is.

    Attributes
    ----------
    n : int
        The setting made, or found.

    Raises
    ------
    ArgumentError
        If `n` is not an integer of at least 1.

    Examples
    --------
    >>> import shrinkage
    >>> with shrinkage.threads(1):
    ...     shrinkage.threads().n
    1
    """

    def __init__(self, n: int | None = None) -> None:
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise ArgumentError(f"n must be an integer of at least 1, the most threads to use; got {n!r}")
        self._before = _core.threads()
        self.n = self._before if n is None else n
        _core.set_threads(self.n)

    def __enter__(self) -> "threads":
        return self

    def __exit__(self, *error: object) -> None:
        _core.set_threads(self._before)


def default_count(environment: Mapping[str, str]) -> int:
    """Return the number of threads that the environment asks for, else that of the cores at hand.

    Raises
    ------
    ArgumentError
        If ``SHRINKAGE_NUM_THREADS`` is not an integer of at least 1. A faulty ``OMP_NUM_THREADS`` is not ours to judge.
    """
    own = environment.get("SHRINKAGE_NUM_THREADS", "").strip()
    if own:
        if not own.isdecimal() or int(own) < 1:
            raise ArgumentError(f"SHRINKAGE_NUM_THREADS must be an integer of at least 1; got {own!r}")
        return int(own)
    shared = environment.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # a list names a number per nested level
    if shared.isdecimal() and int(shared) >= 1:
        return int(shared)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


Switch = tuple[Callable[[], int], Callable[[int], Any]]  # reads and sets the number of threads of a library


def _switch(library: Any) -> Switch:
    """What threadpoolctl found, without its rule that only the first thread to ask may set OpenBLAS's number."""
    for prefix, suffix in product(("", "scipy_"), ("", "64_", "_64")):
        get = getattr(library.dynlib, f"{prefix}openblas_get_num_threads{suffix}", None)
        if get is not None:
            return get, getattr(library.dynlib, f"{prefix}openblas_set_num_threads{suffix}")
    return library.get_num_threads, library.set_num_threads


class _BlasAlone:
    """While anybody is inside, the BLAS libraries of NumPy and SciPy compute on the thread that calls them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._switches: list[Switch] = []  # found when first entered
        self._before: list[int] = []

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                if not self._switches:
                    found = ThreadpoolController().select(user_api="blas").lib_controllers
                    self._switches = [_switch(library) for library in found]
                self._before = [get() for get, _ in self._switches]
                self._set([1] * len(self._before))
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, counts: list[int]) -> None:
        for (_, set_count), count, before in zip(self._switches, counts, self._before, strict=True):
            if before != 1:
                set_count(count)

    def renew(self) -> None:
        """Begin anew in a forked process: whoever was inside or held the lock has stayed in the parent."""
        if self._inside:
            self._set(self._before)
        self._lock, self._inside = threading.Lock(), 0


BLAS_ALONE = _BlasAlone()


def blas_alone(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a door of the engine: inside, BLAS computes on one thread."""

    @wraps(function)
    def alone(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with BLAS_ALONE:
            return function(*args, **kwargs)

    return alone


def stoppable(function: Callable[..., _R], *arguments: Any) -> _R:
    """Call one long function of LAPACK so that Ctrl-C is heard meanwhile.

    LAPACK cannot be stopped: the function runs on a thread of its own, which after Ctrl-C is left to its end. Python
    hands signals to the main thread alone, so any other thread calls the function itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*arguments)
    found: list[_R] = []
    failed: list[BaseException] = []

    def call() -> None:
        try:
            found.append(function(*arguments))
        except BaseException as error:  # raised again below, in the thread that called
            failed.append(error)

    worker = threading.Thread(target=call, daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(0.05)
    if failed:
        raise failed[0]
    return found[0]


_core.set_threads(default_count(os.environ))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=BLAS_ALONE.renew)
