"""The compiled steps work on torch's own threads where these can be had."""

import ctypes
import os

import torch

from shrinkage import _core


def lend_threads() -> bool:
    """Let the compiled core run its steps on the OpenMP threads that torch computes with; say whether it can.

    After a backward pass torch's threads wait for their next task by spinning, and would take the cores from any
    others. Where torch has no OpenMP with GNU's interface (macOS, Windows), and in a forked process, whose parent has
    kept the threads, a step brings its own.
    """
    address = _gomp_parallel()
    if not address:
        return False
    _core.lend_threads(address)
    os.register_at_fork(after_in_child=lambda: _core.lend_threads(0))
    return True


def _gomp_parallel() -> int:
    """Return where GOMP_parallel lies in the OpenMP library that torch itself is linked with, 0 if nowhere."""
    try:
        return ctypes.cast(ctypes.CDLL(torch._C.__file__).GOMP_parallel, ctypes.c_void_p).value or 0
    except (OSError, AttributeError):
        return 0
