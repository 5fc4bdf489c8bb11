"""The problems: seeded data and a grid of strengths, written once as .npy files that every tool reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes

from shrinkage.datasets import simulate_linear
from shrinkage.design import as_design
from shrinkage.losses import Squared
from shrinkage.penalties import L1
from shrinkage.problem import Problem

STORE = Path(__file__).resolve().parent / ".envs" / "data"


@dataclass(frozen=True)
class Data:
    """Squared error with an L1 penalty and an intercept, on a grid of strengths from the one that zeroes everything."""

    name: str
    X: np.ndarray
    y: np.ndarray
    alphas: np.ndarray

    @property
    def folder(self) -> Path:
        return STORE / self.name

    @property
    def statement(self) -> Problem:
        return Problem(as_design(self.X), self.y, Squared(), L1(1.0))

    def save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("X", "y", "alphas"):
            np.save(self.folder / f"{name}.npy", getattr(self, name))

    def relative_gaps(self, coefs: np.ndarray, intercepts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        """Duality gap over the null model's objective, per strength: by `Problem`, whoever solved."""
        statement = self.statement
        return statement.gaps(coefs, intercepts, alphas) / statement.null.objective


def simulated(name: str, n_samples: int, n_features: int, n_nonzero: int, ratio: float, n_alphas: int = 100) -> Data:
    """Columns AR(0.5), signal-to-noise ratio 5; columns and y standardized, so that no tool needs an intercept."""
    drawn = simulate_linear(n_samples, n_features, rho=0.5, n_nonzero=n_nonzero, snr=5.0, seed=0)
    X = np.asfortranarray((drawn.X - drawn.X.mean(0)) / drawn.X.std(0))
    y = (drawn.y - drawn.y.mean()) / drawn.y.std()
    return _with_grid(name, X, y, ratio, n_alphas)


def diabetes() -> Data:
    """442 patients, 10 columns, as scikit-learn ships them."""
    X, y = load_diabetes(return_X_y=True)
    return _with_grid("diabetes", np.asfortranarray(X), y, 1e-3, 100)


def _with_grid(name: str, X: np.ndarray, y: np.ndarray, ratio: float, n_alphas: int) -> Data:
    largest = np.abs(X.T @ (y - y.mean())).max() / len(y)
    data = Data(name, X, y, largest * np.geomspace(1.0, ratio, n_alphas))
    data.save()
    return data


MAKE = {
    "wide": lambda: simulated("wide", 500, 20_000, 100, ratio=1e-2),
    "cv-wide": lambda: simulated("cv-wide", 500, 5_000, 100, ratio=1e-2),
    "cv-diabetes": diabetes,
    "small": lambda: simulated("small", 100, 20, 5, ratio=1e-1, n_alphas=2),
}
