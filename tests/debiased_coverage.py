"""How often intervals of the debiased lasso hold the truth, on the designs that its papers use.

    python tests/debiased_coverage.py [--seeds 20] [--widening 0.25]

prints one line for each design and size: coverage over all coefficients, on the support, off it, and lengths.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from shrinkage.selection import debiased_lasso

DESIGNS = ("independent", "toeplitz", "equicorrelated")
SIZES = ((100, 500), (200, 300), (200, 500))
N_TRUE = 3


@dataclass(frozen=True)
class Coverage:
    """Shares of coefficients inside their intervals, averaged over data sets, and their spread between those."""

    everywhere: float
    everywhere_error: float
    on_support: float
    off_support: float
    length: float


def design(kind, n, p, rng):
    """Rows of a normal with unit variances: Toeplitz 0.9^|j-k|, all correlations 0.8, or none."""
    noise = rng.standard_normal((n, p))
    if kind == "equicorrelated":
        return np.sqrt(0.2) * noise + np.sqrt(0.8) * rng.standard_normal((n, 1))
    if kind == "toeplitz":
        for j in range(1, p):
            noise[:, j] = 0.9 * noise[:, j - 1] + np.sqrt(1 - 0.81) * noise[:, j]
    return noise


def simulate(kind, n, p, seed):
    """A design, its response with noise of deviation 1, and the truth: three coefficients drawn from [0.5, 1.5]."""
    rng = np.random.default_rng([seed, n, p, DESIGNS.index(kind)])
    X = design(kind, n, p, rng)
    true = np.zeros(p)
    true[rng.choice(p, N_TRUE, replace=False)] = rng.uniform(0.5, 1.5, N_TRUE)
    return X, 2.0 + X @ true + rng.standard_normal(n), true


def coverage(kind, n, p, seeds, features=None, **options):
    """`Coverage` of 95 % intervals; `features(true, seed)` names the columns asked for, by default all."""
    inside, support, outside, length = [], [], [], []
    for seed in seeds:
        X, y, true = simulate(kind, n, p, seed)
        found = debiased_lasso(X, y, features=None if features is None else features(true, seed), **options)
        held = (found.lower <= true[found.features]) & (true[found.features] <= found.upper)
        real = true[found.features] != 0
        inside.append(held.mean())
        support.append(held[real].mean())
        outside.append(held[~real].mean())
        length.append((found.upper - found.lower).mean())
    error = np.std(inside, ddof=1) / np.sqrt(len(inside))
    return Coverage(*map(float, (np.mean(inside), error, np.mean(support), np.mean(outside), np.mean(length))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--widening", type=float, default=0.25)
    asked = parser.parse_args()
    for n, p in SIZES:
        for kind in DESIGNS:
            got = coverage(kind, n, p, range(asked.seeds), widening=asked.widening)
            print(
                f"{kind:15s} n {n} p {p}: all {got.everywhere:.3f} ± {got.everywhere_error:.3f}, "
                f"support {got.on_support:.3f}, rest {got.off_support:.3f}, length {got.length:.2f}",
                flush=True,
            )
