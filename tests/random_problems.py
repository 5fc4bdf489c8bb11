"""Random problems of every kind that the engine takes: the table behind the accuracy tests."""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem
from shrinkage.solvers import column_scale


@dataclass
class Case:
    """A call of `path`, and the `Problem` that it states."""

    X: object
    y: np.ndarray
    options: dict = field(default_factory=dict)

    def problem(self) -> Problem:
        """The problem with strength 1, stated without the engine."""
        options = dict(self.options)
        design = as_design(self.X)
        weights, intercept = options.get("sample_weight"), options.get("fit_intercept", True)
        scale = None
        if options.get("standardize"):
            columns = None if weights is None else np.asfortranarray(weights[:, None])
            scale = column_scale(design, columns)[:, 0]
        loss = Logistic() if options.get("loss") == "logistic" else Squared()
        penalty = L1L2(1.0, options.get("l1_ratio", 1.0), options.get("penalty_factor"))
        return Problem(design, self.y, loss, penalty, weights, options.get("offset"), intercept, scale)


def random_case(seed: int, plain: bool = False, most_features: int = 200) -> Case:
    """One problem; `plain` leaves out what scikit-learn cannot state (factors, offset, standardizing)."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(8, 100)), int(rng.integers(1, most_features))
    loss = str(rng.choice(["squared", "logistic"]))
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-0.7, 0.7, p) + rng.standard_normal(p) * rng.choice([0, 3])
    if rng.random() < 0.3:
        X *= rng.random((n, p)) < 0.3
    if rng.random() < 0.2 and p > 3:
        X[:, 1], X[:, 2] = X[:, 0], 1.5
    eta = (X - X.mean(axis=0))[:, :5] @ rng.standard_normal(min(p, 5))
    eta /= max(eta.std(), 1e-9)
    y = eta + rng.standard_normal(n)
    if loss == "logistic":
        y = (rng.random(n) < 1 / (1 + np.exp(-2 * eta))).astype(float)
        y[:2] = [0, 1]
    options = {
        "loss": loss,
        "l1_ratio": float(rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])),
        "fit_intercept": bool(rng.random() < 0.8),
    }
    if rng.random() < 0.4:
        options["sample_weight"] = rng.integers(0, 4, n).astype(float)
        options["sample_weight"][:2] = 1
    if not plain:
        options["standardize"] = bool(rng.random() < 0.3)
        if rng.random() < 0.3:
            options["offset"] = rng.standard_normal(n)
        if rng.random() < 0.4 and p > 2:
            options["penalty_factor"] = rng.uniform(0.3, 3, p)
            if rng.random() < 0.7:
                options["penalty_factor"][rng.integers(0, p)] = 0
    kind = rng.choice(["C", "F", "csc", "float32"])
    if kind == "csc":
        return Case(sparse.csc_array(X), y, options)
    if kind == "float32":
        return Case(X.astype(np.float32), y, options)
    return Case(np.array(X, order=kind), y, options)
