"""From a penalty to its prior."""

from typing import Any

import numpy as np
from scipy import stats

from shrinkage._check import check_positive, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.penalties import MCP, SCAD, GroupL2, SparseGroup
from shrinkage.priors._elastic_net import elastic_net
from shrinkage.priors._group_laplace import GroupLaplace
from shrinkage.priors._laplace import laplace


def to_distribution(
    penalty: Any,
    n_samples: float,
    dispersion: float = 1.0,
    shape: int | tuple[int, ...] | None = None,
    scale: Any = None,
) -> Any:
    """Return the prior, with density ∝ exp(-S g(w) / φ), whose most probable weights are those of the penalty g.

    S is `n_samples` and φ the `dispersion`. One strength means another prior for another number of rows, for the
    penalty is weighed against the mean loss and the prior against its sum.

    ========== ================================================================
    penalty    prior of a coefficient with factor f
    ========== ================================================================
    `L1`       Laplace, scale φ / (S α f)
    `L2`       normal, variance φ / (S α f)
    `L1L2`     `elastic_net`, t = S α f ρ / φ · s, scale s = √(φ / (S α f (1-ρ)))
    `GroupL2`  `GroupLaplace`, rates c_g = S α ω_g / φ, of all coefficients at once
    ========== ================================================================

    Parameters
    ----------
    penalty : L1, L2, L1L2 or GroupL2
    n_samples : float > 0
        S: the number of rows, or the sum of their weights. It is never guessed.
    dispersion : float > 0
        φ: for squared loss the variance of the noise, for logistic loss 1.
    shape : int or tuple of int, optional
        Shape of the coefficients, needed for groups along an axis. Groups count in C order.
    scale : array-like of shape (n_features,), > 0, optional
        Where the penalty measures scale_j w_j: the standard deviations of standardized columns.

    Returns
    -------
    frozen distribution of scipy.stats, or GroupLaplace
        With factors or an array as alpha, of as many coefficients: ``pdf`` takes their vector, and gives one number per
        coefficient. The intercept, which nothing penalizes, has a flat prior.

    Raises
    ------
    ArgumentError
        If a coefficient is free, or the penalty is bounded (`MCP`, `SCAD`), so that there is no such density; for the
        sparse group lasso, whose normalizer has no closed form.

    References
    ----------
    Tibshirani (1996), J. R. Stat. Soc. B 58(1), section 5, https://doi.org/10.1111/j.2517-6161.1996.tb02080.x

    Examples
    --------
    >>> from shrinkage import L1, L2
    >>> from shrinkage.priors import to_distribution
    >>> to_distribution(L2(0.1), n_samples=50, dispersion=2.0).var().round(12)
    np.float64(0.4)
    >>> round(to_distribution(L1(0.1), n_samples=50, dispersion=2.0).kwds["scale"], 12)
    0.4
    """
    weight = check_rows(n_samples) / check_dispersion(dispersion)
    if isinstance(penalty, GroupL2):
        return _of_groups(penalty, weight, shape, scale)
    if isinstance(penalty, (MCP, SCAD)):
        raise ArgumentError(
            f"{type(penalty).__name__} has no prior: it is bounded, so that exp(-S g(w) / φ) does not fall to 0 for "
            "large weights and cannot be normalized"
        )
    if isinstance(penalty, SparseGroup):
        raise ArgumentError(
            "the normalizer of the sparse group lasso's prior has no closed form; read its parts, `elementwise` and "
            "`group`, alone"
        )
    if getattr(penalty, "kernel", None) != "l1l2":
        raise ArgumentError(f"penalty must be an L1, L2, L1L2 or GroupL2; got {type(penalty).__name__}")
    strength = _strengths(penalty) * weight
    unit = 1.0 if scale is None else _positive(scale, strength.shape)
    ratio = float(penalty.l1_ratio)
    if ratio == 1.0:
        return laplace(scale=_plain(1.0 / strength / unit))
    width = 1.0 / np.sqrt(strength * (1.0 - ratio))
    if ratio == 0.0:
        return stats.norm(scale=_plain(width / unit))
    return elastic_net(_plain(strength * ratio * width), scale=_plain(width / unit))


