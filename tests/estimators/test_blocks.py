"""Estimators take data larger than memory where they take an array."""

import numpy as np
import pytest

from shrinkage import (
    ArgumentError,
    DataError,
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
    open_blocks,
)

N, P = 600, 8
REGRESSORS = [
    Ridge(alpha=0.1),
    Lasso(alpha=0.1),
    ElasticNet(alpha=0.1, standardize=True),
    RidgeCV(cv=3, n_alphas=10),
    LassoCV(cv=3, n_alphas=10),
    ElasticNetCV(l1_ratio=[0.5, 0.9], cv=3, n_alphas=10),
]
CLASSIFIERS = [
    LogisticRegression(alpha=0.01, l1_ratio=0.0),
    LogisticRegression(alpha=0.01, l1_ratio=1.0, standardize=True),
    LogisticRegressionCV(l1_ratio=0.5, cv=3, n_alphas=10),
]


def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, P)) + 3
    return X, X[:, 0] - X[:, 5] + 0.5 * rng.standard_normal(N)


@pytest.mark.parametrize("model", REGRESSORS + CLASSIFIERS, ids=repr)
def test_a_fit_of_blocks_is_that_of_the_array(model):
    X, y = data()
    if model in CLASSIFIERS:
        y = np.where(y > 0, "yes", "no")
    blocks = open_blocks(X, rows=100)
    expected = model.fit(X, y)
    coef, intercept, predicted = expected.coef_.copy(), np.copy(expected.intercept_), expected.predict(X)
    found = model.fit(blocks, y)
    np.testing.assert_allclose(found.coef_, coef, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.intercept_, intercept, rtol=1e-3, atol=1e-5)
    assert found.n_features_in_ == P
    if model in CLASSIFIERS:
        np.testing.assert_array_equal(found.predict(blocks), predicted)
    else:
        np.testing.assert_allclose(found.predict(blocks), predicted, rtol=1e-4, atol=1e-4)


def test_names_of_columns_are_kept_and_compared():
    pa = pytest.importorskip("pyarrow")
    X, y = data()
    table = pa.table({f"c{j}": X[:, j] for j in range(P)})
    model = LassoCV(cv=3, n_alphas=5).fit(open_blocks(lambda: [table]), y)
    assert model.feature_names_in_.tolist() == [f"c{j}" for j in range(P)]
    other = table.rename_columns([*"abcdefgh"])
    with pytest.raises(ArgumentError, match="names differ"):
        model.predict(open_blocks(lambda: [other]))
    with pytest.raises(ArgumentError, match="X must have 8 columns, as in the fit; got 3"):
        model.predict(open_blocks(X[:, :3]))


def test_what_does_not_fit_the_rows_is_refused():
    X, y = data()
    with pytest.raises(ArgumentError, match=r"y must have shape \(600,\)"):
        Lasso().fit(open_blocks(X), y[:-1])
    with pytest.raises(ArgumentError, match=r"y must have shape \(600,\)"):
        LogisticRegression().fit(open_blocks(X), y[:-1] > 0)
    X[411, 2] = np.nan
    for model in (Lasso(), Ridge(), LogisticRegression()):
        with pytest.raises(DataError, match="row 411, column 2"):
            model.fit(open_blocks(X, rows=100), y if not isinstance(model, LogisticRegression) else y > 0)
