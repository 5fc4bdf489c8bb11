"""Sparse data with many candidates: models of a loss by coordinate descent, beside the same data stored densely."""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import path
from shrinkage.losses import Gamma, NegativeBinomial, Tweedie
from shrinkage.solvers import _newton

# Stored densely, the same models are minimized by the active set on their Gram matrix.
LOSSES = ["logistic", "poisson", Gamma(), Tweedie(1.5), NegativeBinomial(2.0)]


def data(loss, n=900, p=500, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, p)) * (rng.random((n, p)) < 0.03)
    eta = X @ rng.normal(size=p)
    eta /= eta.std()
    if loss == "logistic":
        return X, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    if loss == "poisson" or isinstance(loss, NegativeBinomial):
        return X, rng.poisson(np.exp(eta)).astype(float)
    return X, np.exp(eta) * rng.gamma(2.0, 0.5, n) + 1e-3


@pytest.fixture
def fits(monkeypatch):
    """The fits of the core that paths make, in turn."""
    made, native_fit = [], _newton.native_fit

    def noted(loss):
        make = native_fit(loss)

        def one(*arguments):
            made.append(make(*arguments))
            return made[-1]

        return one

    monkeypatch.setattr(_newton, "native_fit", noted)
    return made


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("kind", ["plain", "elastic net", "free columns and weights", "no intercept"])
def test_sparse_answers_are_those_of_the_same_data_stored_densely(loss, kind, fits):
    X, y = data(loss)
    rng = np.random.default_rng(1)
    options = {"n_alphas": 5, "alpha_min_ratio": 1e-3, "tol": 1e-9}
    if kind == "elastic net":
        options["l1_ratio"] = 0.5
    if kind == "free columns and weights":
        options["penalty_factor"] = np.where(np.arange(X.shape[1]) < 3, 0.0, rng.uniform(0.5, 2, X.shape[1]))
        options["sample_weight"] = rng.choice([0.0, 1.0, 2.0], len(y))
    if kind == "no intercept":
        options["fit_intercept"] = False
    dense, thin = path(X, y, loss, **options), path(sparse.csc_array(X), y, loss, **options)
    assert dense.n_nonzero.max() > 300  # more candidates than a Gram matrix is made for
    of_dense, of_thin = fits
    assert of_dense.models_by_descent == 0
    assert of_thin.models_by_descent > 0
    assert thin.relative_gaps.max() <= 1e-9
    assert thin.problem.gaps(thin.coefs, thin.intercepts, thin.alphas).max() <= 1e-9 * thin.null_objective
    assert abs(dense.coefs - thin.coefs).max() <= 1e-3 * abs(dense.coefs).max()
