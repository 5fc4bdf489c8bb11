"""The record of a stability selection: what was chosen, what is bounded, and what that does not say."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.selection._stability_bounds import (
    ASSUMPTIONS,
    expected_low_choices,
    smallest_threshold,
    threshold_step,
)

_SUPPOSED = {
    "none": "with nothing supposed of them",
    "unimodal": "supposing of each of them that the share of pairs whose halves both choose it has a single peak",
    "r-concave": "supposing of each of them that the share of pairs whose halves both choose it is distributed "
    "-1/2-concave, and that of the halves that choose it -1/4-concave",
}


@dataclass(frozen=True, eq=False, repr=False)
class StabilitySelection:
    """How often each feature is chosen on half of the rows, and which are chosen often enough.

    Attributes
    ----------
    frequencies : ndarray of shape (n_features,)
        Share of the half-samples that choose each feature; NaN for columns that cannot be chosen.
    selected : ndarray of integers
        Features with a frequency of at least `threshold`, most frequent first.
    threshold : float
    q : float
        Features that a half-sample chooses: at most, where it was asked for or found; on average, for a strength.
    bound : float
        No more of `selected` than this are expected to be features with a selection probability of at most `theta`.
    theta : float
        q / n_candidates.
    bounds : dict
        The same under each assumption.
    assumption : {"none", "unimodal", "r-concave"}
    asked : tuple of str
        The two of q, alpha, threshold and bound that were given.
    asked_bound : float or None
    alphas : ndarray of shape (n_alphas,)
        The strengths that half-samples went through, largest first.
    paths : scipy.sparse.csr_array of shape (n_features, n_alphas)
        Share of the half-samples that have chosen each feature by each strength; the last column is `frequencies`.
    chosen : scipy.sparse.csc_array of shape (n_features, 2 * n_pairs), bool
        What each half-sample chose; columns 2b and 2b + 1 are a pair.
    n_pairs, n_pairs_asked : int
        Fewer than asked after an interruption.
    candidates : ndarray of integers
        Columns that can be chosen: those that are penalized and vary.
    free : ndarray of integers
        Columns without a penalty: in every model, judged by none.
    n_missed : int
        Fits whose relative duality gap is above tol.
    loss : str
    feature_names : tuple of str or None
    """

    frequencies: np.ndarray
    selected: np.ndarray
    threshold: float
    q: float
    bound: float
    theta: float
    bounds: dict
    assumption: str
    asked: tuple[str, ...]
    asked_bound: float | None
    alphas: np.ndarray
    paths: sparse.csr_array
    chosen: sparse.csc_array
    n_pairs: int
    n_pairs_asked: int
    candidates: np.ndarray
    free: np.ndarray
    n_missed: int
    loss: str
    feature_names: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return (
            f"<StabilitySelection: {len(self.selected)} of {len(self.candidates)} features at threshold "
            f"{self.threshold:g}, q {self.q:.4g}, {self.n_pairs} pairs; bound {self.bound:.3g} ({self.assumption})>"
        )

    @property
    def selection_sizes(self) -> np.ndarray:
        """(2 * n_pairs,) number of features that each half-sample chose."""
        return np.diff(self.chosen.indptr)

    @property
    def simultaneous(self) -> np.ndarray:
        """(n_features,) share of the pairs both halves of which choose a feature."""
        first, second = self.chosen[:, 0::2].astype(np.int64), self.chosen[:, 1::2].astype(np.int64)
        return np.asarray((first * second).sum(axis=1)).ravel() / self.n_pairs

    def judge(
        self, threshold: float | None = None, bound: float | None = None, assumption: str | None = None
    ) -> "StabilitySelection":
        """The same half-samples read with another threshold, or another bound, or another assumption.

        Parameters
        ----------
        threshold : float in (0.5, 1], optional
        bound : float > 0, optional
            Instead of a threshold: the smallest one that keeps it is taken.
        assumption : {"none", "unimodal", "r-concave"}, optional

        Returns
        -------
        StabilitySelection

        Notes
        -----
        Bounds hold for a threshold that was not chosen by looking at who passes it.
        """
        assumption = self.assumption if assumption is None else assumption
        check_choice("assumption", assumption, ASSUMPTIONS)
        if threshold is not None and bound is not None:
            raise ArgumentError(f"give threshold or bound, not both; got threshold={threshold}, bound={bound}")
        if bound is not None:
            check_positive("bound", bound)
            threshold = smallest_threshold(self.q, len(self.candidates), bound, self.n_pairs, assumption)
        threshold = self.threshold if threshold is None else check_threshold(threshold)
        how = "alpha" if "alpha" in self.asked else "q"
        asked = self.asked if threshold == self.threshold else (how, "threshold" if bound is None else "bound")
        return replace(
            self, **verdict(self.frequencies, self.q, len(self.candidates), threshold, self.n_pairs, assumption),
            asked=asked, asked_bound=bound,
        )  # fmt: skip

    def __str__(self) -> str:
        p, halves = len(self.candidates), 2 * self.n_pairs
        return "\n".join(
            [
                f"{self._names()} chosen by at least {threshold_step(self.threshold, self.n_pairs)} of {halves} "
                f"half-samples (threshold {self.threshold:g}).",
                *self._notes(),
                f"A half-sample chooses {self._half(p)}: a share theta = {self.theta:.3g}.",
                f"What is bounded: among the features that half-samples choose with a probability of at most theta, "
                f"{self.bound:.3g} or fewer are expected here, {_SUPPOSED[self.assumption]}.",
                "Bounds by assumption: "
                + ", ".join(f"{name} {value:.3g}" for name, value in self.bounds.items())
                + ".",
                "What is not said: that only so many are noise. Noise can be chosen more often than theta, as a column "
                "that stands in for a signal it is correlated with is. Only where noise features are exchangeable, and "
                "are chosen no more often than by chance, is it also a bound on the number of noise features chosen.",
            ]
        )

    def _names(self) -> str:
        if not len(self.selected):
            return "No feature is"
        label = [str(j) if self.feature_names is None else self.feature_names[j] for j in self.selected[:12]]
        shown = [f"{name} ({self.frequencies[j]:.2f})" for name, j in zip(label, self.selected[:12], strict=True)]
        more = f" and {len(self.selected) - 12} more" if len(self.selected) > 12 else ""
        count = "1 feature is" if len(self.selected) == 1 else f"{len(self.selected)} features are"
        return f"{', '.join(shown)}{more}: {count}"

    def _half(self, p: int) -> str:
        if "alpha" in self.asked:
            return f"{self.q:.3g} of {p} features on average (an estimate, whose error the bound leaves out)"
        return f"at most {self.q:g} of {p} features, the first on its path"

    def _notes(self) -> list[str]:
        notes = []
        if self.n_pairs < self.n_pairs_asked:
            notes.append(f"Interrupted: {self.n_pairs} of {self.n_pairs_asked} pairs were finished and count.")
        if self.asked_bound is not None and self.bound > self.asked_bound * (1 + 1e-12):
            notes.append(f"The bound asked for, {self.asked_bound:g}, is not kept by so few pairs.")
        if len(self.free):
            notes.append(f"Columns without a penalty, in every model and not judged: {len(self.free)}.")
        if self.n_missed:
            notes.append(f"{self.n_missed} fits ended with a relative duality gap above tol.")
        return notes


def verdict(
    frequencies: np.ndarray, q: float, n_candidates: int, threshold: float, n_pairs: int, assumption: str
) -> dict:
    """Who passes, and the bounds: the fields of a record that depend on the threshold."""
    least = threshold_step(threshold, n_pairs) / (2 * n_pairs)
    passed = np.flatnonzero(np.nan_to_num(frequencies) >= least * (1 - 1e-12))
    bounds = {name: expected_low_choices(q, n_candidates, threshold, n_pairs, name) for name in ASSUMPTIONS}
    return {
        "selected": passed[np.argsort(-frequencies[passed], kind="stable")],
        "threshold": float(threshold),
        "bound": bounds[assumption],
        "bounds": bounds,
        "assumption": assumption,
        "theta": q / n_candidates,
    }


def check_threshold(threshold) -> float:
    """Refuse a threshold for which no theorem holds."""
    check_positive("threshold", threshold)
    if not 0.5 < threshold <= 1:
        raise ArgumentError(f"threshold must be above 0.5 and at most 1, or nothing is bounded; got {threshold}")
    return float(threshold)
