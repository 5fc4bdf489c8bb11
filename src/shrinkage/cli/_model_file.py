"""A fitted model in a file: JSON and arrays in one npz, checksummed, never pickled."""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shrinkage._errors import DataError
from shrinkage.cli._losses import LOSSES
from shrinkage.cli._rows import read_offset
from shrinkage.tables import Recipe, Table, Target

FORMAT, VERSION = "shrinkage model", 3
FIRST = ("squared", "logistic")
"""Losses that format version 1 knows, where nothing but features goes into a prediction."""
MANY_CLASSES = ("multinomial",)
"""Losses that version 3 knows, with a row of coefficients for each class."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""Time stamp of every member, so that the same model gives the same bytes."""


@dataclass(frozen=True)
class Fit:
    """How the coefficients came about; read by people, not needed to predict."""

    penalty: str
    l1_ratio: float
    alpha: float
    rule: str
    standardized: bool
    error: float
    se: float
    gap: float | None
    tol: float
    version: str
    call: str


@dataclass(frozen=True)
class Model:
    """All that a prediction needs.

    Attributes
    ----------
    target : Target
    recipe : Recipe
    coef : ndarray of shape (n_features,), or (n_classes, n_features)
        In raw units.
    intercept : float, or ndarray of shape (n_classes,)
    fit : Fit
    offset, exposure : str or None
        Columns that a prediction adds to the linear predictor, the second by its logarithm.
    """

    target: Target
    recipe: Recipe
    coef: np.ndarray
    intercept: Any
    fit: Fit
    offset: str | None = None
    exposure: str | None = None

    def predict(self, table: Table) -> tuple[np.ndarray, tuple[str, ...]]:
        """Mean response (n_rows,), the probability of the second class for logistic, and notes of the recipe.

        Of several classes their probabilities (n_rows, n_classes).
        """
        X, notes = self.recipe.apply(table)
        eta = X @ self.coef.T + self.intercept
        offset = read_offset(table, self.offset, self.exposure)
        eta = eta if offset is None else eta + offset
        return np.asarray(LOSSES[self.target.loss].inverse_link(eta)), notes

    def classes(self, probability: np.ndarray) -> list[str]:
        """The likeliest class, row by row."""
        if probability.ndim == 2:
            return [self.target.classes[place] for place in probability.argmax(axis=1)]
        return [self.target.classes[int(value > 0.5)] for value in probability]

    def to_bytes(self) -> bytes:
        """The content of a model file."""
        stream = io.BytesIO()
        np.save(stream, np.concatenate([self.coef, np.asarray(self.intercept)[..., None]], axis=-1), allow_pickle=False)
        arrays = stream.getvalue()
        rows = {role: name for role, name in (("offset", self.offset), ("exposure", self.exposure)) if name is not None}
        form = {
            "format": FORMAT,
            "version": self._version(bool(rows)),
            "target": self.target.to_dict(),
            "recipe": self.recipe.to_dict(),
            "features": list(self.recipe.feature_names),
            "fit": asdict(self.fit),
            "sha256": {"coef_intercept.npy": _hash(arrays)},
            **({"rows": rows} if rows else {}),
        }
        text = json.dumps(form, ensure_ascii=False, allow_nan=False, indent=1).encode()
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (
                ("model.json", text),
                ("model.json.sha256", _hash(text).encode()),
                ("coef_intercept.npy", arrays),
            ):
                archive.writestr(zipfile.ZipInfo(name, LONG_AGO), content, zipfile.ZIP_DEFLATED)
        return packed.getvalue()

    def _version(self, has_rows: bool) -> int:
        """The oldest format that holds this model, so that older programs read what they can."""
        if self.target.loss in MANY_CLASSES:
            return 3
        return 2 if has_rows or self.target.loss not in FIRST else 1


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def load(path: Path) -> Model:
    """Read a model file, or the one in a folder that `shrinkage fit --out` wrote.

    Raises
    ------
    DataError
        If there is none, it is damaged, or a newer version wrote it.
    """
    if path.is_dir():
        path = path / "model.npz"
    try:
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            parts = {name: archive.read(name) for name in ("model.json", "model.json.sha256", "coef_intercept.npy")}
    except FileNotFoundError:
        raise DataError(f"{path}: no such model; `shrinkage fit ... --out DIR` writes DIR/model.npz") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:
        raise DataError(f"{path} is not a model of shrinkage, or is damaged: {error}") from None
    if _hash(parts["model.json"]).encode() != parts["model.json.sha256"]:
        raise DataError(f"{path} is damaged: the checksum of model.json does not match; fit again")
    form = json.loads(parts["model.json"])
    if form.get("format") != FORMAT:
        raise DataError(f"{path} is not a model of shrinkage")
    if form["version"] > VERSION:
        raise DataError(f"{path} has format version {form['version']}, this shrinkage reads up to {VERSION}; update it")
    if _hash(parts["coef_intercept.npy"]) != form["sha256"]["coef_intercept.npy"]:
        raise DataError(f"{path} is damaged: the checksum of the coefficients does not match; fit again")
    return _model(form, np.load(io.BytesIO(parts["coef_intercept.npy"]), allow_pickle=False))


def _model(form: dict[str, Any], numbers: np.ndarray) -> Model:
    return Model(
        target=Target.from_dict(form["target"]),
        recipe=Recipe.from_dict(form["recipe"]),
        coef=numbers[..., :-1],
        intercept=float(numbers[-1]) if numbers.ndim == 1 else numbers[:, -1],
        fit=Fit(**form["fit"]),
        **form.get("rows", {}),
    )
