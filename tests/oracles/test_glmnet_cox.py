"""Cox models against R: glmnet (Breslow's ties) and survival's coxph (Efron's), stored with scripts and versions."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from shrinkage import path
from shrinkage.losses import Cox

FOLDER = Path(__file__).parent / "glmnet"
STORED = json.loads((FOLDER / "families.json").read_text())
PROBLEMS = [p for p in STORED["problems"] if p["family"] == "cox"]
EFRON = json.loads((FOLDER / "efron.json").read_text())


def data(problem):
    design = STORED["designs"][problem["design"]]
    X = np.array(design["x"], dtype=float) / design["divisor"]
    y = np.array(STORED["responses"][problem["response"]]["y"], dtype=float)
    return X, np.column_stack([y, problem["strata"]]) if "strata" in problem else y


def factors(problem, p):
    """glmnet's, after it has brought their sum to p; infinite ones, which keep a column out, count 1 there."""
    given = np.array(problem.get("penalty_factor", np.ones(p)), dtype=float)
    return given * p / np.where(np.isinf(given), 1.0, given).sum()


@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")  # gaps of 1e-13 are below rounding
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: f"{p['number']}")
def test_coefficients_are_those_of_glmnet(problem):
    X, y = data(problem)
    bounds = {name: np.array(problem[name], dtype=float) for name in ("lower", "upper") if name in problem}
    fitted = path(
        sparse.csc_array(X) if problem.get("sparse") else X,
        y,
        loss="cox",
        l1_ratio=problem["alpha"],
        alphas=problem["lambda"],
        standardize=problem["standardize"],
        sample_weight=problem.get("weights"),
        offset=problem.get("offset"),
        penalty_factor=factors(problem, X.shape[1]),
        tol=1e-13,
        **bounds,
    )
    for place, expected in zip(problem["places"], problem["coef"], strict=True):
        expected = np.array(expected[1:])
        found = fitted.coefs[:, [place]].toarray()[:, 0]
        assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("problem", EFRON["problems"], ids=lambda p: f"{p['number']}")
def test_coefficients_with_efrons_ties_are_those_of_coxph(problem):
    X, y = data(problem)
    weights = np.array(problem.get("weights", np.ones(len(y))))
    options = {"sample_weight": weights, "offset": problem.get("offset"), "tol": 1e-13}
    fitted = path(X, y, loss=Cox("efron"), l1_ratio=0.0, alphas=[problem["theta"] / weights.sum()], **options)
    expected = np.array(problem["coef"])
    assert np.abs(fitted.coefs.toarray()[:, 0] - expected).max() <= 1e-6 * np.abs(expected).max()
