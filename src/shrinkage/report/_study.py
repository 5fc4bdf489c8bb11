"""The record of a comparison of penalties on one data set."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shrinkage.solvers import Status

if TYPE_CHECKING:
    from shrinkage._path import CrossValidation, Path

PENALTY_NAMES = {"l2": "ridge", "l1": "lasso", "elastic": "elastic net", "group": "group lasso"}


@dataclass(frozen=True)
class Candidate:
    """One penalty, cross-validated.

    Attributes
    ----------
    penalty : str
        "l1", "l2", "elastic" or "group".
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
    def index(self) -> int:
        """Place of the chosen strength on the path."""
        return self.cv.index_1se if self.rule == "1se" else self.cv.index_min

    @property
    def alpha(self) -> float:
        """The chosen strength."""
        return float(self.cv.alphas[self.index])

    @property
    def error(self) -> float:
        """Held-out error at the chosen strength."""
        return float(self.cv.mean[self.index])

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

        What rows that are held out add to a likelihood of all rows is measured from what they add without a model: the
        error at the first strength.
        """
        if self.cv.path.loss.name == "cox":
            null = float(self.cv.mean[0])
            return 1.0 - self.error / null if null else 0.0
        return share_explained(self.cv.path, self.error)

    @property
    def coef(self) -> np.ndarray:
        """(n_features,) coefficients at the chosen strength, in raw units."""
        return self.cv.path.coefs[:, [self.index]].toarray()[:, 0]

    @property
    def intercept(self) -> float:
        """Intercept at the chosen strength."""
        return float(self.cv.path.intercepts[self.index])

    @property
    def n_nonzero(self) -> int:
        """Non-zero coefficients at the chosen strength."""
        return int(self.cv.path.n_nonzero[self.index])

    @property
    def largest_gap(self) -> float:
        """Largest relative duality gap over all strengths of the path and of every fold."""
        return float(max(np.max(self.cv.path.relative_gaps), np.max(self.cv.fold_gaps)))

    def converged(self, tol: float) -> bool:
        """Whether every strength, in every fold too, has its relative gap at or below tol."""
        stated = all(status is not Status.GAP_ABOVE_TOL for status in self.cv.path.status)
        return bool(stated and np.max(self.cv.fold_gaps) <= tol)


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

    @property
    def winner(self) -> Candidate:
        """The candidate that was chosen."""
        return self.candidates[self.chosen]

    @property
    def converged(self) -> bool:
        """Whether every candidate converged."""
        return all(candidate.converged(self.tol) for candidate in self.candidates)

    def strongest(self) -> list[tuple[str, float, float]]:
        """Name, raw coefficient and effect of one standard deviation, for the non-zeros, strongest effect first."""
        coef = self.winner.coef
        return ranked(coef, self.scale, self.feature_names)

    def sentence(self) -> str:
        """Which candidate was chosen and what it does, in words."""
        best = self.winner
        what = "variance" if best.cv.path.loss.name == "squared" else "deviance"
        error = "mean squared error" if what == "variance" else "deviance"
        rule = "the 1-SE rule" if best.rule == "1se" else "the minimum rule"
        why = f", the lowest of the {len(self.candidates)} at {rule}" if len(self.candidates) > 1 else f", by {rule}"
        return (
            f"{best.title.capitalize()} with alpha = {best.alpha:.4g}: cross-validated {error} {best.error_text}"
            f"{why}; it explains {100 * best.explained:.0f} % of the {what} and uses {best.n_nonzero:,} "
            f"of {len(self.feature_names):,} features."
        )


def ranked(coef: np.ndarray, scale: np.ndarray, names: tuple[str, ...]) -> list[tuple[str, float, float]]:
    """Non-zero coefficients as (name, coefficient, coefficient · scale), largest effect first."""
    effect = coef * scale
    order = np.lexsort((np.arange(len(coef)), -np.abs(effect)))
    return [(names[j], float(coef[j]), float(effect[j])) for j in order if coef[j] != 0]
