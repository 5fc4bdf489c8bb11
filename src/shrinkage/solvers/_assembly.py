"""Records of paths: made of what a driver certified, put together, and in the order that was asked for."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from shrinkage.problem import Problem
from shrinkage.solvers._batches import Certified, sparse_columns
from shrinkage.solvers._records import FoldColumns, PathColumns, statuses


def columns_of(problem: Problem, certified: Certified, alphas: np.ndarray, null: float, tol: float) -> FoldColumns:
    """The records of what a driver certified at `alphas`; `null` is the objective of the null model."""
    gaps = _joined(certified.gaps, float)
    shape = problem.design.shape[1], len(gaps)  # fewer than alphas where the driver was stopped
    coefs = sparse_columns(shape, certified.features, certified.coefs, problem.free, certified.free_coefs)
    path = PathColumns(
        alphas[: len(gaps)],
        coefs,
        _joined(certified.intercepts, float),
        gaps,
        _joined(certified.kkt, float),
        _joined(certified.steps, np.int32),
        statuses(gaps / null if null > 0 else gaps, tol),
        certified.n_passes,
    )
    scores = _joined([s for s, _ in certified.scores], float, (0, 0))
    fold_gaps = _joined([g for _, g in certified.scores], float, (0, 0))
    return FoldColumns(path, scores, fold_gaps)


def _joined(blocks: list[np.ndarray], kind: type, nothing: tuple[int, ...] = (0,)) -> np.ndarray:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks or [np.zeros(nothing, kind)])


def alone(path: PathColumns) -> FoldColumns:
    """The record of a path without folds."""
    return FoldColumns(path, np.zeros((len(path.alphas), 0)), np.zeros((len(path.alphas), 0)))


def explained(columns: FoldColumns) -> FoldColumns:
    """The single exact strength of a y that the intercept and the free columns explain: 0."""
    return replace(columns, path=replace(columns.path, alphas=np.zeros(1)))


def appended(first: FoldColumns, last: FoldColumns) -> FoldColumns:
    """Two runs of strengths as one."""
    a, b = first.path, last.path
    path = PathColumns(
        np.concatenate([a.alphas, b.alphas]),
        sparse.csc_array(sparse.hstack([a.coefs, b.coefs])),
        np.concatenate([a.intercepts, b.intercepts]),
        np.concatenate([a.gaps, b.gaps]),
        np.concatenate([a.kkt, b.kkt]),
        np.concatenate([a.n_iter, b.n_iter]),
        a.status + b.status,
        a.n_passes + b.n_passes,
    )
    if not a.alphas.size:
        return FoldColumns(path, last.scores, last.gaps)
    return FoldColumns(path, np.vstack([first.scores, last.scores]), np.vstack([first.gaps, last.gaps]))


def reordered(columns: FoldColumns, grid: np.ndarray, back: np.ndarray) -> FoldColumns:
    """The record at `grid`, whose t-th strength is the one at back[t]."""
    path = columns.path
    path = replace(
        path,
        alphas=grid,
        coefs=sparse.csc_array(path.coefs[:, back]),
        intercepts=path.intercepts[back],
        gaps=path.gaps[back],
        kkt=path.kkt[back],
        n_iter=path.n_iter[back],
        status=tuple(path.status[i] for i in back),
    )
    return FoldColumns(path, columns.scores[back], columns.gaps[back])
