"""Which strength: rules that read held-out losses, and one that says early which strengths are out of the race."""

from shrinkage.selection._bayesian_lasso import MonteCarlo as MonteCarlo
from shrinkage.selection._choice import RULES as RULES
from shrinkage.selection._choice import Choice as Choice
from shrinkage.selection._choice import choose as choose
from shrinkage.selection._choice import rule_words as rule_words
from shrinkage.selection._clearly_worse import clearly_worse as clearly_worse
from shrinkage.selection._evidence import evidence as evidence
from shrinkage.selection._evidence_record import Evidence as Evidence
from shrinkage.selection._evidence_record import EvidenceComparison as EvidenceComparison
from shrinkage.selection._one_standard_error import lowest as lowest
from shrinkage.selection._one_standard_error import one_standard_error as one_standard_error
from shrinkage.selection._one_standard_error import paired_error as paired_error
