"""Responses so large that squares of squared errors would overflow are refused; the largest below give no warning."""

import numpy as np
import pytest

from shrinkage import DataError, RidgeCV, cross_validate, path
from shrinkage.selection import (
    cross_validate_l1_ratio,
    debiased_lasso,
    evidence,
    information_criteria,
    leave_one_out,
    nested_cv,
    relaxed,
    repeated_cv,
    sample_splitting,
    stability_selection,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
Y = X[:, 0] + RNG.normal(size=60)
Y /= np.abs(Y).max()

DOORS = {
    "path": lambda y: path(X, y, n_alphas=5),
    "cross_validate": lambda y: cross_validate(X, y, n_alphas=5),
    "leave_one_out": lambda y: leave_one_out(path(X, y, n_alphas=5)),
    "exact leave_one_out": lambda y: leave_one_out(path(X, y, l1_ratio=0, n_alphas=5)),
    "repeated_cv": lambda y: repeated_cv(X, y, repeats=2, n_alphas=5),
    "nested_cv": lambda y: nested_cv(X, y, cv=3, n_alphas=5),
    "cross_validate_l1_ratio": lambda y: cross_validate_l1_ratio(X, y, l1_ratios=[0.5, 1.0], n_alphas=5),
    "relaxed": lambda y: relaxed(path(X, y, n_alphas=5), cv=5),
    "evidence": lambda y: evidence(X, y),
    "debiased_lasso": lambda y: debiased_lasso(X, y),
    "sample_splitting": lambda y: sample_splitting(X, y, n_splits=3),
    "stability_selection": lambda y: stability_selection(X, y, q=2, threshold=0.8, n_pairs=3),
    "information_criteria": lambda y: information_criteria(path(X, y, n_alphas=5)),
    "RidgeCV": lambda y: RidgeCV(cv="loo").fit(X, y),
}


@pytest.mark.parametrize("door", DOORS)
def test_what_would_overflow_is_refused_with_the_row_and_nothing_below_warns(door):
    DOORS[door](1e70 * Y)
    DOORS[door](1e-9 * Y)
    row = int(np.abs(Y).argmax())
    for size in (1e80, 1e150, 1e300):
        with pytest.raises(DataError, match=f"y must be at most 1e.70 in size.*row {row} is"):
            DOORS[door](size * Y)


def test_an_offset_that_would_overflow_is_refused():
    with pytest.raises(DataError, match="offset must be at most"):
        path(X, Y, offset=np.full(60, 1e80))
