"""What relaxed refits found, with the blends between path and refit."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from shrinkage._check import check_fraction
from shrinkage._errors import ArgumentError, MissingExtraError
from shrinkage._path import CrossValidation, Path
from shrinkage.selection._unpenalized import RefitStatus


@dataclass(frozen=True, eq=False, repr=False)
class Relaxed:
    """A path, the unpenalized refits of its active sets, and what cross-validation says of their blends.

    Attributes
    ----------
    path : Path
        γ = 1.
    refits : scipy.sparse.csc_array of shape (n_features, n_alphas)
        γ = 0, in raw units.
    refit_intercepts : ndarray of shape (n_alphas,)
    status : tuple of RefitStatus
        What kind of answer each refit is.
    gammas : ndarray of shape (n_gammas,)
        Shares of the path in the blends, rising.
    validations : tuple of CrossValidation, or None
        One for each gamma, on the same folds; their paths are that on all rows.
    index_min, index_1se : (int, int) or None
        Places (gamma, alpha) of the lowest mean; and of the largest strength, and of the largest gamma there, whose
        mean is within one standard error of it.
    fold_status : tuple of tuples of RefitStatus, or None
        For each fold, the kinds of its refits.
    """

    path: Path
    refits: sparse.csc_array
    refit_intercepts: np.ndarray
    status: tuple[RefitStatus, ...]
    gammas: np.ndarray
    validations: tuple[CrossValidation, ...] | None = None
    index_min: tuple[int, int] | None = None
    index_1se: tuple[int, int] | None = None
    fold_status: tuple[tuple[RefitStatus, ...], ...] | None = None

    def __repr__(self) -> str:
        return f"<Relaxed: {len(self.gammas)} gammas, {len(self.path.alphas)} strengths; {self.path!r}>"

    def __str__(self) -> str:
        lines = [f"Relaxed fits: {len(self.path.alphas)} strengths, refitted without penalty on their active features."]
        for kind, count in Counter(self.status).items():
            if kind is not RefitStatus.UNIQUE:
                lines.append(f"{count} of {len(self.status)} strengths: {kind.value}.")
        if self.validations is None or self.index_min is None or self.index_1se is None:
            return "\n".join([*lines, "No gamma and no strength were chosen: give cv to choose."])
        for words, (g, t) in (("Lowest mean", self.index_min), ("Within one standard error", self.index_1se)):
            at = self.validations[g]
            lines.append(
                f"{words}: gamma {self.gammas[g]:g}, alpha {self.path.alphas[t]:.4g}, "
                f"{self.path.n_nonzero[t]} features, {at.mean[t]:.4g} ± {at.se[t]:.2g}."
            )
        best = self.validations[-1].mean.min() if self.gammas[-1] == 1 else None
        if best is not None:
            g, t = self.index_min
            lines.append(f"The path alone: {best:.4g} at best; relaxing changes that by {self._gain(best, g, t):+.2%}.")
        odd = sum(kind is not RefitStatus.UNIQUE for kinds in self.fold_status or () for kind in kinds)
        if odd:
            lines.append(f"{odd} refits of the folds are not the only ones; fold_status says which.")
        lines.append("Errors of the chosen pair are a little too low: they were chosen for being low.")
        return "\n".join(lines)

    def _gain(self, best: float, g: int, t: int) -> float:
        assert self.validations is not None
        return float(self.validations[g].mean[t] / best - 1) if best > 0 else 0.0

    @property
    def gamma_min(self) -> float | None:
        """Gamma of the lowest mean."""
        return None if self.index_min is None else float(self.gammas[self.index_min[0]])

    @property
    def alpha_min(self) -> float | None:
        """Strength of the lowest mean."""
        return None if self.index_min is None else float(self.path.alphas[self.index_min[1]])

    @property
    def gamma_1se(self) -> float | None:
        """Gamma of the simplest blend within one standard error."""
        return None if self.index_1se is None else float(self.gammas[self.index_1se[0]])

    @property
    def alpha_1se(self) -> float | None:
        """Strength of the simplest blend within one standard error."""
        return None if self.index_1se is None else float(self.path.alphas[self.index_1se[1]])

    def coef(self, alpha: float, gamma: float = 0.0) -> np.ndarray:
        """Coefficients (n_features,) of a blend, linear in alpha between strengths of the grid.

        Parameters
        ----------
        alpha : float within the path
        gamma : float in [0, 1]
            0 is the refit, 1 the path.
        """
        return self._blend(gamma).coef(alpha)

    def intercept(self, alpha: float, gamma: float = 0.0) -> float:
        """Intercept of a blend; arguments as `coef`."""
        return self._blend(gamma).intercept(alpha)

    def predict(self, X: ArrayLike, alpha: float, gamma: float = 0.0, offset: ArrayLike | None = None) -> np.ndarray:
        """Mean response (n_samples,) of a blend, whose linear predictors are averaged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), dense, sparse or a table
        alpha, gamma : float
            As `coef`.
        offset : array-like of shape (n_samples,), optional
        """
        return self._blend(gamma).predict(X, alpha, offset)

    def to_frame(self) -> Any:
        """One row per gamma and strength, in pandas: gamma, alpha, n_nonzero, status of the refit, mean, se."""
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError("Relaxed.to_frame needs pandas: pip install pandas") from error
        frames = []
        for g, gamma in enumerate(self.gammas):
            columns: dict[str, Any] = {"gamma": gamma, "alpha": self.path.alphas, "n_nonzero": self.path.n_nonzero}
            columns["status"] = [kind.name for kind in self.status]
            if self.validations is not None:
                columns |= {"mean": self.validations[g].mean, "se": self.validations[g].se}
            frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True)

    def p_values(self) -> NoReturn:
        """Refuse: features chosen by y have no p-values from a refit on the same y.

        Raises
        ------
        ArgumentError
            Always, with what to use instead.
        """
        raise ArgumentError(
            "p_values of a refit are not p-values: its features were chosen by the same y, so that standard errors of "
            "least squares are too small. Use debiased_lasso with adjust='holm', or test on rows that did not choose"
        )

    def _blend(self, gamma: float) -> Path:
        check_fraction("gamma", gamma)
        gamma = float(gamma)
        if gamma == 1:
            return self.path
        coefs = sparse.csc_array(gamma * self.path.coefs + (1 - gamma) * self.refits)
        unknown = np.full(len(self.path.alphas), np.nan)
        shifts = gamma * self.path.intercepts + (1 - gamma) * self.refit_intercepts
        return replace(self.path, coefs=coefs, intercepts=shifts, gaps=unknown, kkt=unknown)
