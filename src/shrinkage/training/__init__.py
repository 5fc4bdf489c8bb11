"""What the rooms for networks share, free of any framework: plans, the recursions of optimizers, reports."""

from shrinkage.training._alarms import Alarm as Alarm
from shrinkage.training._alarms import alarms_of as alarms_of
from shrinkage.training._dual import dual_step as dual_step
from shrinkage.training._plain import from_plain as from_plain
from shrinkage.training._plain import to_plain as to_plain
from shrinkage.training._plan import Facts as Facts
from shrinkage.training._plan import PlanRow as PlanRow
from shrinkage.training._plan import PlanTable as PlanTable
from shrinkage.training._plan import penalty_text as penalty_text
from shrinkage.training._recursions import adam_corrections as adam_corrections
from shrinkage.training._recursions import decay_factor as decay_factor
from shrinkage.training._recursions import momentum_scale as momentum_scale
from shrinkage.training._recursions import step_scale as step_scale
from shrinkage.training._report import Report as Report
from shrinkage.training._report import ReportRow as ReportRow
from shrinkage.training._report import together as together
from shrinkage.training._resolve import check_penalty as check_penalty
from shrinkage.training._resolve import misfit as misfit
from shrinkage.training._resolve import resolve as resolve
from shrinkage.training._roles import FAMILIES as FAMILIES
from shrinkage.training._roles import ROLES as ROLES
from shrinkage.training._roles import is_vector as is_vector
from shrinkage.training._roles import role_by_name as role_by_name
from shrinkage.training._roles import role_by_own_name as role_by_own_name
