"""Estimators with scikit-learn's interface, and their cross-validated twins."""

from shrinkage.estimators._cox import CoxRegressor, CoxRegressorCV
from shrinkage.estimators._elastic_net import ElasticNet, ElasticNetCV
from shrinkage.estimators._gamma import GammaRegressor, GammaRegressorCV
from shrinkage.estimators._group_lasso import GroupLasso, GroupLassoCV
from shrinkage.estimators._huber import HuberRegressor, HuberRegressorCV
from shrinkage.estimators._lasso import Lasso, LassoCV
from shrinkage.estimators._logistic import LogisticRegression, LogisticRegressionCV
from shrinkage.estimators._multi_task import MultiTaskElasticNet, MultiTaskElasticNetCV
from shrinkage.estimators._negative_binomial import NegativeBinomialRegressor, NegativeBinomialRegressorCV
from shrinkage.estimators._penalized_classifier import PenalizedClassifier, PenalizedClassifierCV
from shrinkage.estimators._penalized_regressor import PenalizedRegressor, PenalizedRegressorCV
from shrinkage.estimators._poisson import PoissonRegressor, PoissonRegressorCV
from shrinkage.estimators._quantile import QuantileRegressor, QuantileRegressorCV
from shrinkage.estimators._ridge import Ridge, RidgeCV
from shrinkage.estimators._tweedie import TweedieRegressor, TweedieRegressorCV

__all__ = [
    "CoxRegressor",
    "CoxRegressorCV",
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "GammaRegressorCV",
    "GroupLasso",
    "GroupLassoCV",
    "HuberRegressor",
    "HuberRegressorCV",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "NegativeBinomialRegressor",
    "NegativeBinomialRegressorCV",
    "PenalizedClassifier",
    "PenalizedClassifierCV",
    "PenalizedRegressor",
    "PenalizedRegressorCV",
    "PoissonRegressor",
    "PoissonRegressorCV",
    "QuantileRegressor",
    "QuantileRegressorCV",
    "Ridge",
    "RidgeCV",
    "TweedieRegressor",
    "TweedieRegressorCV",
]
