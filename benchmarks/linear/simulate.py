"""Seeded data, column by column as stated in docs/benchmarks; dense columns have mean 0 and mean square 1."""

import hashlib

import numpy as np
import scipy.sparse as sp


def generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.md5(name.encode()).hexdigest()[:8], 16))


def chained(rng: np.random.Generator, n: int, p: int, rho: float = 0.5) -> np.ndarray:
    """Columns of a stationary autoregression: neighbors correlate by rho."""
    X = rng.standard_normal((n, p))
    fresh = np.sqrt(1 - rho * rho)
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + fresh * X[:, j]
    return standardized(X)


def equicorrelated(rng: np.random.Generator, n: int, p: int, rho: float) -> np.ndarray:
    shared = np.sqrt(rho) * rng.standard_normal((n, 1))
    return standardized(shared + np.sqrt(1 - rho) * rng.standard_normal((n, p)))


def standardized(X: np.ndarray) -> np.ndarray:
    X = X - X.mean(0)
    return np.asfortranarray(X / np.sqrt((X * X).mean(0)))


def text(rng: np.random.Generator, n: int, p: int, density: float) -> tuple[sp.csc_matrix, np.ndarray]:
    """Term weights: power-law document frequencies, tf-idf values, rows of norm 1. Also the candidates for a signal."""
    share = 1.0 / (np.arange(p) + 10.0)
    share = rng.permutation(share / share.sum())
    documents = np.minimum(np.maximum(rng.poisson(share * int(n * p * density)), 1), n // 2)
    columns = np.repeat(np.arange(p), documents)
    rows = np.concatenate([rng.choice(n, count, replace=False) for count in documents])
    frequency = 1 + np.log(rng.geometric(0.6, size=len(rows)))
    rarity = np.log((1 + n) / (1 + documents)) + 1
    X = sp.csc_matrix((frequency * rarity[columns], (rows, columns)), shape=(n, p))
    norms = np.sqrt(np.asarray(X.multiply(X).sum(1)).ravel())
    X = (sp.diags(1 / np.where(norms == 0, 1, norms)) @ X).tocsc()
    X.sort_indices()
    return X, np.flatnonzero(documents >= 50)


def _signal(rng: np.random.Generator, X, nonzero: int, candidates) -> np.ndarray:
    chosen = rng.choice(X.shape[1] if candidates is None else candidates, nonzero, replace=False)
    w = np.zeros(X.shape[1])
    w[chosen] = rng.standard_normal(nonzero)
    eta = X @ w
    return eta - eta.mean()


def response(rng: np.random.Generator, X, nonzero: int, snr: float, candidates=None) -> np.ndarray:
    """A linear signal of some normal weights, plus noise; mean 0, variance 1."""
    eta = _signal(rng, X, nonzero, candidates)
    y = eta + rng.standard_normal(len(eta)) * eta.std() / np.sqrt(snr)
    y -= y.mean()
    return y / y.std()


def classes(rng: np.random.Generator, X, nonzero: int, scale: float, candidates=None) -> np.ndarray:
    """0 or 1, from a logistic model whose linear predictor has standard deviation `scale`."""
    eta = _signal(rng, X, nonzero, candidates)
    chance = 1 / (1 + np.exp(-scale * eta / eta.std()))
    return (rng.random(len(eta)) < chance).astype(float)


def _dense(seed: str, n: int, p: int, nonzero: int, snr: float = 5.0):
    rng = generator(seed)
    X = chained(rng, n, p)
    return X, response(rng, X, nonzero, snr)


def wide():
    return _dense("A", 500, 20_000, 100)


def tall():
    return _dense("B", 100_000, 500, 100)


def equal():
    rng = generator("C")
    X = equicorrelated(rng, 2_000, 5_000, 0.8)
    return X, response(rng, X, 100, 5.0)


def big():
    rng = np.random.default_rng(77)
    X = chained(rng, 2_000, 20_000)
    return X, response(rng, X, 500, 2.0)


def sparse_text():
    rng = generator("D")
    X, candidates = text(rng, 20_000, 100_000, 1e-3)
    return X, response(rng, X, 100, 5.0, candidates)


def folds_wide():
    return _dense("F1", 500, 5_000, 100)


def folds_tall():
    return _dense("F2", 20_000, 300, 100)


def two_classes():
    rng = generator("G1")
    X = chained(rng, 1_000, 5_000)
    return X, classes(rng, X, 50, 3.0)


def two_classes_text():
    rng = generator("G2")
    X, candidates = text(rng, 20_000, 20_000, 2e-3)
    return X, classes(rng, X, 100, 3.0, candidates)


def small():
    return _dense("S", 100, 20, 5)


MAKE = {
    "wide": wide,
    "tall": tall,
    "equal": equal,
    "big": big,
    "text": sparse_text,
    "folds-wide": folds_wide,
    "folds-tall": folds_tall,
    "classes": two_classes,
    "classes-text": two_classes_text,
    "small": small,
}
