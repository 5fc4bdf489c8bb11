"""What weights cost: penalties as frozen values that work on the arrays of any library.

`L1`, `L2`, `L1L2`, `GroupL2`, `SparseGroup` (a sum of the first three with the fourth), `SortedL1`, `MCP` and `SCAD`
are the penalties, `Box` puts bounds around one of the first three, `GroupBox` around one of the next two; `Penalty`,
`Convex`, `Separable`, `BlockSeparable` and `HasKernel` say what a solver may ask of one.
"""

from shrinkage.penalties._box import Box as Box
from shrinkage.penalties._group_box import GroupBox as GroupBox
from shrinkage.penalties._group_l2 import GroupL2 as GroupL2
from shrinkage.penalties._l1 import L1 as L1
from shrinkage.penalties._l1l2 import L1L2 as L1L2
from shrinkage.penalties._l2 import L2 as L2
from shrinkage.penalties._mcp import MCP as MCP
from shrinkage.penalties._protocols import BlockSeparable as BlockSeparable
from shrinkage.penalties._protocols import Convex as Convex
from shrinkage.penalties._protocols import HasKernel as HasKernel
from shrinkage.penalties._protocols import Penalty as Penalty
from shrinkage.penalties._protocols import Separable as Separable
from shrinkage.penalties._scad import SCAD as SCAD
from shrinkage.penalties._sorted_l1 import SortedL1 as SortedL1
from shrinkage.penalties._sorted_l1 import bh_weights as bh_weights
from shrinkage.penalties._sparse_group import SparseGroup as SparseGroup

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "MCP",
    "SCAD",
    "BlockSeparable",
    "Box",
    "Convex",
    "GroupBox",
    "GroupL2",
    "HasKernel",
    "Penalty",
    "Separable",
    "SortedL1",
    "SparseGroup",
    "bh_weights",
]

ALL: tuple[type, ...] = (L1, L2, L1L2, GroupL2, SparseGroup, MCP, SCAD)
"""Every penalty on one coordinate or group at a time, which networks and stored plans know."""
