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
SHORT = [twin(n_alphas=10) for twin in (RidgeCV, LassoCV, ElasticNetCV, LogisticRegressionCV)]
DEFAULT = [RidgeCV(), LassoCV(), ElasticNetCV(), LogisticRegressionCV()]


@pytest.mark.filterwarnings("ignore")  # the checks make degenerate data on purpose
@parametrize_with_checks(PLAIN + SHORT)
def test_the_estimator_keeps_scikit_learns_conventions(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(DEFAULT)
def test_the_estimator_keeps_them_with_its_default_arguments_too(estimator, check):
    check(estimator)
