"""Leave-one-out: equal to refits where it is exact, as near as it says where it is not."""

from dataclasses import replace

import numpy as np
import pytest
from leave_one_out_simulation import PROBLEMS, known
from scipy import sparse
from sklearn.linear_model import RidgeCV as SklearnRidgeCV

from shrinkage import ArgumentError, DataError, LassoCV, RidgeCV, cross_validate, path
from shrinkage.selection import choose, leave_one_out
from shrinkage.solvers import solve_path

RNG = np.random.default_rng(0)
COUNTS = np.tile([1.0, 2.0, 0.7, 1.0], 6)


def data(n, p):
    X = 2.0 + RNG.normal(size=(n, p)) * RNG.uniform(0.5, 3.0, size=p)
    return X, X[:, 0] - X[:, 1] + RNG.normal(size=n)


def refitted(fitted, X):
    """Linear predictors of every row by a fit to the others, in the units of all: (n_alphas, n_samples)."""
    problem, out = fitted.problem, []
    for row in range(len(X)):
        weights = problem.weights.copy()
        weights[row] = 0.0
        columns = solve_path(replace(problem, sample_weight=weights), fitted.alphas, 1e-12)
        offset = 0.0 if problem.offset is None else problem.offset[row]
        out.append(columns.coefs.T @ X[row] + columns.intercepts + offset)
    return np.array(out).T


RIDGES = {
    "plain": {},
    "weights": {"sample_weight": COUNTS},
    "a row without weight": {"sample_weight": np.r_[0.0, COUNTS[1:]]},
    "no intercept": {"fit_intercept": False},
    "standardized": {"standardize": True},
    "free columns and offset": {"penalty_factor": "free", "offset": np.linspace(-1, 1, 24), "sample_weight": COUNTS},
    "faint": {"alphas": [1e-9, 1e-11, 1e-12]},
    "no strength": {"alphas": [0.0]},
}


@pytest.mark.parametrize("columns", [5, 23, 24, 40])
@pytest.mark.parametrize("kind", RIDGES)
def test_ridge_without_each_row_is_the_refit(kind, columns):
    X, y = data(24, columns)
    options = {"alphas": [100.0, 1.0, 0.1, 1e-3], **RIDGES[kind]}
    if kind == "faint":
        X = X * np.geomspace(1.0, 1e-5, columns)
    if "penalty_factor" in options:
        options["penalty_factor"] = np.r_[0.0, 0.0, RNG.uniform(0.5, 2.0, size=columns - 2)]
    fitted = path(X, y, l1_ratio=0, tol=1e-12, **options)
    found, explicit = leave_one_out(fitted), refitted(fitted, X)
    assert found.exact
    np.testing.assert_allclose(found.eta, explicit, atol=1e-8 * np.abs(y).max(), rtol=1e-8)
    np.testing.assert_allclose(found.scores, (y - explicit) ** 2, atol=1e-8 * np.abs(y).max() ** 2)


@pytest.mark.parametrize("columns", [5, 40])
def test_it_is_cross_validation_with_a_fold_for_each_row(columns):
    X, y = data(24, columns)
    found = leave_one_out(path(X, y, l1_ratio=0, sample_weight=COUNTS)).to_cross_validation()
    folds = cross_validate(X, y, cv=24, l1_ratio=0, sample_weight=COUNTS)
    np.testing.assert_allclose(found.scores, folds.scores, atol=1e-7)
    np.testing.assert_allclose(found.se, folds.se, atol=1e-7)
    assert (found.index_min, found.index_1se) == (folds.index_min, folds.index_1se)


def test_a_sparse_matrix_is_left_out_as_a_dense_one():
    X = sparse.random_array((40, 70), density=0.08, rng=np.random.default_rng(1), format="csc")
    y = np.asarray(X @ np.ones(70)) + np.random.default_rng(2).normal(size=40)
    kinds = [leave_one_out(path(kind, y, l1_ratio=0)).scores for kind in (X, X.toarray())]
    np.testing.assert_allclose(*kinds, rtol=1e-7)


