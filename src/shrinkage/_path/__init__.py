"""The front of the engine: a path, and the strength chosen by cross-validation."""

from shrinkage._path._bounds import bounded as bounded
from shrinkage._path._bounds import factors_and_excluded as factors_and_excluded
from shrinkage._path._bounds import limit_vectors as limit_vectors
from shrinkage._path._bounds import refuse_bounds as refuse_bounds
from shrinkage._path._classes import state_classes as state_classes
from shrinkage._path._concordance import concordance as concordance
from shrinkage._path._cross_validation import CrossValidation as CrossValidation
from shrinkage._path._cross_validation import cross_validate as cross_validate
from shrinkage._path._cross_validation import validate_responses as validate_responses
from shrinkage._path._folds import check_folds as check_folds
from shrinkage._path._folds import fold_rows as fold_rows
from shrinkage._path._path import path as path
from shrinkage._path._record import Path as Path
from shrinkage._path._responses import Responses as Responses
from shrinkage._path._responses import state_responses as state_responses
from shrinkage._path._scores import SCORES as SCORES
from shrinkage._path._scores import check_held_out as check_held_out
from shrinkage._path._scores import scorer as scorer
from shrinkage._path._statement import alpha_grid as alpha_grid
from shrinkage._path._statement import finish as finish
from shrinkage._path._statement import grid as grid
from shrinkage._path._statement import loss_of as loss_of
from shrinkage._path._statement import state as state
from shrinkage._path._statement import warn_missed as warn_missed
from shrinkage._path._survival import survival_response as survival_response
