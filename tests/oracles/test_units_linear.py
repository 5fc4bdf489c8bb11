"""Code to paste, run against the packages themselves: its coefficients are ours."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from unit_problems import facts_of, our_fit, ours_to, problem, run

from shrinkage.units import NotExpressible, convert

BOTH = ("squared", "logistic")


def coefficients(names):
    """What the pasted code found: of an estimator, or by name."""
    return np.ravel(names["model"].coef_ if "coef" not in names else names["coef"])


def check(target, loss, *, atol=1e-6, alpha=0.1, weighted=False, offset=False, **asked):
    data = problem(weighted=weighted, offset=offset)
    found = ours_to(target, data, loss, alpha=alpha, **asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs: deprecations, and that a tight tolerance was not reached
        theirs = coefficients(run(found, data, loss))
    ours = our_fit(found.meaning, data, loss)
    if found.meaning.standardize and "StandardScaler" in found.code:
        weights = data["sample_weight"]
        mean = np.average(data["X"], axis=0, weights=weights)
        ours = ours * np.sqrt(np.average((data["X"] - mean) ** 2, axis=0, weights=weights))
    assert np.abs(ours).max() > 0.05
    assert_allclose(theirs, ours, atol=atol)


either = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


@either
@pytest.mark.parametrize(
    ("target", "loss", "l1_ratio"),
    [
        ("sklearn.Ridge", "squared", 0.0),
        ("sklearn.Lasso", "squared", 1.0),
        ("sklearn.ElasticNet", "squared", 0.4),
        ("sklearn.LogisticRegression", "logistic", 0.0),
        ("sklearn.LogisticRegression", "logistic", 0.4),
        ("sklearn.LogisticRegression", "logistic", 1.0),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"fit_intercept": False}, {"standardize": True}], ids=str)
def test_scikit_learn(target, loss, l1_ratio, weighted, asked):
    check(target, loss, l1_ratio=l1_ratio, weighted=weighted, offset=loss == "squared", **asked)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_stochastic_descent_on_one_row_repeated_has_no_noise_and_ends_at_our_minimum(l1_ratio, weight):
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    from shrinkage import ElasticNet, LogisticRegression

    X, n = np.tile([[1.0, -0.5]], (20, 1)), 20
    weights = np.full(n, weight)
    for theirs, ours, y, extra in (
        (SGDRegressor, ElasticNet, np.full(n, 2.0), {}),
        (SGDClassifier, LogisticRegression, None, {"loss": "log_loss"}),
    ):
        Z, target = X, y
        if target is None:  # a row and its mirror image in the other class have one gradient
            target = np.tile([1.0, 0.0], n // 2)
            Z = X * np.where(target > 0, 1.0, -1.0)[:, None]
        name = f"shrinkage.{ours.__name__}"
        found = convert(name, f"sklearn.{theirs.__name__}", y=target, sample_weight=weights, alpha=0.2,
                        l1_ratio=l1_ratio, fit_intercept=False)  # fmt: skip
        sgd = theirs(**found.arguments, penalty="elasticnet", learning_rate="constant", eta0=0.01, tol=None,
                     max_iter=2000, **extra)  # fmt: skip
        fitted = ours(0.2, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-14).fit(Z, target)
        assert_allclose(np.ravel(sgd.fit(Z, target, sample_weight=weights).coef_), np.ravel(fitted.coef_), atol=1e-6)


@either
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("loss", BOTH)
@pytest.mark.parametrize(
    "asked", [{}, {"fit_intercept": False}, {"standardize": True}, {"penalty_factor": [1.0, 2.0, 0.0, 0.5]}], ids=str
)
def test_glum(loss, l1_ratio, weighted, asked):
    pytest.importorskip("glum")
    check("glum", loss, l1_ratio=l1_ratio, weighted=weighted, offset=True, **asked)


def test_poisson_regressions_of_glum_scikit_learn_and_statsmodels_are_one():
    pytest.importorskip("glum")
    pytest.importorskip("statsmodels.api")
    data = problem()
    for ratio, others in ((0.0, ["sklearn.PoissonRegressor"]), (0.4, ["statsmodels.GLM"])):
        family = {"family": "poisson"}
        source = {"alpha": 0.1, "l1_ratio": ratio, **family}
        first = convert("glum.GeneralizedLinearRegressor", "glum", **facts_of(data, "poisson"), **source)
        expected = coefficients(run(first, data, "poisson"))
        for other in others:
            found = convert("glum.GeneralizedLinearRegressor", other, **facts_of(data, "poisson"), **source)
            assert_allclose(coefficients(run(found, data, "poisson")), expected, atol=1e-6)
    ridge = convert("sklearn.PoissonRegressor", "statsmodels.GLM", **facts_of(data, "poisson"), alpha=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = coefficients(run(ridge, data, "poisson"))
    same = convert("sklearn.PoissonRegressor", "sklearn.PoissonRegressor", **facts_of(data, "poisson"), alpha=0.1)
    assert_allclose(theirs, coefficients(run(same, data, "poisson")), atol=1e-4)


@pytest.mark.parametrize(("target", "l1_ratio"), [("celer.Lasso", 1.0), ("celer.ElasticNet", 0.4)])
@pytest.mark.parametrize("asked", [{}, {"fit_intercept": False}, {"penalty_factor": [1.0, 2.0, 0.25, 0.5]}], ids=str)
def test_celer(target, l1_ratio, asked):
    pytest.importorskip("celer")
    check(target, "squared", l1_ratio=l1_ratio, offset=True, **asked)


def test_celers_logistic_regression_without_an_intercept():
    pytest.importorskip("celer")
    check("celer.LogisticRegression", "logistic", alpha=0.05, l1_ratio=1.0, fit_intercept=False)


@either
@pytest.mark.parametrize("loss", BOTH)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("asked", [{}, {"fit_intercept": False}, {"penalty_factor": [1.0, 2.0, 0.0, 0.5]}], ids=str)
def test_statsmodels(loss, l1_ratio, weighted, asked):
    pytest.importorskip("statsmodels.api")
    early = l1_ratio == 0 and loss == "logistic"  # its optimizer stops early there
    check("statsmodels", loss, l1_ratio=l1_ratio, weighted=weighted, offset=True, atol=1e-4 if early else 1e-6, **asked)


@pytest.mark.parametrize("asked", [{}, {"penalty_factor": [1.0, 2.0, 0.0, 0.5]}], ids=str)
def test_statsmodels_logit_is_its_own_sum_though_its_glm_is_a_mean(asked):
    pytest.importorskip("statsmodels.api")
    check("statsmodels.Logit", "logistic", alpha=0.05, l1_ratio=1.0, **asked)


def test_statsmodels_gaussian_glm_has_the_unit_of_its_least_squares_but_for_ridge_where_it_is_refused():
    sm = pytest.importorskip("statsmodels.api")
    check("statsmodels.GLM", "squared", l1_ratio=0.4, weighted=True, offset=True)
    with pytest.raises(NotExpressible, match="estimated scale"):
        ours_to("statsmodels.GLM", problem(), "squared", l1_ratio=0.0)
    data = problem()
    exog = np.column_stack([np.ones(len(data["X"])), data["X"]])
    alpha = 0.1 * np.r_[0.0, np.ones(4)]
    plain, scaled = ({make: make(k * data["y"]["squared"], exog) for make in (sm.OLS, sm.GLM)} for k in (1.0, 5.0))
    moved = {}
    for make in (sm.OLS, sm.GLM):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its optimizer stops early
            pair = [models[make].fit_regularized(alpha=alpha, L1_wt=0.0).params for models in (plain, scaled)]
        moved[make] = np.abs(pair[1] / 5.0 - pair[0]).max()
    assert moved[sm.OLS] < 1e-10  # a squared loss with a squared penalty follows the unit of y
    assert moved[sm.GLM] > 1e-2


def test_a_coefficient_that_statsmodels_gave_up_returns_in_the_code_to_paste():
    sm = pytest.importorskip("statsmodels.api")
    data = problem(weighted=True, offset=True)
    found = ours_to("statsmodels.OLS", data, "squared", alpha=0.1, l1_ratio=1.0)
    exog = np.column_stack([np.ones(len(data["X"])), data["X"]])
    model = sm.WLS(data["y"]["squared"] - data["offset"], exog, weights=data["sample_weight"])
    given_up = model.fit_regularized(alpha=0.1 * np.r_[0.0, np.ones(4)], L1_wt=1.0).params[1:]
    ours = our_fit(found.meaning, data, "squared")
    assert np.abs(given_up - ours).max() > 1e-2
    assert_allclose(coefficients(run(found, data, "squared")), ours, atol=1e-6)


def test_liblinear_finds_another_model_which_is_why_it_is_refused():
    from sklearn.linear_model import LogisticRegression

    data = problem()
    X, y = data["X"], data["y"]["logistic"]
    asked = {"C": 0.1, "l1_ratio": 1.0, "tol": 1e-10, "max_iter": 100_000}
    coefs = [LogisticRegression(**asked, solver=solver).fit(X, y).coef_ for solver in ("liblinear", "saga")]
    assert np.abs(coefs[0] - coefs[1]).max() > 1e-3
    coefs = [
        LogisticRegression(**asked, solver=solver, fit_intercept=False).fit(X, y).coef_
        for solver in ("liblinear", "saga")
    ]
    assert_allclose(coefs[0], coefs[1], atol=1e-6)
