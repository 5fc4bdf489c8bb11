"""Responses of which squares of squared errors would overflow or underflow are refused; those between give no warning.

A mean far from 0 hides nothing of how y varies about it.
"""

import numpy as np
import pytest
from scipy import sparse

from shrinkage import MCP, DataError, GroupL2, RidgeCV, cross_validate, open_blocks, path
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
    for size in (1e-80, 1e-150, 1e-300):
        with pytest.raises(DataError, match="y must be at least 1e-70 in size"):
            DOORS[door](size * Y)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_small_responses_have_the_model_of_large_ones(l1_ratio):
    one, small = (path(X, size * Y, l1_ratio=l1_ratio, n_alphas=5) for size in (1.0, 1e-69))
    np.testing.assert_allclose(small.coefs.toarray() * 1e69, one.coefs.toarray(), rtol=1e-6, atol=1e-9)


def test_an_offset_that_would_overflow_is_refused():
    with pytest.raises(DataError, match="offset must be at most"):
        path(X, Y, offset=np.full(60, 1e80))
    path(X, Y, offset=np.zeros(60))


WIDE, TALL = RNG.normal(size=(40, 120)), RNG.normal(size=(2000, 6))
DESIGNS = {
    "few rows": X,
    "far columns": X + 1e3,
    "wide": WIDE,
    "tall": TALL,
    "sparse": sparse.csc_array(X * (np.abs(X) > 0.3)),
    "in blocks": open_blocks(TALL, rows=500),
}
OPTIONS = {
    "lasso": {},
    "ridge": {"l1_ratio": 0.0},
    "elastic net": {"l1_ratio": 0.5},
    "bounded": {"lower": -0.3},
    "groups": {"penalty": GroupL2(1.0, groups=[[0, 1], [2, 3]])},
    "MCP": {"penalty": MCP(1.0, gamma=3.0)},
}


def far_response(design):
    """A response, and the same 2^36 spreads from 0, of which no digit is rounded."""
    y = np.round(np.random.default_rng(3).normal(size=design.shape[0]) * 1024) / 1024
    return y, y + 2.0**36


@pytest.mark.filterwarnings("ignore::shrinkage.ConvergenceWarning")  # an intercept of 2^36 is rounded by 1e-5
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("design", DESIGNS)
def test_a_mean_far_from_0_moves_the_intercept_alone(design, options):
    design = DESIGNS[design]
    near, far = (path(design, y, alphas=[0.05, 0.01], **options) for y in far_response(design))
    assert near.n_nonzero[1] > 0
    np.testing.assert_allclose(far.coefs.toarray(), near.coefs.toarray(), rtol=0, atol=1e-2)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("design", DESIGNS)
def test_folds_see_through_a_mean_far_from_0(design, l1_ratio):
    design = DESIGNS[design]
    near, far = (cross_validate(design, y, cv=3, l1_ratio=l1_ratio, n_alphas=10) for y in far_response(design))
    np.testing.assert_allclose(far.mean, near.mean, rtol=1e-3)


def test_several_responses_far_from_0():
    y = np.round(RNG.normal(size=(60, 2)) * 1024) / 1024
    near, far = (path(X, both, alphas=[0.05]) for both in (y, y + 2.0**36))
    np.testing.assert_allclose(far.coefs.toarray(), near.coefs.toarray(), rtol=0, atol=2e-3)


def test_what_a_constant_response_leaves_is_still_rounding():
    for y in (np.full(60, 0.1), 0.1 + np.where(Y > 0, np.spacing(0.1), 0), np.full(60, 1e15) + (Y > 0) / 8):
        assert not path(X, y).n_nonzero.any()


LARGE = {
    "lasso": {},
    "ridge": {"l1_ratio": 0.0},
    "elastic net": {"l1_ratio": 0.5},
    "standardized": {"standardize": True},
    "bounded": {"upper": 1.0},
    "MCP": {"penalty": MCP(1.0, gamma=3.0)},
    "groups": {"penalty": GroupL2(1.0, groups=[[0, 1], [2, 3, 4]])},
    "logistic": {"loss": "logistic"},
    "classes": {"loss": "multinomial"},
    "grouped classes": {"loss": "multinomial_grouped"},
    "logistic ridge": {"loss": "logistic", "l1_ratio": 0.0},
}


@pytest.mark.parametrize("options", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_array, lambda X: open_blocks(X, rows=20)])
def test_columns_of_which_squares_would_overflow_are_refused_with_row_and_column(kind, options):
    large = X.copy()
    large[:, 2] *= 1e200
    row = int(np.abs(large[:, 2]).argmax())
    y = (Y > 0).astype(float) if "loss" in options else Y
    with pytest.raises(DataError, match=f"X must be at most 1e.140 in size.*row {row}, column 2 is"):
        path(kind(large), y, n_alphas=4, **options)
