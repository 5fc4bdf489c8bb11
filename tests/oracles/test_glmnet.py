"""Cross-validation chooses as R's cv.glmnet, on problems stored with the script that made them."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from shrinkage import cross_validate, path

FOLDER = Path(__file__).parent / "glmnet"
STORED = json.loads((FOLDER / "cv_problems.json").read_text())
PROBLEMS = STORED["problems"]
TOL = 1e-10


def described(problem):
    parts = [f"{problem['number']}-{problem['data']}-{problem['alpha']:g}"]
    parts += ["standardized"] * problem["standardize"] + ["no_intercept"] * (not problem["intercept"])
    return "-".join(parts + [name for name in ("weights", "offset", "penalty_factor") if name in problem])


def other_rule(problem):
    """Whether glmnet follows a rule of its own, which a test below spells out."""
    return rows_per_fold(problem) == 2


def rows_per_fold(problem):
    return len(problem["foldid"]) / max(problem["foldid"])


ALIKE = [pytest.param(problem, id=described(problem)) for problem in PROBLEMS if not other_rule(problem)]
CLIPPED = [pytest.param(problem, id=described(problem)) for problem in PROBLEMS if "clipped_from" in problem]


@cache
def made_up():
    return json.loads((FOLDER / "cv_data.json").read_text())


@cache
def data(name):
    if name in made_up():
        stored = made_up()[name]
        return np.array(stored["x"], float) / stored["divisor"], np.array(stored["y"], float)
    table = np.loadtxt(FOLDER / f"cv_{name}.csv", delimiter=",")
    return table[:, 1:], table[:, 0]


def folds(problem):
    of_row = np.array(problem["foldid"])
    return [(np.flatnonzero(of_row != k), np.flatnonzero(of_row == k)) for k in range(1, of_row.max() + 1)]


def options(problem):
    """The arguments of `path`; glmnet rescales its penalty factors to sum to the number of columns."""
    factors = problem.get("penalty_factor")
    return {
        "loss": {"gaussian": "squared", "binomial": "logistic"}[problem["family"]],
        "l1_ratio": problem["alpha"],
        "alphas": problem["lambda"],
        "fit_intercept": problem["intercept"],
        "standardize": problem["standardize"],
        "sample_weight": problem.get("weights"),
        "offset": problem.get("offset"),
        "penalty_factor": None if factors is None else np.array(factors) * len(factors) / np.sum(factors),
        "tol": TOL,
    }


def cross_validated(problem):
    return _cross_validated(problem["number"])


@cache
def _cross_validated(number):
    problem = PROBLEMS[number - 1]
    return cross_validate(*data(problem["data"]), cv=folds(problem), **options(problem))


def squared_errors(problem):
    """Held-out squared errors (n_samples, n_alphas), each fold fitted alone."""
    X, y = data(problem["data"])
    assert problem["family"] == "gaussian"
    assert not {"weights", "offset"} & set(problem)
    errors = np.empty((len(y), len(problem["lambda"])))
    for train, test in folds(problem):
        fitted = path(X[train], y[train], **options(problem))
        errors[test] = (y[test, None] - X[test] @ fitted.coefs.toarray() - fitted.intercepts) ** 2
    return errors


def chosen(means, errors):
    """Numbers from 1, as R counts, of the lowest mean and of the first within its error."""
    best = int(np.argmin(means))
    return best + 1, int(np.argmax(means <= means[best] + errors[best])) + 1


@pytest.mark.parametrize("problem", ALIKE)
def test_both_choices_means_and_standard_errors_are_those_of_cv_glmnet(problem):
    cv = cross_validated(problem)
    assert (cv.index_min + 1, cv.index_1se + 1) == (problem["min"], problem["one_se"])
    np.testing.assert_allclose(cv.mean, problem.get("cvm_exact", problem["cvm"]), rtol=1e-7)
    np.testing.assert_allclose(cv.se, problem.get("cvsd_exact", problem["cvsd"]), rtol=1e-7)


@pytest.mark.parametrize("problem", CLIPPED)
def test_glmnet_scores_differ_only_where_it_clips_probabilities(problem):
    # Its probabilities stay between 1e-5 and 1 - 1e-5: a row that is wrong beyond them costs less than its deviance, a
    # right one 2e-5 at most more.
    cv, first = cross_validated(problem), problem["clipped_from"] - 1
    theirs = np.array(problem["cvm"])
    np.testing.assert_allclose(cv.mean[:first], theirs[:first], rtol=1e-7)
    np.testing.assert_allclose(cv.se[:first], problem["cvsd"][:first], rtol=1e-7)
    assert (theirs <= cv.mean - 2 * np.log1p(-1e-5) + 1e-9).all()


def test_with_two_rows_a_fold_glmnet_takes_the_standard_error_over_rows_and_we_over_folds():
    [problem] = [each for each in PROBLEMS if rows_per_fold(each) == 2]
    errors = squared_errors(problem)
    over_rows = errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    np.testing.assert_allclose(over_rows, problem["cvsd"], rtol=1e-7)
    assert chosen(errors.mean(axis=0), over_rows) == (problem["min"], problem["one_se"])
    cv = cross_validated(problem)
    assert cv.index_min + 1 == problem["min"]
    np.testing.assert_allclose(cv.mean, problem["cvm"], rtol=1e-7)
    np.testing.assert_allclose(cv.se, cv.scores.std(axis=1, ddof=1) / np.sqrt(cv.scores.shape[1]), rtol=1e-9)


def test_the_stored_problems_are_many_and_of_every_kind():
    assert len(ALIKE) >= 50
    assert any(each.values[0]["standardize"] and not each.values[0]["intercept"] for each in ALIKE)
    kinds = {(each.values[0]["family"], each.values[0]["alpha"]) for each in ALIKE}
    assert kinds == {("gaussian", 1), ("binomial", 0.2), ("binomial", 0.5), ("binomial", 1)}
    for name in ("weights", "offset", "penalty_factor"):
        assert {each["family"] for each in PROBLEMS if name in each} == {"gaussian", "binomial"}
    assert set(STORED["versions"]) == {"R", "glmnet"}
