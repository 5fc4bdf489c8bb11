"""The number of threads: where it comes from, what it changes (nothing but time), and BLAS kept at one inside."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import shrinkage
from shrinkage import _core
from shrinkage._errors import ArgumentError
from shrinkage._threads import BLAS_ALONE, blas_alone, default_count, stoppable


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture
def many_blas_threads():
    with threadpool_limits(limits=2, user_api="blas"):
        if set(blas_threads()) != {2}:
            pytest.skip("this BLAS has no second thread")
        yield


def test_a_context_sets_the_number_and_takes_it_back():
    before = shrinkage.threads().n
    with shrinkage.threads(3) as outer:
        assert outer.n == shrinkage.threads().n == _core.threads() == 3
        with shrinkage.threads(1):
            assert shrinkage.threads().n == 1
        assert shrinkage.threads().n == 3
    assert shrinkage.threads().n == before


def test_a_call_without_a_context_lasts():
    before = shrinkage.threads()
    try:
        shrinkage.threads(5)
        assert shrinkage.threads().n == 5
    finally:
        shrinkage.threads(before.n)


@pytest.mark.parametrize("n", [0, -1, 2.0, "2", True])
def test_a_number_of_threads_that_is_none_is_refused(n):
    before = shrinkage.threads().n
    with pytest.raises(ArgumentError, match=r"n must be an integer of at least 1, the most threads to use; got"):
        shrinkage.threads(n)
    assert shrinkage.threads().n == before


@pytest.mark.parametrize(
    ("environment", "count"),
    [
        ({"SHRINKAGE_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"SHRINKAGE_NUM_THREADS": " ", "OMP_NUM_THREADS": "2"}, 2),
    ],
)
def test_the_environment_is_asked_our_own_variable_first(environment, count):
    assert default_count(environment) == count


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system tells no affinity")
@pytest.mark.parametrize("environment", [{}, {"OMP_NUM_THREADS": "none of ours"}, {"OMP_NUM_THREADS": "0"}])
def test_without_a_wish_every_core_at_hand_is_used(environment):
    assert default_count(environment) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5"])
def test_a_wish_that_cannot_be_is_refused_when_the_library_is_imported(value):
    with pytest.raises(ArgumentError, match="SHRINKAGE_NUM_THREADS must be an integer of at least 1; got"):
        default_count({"SHRINKAGE_NUM_THREADS": value})


def test_the_variable_reaches_the_core():
    say = [sys.executable, "-c", "import shrinkage; print(shrinkage.threads().n)"]
    said = subprocess.run(
        say, env=os.environ | {"SHRINKAGE_NUM_THREADS": "7"}, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "7"


def test_inside_the_engine_blas_has_one_thread_and_gets_its_own_back(many_blas_threads):
    with BLAS_ALONE:
        assert set(blas_threads()) == {1}
        with BLAS_ALONE:
            pass
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


def test_blas_gets_its_threads_back_after_an_error(many_blas_threads):
    @blas_alone
    def fail():
        raise RuntimeError(set(blas_threads()))

    with pytest.raises(RuntimeError, match=r"\{1\}"):
        fail()
    assert set(blas_threads()) == {2}


def test_blas_gets_its_threads_back_from_the_last_to_leave(many_blas_threads):
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with BLAS_ALONE:
            entered.set()
            leave.wait()

    other = threading.Thread(target=stay)
    with BLAS_ALONE:
        other.start()
        entered.wait()
    assert set(blas_threads()) == {1}
    leave.set()
    other.join()
    assert set(blas_threads()) == {2}


def fit(n):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 400))
    return shrinkage.path(X, X[:, 0] + rng.standard_normal(n), n_alphas=10).coefs.data.tobytes()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_process_computes_the_same():
    with shrinkage.threads(2):
        here = fit(300)
        with BLAS_ALONE, multiprocessing.get_context("fork").Pool(1) as pool:  # forked while BLAS is held
            there = pool.apply(fit, (300,))
    assert there == here


def test_a_long_function_gives_what_it_gives_alone():
    assert stoppable(np.linalg.eigh, np.eye(3))[0].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(np.linalg.LinAlgError):
        stoppable(np.linalg.inv, np.zeros((2, 2)))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no timer")
def test_a_signal_is_heard_while_a_function_that_cannot_be_stopped_goes_on():
    class HeardError(Exception):
        pass

    def hear(*_):
        raise HeardError

    end = threading.Event()
    before = signal.signal(signal.SIGALRM, hear)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(HeardError):
            stoppable(end.wait, 60)
    finally:
        signal.signal(signal.SIGALRM, before)
        end.set()
