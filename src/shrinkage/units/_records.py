"""What a conversion goes through and what it gives: a strength in our unit, facts of the data, the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._check import (
    check_choice,
    check_fraction,
    check_nonnegative,
    check_positive,
    check_positive_int,
    finite_vector,
    weight_vector,
)
from shrinkage._errors import ArgumentError

MEAN_LOSSES = {
    "mse": ("squared", 2.0),
    "half_mse": ("squared", 1.0),
    "crossentropy": ("logistic", 1.0),
    "poisson": ("poisson", 1.0),
}
"""Losses of networks: which of ours each is, and how many times ours."""


class NotExpressible(ArgumentError):
    """No argument of the target says what the source's call means; the message says why, and what would."""


@dataclass(frozen=True)
class Strength:
    """A penalty in our unit: (1/S) Σᵢ sᵢ ℓ(yᵢ, ηᵢ) + α Σⱼ fⱼ (ρ|wⱼ| + ½(1-ρ) wⱼ²), the intercept free.

    Attributes
    ----------
    alpha : float >= 0
    l1_ratio : float in [0, 1]
    factors : tuple of float or None
        Multipliers fⱼ; inf means that the column is left out.
    loss : str or None
        ℓ: "squared" (½(y-η)²), "logistic", "poisson", "cox", "multi_squared" (½‖y-η‖² of a row of several responses,
        with ‖Wⱼ‖₂ for |wⱼ|); None is whatever mean loss is minimized.
    fit_intercept, standardize : bool
        With standardize, sdⱼwⱼ stands for wⱼ.
    """

    alpha: float
    l1_ratio: float
    factors: tuple[float, ...] | None = None
    loss: str | None = None
    fit_intercept: bool = True
    standardize: bool = False

    def __post_init__(self) -> None:
        check_nonnegative("alpha", self.alpha)
        check_fraction("l1_ratio", self.l1_ratio)

    @property
    def l1(self) -> float:
        """α ρ, what multiplies |w|."""
        return self.alpha * self.l1_ratio

    @property
    def l2(self) -> float:
        """α (1-ρ), what multiplies ½ w²."""
        return self.alpha * (1.0 - self.l1_ratio)


@dataclass(frozen=True)
class Decay:
    """Decoupled weight decay: every step multiplies a weight by 1 - lr · `weight_decay`. It is no penalty."""

    weight_decay: float

    def __post_init__(self) -> None:
        check_nonnegative("weight_decay", self.weight_decay)