def check_rows(n_samples: Any) -> float:
    """Refuse what is no sum of weights > 0."""
    check_positive("n_samples", n_samples)
    return float(n_samples)


def check_dispersion(dispersion: Any) -> float:
    """Refuse what is no dispersion > 0."""
    check_positive("dispersion", dispersion)
    return float(dispersion)


def _strengths(penalty: Any) -> np.ndarray:
    """α f, all of them > 0."""
    strength = np.asarray(penalty.alpha, dtype=np.float64)
    if penalty.factors is not None:
        strength = strength * np.asarray(penalty.factors, dtype=np.float64)
    if not (strength > 0).all():
        where = "" if strength.ndim == 0 else f" {int(np.argmin(strength.reshape(-1)))}"
        what = f"position{where} has" if where else "got"
        raise ArgumentError(
            f"penalty must have a strength > 0 in every coefficient, for a free one has a flat prior, which is no "
            f"distribution; {what} alpha · factor 0"
        )
    return strength


def _of_groups(penalty: Any, weight: float, shape: Any, scale: Any) -> GroupLaplace:
    if np.ndim(penalty.alpha) != 0:
        raise ArgumentError(f"a group penalty needs one number as alpha here; got shape {np.shape(penalty.alpha)}")
    groups = group_positions(penalty, shape)
    if isinstance(penalty.weights, str):
        omega = np.array([group.size**0.5 if penalty.weights == "sqrt" else 1.0 for group in groups])
    else:
        omega = np.asarray(penalty.weights, dtype=np.float64)
        if omega.shape != (len(groups),):
            raise ArgumentError(f"weights must hold one number for each of {len(groups)} groups; got {omega.shape}")
    rates = weight * float(penalty.alpha) * omega
    if not (rates > 0).all():
        raise ArgumentError(
            "penalty must have a strength > 0 in every group, for a free coefficient has a flat prior, which is no "
            f"distribution; group {int(np.argmin(rates))} has alpha · weight 0"
        )
    return GroupLaplace(groups, rates, scale)


def group_positions(penalty: Any, shape: Any) -> list[np.ndarray]:
    """The positions of every group of a `GroupL2`, in coefficients of this shape in C order."""
    sizes = None if shape is None else shape if isinstance(shape, tuple) else (shape,)
    for size in sizes or ():
        check_positive_int("shape", size)
    if penalty.axis is None:
        n_features = penalty.groups.last + 1 if sizes is None else int(np.prod(sizes))
        held = sum(len(group) for group in penalty.groups)
        if held != n_features or penalty.groups.last >= n_features:
            raise ArgumentError(
                f"groups must hold each of {n_features} coefficients, for one in no group has a flat prior, which is "
                f"no distribution; they hold {held}, up to position {penalty.groups.last}"
            )
        return [np.asarray(group) for group in penalty.groups]
    if sizes is None:
        raise ArgumentError(f"shape must be given for groups along axis={penalty.axis!r}; got None")
    axes = penalty.axis if isinstance(penalty.axis, tuple) else (penalty.axis,)
    if any(not -len(sizes) <= axis < len(sizes) for axis in axes):
        raise ArgumentError(f"shape must have the axes {axes} of the groups; got {sizes}")
    places = np.arange(int(np.prod(sizes))).reshape(sizes)
    kept = sorted(axis % len(sizes) for axis in axes)
    places = np.moveaxis(places, kept, range(len(kept)))
    return list(places.reshape(int(np.prod([sizes[axis] for axis in kept])), -1))


def _positive(scale: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`scale` as numbers > 0, one for each coefficient of a penalty whose own strengths have this shape."""
    try:
        values = np.asarray(scale, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"scale must hold real numbers; got {scale!r}") from None
    if not (np.isfinite(values) & (values > 0)).all():
        raise ArgumentError(f"scale must hold finite numbers > 0; got {values.min()} among shape {values.shape}")
    if shape and values.shape not in ((), shape):
        raise ArgumentError(f"scale must have the shape {shape} of the penalty's coefficients; got {values.shape}")
    return values


def _plain(value: Any) -> Any:
    """A number as Python's, an array as it is."""
    return float(value) if np.ndim(value) == 0 else value
