"""Problems of every family that R's glmnet solved, with weights, offsets, factors, bounds and excluded columns.

Stored with their scripts: `make_families.py`, `families.R`, and `verify.py`, which judges them by their optimality
conditions and says what glmnet minimizes.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from shrinkage import path

FOLDER = Path(__file__).parent / "glmnet"
LOSSES = {"gaussian": "squared", "binomial": "logistic", "poisson": "poisson"}


@cache
def stored():
    return json.loads((FOLDER / "families.json").read_text())


EXPECTED = [
    pytest.param(p, id=f"{p['number']}-{p['family']}-{p['design']}-{p['alpha']}")
    for p in stored()["problems"]
    if p["family"] in LOSSES
]


def numbers(values):
    return np.array(values, float)  # "inf" and "-inf" are strings in the JSON


def spread_of(x, weights, about_mean=True):
    share = weights / weights.sum()
    return np.sqrt(share @ (x - (share @ x if about_mean else 0)) ** 2)


def stated(problem):
    """X, y and the arguments of `path` that state the same."""
    given = stored()
    design, response = given["designs"][problem["design"]], given["responses"][problem["response"]]
    X = numbers(design["x"]) / design["divisor"]
    y, p = numbers(response["y"]), X.shape[1]
    weights = numbers(problem["weights"]) if "weights" in problem else np.ones(len(y))
    offset = numbers(problem["offset"]) if "offset" in problem else np.zeros(len(y))
    ridge = 1.0  # glmnet divides a gaussian y by its standard deviation, and not the strength of the squares
    if problem["family"] == "gaussian":
        ridge = spread_of(y - offset, weights, problem["intercept"])
    alpha = problem["alpha"]
    strength = alpha + (1 - alpha) / ridge
    factors = numbers(problem["penalty_factor"]) if "penalty_factor" in problem else np.ones(p)
    counted = np.where(np.isinf(factors), 1.0, factors)
    bounds = {name: np.broadcast_to(numbers(problem[name]), (p,)) for name in ("lower", "upper") if name in problem}
    return (
        sparse.csc_array(X) if problem.get("sparse") else X,
        y,
        {
            "l1_ratio": alpha / strength,
            "alphas": numbers(problem["lambda"]) * strength,
            "fit_intercept": problem["intercept"],
            "standardize": problem["standardize"],
            "sample_weight": weights,
            "offset": offset if "offset" in problem else None,
            "penalty_factor": factors * p / counted.sum(),
            **bounds,
        },
    )


@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")  # gaps of 1e-14 are below rounding
@pytest.mark.parametrize("problem", EXPECTED)
def test_coefficients_are_those_of_glmnet(problem):
    X, y, options = stated(problem)
    fitted = path(X, y, loss=LOSSES[problem["family"]], tol=1e-14, **options)
    for place, theirs in zip(problem["places"], problem["coef"], strict=True):
        theirs = numbers(theirs)
        ours = np.append(fitted.intercepts[place], fitted.coefs[:, [place]].toarray()[:, 0])
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())
