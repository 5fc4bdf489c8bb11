"""Scores of rows held out: of every solver's fits, weighted, with the better end where it belongs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.metrics import accuracy_score, mean_absolute_error, mean_squared_error, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from shrinkage import DataError, LogisticRegressionCV, cross_validate, path
from shrinkage._path import CrossValidation
from shrinkage._path._scores import area_under_curve
from shrinkage.losses import Poisson

ALPHAS = [0.1, 0.02]
SHAPES = {"tall": (90, 6), "wide": (40, 150), "sparse": (60, 20), "wide sparse": (40, 2100)}


def data(shape, kind="squared"):
    rng = np.random.default_rng(8)
    n, p = SHAPES[shape]
    X = rng.normal(size=(n, p))
    if "sparse" in shape:
        X = sparse.csc_array(X * (rng.random((n, p)) < (0.3 if shape == "sparse" else 0.02)))
    eta = np.asarray(X @ np.r_[1.0, -0.5, 0.5, np.zeros(p - 3)]) + 0.3
    if kind == "squared":
        return X, eta + rng.normal(size=n), rng
    if kind == "poisson":
        return X, rng.poisson(np.exp(eta)).astype(float), rng
    return X, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float), rng


def share_of_right_classes(y, mean, sample_weight):
    return accuracy_score(y, mean > 0.5, sample_weight=sample_weight)


def by_hand(measure, X, y, folds, loss, offset, weights, **options):
    found = []
    for train, test in folds:
        alone = path(X[train], y[train], loss, offset=offset[train], sample_weight=weights[train], **options)
        mean = [alone.predict(X[test], alpha, offset[test]) for alpha in alone.alphas]
        found.append([measure(y[test], m, sample_weight=weights[test]) for m in mean])
    return np.array(found).T


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("kind", ["squared", "logistic", "poisson"])
def test_scores_are_those_of_scikit_learn_on_fits_to_the_other_rows(shape, l1_ratio, kind):
    X, y, rng = data(shape, kind)
    X = sparse.csr_array(X) if sparse.issparse(X) else X
    folds = list(StratifiedKFold(3).split(X, y > np.median(y) if kind != "logistic" else y))
    offset, weights = 0.3 * rng.normal(size=len(y)), rng.integers(1, 4, len(y)).astype(float)
    options = {"l1_ratio": l1_ratio, "alphas": ALPHAS, "tol": 1e-10}
    measures = {"mse": mean_squared_error, "mae": mean_absolute_error}
    if kind == "logistic":
        measures |= {"auc": roc_auc_score, "accuracy": share_of_right_classes}
    given = {"loss": kind, "offset": offset, "sample_weight": weights, **options}
    for name, measure in measures.items():
        result = cross_validate(X, y, folds, score=name, **given)
        expected = by_hand(measure, X, y, folds, kind, offset, weights, **options)
        assert_allclose(result.scores, expected, rtol=2e-4, atol=1e-6)
        assert result.score == name


@pytest.mark.parametrize("standardize", [False, True])
def test_absolute_errors_of_a_whole_path_choose_their_own_strength(standardize):
    X, y, _ = data("tall")
    result = cross_validate(X, y, 5, score="mae", n_alphas=20, standardize=standardize)
    assert result.index_min == np.argmin(result.mean)
    assert result.mean[result.index_1se] <= result.mean[result.index_min] + result.se[result.index_min]
    assert (result.scores != cross_validate(X, y, 5, n_alphas=20).scores).all()


@pytest.mark.parametrize("score", ["auc", "accuracy"])
def test_of_a_score_where_more_is_better_the_rules_take_the_upper_end(score):
    X, y, _ = data("tall", "logistic")
    result = cross_validate(X, y, 5, loss="logistic", score=score, n_alphas=30)
    best = int(np.argmax(result.mean))
    assert result.more_is_better
    assert result.index_min == best
    near = result.mean >= result.mean[best] - result.se[best]
    assert result.index_1se == int(np.flatnonzero(near)[0])
    model = LogisticRegressionCV(scoring=score, n_alphas=30, cv=5, l1_ratio=[0.5, 1.0]).fit(X, y)
    assert model.cv_.mean.max() == model.cv_.mean[model.cv_.index_min]
    each = [LogisticRegressionCV(scoring=score, n_alphas=30, cv=5, l1_ratio=r).fit(X, y).cv_ for r in (0.5, 1.0)]
    assert model.cv_.mean.max() == max(cv.mean.max() for cv in each)


def test_a_tie_of_ranks_counts_half_and_weights_are_copies():
    rng = np.random.default_rng(0)
    y, eta = rng.integers(0, 2, 50).astype(float), rng.integers(0, 6, 50).astype(float)
    weights = rng.integers(0, 3, 50)
    assert area_under_curve(y, eta, weights.astype(float)) == pytest.approx(
        roc_auc_score(y.repeat(weights), eta.repeat(weights))
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": "r2"}, "score must be one of 'deviance', 'mse', 'mae', 'auc', 'accuracy', 'c_index'; got 'r2'"),
        ({"score": "auc"}, "score='auc' is of two classes and needs loss='logistic'; got 'squared'"),
        ({"score": "accuracy", "loss": Poisson()}, "score='accuracy' is of two classes"),
        ({"score": "c_index"}, "score='c_index' is of censored times and needs loss='cox'; got 'squared'"),
        ({"score": "mse", "loss": "cox"}, "score must be 'deviance' or 'c_index' for loss='cox'; got 'mse'"),
    ],
)
def test_scores_that_mean_nothing_are_refused(arguments, message):
    X, y, _ = data("tall")
    with pytest.raises(ValueError, match=message):
        cross_validate(X, np.abs(y), 3, **arguments)


def test_a_fold_of_one_class_has_no_ranks():
    X, y, _ = data("tall", "logistic")
    order = np.argsort(y, kind="stable")
    folds = [(np.r_[:30, 60:90], np.arange(30, 60)), (np.arange(10, 90), np.arange(10))]
    with pytest.raises(ValueError, match="the rows that fold 1 holds out are all of one"):
        cross_validate(X[order], y[order], folds, loss="logistic", score="auc")


def test_a_record_from_scores_keeps_their_name():
    X, y, _ = data("tall")
    one = cross_validate(X, y, 4, score="mae", n_alphas=5)
    again = CrossValidation.from_scores(one.alphas, one.scores, one.fold_weights, one.path, one.fold_gaps, "mae")
    assert (again.index_min, again.index_1se, again.score) == (one.index_min, one.index_1se, "mae")


def far_held_out(far):
    """Counts that grow with a column, and held-out rows `far` along it; the second column is noise."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60, 2))
    y = rng.poisson(np.exp(X[:, 0])).astype(float)
    X[:20, 0] += far
    return X, y, [(np.arange(20, 60), np.arange(10)), (np.arange(20, 60), np.arange(10, 20))]


