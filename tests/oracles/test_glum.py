"""Losses with a log link find glum's coefficients, stored with the script that made them."""

import json
from pathlib import Path

import numpy as np
import pytest

from shrinkage import estimators

STORED = json.loads((Path(__file__).parent / "glum" / "problems.json").read_text())
DATA = STORED["data"]
KINDS = {
    "poisson": ("PoissonRegressor", "counts", None),
    "gamma": ("GammaRegressor", "amounts", None),
    "tweedie": ("TweedieRegressor", "totals", "power"),
    "negative binomial": ("NegativeBinomialRegressor", "counts", "theta"),
}


def described(problem):
    return "-".join([problem["family"], f"{problem['l1_ratio']:g}", *problem["extras"]]).replace(" ", "_")


def stated(problem):
    """The estimator, and its y."""
    extras, words = problem["extras"], problem["family"].rsplit(" ", 1)
    family = problem["family"] if problem["family"] in KINDS else words[0]
    name, response, parameter = KINDS[family]
    options = {} if parameter is None else {parameter: float(words[1])}
    options |= {"penalty_factor": DATA["factors"]} if "factors" in extras else {}
    options |= {"lower": 0.0} if "lower" in extras else {}
    options |= {"fit_intercept": "no intercept" not in extras, "standardize": "standardize" in extras}
    model = getattr(estimators, name)(problem["alpha"], l1_ratio=problem["l1_ratio"], tol=1e-13, **options)
    return model, np.array(DATA[response], dtype=float)


@pytest.mark.parametrize("problem", STORED["problems"], ids=described)
def test_coefficients_are_those_of_glum(problem):
    model, y = stated(problem)
    roles = {"weights": "sample_weight", "offset": "offset"}
    given = {role: np.array(DATA[name]) for name, role in roles.items() if name in problem["extras"]}
    model.fit(np.array(DATA["eighths"]) / 8, y, **given)
    theirs = np.array(problem["found"])
    np.testing.assert_allclose([model.intercept_, *model.coef_], theirs, atol=1e-6 * np.abs(theirs).max())
