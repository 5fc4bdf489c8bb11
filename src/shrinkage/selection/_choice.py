"""One rule of choice for everything that compares strengths on the same columns of losses."""

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_choice
from shrinkage._errors import ArgumentError
from shrinkage.selection._chosen import ChosenStrength, Fitted, choose_strength
from shrinkage.selection._one_standard_error import lowest, one_standard_error, paired_error
from shrinkage.selection._rules import RULES


@dataclass(frozen=True, eq=False)
class Choice:
    """What `choose` found.

    Attributes
    ----------
    best, one_se, chosen : int
        Places of the lowest mean, of the largest strength that is as good, and of the one that the rule takes.
    se, difference_se : ndarray of shape (n_strengths,)
        Standard errors of the means, and of their differences to the best's, paired. NaN where they aren't known.
    allowed : ndarray of shape (n_strengths,)
        How far each mean may be above the lowest to count as as good.
    """

    best: int
    one_se: int
    chosen: int
    se: np.ndarray
    difference_se: np.ndarray
    allowed: np.ndarray


@overload
def choose(
    losses: Fitted, strengths: str | None = None, rule: str | None = None, *, max_features: int | None = None
) -> ChosenStrength: ...
@overload
def choose(
    losses: ArrayLike, strengths: ArrayLike, rule: str | None = None, means: ArrayLike | None = None
) -> Choice: ...
def choose(
    losses: Any, strengths: Any = None, rule: str | None = None, means: Any = None, *, max_features: int | None = None
) -> Any:
    r"""Choose a strength by a rule: `choose(path, "bic")`, `choose(cv, "1se")`, `choose(cv, max_features=5)`.

    Of a `Path`: "aic", "aicc", "bic", "ebic" or "gcv" (`information_criteria`), "loo" or "loo-1se" (`leave_one_out`,
    its lowest mean or one standard error above; 25 refits, unless ridge is exact, take longer than 10 folds). Of a
    `CrossValidation` these, and "min", "1se" or "1se-paired" of its held-out means. Of an `InformationCriteria` or
    `LeaveOneOut` the rules that they have values for, computed with other arguments than the default. `max_features`
    leaves only strengths with at most that many coefficients other than zero to choose from; with no rule it takes the
    smallest of them on a path, the lowest mean where means were held out. The rest is for losses as such,
    `choose(losses, strengths, "1se")`, of whatever model.

    With b the strength of the lowest mean, se_b the standard error of its own mean over the columns and d_k that of
    the paired differences to it, a strength k is as good where mean_k - mean_b is at most

    - "1se": se_b, the rule of Breiman et al., of glmnet and of rpart;
    - "1se-paired": min(d_k, se_b). What all strengths share, such as rows that are hard for every network or a seed
      under which all are bad, widens se_b and not d_k; a strength that collapses under one seed widens its own d_k and
      not se_b. Neither makes a strength eligible that is worse.

    The largest strength that is as good is the 1-SE one. "min" takes b, and says the 1-SE strength by "1se".

    Parameters
    ----------
    losses : Path, CrossValidation, InformationCriteria or LeaveOneOut; or array-like of shape (n_strengths, n_columns)
        Columns are rows of data, or seeds: losses measured on the same rows, or under the same seeds. NaN is passed
        over.
    strengths : array-like of shape (n_strengths,)
        In any order. Of a record there are none to give: the rule may stand in their place.
    rule : str, default "1se" where there are held-out losses
    means : array-like of shape (n_strengths,), optional
        Where they are known already, to the bit.

    max_features : int >= 0, optional
        Of a record: the most coefficients other than zero.

    Returns
    -------
    ChosenStrength, or Choice of an array of losses

    Raises
    ------
    ArgumentError
        If there is no finite mean, shapes don't fit, the rule isn't known or has nothing to read, its criterion is
        refused where it is lowest (see `information_criteria`), or no strength has so few features.

    Notes
    -----
    With one column nothing is known of errors: only equal means are as good. Over two or three seeds se_b is itself
    uncertain by half and more; the paired rule errs to the side of the better predictions.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, section 3.4.3; glmnet's
    `lambda.1se`: Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), https://doi.org/10.18637/jss.v033.i01.

    Examples
    --------
    A strength that collapses under one of four seeds has a large error of its own; it is as good by neither rule.

    >>> losses = [[0.30, 0.32, 0.31, 0.33], [0.31, 0.32, 0.32, 0.33], [0.31, 0.33, 0.32, 2.40]]
    >>> choose(losses, [0.1, 0.2, 0.3]).one_se, choose(losses, [0.1, 0.2, 0.3], "1se-paired").one_se
    (1, 0)

    A path's strength, and why:

    >>> from sklearn.datasets import load_diabetes
    >>> from shrinkage import path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> fitted = path(X, y)
    >>> print(choose(fitted, max_features=3))
    Alpha 0.7542 is the smallest strength of the grid with at most 3 features: it has 3, the next,
    0.7034, has 4.
    >>> print(choose(fitted, "bic"))
    BIC is lowest at alpha 0.04628: 7 features, 8.0 degrees of freedom. It is -2 log likelihood plus log n for each
    degree of freedom (Schwarz 1978); noise variance 2933, estimated by least squares on all columns, which leaves 431
    degrees of freedom (uncertain by 7%).
    """
    if isinstance(losses, Fitted):
        if strengths is not None and rule is not None:
            raise ArgumentError(f"strengths are those of the {type(losses).__name__}; give only a rule")
        return choose_strength(losses, strengths if rule is None else rule, max_features)
    if max_features is not None:
        raise ArgumentError("max_features needs a Path or a CrossValidation, which know their features")
    rule = "1se" if rule is None else rule
    check_choice("rule", rule, RULES)
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ArgumentError(f"losses must have shape (n_strengths, n_columns); got {values.shape}")
    known = values.mean(axis=1) if means is None else np.asarray(means, dtype=np.float64)
    best, n = lowest(known), values.shape[1]
    own = values.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(len(values), np.nan)
    paired = paired_error(values, best)
    allowed = np.minimum(paired, own[best]) if rule == "1se-paired" else np.full(len(values), own[best])
    allowed = np.nan_to_num(allowed)
    one_se = one_standard_error(known, allowed, strengths)
    return Choice(best, one_se, best if rule == "min" else one_se, own, paired, allowed)
