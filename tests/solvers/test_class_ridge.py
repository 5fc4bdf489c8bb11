"""Ridge of several classes: judged by the problem itself, by scikit-learn, and by its other ways to an answer."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression as Theirs

from shrinkage import cross_validate, path
from shrinkage._path import state_classes
from shrinkage.solvers import _class_columns, _class_ridge


def rows(seed=0, n=80, p=9, K=3):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)) + rng.normal(size=p)) * (rng.random((n, p)) < 0.6)
    eta = 1.5 * X[:, :K] @ (np.eye(K) - 0.3)
    return X, (eta + rng.gumbel(size=(n, K))).argmax(axis=1), rng


def options_of(kind, X, rng):
    p = X.shape[1]
    factors = np.r_[0.0, 2.0, np.ones(p - 3), 0.0]
    return {
        "plain": {},
        "weights": {"sample_weight": rng.integers(0, 3, len(X)).astype(float)},
        "offset": {"offset": rng.normal(size=(len(X), 3))},
        "free": {"penalty_factor": factors},
        "excluded": {"penalty_factor": np.r_[np.inf, np.ones(p - 1)]},
        "standardized": {"standardize": True, "penalty_factor": factors, "sample_weight": rng.random(len(X)) + 0.1},
        "no intercept": {"fit_intercept": False, "standardize": True},
    }[kind]


KINDS = ["plain", "weights", "offset", "free", "excluded", "standardized", "no intercept"]
STORED = {"dense": np.asarray, "float32": lambda X: X.astype(np.float32), "sparse": sparse.csr_array}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("p", [9, 150])
@pytest.mark.parametrize("compressed", [False, True])
def test_gaps_and_violations_are_those_of_the_problem(kind, stored, p, compressed, monkeypatch):
    if compressed:
        monkeypatch.setattr(_class_columns, "_IN_MEMORY", 0)
        monkeypatch.setattr(_class_ridge, "_MOST_REDUCED", 0)
    X, y, rng = rows(1, 80, p)
    X, options = STORED[stored](X), options_of(kind, X, rng)
    fitted = path(X, y, loss="multinomial", l1_ratio=0.0, n_alphas=25, alpha_min_ratio=1e-4, **options)
    names = ["fit_intercept", "standardize", "sample_weight", "offset", "penalty_factor", "penalty"]
    stated = {name: options.get(name, {"fit_intercept": True, "standardize": False}.get(name)) for name in names}
    problem, _ = state_classes(X, y, "multinomial", 0.0, **stated)
    gaps = problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas) / problem.null.objective
    assert np.abs(gaps - fitted.relative_gaps).max() < 1e-11
    assert gaps.max() < 1e-8
    violations = problem.kkts(fitted.coefs, fitted.intercepts, fitted.alphas)
    np.testing.assert_allclose(fitted.kkt, violations, rtol=1e-6, atol=1e-13)
    assert violations.max() < 2e-3


@pytest.mark.parametrize("way", ["reduced", "all columns", "compressed", "class by class", "diagonal"])
@pytest.mark.parametrize("n", [40, 120])
def test_every_way_ends_at_the_same_coefficients(way, n, monkeypatch):
    X, y, _ = rows(2, n, 60)
    theirs = Theirs(C=1 / (0.02 * n), tol=1e-12, max_iter=10_000).fit(X, y)
    if way != "reduced":
        monkeypatch.setattr(_class_ridge, "_MOST_REDUCED", 0)
    if way == "compressed":
        monkeypatch.setattr(_class_columns, "_IN_MEMORY", 0)
        X = sparse.csc_array(X)
    if way in ("class by class", "diagonal"):  # of more columns than are factored together, and at all
        extra = np.zeros((n, 500 if way == "class by class" else 2001))
        X = np.hstack([X, extra])
    ours = path(X, y, loss="multinomial", l1_ratio=0.0, alphas=[0.5, 0.1, 0.02], tol=1e-11)
    np.testing.assert_allclose(ours.coef(0.02)[:, :60], theirs.coef_, atol=2e-6)
    level = theirs.intercept_ - theirs.intercept_.mean()
    np.testing.assert_allclose(ours.intercepts[:, 2], level, atol=2e-6)


def test_a_strength_far_down_is_found_without_the_path_to_it():
    X, y, _ = rows(3)
    options = {"loss": "multinomial", "l1_ratio": 0.0, "tol": 1e-11}
    walked = path(X, y, alphas=np.geomspace(10, 1e-4, 40), **options)
    at_once = path(X, y, alphas=[1e-4], **options)
    np.testing.assert_allclose(at_once.coef(1e-4), walked.coef(walked.alphas[-1]), atol=1e-4)


def test_strengths_in_any_spacing_are_certified():
    X, y, _ = rows(4)
    for alphas in (
        [1.0, 0.999, 0.5, 1e-3, 0.9999e-3, 1e-6],
        np.r_[np.geomspace(1e3, 1, 5), np.geomspace(1e-5, 1e-8, 4)],
    ):
        fitted = path(X, y, loss="multinomial", l1_ratio=0.0, alphas=alphas)
        assert fitted.relative_gaps.max() < 1e-6
        slopes = np.linalg.norm(fitted.coefs.toarray(), axis=0)
        assert (np.diff(slopes) > 0).all()  # a law: what is penalized less grows


def test_many_strengths_in_pieces_are_those_at_once(monkeypatch):
    X, y, _ = rows(5)
    whole = cross_validate(X, y, 3, loss="multinomial", l1_ratio=0.0)
    monkeypatch.setattr(_class_ridge, "_AT_ONCE", 7 * y.size * 3)
    parts = cross_validate(X, y, 3, loss="multinomial", l1_ratio=0.0)
    np.testing.assert_allclose(whole.scores, parts.scores, rtol=1e-12)
    np.testing.assert_allclose(whole.path.coefs.toarray(), parts.path.coefs.toarray(), atol=1e-12)
    np.testing.assert_allclose(whole.path.gaps, parts.path.gaps, atol=1e-14)


def test_threads_change_no_bit(monkeypatch):
    from shrinkage import _core

    X, y, _ = rows(6, 300, 40)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(_core, "threads", lambda threads=threads: threads)
        found.append(cross_validate(X, y, 4, loss="multinomial", l1_ratio=0.0, n_alphas=20))
    np.testing.assert_array_equal(found[0].scores, found[1].scores)
