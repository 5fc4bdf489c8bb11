"""Cox models in paths and folds: every answer is judged by `Problem`, which shares no line with the solver."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from shrinkage import ArgumentError, ConvergenceWarning, DataError, GroupL2, cross_validate, path
from shrinkage.design import as_design
from shrinkage.losses import Cox
from shrinkage.penalties import L1
from shrinkage.problem import Problem
from shrinkage.selection import concordance, degrees_of_freedom, information_criteria, leave_one_out, relaxed
from shrinkage.solvers import Status, solve

every_tie = pytest.mark.parametrize("ties", ["breslow", "efron"])


def data(seed=0, n=90, p=25, tied=True):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.3 * rng.normal(size=(n, 1))
    time = rng.exponential(np.exp(-X[:, :4] @ np.array([0.8, -0.6, 0.5, 0.4])))
    seen = rng.exponential(2.0, n)
    y = np.column_stack([np.minimum(time, seen), time <= seen]).astype(float)
    y[:, 0] = np.ceil(4 * y[:, 0]) if tied else y[:, 0]
    return X, y


def recomputed(fitted):
    problem = fitted.problem
    return problem.relative(problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))


@every_tie
@pytest.mark.parametrize("kind", ["tall", "wide", "sparse", "float32", "elastic", "free", "strata", "rows", "untied"])
def test_every_strength_is_certified_and_its_certificate_is_true(ties, kind):
    X, y = data(len(kind), *((60, 150) if kind == "wide" else (90, 25)), tied=kind != "untied")
    rng = np.random.default_rng(1)
    options = {"n_alphas": 15, "alpha_min_ratio": 0.02}
    if kind == "sparse":
        X = sparse.csc_array(X * (rng.random(X.shape) < 0.3))
        options["sample_weight"] = rng.integers(0, 3, len(y)).astype(float)
    if kind == "float32":
        X = X.astype(np.float32)
    if kind == "elastic":
        options |= {"l1_ratio": 0.4, "offset": 0.3 * rng.normal(size=len(y)), "standardize": True}
    if kind == "free":
        factors = np.ones(X.shape[1])
        factors[[1, 7]] = 0.0, 2.0
        options |= {"penalty_factor": factors, "sample_weight": rng.random(len(y)) + 0.1}
    if kind == "strata":
        y = np.column_stack([y, rng.integers(0, 3, len(y))])
    if kind == "rows":
        X = np.ascontiguousarray(X + 1e4)
    fitted = path(X, y, loss=Cox(ties), **options)
    true = recomputed(fitted)
    assert true.max() <= 1e-6
    assert set(fitted.status) == {Status.CONVERGED}
    assert np.abs(true - fitted.relative_gaps).max() <= 1e-8
    assert (fitted.problem.kkts(fitted.coefs, fitted.intercepts, fitted.alphas) <= 1e-5 * fitted.alphas[0]).all()
    if kind != "free":
        assert fitted.n_nonzero[0] == 0 < fitted.n_nonzero[1]


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_a_weight_of_two_is_the_row_twice(l1_ratio):
    X, y = data(3, n=60)
    options = {"alphas": [0.1, 0.03], "loss": "cox", "tol": 1e-10, "l1_ratio": l1_ratio}
    weights = np.r_[np.full(20, 2.0), np.ones(30), np.zeros(10)]
    rows = np.r_[:20, :50]
    one, other = path(X, y, sample_weight=weights, **options), path(X[rows], y[rows], **options)
    assert one.coefs.toarray() == pytest.approx(other.coefs.toarray(), abs=2e-5)


@every_tie
@pytest.mark.parametrize("shape", [(90, 12), (50, 80)])
@pytest.mark.parametrize("free", [False, True])
def test_ridge_is_the_end_of_the_elastic_net(ties, shape, free):
    X, y = data(4, *shape)
    y = np.column_stack([y, np.arange(len(y)) % 2])
    factors = np.ones(shape[1])
    factors[2] = 0.0 if free else 1.0
    options = {"alphas": [0.5, 0.05], "loss": Cox(ties), "standardize": True, "penalty_factor": factors}
    ridge = path(X, y, l1_ratio=0.0, tol=1e-9, **options)
    assert recomputed(ridge).max() <= 1e-8
    near = path(X, y, l1_ratio=1e-7, tol=1e-9, **options)
    assert ridge.coefs.toarray() == pytest.approx(near.coefs.toarray(), abs=1e-4)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_held_out_scores_are_what_the_rows_add_to_the_deviance(l1_ratio):
    X, y = data(4, n=60, p=12)
    weights = np.random.default_rng(0).random(60) + 0.5
    folds = [(np.flatnonzero(np.arange(60) % 3 != k), np.arange(60)[np.arange(60) % 3 == k]) for k in range(3)]
    options = {"loss": "cox", "alphas": [0.2, 0.05], "tol": 1e-9, "l1_ratio": l1_ratio}
    result = cross_validate(X, y, folds, sample_weight=weights, **options)
    for k, (train, test) in enumerate(folds):
        alone = path(X[train], y[train], sample_weight=weights[train], **options)
        eta = X @ alone.coefs.toarray()
        added = Cox().value(y, eta, weights) - Cox().value(y[train], eta[train], weights[train])
        events = weights[test] @ y[test, 1]
        assert result.scores[:, k] == pytest.approx(2 * added / events, rel=1e-4)
        assert result.fold_weights[k] == pytest.approx(events)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_concordances_of_held_out_rows_are_averaged_and_more_is_better(l1_ratio):
    X, y = data(4, n=60, p=12)
    weights = np.random.default_rng(0).random(60) + 0.5
    folds = [(np.flatnonzero(np.arange(60) % 3 != k), np.arange(60)[np.arange(60) % 3 == k]) for k in range(3)]
    options = {"loss": "cox", "alphas": [0.5, 0.05], "tol": 1e-9, "l1_ratio": l1_ratio}
    result = cross_validate(X, y, folds, sample_weight=weights, score="c_index", **options)
    for k, (train, test) in enumerate(folds):
        alone = path(X[train], y[train], sample_weight=weights[train], **options)
        risks = (X[test] @ alone.coefs.toarray()).T
        assert result.scores[:, k] == pytest.approx([concordance(y[test], risk, weights[test]) for risk in risks])
    assert result.mean[result.index_min] == result.mean.max()


def test_a_fold_without_a_pair_has_no_concordance():
    X, y = data(5)
    test = np.r_[np.flatnonzero(y[:, 1] == 1)[:1]]
    with pytest.raises(DataError, match="of those of fold 0 none dies while another"):
        cross_validate(X, y, [(np.setdiff1d(np.arange(len(y)), test), test)], loss="cox", score="c_index")


def test_a_fold_without_events_is_refused():
    X, y = data(5)
    alive = np.flatnonzero(y[:, 1] == 0)[:5]
    with pytest.raises(DataError, match="fold 0 of cv has no event to hold out"):
        cross_validate(X, y, [(np.setdiff1d(np.arange(len(y)), alive), alive)], loss="cox")


def test_degenerate_data_end_without_nan():
    X, y = data(6, n=30, p=5)
    X[:, 1], X[:, 2], X[:, 3] = 1.0, X[:, 0], 0.0
    alone = y.copy()
    alone[:, 1] = 0.0
    alone[np.argsort(y[:, 0])[3], 1] = 1.0
    last = y.copy()
    last[:, 1] = y[:, 0] == y[:, 0].max()  # only those die whom nobody outlives
    for response in (y, alone, last, np.column_stack([y, np.arange(30) // 2])):
        for l1_ratio in (1.0, 0.5, 0.0):
            fitted = path(X, response, loss="cox", n_alphas=12, l1_ratio=l1_ratio)
            assert np.isfinite(fitted.coefs.toarray()).all()
            assert recomputed(fitted).max() <= 1e-6


def test_separated_times_are_followed_as_far_as_the_grid_goes():
    X, y = data(7, n=40, p=4, tied=False)
    y[:, 1] = 1.0
    X[:, 0] = -np.argsort(np.argsort(y[:, 0]))  # risks in the order of the deaths: the likelihood has no maximum
    fitted = path(X, y, loss="cox", n_alphas=30, alpha_min_ratio=1e-6)
    assert np.isfinite(fitted.coefs.toarray()).all()
    assert recomputed(fitted).max() <= 1e-6


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_a_free_column_without_a_best_coefficient_ends_and_says_so(l1_ratio):
    X, y = data(7, n=40, p=4, tied=False)
    y[:, 1] = 1.0
    X[:, 0] = -y[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = path(X, y, loss="cox", n_alphas=10, l1_ratio=l1_ratio, penalty_factor=[0, 1, 1, 1])
    assert np.isfinite(fitted.coefs.toarray()).all()
    gaps = fitted.problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas)
    assert gaps.max() <= 1e-9 * Cox().value(y, np.zeros(40), np.full(40, 1 / 40))


@pytest.mark.parametrize("ask", [relaxed, information_criteria, leave_one_out, degrees_of_freedom])
def test_what_needs_a_loss_of_rows_refuses(ask):
    X, y = data(8, n=40, p=4)
    with pytest.raises(ArgumentError, match=r"cox|Cox"):
        ask(path(X, y, loss="cox", n_alphas=5))


def test_groups_are_solved_too():
    X, y = data(8, n=60, p=6)
    problem = Problem(as_design(X), y, Cox(), GroupL2(0.05, groups=[[0, 1], [2, 3], [4, 5]]), fit_intercept=False)
    found = solve(problem)
    assert problem.relative_gap(found.coef, 0.0) <= 1e-6


def test_the_bound_of_a_problem_is_below_every_objective():
    X, y = data(9, n=40, p=6)
    problem = Problem(as_design(X), y, Cox("efron"), L1(0.02), fit_intercept=False)
    rng = np.random.default_rng(0)
    best = min(problem.objective(w, 0.0) for w in [solve(problem, tol=1e-10).coef, np.zeros(6)])
    for size in (0.01, 0.3, 3.0):
        w = size * rng.normal(size=6)
        assert problem.objective(w, 0.0) - problem.gap(w, 0.0) <= best + 1e-12
