"""Relaxed fits and their choice of gamma and lambda are those of R's cv.glmnet(relax=TRUE), stored with scripts."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from shrinkage import path
from shrinkage.selection import RefitStatus, relaxed

FOLDER = Path(__file__).parent / "glmnet"
STORED = json.loads((FOLDER / "relaxed.json").read_text())
PROBLEMS = {p["number"]: p for p in json.loads((FOLDER / "cv_problems.json").read_text())["problems"]}
EXPECTED = [pytest.param(p, id=f"{p['number']}-{PROBLEMS[p['number']]['data']}") for p in STORED["problems"]]


@cache
def made_up():
    return json.loads((FOLDER / "cv_data.json").read_text())


def data(name):
    if name in made_up():
        return np.array(made_up()[name]["x"], float) / made_up()[name]["divisor"], np.array(made_up()[name]["y"], float)
    table = np.loadtxt(FOLDER / f"cv_{name}.csv", delimiter=",")
    return table[:, 1:], table[:, 0]


@cache
def fitted(number, count):
    problem = PROBLEMS[number]
    factors = problem.get("penalty_factor")
    walked = path(
        *data(problem["data"]),
        loss={"gaussian": "squared", "binomial": "logistic"}[problem["family"]],
        l1_ratio=problem["alpha"],
        alphas=problem["lambda"][:count],
        fit_intercept=problem["intercept"],
        standardize=problem["standardize"],
        sample_weight=problem.get("weights"),
        offset=problem.get("offset"),
        penalty_factor=None if factors is None else np.array(factors) * len(factors) / np.sum(factors),
        tol=1e-10,
    )
    of_row = np.array(problem["foldid"])
    folds = [(np.flatnonzero(of_row != k), np.flatnonzero(of_row == k)) for k in range(1, of_row.max() + 1)]
    return relaxed(walked, STORED["gammas"], cv=folds, tol=1e-10)


@pytest.mark.parametrize("expected", EXPECTED)
def test_refits_are_those_of_glmnet(expected):
    found = fitted(expected["number"], expected["count"])
    for place, theirs in zip(expected["places"], expected["refits"], strict=True):
        ours, theirs = np.append(found.refit_intercepts[place], found.refits[:, [place]].toarray()), np.array(theirs)
        if found.status[place] is RefitStatus.DEPENDENT:  # every level of a factor: only predictions are determined
            X = data(PROBLEMS[expected["number"]]["data"])[0]
            ours, theirs = X @ ours[1:] + ours[0], X @ theirs[1:] + theirs[0]
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("expected", EXPECTED)
def test_means_errors_and_choices_over_gamma_and_strength_are_those_of_cv_glmnet(expected):
    found = fitted(expected["number"], expected["count"])
    for ours, mean, error in zip(found.validations, expected["cvm"], expected["cvsd"], strict=True):
        np.testing.assert_allclose(ours.mean, mean, rtol=1e-6)
        np.testing.assert_allclose(ours.se, error, rtol=1e-5)
    best, simplest = expected["index"]
    assert found.index_min == (best[1] - 1, best[0] - 1)
    assert found.index_1se == (simplest[1] - 1, simplest[0] - 1)


def test_both_families_weights_offsets_factors_and_intercepts_are_among_the_problems():
    problems = [PROBLEMS[p["number"]] for p in STORED["problems"]]
    assert len(problems) >= 20
    for family in ("gaussian", "binomial"):
        some = [p for p in problems if p["family"] == family]
        assert all(any(name in p for p in some) for name in ("weights", "offset", "penalty_factor"))
        assert {p["standardize"] for p in some} == {p["intercept"] for p in some} == {True, False}
