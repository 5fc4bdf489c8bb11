"""Pictures: Axes in, Axes out. Nothing here computes a fit."""

from shrinkage.plots._cross_validation import cross_validation
from shrinkage.plots._decay import decay
from shrinkage.plots._geometry import geometry
from shrinkage.plots._path import path
from shrinkage.plots._prior import prior
from shrinkage.plots._prox import prox
from shrinkage.plots._repeated_cv import repeated_cv
from shrinkage.plots._sparsity import sparsity
from shrinkage.plots._stability import stability
from shrinkage.plots._sweep import sweep

__all__ = [
    "cross_validation",
    "decay",
    "geometry",
    "path",
    "prior",
    "prox",
    "repeated_cv",
    "sparsity",
    "stability",
    "sweep",
]
