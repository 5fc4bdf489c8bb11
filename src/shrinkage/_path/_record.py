"""The record of a path: what selection, pictures and reports read."""

from dataclasses import dataclass
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from shrinkage._check import finite_vector
from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage.design import Design, as_design, check_finite
from shrinkage.losses import JointLoss, Loss, Multinomial
from shrinkage.problem import Problem, class_offset
from shrinkage.solvers import Ending, Status


@dataclass(frozen=True, eq=False, repr=False)
class Path:
    """Coefficients at many strengths, each with its certificate.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths, largest first.
    coefs : scipy.sparse.csc_array of shape (n_features, n_alphas), or (n_outputs n_features, n_alphas), float64
        In the raw units of X, also where columns were standardized; float64 also where X is float32. Of several classes
        those of the first come first.
    intercepts : ndarray of shape (n_alphas,), or (n_outputs, n_alphas)
    gaps : ndarray of shape (n_alphas,)
        Duality gaps, in the objective's unit: the objective is at most this far from its minimum. nan for MCP and SCAD,
        which are not convex: `kkt` certifies that no small step leads down.
    kkt : ndarray of shape (n_alphas,)
        Largest violations of the optimality conditions, in the gradient's unit.
    status : tuple of Status
    n_passes : int
        Products of all of X with a block of vectors that the path took.
    null_objective : float
        Objective of the model with intercept and free columns only; gaps are judged relative to it.
    loss : Loss, JointLoss or Multinomial
    l1_ratio : float
        nan for a penalty that is no elastic net.
    classes : tuple or None
        The values of y, sorted: of two, for logistic, the second counts as 1; None for a regression.
    feature_names : tuple of str or None
    problem : Problem or None
        What was minimized, with its data, which criteria and leave-one-out read. It refers to X and y without copying
        them, and is left out of pickles and copies: they, and the paths of estimators, have None.
    ending : Ending
        Why the path ends where it does: `Ending.GRID`, or what `stop="auto"` met; its value is a sentence.
    has_offset : bool
        Whether an offset that is not 0 everywhere was part of the fit; predictions then need one too.
    """

    alphas: np.ndarray
    coefs: sparse.csc_array
    intercepts: np.ndarray
    gaps: np.ndarray
    kkt: np.ndarray
    status: tuple[Status, ...]
    n_passes: int
    null_objective: float
    loss: Loss | JointLoss | Multinomial
    l1_ratio: float
    classes: tuple | None = None
    feature_names: tuple[str, ...] | None = None
    problem: Problem | None = None
    ending: Ending = Ending.GRID
    has_offset: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """All but the data: a stored path is as large as its coefficients."""
        return {name: value for name, value in self.__dict__.items() if name != "problem"}

    def __repr__(self) -> str:
        missed = sum(status in (Status.GAP_ABOVE_TOL, Status.KKT_ABOVE_TOL) for status in self.status)
        mixing = "" if np.isnan(self.l1_ratio) else f"l1_ratio {self.l1_ratio:g}, "
        certified = f"relative gap {self.relative_gaps.max():.1e}"
        if np.isnan(self.gaps).any():
            certified = f"violation {self.kkt.max():.1e}"
        return (
            f"<Path: {len(self.alphas)} strengths from {self.alphas[0]:.4g} to {self.alphas[-1]:.4g}, "
            f"{self._n_features} features, {mixing}{self.loss.name} loss, "
            f"largest {certified}{f', {missed} above tol' if missed else ''}>"
        )

    @property
    def n_outputs(self) -> int:
        """Linear predictors of a row: the number of classes of a multinomial path, else 1."""
        return len(self.intercepts) if self.intercepts.ndim == 2 else 1

    @property
    def n_nonzero(self) -> np.ndarray:
        """(n_alphas,) number of non-zero coefficients."""
        return np.diff(self.coefs.indptr)

    @property
    def relative_gaps(self) -> np.ndarray:
        """(n_alphas,) gaps over the objective of the null model; where that is 0, the gaps."""
        return self.gaps / self.null_objective if self.null_objective > 0 else self.gaps

    def coef(self, alpha: float) -> np.ndarray:
        """Coefficients (n_features,) at one strength, linear in alpha between strengths of the grid.

        Of several classes (n_outputs, n_features).

        Raises
        ------
        ArgumentError
            If alpha lies outside the grid.
        """
        low, high, share = self._place(alpha)
        coef = (1 - share) * self.coefs[:, [low]].toarray()[:, 0] + share * self.coefs[:, [high]].toarray()[:, 0]
        return coef if self.n_outputs == 1 else coef.reshape((self.n_outputs, -1))

    def intercept(self, alpha: float) -> Any:
        """Intercept at one strength, linear in alpha between strengths of the grid; of several classes (n_outputs,)."""
        low, high, share = self._place(alpha)
        level = (1 - share) * self.intercepts[..., low] + share * self.intercepts[..., high]
        return float(level) if self.n_outputs == 1 else level

    def predict(self, X: ArrayLike, alpha: float, offset: ArrayLike | None = None) -> np.ndarray:
        """Mean response (n_samples,) at one strength; for logistic the probability of the second class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dense, sparse or a table
        alpha : float within the grid
        offset : array-like of shape (n_samples,), or (n_samples, n_outputs), optional
            Added to the linear predictor. A path fitted with an offset needs that of the new rows; 0 for none.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Also where X is float32. Of a multinomial path (n_samples, n_outputs), the probabilities of the classes.

        Raises
        ------
        ArgumentError
            If alpha lies outside the grid, the columns are not those of the fit, or the fit had an offset and this call
            has none.
        DataError
            If a value of X is NaN or infinite, also in a column whose coefficient is zero.
        """
        design = as_design(X)
        if offset is None and self.has_offset:
            raise ArgumentError("the path was fitted with an offset: give that of these rows as offset=, 0 for none")
        self._check_columns(design)
        check_finite(design)
        coef = self.coef(alpha).reshape((self.n_outputs, -1)).T
        support = np.flatnonzero(coef.any(axis=1))
        eta = design.combine(support, np.asfortranarray(coef[support])) + self.intercept(alpha)
        eta = eta if self.n_outputs > 1 else eta[:, 0]
        if offset is None or (np.ndim(offset) == 0 and offset == 0):
            return self.loss.inverse_link(eta)
        if self.n_outputs > 1:
            return self.loss.inverse_link(eta + class_offset(offset, eta.shape))
        return self.loss.inverse_link(eta + finite_vector("offset", offset, len(eta)))

    def to_frame(self) -> Any:
        """One row per strength, in pandas: alpha, intercept, n_nonzero, gap, kkt, status, and a column per feature.

        Of several classes an intercept and the features for each, their names after the class and a colon.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("Path.to_frame needs pandas: pip install pandas") from error
        names = self.feature_names or tuple(f"x{j}" for j in range(self._n_features))
        intercepts = {"intercept": self.intercepts}
        if self.n_outputs > 1:
            labels = self.classes or tuple(range(self.n_outputs))
            intercepts = {f"{k}:intercept": row for k, row in zip(labels, self.intercepts, strict=True)}
            names = tuple(f"{k}:{name}" for k in labels for name in names)
        summary = pd.DataFrame(
            {
                "alpha": self.alphas,
                **intercepts,
                "n_nonzero": self.n_nonzero,
                "gap": self.gaps,
                "kkt": self.kkt,
                "status": [s.name for s in self.status],
            }
        )
        return pd.concat([summary, pd.DataFrame(self.coefs.toarray().T, columns=list(names))], axis=1)

    @property
    def _n_features(self) -> int:
        return cast(tuple[int, int], self.coefs.shape)[0] // self.n_outputs

    def _check_columns(self, design: Design) -> None:
        """Refuse another number of columns; where both have names, other names or another order."""
        if design.shape[1] != self._n_features:
            raise ArgumentError(f"X must have {self._n_features} columns, as in the fit; got {design.shape[1]}")
        if self.feature_names is None or design.feature_names is None:
            return
        for j, (mine, given) in enumerate(zip(self.feature_names, design.feature_names, strict=True)):
            if mine != given:
                raise ArgumentError(
                    f"X must have the columns of the fit, in their order; column {j} is {given!r}, "
                    f"in the fit it is {mine!r}"
                )

    def _place(self, alpha: float) -> tuple[int, int, float]:
        if isinstance(alpha, bool) or not isinstance(alpha, Real):
            raise ArgumentError(f"alpha must be one number; got {alpha!r}")
        alpha, first, last = float(alpha), float(self.alphas[0]), float(self.alphas[-1])
        if not last * (1 - 1e-12) <= alpha <= first * (1 + 1e-12):
            raise ArgumentError(f"alpha must lie within the path, {last:.6g} to {first:.6g}; got {alpha!r}")
        high = int(np.searchsorted(-self.alphas, -alpha, side="left"))
        high = min(high, len(self.alphas) - 1)
        if self.alphas[high] == alpha or high == 0:
            return high, high, 0.0
        low = high - 1
        return low, high, float((self.alphas[low] - alpha) / (self.alphas[low] - self.alphas[high]))
