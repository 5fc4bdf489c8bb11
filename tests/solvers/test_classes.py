"""Several classes in paths and folds: every answer is judged by `MultinomialProblem`, which knows no solver."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression as Theirs

from shrinkage import ConvergenceWarning, cross_validate, path
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import state_classes
from shrinkage.losses import Multinomial

NAMES = ["multinomial", "multinomial_grouped"]
FORMS = [("multinomial", 1.0), ("multinomial", 0.0), ("multinomial_grouped", 1.0)]
STATED = ["l1_ratio", "fit_intercept", "standardize", "sample_weight", "offset", "penalty_factor", "penalty"]
DEFAULTS = {"l1_ratio": 1.0, "fit_intercept": True, "standardize": False}


def data(seed=0, n=90, p=20, K=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.3 * rng.normal(size=(n, 1))
    eta = 1.5 * X[:, :K] @ (np.eye(K) - 0.3)
    return X, (eta + rng.gumbel(size=(n, K))).argmax(axis=1)


def judged(X, y, fitted, loss, options):
    """Relative gaps that the problem itself computes."""
    stated = {name: options.get(name, DEFAULTS.get(name)) for name in STATED}
    problem, _ = state_classes(X, y, loss, **stated)
    return problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas) / problem.null.objective


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("kind", ["tall", "wide", "sparse", "float32", "elastic", "ridge", "free", "bare"])
def test_every_strength_is_certified_and_its_certificate_is_true(loss, kind):
    X, y = data(len(kind), *((50, 120) if kind == "wide" else (90, 20)))
    rng = np.random.default_rng(1)
    options = {}
    if kind == "sparse":
        X = sparse.csc_array(X * (rng.random(X.shape) < 0.3))
        options["sample_weight"] = rng.integers(0, 3, len(y)).astype(float)
    if kind == "float32":
        X = X.astype(np.float32)
    if kind in ("elastic", "ridge"):
        options |= {"l1_ratio": 0.4 if kind == "elastic" else 0.0, "offset": 0.3 * rng.normal(size=(len(y), 4))}
        options["standardize"] = True
    if kind == "free":
        factors = np.ones(X.shape[1])
        factors[[1, 7]] = 0.0, 2.0
        options |= {"penalty_factor": factors, "sample_weight": rng.random(len(y)) + 0.1}
    if kind == "bare":
        options["fit_intercept"] = False
    fitted = path(X, y, loss=loss, n_alphas=8, alpha_min_ratio=0.05, **options)
    true = judged(X, y, fitted, loss, options)
    assert true.min() >= -1e-12
    assert true.max() <= 1e-6
    assert np.abs(true - fitted.relative_gaps).max() <= 1e-9
    np.testing.assert_allclose(fitted.intercepts.sum(axis=0), 0, atol=1e-12)
    if kind not in ("free", "ridge"):
        assert fitted.n_nonzero[0] == 0 < fitted.n_nonzero[1]


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.0])
def test_a_weight_of_two_is_the_row_twice_and_zero_is_no_row(loss, l1_ratio):
    X, y = data(2, 60, 6, 3)
    weights = np.ones(60)
    weights[:9], weights[9:12] = 2.0, 0.0
    rows = np.repeat(np.arange(60), weights.astype(int))
    options = {"loss": loss, "l1_ratio": l1_ratio, "alphas": [0.05, 0.02], "tol": 1e-13}
    weighted, repeated = path(X, y, sample_weight=weights, **options), path(X[rows], y[rows], **options)
    np.testing.assert_allclose(weighted.coefs.toarray(), repeated.coefs.toarray(), atol=1e-7)
    np.testing.assert_allclose(weighted.intercepts, repeated.intercepts, atol=1e-7)


@pytest.mark.parametrize("loss", NAMES)
def test_storage_changes_nothing(loss):
    X, y = data(3, 60, 12, 3)
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.5, X, 0.0)
    options = {"loss": loss, "alphas": [0.08, 0.03, 0.01], "tol": 1e-12}
    first = path(np.asfortranarray(X), y, **options).coefs.toarray()
    for other in (np.ascontiguousarray(X), sparse.csc_array(X), sparse.csr_array(X)):
        np.testing.assert_allclose(path(other, y, **options).coefs.toarray(), first, atol=1e-6)


def test_ridge_is_scikit_learns():
    X, y = data(4, 80, 5, 3)
    theirs = Theirs(C=1 / (0.1 * 80), tol=1e-10, max_iter=10_000).fit(X, y)
    ours = path(X, y, loss="multinomial", l1_ratio=0.0, alphas=[0.1], tol=1e-12)
    np.testing.assert_allclose(ours.coef(0.1), theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X, 0.1), theirs.predict_proba(X), atol=1e-6)


def test_a_group_of_classes_comes_and_goes_together():
    X, y = data(5)
    fitted = path(X, y, loss="multinomial_grouped", n_alphas=10, alpha_min_ratio=0.1)
    W = fitted.coefs.toarray().reshape(4, 20, -1)
    assert ((W != 0).all(axis=0) | (W == 0).all(axis=0)).all()
    assert 0 < (W != 0).any(axis=0).sum(axis=0)[4] < 20
    np.testing.assert_allclose(W.sum(axis=0), 0, atol=1e-7)


@pytest.mark.parametrize(("loss", "l1_ratio"), FORMS)
def test_folds_are_fits_on_their_training_rows(loss, l1_ratio):
    X, y = data(6, 80, 10, 3)
    weights = np.random.default_rng(0).integers(1, 3, 80).astype(float)
    options = {"loss": loss, "l1_ratio": l1_ratio, "alphas": [0.1, 0.04], "standardize": True, "tol": 1e-10}
    cv = cross_validate(X, y, cv=4, sample_weight=weights, **options)
    from sklearn.model_selection import StratifiedKFold

    for f, (train, test) in enumerate(StratifiedKFold(4).split(X, y)):
        alone = path(X[train], y[train], sample_weight=weights[train], **options)
        for t, alpha in enumerate(alone.alphas):
            chance = alone.predict(X[test], alpha)[np.arange(len(test)), y[test]]
            wanted = -2 * np.average(np.log(chance), weights=weights[test])
            assert cv.scores[t, f] == pytest.approx(wanted, rel=1e-5)
    assert (cv.fold_gaps <= 1e-10).all()


@pytest.mark.parametrize(("loss", "l1_ratio"), FORMS)
def test_accuracy_is_the_share_of_right_classes_and_more_is_better(loss, l1_ratio):
    X, y = data(10, 80, 10, 3)
    halves = [(np.arange(40), np.arange(40, 80)), (np.arange(40, 80), np.arange(40))]
    cv = cross_validate(X, y, cv=halves, loss=loss, l1_ratio=l1_ratio, alphas=[0.2, 0.05], score="accuracy")
    for f, (train, test) in enumerate(halves):
        alone = path(X[train], y[train], loss=loss, l1_ratio=l1_ratio, alphas=[0.2, 0.05])
        for t, alpha in enumerate(alone.alphas):
            assert cv.scores[t, f] == pytest.approx((alone.predict(X[test], alpha).argmax(axis=1) == y[test]).mean())
    assert cv.index_min == np.argmax(cv.mean)


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["separable", "copies", "constant", "zeros", "few", "rare", "far"])
def test_degenerate_data_end_with_finite_numbers_and_a_true_certificate(loss, kind):
    X, y = data(7, 40, 8, 3)
    if kind == "separable":
        X[:, 0] = 10.0 * (y == 1) - 5.0 * (y == 2)
    if kind == "copies":
        X[:, 4:] = X[:, :4]
    if kind == "constant":
        X[:, 2] = 3.0
    if kind == "zeros":
        X[:] = 0.0
    if kind == "few":
        X, y = X[:3], np.array([0, 1, 2])
    if kind == "rare":
        y = np.where(y == 2, 1, y)
        y[5] = 2
    if kind == "far":
        X[:, 1] += 1e6
    fitted = path(X, y, loss=loss, n_alphas=12, alpha_min_ratio=1e-3)
    assert np.isfinite(fitted.coefs.data).all()
    assert np.isfinite(fitted.intercepts).all()
    assert np.isfinite(fitted.gaps).all()
    assert fitted.relative_gaps.max() <= 1e-6


def test_labels_are_kept_and_a_path_reads_like_any_other():
    X, y = data(8, 60, 5, 3)
    names = np.array(["ash", "birch", "cedar"])[y]
    fitted = path(X, names, loss="multinomial", n_alphas=5, alpha_min_ratio=0.1)
    assert fitted.classes == ("ash", "birch", "cedar")
    assert fitted.n_outputs == 3
    chance = fitted.predict(X, fitted.alphas[2])
    assert chance.shape == (60, 3)
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    assert isinstance(fitted.loss, Multinomial)
    assert list(fitted.to_frame().columns[:4]) == ["alpha", "ash:intercept", "birch:intercept", "cedar:intercept"]
    assert "cedar:x4" in fitted.to_frame().columns


def test_what_cannot_be_used_is_refused_in_a_sentence():
    X, y = data(9, 30, 3, 3)
    with pytest.raises(ArgumentError, match="alphas must be > 0 for loss='multinomial' with bounds"):
        path(X, y, loss="multinomial", alphas=[0.1, 0.0], positive=True)
    with pytest.raises(ArgumentError, match=r"offset must have shape \(30, 3\)"):
        path(X, y, loss="multinomial", offset=np.zeros(30))
    with pytest.raises(DataError, match="two classes or more"):
        path(X, np.zeros(30, int), loss="multinomial")
    with pytest.raises(DataError, match="trains on no row of class 2"):
        cross_validate(X, y, cv=[(np.flatnonzero(y < 2), np.flatnonzero(y == 2))], loss="multinomial")
    assert issubclass(ConvergenceWarning, Warning)
