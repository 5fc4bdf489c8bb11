"""Pictures: Axes in, Axes out. Nothing here computes a fit."""

from shrinkage.plots._cross_validation import cross_validation
from shrinkage.plots._path import path

__all__ = ["cross_validation", "path"]