@dataclass(frozen=True)
class DataFacts:
    """The few numbers of the data that other packages' units depend on; None where they were not given.

    Attributes
    ----------
    n_samples : int or None
    total_weight : float or None
        S, the sum of the row weights; n_samples where there are none.
    sd_y : float or None
        √(Σ sᵢ (zᵢ - z̄)² / S) of z = y - offset, divided by S, not S - 1.
    rms_y : float or None
        √(Σ sᵢ zᵢ² / S), which takes the place of sd_y where no intercept is fitted.
    has_weights, has_offset : bool
    mean_loss : {"mse", "half_mse", "crossentropy", "poisson"} or None
        What a network minimizes, which its penalty is added to; None where that was not said.

    Examples
    --------
    >>> DataFacts.of([1.0, 3.0]).sd_y
    1.0
    """

    n_samples: int | None = None
    total_weight: float | None = None
    sd_y: float | None = None
    rms_y: float | None = None
    has_weights: bool = False
    has_offset: bool = False
    mean_loss: str | None = None

    def __post_init__(self) -> None:
        if self.mean_loss is not None:
            check_choice("loss", self.mean_loss, tuple(MEAN_LOSSES))
        if self.n_samples is not None:
            check_positive_int("n_samples", self.n_samples)
        for name in ("total_weight", "sd_y", "rms_y"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name))

    @classmethod
    def of(cls, y: ArrayLike, sample_weight: ArrayLike | None = None, offset: ArrayLike | None = None) -> "DataFacts":
        """The facts of a response; sd_y and rms_y only where y holds one number per row.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_responses)
        sample_weight, offset : array-like of shape (n_samples,), optional

        Returns
        -------
        DataFacts
        """
        values = np.asarray(y)
        if values.ndim == 0 or len(values) == 0:
            raise ArgumentError(f"y must hold one value for each row; got shape {values.shape}")
        n = len(values)
        weights = None if sample_weight is None else weight_vector("sample_weight", sample_weight, n)
        total = float(n) if weights is None else float(weights.sum())
        sd_y = rms_y = None
        if values.ndim == 1 and values.dtype.kind in "fiub":
            z = finite_vector("y", values, n)
            z = z if offset is None else z - finite_vector("offset", offset, n)
            mean = z.sum() / n if weights is None else weights @ z / total
            sd_y, rms_y = _root_mean_square(z - mean, weights, total), _root_mean_square(z, weights, total)
        return cls(n, total, sd_y, rms_y, sample_weight is not None, offset is not None)

    def rows(self, who: str, why: str) -> int:
        """n_samples, or a sentence that asks for it."""
        if self.n_samples is None:
            raise ArgumentError(f"{who} {why}: give n_samples= (or y=)")
        return self.n_samples

    def weight(self, who: str, why: str) -> float:
        """S, or a sentence that asks for it."""
        if self.total_weight is not None:
            return self.total_weight
        return float(self.rows(who, why))

    def spread(self, who: str, fit_intercept: bool) -> float:
        """sd_y, without an intercept rms_y, or a sentence that asks for it."""
        value, name = (self.sd_y, "sd_y") if fit_intercept else (self.rms_y, "rms_y")
        if value is None:
            formula = "√mean((y - ȳ)²)" if fit_intercept else "√mean(y²), as no intercept is fitted"
            raise ArgumentError(f"{who} divides its L2 part by {formula}: give {name}= or y= (of a y that varies)")
        return value


@dataclass(frozen=True)
class Conversion:
    """One call in another package's words.

    Attributes
    ----------
    source, target : str
        Names of calls, such as "sklearn.LogisticRegression" and "glmnet.binomial".
    meaning : Strength or Decay
        What the source's arguments mean in our unit.
    facts : DataFacts
    arguments : dict
        The target's own arguments, by its own names; `convert` reads them back.
    code : str
        Python, or R, to paste; X, y and where given sample_weight and offset are the user's.
    caveats : tuple of str
        Sentences on what to mind.
    checked : str
        How this row was checked: "run against scikit-learn 1.9.1", "stored numbers of glmnet 4.1-6",
        "documented, not run".
    """

    source: str
    target: str
    meaning: Strength | Decay
    facts: DataFacts
    arguments: Mapping[str, Any]
    code: str
    caveats: tuple[str, ...]
    checked: str

    @property
    def alpha(self) -> float | None:
        """Our strength; None for decoupled decay, which has none."""
        return self.meaning.alpha if isinstance(self.meaning, Strength) else None

    @property
    def l1_ratio(self) -> float | None:
        """Our mixing; None for decoupled decay."""
        return self.meaning.l1_ratio if isinstance(self.meaning, Strength) else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; arrays become lists."""
        return {
            "source": self.source,
            "target": self.target,
            "alpha": self.alpha,
            "l1_ratio": self.l1_ratio,
            "arguments": {name: _plain(value) for name, value in self.arguments.items()},
            "code": self.code,
            "caveats": list(self.caveats),
            "checked": self.checked,
        }

    def __str__(self) -> str:
        lines = [f"# {self.target}: {self.checked}", *(f"# {caveat}" for caveat in self.caveats)]
        return "\n".join([*lines, self.code])


def _root_mean_square(z: np.ndarray, weights: np.ndarray | None, total: float) -> float | None:
    """√(Σ sᵢ zᵢ² / S); None where it is 0 or beyond what a float can hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        root = float(np.sqrt((z @ z if weights is None else weights @ z**2) / total))
    return root if 0 < root < float("inf") else None


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and not np.isfinite(value) else value
