"""scikit-learn's own checks, on every estimator, with none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from shrinkage.estimators import (
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    GammaRegressorCV,
    GroupLasso,
    GroupLassoCV,
    HuberRegressor,
    HuberRegressorCV,
    Lasso,
    LassoCV,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskElasticNet,
    MultiTaskElasticNetCV,
    NegativeBinomialRegressor,
    NegativeBinomialRegressorCV,
    PenalizedClassifier,
    PenalizedClassifierCV,
    PenalizedRegressor,
    PenalizedRegressorCV,
    PoissonRegressor,
    PoissonRegressorCV,
    QuantileRegressor,
    QuantileRegressorCV,
    Ridge,
    RidgeCV,
    TweedieRegressor,
    TweedieRegressorCV,
)
from shrinkage.penalties import MCP, SCAD, GroupL2

PLAIN = [Ridge(), Lasso(), ElasticNet(), LogisticRegression(), PoissonRegressor(), GammaRegressor(), TweedieRegressor()]
PLAIN += [NegativeBinomialRegressor(), HuberRegressor(), QuantileRegressor(), GroupLasso(), MultiTaskElasticNet()]
TWINS = [RidgeCV, LassoCV, ElasticNetCV, LogisticRegressionCV, PoissonRegressorCV, GammaRegressorCV, TweedieRegressorCV]
TWINS += [NegativeBinomialRegressorCV, HuberRegressorCV, QuantileRegressorCV, GroupLassoCV, MultiTaskElasticNetCV]
CLASSIFY = (LogisticRegressionCV, PenalizedClassifierCV)
TWINS += [PenalizedRegressorCV, PenalizedClassifierCV]
SHORT = [twin(n_alphas=10, **({"cv": 3} if twin in CLASSIFY else {})) for twin in TWINS]
PLAIN += [PenalizedRegressor(), PenalizedRegressor(MCP(0.1)), PenalizedRegressor(MCP(0.1), loss="poisson")]
PLAIN += [PenalizedClassifier(), PenalizedClassifier(MCP(0.05, gamma=8.0)), PenalizedClassifier(GroupL2(0.1, axis=0))]
SHORT += [PenalizedRegressorCV(SCAD(1.0), n_alphas=10), PenalizedClassifierCV(SCAD(1.0, gamma=8.0), n_alphas=10, cv=3)]
DEFAULT = [twin() for twin in TWINS]


@pytest.mark.filterwarnings("ignore")  # the checks make degenerate data on purpose
@parametrize_with_checks(PLAIN + SHORT)
def test_the_estimator_keeps_scikit_learns_conventions(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(DEFAULT)
def test_the_estimator_keeps_them_with_its_default_arguments_too(estimator, check):
    check(estimator)
