"""statsmodels: a mean in `OLS`, `GLM` and `PHReg`, a sum in `Logit`, and a constant that must be spared by hand."""

from typing import Any

import numpy as np

from shrinkage._check import check_choice
from shrinkage.units._call import REQUIRED, Arguments, Call, number, truth, vector
from shrinkage.units._code import Verbatim, call, literal, response, scaled_columns
from shrinkage.units._records import DataFacts, NotExpressible, Strength

RAN = "run against statsmodels 0.15.0"
FAMILIES = {"Gaussian": "squared", "Binomial": "logistic", "Poisson": "poisson"}
FAMILY_OF = {loss: family for family, loss in FAMILIES.items()}
SUM = "multiplies its penalty once, the log-likelihood is a sum over rows"
PROFILED = (
    "not expressible: at L1_wt=0 statsmodels' GLM of the Gaussian family divides the residuals by an estimated scale "
    "that moves with the coefficients, so that its strength has no fixed unit. Take statsmodels.OLS, or WLS"
)
ACTIVE = {"maxiter": 10_000, "cnvrg_tol": 1e-12, "zero_tol": 0.0}
RETURN = (
    "By default a coefficient that was 0 once never returns, and the fit may miss the minimum; zero_tol=0.0 mends it."
)
SPARED = "A scalar alpha would penalize the constant too: the code gives it a 0 of its own."


def _alpha(arguments: Arguments) -> tuple[float, tuple[float, ...] | None]:
    """Strength and factors that alpha says: a vector has one number for each column of X, without the constant."""
    if np.ndim(arguments["alpha"]) == 0:
        return number(arguments, "alpha"), None
    values = np.array(vector(arguments, "alpha"))
    mean = float(values.mean())
    return mean, tuple((values / mean).tolist())


def _alphas(strength: Strength, scale: float = 1.0) -> Any:
    alpha = strength.alpha * scale
    return alpha if strength.factors is None else alpha * np.array(strength.factors)


def _read(loss: str | None, has_intercept: bool = True):
    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        alpha, factors = _alpha(arguments)
        intercept = truth(arguments, "constant") if has_intercept else False
        if loss is None:
            check_choice("family", arguments["family"], tuple(FAMILIES))
        if loss is None and arguments["family"] == "Gaussian" and number(arguments, "L1_wt") == 0:
            raise NotExpressible(PROFILED)
        named = loss or FAMILIES[arguments["family"]]
        return Strength(alpha, number(arguments, "L1_wt"), factors, named, intercept)

    return read


def _write(loss: str | None, has_intercept: bool = True):
    def write(strength: Strength, facts: DataFacts) -> Arguments:
        if loss is None and strength.loss == "squared" and strength.l1_ratio == 0:
            raise NotExpressible(PROFILED)
        family = {"family": FAMILY_OF[strength.loss or "squared"]} if loss is None else {}
        constant = {"constant": strength.fit_intercept} if has_intercept else {}
        return {"alpha": _alphas(strength), "L1_wt": strength.l1_ratio, **family, **constant}

    return write


def _read_logit(arguments: Arguments, facts: DataFacts) -> Strength:
    alpha, factors = _alpha(arguments)
    alpha /= facts.rows("statsmodels.Logit", SUM)
    return Strength(alpha, 1.0, factors, "logistic", truth(arguments, "constant"))


def _write_logit(strength: Strength, facts: DataFacts) -> Arguments:
    scale = facts.rows("statsmodels.Logit", SUM)
    return {"alpha": _alphas(strength, scale), "constant": strength.fit_intercept}


def _design(strength: Strength, facts: DataFacts) -> list[str]:
    """Lines that name the columns `exog`, with the constant first."""
    columns = "np.column_stack([np.ones(len(X)), X])" if strength.fit_intercept else "np.asarray(X)"
    return [*scaled_columns(strength, facts), f"exog = {columns}"]


def _penalty(arguments: Arguments, strength: Strength) -> Verbatim:
    alpha = arguments["alpha"]
    if strength.factors is None:
        each = f"{literal(alpha)} * np.r_[0.0, np.ones(X.shape[1])]"
        return Verbatim(each if strength.fit_intercept else literal(alpha))
    each = literal(alpha, "alpha")
    return Verbatim(f"np.r_[0.0, {each}]" if strength.fit_intercept else each)


