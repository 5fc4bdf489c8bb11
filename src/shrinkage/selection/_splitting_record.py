"""The record of sample splitting: adjusted p-values, what they suppose, and how much one split would have decided."""

from dataclasses import dataclass

import numpy as np

from shrinkage.selection._row_weights import SENTENCES


@dataclass(frozen=True, eq=False, repr=False)
class SampleSplitting:
    """P-values that count the choosing, from many splits of the rows.

    Attributes
    ----------
    p_values : ndarray of shape (n_features,)
        Adjusted for all features and all splits.
    significant : ndarray of integers
        Features with a p-value of at most `level`, smallest first.
    level : float
        Bound on the chance of a single false one among `significant`.
    split_p_values : ndarray of shape (n_splits, n_features)
        min(m p, 1) in each split that chose the feature, among m; 1 in the others.
    sizes : ndarray of shape (n_splits,)
        Features chosen in each split.
    gamma_min : float
    n_splits, n_splits_asked : int
        Fewer than asked after an interruption.
    n_separated : int
        Splits whose testing rows separated the classes; they give 1 to all.
    q, alpha : int or None, float or None
        How features were chosen.
    test : {"t", "likelihood", "wald"}
    candidates, free : ndarray of integers
        Columns that could be chosen; columns without a penalty.
    loss : str
    n_missed : int
        Fits whose relative duality gap is above tol.
    feature_names : tuple of str or None
    weights : "counts", "precisions" or None
        What sample weights were taken for; None where there are none.
    """

    p_values: np.ndarray
    significant: np.ndarray
    level: float
    split_p_values: np.ndarray
    sizes: np.ndarray
    gamma_min: float
    n_splits: int
    n_splits_asked: int
    n_separated: int
    q: int | None
    alpha: float | None
    test: str
    candidates: np.ndarray
    free: np.ndarray
    loss: str
    n_missed: int
    feature_names: tuple[str, ...] | None = None
    weights: str | None = None

    def __repr__(self) -> str:
        return (
            f"<SampleSplitting: {len(self.significant)} of {len(self.candidates)} features significant at "
            f"{self.level:g}, {self.n_splits} splits>"
        )

    def __str__(self) -> str:
        return "\n".join([*self._found(), *self._lottery(), *self._notes(), *self._supposed()])

    def _name(self, j: int) -> str:
        return str(j) if self.feature_names is None else self.feature_names[j]

    def _found(self) -> list[str]:
        shown = [f"{self._name(j)} (p = {self.p_values[j]:.2g})" for j in self.significant[:12]]
        more = f" and {len(self.significant) - 12} more" if len(self.significant) > 12 else ""
        names = ", ".join(shown) + more if shown else "No feature"
        return [
            f"Significant at {self.level:g}: {names}.",
            f"Over {self.n_splits} split{'s' * (self.n_splits > 1)} the choosing half took {self.sizes.min()} to "
            f"{self.sizes.max()} of {len(self.candidates)} features; the other half tested them by {self._test()}.",
        ]

    def _test(self) -> str:
        return {"t": "t-tests", "likelihood": "likelihood ratios", "wald": "Wald tests"}[self.test]

    def _lottery(self) -> list[str]:
        if self.n_splits == 1:
            return [
                "One split is a lottery: another one would choose and test by other rows, and its p-values may be far "
                "from these. Take n_splits=50."
            ]
        j = int(np.argmin(self.p_values))
        each = self.split_p_values[:, j]
        return [
            f"A single split would have been a lottery: for {self._name(j)} its p-value was between {each.min():.2g} "
            f"and {each.max():.2g}, and at most {self.level:g} in {np.mean(each <= self.level):.0%} of the splits."
        ]

    def _notes(self) -> list[str]:
        notes = [] if self.weights is None else [SENTENCES[self.weights]]
        if self.n_splits < self.n_splits_asked:
            notes.append(f"Interrupted: {self.n_splits} of {self.n_splits_asked} splits were finished and count.")
        if self.n_separated:
            notes.append(f"In {self.n_separated} splits the testing rows separate the classes; they count as p = 1.")
        if len(self.free):
            notes.append(f"Columns without a penalty, in every model and not tested: {len(self.free)}.")
        if self.n_missed:
            notes.append(f"{self.n_missed} fits ended with a relative duality gap above tol.")
        return notes

    def _supposed(self) -> list[str]:
        errors = (
            "the errors are normal with one variance, or rows are many"
            if self.test == "t"
            else "rows are many for each coefficient"
        )
        return [
            f"The chance of any false feature among the significant ones is at most {self.level:g} if: rows are "
            f"independent; the model is linear in these columns; {errors}; and each choosing half takes, with a "
            "chance near 1, every feature that matters. The last cannot be seen in the data: a signal that is missed "
            "lends its effect to correlated columns. A feature that is not significant is not shown to be noise."
        ]


def aggregate(p_values: np.ndarray, gamma_min: float) -> np.ndarray:
    """One p-value for each column from those of dependent splits (rows).

    min(1, (1 - log γ_min) min over γ in [γ_min, 1] of min(1, q_γ / γ)), q_γ the smallest value that a share γ of the
    splits does not exceed. The minimum is at a γ of k / n_splits. One split is taken as it is.

    Examples
    --------
    >>> aggregate(np.array([[0.01, 0.2], [0.01, 1.0], [0.01, 0.4], [0.02, 1.0]]), gamma_min=0.5).round(4).tolist()
    [0.0226, 1.0]
    """
    n = len(p_values)
    if n == 1:
        return p_values[0].copy()
    first = max(int(np.ceil(gamma_min * n * (1 - 1e-12))), 1)
    shares = np.arange(first, n + 1) / n
    best = np.minimum(np.sort(p_values, axis=0)[first - 1 :] / shares[:, None], 1.0).min(axis=0)
    return np.minimum(1.0, (1.0 - np.log(gamma_min)) * best)
