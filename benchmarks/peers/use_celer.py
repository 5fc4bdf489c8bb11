"""celer: working sets with dual extrapolation. X and y come centered, so no intercept is asked for."""

import warnings
from importlib.metadata import version

from celer import celer_path

VERSION = version("celer")
warnings.simplefilter("ignore")


def path(X, y, alphas, tol):
    _, coefs, _ = celer_path(X, y, "lasso", alphas=alphas, tol=tol, max_iter=1000)
    return {"coefs": coefs}
