"""
The compiled core of shrinkage. Private: shapes, dtypes and order are checked by its callers.
"""

from collections.abc import Sequence
import enum
from typing import Annotated, overload

import numpy
from numpy.typing import NDArray


def isa() -> str:
    """Instruction set of the kernels in use: baseline, avx2 or avx512."""

class Dense:
    """A view of a strided float64 or float32 matrix, with its products."""

    @overload
    def __init__(self, X: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)]) -> None: ...

    @overload
    def __init__(self, X: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)]) -> None: ...

    def correlate(self, R: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def combine(self, features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], B: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def gram(self, left: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], right: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def gather(self, features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], shift: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], row_scale: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def deviations(self, weights: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)] | None, center: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], first: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], second: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def scan(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1_weights: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], inside: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, l2_weights: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)] | None, C: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], ratio: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], conjugate: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], first: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], excess: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def first_pass(self, R: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], shares: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], centered: bool, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], squares: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

class Sparse:
    """A view of a matrix of compressed columns, with its products."""

    @overload
    def __init__(self, rows: int, indptr: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], indices: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], data: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    @overload
    def __init__(self, rows: int, indptr: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], indices: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], data: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def correlate(self, R: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def combine(self, features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], B: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def gram(self, left: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], right: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def gather(self, features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], shift: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], row_scale: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def deviations(self, weights: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)] | None, center: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], first: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], second: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

    def scan(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1_weights: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], inside: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, l2_weights: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)] | None, C: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], ratio: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], conjugate: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], first: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], excess: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def correlate_some(self, features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], R: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

class ActiveSet:
    """
    Exact minimizer of a quadratic plus a weighted L1 norm, kept warm between strengths.
    """

    def __init__(self, max_support: int) -> None: ...

    @property
    def max_support(self) -> int: ...

    @max_support.setter
    def max_support(self, arg: int, /) -> None: ...

    @property
    def support_size(self) -> int: ...

    @property
    def last_strength(self) -> float: ...

    def solve(self, gram: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)], scale: float, low_rank: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)] | None, linear: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], supports: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], gradients: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')] | None = None) -> None: ...

    def restart(self, gram: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)], scale: float, low_rank: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)] | None, linear: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, ridge: float, coef: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strength: float) -> None: ...

class ResidualDescent:
    """
    Coordinate descent on the residuals of one fit, for large working sets of sparse columns.
    """

    def __init__(self, roots: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], basis: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], y: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    @property
    def n_samples(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def stored(self) -> int: ...

    @property
    def largest_gap(self) -> float: ...

    def near(self, out: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def reset(self) -> None: ...

    def restart(self, coef: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strength: float) -> None: ...

    def solve(self, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, most_sweeps: int, known: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu', writable=False)], coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> int: ...

    @overload
    def append(self, rows: int, starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], places: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], data: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    @overload
    def append(self, rows: int, starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], places: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], data: Annotated[NDArray[numpy.float32], dict(shape=(None,), order='C', device='cpu', writable=False)], features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

def reaches(C: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], shares: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], rest: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], limits: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], norms: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], inverse: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.bool_], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """Which columns may reach a limit at strengths between certified ones."""

def extend_gram(columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], old: int, gram: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu')]) -> None:
    """Add to a Gram matrix the products of new columns with all."""

@overload
def listed_products(X: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], R: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

@overload
def listed_products(X: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='F', device='cpu', writable=False)], features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], R: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None:
    """
    Products of listed columns of a column-major matrix with a few vectors, where it lies.
    """

def pick_block(X: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], rows: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], places: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None:
    """Some rows of some columns of a column-major matrix."""

def span(points: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], limits: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], given: int, order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')], shares: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], rest: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> int:
    """Points that span the others up to rests; returns how many."""

def read_inside(c: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, inverse: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ratios: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], conjugates: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], kkt: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], penalties: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """What the correlations of a working set say of its strengths."""

