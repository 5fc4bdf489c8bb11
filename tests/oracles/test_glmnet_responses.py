"""Problems with several responses that R's glmnet solved (family "mgaussian"), stored with those of other families."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from shrinkage import MultiTaskElasticNet


@cache
def stored():
    return json.loads((Path(__file__).parent / "glmnet" / "families.json").read_text())


def numbers(values):
    return np.array(values, float)  # "inf" is a string in the JSON


def spread_of(x, weights):
    share = weights / weights.sum()
    return np.sqrt(share @ (x - share @ x) ** 2)


EXPECTED = [
    pytest.param(p, id=f"{p['number']}-{p['design']}-{p['alpha']}")
    for p in stored()["problems"]
    if p["family"] == "mgaussian"
]


@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")  # gaps of 1e-13 are near rounding
@pytest.mark.parametrize("problem", EXPECTED)
def test_coefficients_of_several_responses_are_those_of_glmnet(problem):
    given = stored()
    design, response = given["designs"][problem["design"]], given["responses"][problem["response"]]
    X, Y = numbers(design["x"]) / design["divisor"], numbers(response["y"])
    n, p = X.shape
    weights = numbers(problem["weights"]) if "weights" in problem else np.ones(n)
    if "offset" in problem:
        Y = Y - numbers(problem["offset"])
    units = np.ones(Y.shape[1])
    if problem.get("standardize_response"):
        units = np.array([spread_of(y, weights) for y in Y.T])
    factors = numbers(problem["penalty_factor"]) if "penalty_factor" in problem else np.ones(p)
    factors = factors * p / np.where(np.isinf(factors), 1.0, factors).sum()
    bounds = {name: np.broadcast_to(numbers(problem[name]), (p,)) for name in {"lower", "upper"} & set(problem)}
    X = sparse.csc_array(X) if problem.get("sparse") else X
    for place, theirs in zip(problem["places"], problem["coef"], strict=True):
        model = MultiTaskElasticNet(
            problem["lambda"][place],
            l1_ratio=problem["alpha"],
            fit_intercept=problem["intercept"],
            standardize=problem["standardize"],
            penalty_factor=factors,
            tol=1e-13,
            **bounds,
        ).fit(X, Y / units, weights)
        ours = np.vstack([model.intercept_, model.coef_.T]) * units
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())


def test_all_stored_problems_are_among_them():
    assert len(EXPECTED) == 30
    assert sum("lower" in p.values[0] for p in EXPECTED) == 6