@pytest.mark.parametrize("columns", [5, 40])
def test_scikit_learn_leaves_rows_out_with_the_same_sum_of_penalties(columns):
    X, y = data(24, columns)
    theirs = np.array([0.1, 1.0, 30.0])
    peer = SklearnRidgeCV(alphas=theirs, store_cv_results=True, gcv_mode="eigen" if columns > 24 else "svd").fit(X, y)
    ours = leave_one_out(path(X, y, l1_ratio=0, alphas=theirs / 23))
    np.testing.assert_allclose(ours.scores[::-1].T, peer.cv_results_, rtol=1e-6, atol=1e-9)


def test_ridge_cv_leaves_out_as_many_folds_do_and_takes_the_strength_that_they_take():
    X, y = data(40, 12)
    for rule in ("min", "1se"):
        ours, folds = (RidgeCV(cv=cv, rule=rule).fit(X, y) for cv in ("loo", 40))
        assert ours.alpha_ == folds.alpha_
        np.testing.assert_allclose(ours.coef_, folds.coef_)
        np.testing.assert_allclose(ours.cv_scores_, folds.cv_scores_, atol=1e-7)
    weights = np.r_[0.0, np.ones(39)]
    assert RidgeCV(cv="loo").fit(X, y, sample_weight=weights).cv_scores_.shape == (100, 39)
    assert ours.path_.problem is None
    assert ours.cv_.path.problem is None
    with pytest.raises(ArgumentError, match="cv='loo' is exact, and for ridge"):
        LassoCV(cv="loo").fit(X, y)
    with pytest.raises(ArgumentError, match="leaves out row by row; got groups"):
        RidgeCV(cv="loo").fit(X, y, groups=np.arange(40))


def test_a_row_that_nothing_else_predicts_is_named():
    X, y = data(24, 5)
    X[:, 0] = np.arange(24) == 7
    with pytest.raises(DataError, match="row 7 alone determines"):
        leave_one_out(path(X, y, l1_ratio=0, penalty_factor=[0, 1, 1, 1, 1]))
    alone = leave_one_out(path(np.eye(4), np.arange(4.0), alphas=[0.0]), refits=0)
    assert "some row is not predicted by the others" in str(alone)
    with pytest.raises(ArgumentError, match="can't choose: at every strength some row"):
        choose(alone, "min")
    with pytest.raises(DataError, match="needs two rows with a positive weight; got 1"):
        leave_one_out(path(X, y, l1_ratio=0, sample_weight=np.eye(24)[0]))


def binary(X, y):
    return (y + np.random.default_rng(5).logistic(size=len(y)) > np.median(y)).astype(float)


APPROXIMATE = [(loss, ratio) for loss in ("squared", "logistic") for ratio in (1.0, 0.5, 0.0)][:2]
APPROXIMATE += [("logistic", 1.0), ("logistic", 0.5), ("logistic", 0.0)]


@pytest.mark.parametrize(("loss", "l1_ratio"), APPROXIMATE)
def test_with_all_rows_refitted_it_is_cross_validation_with_a_fold_for_each_row(loss, l1_ratio):
    X, y = data(24, 8)
    y = y if loss == "squared" else binary(X, y)
    options = {"l1_ratio": l1_ratio, "n_alphas": 6, "alpha_min_ratio": 0.05, "tol": 1e-9, "sample_weight": COUNTS}
    found = leave_one_out(path(X, y, loss, **options), refits=100)
    folds = [(np.delete(np.arange(24), row), [row]) for row in range(24)]
    exact = cross_validate(X, y, folds, loss=loss, **options)
    assert found.exact
    assert found.reliable.all()
    assert (found.error == 0).all()
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-6)
    np.testing.assert_allclose(found.se, exact.se, rtol=1e-5)


def test_a_step_is_exact_for_the_lasso_where_no_column_enters_or_leaves():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(60, 4))
    y = X @ [8.0, -6.0, 5.0, 7.0] + rng.normal(size=60)
    weights = rng.uniform(0.5, 2.0, size=60)
    for factors in (None, [0.0, 0.5, 1.0, 2.0]):
        given = {"sample_weight": weights, "penalty_factor": factors, "offset": 0.1 * weights}
        fitted = path(X, y, alphas=[0.3, 0.05], tol=1e-12, **given)
        np.testing.assert_allclose(leave_one_out(fitted, refits=0).eta, refitted(fitted, X), atol=1e-8)


