"""One page that says what was asked, what was found, and how sure it is."""

from shrinkage.report._html import html
from shrinkage.report._study import Candidate, Study

__all__ = ["Candidate", "Study", "html"]
