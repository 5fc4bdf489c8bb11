"""adelie: block coordinate descent with pivot screening; from the covariance where asked for."""

import warnings
from importlib.metadata import version

import adelie as ad
import numpy as np
import scipy.sparse as sp
from worker import cross_validate_by_hand

VERSION = version("adelie")
warnings.simplefilter("ignore")


def run(task, tol, mode, strict):
    if task.kind == "cv":
        return cross_validate_by_hand(path, task, tol, mode, strict)
    return path(task, tol, mode, strict)


def audit(task, tol, mode, strict):
    return path(task, tol, mode, strict)


def path(task, tol, mode, strict):
    if mode == "covariance":
        return _covariance_path(task, tol)
    glm = ad.glm.binomial(task.y) if task.loss == "logistic" else ad.glm.gaussian(task.y)
    X = ad.matrix.sparse(task.X) if sp.issparse(task.X) else ad.matrix.dense(task.X, method="naive", n_threads=1)
    state = ad.grpnet(
        X, glm, alpha=task.l1_ratio, lmda_path=task.alphas, tol=tol, irls_tol=tol, early_exit=False,
        adev_tol=1.0, max_iters=10_000_000, progress_bar=False, n_threads=1,
    )  # fmt: skip
    return {"coefs": sp.csc_matrix(state.betas.T), "intercepts": np.ravel(state.intercepts)}


def _covariance_path(task, tol):
    X, y = task.X, task.y
    center = X.mean(0)
    n = len(y)
    A = X.T @ X / n - np.outer(center, center)
    v = X.T @ (y - y.mean()) / n
    state = ad.gaussian_cov(
        np.asfortranarray(A), v, alpha=task.l1_ratio, lmda_path=task.alphas, tol=tol, early_exit=False, rdev_tol=0.0,
        max_iters=10_000_000, progress_bar=False, n_threads=1,
    )  # fmt: skip
    coefs = sp.csc_matrix(state.betas.T)
    return {"coefs": coefs, "intercepts": y.mean() - coefs.T @ center}