def read_outside(c: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], at: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, inverse: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, ratios: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], conjugates: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], kkt: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], first: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu')], excess: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """What the correlations of all columns say of some strengths."""

def project(columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], basis: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], explain: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], removed: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None:
    """
    Take off columns, twice, what a basis explains; coefficients are added to `removed`.
    """

class Columns:
    """
    A view of a working set's columns, dense or compressed; the caller keeps the arrays alive.
    """

    @staticmethod
    def dense(values: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)]) -> Columns: ...

    @staticmethod
    def compressed(rows: int, starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], row_of: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], values: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> Columns: ...

    def for_classes(self, classes: int) -> Columns:
        """Each column once for every class, in the rows of that class."""

class LogisticFit:
    """
    Prox-Newton for weighted rows of a logistic model, kept warm between strengths.
    """

    def __init__(self, y: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], offset: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, free_columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], intercept_only: bool) -> None: ...

    def deviances(self, eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], rows: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], means: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    @property
    def null_objective(self) -> float: ...

    @property
    def models_by_descent(self) -> int:
        """Models minimized by coordinate descent so far."""

    def reset(self) -> None: ...

    def dual_point(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def duals(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], scales: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], values: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def solve(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], objectives: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], supports: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def bound(self, lower: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], upper: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def stand_at(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], eta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strength: float) -> None: ...

class LossKind(enum.Enum):
    poisson = 0

    gamma = 1

    tweedie = 2

    negative_binomial = 3

    clipped = 4

    squared = 5

class RowLossFit:
    """
    Prox-Newton for weighted rows of a loss with one linear predictor, kept warm between strengths.
    """

    def __init__(self, kind: LossKind, parameters: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], y: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], offset: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, free_columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], intercept_only: bool) -> None: ...

    def deviances(self, eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], rows: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], means: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    @property
    def null_objective(self) -> float: ...

    @property
    def models_by_descent(self) -> int:
        """Models minimized by coordinate descent so far."""

    def reset(self) -> None: ...

    def dual_point(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def duals(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], scales: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], values: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def solve(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], objectives: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], supports: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def bound(self, lower: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], upper: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def stand_at(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], eta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strength: float) -> None: ...

class RiskSets:
    """Who is at risk at each death: rows with weight, by stratum and time."""

    def __init__(self, time: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], event: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], stratum: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], efron: bool) -> None: ...

    def value(self, eta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> float: ...

    def gradient(self, eta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def roots(self, eta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')]) -> None: ...

class CoxFit:
    """
    Prox-Newton for a Cox model with given risk sets, kept warm between strengths.
    """

    def __init__(self, sets: RiskSets, event: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], offset: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, free_columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], intercept_only: bool) -> None: ...

    @property
    def null_objective(self) -> float: ...

    @property
    def models_by_descent(self) -> int:
        """Models minimized by coordinate descent so far."""

    def reset(self) -> None: ...

    def dual_point(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def duals(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], scales: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], values: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def solve(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], objectives: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], supports: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def bound(self, lower: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], upper: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def stand_at(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], eta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strength: float) -> None: ...

class MultinomialFit:
    """
    Prox-Newton for a multinomial model, kept warm between strengths; vectors over rows hold class after class.
    """

    def __init__(self, classes: int, y: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], offset: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, free_columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], intercept_only: bool) -> None: ...

    def deviances(self, eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], rows: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], means: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    @property
    def null_objective(self) -> float: ...

    @property
    def models_by_descent(self) -> int:
        """Models minimized by coordinate descent so far."""

    def reset(self) -> None: ...

    def dual_point(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def duals(self, theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], scales: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], values: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def solve(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], theta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], objectives: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], supports: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

    def bound(self, lower: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], upper: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def stand_at(self, columns: Columns, l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], free_coefs: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], eta: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strength: float) -> None: ...

