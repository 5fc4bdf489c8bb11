"""What stands in for what."""

from typing import Any

from shrinkage.patch import _generalized, _logistic, _ridge, _squared, _squared_folds

_ROOMS = {
    _squared: ("Lasso", "ElasticNet", "lasso_path", "enet_path"),
    _squared_folds: ("LassoCV", "ElasticNetCV"),
    _ridge: ("Ridge", "RidgeCV"),
    _logistic: ("LogisticRegression", "LogisticRegressionCV"),
    _generalized: ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"),
}
STAND_INS: dict[str, Any] = {name: getattr(room, name) for room, names in _ROOMS.items() for name in names}
"""By scikit-learn's name. Where its version is not one that this was written for, its own class."""
