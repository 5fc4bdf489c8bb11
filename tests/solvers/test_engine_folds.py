"""Folds are columns: a fold's fit and its held-out errors equal a fit of its training rows alone."""

import numpy as np
import pytest
from random_problems import random_case
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from shrinkage import cross_validate, path


def row_subset(options, rows):
    return {k: v[rows] if k in ("sample_weight", "offset") else v for k, v in options.items()}


def scores_of_explicit_fits(case, alphas, folds, tol):
    problem = case.problem()
    scores = np.empty((len(alphas), len(folds)))
    for k, (train, test) in enumerate(folds):
        fitted = path(case.X[train], case.y[train], alphas=alphas, tol=tol, **row_subset(case.options, train))
        eta = case.X[test] @ fitted.coefs.toarray() + fitted.intercepts
        if "offset" in case.options:
            eta = eta + case.options["offset"][test][:, None]
        deviances = problem.loss.deviance(case.y[test][:, None], eta)
        weights = case.options.get("sample_weight")
        scores[:, k] = np.average(deviances, axis=0, weights=None if weights is None else weights[test])
    return scores


def usable(case, folds):
    weights = case.options.get("sample_weight", np.ones(len(case.y)))
    return all(
        weights[test].sum() > 0 and len(np.unique(case.y[train][weights[train] > 0])) > 1 for train, test in folds
    )


@pytest.mark.parametrize(
    "splitter", [KFold(4), KFold(3, shuffle=True, random_state=1), TimeSeriesSplit(3), ShuffleSplit(3, random_state=0)]
)
@pytest.mark.parametrize("block", range(3))
def test_fold_scores_equal_those_of_explicit_fits(splitter, block):
    compared = 0
    for seed in range(5000 + 10 * block, 5010 + 10 * block):
        case = random_case(seed)
        if len(case.y) < 24:
            continue
        case.X = case.X.tocsr() if hasattr(case.X, "tocsr") else case.X.astype(float)
        if case.options["loss"] == "logistic":
            splitter_here = StratifiedKFold(3) if isinstance(splitter, KFold) else splitter
        else:
            splitter_here = splitter
        folds = list(splitter_here.split(np.zeros(len(case.y)), case.y))
        if not usable(case, folds):
            continue
        cv = cross_validate(case.X, case.y, cv=folds, n_alphas=10, alpha_min_ratio=3e-2, tol=1e-10, **case.options)
        expected = scores_of_explicit_fits(case, cv.alphas, folds, 1e-10)
        np.testing.assert_allclose(cv.scores, expected, atol=2e-4 * expected.max(), err_msg=str((seed, case.options)))
        assert cv.fold_gaps.max() <= 1e-10
        compared += 1
    assert compared >= 3


def test_the_path_of_a_cross_validation_is_the_path():
    case = random_case(7)
    cv = cross_validate(case.X, case.y, cv=4, n_alphas=15, **case.options)
    alone = path(case.X, case.y, n_alphas=15, **case.options)
    np.testing.assert_allclose(cv.path.alphas, alone.alphas, rtol=1e-12)
    problem = case.problem()
    np.testing.assert_allclose(
        cv.path.coefs.toarray(), alone.coefs.toarray(), atol=1e-5 * np.abs(alone.coefs.toarray()).max()
    )
    assert problem.relative(problem.gaps(cv.path.coefs, cv.path.intercepts, cv.path.alphas)).max() <= 1e-6


def test_mean_and_standard_error_follow_the_weighted_formulas():
    rng = np.random.default_rng(0)
    X, weights = rng.standard_normal((50, 30)), rng.uniform(0.5, 2, 50)
    y = X[:, 0] + rng.standard_normal(50)
    cv = cross_validate(X, y, cv=5, n_alphas=20, sample_weight=weights)
    n_k = np.array([weights[10 * k : 10 * k + 10].sum() for k in range(5)])
    mean = (cv.scores * n_k).sum(axis=1) / n_k.sum()
    se = np.sqrt((n_k * (cv.scores - mean[:, None]) ** 2).sum(axis=1) / n_k.sum() / 4)
    np.testing.assert_allclose(cv.mean, mean)
    np.testing.assert_allclose(cv.se, se)
    assert cv.alpha_min == cv.alphas[mean.argmin()]
    within = cv.alphas[mean <= mean.min() + se[mean.argmin()]]
    assert cv.alpha_1se == within.max() >= cv.alpha_min
