"""What repeated cross-validation found: every score, and what the repeats agree on."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage._path import CrossValidation, Path
from shrinkage.selection._one_standard_error import lowest, one_standard_error

SHOWN = 8


@dataclass(frozen=True, eq=False, repr=False)
class RepeatedCrossValidation:
    """Held-out errors of R repeats of K folds at every strength, and the choices that they make.

    Attributes
    ----------
    repeats : tuple of CrossValidation
        One for each repeat, with its scores, curve, standard errors and choices.
    seeds : tuple of int
        A number for each repeat that was asked for: its folds are those of scikit-learn's shuffled splitter with this
        random_state.
    path : Path
        The fit on all rows.
    alphas : ndarray of shape (n_alphas,)
        Strengths, largest first.
    mean : ndarray of shape (n_alphas,)
        Average of the curves of the repeats.
    within_se : ndarray of shape (n_alphas,)
        Standard error over folds: root mean square of those of the repeats. NaN with one fold.
    between_sd : ndarray of shape (n_alphas,)
        Standard deviation of the curves of the repeats; NaN with one repeat.
    index_min, index_1se : int
        Where the average curve is lowest; the largest strength within one `within_se` of that.
    alpha_min, alpha_1se : float
        The strengths there: the choice.
    alphas_min, alphas_1se : ndarray of shape (n_repeats,)
        What each repeat alone would have chosen.
    inclusion_min, inclusion_1se : ndarray of shape (n_features,)
        Share of the repeats whose chosen model, fitted to all rows, has the feature.
    interrupted : bool
        Whether Ctrl-C ended it before.
    """

    repeats: tuple[CrossValidation, ...]
    seeds: tuple[int, ...]
    path: Path
    alphas: np.ndarray
    mean: np.ndarray
    within_se: np.ndarray
    between_sd: np.ndarray
    index_min: int
    index_1se: int
    alpha_min: float
    alpha_1se: float
    alphas_min: np.ndarray
    alphas_1se: np.ndarray
    inclusion_min: np.ndarray
    inclusion_1se: np.ndarray
    interrupted: bool = False

    @classmethod
    def from_repeats(
        cls, repeats: tuple[CrossValidation, ...], seeds: tuple[int, ...], interrupted: bool = False
    ) -> "RepeatedCrossValidation":
        """Summarize cross-validations of one path."""
        path, alphas = repeats[0].path, repeats[0].alphas
        curves = np.array([one.mean for one in repeats])
        mean = curves.mean(axis=0)
        within = np.sqrt(np.mean([one.se**2 for one in repeats], axis=0))
        between = curves.std(axis=0, ddof=1) if len(repeats) > 1 else np.full(len(mean), np.nan)
        best = lowest(mean)
        simplest = one_standard_error(mean, float(np.nan_to_num(within[best])), alphas)
        return cls(
            repeats,
            seeds,
            path,
            alphas,
            mean,
            within,
            between,
            best,
            simplest,
            float(alphas[best]),
            float(alphas[simplest]),
            np.array([one.alpha_min for one in repeats]),
            np.array([one.alpha_1se for one in repeats]),
            _inclusion(path, [one.index_min for one in repeats]),
            _inclusion(path, [one.index_1se for one in repeats]),
            interrupted,
        )

    @property
    def scores(self) -> np.ndarray:
        """(n_alphas, n_repeats, n_folds) mean held-out deviances, NaN where a repeat has fewer folds than another."""
        most = max(one.scores.shape[1] for one in self.repeats)
        scores = np.full((len(self.alphas), len(self.repeats), most), np.nan)
        for r, one in enumerate(self.repeats):
            scores[:, r, : one.scores.shape[1]] = one.scores
        return scores

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, x0, x1, … where they have none."""
        return self.path.feature_names or tuple(f"x{j}" for j in range(len(self.inclusion_min)))

    def to_frame(self, what: str = "curve") -> Any:
        """A pandas table.

        Parameters
        ----------
        what : {"curve", "repeats", "features", "scores"}
            One row per strength (alpha, mean, within_se, between_sd, n_nonzero); per repeat (its choices, their
            errors and sizes); per feature (inclusion_min, inclusion_1se, and the coefficients at the two choices);
            or per strength, repeat and fold (score).

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("RepeatedCrossValidation.to_frame needs pandas: pip install pandas") from error
        tables = {"curve": self._curve, "repeats": self._repeats, "features": self._features, "scores": self._scores}
        if what not in tables:
            raise ArgumentError(f"what must be one of {', '.join(map(repr, tables))}; got {what!r}")
        return pd.DataFrame(tables[what]())

    def _curve(self) -> dict[str, Any]:
        return {
            "alpha": self.alphas,
            "mean": self.mean,
            "within_se": self.within_se,
            "between_sd": self.between_sd,
            "n_nonzero": self.path.n_nonzero,
        }

    def _repeats(self) -> dict[str, Any]:
        size, place = self.path.n_nonzero, [(one.index_min, one.index_1se) for one in self.repeats]
        return {
            "repeat": np.arange(len(self.repeats)),
            "alpha_min": self.alphas_min,
            "alpha_1se": self.alphas_1se,
            "mean_min": [one.mean[i] for one, (i, _) in zip(self.repeats, place, strict=True)],
            "se_min": [one.se[i] for one, (i, _) in zip(self.repeats, place, strict=True)],
            "mean_1se": [one.mean[j] for one, (_, j) in zip(self.repeats, place, strict=True)],
            "n_nonzero_min": [int(size[i]) for i, _ in place],
            "n_nonzero_1se": [int(size[j]) for _, j in place],
        }

    def _features(self) -> dict[str, Any]:
        return {
            "feature": list(self.feature_names),
            "inclusion_min": self.inclusion_min,
            "inclusion_1se": self.inclusion_1se,
            "coef_min": self.path.coefs[:, [self.index_min]].toarray()[:, 0],
            "coef_1se": self.path.coefs[:, [self.index_1se]].toarray()[:, 0],
        }

    def _scores(self) -> dict[str, Any]:
        scores = self.scores
        t, r, k = np.nonzero(np.isfinite(scores))
        return {"alpha": self.alphas[t], "repeat": r, "fold": k, "score": scores[t, r, k]}

    def __repr__(self) -> str:
        return (
            f"<RepeatedCrossValidation: {len(self.repeats)} repeats of {self.repeats[0].scores.shape[1]} folds; "
            f"alpha_min {self.alpha_min:.4g}, alpha_1se {self.alpha_1se:.4g}; {self.path!r}>"
        )

    def __str__(self) -> str:
        lines = [self._told_dealing(), *self._told_choices(), self._told_errors(), *self._told_features()]
        return "\n".join(lines)

    def _told_dealing(self) -> str:
        fewer = f" of the {len(self.seeds)} asked for, the rest was interrupted" if self.interrupted else ""
        return (
            f"{len(self.repeats)} repeats{fewer}, each of {self.repeats[0].scores.shape[1]} folds, at "
            f"{len(self.alphas)} strengths from {self.alphas[0]:.4g} to {self.alphas[-1]:.4g}."
        )

    def _told_choices(self) -> list[str]:
        lines = []
        for name, choice, index, alone in (
            ("min", "the lowest average error", self.index_min, self.alphas_min),
            ("1se", "the largest strength within one standard error of it", self.index_1se, self.alphas_1se),
        ):
            low, middle, high = np.quantile(alone, [0.0, 0.5, 1.0], method="nearest")
            size = self.path.n_nonzero
            end = (
                ", the last of the grid: a lower alpha_min_ratio may do better" if index == len(self.alphas) - 1 else ""
            )
            sizes = [int(size[getattr(one, f"index_{name}")]) for one in self.repeats]
            lines.append(
                f"{name}: alpha = {self.alphas[index]:.4g}, {choice}, with {size[index]:,} non-zero coefficients{end}. "
                f"Repeats alone chose from {low:.4g} to {high:.4g}, median {middle:.4g}: {min(sizes):,} to "
                f"{max(sizes):,} non-zero coefficients."
            )
        return lines

    def _told_errors(self) -> str:
        best = self.index_min
        within, between = self.within_se[best], self.between_sd[best]
        told = f"Error at min: {self.mean[best]:.4g}"
        if np.isfinite(within):
            told += f" ± {within:.2g} from fold to fold, which more repeats do not lower"
        if np.isfinite(between):
            left = between / np.sqrt(len(self.repeats))
            told += f"; dealing the folds anew moves one cross-validation by {between:.2g}, the average by {left:.2g}"
        return told + "."

    def _told_features(self) -> list[str]:
        lines = []
        for name, share in (("min", self.inclusion_min), ("1se", self.inclusion_1se)):
            always, sometimes = int((share == 1).sum()), np.flatnonzero((share > 0) & (share < 1))
            line = f"At {name}, {always:,} features are in the model of every repeat and {len(sometimes):,} in some"
            if len(sometimes):
                first = sometimes[np.argsort(-share[sometimes], kind="stable")][:SHOWN]
                line += ": " + ", ".join(f"{self.feature_names[j]} {share[j]:.0%}" for j in first)
                line += ", …" if len(sometimes) > SHOWN else ""
            lines.append(line + ".")
        lines.append(
            "All repeats see the same rows: a feature in every one of them is not for that a true one "
            "(stability selection, on halves of the rows, says more)."
        )
        return lines


def _inclusion(path: Path, chosen: list[int]) -> np.ndarray:
    """(n_features,) share of the chosen strengths at which a feature has a coefficient."""
    times = np.zeros(cast(Any, path.coefs).shape[0])
    for index, count in zip(*np.unique(chosen, return_counts=True), strict=True):
        times[path.coefs.indices[path.coefs.indptr[index] : path.coefs.indptr[index + 1]]] += count
    return times / len(chosen)
