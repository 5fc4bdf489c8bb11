"""Where the automatic grid of ridge lies, when no strength zeroes its coefficients."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from shrinkage import cross_validate, path


def test_the_grid_moves_with_the_units_of_x_and_not_with_those_of_y():
    X, y = load_diabetes(return_X_y=True)
    grid = path(X, y, l1_ratio=0.0, n_alphas=5).alphas
    np.testing.assert_allclose(path(X, 1e6 * y, l1_ratio=0.0, n_alphas=5).alphas, grid)
    np.testing.assert_allclose(path(10 * X, y, l1_ratio=0.0, n_alphas=5).alphas, 100 * grid)


def test_on_standardized_columns_it_starts_where_glmnet_does():
    X, y = load_diabetes(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    start = np.abs(X.T @ (y - y.mean())).max() / len(y) / y.std() / 1e-3
    assert path(X, y, l1_ratio=0.0, n_alphas=3).alphas[0] == pytest.approx(start)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_strength_of_the_lowest_error_lies_within(loss, standardize):
    X, y = load_diabetes(return_X_y=True)
    response = (y > 140).astype(int) if loss == "logistic" else y
    cv = cross_validate(X, response, loss=loss, l1_ratio=0.0, standardize=standardize)
    assert 0 < cv.index_min < 99
