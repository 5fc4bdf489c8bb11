"""Our own calls: the unit that the others are converted through."""

from typing import Any

from shrinkage.units._call import ANY, REQUIRED, Arguments, Call, listed, number, truth, vector
from shrinkage.units._code import call, estimator, has_array
from shrinkage.units._records import DataFacts, Strength
from shrinkage.units._terms import loss_of_term, term_notes, term_scale

OURS = "this library's own unit"
COMMON = {"fit_intercept": True, "standardize": False, "penalty_factor": None}


def _estimator(name: str, loss: str, ratio: float | None, defaults: dict[str, Any]) -> Call:
    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        return Strength(
            number(arguments, "alpha"),
            number(arguments, "l1_ratio") if ratio is None else ratio,
            vector(arguments, "penalty_factor"),
            loss,
            truth(arguments, "fit_intercept"),
            truth(arguments, "standardize"),
        )

    def write(strength: Strength, facts: DataFacts) -> Arguments:
        mixing = {"l1_ratio": strength.l1_ratio} if ratio is None else {}
        rest = {"fit_intercept": strength.fit_intercept, "standardize": strength.standardize}
        return {"alpha": strength.alpha, **mixing, **rest, "penalty_factor": listed(strength)}

    def code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
        shown = {name: value for name, value in arguments.items() if value is not COMMON.get(name, REQUIRED)}
        plain = Strength(strength.alpha, strength.l1_ratio)  # standardizing is an option here, no line of its own
        return estimator(f"from shrinkage import {name}", name, shown, plain, facts, own_offset=True)

    return Call(
        f"shrinkage.{name}", {**defaults, **COMMON}, (loss,), read, write, code, OURS,
        l1=ratio != 0.0, l2=ratio != 1.0, mixed=ratio is None, offset=True, factors=True, standardize=True,
    )  # fmt: skip


def _read_penalty(arguments: Arguments, facts: DataFacts) -> Strength:
    loss, scale = loss_of_term(facts)
    alpha, factors = number(arguments, "alpha"), vector(arguments, "factors")
    return Strength(alpha / scale, number(arguments, "l1_ratio"), factors, loss)


def _write_penalty(strength: Strength, facts: DataFacts) -> Arguments:
    alpha = strength.alpha * term_scale(strength, facts)
    return {"alpha": alpha, "l1_ratio": strength.l1_ratio, "factors": listed(strength)}


def _penalty_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    shown = {name: value for name, value in arguments.items() if value is not None}
    lines = ["import numpy as np"] if has_array(shown) else []
    return "\n".join([*lines, "from shrinkage import L1L2", "", f"penalty = {call('L1L2', [], shown)}"])


CALLS = (
    _estimator("Ridge", "squared", 0.0, {"alpha": 1.0}),
    _estimator("Lasso", "squared", 1.0, {"alpha": 1.0}),
    _estimator("ElasticNet", "squared", None, {"alpha": 1.0, "l1_ratio": 0.5}),
    _estimator("LogisticRegression", "logistic", None, {"alpha": 0.01, "l1_ratio": 0.0}),
    Call(
        "shrinkage.L1L2", {"alpha": REQUIRED, "l1_ratio": 0.5, "factors": None}, ANY, _read_penalty, _write_penalty,
        _penalty_code, OURS, factors=True,
        notes=lambda strength, facts: [
            *term_notes(strength, facts),
            "For a plan of `shrinkage.torch` or `shrinkage.keras`, whose proximal optimizers make exact zeros.",
        ],
    ),
)  # fmt: skip
