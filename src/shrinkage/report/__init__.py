"""One page that says what was asked, what was found, and how sure it is."""

from shrinkage.report._html import html
from shrinkage.report._network_study import CLEAR, Figure, NetworkStudy, alike, chain, plus_minus
from shrinkage.report._study import Candidate, Study, ranked

__all__ = ["CLEAR", "Candidate", "Figure", "NetworkStudy", "Study", "alike", "chain", "html", "plus_minus", "ranked"]
