"""Ridge paths of losses whose curvature jumps: certified on any data, in every way a fit is reached."""

import numpy as np
import pytest

from shrinkage import cross_validate, path
from shrinkage.losses import Huber, Quantile
from shrinkage.solvers import Status, _ridge_ground

LOSSES = (Huber(0.03), Huber(1.0), Quantile(0.95, 0.001), Quantile(0.3, 0.01), Quantile(0.7, 1.0))
KINDS = ("tall", "wide", "duplicates", "badly scaled", "far from zero")


def data(kind, seed):
    rng = np.random.default_rng(seed)
    n, p = (15, 40) if kind == "wide" else (45, 8)
    X = rng.normal(size=(n, p))
    if kind == "duplicates":
        X[:, p // 2 :] = X[:, : p // 2]
    if kind == "badly scaled":
        X *= 10.0 ** rng.uniform(-3, 3, p)
    if kind == "far from zero":
        X += 1000
    y = X[:, :3] @ (rng.normal(size=3) / X[:, :3].std(axis=0)) + rng.normal(size=n)
    y -= y.mean()
    y[::9] += 20 * rng.normal(size=len(y[::9]))
    return X, y, rng


def certified(found):
    gaps = found.problem.gaps(found.coefs, found.intercepts, found.alphas) / found.null_objective
    assert set(found.status) == {Status.CONVERGED}
    assert (gaps <= 1e-6).all()
    assert (gaps >= -1e-10).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_every_strength_is_certified(loss, kind, fit_intercept):
    X, y, rng = data(kind, [LOSSES.index(loss), KINDS.index(kind)])
    weights = np.where(rng.random(len(y)) < 0.2, 0.0, rng.random(len(y)) + 0.1)
    factors = rng.choice([0.0, 0.5, 1.0, np.inf], X.shape[1], p=[0.1, 0.3, 0.4, 0.2])
    factors[0] = 1.0
    for options in ({}, {"penalty_factor": factors}):
        certified(
            path(
                X, y, loss, 0.0, n_alphas=7, sample_weight=weights, fit_intercept=fit_intercept,
                offset=0.3 * rng.normal(size=len(y)), standardize=kind == "wide", **options,
            )
        )  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_products_alone_are_certified_as_well(loss, monkeypatch):
    X, y, _ = data("tall", LOSSES.index(loss))
    monkeypatch.setattr(_ridge_ground, "FACTOR_LIMIT", {True: 0, False: 0})
    monkeypatch.setattr(_ridge_ground, "HELD_ENTRIES", 0)
    certified(path(X, y, loss, 0.0, n_alphas=5))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_folds_are_certified(loss):
    X, y, _ = data("tall", LOSSES.index(loss))
    found = cross_validate(X, y, 3, loss=loss, l1_ratio=0.0, n_alphas=5)
    certified(found.path)
    assert (found.fold_gaps <= 1e-6).all()
