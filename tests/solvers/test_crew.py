"""Threads that share the folds of a cross-validation: the same bits for any number, and errors that end all."""

import threading
import time

import numpy as np
import pytest
from sklearn.model_selection import KFold

import shrinkage
from shrinkage import _core
from shrinkage._path import state
from shrinkage.datasets import simulate_linear
from shrinkage.solvers import _engine as engine
from shrinkage.solvers._crew import Crew
from shrinkage.solvers._engine import _with_shared_folds, driver_of
from shrinkage.solvers._shared_columns import SharedColumns, Sides
from shrinkage.solvers._shared_folds import SharedFolds, _March


@pytest.mark.parametrize("n", [1, 2, 5])
def test_results_come_in_the_order_of_the_items_whoever_made_them(n):
    with shrinkage.threads(n), Crew(10) as crew:
        assert crew.each(lambda item: item**2, range(50)) == [item**2 for item in range(50)]
        assert crew.each(str, [7]) == ["7"]
        assert crew.each(str, []) == []


def test_two_items_are_done_at_the_same_time():
    meeting = threading.Barrier(2, timeout=10)
    with shrinkage.threads(2), Crew(2) as crew:
        assert sorted(crew.each(lambda _: meeting.wait(), range(2))) == [0, 1]


def test_there_are_no_more_threads_than_items_or_the_setting_allow():
    for n, most in ((1, 4), (4, 1)):
        with shrinkage.threads(n), Crew(most) as crew:
            assert set(crew.each(lambda _: threading.get_ident(), range(20))) == {threading.get_ident()}


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("error", [IndexError, ValueError, KeyboardInterrupt])
def test_an_error_ends_all_and_comes_out(n, error):
    begun = []

    def work(item):
        begun.append(item)
        if item == 3:
            raise error

    with pytest.raises(error), shrinkage.threads(n), Crew(2) as crew:
        crew.each(work, range(10_000))
    assert len(begun) < 10_000


def test_an_interrupt_does_not_wait_for_what_other_threads_do():
    helping, released, caller, ended = threading.Event(), threading.Event(), threading.get_ident(), []

    def work(_):
        if threading.get_ident() == caller:
            assert helping.wait(10)
            raise KeyboardInterrupt
        helping.set()
        released.wait(3)
        ended.append(True)

    with pytest.raises(KeyboardInterrupt), shrinkage.threads(2), Crew(2) as crew:
        crew.each(work, range(4))
    assert not ended
    released.set()


@pytest.mark.parametrize("n", [1, 2])
def test_work_beside_the_items_is_done_once_and_its_error_comes_out(n):
    def fail():
        raise ValueError

    with shrinkage.threads(n), Crew(3) as crew:
        begun = []
        beside = crew.beside(lambda: begun.append(threading.get_ident()) or "done")
        assert crew.each(str, range(20)) == [str(item) for item in range(20)]
        assert beside() == beside() == "done"
        assert len(begun) == 1
        assert (begun[0] == threading.get_ident()) == (n == 1)
        with pytest.raises(ValueError):
            crew.beside(fail)()


def test_items_do_not_wait_for_a_helper_that_is_busy_beside():
    held = threading.Event()
    with shrinkage.threads(2), Crew(2) as crew:
        beside = crew.beside(lambda: held.wait(10))
        assert crew.each(str, range(5)) == [str(item) for item in range(5)]
        held.set()
        assert beside()


def test_an_interrupt_of_the_folds_ends_the_path_beside_them(monkeypatch):
    data = simulate_linear(120, 2500, rho=0.5, n_nonzero=10, snr=3.0, seed=3)
    problem = state(data.X, data.y, "squared", 1.0, True, False, None, None, None, None)[0]
    folds, walking, ended = list(KFold(2).split(data.X)), threading.Event(), []

    def interrupted(*_, **__):
        assert walking.wait(10)
        raise KeyboardInterrupt

    def watched(*given):
        driver = driver_of(*given)
        run = driver.run

        def slow(alphas):
            walking.set()
            while not driver.watch(0, None, None):
                time.sleep(0.01)
            ended.append(run)
            return run(alphas)

        driver.run = slow
        return driver

    monkeypatch.setattr(engine, "driver_of", watched)
    monkeypatch.setattr(SharedFolds, "solve_with", interrupted)
    with pytest.raises(KeyboardInterrupt), shrinkage.threads(2):
        _with_shared_folds(problem, problem.alpha_max * np.array([0.5, 0.4]), folds, False, 1e-6)
    for _ in range(1000):
        if ended:
            return
        time.sleep(0.01)
    raise AssertionError("the path goes on")


