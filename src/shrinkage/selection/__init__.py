"""Which strength: rules that read held-out losses, and one that says early which strengths are out of the race."""

from shrinkage.selection._choice import Choice as Choice
from shrinkage.selection._choice import choose as choose
from shrinkage.selection._chosen import ChosenStrength as ChosenStrength
from shrinkage.selection._clearly_worse import clearly_worse as clearly_worse
from shrinkage.selection._criteria import CRITERIA as CRITERIA
from shrinkage.selection._criteria import InformationCriteria as InformationCriteria
from shrinkage.selection._criteria import information_criteria as information_criteria
from shrinkage.selection._debiased import debiased_lasso as debiased_lasso
from shrinkage.selection._debiased_record import DebiasedLasso as DebiasedLasso
from shrinkage.selection._degrees_of_freedom import degrees_of_freedom as degrees_of_freedom
from shrinkage.selection._dispersion import Dispersion as Dispersion
from shrinkage.selection._leave_one_out import LeaveOneOut as LeaveOneOut
from shrinkage.selection._leave_one_out import leave_one_out as leave_one_out
from shrinkage.selection._one_standard_error import lowest as lowest
from shrinkage.selection._one_standard_error import one_standard_error as one_standard_error
from shrinkage.selection._one_standard_error import paired_error as paired_error
from shrinkage.selection._rules import RULES as RULES
from shrinkage.selection._rules import rule_words as rule_words
