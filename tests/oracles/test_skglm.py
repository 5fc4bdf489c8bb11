"""Objectives of MCP, SCAD and SLOPE beside those that skglm reached: stored with the script that made them."""

import json
from pathlib import Path

import numpy as np
import pytest

from shrinkage import path
from shrinkage.penalties import MCP, SCAD, SortedL1, bh_weights

STORED = json.loads((Path(__file__).with_name("skglm") / "objectives.json").read_text(encoding="utf-8"))
CASES = [
    pytest.param(problem, stored, id=f"{len(problem['X'])}-{stored['penalty']}-{stored['parameter']}")
    for problem in STORED["problems"]
    for stored in problem["paths"]
]


def penalty_of(kind, parameter, p):
    if kind == "slope":
        return SortedL1(1.0, np.linspace(1.0, 0.2, p) if parameter == "linear" else bh_weights(p, 0.2))
    return {"mcp": MCP, "scad": SCAD}[kind](1.0, parameter)


@pytest.mark.parametrize(("problem", "stored"), CASES)
def test_objectives_are_no_higher_than_skglms(problem, stored):
    X, y = (np.array(problem[name]) / STORED["divisor"] for name in ("X", "y"))
    penalty = penalty_of(stored["penalty"], stored["parameter"], X.shape[1])
    found = path(X, y, penalty=penalty, alphas=stored["alphas"], fit_intercept=False)
    excess = []
    for t, (alpha, theirs) in enumerate(zip(stored["alphas"], stored["objectives"], strict=True)):
        stated = found.problem.with_penalty(penalty.with_alpha(alpha))
        excess.append(stated.objective(found.coefs[:, [t]].toarray()[:, 0], 0.0) - theirs)
    assert np.max(excess) <= 1e-9 * found.null_objective
