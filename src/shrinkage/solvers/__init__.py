"""From a `Problem` to its solution: exact paths in batches, ridge by one eigendecomposition, FISTA for the rest."""

from shrinkage.solvers._class_fits import CLASS_SCORES as CLASS_SCORES
from shrinkage.solvers._classes import solve_classes as solve_classes
from shrinkage.solvers._engine import solve as solve
from shrinkage.solvers._engine import solve_folds as solve_folds
from shrinkage.solvers._engine import solve_path as solve_path
from shrinkage.solvers._fold_scores import score_folds as score_folds
from shrinkage.solvers._native_losses import has_native as has_native
from shrinkage.solvers._nodewise import Nodewise as Nodewise
from shrinkage.solvers._ratios import solve_ratios as solve_ratios
from shrinkage.solvers._records import Ending as Ending
from shrinkage.solvers._records import FoldColumns as FoldColumns
from shrinkage.solvers._records import PathColumns as PathColumns
from shrinkage.solvers._records import Solution as Solution
from shrinkage.solvers._records import Status as Status
from shrinkage.solvers._repeats import RepeatedFolds as RepeatedFolds
from shrinkage.solvers._scale import column_scale as column_scale
from shrinkage.solvers._stops import Stop as Stop
from shrinkage.solvers._subsamples import first_strengths as first_strengths
from shrinkage.solvers._subsamples import samples_at_once as samples_at_once
from shrinkage.solvers._subsamples import solve_subsamples as solve_subsamples
