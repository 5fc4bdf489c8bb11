"""scikit-learn: a mean in `Lasso`, a sum in `Ridge`, and the inverse of a sum in `LogisticRegression`."""

from collections.abc import Callable
from typing import Any

from shrinkage._errors import ArgumentError
from shrinkage.units._call import Arguments, Call, number, truth
from shrinkage.units._code import estimator
from shrinkage.units._records import DataFacts, NotExpressible, Strength

RAN = "run against scikit-learn 1.9.1"
SUMS = "multiplies a sum over rows"
INVERSE = "is the inverse strength of a sum over rows"
LIBLINEAR = (
    "not expressible: solver='liblinear' penalizes the intercept, so no other package has that model. Take another "
    "solver: 'saga' for L1, 'newton-cholesky' for L2"
)


def _code(name: str, extra: dict[str, Any] | Callable[[Strength], dict[str, Any]]) -> Callable[..., str]:
    def code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
        options = extra(strength) if callable(extra) else extra
        shown = {key: value for key, value in arguments.items() if key not in ("fit_intercept", "solver")}
        if not strength.fit_intercept:
            shown["fit_intercept"] = False
        return estimator(f"from sklearn.linear_model import {name}", name, {**shown, **options}, strength, facts)

    return code


def _mean(
    name: str, loss: str, ratio: float | None, defaults: dict[str, Any], options: dict[str, Any], **can: Any
) -> Call:
    """A call whose `alpha` is ours."""

    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        rho = number(arguments, "l1_ratio") if ratio is None else ratio
        return Strength(number(arguments, "alpha"), rho, None, loss, truth(arguments, "fit_intercept"))

    def write(strength: Strength, facts: DataFacts) -> Arguments:
        mixing = {"l1_ratio": strength.l1_ratio} if ratio is None else {}
        return {"alpha": strength.alpha, **mixing, "fit_intercept": strength.fit_intercept}

    return Call(
        f"sklearn.{name}", {**defaults, "fit_intercept": True}, (loss,), read, write, _code(name, options), RAN,
        **{"l1": ratio != 0.0, "l2": ratio != 1.0, "mixed": ratio is None, **can},
    )  # fmt: skip


def _read_ridge(arguments: Arguments, facts: DataFacts) -> Strength:
    total = facts.weight("sklearn.Ridge", SUMS)
    return Strength(number(arguments, "alpha") / total, 0.0, None, "squared", truth(arguments, "fit_intercept"))


def _write_ridge(strength: Strength, facts: DataFacts) -> Arguments:
    alpha = strength.alpha * facts.weight("sklearn.Ridge", SUMS)
    return {"alpha": alpha, "fit_intercept": strength.fit_intercept}


def _read_logistic(arguments: Arguments, facts: DataFacts) -> Strength:
    intercept = truth(arguments, "fit_intercept")
    if arguments["solver"] == "liblinear" and intercept:
        raise NotExpressible(LIBLINEAR)
    inverse = number(arguments, "C")
    if inverse == 0:
        raise ArgumentError("C must be > 0; got 0")
    alpha = 1.0 / (inverse * facts.weight("sklearn.LogisticRegression's C", INVERSE))
    return Strength(alpha, number(arguments, "l1_ratio"), None, "logistic", intercept)


def _write_logistic(strength: Strength, facts: DataFacts) -> Arguments:
    sum_strength = strength.alpha * facts.weight("sklearn.LogisticRegression's C", INVERSE)
    return {
        "C": 1.0 / sum_strength if sum_strength > 0 else float("inf"),
        "l1_ratio": strength.l1_ratio,
        "fit_intercept": strength.fit_intercept,
        "solver": _solver(strength),
    }


def _solver(strength: Strength) -> str:
    return "saga" if strength.l1 > 0 else "newton-cholesky"


def _logistic_options(strength: Strength) -> dict[str, Any]:
    return {"solver": _solver(strength), "tol": 1e-10, "max_iter": 1_000_000 if strength.l1 > 0 else 1000}


def _logistic_notes(strength: Strength, facts: DataFacts) -> list[str]:
    notes = ["Before scikit-learn 1.8, l1_ratio is read only with penalty='elasticnet', and by 'saga' alone."]
    if strength.l1 > 0:
        notes += ["'saga' needs columns of about one scale; its default tol=1e-4 stops far from the minimum."]
    return [*notes, "solver='liblinear' would penalize the intercept: another model."]


def _per_row(name: str, loss: str, options: dict[str, Any]) -> Call:
    """SGD: weights multiply a row's loss and nothing divides by their mean."""

    def share(facts: DataFacts) -> float:
        if not facts.has_weights:
            return 1.0
        why = "does not divide by the mean weight"
        return facts.weight(f"sklearn.{name}", why) / facts.rows(f"sklearn.{name}", why)

    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        alpha = number(arguments, "alpha") / share(facts)
        return Strength(alpha, number(arguments, "l1_ratio"), None, loss, truth(arguments, "fit_intercept"))

    def write(strength: Strength, facts: DataFacts) -> Arguments:
        rest = {"l1_ratio": strength.l1_ratio, "fit_intercept": strength.fit_intercept}
        return {"alpha": strength.alpha * share(facts), **rest}

    notes = ["penalty='elasticnet' must be set, or l1_ratio is not read; stochastic steps stop near the minimum only."]
    return Call(
        f"sklearn.{name}", {"alpha": 1e-4, "l1_ratio": 0.15, "fit_intercept": True}, (loss,), read, write,
        _code(name, {"penalty": "elasticnet", **options}), RAN, notes=lambda strength, facts: notes,
    )  # fmt: skip


TIGHT = {"tol": 1e-14, "max_iter": 100_000}
CALLS = (
    Call(
        "sklearn.Ridge", {"alpha": 1.0, "fit_intercept": True}, ("squared",), _read_ridge, _write_ridge,
        _code("Ridge", {}), RAN, l1=False, mixed=False,
        notes=lambda strength, facts: [f"Its alpha is ours times {'Σ sᵢ' if facts.has_weights else 'n_samples'}."],
    ),
    _mean("Lasso", "squared", 1.0, {"alpha": 1.0}, TIGHT),
    _mean("ElasticNet", "squared", None, {"alpha": 1.0, "l1_ratio": 0.5}, TIGHT),
    Call(
        "sklearn.LogisticRegression", {"C": 1.0, "l1_ratio": 0.0, "fit_intercept": True, "solver": "lbfgs"},
        ("logistic",), _read_logistic, _write_logistic, _code("LogisticRegression", _logistic_options), RAN,
        notes=_logistic_notes,
    ),
    _mean("PoissonRegressor", "poisson", 0.0, {"alpha": 1.0},
          {"solver": "newton-cholesky", "tol": 1e-10, "max_iter": 1000}),
    _mean("MultiTaskLasso", "multi_squared", 1.0, {"alpha": 1.0}, TIGHT, weights=False),
    _mean("MultiTaskElasticNet", "multi_squared", None, {"alpha": 1.0, "l1_ratio": 0.5}, TIGHT, weights=False),
    _per_row("SGDRegressor", "squared", {"tol": None, "max_iter": 10_000}),
    _per_row("SGDClassifier", "logistic", {"loss": "log_loss", "tol": None, "max_iter": 10_000}),
)  # fmt: skip
