"""Objectives that skglm reaches with MCP, SCAD and SLOPE along paths of warm starts: writes objectives.json.

usage: python make_objectives.py   (with skglm 0.5; the versions are in the file)
"""

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from statistics import NormalDist

import numpy as np
from skglm.datafits import Quadratic
from skglm.penalties import SCAD, SLOPE, MCPenalty
from skglm.solvers import FISTA, AndersonCD

warnings.simplefilter("ignore")
DIVISOR = 1000


def design(n, p, rho, seed):
    rng = np.random.default_rng(seed)
    X = np.empty((n, p))
    column = rng.normal(size=n)
    for j in range(p):
        column = rho * column + np.sqrt(1 - rho**2) * rng.normal(size=n)
        X[:, j] = column
    coef = np.zeros(p)
    coef[rng.choice(p, 8, replace=False)] = rng.normal(size=8) + np.sign(rng.normal(size=8))
    y = X @ coef + rng.normal(size=n)
    return np.round(DIVISOR * X).astype(int), np.round(DIVISOR * y).astype(int)


def weights(kind, p):
    if kind == "linear":
        return np.linspace(1.0, 0.2, p)
    return np.array([-NormalDist().inv_cdf(k * 0.2 / (2 * p)) for k in range(1, p + 1)])


def penalty_of(kind, parameter, alpha, p):
    if kind == "slope":
        return SLOPE(alpha * weights(parameter, p))
    return (MCPenalty if kind == "mcp" else SCAD)(alpha, parameter)


def objectives(X, y, kind, parameter):
    n, p = X.shape
    z = np.abs(X.T @ y) / n
    top = z.max()
    if kind == "slope":
        top = (np.cumsum(np.sort(z)[::-1]) / np.cumsum(weights(parameter, p))).max()
    alphas = top * np.geomspace(0.9, 0.05, 12)
    if kind == "slope":
        solver = FISTA(max_iter=100_000, tol=1e-10, opt_strategy="fixpoint")
    else:
        solver = AndersonCD(max_iter=200, max_epochs=50_000, tol=1e-10, fit_intercept=False, warm_start=True)
    w, found = np.zeros(p), []
    for alpha in alphas:
        w = solver.solve(X, y, Quadratic(), penalty_of(kind, parameter, alpha, p), w.copy(), X @ w)[0]
        value = ((y - X @ w) ** 2).mean() / 2
        found.append(float(value + penalty_of(kind, parameter, alpha, p).value(w)))
    return alphas.tolist(), found


def main():
    stored = {"versions": {name: version(name) for name in ("skglm", "numpy")}, "divisor": DIVISOR, "problems": []}
    for n, p, rho, seed in ((60, 90, 0.5, 0), (80, 40, 0.8, 1)):
        X, y = design(n, p, rho, seed)
        known = {"X": X.tolist(), "y": y.tolist(), "paths": []}
        A = np.asfortranarray(X / DIVISOR)
        for kind, parameter in (
            ("mcp", 3.0),
            ("mcp", 1.5),
            ("scad", 3.7),
            ("slope", "linear"),
            ("slope", "bh"),
        ):
            alphas, values = objectives(A, y / DIVISOR, kind, parameter)
            path = {"penalty": kind, "parameter": parameter, "alphas": alphas, "objectives": values}
            known["paths"].append(path)
            print(n, p, kind, parameter, values[0], values[-1], file=sys.stderr, flush=True)
        stored["problems"].append(known)
    Path(__file__).with_name("objectives.json").write_text(json.dumps(stored) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