@pytest.mark.parametrize("score", ["deviance", "mse", "mae"])
def test_scores_as_large_as_numbers_go_have_a_finite_error(score):
    X, y, folds = far_held_out(160.0 if score == "mse" else 400.0)
    cv = cross_validate(X, y, loss="poisson", cv=folds, penalty_factor=[0.0, 1.0], n_alphas=4, score=score)
    assert cv.scores.max() > 1e120
    assert np.isfinite(cv.se).all()
    exact = [np.sqrt(np.var([float(s) / 1e120 for s in row])) * 1e120 for row in cv.scores]
    np.testing.assert_allclose(cv.se, exact, rtol=1e-9)


def test_a_fold_without_a_finite_score_is_refused_in_words():
    X, y, folds = far_held_out(5000.0)
    with pytest.raises(DataError, match="no strength has a finite score in every fold; in fold 0 "):
        cross_validate(X, y, loss="poisson", cv=folds, penalty_factor=[0.0, 1.0], n_alphas=4, score="mse")


def test_a_strength_without_a_finite_score_is_not_chosen():
    X, y, folds = far_held_out(5000.0)
    cv = cross_validate(X, y, loss="poisson", cv=folds, n_alphas=20, score="mse")
    lost = ~np.isfinite(cv.mean)
    assert lost.any()
    assert not lost.all()
    assert np.isfinite(cv.mean[[cv.index_min, cv.index_1se]]).all()
    assert cv.mean[cv.index_min] == cv.mean[~lost].min()
