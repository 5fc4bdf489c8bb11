"""What the rooms for networks share, free of any framework: plans, the recursions of optimizers, reports."""

from shrinkage.training._dual import dual_step as dual_step
from shrinkage.training._plain import from_plain as from_plain
from shrinkage.training._plain import to_plain as to_plain
from shrinkage.training._recursions import adam_corrections as adam_corrections
from shrinkage.training._recursions import decay_factor as decay_factor
from shrinkage.training._recursions import momentum_scale as momentum_scale
from shrinkage.training._recursions import step_scale as step_scale
