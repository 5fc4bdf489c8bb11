"""Whether stability selection keeps its promise where noise features are exchangeable.

    python tests/stability_simulation.py [--sets 200] [--problems wide logistic]

prints for each problem, bound and assumption: the threshold, the mean number of noise features chosen with its standard
error, beside the bound that was asked for, and the mean share of the strong features that are found.
"""

import argparse
from dataclasses import dataclass
from itertools import product

import numpy as np

from shrinkage.selection import stability_selection
from shrinkage.selection._stability_bounds import ASSUMPTIONS

PROBLEMS = {
    "few features": {"n": 120, "p": 100, "q": 8, "bounds": [0.8, 2.0]},
    "wide": {"n": 120, "p": 300, "q": 10, "bounds": [0.5, 1.0], "n_pairs": 25},
    "logistic": {"n": 240, "p": 60, "q": 6, "bounds": [1.0], "loss": "logistic", "size": 2.0, "n_pairs": 25},
}


@dataclass(frozen=True)
class Kept:
    """What one bound and assumption gave: means over data sets, and the standard error of the first."""

    bound: float
    assumption: str
    threshold: float
    false: float
    false_error: float
    found: float


def draw(seed, n=60, p=40, n_strong=3, rho=0.0, size=1.0, loss="squared"):
    """Equicorrelated, hence exchangeable columns; a response of `n_strong` of them, +size or -size; which they are."""
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - rho) * rng.normal(size=(n, p)) + np.sqrt(rho) * rng.normal(size=(n, 1))
    strong = rng.choice(p, n_strong, replace=False)
    eta = X[:, strong] @ (size * rng.choice([-1.0, 1.0], n_strong))
    y = eta + rng.normal(size=n) if loss == "squared" else (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    return X, y, np.sort(strong)


def promise(n_sets, n, p, q, bounds, n_strong=4, loss="squared", size=1.0, rho=0.2, n_pairs=50):
    """`Kept` for every bound and assumption; each data set is halved once and read at all of them."""
    asked = list(product(bounds, ASSUMPTIONS))
    false, found, thresholds = np.zeros((len(asked), n_sets)), np.zeros((len(asked), n_sets)), np.zeros(len(asked))
    for seed in range(n_sets):
        X, y, strong = draw(seed, n, p, n_strong, rho, size, loss)
        first = stability_selection(X, y, q=q, threshold=1.0, loss=loss, n_pairs=n_pairs, random_state=seed)
        for k, (bound, assumption) in enumerate(asked):
            reading = first.judge(bound=bound, assumption=assumption)
            thresholds[k] = reading.threshold
            false[k, seed] = len(np.setdiff1d(reading.selected, strong))
            found[k, seed] = len(np.intersect1d(reading.selected, strong)) / n_strong
    errors = false.std(axis=1, ddof=1) / np.sqrt(n_sets)
    columns = zip(asked, thresholds, false.mean(axis=1), errors, found.mean(axis=1), strict=True)
    return [Kept(*pair, *map(float, rest)) for pair, *rest in columns]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    given = parser.parse_args()
    for name in given.problems:
        for kept in promise(given.sets, **PROBLEMS[name]):
            print(
                f"{name:12s} bound {kept.bound:.1f} {kept.assumption:9s} threshold {kept.threshold:.2f}: "
                f"{kept.false:.3f} ± {kept.false_error:.3f} false, {kept.found:.3f} found",
                flush=True,
            )
