"""Fits of every kind, for the instruction set in use: `python instruction_spread.py FILE` saves their answers.

Run once per instruction set, as a process of its own with SHRINKAGE_ISA set: the choice is made when the core loads.
The same process then runs the tests of products on the ways of storing that have kernels of their own.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import sparse

from shrinkage import L1L2, GroupL2, _core, cross_validate, path
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.problem import Problem
from shrinkage.solvers import solve

KERNELS = "asked_for or strides or [column-major or [row-major or [float32 or [compressed"
"""Those tests of products whose layouts reach different kernels; the others are views of the same ones."""


def data(n: int, p: int, seed: int, correlated: float = 0.5):
    """X with columns that resemble their neighbors, and a response that ten of them make."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = correlated * X[:, j - 1] + np.sqrt(1 - correlated**2) * X[:, j]
    y = X[:, : 4 * 10 : 4] @ rng.uniform(-2, 2, 10) + rng.standard_normal(n)
    return X, y


def paths() -> dict:
    """Whole paths, by shape, storage, loss and penalty."""
    X, y = data(120, 400, 0)
    tall, response = data(500, 40, 1)
    weights = np.random.default_rng(2).uniform(0.5, 2.0, 120)
    factors = np.where(np.arange(400) % 7 == 0, 0.5, 1.0)
    factors[3] = 0.0
    stored = sparse.csc_array(np.where(np.abs(X) > 1.3, X, 0.0))
    few = {"n_alphas": 15, "alpha_min_ratio": 0.05, "tol": 1e-10}
    return {
        "wide": path(np.asfortranarray(X), y, **few),
        "by rows": path(X, y, **few),
        "single": path(np.asfortranarray(X, dtype=np.float32), y, **few),
        "strided": path(np.repeat(X, 2, axis=1)[:, ::2], y, **few),
        "elastic net": path(X, y, l1_ratio=0.4, standardize=True, **few),
        "weighted": path(X, y, sample_weight=weights, penalty_factor=factors, **few),
        "sparse": path(stored, y, **few),
        "sparse, elastic net": path(stored.astype(np.float32), y, l1_ratio=0.6, **few),
        "tall": path(tall, response, **few),
        "ridge": path(X, y, l1_ratio=0.0, **few),
        "logistic": path(X, (y > 0).astype(float), loss="logistic", **few),
        "logistic, tall": path(tall, (response > 0).astype(float), loss="logistic", l1_ratio=0.7, **few),
        "logistic, sparse": path(stored, (y > 0).astype(float), loss="logistic", **few),
    }


def folds() -> dict:
    """Cross-validation by every road: columns of one pass, moments, a sparse X, Newton steps."""
    X, y = data(120, 400, 3)
    stored = sparse.csc_array(np.where(np.abs(X) > 1.3, X, 0.0))
    few = {"n_alphas": 15, "alpha_min_ratio": 0.1, "tol": 1e-10, "cv": 4}
    return {
        "folds": cross_validate(X, y, **few),
        "folds, tall": cross_validate(*data(500, 40, 4), standardize=True, **few),
        "folds, sparse": cross_validate(stored, y, **few),
        "folds, logistic": cross_validate(X, (y > 0).astype(float), loss="logistic", **few),
    }


def groups() -> dict:
    """Single strengths of penalties on groups, and of the elastic net on both losses."""
    X, y = data(100, 60, 5)
    design, blocks = as_design(X), [list(range(j, j + 5)) for j in range(0, 60, 5)]
    two = (y > 0).astype(float)
    return {
        "groups": solve(Problem(design, y, Squared(), GroupL2(0.2, groups=blocks)), tol=1e-13),
        "groups, logistic": solve(Problem(design, two, Logistic(), GroupL2(0.02, groups=blocks)), tol=1e-13),
        "one strength": solve(Problem(design, y, Squared(), L1L2(0.1, 0.5)), tol=1e-13),
        "one strength, logistic": solve(Problem(design, two, Logistic(), L1L2(0.01, 0.5)), tol=1e-13),
    }


def answers() -> dict[str, np.ndarray]:
    """Coefficients, intercepts, gaps and scores of all fits, by name."""
    found = {}
    cross_validations = folds()
    for name, fit in (paths() | {name: cv.path for name, cv in cross_validations.items()}).items():
        found[f"{name}: coefs"] = fit.coefs.toarray()
        found[f"{name}: intercepts"] = fit.intercepts
        found[f"{name}: gaps"] = fit.relative_gaps
    for name, cv in cross_validations.items():
        found[f"{name}: scores"] = cv.scores
    for name, fit in groups().items():
        found[f"{name}: coefs"] = np.append(fit.coef, fit.intercept)
    return found


if __name__ == "__main__":
    import pytest

    np.savez(sys.argv[1], isa=_core.isa(), **answers())
    products, options = Path(__file__).parent / "twins" / "test_products.py", ["-q", "--import-mode=importlib"]
    sys.exit(pytest.main([*options, "-p", "no:cacheprovider", "-p", "no:randomly", "-k", KERNELS, str(products)]))
