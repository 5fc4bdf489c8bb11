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


EVERYWHERE = textwrap.dedent(
    """
    import signal
    import time

    import numpy as np
    import shrinkage
    from scipy import sparse
    from shrinkage import cross_validate, path

    class Stop(BaseException):
        pass

    def stop(*_):
        raise Stop

    signal.signal(signal.SIGPROF, stop)
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.random((10000, 1000), dtype=np.float32).T - 0.5, dtype=float)
    y = X[:, :50].sum(axis=1) + 0.3 * rng.standard_normal(1000)
    stored = sparse.csc_array(np.where(np.abs(X) > 0.45, X, 0.0))
    fits = {
        "wide": lambda: path(X, y),
        "single precision, by rows": lambda: path(np.ascontiguousarray(X, dtype=np.float32), y),
        "folds": lambda: cross_validate(X, y),
        "sparse folds": lambda: cross_validate(stored, y),
        "logistic": lambda: path(X, (y > 0).astype(float), loss="logistic"),
        "sparse logistic": lambda: path(stored, (y > 0).astype(float), loss="logistic"),
        "ridge": lambda: path(X, y, l1_ratio=0.0),
    }
    for name, fit in fits.items():
        for threads in (1, 2):
            for moment in (0.07, 0.25):
                with shrinkage.threads(threads):
                    begun = time.process_time()
                    signal.setitimer(signal.ITIMER_PROF, moment)
                    try:
                        fit()
                        signal.setitimer(signal.ITIMER_PROF, 0)
                    except Stop:
                        late = (time.process_time() - begun - moment) / threads
                        print("heard" if late < 0.2 else f"{name} on {threads} went on for {late:.2f} s of its time")
    print("done")
    """
)


@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="needs a timer of the process's own time")
def test_a_signal_is_heard_within_a_fifth_of_a_second_of_the_process_time():
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", EVERYWHERE], env=environment, capture_output=True, text=True, check=False
    )
    said = run.stdout.split("\n")
    assert said[-2:] == ["done", ""], run.stderr
    assert said.count("heard") >= 10
    assert set(said) == {"heard", "done", ""}
