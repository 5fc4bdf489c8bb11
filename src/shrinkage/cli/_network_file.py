"""A trained network in two files: weights as safetensors, the rest as JSON, both checksummed; predicts with NumPy."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shrinkage._errors import DataError, MissingExtraError
from shrinkage.cli._model_file import Model, load
from shrinkage.cli._write import write_whole
from shrinkage.tables import Recipe, Table, Target

FORMAT, VERSION = "shrinkage network", 1
FORM, WEIGHTS = "network.json", "network.safetensors"
ROWS = 8192
"""Rows that pass through the layers together."""

Layer = tuple[np.ndarray, np.ndarray]
"""weight (outputs, inputs) and bias (outputs,)."""


@dataclass(frozen=True)
class Training:
    """How the weights came about; read by people, not needed to predict."""

    penalty: str
    l1_ratio: float
    strength: float
    rule: str
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    lr: float
    seed: int
    rows: int
    test_rows: int
    score_name: str
    version: str
    call: str
    test_loss: float | None = None
    test_score: float | None = None


@dataclass(frozen=True)
class Network:
    """All that a prediction needs.

    Attributes
    ----------
    target : Target
    recipe : Recipe
    center, scale : ndarray of shape (n_features,)
        Subtracted from and divided into what the recipe makes.
    response : (float, float)
        Center and scale of the target; (0, 1) for classes.
    layers : tuple of (weight, bias)
        Linear layers with ReLU between them; the last has one output for a number, one per class for classes.
    training : Training
    """

    target: Target
    recipe: Recipe
    center: np.ndarray
    scale: np.ndarray
    response: tuple[float, float]
    layers: tuple[Layer, ...]
    training: Training

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """What the last layer says of rows of the recipe's matrix, (n_rows, n_outputs), computed in float64."""
        said = np.empty((len(X), len(self.layers[-1][1])))
        for start in range(0, len(X), ROWS):
            # As in training, where float32 holds the standardized columns.
            passed = ((X[start : start + ROWS] - self.center) / self.scale).astype(np.float32).astype(np.float64)
            for place, (weight, bias) in enumerate(self.layers):
                passed = (np.maximum(passed, 0.0) if place else passed) @ weight.astype(np.float64).T + bias
            said[start : start + ROWS] = passed
        return said

    def predict(self, table: Table) -> tuple[np.ndarray, tuple[str, ...]]:
        """The mean response and notes of the recipe.

        Returns
        -------
        mean : ndarray
            (n_rows,) for a number and for two classes (the probability of the second), else (n_rows, n_classes).
        notes : tuple of str
        """
        X, notes = self.recipe.apply(table)
        return self.mean(X), notes

    def mean(self, X: np.ndarray) -> np.ndarray:
        """The mean response of rows of the recipe's matrix, as `predict` gives it."""
        said = self.outputs(X)
        if self.target.loss == "squared":
            return said[:, 0] * self.response[1] + self.response[0]
        odds = np.exp(said - said.max(axis=1, keepdims=True))
        shares = odds / odds.sum(axis=1, keepdims=True)
        return shares[:, 1] if self.target.loss == "logistic" else shares

    def classes(self, probability: np.ndarray) -> list[str]:
        """The likeliest class, row by row."""
        codes = probability.argmax(axis=1) if probability.ndim == 2 else (probability > 0.5).astype(int)
        return [self.target.classes[code] for code in codes.tolist()]

    def to_files(self) -> dict[str, bytes]:
        """The content of both files, by name; the same network gives the same bytes."""
        arrays: dict[str, np.ndarray] = {}
        for place, (weight, bias) in enumerate(self.layers):
            arrays |= {f"{place}.weight": np.ascontiguousarray(weight), f"{place}.bias": np.ascontiguousarray(bias)}
        weights = _safetensors().save(arrays)
        form = {
            "format": FORMAT,
            "version": VERSION,
            "target": self.target.to_dict(),
            "recipe": self.recipe.to_dict(),
            "features": list(self.recipe.feature_names),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "response": list(self.response),
            "activation": "relu",
            "layers": [list(weight.shape) for weight, _ in self.layers],
            "training": asdict(self.training),
            "weights": {"file": WEIGHTS, "sha256": hashlib.sha256(weights).hexdigest()},
        }
        whole = {"sha256": _hash(form), "network": form}
        return {WEIGHTS: weights, FORM: json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1).encode()}

    def write(self, folder: Path) -> dict[str, str]:
        """Write both files, the one that names the other last; where they lie, by name."""
        for name, content in self.to_files().items():
            write_whole(folder / name, content)
        return {name: str(folder / name) for name in (FORM, WEIGHTS)}


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise MissingExtraError("networks in files need safetensors: pip install 'shrinkage[train]'") from error
    return safetensors.numpy


def _hash(form: dict[str, Any]) -> str:
    """The checksum of a form: of its content, not of its layout."""
    text = json.dumps(form, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def load_saved(path: Path) -> Model | Network:
    """Read what `shrinkage fit --out` or `shrinkage train --out` wrote: the folder, or one of its files.

    Raises
    ------
    DataError
        If there is none or there are two, it is damaged, or a newer version wrote it.
    MissingExtraError
        If it is a network and safetensors is not installed.
    """
    if path.is_dir() and (path / FORM).exists():
        if (path / "model.npz").exists():
            raise DataError(f"{path} holds two models: name {path / 'model.npz'} or {path / FORM}")
        return load_network(path / FORM)
    if path.suffix == ".safetensors":
        return load_network(path.with_suffix(".json"))
    return load_network(path) if path.suffix == ".json" else load(path)


def load_network(path: Path) -> Network:
    """Read a network by its JSON file; the weights lie beside it."""
    safetensors = _safetensors()
    form = _read_form(path)
    place = path.with_name(path.stem + ".safetensors")
    try:
        weights = place.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{place}: the weights of {path.name} are not beside it") from None
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror or error}") from None
    if hashlib.sha256(weights).hexdigest() != form["weights"]["sha256"]:
        raise DataError(f"{place} is damaged or of another training: its checksum is not the one in {path.name}")
    arrays = safetensors.load(weights)
    training = form["training"]
    return Network(
        target=Target.from_dict(form["target"]),
        recipe=Recipe.from_dict(form["recipe"]),
        center=np.array(form["center"], dtype=np.float64),
        scale=np.array(form["scale"], dtype=np.float64),
        response=(form["response"][0], form["response"][1]),
        layers=tuple((arrays[f"{k}.weight"], arrays[f"{k}.bias"]) for k in range(len(form["layers"]))),
        training=Training(**{**training, "hidden": tuple(training["hidden"])}),
    )


def _read_form(path: Path) -> dict[str, Any]:
    """The checked content of the JSON file."""
    try:
        whole = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path}: no such network; `shrinkage train ... --out DIR` writes DIR/{FORM}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{path} is not a network of shrinkage, or is damaged: {error}") from None
    form = whole.get("network") if isinstance(whole, dict) else None
    if not isinstance(form, dict) or form.get("format") != FORMAT:
        raise DataError(f"{path} is not a network of shrinkage, or is damaged")
    try:
        right = _hash(form) == whole.get("sha256")
    except ValueError:  # NaN and Infinity, which this library never writes
        right = False
    if not right:
        raise DataError(f"{path} is damaged: its checksum does not match; train again")
    if form["version"] > VERSION:
        raise DataError(f"{path} has format version {form['version']}, this shrinkage reads up to {VERSION}; update it")
    return form
