"""Data and grids on disk, as raw columns that NumPy maps and R reads; made once."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from linear.rows import ROWS, Row
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1L2
from shrinkage.problem import Problem

STORE = Path(__file__).resolve().parent.parent / ".envs" / "data"


@dataclass(frozen=True)
class Data:
    """A data set on disk: X column by column (dense, or compressed columns), y."""

    name: str

    @property
    def folder(self) -> Path:
        return STORE / self.name

    @cached_property
    def meta(self) -> dict:
        return json.loads((self.folder / "meta.json").read_text())

    @cached_property
    def y(self) -> np.ndarray:
        return np.fromfile(self.folder / "y.bin")

    @cached_property
    def X(self):
        n, p = self.meta["shape"]
        if not self.meta["sparse"]:
            return np.fromfile(self.folder / "X.bin").reshape((n, p), order="F")
        parts = [np.fromfile(self.folder / f"{part}.bin", dtype) for part, dtype in
                 (("values", float), ("indices", np.int32), ("indptr", np.int32))]  # fmt: skip
        return sp.csc_matrix(tuple(parts), shape=(n, p))


def data(name: str) -> Data:
    """The data set, made and stored the first time."""
    found = Data(name)
    if not (found.folder / "meta.json").exists():
        from linear.real import MAKE as REAL
        from linear.simulate import MAKE as SIMULATED

        X, y = {**SIMULATED, **REAL}[name]()
        _save(found.folder, X, y)
    return found


def _save(folder: Path, X, y: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    y.astype(float).tofile(folder / "y.bin")
    if sp.issparse(X):
        X.data.astype(float).tofile(folder / "values.bin")
        X.indices.astype(np.int32).tofile(folder / "indices.bin")
        X.indptr.astype(np.int32).tofile(folder / "indptr.bin")
    else:
        np.asfortranarray(X, dtype=float).ravel(order="F").tofile(folder / "X.bin")
    meta = {"shape": [int(m) for m in X.shape], "sparse": bool(sp.issparse(X)), "nnz": int(getattr(X, "nnz", X.size))}
    (folder / "meta.json").write_text(json.dumps(meta))


@dataclass(frozen=True)
class Task:
    """A row with its data, grid and statement."""

    row: Row
    data: Data

    @property
    def folder(self) -> Path:
        return STORE / "rows" / self.row.name

    @cached_property
    def statement(self) -> Problem:
        loss = Logistic() if self.row.loss == "logistic" else Squared()
        return Problem(as_design(self.data.X), self.data.y, loss, L1L2(1.0, self.row.l1_ratio))

    @cached_property
    def alphas(self) -> np.ndarray:
        return np.fromfile(self.folder / "alphas.bin")

    @cached_property
    def folds(self) -> np.ndarray:
        """Fold of each row: contiguous blocks; with classes scikit-learn's stratified folds."""
        return np.fromfile(self.folder / "folds.bin", np.int32)


def task(name: str) -> Task:
    """The row's task, its grid stored the first time."""
    row = ROWS[name]
    found = Task(row, data(row.data))
    written = found.folder / "row.json"
    wanted = json.dumps({"name": name, "data": str(found.data.folder), "kind": row.kind, "loss": row.loss,
                         "ratio": row.ratio, "n_alphas": row.n_alphas, "l1_ratio": row.l1_ratio,
                         "n_folds": row.folds, **found.data.meta})  # fmt: skip
    if not written.exists() or written.read_text() != wanted:
        found.folder.mkdir(parents=True, exist_ok=True)
        steps = np.geomspace(1.0, row.ratio, row.n_alphas) if row.kind != "single" else np.array([row.ratio])
        (found.statement.alpha_max * steps).tofile(found.folder / "alphas.bin")
        _folds(row, found.data.y).tofile(found.folder / "folds.bin")
        written.write_text(wanted)
    return found


def _folds(row: Row, y: np.ndarray) -> np.ndarray:
    from sklearn.model_selection import KFold, StratifiedKFold

    split = StratifiedKFold(row.folds) if row.loss == "logistic" else KFold(row.folds)
    folds = np.zeros(len(y), np.int32)
    for k, (_, test) in enumerate(split.split(y, y)):
        folds[test] = k
    return folds
