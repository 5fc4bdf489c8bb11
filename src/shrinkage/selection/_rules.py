"""What the rules of choice go by, in words."""

from shrinkage._check import check_choice

RULES = ("1se", "1se-paired", "min")
"""Of one standard error as the field has it, of one that is stricter, and of none."""

_WORDS = {
    "1se": "one standard error of the lowest mean itself (Breiman et al. 1984)",
    "1se-paired": "one standard error of the paired difference, or of the lowest mean itself where that is smaller",
    "min": "one standard error of the lowest mean itself (Breiman et al. 1984)",
    "aic": "-2 log likelihood plus 2 for each degree of freedom (Akaike 1974)",
    "aicc": "AIC with the correction for few rows to a degree of freedom (Hurvich & Tsai 1989)",
    "bic": "-2 log likelihood plus log n for each degree of freedom (Schwarz 1978)",
    "ebic": "BIC plus the price of searching among all sets of as many features (Chen & Chen 2008)",
    "gcv": "the mean squared residual over (1 - df/n)² (Golub, Heath & Wahba 1979)",
    "loo": "the mean deviance of each row under the fit to the others",
    "loo-1se": "one standard error of the lowest mean itself (Breiman et al. 1984)",
}


def rule_words(rule: str) -> str:
    """What a rule goes by.

    For rules of held-out losses how far above the lowest mean a strength may be, to follow "above it by at most"; for
    criteria what is smallest, to follow "it is".

    Examples
    --------
    >>> print(rule_words("1se"))
    one standard error of the lowest mean itself (Breiman et al. 1984)
    >>> print(rule_words("bic"))
    -2 log likelihood plus log n for each degree of freedom (Schwarz 1978)
    """
    check_choice("rule", rule, tuple(_WORDS))
    return _WORDS[rule]
