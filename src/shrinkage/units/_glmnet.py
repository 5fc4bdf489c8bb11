"""glmnet (R): its `alpha` is our l1_ratio, its gaussian L2 part is divided by sd(y), its factors are rescaled."""

import numpy as np

from shrinkage.units._call import REQUIRED, Arguments, Call, listed, mixed, number, truth, vector
from shrinkage.units._code import Verbatim, r_call
from shrinkage.units._records import DataFacts, Strength

STORED = "stored numbers of R glmnet 4.1-6"
OPTIONS = {"standardize": True, "penalty.factor": None}


def _sum_to_p(factors: tuple[float, ...]) -> tuple[tuple[float, ...], float]:
    """The factors that glmnet uses, and what it multiplied them by; a column left out (Inf) counts as 1."""
    values = np.array(factors)
    scale = len(values) / float(np.where(np.isinf(values), 1.0, values).sum())
    return tuple((values * scale).tolist()), scale


def _read(family: str, loss: str, divides: bool):
    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        strength, ratio = number(arguments, "lambda"), number(arguments, "alpha")
        factors = vector(arguments, "penalty.factor", infinite=True)
        intercept = truth(arguments, "intercept") if "intercept" in arguments else False
        rest = {
            "factors": None if factors is None else _sum_to_p(factors)[0],
            "loss": loss,
            "fit_intercept": intercept,
            "standardize": truth(arguments, "standardize"),
        }
        if not divides or ratio == 1:
            return Strength(strength, ratio, **rest)
        l2 = strength * (1.0 - ratio) / facts.spread(f"glmnet.{family}", intercept)
        return mixed(strength * ratio, l2, ratio, **rest)

    return read


def _write(family: str, divides: bool, has_intercept: bool):
    def write(strength: Strength, facts: DataFacts) -> Arguments:
        alpha, ratio, factors = strength.alpha, strength.l1_ratio, strength.factors
        if divides and strength.l2 > 0:
            theirs = mixed(strength.l1, strength.l2 * facts.spread(f"glmnet.{family}", strength.fit_intercept), ratio)
            alpha, ratio = theirs.alpha, theirs.l1_ratio
        if factors is not None:
            alpha /= _sum_to_p(factors)[1]
        intercept = {"intercept": strength.fit_intercept} if has_intercept else {}
        rest = {"standardize": strength.standardize, **intercept}
        return {"lambda": alpha, "alpha": ratio, **rest, "penalty.factor": listed(strength)}

    return write


def _code(family: str):
    def code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
        quoted = Verbatim("gaussian()") if family == "gaussian_object" else family
        shown = {"family": quoted, "lambda": arguments["lambda"], "alpha": arguments["alpha"]}
        shown["standardize"] = arguments["standardize"]
        if arguments.get("intercept") is False:
            shown["intercept"] = False
        if arguments["penalty.factor"] is not None:
            shown["penalty.factor"] = arguments["penalty.factor"]
        if facts.has_weights:
            shown["weights"] = Verbatim("sample_weight")
        if facts.has_offset:
            shown["offset"] = Verbatim("offset")
        y = {"cox": "survival::Surv(time, event)", "mgaussian": "Y"}.get(family, "y")
        fit = r_call("glmnet", ["X", y], {**shown, "thresh": 1e-14})
        return "\n".join(["library(glmnet)", "", f"fit <- {fit}", "coef(fit)"])

    return code


def _notes(family: str, divides: bool):
    def notes(strength: Strength, facts: DataFacts) -> list[str]:
        said = [
            "What glmnet calls lambda is alpha here; its alpha is l1_ratio here. It standardizes unless told not to."
        ]
        if divides and strength.l2 > 0:
            divisor = "sd(y), with divisor n" if strength.fit_intercept else "√mean(y²), as there is no intercept"
            said.append(
                f"family='gaussian' divides the L2 part by {divisor}: in cv.glmnet its strength differs from fold "
                "to fold. family=gaussian(), the function, does not divide."
            )
        if strength.factors is not None:
            said.append("glmnet rescales penalty factors to sum to the number of columns; lambda makes up for it.")
        if family == "mgaussian":
            said.append("Its L1 part is Σⱼ‖Wⱼ‖₂, a row of coefficients in or out; standardize.response must be FALSE.")
        if family == "cox":
            said.append("The loss is the partial likelihood (Breslow's ties) divided by n_samples.")
        return said

    return notes


def _call(name: str, loss: str, divides: bool = False, has_intercept: bool = True) -> Call:
    intercept = {"intercept": True} if has_intercept else {}
    defaults = {"lambda": REQUIRED, "alpha": 1.0, **OPTIONS, **intercept}
    return Call(
        f"glmnet.{name}", defaults, (loss,), _read(name, loss, divides), _write(name, divides, has_intercept),
        _code(name), STORED, offset=True, factors=True, intercept=has_intercept, standardize=True,
        notes=_notes(name, divides),
    )  # fmt: skip


CALLS = (
    _call("gaussian", "squared", divides=True),
    _call("gaussian_object", "squared"),
    _call("binomial", "logistic"),
    _call("poisson", "poisson"),
    _call("mgaussian", "multi_squared"),
    _call("cox", "cox", has_intercept=False),
)
