"""Factors of the adaptive lasso: those of a first fit, which the second obeys."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from shrinkage import path
from shrinkage._errors import ArgumentError, DataError
from shrinkage.selection import adaptive_factors

STORED = json.loads((Path(__file__).parents[1] / "oracles" / "glmnet" / "families.json").read_text(encoding="utf-8"))
ADAPTIVE = [p for p in STORED["problems"] if "adaptive" in p and p["family"] in ("gaussian", "binomial", "poisson")]
LOSS = {"gaussian": "squared", "binomial": "logistic", "poisson": "poisson"}


def arrays_of(problem):
    design = STORED["designs"][problem["design"]]
    X = np.array(design["x"], float) / design["divisor"]
    y = np.array(STORED["responses"][problem["response"]]["y"], float)
    return sparse.csc_array(X) if design.get("sparse") else X, y


@pytest.mark.parametrize("problem", ADAPTIVE, ids=lambda p: f"{p['family']}-{p['number']}")
def test_factors_and_fits_are_those_of_glmnet(problem):
    X, y = arrays_of(problem)
    given = {name: np.array(problem[name], float) for name in ("weights", "offset") if name in problem}
    options = {
        "loss": LOSS[problem["family"]],
        "standardize": problem["standardize"],
        "fit_intercept": problem["intercept"],
        "sample_weight": given.get("weights"),
        "offset": given.get("offset"),
        "tol": 1e-13,
    }
    first, tau = problem["adaptive"], 1.0
    if problem["family"] == "gaussian":
        weights = given.get("weights", np.ones(len(y)))
        left = y - given.get("offset", 0.0)
        tau = np.sqrt(weights @ (left - weights @ left / weights.sum()) ** 2 / weights.sum())
    found = adaptive_factors(X, y, "ridge", first["gamma"], alpha=first["ridge_lambda"] / tau, **options)
    stored = np.array(problem["penalty_factor"], float)
    assert found == pytest.approx(stored, rel=1e-5)
    factors = found * len(found) / found.sum()
    ratio = problem["alpha"] / (problem["alpha"] + (1 - problem["alpha"]) / tau)
    alphas = np.array(problem["lambda"]) * problem["alpha"] / ratio
    fitted = path(X, y, l1_ratio=ratio, alphas=alphas, penalty_factor=factors, **options)
    for place, coef in zip(problem["places"], problem["coef"], strict=True):
        coef = np.array(coef, float)
        ours = np.append(fitted.intercepts[place], fitted.coefs[:, [place]].toarray())
        assert np.abs(ours - coef).max() <= 1e-6 * np.abs(coef).max()


def test_what_a_first_lasso_leaves_out_stays_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 12))
    y = X[:, 0] - 0.5 * X[:, 1] + 0.3 * rng.normal(size=80)
    chosen = adaptive_factors(X, y, first="lasso", gamma=2.0, cv=4, n_alphas=30)
    assert np.isinf(chosen).any()
    assert chosen[0] < chosen[1] < 10
    fitted = path(X, y, penalty_factor=chosen, n_alphas=10)
    assert not fitted.coefs[np.flatnonzero(np.isinf(chosen))].nnz
    plain = path(X, y, l1_ratio=0.0, alphas=[0.3])
    assert adaptive_factors(X, y, alpha=0.3, gamma=0.5) == pytest.approx(np.abs(plain.coef(0.3)) ** -0.5)


def test_what_it_does_not_take_is_refused():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    with pytest.raises(ArgumentError, match="first must be one of 'ridge', 'lasso'; got 'ols'"):
        adaptive_factors(X, y, first="ols")
    with pytest.raises(ArgumentError, match="gamma must be > 0"):
        adaptive_factors(X, y, gamma=0.0)
    with pytest.raises(ArgumentError, match="l1_ratio is not an option here: the first fit is a ridge"):
        adaptive_factors(X, y, l1_ratio=0.5)
    with pytest.raises(ArgumentError, match="alpha must be > 0"):
        adaptive_factors(X, y, alpha=-1.0)
    with pytest.raises(DataError, match="every coefficient of the first lasso is 0 at alpha=100"):
        adaptive_factors(X, y, first="lasso", alpha=100.0)
