"""Coefficients that skglm finds with group lasso penalties: writes groups.json.

usage: python make_groups.py   (with skglm 0.5; the versions are in the file)

Its squared loss on groups takes dense and sparse data, its logistic loss on groups dense data alone.
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy import sparse
from skglm.datafits import LogisticGroup, QuadraticGroup
from skglm.penalties import WeightedGroupL2
from skglm.solvers import GroupBCD, GroupProxNewton

warnings.simplefilter("ignore")
DIVISOR = 64
SIZES = (1, 2, 5, 3, 9, 1, 4)
SHARES = (0.7, 0.3, 0.1, 0.03)  # of the largest strength
DESIGNS = {
    "tall": {"n": 60, "p": 25},
    "wide": {"n": 30, "p": 70},
    "sparse": {"n": 50, "p": 60, "density": 0.2},
}


def rows(n, p, rho, density=1.0):
    """X and y in 64ths, labels, and the last column and weight of each group."""
    rng = np.random.default_rng([n, int(10 * rho)])
    X = np.empty((n, p))
    column = rng.normal(size=n)
    for j in range(p):
        column = rho * column + np.sqrt(1 - rho**2) * rng.normal(size=n)
        X[:, j] = column * (rng.random(n) < density)
    X = np.rint(DIVISOR * X)
    ends = np.unique(np.minimum(np.cumsum(np.tile(SIZES, p)), p))
    coef = np.where(rng.random(len(ends)) < 0.3, 1.0, 0.0).repeat(np.diff(ends, prepend=0)) * rng.normal(size=p)
    eta = X @ coef / DIVISOR + 1.0
    return {
        "X": X.astype(int).tolist(),
        "y": np.rint(DIVISOR * (eta + rng.normal(size=n))).astype(int).tolist(),
        "labels": (rng.random(n) < 1 / (1 + np.exp(-(eta - eta.mean())))).astype(int).tolist(),
        "ends": ends.tolist(),
        "weights": (rng.integers(2, 9, len(ends)) / 4).tolist(),
    }


def largest(X, residual, bounds, weights, positive):
    """The least strength at which all coefficients are 0."""
    z = X.T @ residual / len(residual)
    z = np.maximum(z, 0) if positive else z
    return max(np.linalg.norm(z[a:b]) / weight for a, b, weight in zip(bounds[:-1], bounds[1:], weights, strict=True))


def fits(X, y, ends, weights, loss, intercept, positive):
    """Strengths, and for each the coefficients and the intercept."""
    bounds, indices = np.array([0, *ends], np.int32), np.arange(ends[-1], dtype=np.int32)
    weights = np.array(weights)
    datafit = (QuadraticGroup if loss == "squared" else LogisticGroup)(bounds, indices)
    if loss == "squared":
        residual = y - y.mean() * intercept
        solver = GroupBCD(max_iter=500, max_epochs=20_000, tol=1e-12, fit_intercept=intercept)
    else:
        residual = y - (y.mean() if intercept else 0.5)
        y = 2 * y - 1
        solver = GroupProxNewton(max_iter=500, tol=1e-11, fit_intercept=intercept)
    alphas = largest(X, residual, bounds, weights, positive) * np.array(SHARES)
    found = []
    for alpha in alphas:
        w = solver.solve(X, y, datafit, WeightedGroupL2(alpha, weights, bounds, indices, positive))[0]
        found.append(w.tolist() if intercept else [*w, 0.0])
    return alphas.tolist(), found


def main():
    names = ("skglm", "numpy", "scipy")
    stored = {"versions": {name: version(name) for name in names}, "divisor": DIVISOR, "problems": []}
    kinds = [("squared", True, False), ("squared", False, True), ("logistic", True, False), ("logistic", False, False)]
    for (design, shape), rho in ((item, rho) for item in DESIGNS.items() for rho in (0.0, 0.8)):
        data = rows(rho=rho, **shape)
        known = {"design": design, "correlation": rho, **data, "paths": []}
        X = np.asfortranarray(data["X"]) / DIVISOR
        for loss, intercept, positive in kinds:
            if design == "sparse" and loss == "logistic":
                continue
            stored_as = sparse.csc_matrix(X) if design == "sparse" else X
            y = np.array(data["y"]) / DIVISOR if loss == "squared" else np.array(data["labels"], float)
            alphas, found = fits(stored_as, y, data["ends"], data["weights"], loss, intercept, positive)
            path = {"loss": loss, "fit_intercept": intercept, "positive": positive, "alphas": alphas, "coefs": found}
            known["paths"].append(path)
            print(design, rho, loss, np.count_nonzero(found, axis=1), file=sys.stderr, flush=True)
        stored["problems"].append(known)
    Path(__file__).with_name("groups.json").write_text(json.dumps(stored) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
