"""This library, as users call it: with the intercept that is its default."""

from importlib.metadata import version

from worker import splits

import shrinkage

VERSION = version("shrinkage")


def run(task, tol, mode, strict):
    return cv(task, tol, mode) if task.kind == "cv" else path(task, tol)


def audit(task, tol, mode, strict):
    return path(task, tol)


def path(task, tol):
    fitted = shrinkage.path(task.X, task.y, loss=task.loss, l1_ratio=task.l1_ratio, alphas=task.alphas, tol=tol)
    return {"coefs": fitted.coefs, "intercepts": fitted.intercepts, "passes": fitted.n_passes}


def cv(task, tol, mode):
    if mode == "LassoCV":
        model = shrinkage.LassoCV(alphas=task.alphas, cv=task.n_folds, tol=tol).fit(task.X, task.y)
        return {"scores": model.cv_.scores}
    chosen = shrinkage.cross_validate(
        task.X, task.y, loss=task.loss, cv=splits(task), alphas=task.alphas, l1_ratio=task.l1_ratio, tol=tol
    )
    path = chosen.path
    return {"coefs": path.coefs, "intercepts": path.intercepts, "scores": chosen.scores, "passes": path.n_passes}
