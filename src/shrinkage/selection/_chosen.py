"""A strength of a path, chosen by any rule, with the reason in sentences."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage._path import CrossValidation, Path
from shrinkage.selection._criteria import CRITERIA, InformationCriteria, information_criteria
from shrinkage.selection._leave_one_out import LeaveOneOut, leave_one_out
from shrinkage.selection._one_standard_error import lowest, one_standard_error
from shrinkage.selection._rules import rule_words

Array = np.ndarray
Fitted = Path | CrossValidation | InformationCriteria | LeaveOneOut

HELD_OUT = ("1se", "1se-paired", "min")
LEFT_OUT = ("1se", "min")
MEASURES = {"deviance": "deviance", "mse": "squared error", "mae": "absolute error"}


@dataclass(frozen=True, eq=False, repr=False)
class ChosenStrength:
    """A strength, its fit, and why. `print` says why.

    Attributes
    ----------
    alpha : float
    index : int
        Its place in `path.alphas`.
    rule : str
        "features" where only their number was limited.
    n_features : int
        Coefficients that are not zero.
    coef : ndarray of shape (n_features_in,)
    intercept : float
    values : ndarray of shape (n_alphas,)
        What the rule compared, lower is better: held-out means or criteria; NaN where one is refused. Of "features" the
        numbers of features.
    reason : str
    evidence : CrossValidation, InformationCriteria, LeaveOneOut or Path
        What the values are from.
    path : Path
    """

    alpha: float
    index: int
    rule: str
    n_features: int
    coef: Array
    intercept: float
    values: Array
    reason: str
    evidence: Any
    path: Path

    def __repr__(self) -> str:
        return f"<ChosenStrength: alpha {self.alpha:.4g} by {self.rule}, {self.n_features} features>"

    def __str__(self) -> str:
        return self.reason

    def predict(self, X: ArrayLike, offset: ArrayLike | None = None) -> Array:
        """Mean response (n_samples,) at this strength, as `Path.predict`."""
        return self.path.predict(X, self.alpha, offset)


def choose_strength(fitted: Fitted, rule: str | None, max_features: int | None) -> ChosenStrength:
    """Choose a strength of a path by a rule; `choose` documents it."""
    path = fitted if isinstance(fitted, Path) else fitted.path
    allowed = _allowed(path, max_features)
    if rule is None and max_features is not None and isinstance(fitted, (Path, InformationCriteria)):
        return _by_features(path, allowed, int(max_features))
    rule = _check_rule(fitted, rule, max_features)
    if rule in CRITERIA:
        criteria = fitted if isinstance(fitted, InformationCriteria) else information_criteria(path)
        place = criteria.best(rule, allowed)
        reason = f"{criteria.sentence(rule, place)} It is {rule_words(rule)}{criteria.noise_words(rule)}."
        return _chosen(path, place, rule, criteria.values(rule), reason, criteria, max_features)
    if isinstance(fitted, CrossValidation) and rule in HELD_OUT:
        place, reason = _by_folds(fitted, rule, allowed)
        return _chosen(path, place, rule, fitted.mean, reason, fitted, max_features)
    left_out = fitted if isinstance(fitted, LeaveOneOut) else leave_one_out(path)
    place = left_out.find("1se" if rule in ("1se", "loo-1se") else "min", allowed)
    best = left_out.find("min", allowed)
    kind = "min" if rule in ("min", "loo") else "1se"
    reason = _held_out_words(path, left_out.mean, float(left_out.se[best]), place, best, "left-out", kind)
    reason = f"{reason} {left_out.how()} {left_out.trust(place)}"
    return _chosen(path, place, rule, left_out.mean, reason, left_out, max_features)


def _check_rule(fitted: Fitted, rule: str | None, max_features: int | None) -> str:
    """The rule, or the one that None stands for; refuses one that has nothing to read."""
    known = {
        CrossValidation: (*HELD_OUT, *CRITERIA, "loo", "loo-1se"),
        LeaveOneOut: LEFT_OUT,
        InformationCriteria: CRITERIA,
        Path: (*CRITERIA, "loo", "loo-1se"),
    }[next(kind for kind in (CrossValidation, LeaveOneOut, InformationCriteria, Path) if isinstance(fitted, kind))]
    if rule is None and isinstance(fitted, (CrossValidation, LeaveOneOut)):
        return "1se" if max_features is None else "min"
    if rule is None or rule not in known:
        words = ", ".join(map(repr, known))
        hint = "; 'min' and '1se' need held-out scores: cross_validate has them" if isinstance(fitted, Path) else ""
        raise ArgumentError(f"rule must be one of {words} to choose from {type(fitted).__name__}; got {rule!r}{hint}")
    return rule


def _allowed(path: Path, max_features: int | None) -> Array:
    """Which strengths have no more features than allowed."""
    if max_features is None:
        return np.ones(len(path.alphas), bool)
    check_positive_int("max_features", max_features, 0)
    allowed = path.n_nonzero <= max_features
    if not allowed.any():
        raise ArgumentError(
            f"max_features must be at least {int(path.n_nonzero.min())}, the fewest that a strength of this path has"
            f"{', since ridge leaves none out' if path.l1_ratio == 0 else ''}; got {max_features}"
        )
    return allowed


def _by_features(path: Path, allowed: Array, max_features: int) -> ChosenStrength:
    place = int(np.flatnonzero(allowed)[-1])
    reason = (
        f"Alpha {path.alphas[place]:.4g} is the smallest strength of the grid with at most {max_features} features: "
        f"it has {path.n_nonzero[place]}"
    )
    after = "." if place + 1 == len(path.alphas) else f", the next, {path.alphas[place + 1]:.4g}, "
    after += "" if place + 1 == len(path.alphas) else f"has {path.n_nonzero[place + 1]}."
    return _chosen(path, place, "features", path.n_nonzero.astype(np.float64), reason + after, path, None)


def _by_folds(cv: CrossValidation, rule: str, allowed: Array) -> tuple[int, str]:
    """The place that a rule of held-out losses takes, and why."""
    if cv.more_is_better:
        raise ArgumentError(
            f"rule={rule!r} reads scores of which less is better; of score={cv.score!r} take alpha_min or alpha_1se"
        )
    means = np.where(allowed, cv.mean, np.nan)
    best, n_folds = lowest(means), cv.scores.shape[1]
    error = np.nan_to_num(cv.se)
    near: Any = float(error[best])
    if rule == "1se-paired" and n_folds > 1:
        share = cv.fold_weights / cv.fold_weights.sum()
        differences = cv.scores - cv.scores[best]
        spread = ((differences - (differences @ share)[:, None]) ** 2) @ share
        near = np.minimum(np.sqrt(spread / (n_folds - 1)), error[best])
    place = best if rule == "min" else one_standard_error(means, near, cv.alphas)
    size = float(np.broadcast_to(near, means.shape)[place])
    words = _held_out_words(cv.path, cv.mean, float(error[best]), place, best, "held-out", rule, size, cv.score)
    return place, f"{words} Over {n_folds} folds."


def _held_out_words(
    path: Path,
    means: Array,
    se: float,
    place: int,
    best: int,
    kind: str,
    rule: str,
    size: float | None = None,
    score: str = "deviance",
) -> str:
    what = f"mean {kind} {MEASURES[score]}"
    features = f"{path.n_nonzero[place]} features"
    if place == best:
        also = "" if rule == "min" else ", and no larger strength is as good"
        edge = "" if best + 1 < len(path.alphas) else " It is the smallest of the grid: smaller ones may be lower."
        lowest_words = f"{what}, {means[best]:.4g} ± {se:.2g}"
        return f"Alpha {path.alphas[best]:.4g} has the lowest {lowest_words}{also}: {features}.{edge}"
    return (
        f"Alpha {path.alphas[place]:.4g} is the largest strength whose {what}, {means[place]:.4g}, is above the "
        f"lowest, {means[best]:.4g} at {path.alphas[best]:.4g}, by at most {rule_words(rule)}, "
        f"{size or se:.2g}: {features}."
    )


def _chosen(
    path: Path, place: int, rule: str, values: Array, reason: str, evidence: Any, max_features: int | None
) -> ChosenStrength:
    if max_features is not None:
        reason = f"Of the strengths with at most {max_features} features: {reason.replace('Alpha', 'alpha', 1)}"
    return ChosenStrength(
        float(path.alphas[place]),
        place,
        rule,
        int(path.n_nonzero[place]),
        path.coefs[:, [place]].toarray()[:, 0],
        float(path.intercepts[place]),
        values,
        reason,
        evidence,
        path,
    )
