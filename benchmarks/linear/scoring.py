"""How good an answer is, by `Problem` and never by the tool: its certified gap, and its true error."""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

import shrinkage
from linear.serving import Answer
from linear.store import Task

EXACT = 1e-12


@dataclass(frozen=True)
class Reference:
    """Our solution at tol 1e-12: a bound from below of the objective at every strength, and the curve of the folds."""

    lower: np.ndarray
    curve: np.ndarray | None
    gap: float
    support: int


def reference(task: Task) -> Reference:
    """The row's reference, computed once and stored."""
    stored = task.folder / "reference.npz"
    if not stored.exists():
        _compute(task, stored)
    with np.load(stored) as found:
        curve = found["curve"] if "curve" in found.files else None
        return Reference(found["lower"], curve, float(found["gap"]), int(found["support"]))


def _compute(task: Task, stored) -> None:
    row, X, y = task.row, task.data.X, task.data.y
    given = {"loss": row.loss, "l1_ratio": row.l1_ratio, "alphas": task.alphas, "tol": EXACT}
    curve = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a gap of 1e-12 may be out of reach; the bound below takes the gap met
        if row.kind == "cv":
            splits = [(np.flatnonzero(task.folds != k), np.flatnonzero(task.folds == k)) for k in range(row.folds)]
            found = shrinkage.cross_validate(X, y, cv=splits, **given)
            path, curve = found.path, {"curve": found.scores.mean(1)}
        else:
            path = shrinkage.path(X, y, **given)
    gaps = np.maximum(task.statement.gaps(path.coefs, path.intercepts, task.alphas), 0.0)
    lower = objectives(task, path.coefs, path.intercepts) - gaps
    support = int(np.diff(path.coefs.indptr).max())
    np.savez(stored, lower=lower, gap=gaps.max() / task.statement.null.objective, support=support, **curve)


def objectives(task: Task, coefs: sp.csc_matrix, intercepts: np.ndarray) -> np.ndarray:
    """The objective of every strength, in float64."""
    statement, rho = task.statement, task.row.l1_ratio
    features = np.unique(coefs.indices)
    held = np.ascontiguousarray(coefs[features].toarray())
    eta = statement.design.combine(features, held) + intercepts
    loss = np.array([statement.loss.value(task.data.y, column).mean() for column in eta.T])
    penalty = rho * np.abs(held).sum(0) + (1 - rho) / 2 * (held * held).sum(0)
    return loss + task.alphas * penalty


def score(task: Task, answer: Answer) -> dict:
    """Largest relative gap and suboptimality over all strengths; both in units of the null model's objective."""
    if answer.coefs is None:
        return {}
    null = task.statement.null.objective
    gaps = task.statement.gaps(answer.coefs, answer.intercepts, task.alphas)
    primal = objectives(task, answer.coefs, answer.intercepts)
    if answer.thetas is not None and task.row.loss == "squared" and task.row.l1_ratio == 1:
        gaps = np.minimum(gaps, primal - own_dual(task, answer.thetas))
    error = primal - reference(task).lower
    return {"gap": float(gaps.max() / null), "suboptimality": float(error.max() / null)}


def own_dual(task: Task, thetas: np.ndarray) -> np.ndarray:
    """Dual objective of the lasso at the best multiple of each direction that a tool offers: rows of `thetas`."""
    n, y = len(task.data.y), task.data.y - task.data.y.mean()
    R = np.ascontiguousarray((thetas - thetas.mean(1, keepdims=True)).T)
    largest = np.abs(task.statement.design.correlate(R)).max(0) / n
    square, along = (R * R).sum(0), y @ R
    bound = np.divide(task.alphas, largest, out=np.full(len(task.alphas), np.inf), where=largest > 0)
    scale = np.clip(np.divide(along, square, out=np.zeros_like(along), where=square > 0), -bound, bound)
    return scale * along / n - scale**2 * square / (2 * n)
