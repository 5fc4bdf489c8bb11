"""Data on which code to paste is run, and our own fits to compare with."""

import numpy as np

from shrinkage import ElasticNet, LogisticRegression
from shrinkage.units import convert


def problem(seed=0, n=60, p=4, weighted=False, offset=False):
    """X, y of a regression, two classes and counts, weights and offset of the fit (None where it has none)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * [1.0, 2.0, 0.5, 1.0] + 0.5
    eta = X @ [1.0, -0.5, 0.0, 0.3]
    y = eta + rng.normal(size=n)
    return {
        "X": X,
        "y": {
            "squared": y,
            "logistic": (y + rng.normal(size=n) > 0.5).astype(float),
            "poisson": rng.poisson(np.exp(0.3 * eta)).astype(float),
        },
        "sample_weight": rng.uniform(0.5, 2.0, n) if weighted else None,
        "offset": 0.3 * rng.normal(size=n) if offset else None,
    }


def facts_of(data, loss):
    """What `convert` is told of the rows."""
    return {"y": data["y"][loss], "sample_weight": data["sample_weight"], "offset": data["offset"]}


def run(conversion, data, response, /, **more):
    """The names that the code to paste defines, run as it stands."""
    names = {"X": data["X"], "y": data["y"][response], "sample_weight": data["sample_weight"], "offset": data["offset"]}
    names |= more
    exec(conversion.code, names)
    return names


def our_fit(meaning, data, loss):
    """Coefficients of our fit of the meaning, to rounding."""
    options = {
        "alpha": meaning.alpha,
        "l1_ratio": meaning.l1_ratio,
        "fit_intercept": meaning.fit_intercept,
        "standardize": meaning.standardize,
        "penalty_factor": meaning.factors,
        "tol": 1e-14,
    }
    model = {"squared": ElasticNet, "logistic": LogisticRegression}[loss](**options)
    return np.ravel(model.fit(data["X"], data["y"][loss], data["sample_weight"], data["offset"]).coef_)


def ours_to(target, data, loss, **asked):
    """Our arguments in the words of a call."""
    source = {"squared": "shrinkage.ElasticNet", "logistic": "shrinkage.LogisticRegression"}[loss]
    return convert(source, target, **facts_of(data, loss), **asked)
