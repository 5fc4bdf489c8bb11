"""Estimators with scikit-learn's interface, and their cross-validated twins."""

from shrinkage.estimators._elastic_net import ElasticNet, ElasticNetCV
from shrinkage.estimators._lasso import Lasso, LassoCV
from shrinkage.estimators._logistic import LogisticRegression, LogisticRegressionCV
from shrinkage.estimators._ridge import Ridge, RidgeCV

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Ridge",
    "RidgeCV",
]
