"""Information criteria of every fit of a path, with the degrees of freedom it spends and the noise as it is known."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import gammaln, xlogy

from shrinkage._check import check_choice, check_fraction
from shrinkage._errors import ArgumentError
from shrinkage._path import CrossValidation, Path
from shrinkage.losses import NegativeBinomial
from shrinkage.problem import Problem, row_loss
from shrinkage.selection._degrees_of_freedom import degrees_of_freedom, fitted_path, linear_predictors, supports_of
from shrinkage.selection._dispersion import Dispersion, dispersion_of
from shrinkage.selection._ridge_spectrum import ridge_spectrum
from shrinkage.selection._row_weights import SENTENCES, meaning_of

Array = np.ndarray

CRITERIA = ("aic", "aicc", "bic", "ebic", "gcv")
"""What weighs fit against degrees of freedom, without rows held out."""
ROOM = 0.5
"""AIC, BIC and EBIC of an unknown noise variance, and of logistic fits, are refused above this share of n."""
GCV_ROOM = 0.9
"""GCV of fits that select columns is refused above this share of n."""


@dataclass(frozen=True, eq=False, repr=False)
class InformationCriteria:
    """Criteria of every strength of a path; lower is better, NaN where a criterion is refused. `print` explains.

    Attributes
    ----------
    alphas, df : ndarray of shape (n_alphas,)
        Strengths, and degrees of freedom spent, intercept and unpenalized columns included.
    aic, aicc, bic, ebic, gcv : ndarray of shape (n_alphas,)
    deviance : ndarray of shape (n_alphas,)
        Σ s r², or -2 log likelihood for logistic, Poisson and negative binomial, with weights s that sum to n.
    n : float
        Rows that the likelihood counts.
    dispersion : Dispersion
        Noise variance, and how it is known.
    gamma : float
        γ of EBIC.
    selected : ndarray of shape (n_alphas,)
        Penalized columns in each model, as EBIC counts them.
    n_candidates : int
        Penalized columns to select from.
    path : Path
    weights : "counts", "precisions" or None
        What sample weights were taken for; None where there are none.
    """

    alphas: Array
    df: Array
    aic: Array
    aicc: Array
    bic: Array
    ebic: Array
    gcv: Array
    deviance: Array
    n: float
    dispersion: Dispersion
    gamma: float
    selected: Array
    n_candidates: int
    path: Path
    weights: str | None = None

    def __repr__(self) -> str:
        return f"<InformationCriteria: {len(self.alphas)} strengths, {self.n:g} rows, {self.dispersion.words}>"

    def __str__(self) -> str:
        lines = [
            f"{len(self.alphas)} strengths, {self.n:g} rows, {self.n_candidates} penalized features, "
            f"{self.df.min():.1f} to {self.df.max():.1f} degrees of freedom.",
            f"{self.dispersion.words[0].upper()}{self.dispersion.words[1:]}.",
        ]
        if self.weights is not None:
            lines.append(SENTENCES[self.weights])
        return "\n".join([*lines, *(self.sentence(rule) for rule in CRITERIA)])

    def values(self, rule: str) -> Array:
        """The values (n_alphas,) of one criterion, by its name."""
        check_choice("rule", rule, CRITERIA)
        return getattr(self, rule)

    def best(self, rule: str, allowed: Array | None = None) -> int:
        """Place of the lowest value of a criterion, among `allowed` strengths (n_alphas,) bool.

        Raises
        ------
        ArgumentError
            If the criterion means nothing here, or is still falling where it has to be refused.
        """
        values, name = self.values(rule), rule.upper().replace("AICC", "AICc")
        allowed = np.ones(values.size, bool) if allowed is None else allowed
        if rule == "gcv" and self.path.loss.name != "squared":
            raise ArgumentError(f"GCV is for squared errors; this path has {self.path.loss.name} loss: take aic or loo")
        usable, where = np.isfinite(values), np.flatnonzero(allowed)
        if not (usable & allowed).any():
            raise ArgumentError(
                f"{name} can't choose: every strength spends {self.df[where].min():.1f} of {self.n:g} degrees of "
                f"freedom or more, and {self._limit(rule)}; larger strengths, or cross_validate, can"
            )
        best = int(np.argmin(np.where(usable & allowed, values, np.inf)))
        after = where[where > best]
        if after.size and not usable[best + 1 :].any():
            raise ArgumentError(
                f"{name} can't choose: it still falls at alpha {self.alphas[best]:.4g}, where {self.df[best]:.1f} of "
                f"{self.n:g} degrees of freedom are spent, and is refused below: {self._limit(rule)}; take aicc, give "
                "dispersion, the noise variance, if it is known, or use cross_validate"
            )
        return best

    def _limit(self, rule: str) -> str:
        if rule == "aicc":
            return "its correction needs n - k - 1 >= 1, with k = df + 1 for squared errors"
        if rule == "gcv":
            return f"it divides by (1 - df/n)², which says little above df = {GCV_ROOM:g} n where columns are selected"
        if self.path.loss.name == "squared":
            return f"with the noise variance fitted anew at every strength, more than {ROOM:g} n spent is a reward"
        return f"its large-sample theory does not reach beyond {ROOM:g} n"

    def noise_words(self, rule: str) -> str:
        """What of the noise a criterion rests on, to follow what it is; empty where on nothing."""
        if rule == "gcv" or self.dispersion.kind == "one":
            return ""
        if rule == "aicc" and self.dispersion.kind == "full":
            return "; noise variance fitted anew at every strength, as its correction supposes"
        return f"; {self.dispersion.words}"

    def sentence(self, rule: str, place: int | None = None) -> str:
        """What a criterion says, or why it says nothing; `place` where the choice was among fewer strengths."""
        try:
            k = self.best(rule) if place is None else place
        except ArgumentError as error:
            return f"{error}."
        name = rule.upper().replace("AICC", "AICc")
        edge = (
            "" if k + 1 < len(self.alphas) else " It is the smallest strength of the grid: smaller ones may be lower."
        )
        return (
            f"{name} is lowest at alpha {self.alphas[k]:.4g}: {self.path.n_nonzero[k]} features, "
            f"{self.df[k]:.1f} degrees of freedom.{edge}"
        )


def information_criteria(
    fitted: Path | CrossValidation,
    dispersion: float | Literal["full", "profile"] | None = None,
    gamma: float = 0.5,
    weights: Literal["counts", "precisions"] | None = None,
) -> InformationCriteria:
    r"""AIC, AICc, BIC, EBIC and GCV of every strength, with the degrees of freedom of `degrees_of_freedom`.

    With D = Σ sᵢ rᵢ² and n = Σ sᵢ, squared errors have

    - σ² known or estimated once: L = n log(2πσ²) + D / σ², k = df;
    - σ² unknown, fitted at each strength: L = n log(2πD/n) + n, k = df + 1;

    and logistic, Poisson and negative binomial fits (theta as given) L = -2 log likelihood, k = df. Gamma and Tweedie,
    whose dispersion is not known, and Huber and quantile, which have no likelihood, are refused. Then

    - AIC = L + 2k, BIC = L + k log n;
    - AICc = L + 2k n / (n - k - 1) with σ² fitted at each strength even where one estimate serves the others, and AIC
      where σ² was given; for logistic AIC + 2k(k+1) / (n - k - 1);
    - EBIC = BIC + 2γ log C(P, j), with j of P penalized columns selected: the price of searching among many. With
      ridge, which selects none, it is BIC;
    - GCV = (D/n) / (1 - df/n)², for squared errors.

    Parameters
    ----------
    fitted : Path or CrossValidation
        As `path` or `cross_validate` returned it.
    dispersion : float > 0, "full", "profile" or None
        σ² of squared errors. A number is taken as known. "full": least squares on all columns, D / (n - rank), which
        exists where n exceeds the rank. "profile": fitted at each strength. None takes "full" where it leaves 20
        degrees of freedom or more, else "profile"; the record says which.
    gamma : float in [0, 1]
        γ of EBIC. Consistent where P grows with n if γ > 1 - log n / (2 log P).
    weights : "counts", "precisions" or None
        What sample weights are: numbers of rows, so that n = Σ sᵢ, or inverse noise variances up to a factor, when they
        are scaled to sum to the number n of rows with a positive one. None takes whole numbers as numbers of rows,
        others as inverse variances; the record says which.

    Returns
    -------
    InformationCriteria

    Raises
    ------
    ArgumentError
        If the path does not know its data, the loss has no likelihood, or σ² cannot be had as asked.

    Notes
    -----
    Refused, that is NaN, are: AIC, BIC and EBIC with σ² fitted at each strength above df = n/2 (least squares on noise
    has E log(D/n) = log σ² + log(1 - df/n) roughly, so from there n log(D/n) + 2 df falls with every column of
    noise), and of logistic fits there, since their theory is for many rows to a degree of freedom; AICc where
    n - k < 2; GCV of lasso and elastic net above df = 0.9 n. With σ² given or from the full model, AIC is Cp up to a
    constant, and its expectation holds at every df.

    scikit-learn's `LassoLarsIC` counts non-zero coefficients without the intercept (its AIC is 2 less, its BIC log n
    less) and estimates σ² by the full model, or takes it. statsmodels' `aic` of a GLM with given scale is the same.

    References
    ----------
    Akaike (1974), IEEE Trans. Autom. Control 19(6); Hurvich & Tsai (1989), Biometrika 76(2),
    https://doi.org/10.1093/biomet/76.2.297; Schwarz (1978), Ann. Statist. 6(2); Chen & Chen (2008), Biometrika 95(3),
    https://doi.org/10.1093/biomet/asn034; Golub, Heath & Wahba (1979), Technometrics 21(2),
    https://doi.org/10.1080/00401706.1979.10489751; for the lasso Zou, Hastie & Tibshirani (2007), section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from shrinkage import path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> found = information_criteria(path(X, y, n_alphas=50))
    >>> print(found.sentence("bic"))
    BIC is lowest at alpha 0.04775: 7 features, 8.0 degrees of freedom.
    """
    path, problem = fitted_path(fitted, "information criteria")
    check_fraction("gamma", gamma)
    _check_likelihood(problem)
    n, counted = _rows(problem, weights)
    df, mean, left = _spent(path, n)
    noise = dispersion_of(problem, dispersion, n)
    selected, candidates = _selected(path, df)
    gcv = np.full(df.size, np.nan)
    if problem.loss.name == "squared":
        with np.errstate(divide="ignore", invalid="ignore"):
            gcv = mean / (left / n) ** 2
        gcv[left <= (0.0 if path.l1_ratio == 0 else 1 - GCV_ROOM) * n] = np.nan
    deviance = n * mean
    aic, aicc, bic = _likelihood_criteria(deviance, df, n, noise)
    choices = gammaln(candidates + 1) - gammaln(selected + 1) - gammaln(candidates - selected + 1)
    ebic = bic + 2 * float(gamma) * choices
    return InformationCriteria(
        path.alphas,
        df,
        aic,
        aicc,
        bic,
        ebic,
        gcv,
        deviance,
        n,
        noise,
        float(gamma),
        selected,
        candidates,
        path,
        counted,
    )


def _check_likelihood(problem: Problem) -> None:
    name = problem.loss.name
    if name in ("gamma", "tweedie"):
        raise ArgumentError(
            f"information criteria need a dispersion, which {name} loss does not estimate: use loo or folds"
        )
    if name not in ("squared", "logistic", "poisson", "negative_binomial"):
        raise ArgumentError(f"information criteria need a likelihood, which {name} loss is not: use cross_validate")


def _saturated(problem: Problem) -> Array:
    """Log likelihood (n_samples,) of the best mean of each row alone, y itself, where the loss leaves it out."""
    y, loss = problem.y, problem.loss
    if loss.name == "poisson":
        return xlogy(y, y) - y - gammaln(y + 1)
    if isinstance(loss, NegativeBinomial):
        t = loss.theta
        return gammaln(y + t) - gammaln(t) - gammaln(y + 1) + xlogy(y, y) + xlogy(t, t) - xlogy(y + t, y + t)
    return np.zeros(len(y))


def _rows(problem: Problem, weights: str | None) -> tuple[float, str | None]:
    """How many rows the likelihood counts, and what sample weights were taken for."""
    given = problem.sample_weight
    meaning = meaning_of(given, weights)
    if given is None:
        return float(problem.design.shape[0]), None
    return float(given.sum() if meaning == "counts" else np.count_nonzero(given)), meaning


def _spent(path: Path, n: float) -> tuple[Array, Array, Array]:
    """Degrees of freedom, mean of s r² or of -2 log likelihood, and n less the degrees of freedom."""
    problem = path.problem
    assert problem is not None
    if path.l1_ratio == 0 and problem.loss.name == "squared":
        spectrum = ridge_spectrum(problem, path.alphas)
        return spectrum.df(path.alphas), spectrum.mean_squares(path.alphas), spectrum.residual_df(path.alphas, n)
    df = degrees_of_freedom(path)
    eta = linear_predictors(path, np.arange(path.alphas.size))
    deviance = problem.weights @ (2.0 * row_loss(problem.loss).value(problem.y[:, None], eta))
    return df, deviance - 2.0 * float(problem.weights @ _saturated(problem)), n - df


def _selected(path: Path, df: Array) -> tuple[Array, int]:
    """How many penalized columns each model selects, and of how many."""
    problem = path.problem
    assert problem is not None
    candidates = problem.design.shape[1] - problem.unpenalized.size
    if path.l1_ratio == 1:
        return np.where(path.alphas > 0, df - problem.free_block[0].shape[1], candidates), candidates
    sizes = [np.setdiff1d(support, problem.unpenalized).size for support in supports_of(path)]
    return np.where(path.alphas > 0, np.array(sizes, dtype=np.float64), candidates), candidates


def _likelihood_criteria(deviance: Array, df: Array, n: float, noise: Dispersion) -> tuple[Array, Array, Array]:
    """AIC, AICc and BIC (n_alphas,), NaN where they are refused."""
    fitted = _profiled(deviance, n)
    if noise.kind == "one":
        minus_two, k, refused = deviance, df, df > ROOM * n
    elif noise.kind == "profile":
        minus_two, k, refused = fitted, df + 1, df > ROOM * n
    else:
        assert noise.value is not None
        minus_two = n * np.log(2 * np.pi * noise.value) + deviance / noise.value
        k, refused = df, np.zeros(df.size, bool)
    aic, bic = minus_two + 2 * k, minus_two + np.log(n) * k
    if noise.kind == "given":
        return aic, aic.copy(), bic
    k = k if noise.kind == "one" else df + 1
    room = np.where(n - k - 1 >= 1 - 1e-9, n - k - 1, np.nan)
    aicc = (deviance if noise.kind == "one" else fitted) + 2 * k * n / room
    aic[refused] = bic[refused] = np.nan
    return aic, aicc, bic


def _profiled(deviance: Array, n: float) -> Array:
    """-2 log likelihood of normal noise whose variance is fitted, (n_alphas,)."""
    least = np.finfo(float).tiny + 1e-30 * float(deviance.max(initial=0.0))
    return n * np.log(2 * np.pi * np.maximum(deviance, least) / n) + n
