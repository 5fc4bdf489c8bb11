"""scikit-learn: coordinate descent. For the path X and y come centered, so no intercept is asked for."""

import warnings
from importlib.metadata import version

from sklearn.linear_model import Lasso, LassoCV, lasso_path

VERSION = version("scikit-learn")
warnings.simplefilter("ignore")


def path(X, y, alphas, tol):
    _, coefs, _ = lasso_path(X, y, alphas=alphas, tol=tol, max_iter=1_000_000)
    return {"coefs": coefs}


def cv(X, y, alphas, tol):
    model = LassoCV(alphas=alphas, cv=10, tol=tol, max_iter=1_000_000).fit(X, y)
    coefs = model.coef_[:, None]
    return {"scores": model.mse_path_, "alpha": model.alpha_, "coefs": coefs, "intercept": model.intercept_}


def fit(X, y, alphas, tol):
    model = Lasso(alpha=alphas[-1], tol=tol)
    for _ in range(200):
        model.fit(X, y)
    return {"coefs": model.coef_[:, None], "intercept": model.intercept_}
