"""Folds that share columns: the answers are those of every fold solved with the others."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit

from shrinkage._path import state
from shrinkage.datasets import simulate_linear
from shrinkage.penalties import L1L2
from shrinkage.solvers import RepeatedFolds, solve_folds
from shrinkage.solvers import _shared_columns as shared_columns
from shrinkage.solvers._engine import driver_of, shares_columns, solve_stated
from shrinkage.solvers._shared_folds import SharedFolds

CASES = {
    "plain": {},
    "elastic net": {"l1_ratio": 0.4},
    "no intercept": {"fit_intercept": False},
    "standardized": {"standardize": True},
    "weights": {"weights": True},
    "offset": {"offset": True},
    "factors": {"factors": True, "l1_ratio": 0.8},
    "everything": {"standardize": True, "weights": True, "offset": True, "factors": True, "l1_ratio": 0.6},
}


@pytest.fixture(autouse=True)
def _small_problems_share_too(monkeypatch):
    monkeypatch.setattr("shrinkage.solvers._repeats.LEAST_SHARED", 0)


def _problem(case: dict, shape=(60, 150), dtype=np.float64, shift=0.0):
    data, rng = simulate_linear(*shape, rho=0.5, n_nonzero=8, snr=3.0, seed=3), np.random.default_rng(5)
    n, p = shape
    weights = rng.integers(0, 4, n).astype(float) if case.get("weights") else None
    factors = rng.uniform(0.5, 2.0, p) if case.get("factors") else None
    if factors is not None:
        factors[[3, 70]] = 0.0
    X = (data.X * np.exp(rng.normal(size=p)) + shift).astype(dtype)
    return state(
        X, data.y, "squared", case.get("l1_ratio", 1.0), case.get("fit_intercept", True),
        case.get("standardize", False), weights, rng.normal(size=n) if case.get("offset") else None, factors, None,
    )[0]  # fmt: skip


def _folds(seed: int, n: int = 60, count: int = 5):
    return list(KFold(count, shuffle=True, random_state=seed).split(np.zeros(n)))


def _grid(top: float) -> np.ndarray:
    return top * np.geomspace(1.0, 1e-3, 25)


def _both(problem, case, sets, tol=1e-6):
    solver = RepeatedFolds(problem, _grid, case.get("standardize", False), tol)
    assert isinstance(solver._shared, SharedFolds)
    found = solver.solve(sets)
    alone = [solve_folds(problem, solver.path.alphas, folds, case.get("standardize", False), tol) for folds in sets]
    return solver, found, alone


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_each_set_of_folds_has_the_scores_that_it_has_alone(case):
    problem = _problem(case)
    solver, found, alone = _both(problem, case, [_folds(seed) for seed in range(3)])
    for (scores, gaps), one in zip(found, alone, strict=True):
        assert gaps.max() <= 1e-6
        np.testing.assert_allclose(scores, one.scores, rtol=1e-7)
        np.testing.assert_allclose(solver.path.coefs.toarray(), one.path.coefs.toarray(), atol=1e-8)


@pytest.mark.parametrize("case", ["plain", "elastic net", "everything"])
def test_tolerances_are_kept_and_no_gap_is_negative(case):
    problem = _problem(CASES[case])
    for tol in (1e-3, 1e-10):
        _, found, _ = _both(problem, CASES[case], [_folds(0)], tol)
        assert found[0][1].max() <= tol
        assert found[0][1].min() >= -1e-12


def _with_the_free_part(problem, coef):
    """The penalized coefficients, and what intercept and free columns are worth beside them: least squares."""
    ones = np.ones((len(problem.y), int(problem.fit_intercept)))
    Z, root = np.hstack([ones, problem.design.values[:, problem.free]]), np.sqrt(problem.weights)
    left = problem.y - problem.linear_predictor(coef, 0.0)
    free = np.linalg.lstsq(root[:, None] * Z, root * left)[0]
    coef[problem.free] = free[ones.shape[1] :]
    return coef, float(free[0]) if problem.fit_intercept else 0.0


@pytest.mark.parametrize("loose", [1e-1, 1e-13])
@pytest.mark.parametrize("case", ["plain", "elastic net", "factors", "everything"])
def test_the_gap_of_a_fold_is_that_of_the_problem_of_its_rows(case, loose, monkeypatch):
    """At the last strength of every fold, solved exactly and badly: what is reported bounds what `Problem` measures."""
    problem, members = _problem(CASES[case]), []
    make = SharedFolds._members

    def make_loose(self, folds):
        members.extend(make(self, folds))
        for member in members:
            member.tol = loose
        return members

    monkeypatch.setattr(SharedFolds, "_members", make_loose)
    l1_ratio, standardize = CASES[case].get("l1_ratio", 1.0), CASES[case].get("standardize", False)
    alphas, folds = _grid(problem.alpha_max / l1_ratio)[:15], _folds(0)
    _, gaps = SharedFolds(problem, alphas, l1_ratio, standardize, 1.0).solve(folds)
    for member, (train, _), reported in zip(members, folds, gaps.T, strict=True):
        rows = [None if values is None else values[train] for values in (problem.sample_weight, problem.offset)]
        own = state(
            problem.design.values[train], problem.y[train], "squared", l1_ratio, problem.fit_intercept, standardize,
            *rows, problem.penalty.factors, None,
        )[0]  # fmt: skip
        coef = np.zeros(problem.design.shape[1])
        coef[member.features[: len(member.base[0])]] = member.base[0]
        own = own.with_penalty(own.penalty.with_alpha(alphas[-1]))
        measured = own.relative_gap(*_with_the_free_part(own, coef))
        assert measured - 1e-12 <= reported[-1] <= 2 * measured + 1e-12


def test_folds_that_leave_most_rows_out_and_folds_that_overlap_are_solved_alike():
    problem = _problem({"weights": True})
    few = list(ShuffleSplit(4, train_size=0.3, test_size=0.5, random_state=0).split(np.zeros(60)))
    _, found, alone = _both(problem, {}, [few])
    np.testing.assert_allclose(found[0][0], alone[0].scores, rtol=1e-7)


def test_columns_far_from_zero_and_float32_lose_no_accuracy():
    for dtype, shift in ((np.float64, 1e5), (np.float32, 3.0)):
        _, found, alone = _both(_problem({}, dtype=dtype, shift=shift), {}, [_folds(1)])
        np.testing.assert_allclose(found[0][0], alone[0].scores, rtol=1e-6)


def test_duplicated_and_constant_columns_are_certified():
    problem = _problem({})
    values = np.array(problem.design.values)
    values[:, 40:80], values[:, 90] = values[:, :40], 1.0
    problem = state(values, problem.y, "squared", 1.0, True, False, None, None, None, None)[0]
    _, found, alone = _both(problem, {}, [_folds(0), _folds(1)])
    for (scores, gaps), one in zip(found, alone, strict=True):
        assert gaps.max() <= 1e-6
        np.testing.assert_allclose(scores, one.scores, rtol=1e-4)


def test_features_that_the_look_ahead_has_not_offered_are_found_by_the_certificate(monkeypatch):
    """Between the strengths that a pass reads, the bound alone decides who is multiplied: without it gaps open."""
    from shrinkage.solvers import _shared_member as member

    problem = _problem({}, shape=(60, 400))
    monkeypatch.setattr(member.Member, "candidates", _nobody_before_the_last(member.Member.candidates))
    _, found, alone = _both(problem, {}, [_folds(0)])
    assert found[0][1].max() <= 1e-6
    np.testing.assert_allclose(found[0][0], alone[0].scores, rtol=1e-7)


def _nobody_before_the_last(candidates):
    """A look ahead that offers half of what it should, so that violations have to be found by the certificate."""

    def fewer(self, target):
        features, excess = candidates(self, target)
        return features[::2], excess[::2]

    return fewer


def test_a_cache_that_has_grown_too_large_is_forgotten_and_the_answers_stay(monkeypatch):
    problem = _problem({})
    sets = [_folds(seed) for seed in range(3)]
    forgotten, clear = [], shared_columns.SharedColumns.clear
    monkeypatch.setattr(shared_columns.SharedColumns, "clear", lambda self: (forgotten.append(1), clear(self)))
    monkeypatch.setattr("shrinkage.solvers._shared_folds.CACHE_BYTES", 1000)
    monkeypatch.setattr(
        shared_columns.SharedColumns, "keep_within", lambda self, size: self.clear() if self.columns.size else None
    )
    _, found, alone = _both(problem, {}, sets)
    assert len(forgotten) == 3  # made once, forgotten before the second and the third set
    for (scores, _), one in zip(found, alone, strict=True):
        np.testing.assert_allclose(scores, one.scores, rtol=1e-7)


def test_a_y_that_is_explained_and_an_alpha_of_zero_go_the_other_way():
    problem = _problem({})
    exact = state(problem.design.values, np.full(60, 2.0), "squared", 1.0, True, False, None, None, None, None)[0]
    assert RepeatedFolds(exact, _grid, False)._shared is None
    solver = RepeatedFolds(problem, np.array([0.0, 1.0, 0.5, 0.5]), False)
    assert solver.path.alphas.tolist() == [1.0, 0.5, 0.5, 0.0]
    (scores, _), one = solver.solve([_folds(0)])[0], solve_folds(problem, solver.path.alphas, _folds(0), False)
    np.testing.assert_allclose(scores, one.scores, rtol=1e-7)


def test_repeated_strengths_have_repeated_scores():
    problem = _problem({}).with_penalty(L1L2(1.0, 0.9))
    solver = RepeatedFolds(problem, np.array([0.7, 0.7, 0.2]), False)
    assert solver._shared is not None
    scores, _ = solver.solve([_folds(0)])[0]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_allclose(scores, solve_folds(problem, solver.path.alphas, _folds(0), False).scores, rtol=1e-7)


def test_small_problems_go_the_other_way(monkeypatch):
    monkeypatch.undo()
    assert RepeatedFolds(_problem({}), _grid, False)._shared is None


@pytest.mark.parametrize("standardize", [False, True])
def test_cross_validation_of_large_wide_data_shares_columns(standardize):
    problem = _problem({"standardize": standardize}, (100, 10_000))
    grid, folds = problem.alpha_max * np.geomspace(1, 0.1, 12), _folds(0, 100, 4)
    assert shares_columns(problem)
    found = solve_folds(problem, grid, folds, standardize)
    plain = solve_stated(problem, grid, folds, standardize, 1e-6, driver_of(problem, folds, standardize, 1e-6))
    np.testing.assert_allclose(found.scores, plain.scores, rtol=1e-7)
    np.testing.assert_allclose(found.path.coefs.toarray(), plain.path.coefs.toarray(), atol=1e-9)
    assert found.gaps.max() <= 1e-6
