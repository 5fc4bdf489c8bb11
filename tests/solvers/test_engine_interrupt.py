"""Ctrl-C stops a long path, and the process goes on working."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

SCRIPT = textwrap.dedent(
    """
    import signal

    import numpy as np
    from scipy import sparse
    from shrinkage import path

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may be begun to ignore it
    rng = np.random.default_rng(0)
    X = sparse.random_array((20000, 60000), density=1e-3, format="csc", rng=rng)
    y = X[:, :100].sum(axis=1) + 0.1 * rng.standard_normal(20000)
    before = X.data.copy()
    small = rng.standard_normal((50, 5))
    print("ready", flush=True)
    try:
        path(X, y)
        print("finished")
    except KeyboardInterrupt:
        print("interrupted", path(small, small[:, 0]).relative_gaps.max() < 1e-6, np.array_equal(X.data, before))
    """
)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
@pytest.mark.parametrize("wait", [0.1, 4.0])
def test_an_interrupted_path_leaves_a_working_process(wait):
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().strip() == "ready"
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert said.strip() == "interrupted True True"
