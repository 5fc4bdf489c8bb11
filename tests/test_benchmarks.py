"""What the benchmarks say of others is right: scores are bounds, tolerances meet their criterion, slow runs stay."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
ALPHAS = 8


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """A module of benchmarks/linear by its name, with a store of its own."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    monkeypatch.setattr(importlib.import_module("linear.store"), "STORE", tmp_path)
    yield lambda name: importlib.import_module(f"linear.{name}")
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "linear":
            del sys.modules[name]


@pytest.fixture
def task(bench, monkeypatch):
    """A stated problem by its loss and l1_ratio: 40 rows, 60 columns, 8 strengths."""

    def make(loss="squared", l1_ratio=1.0):
        simulate, rows, store = bench("simulate"), bench("rows"), bench("store")

        def small():
            rng = simulate.generator("tests")
            X = simulate.chained(rng, 40, 60)
            return X, simulate.classes(rng, X, 5, 2.0) if loss == "logistic" else simulate.response(rng, X, 5, 5.0)

        monkeypatch.setitem(simulate.MAKE, f"tests-{loss}", small)
        row = rows.Row("tests", f"tests-{loss}", "", n_alphas=ALPHAS, ratio=0.05, loss=loss, l1_ratio=l1_ratio)
        monkeypatch.setitem(rows.ROWS, "tests", row)
        return store.task("tests")

    return make


def solved(bench, task, tol):
    import shrinkage

    fitted = shrinkage.path(
        task.data.X, task.data.y, loss=task.row.loss, l1_ratio=task.row.l1_ratio, alphas=task.alphas, tol=tol
    )
    return bench("serving").Answer("0", [1.0], [1.0], None, fitted.coefs, fitted.intercepts)


@pytest.mark.parametrize(("loss", "l1_ratio"), [("squared", 1.0), ("squared", 0.5), ("logistic", 1.0)])
def test_the_true_error_of_a_worse_answer_is_between_zero_and_its_gap(bench, task, loss, l1_ratio):
    stated = task(loss, l1_ratio)
    answer = solved(bench, stated, 1e-10)
    exact = bench("scoring").score(stated, answer)
    values = bench("scoring").objectives(stated, answer.coefs, answer.intercepts)
    for t in (0, ALPHAS - 1):
        one = stated.statement.with_penalty(stated.statement.penalty.with_alpha(stated.alphas[t]))
        assert values[t] == pytest.approx(one.objective(answer.coefs[:, [t]].toarray()[:, 0], answer.intercepts[t]))
    assert -1e-12 <= exact["suboptimality"] <= 1e-9
    answer.coefs = sp.csc_matrix(answer.coefs * 1.01)
    worse = bench("scoring").score(stated, answer)
    assert 1e-6 < worse["suboptimality"] <= worse["gap"]


def test_a_dual_point_that_a_tool_offers_never_claims_too_much(bench, task):
    stated = task()
    scoring = bench("scoring")
    answer = solved(bench, stated, 1e-12)
    residuals = stated.data.y - np.asarray(stated.data.X @ answer.coefs.toarray() + answer.intercepts).T
    exact = scoring.objectives(stated, answer.coefs, answer.intercepts)
    np.testing.assert_allclose(scoring.own_dual(stated, 3.0 * residuals), exact, rtol=1e-9)
    noise = np.random.default_rng(0).standard_normal(residuals.shape)
    assert (scoring.own_dual(stated, residuals + 0.1 * noise) < exact).all()


class Served:
    """Stands for a tool whose error is its tolerance, above a floor."""

    version = "1.0"

    def __init__(self, bench, floor=0.0, tool="glmnet"):
        self.contestant = bench("contestants").Contestant(tool)
        self.task = SimpleNamespace(row=SimpleNamespace(name="tests", kind="path", gap=1e-6))
        self.floor, self.asked = floor, []

    def ask(self, tol, strict, call, runs, limit, budget):
        self.asked.append(tol)
        return SimpleNamespace(cpu=[1.0], version="1.0", error=max(tol, self.floor))


@pytest.fixture
def book(bench, monkeypatch, tmp_path):
    tuning = bench("tuning")
    monkeypatch.setattr(tuning, "score", lambda task, answer: {"gap": 12 * answer.error, "suboptimality": answer.error})
    return tuning.Book(tmp_path / "tuned.json")


@pytest.mark.parametrize(("criterion", "factor"), [("s", 1.0), ("g", 12.0)])
def test_the_tolerance_found_meets_the_criterion_and_a_quarter_of_a_tenth_more_does_not(bench, book, criterion, factor):
    found = bench("tuning").seek(Served(bench), "1.0", book, criterion, 1.0)
    assert found.reached
    assert factor * found.tol <= 1e-6 < factor * found.tol * 10**0.26


def test_a_tolerance_is_sought_once(bench, book):
    first, second = Served(bench), Served(bench)
    found = bench("tuning").seek(first, "1.0", book, "s", 1.0)
    kept = bench("tuning").Book(book.where)
    assert bench("tuning").seek(second, "1.0", kept, "s", 1.0) == found
    assert 3 <= len(first.asked) <= 6
    assert second.asked == []


def test_tolerances_of_other_rows_say_where_to_start(bench, book):
    first, second = Served(bench), Served(bench)
    bench("tuning").seek(first, "1.0", book, "s", 1.0)
    second.task.row.name = "another"
    assert bench("tuning").seek(second, "1.0", book, "s", 1.0).reached
    assert second.asked[0] > 0.5e-6


