"""The record of a comparison of penalties on one data set."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkage.solvers import Status

if TYPE_CHECKING:
    from shrinkage._path import CrossValidation, Path

PENALTY_NAMES = {"l2": "ridge", "l1": "lasso", "elastic": "elastic net", "group": "group lasso"} | {
    name: name.upper() for name in ("mcp", "scad", "slope")
}
SCORE_WORDS = {
    "deviance": ("deviance", "deviance"),
    "mse": ("mean squared error", "MSE"),
    "mae": ("mean absolute error", "MAE"),
    "auc": ("area under the ROC curve", "AUC"),
    "accuracy": ("share of right classes", "accuracy"),
    "c_index": ("concordance", "C-index"),
}
"""Scores in a sentence and in the head of a table."""


@dataclass(frozen=True)
class Candidate:
    """One penalty, cross-validated.

    Attributes
    ----------
    penalty : str
        "l1", "l2", "elastic", "group", "mcp", "scad" or "slope".
    cv : CrossValidation
    rule : str
        "min" or "1se": which strength is taken.
    seconds : float
        Wall-clock time of cross-validation and fit.
    """

    penalty: str
    cv: "CrossValidation"
    rule: str
    seconds: float

    @property
    def title(self) -> str:
        """The penalty's name in words."""
        return PENALTY_NAMES.get(self.penalty, self.penalty)

    @property
    def opening(self) -> str:
        """The title as the first words of a sentence."""
        return self.title[0].upper() + self.title[1:]

    @property
    def index(self) -> int:
        """Place of the chosen strength on the path."""
        return self.cv.index_1se if self.rule == "1se" else self.cv.index_min

    @property
    def alpha(self) -> float:
        """The chosen strength."""
        return float(self.cv.alphas[self.index])

    @property
    def error(self) -> float:
        """Held-out error, or another score, at the chosen strength."""
        return float(self.cv.mean[self.index])

    @property
    def loss(self) -> float:
        """`error`, with a minus where more is better: the candidate of the least is chosen."""
        return -self.error if self.cv.more_is_better else self.error

    @property
    def score_words(self) -> tuple[str, str]:
        """What `error` is, for a sentence and for the head of a table."""
        squared = self.cv.path.loss.name == "squared"
        return SCORE_WORDS["mse" if squared and self.cv.score == "deviance" else self.cv.score]

    @property
    def se(self) -> float:
        """Standard error of `error`."""
        return float(self.cv.se[self.index])

    @property
    def error_text(self) -> str:
        """The error ± its standard error, both with the digits that the latter allows."""
        digits = max(0, 1 - int(np.floor(np.log10(self.se)))) if self.se > 0 else 4
        return f"{self.error:.{digits}f} ± {self.se:.{digits}f}"

    @property
    def explained(self) -> float:
        """Share of the null model's deviance that held-out predictions explain: 1 - error / (2 · null objective).

        nan where the score is no deviance.

        What rows that are held out add to a likelihood of all rows is measured from what they add without a model: the
        error at the first strength.
        """
        if self.cv.score != "deviance" and (self.cv.score, self.cv.path.loss.name) != ("mse", "squared"):
            return float("nan")
        if self.cv.path.loss.name == "cox":
            null = float(self.cv.mean[0])
            return 1.0 - self.error / null if null else 0.0
        return share_explained(self.cv.path, self.error)

    @property
    def explained_text(self) -> str:
        """The share in percent, or a dash."""
        return f"{100 * self.explained:.0f} %" if np.isfinite(self.explained) else "–"

    @property
    def coef(self) -> np.ndarray:
        """(n_features,) coefficients at the chosen strength, in raw units; of classes (n_classes, n_features)."""
        coef = self.cv.path.coefs[:, [self.index]].toarray()[:, 0]
        return coef if self.cv.path.n_outputs == 1 else coef.reshape((self.cv.path.n_outputs, -1))

    @property
    def intercept(self) -> Any:
        """Intercept at the chosen strength; of several classes (n_classes,)."""
        level = self.cv.path.intercepts[..., self.index]
        return level if self.cv.path.n_outputs > 1 else float(level)

    @property
    def n_nonzero(self) -> int:
        """Non-zero coefficients at the chosen strength."""
        return int(self.cv.path.n_nonzero[self.index])

    @property
    def n_used(self) -> int:
        """Features with a coefficient other than 0 at the chosen strength, in any class."""
        return int(np.count_nonzero(np.atleast_2d(self.coef).any(axis=0)))

    @property
    def largest_gap(self) -> float:
        """Largest relative duality gap over all strengths of the path and of every fold; nan without convexity."""
        return float(max(np.max(self.cv.path.relative_gaps), np.max(self.cv.fold_gaps)))

    @property
    def gap_text(self) -> str:
        """The largest gap, or what stands in its place."""
        if np.isfinite(self.largest_gap):
            return f"{self.largest_gap:.1e}"
        return "missed" if Status.KKT_ABOVE_TOL in self.cv.path.status else "stationary"

    def converged(self, tol: float) -> bool:
        """Whether every strength, in every fold too, has its relative gap at or below tol.

        Without convexity whether every strength of the path is stationary; folds are not judged.
        """
        missed = (Status.GAP_ABOVE_TOL, Status.KKT_ABOVE_TOL)
        stated = all(status not in missed for status in self.cv.path.status)
        return bool(stated and not (self.cv.fold_gaps > tol).any())


