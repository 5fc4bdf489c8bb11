"""Multinomial paths against R glmnet 4.1 on stored problems, ungrouped and grouped, with and without bounds."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from shrinkage import path

STORED = json.loads((Path(__file__).parent / "glmnet" / "families.json").read_text())
PROBLEMS = [{**p, **STORED["responses"][p["response"]]} for p in STORED["problems"] if p["family"] == "multinomial"]
BOUNDED = [p for p in PROBLEMS if "lower" in p or "upper" in p]


def array(values):
    return np.array(values, float)  # "inf" is a string in the file


def prepared(problem):
    """X, y, the arguments of `path`, and the columns that are in."""
    design = STORED["designs"][problem["design"]]
    x, y = array(design["x"]) / design["divisor"], np.array(problem["y"], int)
    n, p = x.shape
    weights = array(problem.get("weights", np.ones(n)))
    factors = array(problem.get("penalty_factor", np.ones(p)))
    included = np.isfinite(factors)
    factors = np.where(included, factors, 1.0)  # an excluded feature counts as 1
    options = {
        "loss": "multinomial_grouped" if problem.get("grouped") else "multinomial",
        "l1_ratio": problem["alpha"],
        "penalty_factor": (factors * p / factors.sum())[included],
        "fit_intercept": problem["intercept"],
        "standardize": problem["standardize"],
        "sample_weight": weights,
        "offset": problem.get("offset"),
    }
    for name in {"lower", "upper"} & set(problem):
        options[name] = np.broadcast_to(array(problem[name]), (p,))[included]
    X = x[:, included]
    return sparse.csc_array(X) if problem.get("sparse") else X, y, options, included


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p['number']}")
def test_coefficients_are_glmnets(problem):
    X, y, options, included = prepared(problem)
    fitted = path(X, y, alphas=array(problem["lambda"])[problem["places"]], tol=1e-13, **options)
    for t, theirs in enumerate(map(array, problem["coef"])):
        ours = np.zeros_like(theirs)
        ours[0] = fitted.intercepts[:, t]
        ours[1:][included] = fitted.coefs[:, [t]].toarray().reshape(fitted.n_outputs, -1).T
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * np.abs(theirs).max())


def test_the_stored_problems_are_of_every_kind():
    assert len(PROBLEMS) == 54
    assert len(BOUNDED) == 15
    for name in ("sparse", "grouped", "weights", "offset", "penalty_factor", "lower", "upper"):
        assert {bool(p.get(name) is not None and p[name] is not False) for p in PROBLEMS} == {True, False}
