"""Penalty factors of the adaptive lasso, from a first fit."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import ArgumentError, DataError
from shrinkage._path import cross_validate, path

_RATIOS = {"ridge": 0.0, "lasso": 1.0}


def adaptive_factors(
    X: ArrayLike, y: ArrayLike, first: str = "ridge", gamma: float = 1.0, alpha: float | None = None, **options: Any
) -> np.ndarray:
    """Penalty factors 1 / |w_j|^γ of the adaptive lasso, w the coefficients of a first fit.

    Columns of large first coefficients are penalized little, so that they are shrunk little; the smallest most, and
    those that a first lasso has set to 0 are left out. `path(X, y, penalty_factor=adaptive_factors(X, y))` is the
    adaptive lasso; with l1_ratio below 1, the adaptive elastic net.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    first : "ridge" or "lasso"
    gamma : float > 0
        γ.
    alpha : float > 0, optional
        Strength of the first fit. None chooses it by cross-validation, the lowest mean.
    **options
        Of `path`, and without `alpha` of `cross_validate`: loss, cv, standardize, sample_weight, offset... Give the
        second fit the same.

    Returns
    -------
    ndarray of shape (n_features,)
        > 0; inf leaves a column out.

    Raises
    ------
    ArgumentError
        If first, gamma, alpha or an option cannot be used.
    DataError
        If every first coefficient is 0.

    Notes
    -----
    Coefficients are in the raw units of X, also with `standardize`, as users of glmnet have them. Factors are not
    rescaled; glmnet divides its by their mean, which moves the grid of strengths. Scores of a cross-validation of the
    second fit are too low, since the factors have seen the rows held out: make them on the training rows where that
    matters.

    References
    ----------
    Zou (2006), J. Am. Stat. Assoc. 101(476), section 3, https://doi.org/10.1198/016214506000000735

    Examples
    --------
    >>> from shrinkage import path
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> factors = adaptive_factors(X, y, alpha=0.001)
    >>> fitted = path(X, y, penalty_factor=factors, n_alphas=20, alpha_min_ratio=0.01)
    >>> fitted.n_nonzero[[0, 10, 19]].tolist()
    [0, 4, 7]
    """
    check_choice("first", first, tuple(_RATIOS))
    check_positive("gamma", gamma)
    for name in ("l1_ratio", "alphas", "penalty"):
        if name in options:
            raise ArgumentError(f"{name} is not an option here: the first fit is a {first}, at `alpha`")
    ratio = _RATIOS[first]
    if alpha is None:
        chosen = cross_validate(X, y, l1_ratio=ratio, **options)
        fitted, strength = chosen.path, chosen.alpha_min
    else:
        if not isinstance(alpha, Real):
            raise ArgumentError(f"alpha must be one number, or None; got {alpha!r}")
        check_positive("alpha", alpha)
        fitted, strength = path(X, y, l1_ratio=ratio, alphas=[float(alpha)], **options), float(alpha)
    size = np.abs(fitted.coef(strength))
    if not size.any():
        raise DataError(f"every coefficient of the first {first} is 0 at alpha={strength:g}: make alpha smaller")
    with np.errstate(divide="ignore", over="ignore"):
        return np.maximum(size ** -float(gamma), np.finfo(float).tiny)