class ClassRidge:
    """
    Ridge of a multinomial model, kept warm between falling strengths; vectors over rows hold class after class. The caller keeps
    the arrays of compressed columns alive.
    """

    def __init__(self, classes: int, y: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], offset: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], dense: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], sparse: Columns | None, means: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], n_free: int, free_columns: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], intercept_only: bool, unit: float) -> None: ...

    def solve(self, alphas: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], gradients: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], eta: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], gaps: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

class LogisticRidge:
    """
    Ridge of a logistic model on dense columns, those of the free block first.
    """

    def __init__(self, y: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], offset: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], dense: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], n_free: int, intercept_only: bool, unit: float) -> None: ...

    def solve(self, start: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], alphas: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], gaps: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

class RowLossRidge:
    """
    Ridge of a loss of one predictor on dense columns, those of the free block first.
    """

    def __init__(self, kind: LossKind, parameters: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], y: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], offset: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], dense: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], n_free: int, intercept_only: bool, unit: float) -> None: ...

    def solve(self, start: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], alphas: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], gaps: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

@overload
def add_moments(X: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], rest: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], removed: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu')], features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None: ...

@overload
def add_moments(X: Annotated[NDArray[numpy.float32], dict(shape=(None, None), device='cpu', writable=False)], starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], rest: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], removed: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], out: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu')], features: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, order: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None, weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)] | None = None) -> None:
    """
    out[k] += D' diag(weights) D over the rows of piece k, D = [X - Q removed, rest], rest = [y, Q].
    """

def solve_moments(all: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], left_out: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], test: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], inverse: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], totals: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], test_totals: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], yy: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], null: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ranks: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None, None), order='C', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], gaps: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], kkt: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], scores: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')]) -> None:
    """
    Solves, certifies and scores every fit at every strength; fit k + 1 is all rows without left_out[k], scored on test[k].
    """

def adam_step(storage: str, params: Sequence[int], grads: Sequence[int], exp_avgs: Sequence[int], exp_avg_sqs: Sequence[int], max_exp_avg_sqs: Sequence[int], duals: Sequence[int], thresholds: Sequence[int], sizes: Sequence[int], steps: Sequence[float], floors: Sequence[float], l1: Sequence[float], l2: Sequence[float], *, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, shrink: float, maximize: bool, in_metric: bool, memory: float, threads: int, factors: Sequence[int] = [], bend: str = 'none', gamma: float = 0.0) -> list[float]:
    """
    Adam's step and the penalty's on tensors given by address, in place; duals empty: proximal, else dual averaging. Returns each tensor's sum of vhat.
    """

def sgd_step(storage: str, params: Sequence[int], grads: Sequence[int], buffers: Sequence[int], duals: Sequence[int], sizes: Sequence[int], first: Sequence[bool], l1: Sequence[float], l2: Sequence[float], kept_thresholds: Sequence[float], *, lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool, maximize: bool, memory: float, threads: int, factors: Sequence[int] = []) -> None:
    """
    The step of SGD and the penalty's on tensors given by address, in place; l1 and l2 already times the step.
    """

def adam_step_stacked(params: Sequence[int], grads: Sequence[int], exp_avgs: Sequence[int], exp_avg_sqs: Sequence[int], max_exp_avg_sqs: Sequence[int], duals: Sequence[int], thresholds: Sequence[int], sizes: Sequence[int], members: int, rows: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], *, beta1: float, beta2: float, eps: float, maximize: bool, in_metric: bool, memory: float, threads: int, factors: Sequence[int] = [], bend: str = 'none', gamma: float = 0.0) -> None:
    """
    adam_step on float32 stacks, of `sizes` numbers for each member; rows: steps, floors, l1, l2, lr, weight_decay, shrink of each tensor, members of the first stack first; into the eighth go the sums of vhat.
    """

