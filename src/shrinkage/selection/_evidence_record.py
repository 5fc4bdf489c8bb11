"""What the evidence says of a strength, in numbers and in sentences, and beside cross-validation."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage._path import CrossValidation
from shrinkage.penalties import L1, L2
from shrinkage.selection._bayesian_lasso import MonteCarlo


@dataclass(frozen=True, eq=False, repr=False)
class Evidence:
    """The strength that makes the data most probable, with all weights integrated out.

    Attributes
    ----------
    prior : "normal" or "laplace"
    loss : "squared" or "logistic"
    alpha : float, or ndarray of shape (n_groups,)
        The strength, in our unit: of `L2` for a normal prior, of `L1` for a Laplace one. inf where the evidence grows
        toward no effect at all, 0 where it grows toward no penalty.
    log_alpha_se : float, or ndarray of shape (n_groups,)
        Standard error of log(alpha), from the curvature of the log evidence at its peak; nan where alpha is 0 or inf.
    dispersion : float
        φ: the noise variance that goes with alpha; 1 for logistic loss.
    gamma : float, or ndarray of shape (n_groups,)
        Effective number of parameters, Σ d² / (d² + S α): directions that the data, not the prior, decide. For a
        Laplace prior the number of non-zero coefficients.
    log_evidence : float
        log p(y) at alpha; the flat priors of intercept and free columns have density 1. nan for a Laplace prior, whose
        evidence has no closed form.
    coef : ndarray of shape (n_features,)
        The most probable coefficients at alpha, in the raw units of X.
    intercept : float
    alphas, curve, gammas : ndarray of shape (n_alphas,)
        Log evidence and effective number of parameters over strengths, largest first; empty for groups and for a
        Laplace prior.
    n_samples : float
        S, the sum of the weights.
    factors, scale : ndarray of shape (n_features,), or None
        Penalty factors, and what standardizing measures columns by.
    groups : tuple of tuple of int, or None
    monte_carlo : MonteCarlo or None
        Of a Laplace prior: posterior means, Monte Carlo error, how the sampler ended.
    feature_names : tuple of str or None
    """

    prior: str
    loss: str
    alpha: Any
    log_alpha_se: Any
    dispersion: float
    gamma: Any
    log_evidence: float
    coef: np.ndarray
    intercept: float
    alphas: np.ndarray
    curve: np.ndarray
    gammas: np.ndarray
    n_samples: float
    factors: np.ndarray | None = None
    scale: np.ndarray | None = None
    groups: tuple[tuple[int, ...], ...] | None = None
    monte_carlo: MonteCarlo | None = None
    feature_names: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        alpha = f"{self.alpha:.4g}" if self.groups is None else f"{len(self.groups)} groups"
        return f"<Evidence: {self.prior} prior, alpha {alpha}, {self.loss} loss, n_samples {self.n_samples:g}>"

    def __str__(self) -> str:
        lines = self._of_groups() if self.groups is not None else [self._strength(), self._parameters()]
        if self.loss == "squared":
            lines.append(f"The noise has a variance of {self.dispersion:.4g}, with which the prior is read.")
        if self.monte_carlo is not None:
            lines.append(self._sampled(self.monte_carlo))
        elif self.loss == "logistic":
            lines.append("The evidence is Laplace's approximation: of each posterior by a normal density at its peak.")
        return "\n".join(lines)

    @property
    def penalty(self) -> Any:
        """The penalty at this strength: an `L2` or `L1`, with the groups' strengths as factors.

        Raises
        ------
        ArgumentError
            If a strength is 0 or inf, for which there is none.
        """
        strengths = np.atleast_1d(self.alpha)
        if not (np.isfinite(strengths) & (strengths > 0)).all():
            raise ArgumentError(f"a penalty needs strengths that are finite and > 0; the evidence's are {self.alpha}")
        kind = L1 if self.prior == "laplace" else L2
        if self.groups is None:
            return kind(float(self.alpha), self.factors)
        factors = np.zeros(len(self.coef))
        for group, strength in zip(self.groups, strengths, strict=True):
            factors[list(group)] = strength
        factors *= 1.0 if self.factors is None else self.factors
        return kind(1.0, factors)

    @property
    def distribution(self) -> Any:
        """The prior itself, a frozen distribution of scipy.stats; `shrinkage.priors.to_distribution` of the penalty."""
        from shrinkage.priors import to_distribution  # which loads scipy.stats

        return to_distribution(self.penalty, self.n_samples, self.dispersion, len(self.coef), self.scale)

    def compare(self, cross_validation: CrossValidation) -> "EvidenceComparison":
        """Say what cross-validation on the same data thinks of this strength.

        Parameters
        ----------
        cross_validation : CrossValidation
            Of the same loss, with l1_ratio 0 for a normal prior and 1 for a Laplace one.

        Returns
        -------
        EvidenceComparison

        Raises
        ------
        ArgumentError
            If there are several strengths here, or the other penalty or loss was cross-validated.
        """
        cv = cross_validation
        if not isinstance(cv, CrossValidation):
            raise ArgumentError(f"cross_validation must be a CrossValidation; got {type(cv).__name__}")
        if cv.score != "deviance":
            raise ArgumentError(
                f"cross_validation must have score='deviance', which evidence speaks of; got {cv.score!r}"
            )
        if self.groups is not None:
            raise ArgumentError("cross-validation has one strength, this evidence one for each group: compare coef")
        ratio = 1.0 if self.prior == "laplace" else 0.0
        if cv.path.l1_ratio != ratio or cv.path.loss.name != self.loss:
            raise ArgumentError(
                f"cross_validation must be of l1_ratio={ratio:g} and loss='{self.loss}', as this evidence is; got "
                f"l1_ratio={cv.path.l1_ratio:g} and loss='{cv.path.loss.name}'"
            )
        places = np.log(np.maximum(cv.alphas[::-1], 1e-300))
        inside = cv.alphas[-1] <= self.alpha <= cv.alphas[0]
        at = float(np.clip(self.alpha, cv.alphas[-1], cv.alphas[0]))
        mean = float(np.interp(np.log(max(at, 1e-300)), places, cv.mean[::-1]))
        best = float(cv.mean[cv.index_min])
        return EvidenceComparison(
            float(self.alpha), float(self.log_alpha_se), cv.alpha_min, cv.alpha_1se, mean, best,
            float(cv.se[cv.index_min]), bool(inside),
        )  # fmt: skip

    def _strength(self) -> str:
        told = {"normal": "A normal prior", "laplace": "A Laplace prior"}[self.prior]
        if self.alpha == np.inf:
            return (
                f"{told} is best without any width: the evidence grows with alpha as far as it was followed, and says "
                "that no penalized column predicts y."
            )
        if self.alpha == 0:
            return f"{told} is best without bound: the evidence grows toward no penalty, alpha = 0."
        low, high = np.exp(np.log(self.alpha) + np.array([-1.96, 1.96]) * self.log_alpha_se)
        about = f", between {low:.3g} and {high:.3g} by its curvature (95 %)" if np.isfinite(low + high) else ""
        value = "" if np.isnan(self.log_evidence) else f" The log evidence there is {self.log_evidence:.2f}."
        return f"{told} explains the data best at alpha = {self.alpha:.4g}{about}.{value}"

    def _parameters(self) -> str:
        columns = len(self.coef) if self.factors is None else int((self.factors > 0).sum())
        if self.prior == "laplace":
            return f"The lasso at that strength keeps {self.gamma:g} of {columns} coefficients."
        return f"The data decide {self.gamma:.2f} of {columns} coefficients' worth; the prior decides the rest."

    def _of_groups(self) -> list[str]:
        lines = [
            "One normal prior for each group, at a peak of the evidence (it may have others); the log evidence there "
            f"is {self.log_evidence:.2f}."
        ]
        for g, group in enumerate(self.groups or ()):
            columns = f"group {g} ({len(group)} column{'s' if len(group) > 1 else ''})"
            if np.isinf(self.alpha[g]):
                lines.append(f"{columns}: switched off; the evidence is highest without it.")
                continue
            error = f", log ± {self.log_alpha_se[g]:.2f}" if np.isfinite(self.log_alpha_se[g]) else ""
            lines.append(f"{columns}: alpha = {self.alpha[g]:.4g}{error}; the data decide {self.gamma[g]:.2f}.")
        return lines

    @staticmethod
    def _sampled(sampled: MonteCarlo) -> str:
        source = "a generator that was given" if sampled.seed is None else f"seed {sampled.seed}"
        ended = f" The sampler did not end by itself: {sampled.stopped}." if sampled.stopped else ""
        return (
            f"Found by Monte Carlo EM in {len(sampled.trace) - 1} rounds, the last of {sampled.draws:,} draws, with "
            f"{source}: log(alpha) has a Monte Carlo error of {sampled.error:.2g}.{ended}"
        )


@dataclass(frozen=True)
class EvidenceComparison:
    """The strength of the evidence beside those of cross-validation.

    Attributes
    ----------
    alpha, log_alpha_se : float
        Of the evidence.
    alpha_min, alpha_1se : float
        Of cross-validation.
    mean : float
        Held-out error at the evidence's strength (at the end of the grid where it lies outside), linear in log(alpha).
    best, se : float
        The lowest held-out error and its standard error.
    inside : bool
        Whether the evidence's strength lies within the grid.
    """

    alpha: float
    log_alpha_se: float
    alpha_min: float
    alpha_1se: float
    mean: float
    best: float
    se: float
    inside: bool

    @property
    def ratio(self) -> float:
        """The strength divided by alpha_min."""
        return self.alpha / self.alpha_min if self.alpha_min > 0 else np.inf

    @property
    def as_good(self) -> bool:
        """Whether the held-out error at the evidence's strength is within one standard error of the lowest."""
        return bool(self.mean <= self.best + (self.se if np.isfinite(self.se) else 0.0))

    def __str__(self) -> str:
        outside = "" if self.inside else ", which lies outside the grid of cross-validation"
        verdict = "within" if self.as_good else "more than"
        far = ""
        if self.log_alpha_se > 0 and 0 < self.ratio < np.inf:
            far = f", {abs(np.log(self.ratio)) / self.log_alpha_se:.1f} standard errors of the evidence away"
        return (
            f"The evidence chooses alpha = {self.alpha:.4g}{outside}; cross-validation {self.alpha_min:.4g} (min) and "
            f"{self.alpha_1se:.4g} (1-SE).\n"
            f"The ratio to min is {self.ratio:.3g}{far}.\n"
            f"Held out, the evidence's strength has an error of {self.mean:.4g}, {verdict} one standard error "
            f"({self.se:.2g}) {'of' if self.as_good else 'above'} the lowest, {self.best:.4g}."
        )
