"""Group lasso objectives beside those of the coefficients that skglm found: stored with the script that made them."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from shrinkage import path
from shrinkage.penalties import GroupL2

STORED = json.loads((Path(__file__).with_name("skglm") / "groups.json").read_text(encoding="utf-8"))
CASES = [
    pytest.param(problem, stored, id=f"{problem['design']}-{problem['correlation']}-{stored['loss']}-{k}")
    for problem in STORED["problems"]
    for k, stored in enumerate(problem["paths"])
]


@pytest.mark.parametrize(("problem", "stored"), CASES)
def test_objectives_are_those_of_skglm_or_lower(problem, stored):
    X = np.array(problem["X"]) / STORED["divisor"]
    y = np.array(problem["y"]) / STORED["divisor"] if stored["loss"] == "squared" else np.array(problem["labels"])
    X = sparse.csc_array(X) if problem["design"] == "sparse" else X
    groups = [list(range(a, b)) for a, b in zip([0, *problem["ends"]], problem["ends"], strict=False)]
    penalty = GroupL2(1.0, groups, weights=problem["weights"])
    options = {name: stored[name] for name in ("alphas", "fit_intercept", "positive")}
    found = path(X, y, loss=stored["loss"], penalty=penalty, tol=1e-10, **options)
    excess = []
    for t, (alpha, theirs) in enumerate(zip(stored["alphas"], stored["coefs"], strict=True)):
        stated = found.problem.with_penalty(found.problem.penalty.with_alpha(alpha))
        ours = stated.objective(found.coefs[:, [t]].toarray()[:, 0], found.intercepts[t])
        excess.append(ours - stated.objective(np.array(theirs[:-1]), theirs[-1]))
    assert np.max(excess) <= 1e-9 * found.null_objective
    assert np.min(excess) >= -1e-6 * found.null_objective  # they minimize the same function