def _lines(strength: Strength, facts: DataFacts, model: str, fit: dict[str, Any], last: str) -> str:
    head = ["import numpy as np", "import statsmodels.api as sm", "", *_design(strength, facts)]
    return "\n".join([*head, f"model = {model}", f"result = {call('model.fit_regularized', [], fit)}", last])


def _coefficients(strength: Strength) -> str:
    if strength.fit_intercept:
        return "intercept, coef = result.params[0], result.params[1:]"
    return "coef = result.params"


def _ols_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    y = response(strength, facts)
    weighted = f"sm.WLS({y}, exog, weights=sample_weight)"
    model = weighted if facts.has_weights else f"sm.OLS({y}, exog)"
    fit = {"alpha": _penalty(arguments, strength), "L1_wt": arguments["L1_wt"]}
    if strength.l1 > 0:
        fit |= ACTIVE
    return _lines(strength, facts, model, fit, _coefficients(strength))


def _glm_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    options = {"family": Verbatim(f"sm.families.{arguments['family']}()")}
    if facts.has_offset:
        options["offset"] = Verbatim("offset")
    if facts.has_weights:
        options["var_weights"] = Verbatim("sample_weight / sample_weight.mean()")
    fit = {"alpha": _penalty(arguments, strength), "L1_wt": arguments["L1_wt"]}
    if strength.l1 > 0:
        fit |= ACTIVE
    return _lines(strength, facts, call("sm.GLM", ["y", "exog"], options), fit, _coefficients(strength))


def _logit_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    options = {"offset": Verbatim("offset")} if facts.has_offset else {}
    fit = {"alpha": _penalty(arguments, strength), "acc": 1e-15, "maxiter": 10_000, "disp": 0}
    return _lines(strength, facts, call("sm.Logit", ["y", "exog"], options), fit, _coefficients(strength))


def _phreg_code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
    fit = {"alpha": _penalty(arguments, strength), "L1_wt": arguments["L1_wt"], **ACTIVE}
    options = {"status": Verbatim("event"), "ties": "breslow"}
    return _lines(strength, facts, call("sm.PHReg", ["time", "exog"], options), fit, "coef = result.params")


def _spared(strength: Strength, facts: DataFacts) -> list[str]:
    return [*([SPARED] if strength.fit_intercept else []), *([RETURN] if strength.l1 > 0 else [])]


def _glm_notes(strength: Strength, facts: DataFacts) -> list[str]:
    notes = _spared(strength, facts)
    if strength.l1 == 0:
        notes.append("At L1_wt=0 its optimizer stops early: coefficients agree to about 1e-4.")
    if facts.has_weights:
        notes.append("freq_weights would not be divided by their mean; var_weights of mean 1 say the same as ours.")
    return notes


def _logit_notes(strength: Strength, facts: DataFacts) -> list[str]:
    return ["Its alpha is ours times n_samples, though GLM of the same package divides.", *_spared(strength, facts)[:1]]


CALLS = (
    Call(
        "statsmodels.OLS", {"alpha": 0.0, "L1_wt": 1.0, "constant": True}, ("squared",), _read("squared"),
        _write("squared"), _ols_code, RAN, factors=True, notes=_spared,
    ),
    Call(
        "statsmodels.GLM", {"alpha": 0.0, "L1_wt": 1.0, "family": "Gaussian", "constant": True}, tuple(FAMILY_OF),
        _read(None), _write(None), _glm_code, RAN, offset=True, factors=True, notes=_glm_notes,
    ),
    Call(
        "statsmodels.Logit", {"alpha": REQUIRED, "constant": True}, ("logistic",), _read_logit, _write_logit,
        _logit_code, RAN, l2=False, mixed=False, weights=False, offset=True, factors=True, notes=_logit_notes,
    ),
    Call(
        "statsmodels.PHReg", {"alpha": 0.0, "L1_wt": 1.0}, ("cox",), _read("cox", False), _write("cox", False),
        _phreg_code, RAN, weights=False, factors=True, intercept=False,
        notes=lambda strength, facts: [
            "The loss is the partial likelihood with Breslow's ties, over n_samples.", *_spared(strength, facts)
        ],
    ),
)  # fmt: skip
