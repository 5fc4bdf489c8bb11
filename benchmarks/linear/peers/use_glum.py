"""glum: iteratively reweighted least squares with coordinate descent, along its own path of strengths."""

import warnings
from importlib.metadata import version

import numpy as np
from glum import GeneralizedLinearRegressor, GeneralizedLinearRegressorCV
from worker import splits

VERSION = version("glum")
warnings.simplefilter("ignore")


def _given(task, tol):
    family = "binomial" if task.loss == "logistic" else "normal"
    return {"l1_ratio": task.l1_ratio, "family": family, "gradient_tol": tol, "alphas": task.alphas,
            "scale_predictors": False}  # fmt: skip


def run(task, tol, mode, strict):
    if task.kind == "cv":
        GeneralizedLinearRegressorCV(cv=splits(task), n_jobs=1, **_given(task, tol)).fit(task.X, task.y)
        return {}
    return path(task, tol)


def audit(task, tol, mode, strict):
    return path(task, tol)


def path(task, tol):
    model = GeneralizedLinearRegressor(alpha_search=True, **_given(task, tol)).fit(task.X, task.y)
    return {"coefs": np.asarray(model.coef_path_).T, "intercepts": np.ravel(model.intercept_path_)}