def test_a_search_ends_where_looser_tolerances_fail_with_an_error(bench, book):
    served = Served(bench)
    asked = served.ask

    def ask(tol, *rest, **more):
        if tol > 2e-7:
            raise bench("serving").Refused("RuntimeError")
        return asked(tol, *rest, **more)

    served.ask = ask
    assert bench("tuning").seek(served, "1.0", book, "s", 1.0).tol == pytest.approx(1.78e-7)


def test_a_run_that_took_too_long_ends_the_search_until_more_time_is_given(bench, book):
    tuning = bench("tuning")
    book.add(bench("contestants").Contestant("glmnet"), "1.0", "tests", {"tol": 1e-7, "gap": 1.0, "suboptimality": 1.0})
    late = {"tol": 1e-8, "refused": "longer than 5 s", "limit": 5.0}
    book.add(bench("contestants").Contestant("glmnet"), "1.0", "tests", late)
    hurried, patient = Served(bench), Served(bench)
    assert tuning.seek(hurried, "1.0", book, "s", 5.0) == tuning.Tuned(1e-7, False)
    assert hurried.asked == []
    tuning.seek(patient, "1.0", book, "s", 50.0)
    assert patient.asked


def test_a_tool_that_cannot_reach_the_criterion_is_shown_at_its_best(bench, book):
    found = bench("tuning").seek(Served(bench, floor=1e-5), "1.0", book, "s", 1.0)
    assert not found.reached


def record(tool, criterion, seconds, **more):
    return {"tool": tool, "mode": "", "criterion": criterion, "cpu_seconds": seconds, "machine": "here", **more}


def test_the_fastest_peer_is_one_that_met_the_criterion(bench):
    records = bench("records")
    ours, slow = record("shrinkage", "g", 0.5), record("glmnet", "s", 3.0, reached=True, suboptimality=1e-7)
    quick = record("celer", "s", 1.0, reached=False, suboptimality=1e-4)
    assert records.ratio({"records": [ours, slow, quick]}, "s") == pytest.approx(6.0)
    assert records.fastest({"records": [ours, quick]}, "s") == quick


def test_a_slow_peer_is_measured_once_on_a_machine(bench, monkeypatch):
    measuring = bench("measuring")
    monkeypatch.setattr(measuring, "machine", lambda: {"cpu": "here"})
    effort, contestant = measuring.Effort(once=20.0, limit=100.0), bench("contestants").Contestant("glmnet")

    def stands(one):
        return measuring._stands([one], contestant, "d", effort)

    assert stands(record("glmnet", "d", 50.0))
    assert not stands(record("glmnet", "d", 5.0))
    assert not stands({**record("glmnet", "d", 50.0), "machine": "elsewhere"})
    assert stands(record("glmnet", "d", 0.0, refused="longer than 100 s", limit=100.0))
    assert not stands(record("glmnet", "d", 0.0, refused="longer than 50 s", limit=50.0))


def test_a_search_is_given_four_times_the_fastest_and_never_more_than_the_limit(bench):
    effort = bench("measuring").Effort(limit=60.0, behind=4.0, least=20.0)
    assert [effort.within(seconds).limit for seconds in (None, 1.0, 10.0, 30.0)] == [60.0, 20.0, 40.0, 60.0]


def test_rows_have_bars_for_the_criteria_and_data_that_somebody_makes(bench):
    made = {**bench("simulate").MAKE, **bench("real").MAKE}
    for row in bench("rows").ROWS.values():
        assert row.data in made
        assert set(row.bars) <= set(bench("measuring").CRITERIA)
    assert set(bench("rows").QUICK) <= set(bench("rows").ROWS)


def test_the_limit_of_a_dense_path_is_the_sum_of_what_it_must_read_and_multiply(bench, monkeypatch):
    limits = bench("limits")
    monkeypatch.setattr(limits, "bandwidth", lambda: 10e9)
    monkeypatch.setattr(limits, "flops", lambda rows: 40e9)
    row = {"kind": "path", "folds": 10, "n_alphas": 100, "loss": "squared"}
    found = limits.limit({"row": row, "shape": [500, 20_000], "nnz": 10_000_000, "support": 300})
    expected = 8e7 / 10e9 + (2 * 1e7 * 100 + 500 * 300**2 + 300**3 / 3) / 40e9
    assert found["total"] == pytest.approx(expected)


def test_the_limit_of_a_sparse_path_is_no_more_than_one_sweep_where_a_factor_would_cost_more(bench, monkeypatch):
    limits = bench("limits")
    monkeypatch.setattr(limits, "bandwidth", lambda: 10e9)
    monkeypatch.setattr(limits, "flops", lambda rows: 40e9)
    row = {"kind": "path", "folds": 10, "n_alphas": 100, "loss": "squared"}
    found = limits.limit({"row": row, "shape": [20_000, 100_000], "nnz": 2_000_000, "support": 12_000})
    expected = 2.4e7 / 10e9 + (2 * 2e6 * 100 + 4 * 20 * 12_000) / 40e9
    assert found["total"] == pytest.approx(expected)
    few = limits.limit({"row": row, "shape": [20_000, 100_000], "nnz": 2_000_000, "support": 2})
    assert few["gram"] + few["factor"] < 4 * 20 * 2 / 40e9
