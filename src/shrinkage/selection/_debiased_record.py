"""What a debiased lasso found, and what has to hold for it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from shrinkage._check import check_fraction
from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage.selection._row_weights import SENTENCES

ADJUSTMENTS = ("holm", "bonferroni", "bh", "by")
SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class DebiasedLasso:
    """Coefficients of the lasso with their bias removed, with standard errors, intervals and p-values.

    Attributes
    ----------
    features : ndarray of shape (m,), integer
        Columns of X, in the order of every array below.
    names : tuple of str
    coef : ndarray of shape (m,)
        Debiased, in the raw units of X; NaN for columns that cannot be told apart from others (see `identified`).
    lasso_coef : ndarray of shape (m,)
        Before.
    se : ndarray of shape (m,)
        Standard errors; inf where not identified.
    lower, upper : ndarray of shape (m,)
        Ends of the intervals, each for its own coefficient alone.
    p_values : ndarray of shape (m,)
        Two-sided, of the hypothesis that the coefficient is 0; 1 where not identified.
    adjusted_p_values : ndarray of shape (m,) or None
        By `adjust`, over the m features.
    identified : ndarray of shape (m,), bool
        False for a constant column, and where some other column moves at least 0.95 times as much in the direction
        that was to be the column's own; with nodewise_alpha=0 also where others explain the column exactly.
    bias_factors : ndarray of shape (m,)
        η_j: the bias left is at most η_j ‖w_lasso - w_true‖₁ / sigma standard errors (columns in standard units).
    nodewise_alphas : ndarray of shape (m,)
        Strengths of the nodewise lasso, for columns in standard units.
    confidence : float
    adjust : str or None
    alpha : float
        Strength of the lasso on y, for columns in standard units.
    sigma : float
        Deviation of the noise; 1 for logistic.
    sigma_from : str
        Where it comes from, in words.
    n_selected : int
        Nonzero coefficients of the lasso.
    n_samples : float
        Sum of the sample weights; of precisions the number of rows with a positive one.
    n_features : int
    loss : str
    robust : bool
    weights : "counts", "precisions" or None
        What sample weights were taken for; None where there are none.
    """

    features: np.ndarray
    names: tuple[str, ...]
    coef: np.ndarray
    lasso_coef: np.ndarray
    se: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p_values: np.ndarray
    adjusted_p_values: np.ndarray | None
    identified: np.ndarray
    bias_factors: np.ndarray
    nodewise_alphas: np.ndarray
    confidence: float
    adjust: str | None
    alpha: float
    sigma: float
    sigma_from: str
    n_selected: int
    n_samples: float
    n_features: int
    loss: str
    robust: bool
    weights: str | None = None

    def __repr__(self) -> str:
        return (
            f"<DebiasedLasso: {len(self.features)} of {self.n_features} coefficients, {self.n_samples:g} rows, "
            f"{self.loss} loss, {self.confidence:.0%} intervals>"
        )

    def __str__(self) -> str:
        return "\n".join([*self._table(), "", *self._assumptions()])

    def intervals(self, confidence: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends (m,) at another level.

        Parameters
        ----------
        confidence : float in (0, 1)
        """
        return ends(self.coef, self.se, confidence)

    def to_frame(self) -> Any:
        """One row per feature, in pandas, indexed by name."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("DebiasedLasso.to_frame needs pandas: pip install pandas") from error
        columns = ["coef", "se", "lower", "upper", "p_values", "adjusted_p_values", "lasso_coef", "identified"]
        kept = {name: getattr(self, name) for name in columns if getattr(self, name) is not None}
        return pd.DataFrame(kept, index=pd.Index(self.names, name="feature"))

    def _table(self) -> list[str]:
        p_values = self.p_values if self.adjusted_p_values is None else self.adjusted_p_values
        order = np.argsort(p_values, kind="stable")[:SHOWN]
        of = f"the {len(order)} smallest p-values of {len(self.features)}" if len(order) < len(self.features) else "all"
        width = max([len("feature"), *(len(self.names[k]) for k in order)])
        column = "p" if self.adjust is None else f"p ({self.adjust})"
        lines = [
            f"Debiased lasso, {self.loss} loss: {self.n_samples:g} rows, {self.n_features} features; {of}.",
            f"{'feature':<{width}} {'lasso':>10} {'debiased':>10} {f'{self.confidence:.0%} interval':>24} {column:>10}",
        ]
        for k in order:
            interval = f"[{self.lower[k]:.4g}, {self.upper[k]:.4g}]"
            lines.append(
                f"{self.names[k]:<{width}} {self.lasso_coef[k]:>10.4g} {self.coef[k]:>10.4g} {interval:>24} "
                f"{p_values[k]:>10.2g}"
            )
        lost = int((~self.identified).sum())
        if lost:
            lines.append(f"{lost} of {len(self.features)} cannot be told apart from other columns, or are constant.")
        return lines

    def _assumptions(self) -> list[str]:
        sparse = f"1. The truth is sparse: far fewer nonzero coefficients than √n / log p = {self._most_nonzero():.2g}"
        sparse += f" (the lasso has {self.n_selected}); small ones beyond count into the errors as bias."
        rows = "2. Each feature depends on few of the others, given the rest (sparse rows of the precision matrix)."
        if self.loss == "logistic":
            errors = "3. Rows are independent and the logistic model is right"
            errors += "; standard errors are of the sandwich form, which needs the linear predictor right, not more."
            errors = errors if self.robust else f"{errors.split(';')[0]}."
        elif self.robust:
            errors = "3. Errors are independent with mean 0; their variance may differ from row to row (sandwich form)."
        else:
            errors = f"3. Errors are independent, normal or nearly so, of one deviation: {self.sigma:.4g}, from "
            errors += f"{self.sigma_from}."
        one = "4. An interval holds for a feature named before seeing y. For the best of many read adjusted p-values"
        one += "." if self.adjust is None else f", here by {self.adjust} over {len(self.features)} features."
        return [
            *([] if self.weights is None else [SENTENCES[self.weights]]),
            "What has to hold:",
            sparse,
            rows,
            errors,
            one,
            "Coverage is of large samples, lower for large effects.",
        ]

    def _most_nonzero(self) -> float:
        return float(np.sqrt(self.n_samples) / np.log(max(self.n_features, 2)))


def ends(coef: np.ndarray, se: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends of normal intervals; from -inf to inf where the standard error is inf."""
    check_fraction("confidence", confidence)
    if confidence in (0, 1):
        raise ArgumentError(f"confidence must be between 0 and 1, such as 0.95; got {confidence}")
    reach = stats.norm.ppf(0.5 + 0.5 * float(confidence)) * se
    center = np.where(np.isfinite(se), coef, 0.0)
    return center - reach, center + reach


def adjusted(p_values: np.ndarray, adjust: str) -> np.ndarray:
    """P-values adjusted over all of them.

    Holm (1979) and Bonferroni bound the chance of one false rejection; Benjamini & Hochberg (1995, "bh", for
    independent or positively dependent tests) and Benjamini & Yekutieli (2001, "by", for any) the share of false ones.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, 0.03]), "holm").round(4)
    array([0.03, 0.06, 0.06])
    """
    m = len(p_values)
    if adjust in ("bh", "by"):
        return np.asarray(stats.false_discovery_control(p_values, method=adjust))
    if adjust == "bonferroni":
        return np.minimum(1.0, m * p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate((m - np.arange(m)) * p_values[order])
    out = np.empty(m)
    out[order] = np.minimum(1.0, stepped)
    return out