def share_explained(path: "Path", error: float) -> float:
    """1 - error / (2 · null objective): for the squared loss the share of variance, else of deviance."""
    return 1.0 - error / (2.0 * path.null_objective) if path.null_objective > 0 else float("nan")


@dataclass(frozen=True)
class Study:
    """What was asked, the data, the candidates, and the one that was chosen.

    Attributes
    ----------
    title : str
    asked : tuple of (str, str)
        Questions and answers of the call: target, loss, folds, rule and so on.
    data : tuple of (str, str)
        Summary of the data.
    columns : tuple of (str, str, int, str)
        Every column: name, kind, missing values, use.
    candidates : tuple of Candidate
    chosen : int
        Index of the candidate taken.
    feature_names : tuple of str
    scale : ndarray of shape (n_features,)
        Standard deviations of the columns of the design.
    tol : float
    call : str
        The command that gives this result again.
    notes : tuple of str
        What the reader should know.
    classes : tuple of str
        Those that have coefficients of their own; () where one linear predictor is all.
    """

    title: str
    asked: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str], ...]
    columns: tuple[tuple[str, str, int, str], ...]
    candidates: tuple[Candidate, ...]
    chosen: int
    feature_names: tuple[str, ...]
    scale: np.ndarray
    tol: float
    call: str
    notes: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def winner(self) -> Candidate:
        """The candidate that was chosen."""
        return self.candidates[self.chosen]

    @property
    def score_head(self) -> str:
        """What a column of scores is called."""
        name = self.winner.score_words[1]
        return name if self.winner.cv.more_is_better else f"error ({name})"

    @property
    def converged(self) -> bool:
        """Whether every candidate converged."""
        return all(candidate.converged(self.tol) for candidate in self.candidates)

    @property
    def names(self) -> tuple[str, ...]:
        """Of coefficients: of features; of several classes the class goes first, after all of the class before."""
        return tuple(f"{label}: {name}" if label else name for label, name in self.places())

    @property
    def scales(self) -> np.ndarray:
        """Standard deviations of the columns that `names` are of."""
        return np.tile(self.scale, max(len(self.classes), 1))

    def places(self) -> list[tuple[str, str]]:
        """The class of each coefficient, "" where there are not several, and its feature."""
        return [(label, name) for label in self.classes or ("",) for name in self.feature_names]

    def strongest(self) -> list[tuple[str, float, float]]:
        """Name, raw coefficient and effect of one standard deviation, for the non-zeros, strongest effect first."""
        return ranked(self.winner.coef.ravel(), self.scales, self.names)

    def intercepts(self) -> str:
        """The intercept in words; of several classes that of each."""
        if not self.classes:
            return f"{self.winner.intercept:.5g}"
        return ", ".join(f"{k}: {level:.5g}" for k, level in zip(self.classes, self.winner.intercept, strict=True))

    def sentence(self) -> str:
        """Which candidate was chosen and what it does, in words."""
        best = self.winner
        what = "variance" if best.cv.path.loss.name == "squared" else "deviance"
        known = np.isfinite(best.explained)
        explains = f"it explains {100 * best.explained:.0f} % of the {what} and" if known else "it"
        order = "highest" if best.cv.more_is_better else "lowest"
        rule = "the 1-SE rule" if best.rule == "1se" else "the minimum rule"
        why = f", the {order} of the {len(self.candidates)} at {rule}" if len(self.candidates) > 1 else f", by {rule}"
        error = f"cross-validated {best.score_words[0]} {best.error_text}"
        return (
            f"{best.opening} with alpha = {best.alpha:.4g}: {error}{why}; {explains} uses "
            f"{best.n_used:,} of {len(self.feature_names):,} features."
        )


def ranked(coef: np.ndarray, scale: np.ndarray, names: Any) -> list[tuple[Any, float, float]]:
    """Non-zero coefficients as (name, coefficient, coefficient · scale), largest effect first."""
    effect = coef * scale
    order = np.lexsort((np.arange(len(coef)), -np.abs(effect)))
    return [(names[j], float(coef[j]), float(effect[j])) for j in order if coef[j] != 0]
