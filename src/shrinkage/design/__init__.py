"""The data: matrices touched only through a few products, whatever they are stored as."""

from shrinkage.design._as_design import as_design
from shrinkage.design._blocks import BlockDesign, Progress
from shrinkage.design._dense import DenseDesign
from shrinkage.design._finite import check_entries, check_finite
from shrinkage.design._open_blocks import open_blocks
from shrinkage.design._protocol import Design, Scan
from shrinkage.design._responses import ResponsesDesign
from shrinkage.design._sparse import SparseDesign

__all__ = [
    "BlockDesign",
    "DenseDesign",
    "Design",
    "Progress",
    "ResponsesDesign",
    "Scan",
    "SparseDesign",
    "as_design",
    "check_entries",
    "check_finite",
    "open_blocks",
]
