"""Spark and H2O: written from their documentation and sources; nothing here was run, for both need Java."""

import math

from shrinkage._check import check_choice
from shrinkage.units._call import Arguments, Call, mixed, number, truth
from shrinkage.units._code import Verbatim, call
from shrinkage.units._records import DataFacts, NotExpressible, Strength

NOT_RUN = "documented, not run"
SPARK = (
    "Spark divides the L2 part of linear regression by the standard deviation of y, as glmnet does, and uses divisors "
    "n - 1: so says its LinearRegression.scala; its documentation has the plain formula."
)
FAMILIES = {"gaussian": "squared", "binomial": "logistic", "poisson": "poisson"}
FAMILY_OF = {loss: family for family, loss in FAMILIES.items()}


def _divisors(name: str, strength: Strength, facts: DataFacts) -> tuple[float, float]:
    """What Spark's unit puts on our L1 and on our L2 part."""
    first = second = 1.0
    if strength.standardize:
        n = facts.rows(name, "standardizes with divisor n - 1")
        if n < 2:
            raise NotExpressible(f"not expressible: {name} standardizes with divisor n - 1, which is 0")
        first, second = math.sqrt(n / (n - 1)), n / (n - 1)
    if strength.loss == "squared" and strength.l1_ratio < 1:
        if facts.has_weights:
            raise NotExpressible(f"not expressible: how {name} weighs the sd of y in its L2 part was not seen")
        n = facts.rows(name, "divides its L2 part by the sd of y with divisor n - 1")
        second /= facts.spread(name, True) * math.sqrt(n / max(n - 1, 1))
    return first, second


def _spark(name: str, loss: str) -> Call:
    full = f"spark.{name}"

    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        rest = {
            "loss": loss,
            "fit_intercept": truth(arguments, "fitIntercept"),
            "standardize": truth(arguments, "standardization"),
        }
        stated = Strength(number(arguments, "regParam"), number(arguments, "elasticNetParam"), **rest)
        first, second = _divisors(full, stated, facts)
        return mixed(stated.l1 * first, stated.l2 * second, stated.l1_ratio, **rest)

    def write(strength: Strength, facts: DataFacts) -> Arguments:
        first, second = _divisors(full, strength, facts)
        theirs = mixed(strength.l1 / first, strength.l2 / second, strength.l1_ratio)
        rest = {"standardization": strength.standardize, "fitIntercept": strength.fit_intercept}
        return {"regParam": theirs.alpha, "elasticNetParam": theirs.l1_ratio, **rest}

    def code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
        column = {"weightCol": "sample_weight"} if facts.has_weights else {}
        module = "regression" if loss == "squared" else "classification"
        made = call(name, [], {**arguments, **column, "tol": 1e-12})
        return f"from pyspark.ml.{module} import {name}\n\nmodel = {made}.fit(frame)"

    defaults = {"regParam": 0.0, "elasticNetParam": 0.0, "standardization": True, "fitIntercept": True}
    return Call(
        full, defaults, (loss,), read, write, code, NOT_RUN, standardize=True,
        notes=lambda strength, facts: [SPARK] if loss == "squared" else ["Spark standardizes with divisor n - 1."],
    )  # fmt: skip


def _read_h2o(arguments: Arguments, facts: DataFacts) -> Strength:
    check_choice("family", arguments["family"], tuple(FAMILIES))
    return Strength(
        number(arguments, "lambda_"),
        number(arguments, "alpha"),
        None,
        FAMILIES[arguments["family"]],
        truth(arguments, "intercept"),
        truth(arguments, "standardize"),
    )


def _write_h2o(strength: Strength, facts: DataFacts) -> Arguments:
    return {
        "lambda_": strength.alpha,
        "alpha": strength.l1_ratio,
        "family": FAMILY_OF[strength.loss or "squared"],
        "standardize": strength.standardize,
        "intercept": strength.fit_intercept,
    }


def _h2o_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    name = "H2OGeneralizedLinearEstimator"
    columns = {"weights_column": "sample_weight"} if facts.has_weights else {}
    columns |= {"offset_column": "offset"} if facts.has_offset else {}
    lines = [f"from h2o.estimators import {name}", "", f"model = {call(name, [], {**arguments, **columns})}"]
    return "\n".join([*lines, call("model.train", [], {"x": Verbatim("columns"), "y": "y", "training_frame": Verbatim(
        "frame")})])  # fmt: skip


CALLS = (
    _spark("LinearRegression", "squared"),
    _spark("LogisticRegression", "logistic"),
    Call(
        "h2o.H2OGeneralizedLinearEstimator",
        {"lambda_": 0.0, "alpha": 0.5, "family": "gaussian", "standardize": True, "intercept": True},
        tuple(FAMILY_OF), _read_h2o, _write_h2o, _h2o_code, NOT_RUN, offset=True, standardize=True,
        notes=lambda strength, facts: ["The documented objective is ours; it standardizes unless told not to."],
    ),
)  # fmt: skip
