"""scikit-learn: coordinate descent with gap-safe screening; its covariance mode (Gram) where asked for."""

import warnings
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import ElasticNet, LassoCV, LogisticRegression, LogisticRegressionCV, enet_path
from worker import splits

VERSION = version("scikit-learn")
warnings.simplefilter("ignore")
LONG = 1_000_000


def run(task, tol, mode, strict):
    return cv(task, tol, mode, strict) if task.kind == "cv" else path(task, tol, mode, strict)


def audit(task, tol, mode, strict):
    return path(task, tol, mode, strict)


def path(task, tol, mode, strict):
    if task.loss == "logistic":
        return _logistic_path(task, tol, mode)
    if sp.issparse(task.X):
        return _sparse_path(task, tol)
    gram = mode == "Gram"
    X, y, center = task.X, task.y, np.zeros(task.X.shape[1])
    if abs(y.mean()) > 1e-9 or np.abs(X[:, :50].mean(0)).max() > 1e-9:
        center = X.mean(0)
        X, y = np.asfortranarray(X - center), y - y.mean()
    _, coefs, _ = enet_path(
        X, y, l1_ratio=task.l1_ratio, alphas=task.alphas, tol=tol, max_iter=LONG, precompute=gram, check_input=gram
    )
    return {"coefs": coefs, "intercepts": task.y.mean() - center @ coefs}


def _sparse_path(task, tol):
    model = ElasticNet(l1_ratio=task.l1_ratio, tol=tol, max_iter=LONG, warm_start=True)
    coefs, intercepts = np.empty((task.X.shape[1], len(task.alphas)), order="F"), np.empty(len(task.alphas))
    for t, alpha in enumerate(task.alphas):
        model.set_params(alpha=alpha).fit(task.X, task.y)
        coefs[:, t], intercepts[t] = model.coef_, model.intercept_
    return {"coefs": coefs, "intercepts": intercepts}


def _logistic_path(task, tol, mode):
    solver = mode or "saga"
    # liblinear penalizes its intercept: a large scale makes that penalty small
    scale = {"intercept_scaling": 100.0} if solver == "liblinear" else {"warm_start": True}
    coefs, intercepts = np.empty((task.X.shape[1], len(task.alphas)), order="F"), np.empty(len(task.alphas))
    model = LogisticRegression(l1_ratio=1.0, solver=solver, tol=tol, max_iter=100_000, random_state=0, **scale)
    for t, alpha in enumerate(task.alphas):
        model.set_params(C=1 / (alpha * len(task.y))).fit(task.X, task.y)
        coefs[:, t], intercepts[t] = model.coef_[0], model.intercept_[0]
    return {"coefs": coefs, "intercepts": intercepts}


def cv(task, tol, mode, strict):
    if task.loss == "logistic":
        solver = mode or "saga"
        scale = {"intercept_scaling": 100.0} if solver == "liblinear" else {}
        model = LogisticRegressionCV(
            Cs=1 / (task.alphas * len(task.y)), l1_ratios=[1.0], solver=solver, tol=tol, max_iter=100_000,
            cv=splits(task), scoring="neg_log_loss", random_state=0, use_legacy_attributes=True, **scale,
        ).fit(task.X, task.y)  # fmt: skip
        return {"scores": -model.scores_[1].reshape(task.n_folds, -1).T}
    precompute = True if mode == "Gram" else "auto"
    model = LassoCV(alphas=task.alphas, cv=splits(task), tol=tol, max_iter=LONG, precompute=precompute)
    model.fit(task.X, task.y)
    return {"scores": model.mse_path_}
