"""glum and celer: our unit, other words."""

from typing import Any

import numpy as np

from shrinkage._check import check_choice
from shrinkage._errors import ArgumentError
from shrinkage.units._call import Arguments, Call, listed, number, truth, vector
from shrinkage.units._code import estimator
from shrinkage.units._records import DataFacts, NotExpressible, Strength

GLUM, CELER = "run against glum 3.4.1", "run against celer 0.7.4"
FAMILIES = {"normal": "squared", "binomial": "logistic", "poisson": "poisson"}
FAMILY_OF = {loss: family for family, loss in FAMILIES.items()}


def _matrix(arguments: Arguments, name: str) -> tuple[float, ...] | None:
    plain = isinstance(arguments[name], str) and arguments[name] == "identity"
    return None if plain else vector(arguments, name)


def _read_glum(arguments: Arguments, facts: DataFacts) -> Strength:
    check_choice("family", arguments["family"], tuple(FAMILIES))
    ratio = number(arguments, "l1_ratio")
    first, second = _matrix(arguments, "P1"), _matrix(arguments, "P2")
    if 0 < ratio < 1 and first != second:
        raise NotExpressible("not expressible: P1 and P2 differ, so that each column has an l1_ratio of its own")
    return Strength(
        number(arguments, "alpha"),
        ratio,
        second if ratio == 0 else first,
        FAMILIES[arguments["family"]],
        truth(arguments, "fit_intercept"),
        truth(arguments, "scale_predictors"),
    )


def _write_glum(strength: Strength, facts: DataFacts) -> Arguments:
    factors: Any = "identity" if strength.factors is None else listed(strength)
    return {
        "alpha": strength.alpha,
        "l1_ratio": strength.l1_ratio,
        "P1": factors,
        "P2": factors,
        "family": FAMILY_OF[strength.loss or "squared"],
        "fit_intercept": strength.fit_intercept,
        "scale_predictors": strength.standardize,
    }


def _glum_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    usual = {"P1": "identity", "P2": "identity", "fit_intercept": True, "scale_predictors": False}
    shown = {k: v for k, v in arguments.items() if isinstance(v, np.ndarray) or v != usual.get(k)}
    plain = Strength(strength.alpha, strength.l1_ratio)
    imported = "from glum import GeneralizedLinearRegressor"
    tight = {**shown, "gradient_tol": 1e-10, "max_iter": 1000}
    return estimator(imported, "GeneralizedLinearRegressor", tight, plain, facts, own_offset=True)


def _celer(name: str, ratio: float | None, defaults: dict[str, Any]) -> Call:
    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        rho = number(arguments, "l1_ratio") if ratio is None else ratio
        factors = _positive(arguments)
        return Strength(number(arguments, "alpha"), rho, factors, "squared", truth(arguments, "fit_intercept"))

    def write(strength: Strength, facts: DataFacts) -> Arguments:
        if strength.factors is not None and min(strength.factors) == 0:
            raise NotExpressible(f"not expressible: celer.{name} takes penalty factors > 0 only")
        mixing = {"l1_ratio": strength.l1_ratio} if ratio is None else {}
        rest = {"weights": listed(strength), "fit_intercept": strength.fit_intercept}
        return {"alpha": strength.alpha, **mixing, **rest}

    def code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
        shown = {k: v for k, v in arguments.items() if v is not None and v is not True}
        return estimator(f"from celer import {name}", name, {**shown, "tol": 1e-14}, strength, facts)

    defaults = {**defaults, "weights": None, "fit_intercept": True}
    return Call(
        f"celer.{name}", defaults, ("squared",), read, write, code, CELER,
        l2=False, mixed=ratio is None, weights=False, factors=True,
        notes=lambda strength, facts: ["What celer calls weights are penalty factors of columns, not row weights."],
    )  # fmt: skip


def _positive(arguments: Arguments) -> tuple[float, ...] | None:
    factors = vector(arguments, "weights")
    if factors is not None and min(factors) == 0:
        raise ArgumentError("weights must be > 0 for celer; got 0")
    return factors


def _read_celer_logistic(arguments: Arguments, facts: DataFacts) -> Strength:
    inverse = number(arguments, "C")
    if inverse == 0:
        raise ArgumentError("C must be > 0; got 0")
    total = facts.rows("celer.LogisticRegression's C", "is the inverse strength of a sum over rows")
    return Strength(1.0 / (inverse * total), 1.0, None, "logistic", False)


def _write_celer_logistic(strength: Strength, facts: DataFacts) -> Arguments:
    if strength.alpha == 0:
        raise NotExpressible("not expressible: celer.LogisticRegression has no strength of 0")
    total = facts.rows("celer.LogisticRegression's C", "is the inverse strength of a sum over rows")
    return {"C": 1.0 / (strength.alpha * total)}


def _celer_logistic_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    name = "LogisticRegression"
    return estimator(f"from celer import {name}", name, {**arguments, "tol": 1e-12, "max_iter": 1000}, strength, facts)


CALLS = (
    Call(
        "glum.GeneralizedLinearRegressor",
        {"alpha": 1.0, "l1_ratio": 0.0, "P1": "identity", "P2": "identity", "family": "normal", "fit_intercept": True,
         "scale_predictors": False},
        tuple(FAMILY_OF), _read_glum, _write_glum, _glum_code, GLUM, offset=True, factors=True, standardize=True,
    ),
    _celer("Lasso", 1.0, {"alpha": 1.0}),
    _celer("ElasticNet", None, {"alpha": 1.0, "l1_ratio": 1.0}),
    Call(
        "celer.LogisticRegression", {"C": 1.0}, ("logistic",), _read_celer_logistic, _write_celer_logistic,
        _celer_logistic_code, CELER, l2=False, mixed=False, weights=False, intercept=False,
        notes=lambda strength, facts: ["celer fits it without an intercept only."],
    ),
)  # fmt: skip
