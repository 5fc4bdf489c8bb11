"""skglm: working sets with Anderson acceleration. X and y come centered, so no intercept is asked for."""

import warnings
from importlib.metadata import version

from skglm import Lasso

VERSION = version("skglm")
warnings.simplefilter("ignore")


def path(X, y, alphas, tol):
    _, coefs, *_ = Lasso(fit_intercept=False, warm_start=True, tol=tol, max_iter=500).path(X, y, alphas)
    return {"coefs": coefs}