def test_an_interrupt_of_one_march_ends_the_other(monkeypatch):
    data = simulate_linear(120, 600, rho=0.5, n_nonzero=10, snr=3.0, seed=3)
    problem = state(data.X, data.y, "squared", 1.0, True, False, None, None, None, None)[0]
    alphas = problem.alpha_max * np.geomspace(1.0, 1e-2, 200)
    caller, walking, left, runs = threading.get_ident(), threading.Event(), threading.Event(), []
    certify = _March._certify

    def certify_here(self, *given):
        if threading.get_ident() == caller:
            assert walking.wait(10)
            raise KeyboardInterrupt
        walking.set()
        assert left.wait(10)
        runs.append(certify(self, *given))

    monkeypatch.setattr(_March, "_certify", certify_here)
    shared = SharedFolds(problem, alphas, 1.0, False, 1e-6)
    with pytest.raises(KeyboardInterrupt), shrinkage.threads(2):
        shared.solve(list(KFold(4).split(data.X)))
    left.set()
    for thread in threading.enumerate():
        if thread.name.startswith("shrinkage"):
            thread.join(10)
    assert len(runs) == 1


@pytest.mark.parametrize(("n", "alone"), [(2, True), (3, False)])
def test_the_core_works_alone_in_items_that_occupy_all_threads(n, alone):
    with shrinkage.threads(n), Crew(2) as crew:
        assert crew.each(lambda _: _core.work_alone(alone), range(2)) == [alone, alone]
        assert crew.beside(lambda: _core.work_alone(alone))() is alone
    assert _core.work_alone(False) is False


def test_crews_side_by_side_take_their_part_of_the_threads():
    with shrinkage.threads(4), Crew(8, crews=2) as crew:
        assert len(set(crew.each(lambda _: time.sleep(0.05) or threading.get_ident(), range(8)))) == 2


def test_logistic_folds_on_several_threads_have_the_same_bits(monkeypatch):
    monkeypatch.setattr("shrinkage.solvers._newton.WORTH_A_CREW", 0)
    data = simulate_linear(90, 130, rho=0.5, n_nonzero=5, snr=3.0, seed=4)
    target = (data.y > np.median(data.y)).astype(float)
    found = []
    for n in (1, 3):
        with shrinkage.threads(n):
            cv = shrinkage.cross_validate(data.X, target, cv=5, loss="logistic", n_alphas=20)
        found.append(cv.scores.tobytes() + cv.path.coefs.data.tobytes() + cv.fold_gaps.tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_folds_on_several_threads_have_the_same_bits(l1_ratio):
    data = simulate_linear(120, 600, rho=0.5, n_nonzero=10, snr=3.0, seed=3)
    problem = state(data.X, data.y, "squared", l1_ratio, True, True, None, None, None, None)[0]
    alphas = problem.alpha_max * np.geomspace(1.0, 1e-2, 30)
    folds = list(KFold(7).split(data.X))
    found = []
    for n in (1, 2, 3):
        with shrinkage.threads(n):
            scores, gaps = SharedFolds(problem, alphas, l1_ratio, True, 1e-8).solve(folds)
        assert gaps.max() <= 1e-8
        found.append(scores.tobytes() + gaps.tobytes())
    assert found[1:] == found[:1] * 2


def test_an_error_in_one_march_ends_the_other(monkeypatch):
    data = simulate_linear(120, 600, rho=0.5, n_nonzero=10, snr=3.0, seed=3)
    problem = state(data.X, data.y, "squared", 1.0, True, False, None, None, None, None)[0]
    alphas = problem.alpha_max * np.geomspace(1.0, 1e-2, 200)
    caller, walking, runs = threading.get_ident(), threading.Event(), []
    certify = _March._certify

    def certify_here(self, *given):
        if threading.get_ident() != caller:
            assert walking.wait(10)
            raise MemoryError
        walking.set()
        for _ in range(5_000):
            if self._shared.over:
                break
            time.sleep(0.001)
        else:
            raise AssertionError("the other march's error is not heard")
        runs.append(certify(self, *given))

    monkeypatch.setattr(_March, "_certify", certify_here)
    with pytest.raises(MemoryError), shrinkage.threads(2):
        SharedFolds(problem, alphas, 1.0, False, 1e-6).solve(list(KFold(4).split(data.X)))
    assert len(runs) == 1


def test_columns_are_only_read_from_their_place_when_they_are_there(monkeypatch):
    data = simulate_linear(40, 30, rho=0.0, n_nonzero=3, snr=3.0, seed=1)
    problem = state(data.X, data.y, "squared", 1.0, True, False, None, None, None, None)[0]
    shared = SharedColumns(problem, Sides(problem, np.ones(40)))
    gathering, go_on, gather = threading.Event(), threading.Event(), SharedColumns._gather

    def slow(self, features, out):
        if threading.current_thread() is grower:
            gathering.set()
            assert go_on.wait(10)
        gather(self, features, out)

    monkeypatch.setattr(SharedColumns, "_gather", slow)
    rows, features = np.arange(0, 40, 3), np.array([4, 7])
    grower = threading.Thread(target=shared.grow, args=(features,))
    grower.start()
    assert gathering.wait(10)
    np.testing.assert_array_equal(shared.block(rows, features), data.X[np.ix_(rows, features)])
    go_on.set()
    grower.join()
    assert (shared.place[features] >= 0).all()
    np.testing.assert_array_equal(shared.block(rows, features), data.X[np.ix_(rows, features)])
