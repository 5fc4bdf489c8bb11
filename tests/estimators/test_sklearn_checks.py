"""scikit-learn's own checks, on every estimator, with none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from shrinkage.estimators import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)

PLAIN = [Ridge(), Lasso(), ElasticNet(), LogisticRegression()]
CROSS_VALIDATED = [RidgeCV(), LassoCV(), ElasticNetCV(), LogisticRegressionCV()]


@pytest.mark.filterwarnings("ignore")  # the checks make degenerate data on purpose
@parametrize_with_checks(PLAIN + CROSS_VALIDATED)
def test_the_estimator_keeps_scikit_learns_conventions(estimator, check):
    check(estimator)
