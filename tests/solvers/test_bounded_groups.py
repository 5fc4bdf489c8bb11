"""Penalties on groups with bounds: judged by `Problem`, by the reference solver, by laws."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import GroupLasso, GroupLassoCV, MultiTaskElasticNet, MultiTaskElasticNetCV, cross_validate, path
from shrinkage.design import as_design
from shrinkage.losses import Huber, Logistic, Poisson, Squared
from shrinkage.penalties import L1, L2, Box, GroupBox, GroupL2
from shrinkage.problem import Problem
from shrinkage.solvers import solve
from shrinkage.solvers._fista import solve_fista

GROUPS = [[0, 1, 2], [3, 4], [5, 6, 7, 8], [9, 10, 11]]


def data(name, seed=0, n=70, p=12):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.3 * rng.normal(size=(n, 1))
    eta = X[:, :6] @ np.array([1.0, -1.0, 0.6, 0.4, -0.3, 0.2])
    if name == "logistic":
        return X, (eta + rng.logistic(size=n) > 0).astype(float)
    return X, rng.poisson(np.exp(0.6 * eta)).astype(float) if name == "poisson" else eta + rng.normal(size=n)


def bounds():
    lower, upper = np.full(12, -0.3), np.full(12, 0.25)
    lower[[1, 5]], upper[[0, 9]], lower[2], upper[3] = -np.inf, np.inf, 0.0, 0.0
    return lower, upper


def recomputed(fitted):
    return fitted.problem.relative(fitted.problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))


@pytest.mark.parametrize("loss", [Squared(), Logistic(), Poisson(), Huber(1.0)], ids=lambda loss: loss.name)
@pytest.mark.parametrize("kind", ["dense", "sparse", "float32", "both", "ridge", "bare"])
def test_every_strength_is_certified_and_stays_in_bounds(loss, kind):
    X, y = data(loss.name)
    rng, (lower, upper) = np.random.default_rng(1), bounds()
    penalty = GroupL2(1.0, groups=GROUPS[:3])  # the last columns are in no group: free, within bounds or without
    options = {"lower": lower, "upper": upper, "n_alphas": 8, "alpha_min_ratio": 0.03}
    if kind == "sparse":
        X = sparse.csc_array(X * (rng.random(X.shape) < 0.5))
        options["sample_weight"] = rng.integers(0, 3, len(y)).astype(float)
    if kind == "float32":
        X = X.astype(np.float32)
    if kind == "both":
        penalty = L1(0.4) + GroupL2(0.6, groups=GROUPS)
        options |= {"standardize": True, "offset": 0.2 * rng.normal(size=len(y))}
    if kind == "ridge":
        penalty = L2(0.4) + GroupL2(0.6, groups=GROUPS)
    if kind == "bare":
        options["fit_intercept"] = False
    fitted = path(X, y, loss=loss, penalty=penalty, **options)
    W = fitted.coefs.toarray()
    assert (lower[:, None] <= W).all()
    assert (upper[:, None] >= W).all()
    assert ((lower[:, None] == W) & (W != 0)).any() or ((upper[:, None] == W) & (W != 0)).any()
    true = recomputed(fitted)
    assert true.max() <= 1.01e-6
    assert true.min() >= -1e-12
    np.testing.assert_allclose(true, fitted.relative_gaps, atol=1e-9)


@pytest.mark.parametrize("penalty", [GroupL2(0.1, groups=GROUPS), L1(0.03) + GroupL2(0.05, groups=GROUPS)], ids=str)
@pytest.mark.parametrize("name", ["squared", "logistic"])
def test_the_reference_solver_agrees(name, penalty):
    X, y = data(name, 2)
    loss = {"squared": Squared(), "logistic": Logistic()}[name]
    problem = Problem(as_design(X), y, loss, GroupBox(penalty, *bounds()), scale=np.linspace(0.5, 2.0, 12))
    ours, theirs = solve(problem, tol=1e-10), solve_fista(problem, tol=1e-9)
    np.testing.assert_allclose(ours.coef, theirs.coef, atol=1e-3)
    assert max(problem.relative_gap(one.coef, one.intercept) for one in (ours, theirs)) <= 1e-9


@pytest.mark.parametrize("name", ["squared", "poisson"])
def test_bounds_far_away_change_nothing(name):
    X, y = data(name, 3)
    options = {"loss": name, "penalty": GroupL2(1.0, groups=GROUPS), "n_alphas": 5, "tol": 1e-10}
    plain, wide = path(X, y, **options), path(X, y, lower=-1e3, upper=1e3, **options)
    np.testing.assert_allclose(wide.alphas, plain.alphas, rtol=1e-9)
    np.testing.assert_allclose(wide.coefs.toarray(), plain.coefs.toarray(), atol=1e-4)


def test_folds_and_estimators_of_groups_take_bounds():
    X, y = data("squared", 4)
    lower, upper = bounds()
    options = {"lower": lower, "upper": upper, "standardize": True, "penalty": GroupL2(1.0, groups=GROUPS)}
    cv = cross_validate(X, y, cv=3, alphas=[0.2, 0.05], **options)
    rows = np.arange(70)
    test = rows[:24]
    alone = path(X[rows[24:]], y[rows[24:]], alphas=cv.alphas, **options)
    wanted = ((y[test][:, None] - X[test] @ alone.coefs.toarray() - alone.intercepts) ** 2).mean(axis=0)
    np.testing.assert_allclose(cv.scores[:, 0], wanted, rtol=1e-4)
    labels = np.repeat(np.arange(4), [3, 2, 4, 3])
    model = GroupLasso(0.1, groups=labels, positive=True).fit(X, y)
    again = path(X, y, alphas=[0.1], penalty=GroupL2(1.0, groups=GROUPS), positive=True)
    np.testing.assert_allclose(model.coef_, again.coefs.toarray()[:, 0], atol=1e-5)
    assert model.coef_.min() == 0 < model.coef_.max()
    assert GroupLassoCV(groups=labels, upper=0.1, n_alphas=5, cv=3).fit(X, y).coef_.max() == 0.1


def responses(seed=5, K=3):
    X, _ = data("squared", seed)
    rng = np.random.default_rng(seed)
    return X, X[:, :4] @ rng.normal(size=(4, K)) + rng.normal(size=(len(X), K))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("kind", ["dense", "sparse", "float32", "factors", "wide"])
def test_several_responses_within_bounds_are_certified(kind, l1_ratio):
    X, Y = responses()
    lower, upper, options = -0.3, 0.4, {"standardize": kind != "wide"}
    if kind == "sparse":
        X = sparse.csc_array(np.where(np.abs(X) > 0.7, X, 0.0))
    if kind == "float32":
        X = X.astype(np.float32)
    if kind == "factors":
        options["penalty_factor"] = [0.0, np.inf, 2.0, *[1.0] * 9]
        lower, upper = bounds()
        lower[0] = upper[0] = np.inf
        lower[0] = -np.inf
    if kind == "wide":
        X, Y = np.hstack([X, np.random.default_rng(6).normal(size=(70, 100))])[:40], Y[:40]
    model = MultiTaskElasticNet(0.05, l1_ratio=l1_ratio, lower=lower, upper=upper, **options).fit(X, Y)
    assert (np.asarray(lower) <= model.coef_).all()
    assert (np.asarray(upper) >= model.coef_).all()
    at_bound = (model.coef_ == lower) | (model.coef_ == upper)
    assert (at_bound & (model.coef_ != 0)).any()
    null = ((Y - Y.mean(axis=0)) ** 2).sum() / (2 * len(Y))
    assert 0 <= model.dual_gap_ + 1e-12 <= 1.01e-6 * null
    wide = MultiTaskElasticNet(0.05, l1_ratio=l1_ratio, **options).fit(X, Y)
    objectives = []
    for one in (model, wide):
        R, W = Y - X @ one.coef_.T - one.intercept_, one.coef_.T
        scale = np.sqrt(np.asarray(X.mean(axis=0) * 0 + 1)) if not options["standardize"] else _deviations(X)
        size, f = np.linalg.norm(scale[:, None] * W, axis=1), np.array(options.get("penalty_factor", np.ones(len(W))))
        f = np.where(np.isinf(f), 0.0, f)
        objectives.append((R**2).sum() / (2 * len(Y)) + 0.05 * f @ (l1_ratio * size + 0.5 * (1 - l1_ratio) * size**2))
    assert objectives[1] < objectives[0]  # bounds cost something


def _deviations(X):
    return (X.toarray() if sparse.issparse(X) else X).astype(float).std(axis=0)


def test_one_response_is_the_elastic_net_within_bounds():
    X, Y = responses(7, 1)
    several = MultiTaskElasticNet(0.1, l1_ratio=0.6, positive=True, tol=1e-12).fit(X, Y)
    alone = path(X, Y[:, 0], alphas=[0.1], l1_ratio=0.6, positive=True, tol=1e-12)
    np.testing.assert_allclose(several.coef_[0], alone.coefs.toarray()[:, 0], atol=1e-6)
    np.testing.assert_allclose(several.intercept_, alone.intercepts, atol=1e-6)


def test_the_strength_of_several_responses_within_bounds_is_chosen():
    X, Y = responses(8)
    model = MultiTaskElasticNetCV(l1_ratio=1.0, lower=-0.1, upper=0.2, n_alphas=6, cv=3).fit(X, Y)
    assert model.coef_.max() == 0.2
    assert model.coef_.min() == -0.1


@pytest.mark.parametrize("kind", ["responses", "estimator", "classes", "groups", "plain", "reference"])
def test_standardized_columns_keep_raw_bounds_to_the_last_digit(kind):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(80, 40)) * np.geomspace(0.1, 10, 40)
    eta = (X / X.std(axis=0)) @ np.tile([3.0, -3.0, 2.0, -2.0], 10)
    Y, options = np.c_[eta, -eta] + rng.normal(size=(80, 2)), {"lower": -0.1, "upper": 0.1, "standardize": True}
    if kind == "responses":
        W = path(X, Y, n_alphas=5, alpha_min_ratio=0.01, **options).coefs.toarray()
    elif kind == "estimator":
        W = MultiTaskElasticNet(0.01, **options).fit(X, Y).coef_
    elif kind == "classes":
        classes = np.digitize(eta, np.quantile(eta, [0.33, 0.67]))
        W = path(X, classes, loss="multinomial_grouped", n_alphas=4, alpha_min_ratio=0.01, **options).coefs.toarray()
    elif kind == "groups":
        penalty = GroupL2(1.0, groups=np.arange(40).reshape(10, 4))
        W = path(X, Y[:, 0], penalty=penalty, n_alphas=5, alpha_min_ratio=0.01, **options).coefs.toarray()
    elif kind == "plain":
        W = path(X, Y[:, 0], n_alphas=5, alpha_min_ratio=0.01, **options).coefs.toarray()
    else:
        penalty = Box(L1(0.01), np.full(40, -0.1), np.full(40, 0.1))
        W = solve_fista(
            Problem(as_design(X), Y[:, 0], Squared(), penalty, scale=np.linspace(0.1, 10, 40)), max_iter=500
        ).coef
    assert (np.abs(W) == 0.1).sum() > 10
    assert np.abs(W).max() == 0.1
