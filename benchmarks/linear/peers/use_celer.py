"""celer: working sets with dual extrapolation; its own dual points come back for the certificate."""

import warnings
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from celer import celer_path
from worker import cross_validate_by_hand

VERSION = version("celer")
warnings.simplefilter("ignore")


def run(task, tol, mode, strict):
    if task.kind == "cv":  # its LassoCV does not run on scikit-learn 1.9
        return cross_validate_by_hand(path, task, tol, mode, strict)
    return path(task, tol)


def audit(task, tol, mode, strict):
    return path(task, tol)


def path(task, tol, *_):
    X, y = task.X, task.y
    center = np.asarray(X.mean(0)).ravel()
    if sp.issparse(X):
        X_offset, shift = {"X_offset": center, "X_scale": np.ones(len(center))}, y.mean()
    else:
        X_offset, shift = {}, y.mean()
        X = X if np.abs(center).max() < 1e-9 else np.asfortranarray(X - center)
    _, coefs, _, thetas = celer_path(
        X, y - shift, "lasso", alphas=task.alphas, l1_ratio=task.l1_ratio, tol=tol, prune=True, max_iter=1000,
        return_thetas=True, **X_offset,
    )  # fmt: skip
    return {"coefs": coefs, "intercepts": task.y.mean() - center @ coefs, "thetas": thetas}
