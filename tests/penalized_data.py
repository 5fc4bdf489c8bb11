"""Rows of every loss, for paths of penalties with solvers of their own."""

import numpy as np

from shrinkage.losses import Gamma, Huber, Logistic, NegativeBinomial, Poisson, Quantile, Squared, Tweedie

LOSSES = [Squared(), Logistic(), Poisson(), Gamma(), Tweedie(1.5), NegativeBinomial(2.0), Huber(1.0)]
LOSSES.append(Quantile(0.3, 0.5))


def data(loss, n=120, p=30, seed=0):
    """X of correlated columns, the first four of which matter, and a response that the loss takes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1))
    eta = X[:, :4] @ np.array([1.0, -0.8, 0.5, 0.4]) / 2
    if loss.name == "logistic":
        return X, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    if loss.name in ("poisson", "negative_binomial"):
        return X, rng.poisson(np.exp(eta)).astype(float)
    if loss.name in ("gamma", "tweedie"):
        return X, np.exp(eta) * rng.gamma(2.0, 0.5, size=n) + 1e-3
    return X, eta + 0.5 * rng.normal(size=n)