def sgd_step_stacked(params: Sequence[int], grads: Sequence[int], buffers: Sequence[int], duals: Sequence[int], sizes: Sequence[int], members: int, rows: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='C', device='cpu')], *, momentum: float, dampening: float, nesterov: bool, maximize: bool, memory: float, threads: int, factors: Sequence[int] = []) -> None:
    """
    sgd_step on float32 stacks; rows: l1, l2 and kept thresholds as there, whether this is the first step, lr, weight_decay.
    """

def lend_threads(gomp_parallel: int) -> None:
    """
    Steps run on the threads of the OpenMP whose GOMP_parallel lies there; 0: on threads of their own.
    """

def group_prox(storage: str, params: Sequence[int], steps: Sequence[int], step_values: Sequence[float], outers: Sequence[int], groups: Sequence[int], inners: Sequence[int], lams: Sequence[Sequence[float]], *, l1: float, l2: float, threads: int) -> None:
    """
    The prox of sum l1 |w| + l2/2 w^2 + lam_g ||w_g|| on tensors given by address, in place; a tensor is (outer, groups, inner) in C order. A step of address 0 stands for the number in step_values.
    """

def dual_group_step(storage: str, params: Sequence[int], duals: Sequence[int], thresholds: Sequence[int], group_thresholds: Sequence[int], displacements: Sequence[int], steps: Sequence[int], step_values: Sequence[float], outers: Sequence[int], groups: Sequence[int], inners: Sequence[int], lams: Sequence[Sequence[float]], *, l1: float, l2: float, memory: float, threads: int) -> None:
    """
    One step of dual averaging under the penalty of group_prox, in place in params, duals and both thresholds; one step length for each group, that of the root mean square of 1 / step. thresholds, those of l1, may be empty where l1 is 0.
    """

class Concave(enum.Enum):
    mcp = 0

    scad = 1

def solve_concave(kind: Concave, gamma: float, hessian: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)], linear: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], factors: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], alphas: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, most: int, start: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], sweeps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], objectives: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')], two_starts: bool = False) -> None:
    """
    Stationary points of a quadratic plus MCP or SCAD, each strength from the one before; or from the lasso, if lower.
    """

def solve_sorted(hessian: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)], linear: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], weights: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], alphas: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, most: int, start: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], sweeps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')], objectives: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')]) -> None:
    """
    Minima of a quadratic plus the sorted L1 norm, each strength from the one before.
    """

def sorted_violation(u: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], z: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> float:
    """
    The largest coordinate of z minus the nearest subgradient of the sorted L1 norm at u.
    """

class GroupQuadratic:
    """
    Minimizer of a quadratic plus a penalty on groups of columns, kept warm between strengths.
    """

    def __init__(self, responses: int) -> None: ...

    def append(self, sizes: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], lam: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def hold(self, lower: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], upper: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], units: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def restart(self, coef: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

    def solve(self, gram: Annotated[NDArray[numpy.float64], dict(shape=(None, None), device='cpu', writable=False)], linear: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], tol: float, most: int, coefs: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], steps: Annotated[NDArray[numpy.int32], dict(shape=(None,), order='C', device='cpu')]) -> None: ...

def scan_groups(starts: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], columns: Annotated[NDArray[numpy.int64], dict(shape=(None,), order='C', device='cpu', writable=False)], l1: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], l2: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], lam: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], scale: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], responses: int, correlations: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu', writable=False)], ratios: Annotated[NDArray[numpy.float64], dict(shape=(None, None), order='F', device='cpu')], conjugates: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu')] | None, strengths: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)], ridges: Annotated[NDArray[numpy.float64], dict(shape=(None,), order='C', device='cpu', writable=False)]) -> None: ...

def threads() -> int:
    """The most threads that a call may use, the calling one included."""

def set_threads(count: int) -> None:
    """Sets the most threads that a call may use; bits do not depend on it."""

def work_alone(alone: bool) -> bool:
    """
    Whether calls from this thread do without others from now on; returns what held before.
    """
