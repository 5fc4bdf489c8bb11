"""Ridge of smooth losses in the core: the answers of Newton's method, on every kind of rows, with true certificates."""

import numpy as np
import pytest

from shrinkage import cross_validate, path
from shrinkage.losses import Gamma, Logistic, NegativeBinomial, Poisson, Tweedie
from shrinkage.solvers import _ridge_ground

LOSSES = [Logistic(), Poisson(), Gamma(), Tweedie(1.5), NegativeBinomial(2.0)]


def rows(loss, p, seed=0, n=70):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + rng.normal(size=p)
    eta = X[:, 0] - X[:, 1]
    if isinstance(loss, Logistic):
        return X, (eta - eta.mean() > rng.logistic(size=n)) * 1.0, rng
    mean = np.exp(0.4 * (eta - eta.mean()))
    return X, (rng.poisson(mean) * 1.0 if loss.name not in ("gamma", "tweedie") else mean * rng.gamma(2.0, size=n)), rng


def options_of(kind, X, rng):
    factors = np.r_[0.0, 2.0, np.ones(X.shape[1] - 3), 0.0]
    return {
        "plain": {},
        "weights": {"sample_weight": rng.integers(0, 3, len(X)).astype(float)},
        "offset": {"offset": rng.normal(size=len(X)), "standardize": True},
        "free": {"penalty_factor": factors, "sample_weight": rng.random(len(X)) + 0.1},
        "no intercept": {"fit_intercept": False},
    }[kind]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("kind", ["plain", "weights", "offset", "free", "no intercept"])
@pytest.mark.parametrize("p", [6, 100])
def test_the_answers_are_those_of_newtons_method(loss, kind, p, monkeypatch):
    X, y, rng = rows(loss, p)
    options = {"loss": loss, "l1_ratio": 0.0, "alphas": [3.0, 0.3, 0.03, 1e-3], "tol": 1e-11}
    options |= options_of(kind, X, rng)
    asked = []
    real = _ridge_ground.in_core
    monkeypatch.setattr(_ridge_ground, "in_core", lambda *rest: asked.append(real(*rest)) or asked[-1])
    ours = path(X, y, **options)
    assert all(asked)
    monkeypatch.setattr(_ridge_ground, "in_core", lambda *_: False)
    newtons = path(X, y, **options)
    assert max(ours.relative_gaps.max(), newtons.relative_gaps.max()) <= 1e-11
    size = np.abs(newtons.coefs.toarray()).max(axis=0)
    apart = np.abs(ours.coefs.toarray() - newtons.coefs.toarray()).max(axis=0)
    assert (apart <= 2e-4 * size).all()
    eta = [X @ one.coefs.toarray() + one.intercepts for one in (ours, newtons)]
    np.testing.assert_allclose(*eta, atol=2e-4)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_folds_are_fits_on_their_training_rows(loss):
    X, y, _ = rows(loss, 12)
    options = {"loss": loss, "l1_ratio": 0.0, "alphas": [1.0, 0.1, 0.01], "tol": 1e-10}
    folds = [(np.arange(35), np.arange(35, 70)), (np.arange(35, 70), np.arange(35))]
    run = cross_validate(X, y, folds, **options)
    for f, (train, test) in enumerate(folds):
        alone = path(X[train], y[train], **options)
        eta = X[test] @ alone.coefs.toarray() + alone.intercepts
        wanted = loss.deviance(y[test][:, None], eta).mean(axis=0)
        np.testing.assert_allclose(run.scores[:, f], wanted, rtol=1e-5)
    assert run.fold_gaps.max() <= 1e-10


def test_classes_that_are_apart_and_strengths_that_hardly_hold_them_are_certified():
    X = np.random.default_rng(0).normal(size=(70, 5))
    fitted = path(X, X[:, 0] > X[:, 1], loss="logistic", l1_ratio=0.0, alpha_min_ratio=1e-9)
    assert fitted.relative_gaps.max() <= 1e-6
    assert (np.diff(np.linalg.norm(fitted.coefs.toarray(), axis=0)) > 0).all()  # a law: what is penalized less grows