@pytest.mark.parametrize(("loss", "l1_ratio"), [("squared", 0.5), ("logistic", 0.5), ("logistic", 0.0)])
@pytest.mark.parametrize("columns", [8, 60])
def test_a_step_errs_by_less_and_less_as_rows_are_added(loss, l1_ratio, columns):
    errors = []
    for n in (25, 150):
        rng = np.random.default_rng(7)
        X = rng.normal(size=(n, columns))
        y = X[:, 0] + rng.logistic(size=n)
        fitted = path(X, y if loss == "squared" else (y > 0) * 1.0, loss, l1_ratio, alphas=[0.3], tol=1e-9)
        step, exact = (leave_one_out(fitted, refits=refits).scores for refits in (0, n))
        errors.append(np.sqrt(np.mean((step - exact) ** 2)))
    assert errors[1] < errors[0] / 2


@pytest.mark.parametrize(("loss", "l1_ratio"), APPROXIMATE)
def test_the_stated_error_covers_the_real_one(loss, l1_ratio):
    # measured apart over 6 to 25 data sets of each kind: 93 to 96 % within three errors
    inside, strengths = 0, 0
    for seed in range(4 if l1_ratio else 2):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(60, 15))
        y = X[:, :3].sum(axis=1) + rng.normal(size=60)
        y = y if loss == "squared" else binary(X, y)
        fitted = path(X, y, loss, l1_ratio, n_alphas=12 if l1_ratio else 5, alpha_min_ratio=0.05, tol=1e-9)
        found, exact = leave_one_out(fitted, random_state=seed), leave_one_out(fitted, refits=60)
        missed = exact.mean - found.mean
        inside += int((np.abs(missed - found.error) <= 3 * found.error_se + 1e-9).sum())
        strengths += missed.size
        assert (np.abs(missed)[found.reliable] <= exact.se[found.reliable]).all()
    assert inside >= 0.8 * strengths


def test_where_the_refits_disagree_nothing_is_chosen():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(30, 200))
    y = X[:, :10].sum(axis=1) + rng.normal(size=30)
    fitted = path(X, y, alphas=np.geomspace(0.3, 0.01, 10))
    found = leave_one_out(fitted)
    assert not found.reliable[-1]
    blind = leave_one_out(fitted, refits=0)
    assert not blind.reliable.any()
    assert np.isnan(blind.error).all()
    with pytest.raises(ArgumentError, match=r"not reliable at alpha .* no row was refitted"):
        choose(blind, "min")
    with pytest.raises(ArgumentError, match=r"not reliable at alpha|lowest"):
        choose(replace(found, reliable=np.zeros(10, bool)), "1se")


def test_a_class_of_one_row_can_not_be_left_out():
    X, _ = data(24, 4)
    y = (np.arange(24) == 3).astype(float)
    with pytest.raises(DataError, match="two rows of each class to leave one out; the rarer has 1"):
        leave_one_out(path(X, y, "logistic", n_alphas=4))
    with pytest.raises(ArgumentError, match="refits must be a whole number"):
        leave_one_out(path(X, X[:, 0], n_alphas=4), refits=-1)


def test_it_says_what_it_is():
    X, y = data(24, 4)
    assert "Exact leave-one-out of 24 rows" in str(leave_one_out(path(X, y, l1_ratio=0)))
    said = str(leave_one_out(path(X, y), refits=10))
    assert "Approximate leave-one-out of 24 rows, one Newton step each; 10 were refitted." in said
    assert "by the refits; the mean's own standard error is" in said
    assert "Leave-one-out by 24 refits." in str(leave_one_out(path(X, y), refits=24))
    assert repr(leave_one_out(path(X, y), refits=10)).startswith("<LeaveOneOut: 24 rows, 100 strengths, approximate")


def test_on_a_few_sets_the_error_is_known_as_well_as_it_is_said_to_be():
    got = known(range(3), p=15)
    assert got.within_two >= 0.8
    assert np.quantile(got.off, 0.95) <= 0.5  # what a record calls reliable


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
def test_over_25_sets_too(name):
    got = known(range(25), **PROBLEMS[name])
    assert got.within_two >= 0.85
    assert np.quantile(got.off, 0.95) <= 0.5
