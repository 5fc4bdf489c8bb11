"""Where scikit-learn can state the problem, its tight fits have our coefficients."""

import warnings

import numpy as np
import pytest
import sklearn.linear_model as sk
from random_problems import random_case

from shrinkage import path
from shrinkage.penalties import L1L2


def tight_fit(case, alpha):
    """Coefficients and intercept of scikit-learn's tightest fit of one strength."""
    options = case.options
    weights, ratio, intercept = options.get("sample_weight"), options["l1_ratio"], options["fit_intercept"]
    total = len(case.y) if weights is None else weights.sum()
    X = case.X.astype(np.float64)
    if options["loss"] == "squared":
        if ratio == 0:
            model = sk.Ridge(
                alpha=alpha * total,
                fit_intercept=intercept,
                solver="svd" if isinstance(X, np.ndarray) else "auto",
                tol=1e-14,
            )
        else:
            model = sk.ElasticNet(alpha=alpha, l1_ratio=ratio, fit_intercept=intercept, tol=1e-15, max_iter=2_000_000)
        model.fit(X, case.y, sample_weight=weights)
        return model.coef_, model.intercept_
    model = sk.LogisticRegression(
        C=1 / (alpha * total), l1_ratio=ratio, fit_intercept=intercept, tol=1e-12, max_iter=200_000,
        solver="newton-cholesky" if ratio == 0 else "saga",
    )  # fmt: skip
    model.fit(X, case.y, sample_weight=weights)
    return model.coef_[0], model.intercept_[0] if intercept else 0.0


def objective(case, coef, intercept, alpha):
    problem = case.problem()
    return problem.with_penalty(L1L2(float(alpha), case.options["l1_ratio"])).objective(coef, intercept)


def not_tight(case, coef, intercept, alpha):
    """Whether scikit-learn's fit misses a relative gap of 1e-9 itself."""
    problem = case.problem()
    gaps = problem.gaps(np.asarray(coef)[:, None], np.atleast_1d(intercept), np.array([alpha]))
    return problem.relative(gaps).max() > 1e-9


FEW, MORE = range(100, 160), range(160, 400)


@pytest.mark.parametrize("seed", [*FEW, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MORE)])
def test_coefficients_or_fitted_values_equal_those_of_a_tight_fit(seed):
    case = random_case(seed, plain=True, most_features=40)
    if case.options["loss"] == "logistic" and case.options["l1_ratio"] > 0 and len(case.y) * case.X.shape[1] > 1200:
        case.X = case.X[:, :12]
    if not isinstance(case.X, np.ndarray):
        case.X = case.X.toarray()
    case.X = np.ascontiguousarray(
        case.X / np.maximum(np.abs(case.X).max(axis=0), 1e-9)
    )  # saga needs columns of one scale
    fitted = path(case.X, case.y, n_alphas=3, alpha_min_ratio=0.1, tol=1e-12, **case.options)
    X = case.X.astype(np.float64)
    for t in (1, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            coef, intercept = tight_fit(case, float(fitted.alphas[t]))
        ours = fitted.coefs[:, [t]].toarray()[:, 0]
        if not_tight(case, coef, intercept, float(fitted.alphas[t])):
            assert seed in MORE  # saga ran out of iterations: no oracle, but its objective must not be the lower one
            theirs = objective(case, coef, intercept, fitted.alphas[t])
            assert objective(case, ours, fitted.intercepts[t], fitted.alphas[t]) <= theirs
            continue
        scale = max(np.abs(coef).max(), 1e-3)
        np.testing.assert_allclose(
            X @ ours + fitted.intercepts[t], X @ coef + intercept, atol=1e-6 * max(1, np.abs(X @ coef).max())
        )
        unique = np.linalg.matrix_rank(X - X.mean(axis=0)) == X.shape[1] or case.options["l1_ratio"] < 1
        if unique:
            np.testing.assert_allclose(ours, coef, atol=1e-6 * scale)
