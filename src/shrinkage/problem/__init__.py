"""What is minimized, and by how much a candidate misses: `Problem`, and the formulas that its certificates share.

`free_basis`, `balance`, `squared_dual` and `scaled_dual` work on many columns at once, so that an engine can certify a
whole batch of strengths with the formulas that `Problem` uses for one.
"""

from shrinkage.problem._bounded import held_by_one_bound as held_by_one_bound
from shrinkage.problem._bounded import without_bounds as without_bounds
from shrinkage.problem._dual import balance as balance
from shrinkage.problem._dual import free_basis as free_basis
from shrinkage.problem._dual import free_block as free_block
from shrinkage.problem._dual import minimize_free as minimize_free
from shrinkage.problem._dual import project as project
from shrinkage.problem._dual import scaled_dual as scaled_dual
from shrinkage.problem._dual import squared_dual as squared_dual
from shrinkage.problem._explained import explained_or as explained_or
from shrinkage.problem._joint import held_out_deviance as held_out_deviance
from shrinkage.problem._joint import informative_weight as informative_weight
from shrinkage.problem._joint import minimize_free_jointly as minimize_free_jointly
from shrinkage.problem._kinked import FIRST_SHARE as FIRST_SHARE
from shrinkage.problem._kinked import bounding_curvature as bounding_curvature
from shrinkage.problem._kinked import is_kinked as is_kinked
from shrinkage.problem._kinked import level_point as level_point
from shrinkage.problem._kinked import next_share as next_share
from shrinkage.problem._mean_loss import mean_losses as mean_losses
from shrinkage.problem._mean_loss import row_loss as row_loss
from shrinkage.problem._multinomial import MultinomialProblem as MultinomialProblem
from shrinkage.problem._multinomial import class_offset as class_offset
from shrinkage.problem._problem import NullModel as NullModel
from shrinkage.problem._problem import Problem as Problem
from shrinkage.problem._rounding import without_rounding as without_rounding

__all__ = [
    "FIRST_SHARE",
    "MultinomialProblem",
    "NullModel",
    "Problem",
    "balance",
    "bounding_curvature",
    "class_offset",
    "explained_or",
    "free_basis",
    "free_block",
    "held_by_one_bound",
    "held_out_deviance",
    "informative_weight",
    "is_kinked",
    "level_point",
    "mean_losses",
    "minimize_free",
    "minimize_free_jointly",
    "next_share",
    "project",
    "row_loss",
    "scaled_dual",
    "squared_dual",
    "without_bounds",
    "without_rounding",
]
