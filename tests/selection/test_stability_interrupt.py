"""Ctrl-C in the middle of a stability selection keeps the pairs that are finished."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from shrinkage.selection import _half_samples, stability_selection
from shrinkage.selection._stability_bounds import expected_low_choices


def draw(seed, p):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, p))
    return X, X[:, :3].sum(axis=1) + rng.normal(size=60)


@pytest.mark.parametrize(("p", "done"), [(150, 3), (40, 20)])
def test_ctrl_c_keeps_the_pairs_that_are_finished(monkeypatch, p, done):
    X, y = draw(16, p=p)
    whole = stability_selection(X, y, q=5, bound=2.0, n_pairs=30)
    walk, calls = _half_samples._walk, []

    def interrupted(*args):
        if sum(calls) >= done:
            raise KeyboardInterrupt
        calls.append(len(args[1]) // 2)
        return walk(*args)

    monkeypatch.setattr(_half_samples, "_walk", interrupted)
    found = stability_selection(X, y, q=5, bound=2.0, n_pairs=30)
    assert (found.n_pairs, found.n_pairs_asked) == (done, 30)
    np.testing.assert_array_equal(found.chosen.toarray(), whole.chosen.toarray()[:, : 2 * done])
    assert found.bounds["unimodal"] == expected_low_choices(5, p, found.threshold, done, "unimodal")
    assert f"{done} of 30 pairs were finished" in str(found)
    calls[:] = [1] * 99
    with pytest.raises(KeyboardInterrupt):
        stability_selection(X, y, q=5, bound=2.0, n_pairs=30)


def test_a_bound_that_too_few_finished_pairs_cannot_keep_is_said_not_to_be_kept(monkeypatch):
    X, y = draw(17, p=150)
    least = expected_low_choices(5, 150, 1.0, 30, "unimodal")
    walk, calls = _half_samples._walk, []

    def interrupted(*args):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return walk(*args)

    monkeypatch.setattr(_half_samples, "_walk", interrupted)
    found = stability_selection(X, y, q=5, bound=least, n_pairs=30)
    assert (found.n_pairs, found.threshold) == (2, 1.0)
    assert found.bound > least
    assert "is not kept by so few pairs" in str(found)


SCRIPT = """
import signal
import numpy as np
from shrinkage.selection import _half_samples, stability_selection

signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may be begun to ignore it
walk, calls = _half_samples._walk, []

def counted(*args):
    if len(calls) == 3:
        print("ready", flush=True)
    calls.append(1)
    return walk(*args)

_half_samples._walk = counted
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 400))
y = X[:, :3].sum(axis=1) + rng.normal(size=200)
found = stability_selection(X, y, q=5, threshold=0.7, n_pairs=500)
print(3 <= found.n_pairs < 500, found.chosen.shape[1] == 2 * found.n_pairs, set(found.selected) >= {0, 1, 2})
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_a_signal_in_the_middle_of_a_fit_keeps_them_too():
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().strip() == "ready"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert said.strip() == "True True True"
