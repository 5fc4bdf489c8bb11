"""`PenalizedRegressor`, `PenalizedClassifier` and their twins: answers of `path` and `cross_validate`, certified."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning as TheirWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold

import shrinkage
from shrinkage import (
    L1,
    L1L2,
    L2,
    MCP,
    SCAD,
    ElasticNet,
    GroupL2,
    GroupLasso,
    Lasso,
    LogisticRegression,
    PenalizedClassifier,
    PenalizedClassifierCV,
    PenalizedRegressor,
    PenalizedRegressorCV,
    SortedL1,
    cross_validate,
    path,
)
from shrinkage._errors import ArgumentError, DataError
from shrinkage.design import as_design
from shrinkage.losses import Cox, Huber, Logistic, Poisson, Squared, Tweedie
from shrinkage.penalties import Box, bh_weights
from shrinkage.problem import Problem
from shrinkage.solvers import Ending, Status

P = 8
FACTORS = np.array([0.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0])
GROUPS = [[0, 1], [2, 3], [4, 5], [6, 7]]
PENALTIES = {
    "lasso": L1(0.1),
    "ridge": L2(0.1),
    "elastic-net": L1L2(0.1, 0.5, FACTORS),
    "mcp": MCP(0.1, gamma=6.0),
    "mcp-factors": MCP(0.1, gamma=6.0, factors=FACTORS),
    "scad": SCAD(0.1, gamma=6.0),
    "slope": SortedL1(0.05, bh_weights(P)),
    "groups": GroupL2(0.1, groups=GROUPS),
    "sparse-groups": L1(0.05) + GroupL2(0.05, groups=GROUPS),
    "box": Box(L1(0.1), lower=0.0),
}
NOT_CONVEX = ("mcp", "mcp-factors", "scad")
each_penalty = pytest.mark.parametrize("name", PENALTIES)


def rows(n=90, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, P)) + 0.3 * rng.normal(size=(n, 1))
    return X, X[:, :3] @ np.array([1.5, -1.0, 0.4]) + rng.normal(size=n)


def labels(n=120, seed=1):
    X, eta = rows(n, seed)
    return X, np.where(np.random.default_rng(seed).random(n) < 1 / (1 + np.exp(-eta)), "yes", "no")


def counts(seed=2):
    X, eta = rows(seed=seed)
    return X, np.random.default_rng(seed).poisson(np.exp(0.4 * eta)).astype(float)


@each_penalty
@pytest.mark.parametrize("loss", ["squared", Huber(1.0), "poisson"], ids=["squared", "huber", "poisson"])
def test_one_strength_is_that_of_path_and_measured_by_problem(name, loss):
    penalty, tol = PENALTIES[name], 1e-9
    X, y = counts() if loss == "poisson" else rows()
    weights, offset = np.random.default_rng(3).integers(0, 3, len(y)).astype(float), 0.1 * X[:, 7]
    model = PenalizedRegressor(penalty, loss=loss, tol=tol, standardize=True).fit(X, y, weights, offset)
    fitted = path(
        X, y, loss=loss, penalty=penalty, alphas=[penalty.alpha], standardize=True, sample_weight=weights,
        offset=offset, tol=tol,
    )  # fmt: skip
    assert np.allclose(model.coef_, fitted.coefs.toarray()[:, 0], atol=1e-9)
    assert model.intercept_ == pytest.approx(fitted.intercepts[0], abs=1e-9)
    assert (model.alpha_, model.status_) == (penalty.alpha, fitted.status[0])
    problem = fitted.problem.with_penalty(fitted.problem.penalty.with_alpha(penalty.alpha))
    assert model.kkt_ == pytest.approx(problem.kkt(model.coef_, model.intercept_), rel=0.5, abs=1e-13)
    assert (model.status_ is Status.STATIONARY) == (name in NOT_CONVEX)
    assert np.isnan(model.dual_gap_) == (name in NOT_CONVEX)
    assert np.allclose(model.predict(X, offset), fitted.predict(X, penalty.alpha, offset=offset))


@each_penalty
def test_classes_at_one_strength_are_those_of_path(name):
    penalty = PENALTIES[name]
    X, y = labels()
    model = PenalizedClassifier(penalty, alpha=0.03, class_weight={"yes": 2.0}, tol=1e-9).fit(X, y)
    weights = np.where(y == "yes", 2.0, 1.0)
    fitted = path(X, y, loss="logistic", penalty=penalty, alphas=[0.03], sample_weight=weights, tol=1e-9)
    assert model.coef_.shape == (1, P)
    assert np.allclose(model.coef_[0], fitted.coefs.toarray()[:, 0], atol=1e-8)
    assert np.allclose(model.intercept_, fitted.intercepts, atol=1e-8)
    assert model.classes_.tolist() == ["no", "yes"]
    assert np.allclose(model.predict_proba(X)[:, 1], fitted.predict(X, 0.03), atol=1e-8)
    assert (model.predict(X) == np.where(model.decision_function(X) > 0, "yes", "no")).all()


def test_convex_penalties_are_the_estimators_of_their_own():
    X, y = rows()
    coef = {name: PenalizedRegressor(penalty, tol=1e-12).fit(X, y).coef_ for name, penalty in PENALTIES.items()}
    factors = {"penalty_factor": FACTORS, "tol": 1e-12}
    assert np.allclose(coef["lasso"], Lasso(0.1, tol=1e-12).fit(X, y).coef_, atol=1e-8)
    assert np.allclose(coef["elastic-net"], ElasticNet(0.1, l1_ratio=0.5, **factors).fit(X, y).coef_, atol=1e-8)
    assert np.allclose(coef["groups"], GroupLasso(0.1, groups=[0, 0, 1, 1, 2, 2, 3, 3], tol=1e-12).fit(X, y).coef_)
    assert np.allclose(coef["box"], Lasso(0.1, positive=True, tol=1e-12).fit(X, y).coef_, atol=1e-8)
    assert np.allclose(coef["box"], PenalizedRegressor(L1(0.1), positive=True, tol=1e-12).fit(X, y).coef_, atol=1e-8)
    X, y = labels()
    ours, theirs = PenalizedClassifier(L1(0.03), tol=1e-12), LogisticRegression(0.03, l1_ratio=1.0, tol=1e-12)
    assert np.allclose(ours.fit(X, y).coef_, theirs.fit(X, y).coef_, atol=1e-7)
    assert Lasso().alpha == PenalizedRegressor().fit(X, X[:, 0]).alpha_
    assert LogisticRegression().alpha == PenalizedClassifier().fit(X, y).alpha_


@pytest.mark.parametrize("name", ["mcp", "slope", "sparse-groups"])
def test_a_weight_of_two_is_the_row_twice(name):
    X, y = rows()
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    model = PenalizedRegressor(PENALTIES[name], tol=1e-10)
    heavy, twice = model.fit(X, y, weights).coef_, clone(model).fit(X.repeat(weights, 0), y.repeat(weights)).coef_
    assert np.allclose(heavy, twice, atol=1e-8)


@pytest.mark.parametrize("name", ["mcp", "slope", "groups"])
def test_sparse_and_single_precision_say_the_same(name):
    X, y = rows()
    X[np.abs(X) < 0.7] = 0.0
    model = PenalizedRegressor(PENALTIES[name], tol=1e-10).fit(X, y)
    thin = PenalizedRegressor(PENALTIES[name], tol=1e-10).fit(sparse.csr_array(X), y)
    assert np.allclose(thin.coef_, model.coef_, atol=1e-8)
    assert np.allclose(thin.predict(sparse.csr_array(X)), model.predict(X), atol=1e-8)
    single = PenalizedRegressor(PENALTIES[name]).fit(X.astype(np.float32), y.astype(np.float32))
    assert np.allclose(single.coef_, model.coef_, atol=1e-3)


@pytest.mark.parametrize("name", ["mcp", "slope", "sparse-groups", "box"])
@pytest.mark.parametrize("rule", ["min", "1se"])
def test_the_chosen_strength_is_that_of_cross_validate(name, rule):
    X, y = rows()
    options = {"penalty": PENALTIES[name], "n_alphas": 12, "standardize": True, "sample_weight": np.arange(90.0) % 4}
    sites = np.arange(90) % 9
    run = cross_validate(X, y, GroupKFold(3), sites, score="mae", **options)
    weights = options.pop("sample_weight")
    model = PenalizedRegressorCV(**options, cv=GroupKFold(3), rule=rule, scoring="mae").fit(X, y, weights, groups=sites)
    assert model.alpha_ == (run.alpha_min if rule == "min" else run.alpha_1se)
    place = run.index_min if rule == "min" else run.index_1se
    assert np.array_equal(model.coef_, run.path.coefs.toarray()[:, place])
    assert (model.kkt_, model.status_) == (run.path.kkt[place], run.path.status[place])
    assert np.array_equal(model.cv_scores_, run.scores)
    assert model.path_.problem is None  # a model does not hold its data


def test_classes_are_chosen_as_by_cross_validate():
    X, y = labels()
    run = cross_validate(X, y, 4, loss="logistic", penalty=PENALTIES["scad"], n_alphas=10, score="auc")
    model = PenalizedClassifierCV(PENALTIES["scad"], n_alphas=10, cv=4, scoring="auc").fit(X, y)
    assert model.alpha_ == run.alpha_min
    assert np.array_equal(model.coef_[0], run.path.coefs.toarray()[:, run.index_min])
    assert model.path_.classes == ("no", "yes")


@pytest.mark.parametrize("name", ["lasso", "mcp", "groups"])
def test_a_saturated_path_may_stop(name):
    X, _ = rows(n=30)
    y = X @ np.arange(P)  # explained wholly
    stopped = PenalizedRegressorCV(PENALTIES[name], stop="auto", cv=3).fit(X, y)
    whole = PenalizedRegressorCV(PENALTIES[name], cv=3).fit(X, y)
    assert len(stopped.alphas_) < len(whole.alphas_) == 100
    assert stopped.path_.ending is not Ending.GRID
    assert np.allclose(stopped.alphas_, whole.alphas_[: len(stopped.alphas_)])


def test_the_score_is_the_share_of_deviance():
    X, y = rows()
    weights = np.arange(90.0) % 3
    model = PenalizedRegressor(MCP(0.1)).fit(X, y, weights)
    assert model.score(X, y, weights) == pytest.approx(r2_score(y, model.predict(X), sample_weight=weights))
    X, y = counts()
    model = PenalizedRegressor(MCP(0.1), loss="poisson").fit(X, y)
    deviance, eta = Poisson().deviance, X @ model.coef_ + model.intercept_
    null = deviance(y, np.full(len(y), np.log(y.mean()))).mean()
    assert model.score(X, y) == pytest.approx(1 - deviance(y, eta).mean() / null)
    assert model.predict(X) == pytest.approx(np.exp(eta))


def test_searches_clones_and_pickles_keep_a_penalty():
    X, y = rows()
    grid = {"penalty": [MCP(1.0), SCAD(1.0), SortedL1(1.0, bh_weights(P))], "alpha": [0.02, 0.1, 0.5]}
    search = GridSearchCV(PenalizedRegressor(), grid, cv=3).fit(X, y)
    best = search.best_estimator_
    assert best.alpha_ == search.best_params_["alpha"]
    again = pickle.loads(pickle.dumps(best))
    assert np.array_equal(again.predict(X), best.predict(X))
    assert clone(best).get_params()["penalty"] == best.penalty


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (MCP, "penalty must be an L1, .*; got type"),
        ("mcp", "penalty must be an L1, .*; got str"),
        (MCP(0.1, factors=np.ones(3)), r"penalty.factors must have shape \(8,\); got \(3,\)"),
        (SortedL1(1.0, [2.0, 1.0]), "weights of SortedL1 must be as many as columns, 8; got 2"),
        (GroupL2(1.0, groups=[[0, 9]]), "groups must hold positions below 8"),
        (L1(np.ones(P)), r"alpha must be one number >= 0; got array"),
    ],
)
def test_a_penalty_that_cannot_be_used_is_refused(penalty, message):
    X, y = rows()
    with pytest.raises(ArgumentError, match=message):
        PenalizedRegressor(penalty).fit(X, y)
    X, y = labels()
    with pytest.raises(ArgumentError, match=message):
        PenalizedClassifier(penalty).fit(X, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": -0.1}, "alpha must be >= 0 and finite; got -0.1"),
        ({"alpha": "1"}, "alpha must be"),
        ({"loss": "logistic"}, "got 'logistic': classes take PenalizedClassifier"),
        ({"loss": Logistic()}, "got 'logistic': classes take PenalizedClassifier"),
        ({"loss": "multinomial"}, "got 'multinomial': several classes take LogisticRegression"),
        ({"loss": Cox()}, "got 'cox': censored times take CoxRegressor"),
        ({"loss": "tweedie"}, r"loss='tweedie' has a parameter: give shrinkage.losses.Tweedie\(power\)"),
        ({"loss": "absolute"}, "loss must be one of"),
        ({"positive": True}, "bounds go around L1, L2 or L1L2; got MCP"),
        ({"tol": 0}, "tol must be > 0"),
    ],
)
def test_other_arguments_are_refused_by_name(arguments, message):
    X, y = rows()
    with pytest.raises(ArgumentError, match=message):
        PenalizedRegressor(MCP(0.1), **arguments).fit(X, y)
    if "alpha" not in arguments:
        with pytest.raises(ArgumentError, match=message):
            PenalizedRegressorCV(MCP(0.1), cv=3, **arguments).fit(X, y)


def test_a_twin_refuses_what_it_alone_takes():
    X, y = rows()
    for arguments, message in [
        ({"stop": "soon"}, "stop must be None or 'auto'; got 'soon'"),
        ({"rule": "2se"}, "rule must be one of"),
        ({"scoring": "auc"}, "scoring"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            PenalizedRegressorCV(MCP(0.1), cv=3, **arguments).fit(X, y)


def test_data_that_a_loss_cannot_take_are_refused():
    X, y = rows()
    with pytest.raises(DataError, match=r"y must be >= 0 and finite for Tweedie\(power=1.5\); row"):
        PenalizedRegressor(MCP(0.1), loss=Tweedie(1.5)).fit(X, y)
    with pytest.raises(ArgumentError, match="Only binary classification is supported: y must hold two classes; got 3"):
        PenalizedClassifier(MCP(0.1, gamma=8.0)).fit(X, np.arange(90) % 3)


def test_a_missed_tolerance_is_said_in_scikit_learns_category():
    X, y = rows()
    with pytest.warns(TheirWarning, match=r"optimality conditions are violated by .* tol 1.0e-60") as said:
        model = PenalizedRegressor(MCP(0.1), tol=1e-60).fit(X, y)
    assert model.status_ is Status.KKT_ABOVE_TOL
    assert said[0].filename == __file__
    with pytest.warns(TheirWarning, match="relative duality gap") as said:
        PenalizedRegressor(PENALTIES["sparse-groups"], loss=Huber(1.0), tol=1e-60).fit(X, y)
    assert said[0].filename == __file__
    with pytest.warns(TheirWarning, match="ended with a violation above tol") as said:
        PenalizedRegressorCV(MCP(0.1), tol=1e-60, cv=3, n_alphas=5).fit(X, y)
    assert said[0].filename == __file__


def test_the_objective_of_mcp_is_lower_than_at_the_lasso():
    X, y = rows()
    problem = Problem(as_design(X), y, Squared(), MCP(0.1))
    model, lasso = PenalizedRegressor(MCP(0.1)).fit(X, y), Lasso(0.1).fit(X, y)
    assert problem.objective(model.coef_, model.intercept_) < problem.objective(lasso.coef_, lasso.intercept_)
    assert {"PenalizedRegressor", "PenalizedClassifierCV"} <= set(dir(shrinkage))
