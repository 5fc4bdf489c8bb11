"""This library, as users call it: with the intercept that is its default."""

from importlib.metadata import version

import shrinkage

VERSION = version("shrinkage")


def path(X, y, alphas, tol):
    fitted = shrinkage.path(X, y, alphas=alphas, tol=tol)
    return {"coefs": fitted.coefs.toarray(), "intercepts": fitted.intercepts, "passes": fitted.n_passes}


def cv(X, y, alphas, tol):
    chosen = shrinkage.cross_validate(X, y, cv=10, alphas=alphas, tol=tol)
    best = chosen.alpha_min
    return {
        "scores": chosen.scores,
        "alpha": best,
        "coefs": chosen.path.coef(best)[:, None],
        "intercept": chosen.path.intercept(best),
        "passes": chosen.path.n_passes,
    }


def fit(X, y, alphas, tol):
    model = shrinkage.Lasso(alpha=alphas[-1], tol=tol)
    for _ in range(200):
        model.fit(X, y)
    return {"coefs": model.coef_[:, None], "intercept": model.intercept_}
