"""The front of the engine: a path, and the strength chosen by cross-validation."""

from shrinkage._path._cross_validation import CrossValidation as CrossValidation
from shrinkage._path._cross_validation import check_folds as check_folds
from shrinkage._path._cross_validation import cross_validate as cross_validate
from shrinkage._path._cross_validation import fold_rows as fold_rows
from shrinkage._path._path import path as path
from shrinkage._path._record import Path as Path
from shrinkage._path._statement import alpha_grid as alpha_grid
from shrinkage._path._statement import finish as finish
from shrinkage._path._statement import grid as grid
from shrinkage._path._statement import state as state
from shrinkage._path._statement import warn_missed as warn_missed
