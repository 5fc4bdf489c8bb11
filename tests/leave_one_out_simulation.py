"""How often approximate leave-one-out knows its own error, against leaving every row out by refitting.

    python tests/leave_one_out_simulation.py [--seeds 25]

prints for each problem, over data sets and strengths: how often the exact mean is within two and three standard errors
of the estimate that 25 refits give, how often the record says reliable, and how far the mean was off there, in its own
standard errors: the 95 % quantile and the most.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from shrinkage import path
from shrinkage.selection import leave_one_out

PROBLEMS = {
    "squared": {"p": 15},
    "squared, wide": {"p": 100},
    "logistic": {"p": 15, "loss": "logistic"},
    "logistic ridge": {"p": 15, "loss": "logistic", "l1_ratio": 0.0},
}


@dataclass(frozen=True)
class Known:
    """Shares of (data set, strength) pairs; `off` of those that are said to be reliable."""

    within_two: float
    within_three: float
    reliable: float
    off: np.ndarray


def simulate(seed, p, loss, n=60):
    """Independent normal columns, three of coefficient 1, noise of deviation 1; for logistic, classes of equal size."""
    rng = np.random.default_rng(100 + seed)
    X = rng.normal(size=(n, p))
    y = X[:, :3].sum(axis=1) + rng.normal(size=n)
    return X, y if loss == "squared" else (y + rng.logistic(size=n) > np.median(y)).astype(float)


def known(seeds, p, loss="squared", l1_ratio=1.0):
    """`Known` of a problem over these data sets and 12 strengths of each."""
    within, reliable, off = [], [], []
    for seed in seeds:
        X, y = simulate(seed, p, loss)
        walked = path(X, y, loss, l1_ratio, n_alphas=12, alpha_min_ratio=0.05, tol=1e-8)
        found, exact = leave_one_out(walked, random_state=seed), leave_one_out(walked, refits=len(y))
        error = exact.mean - found.mean
        away = np.abs(error - found.error)
        within.append([away <= k * found.error_se + 1e-9 for k in (2, 3)])
        reliable.append(found.reliable)
        off.append((np.abs(error) / exact.se)[found.reliable])
    two, three = np.mean(within, axis=(0, 2))
    return Known(float(two), float(three), float(np.mean(reliable)), np.concatenate(off))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=25)
    seeds = range(parser.parse_args().seeds)
    for name, problem in PROBLEMS.items():
        got = known(seeds, **problem)
        print(
            f"{name:14s} within 2 errors {got.within_two:.3f}, 3 errors {got.within_three:.3f}; "
            f"reliable {got.reliable:.2f}: off by {np.quantile(got.off, 0.95):.2f} (95 %), {got.off.max():.2f} (most)",
            flush=True,
        )
