"""One rule of choice for everything that compares strengths on the same columns of losses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_choice
from shrinkage._errors import ArgumentError
from shrinkage.selection._one_standard_error import lowest, one_standard_error, paired_error

RULES = ("1se", "1se-paired", "min")
"""Of one standard error as the field has it, of one that is stricter, and of none."""


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


def choose(losses: ArrayLike, strengths: ArrayLike, rule: str = "1se", means: ArrayLike | None = None) -> Choice:
    r"""Choose among strengths whose losses were measured on the same rows, or under the same seeds.

    With b the strength of the lowest mean, se_b the standard error of its own mean over the columns and d_k that of
    the paired differences to it, a strength k is as good where mean_k - mean_b is at most

    - "1se": se_b, the rule of Breiman et al., of glmnet and of rpart;
    - "1se-paired": min(d_k, se_b). What all strengths share, such as rows that are hard for every network or a seed
      under which all are bad, widens se_b and not d_k; a strength that collapses under one seed widens its own d_k and
      not se_b. Neither makes a strength eligible that is worse.

    The largest strength that is as good is the 1-SE one. "min" takes b, and says the 1-SE strength by "1se".

    Parameters
    ----------
    losses : array-like of shape (n_strengths, n_columns)
        Columns are rows of data, or seeds. NaN is passed over.
    strengths : array-like of shape (n_strengths,)
        In any order.
    rule : {"1se", "1se-paired", "min"}
    means : array-like of shape (n_strengths,), optional
        Where they are known already, to the bit.

    Returns
    -------
    Choice

    Raises
    ------
    ArgumentError
        If there is no finite mean, shapes don't fit, or the rule isn't known.

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
    """
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


def rule_words(rule: str) -> str:
    """How far above the lowest mean a strength may be under a rule, to follow "above it by at most".

    Examples
    --------
    >>> print(rule_words("1se"))
    one standard error of the lowest mean itself (Breiman et al. 1984)
    """
    check_choice("rule", rule, RULES)
    if rule == "1se-paired":
        return "one standard error of the paired difference, or of the lowest mean itself where that is smaller"
    return "one standard error of the lowest mean itself (Breiman et al. 1984)"
