"""skglm: working sets with Anderson acceleration; prox-Newton for classes."""

import warnings
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from skglm import ElasticNet, Lasso, SparseLogisticRegression
from worker import cross_validate_by_hand

VERSION = version("skglm")
warnings.simplefilter("ignore")


def run(task, tol, mode, strict):
    if task.kind == "cv":
        return cross_validate_by_hand(path, task, tol, mode, strict)
    return path(task, tol, mode, strict)


def audit(task, tol, mode, strict):
    return path(task, tol, mode, strict)


def path(task, tol, mode, strict):
    if task.loss == "logistic":
        return _estimator_path(task, SparseLogisticRegression(warm_start=True, tol=tol, max_iter=500), task.X)
    if task.l1_ratio < 1:
        model = ElasticNet(l1_ratio=task.l1_ratio, warm_start=True, tol=tol, max_iter=500, fit_intercept=False)
    else:
        model = Lasso(warm_start=True, tol=tol, max_iter=500, fit_intercept=False)
    if sp.issparse(task.X):
        return _estimator_path(task, model.set_params(fit_intercept=True), task.X)
    center = task.X.mean(0)
    X = task.X if np.abs(center).max() < 1e-9 else np.asfortranarray(task.X - center)
    _, coefs, *_ = model.path(X, task.y - task.y.mean(), task.alphas)
    return {"coefs": coefs, "intercepts": task.y.mean() - center @ coefs}


def _estimator_path(task, model, X):
    coefs, intercepts = np.empty((X.shape[1], len(task.alphas)), order="F"), np.empty(len(task.alphas))
    for t, alpha in enumerate(task.alphas):
        model.set_params(alpha=alpha).fit(X, task.y)
        coefs[:, t], intercepts[t] = np.ravel(model.coef_), np.ravel(model.intercept_)[0]
    return {"coefs": coefs, "intercepts": intercepts}
