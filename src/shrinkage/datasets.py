"""Small real data that ship, and seeded problems whose answer is known."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from ._errors import ArgumentError


@dataclass(frozen=True)
class Dataset:
    """A design, a response, and where they come from.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features), float64
    y : ndarray of shape (n_samples,)
        Numbers for a regression, class names (text) for a classification.
    feature_names : tuple of str
    target_names : tuple of str
        The name of the response for a regression, the classes for a classification.
    description, source : str
    """

    X: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    description: str
    source: str


@dataclass(frozen=True)
class Simulation:
    """Data drawn from a linear model, with the model.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    coef : ndarray of shape (n_features,)
        The true coefficients.
    noise_sd : float
        Standard deviation of the noise.
    """

    X: np.ndarray
    y: np.ndarray
    coef: np.ndarray
    noise_sd: float


def load_diabetes() -> Dataset:
    """Progression of diabetes after one year, 442 patients, 10 columns in their raw units.

    Returns
    -------
    Dataset

    References
    ----------
    Efron, Hastie, Johnstone & Tibshirani (2004), Least angle regression, Ann. Statist. 32(2).

    Examples
    --------
    >>> load_diabetes().X.shape
    (442, 10)
    """
    from sklearn.datasets import load_diabetes as load

    data: Any = load(scaled=False)
    return Dataset(
        X=np.asarray(data.data, dtype=np.float64),
        y=np.asarray(data.target, dtype=np.float64),
        feature_names=tuple(data.feature_names),
        target_names=("progression",),
        description="Disease progression one year after baseline, 442 patients, 10 measurements.",
        source="scikit-learn's copy of Efron et al. (2004), Least angle regression",
    )


def load_breast_cancer() -> Dataset:
    """Benign or malignant, 569 tumors, 30 measurements of cell nuclei.

    Returns
    -------
    Dataset
        `y` holds the names "benign" and "malignant".

    Examples
    --------
    >>> sorted(set(load_breast_cancer().y.tolist()))
    ['benign', 'malignant']
    """
    from sklearn.datasets import load_breast_cancer as load

    data: Any = load()
    names = np.asarray(data.target_names, dtype=str)
    return Dataset(
        X=np.asarray(data.data, dtype=np.float64),
        y=names[np.asarray(data.target)],
        feature_names=tuple(str(name) for name in data.feature_names),
        target_names=tuple(sorted(names.tolist())),
        description="Diagnosis of 569 breast tumors from 30 measurements of cell nuclei.",
        source="scikit-learn's copy of the UCI data set Breast Cancer Wisconsin (Diagnostic), CC BY 4.0",
    )


def load_digits() -> Dataset:
    """Handwritten digits, 1,797 images of 8 x 8 pixels whose grays go from 0 to 16.

    Returns
    -------
    Dataset
        `y` holds the names "0" to "9"; columns are named by row and column of the pixel.

    References
    ----------
    Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI. https://doi.org/10.24432/C50P49

    Examples
    --------
    >>> data = load_digits()
    >>> data.X.shape, data.target_names[:3], data.feature_names[9]
    ((1797, 64), ('0', '1', '2'), 'pixel 1,1')
    """
    from sklearn.datasets import load_digits as load

    data: Any = load()
    return Dataset(
        X=np.asarray(data.data, dtype=np.float64),
        y=np.asarray([str(digit) for digit in data.target]),
        feature_names=tuple(f"pixel {place // 8},{place % 8}" for place in range(64)),
        target_names=tuple(str(digit) for digit in data.target_names),
        description="1,797 handwritten digits as images of 8 x 8 pixels.",
        source="scikit-learn's copy of the UCI data set Optical Recognition of Handwritten Digits, CC BY 4.0",
    )


def load_nci60() -> Dataset:
    """Gene expression of 64 cancer cell lines, 6,830 genes, 14 kinds of cancer.

    Returns
    -------
    Dataset
        `y` holds the kind of cancer of each line; the genes have no names in the source and are numbered from 1.

    References
    ----------
    Ross et al. (2000), Nature Genetics 24, 227-235. https://doi.org/10.1038/73432

    Examples
    --------
    >>> data = load_nci60()
    >>> data.X.shape, int((data.y == "MELANOMA").sum())
    ((64, 6830), 8)
    """
    with (
        files("shrinkage").joinpath("data", "nci60.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as arrays,
    ):
        expression, label = arrays["expression"].astype(np.float64), arrays["label"]
    return Dataset(
        X=expression,
        y=label,
        feature_names=tuple(f"gene {j + 1}" for j in range(expression.shape[1])),
        target_names=tuple(sorted(set(label.tolist()))),
        description="Log-ratios of 6,830 genes in 64 cancer cell lines (NCI60), with the kind of cancer.",
        source="Ross et al. (2000), Nature Genetics 24, through the package ISLP (BSD); see data/SOURCES.md",
    )


def simulate_linear(
    n_samples: int,
    n_features: int,
    rho: float = 0.5,
    n_nonzero: int = 10,
    snr: float = 5.0,
    seed: int | np.random.Generator = 0,
) -> Simulation:
    """Draw y = X w + e, with autoregressive columns and few non-zero coefficients.

    Rows of X are normal with correlation rho^|i-j| between columns i and j and variance 1. The non-zero coefficients
    are ±1 at random places; e is normal with variance var(Xw)/snr, where var is the variance over the drawn rows.

    Parameters
    ----------
    n_samples, n_features : int >= 1
    rho : float in (-1, 1)
        Correlation of neighboring columns.
    n_nonzero : int in [0, n_features]
    snr : float > 0
        Signal-to-noise ratio, a ratio of variances.
    seed : int or numpy.random.Generator

    Returns
    -------
    Simulation
        With X in Fortran order.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Examples
    --------
    >>> data = simulate_linear(20, 5, n_nonzero=2, seed=1)
    >>> data.X.shape, int((data.coef != 0).sum())
    ((20, 5), 2)
    """
    if n_samples < 1 or n_features < 1:
        raise ArgumentError(f"n_samples and n_features must be >= 1; got {n_samples} and {n_features}")
    if not -1.0 < rho < 1.0:
        raise ArgumentError(f"rho must be in (-1, 1); got {rho}")
    if not 0 <= n_nonzero <= n_features:
        raise ArgumentError(f"n_nonzero must be in [0, n_features = {n_features}]; got {n_nonzero}")
    if not snr > 0:
        raise ArgumentError(f"snr must be > 0; got {snr}")
    generator = np.random.default_rng(seed)
    X = np.asfortranarray(generator.standard_normal((n_features, n_samples)).T)
    for j in range(1, n_features):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho * rho) * X[:, j]
    coef = np.zeros(n_features)
    coef[generator.choice(n_features, n_nonzero, replace=False)] = generator.choice([-1.0, 1.0], n_nonzero)
    signal = X @ coef
    noise_sd = float(np.sqrt(signal.var() / snr)) if n_nonzero and n_samples > 1 else 1.0
    return Simulation(X=X, y=signal + noise_sd * generator.standard_normal(n_samples), coef=coef, noise_sd=noise_sd)
