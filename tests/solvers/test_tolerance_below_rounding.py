"""A tolerance that rounding forbids costs no accuracy: what float64 can reach is still reached, everywhere."""

import warnings

import numpy as np
import pytest

from shrinkage import ConvergenceWarning, cross_validate


def nearly_twin_columns(seed, n=100, half=15):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, half))
    X = np.hstack([X, X + 0.03 * rng.standard_normal((n, half))])
    eta = 2 * X[:, :4] @ np.array([1, -1, 0.7, -0.5])
    return X, (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tol", [1e-12, 1e-14])
def test_no_logistic_fit_is_left_far_from_its_optimum(seed, tol):
    X, y = nearly_twin_columns(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1e-14 is out of reach, and said to be
        cv = cross_validate(X, y, cv=10, loss="logistic", n_alphas=40, alpha_min_ratio=1e-4, standardize=True, tol=tol)
    assert cv.fold_gaps.max() < 1e-9
    assert cv.path.relative_gaps.max() < 1e-9
