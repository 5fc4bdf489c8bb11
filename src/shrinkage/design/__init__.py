"""The data: matrices touched only through a few products, whatever they are stored as."""

from shrinkage.design._as_design import as_design
from shrinkage.design._dense import DenseDesign
from shrinkage.design._protocol import Design, Scan

__all__ = ["DenseDesign", "Design", "Scan", "as_design"]
