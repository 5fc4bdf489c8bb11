"""From a prior to its penalty."""

from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, L1L2, L2, GroupL2
from shrinkage.priors._group_laplace import GroupLaplace
from shrinkage.priors._to_distribution import check_dispersion, check_rows

_SAME = 1e-12
_KNOWN = "normal, Laplace, gennorm with beta 1 or 2, shrinkage.priors.elastic_net, multivariate normal or GroupLaplace"


def to_penalty(distribution: Any, n_samples: float, dispersion: float = 1.0) -> Any:
    """Return the penalty g(w) = -(φ/S) log density(w) + constant, whose minimum is the prior's most probable weight.

    The inverse of `to_distribution`. S is `n_samples` and φ the `dispersion`.

    Parameters
    ----------
    distribution : frozen distribution of scipy.stats, or GroupLaplace
        Centered at 0: ``norm``, ``laplace``, ``gennorm`` with beta 1 or 2, a ``multivariate_normal`` without
        correlations, `elastic_net`. An array as scale gives factors, whose mean is 1.
    n_samples : float > 0
        The number of rows, or the sum of their weights.
    dispersion : float > 0
        For squared loss the variance of the noise, for logistic loss 1.

    Returns
    -------
    L1, L2, L1L2 or GroupL2

    Raises
    ------
    ArgumentError
        If no penalty here is the negative logarithm of this density, saying why.

    Examples
    --------
    >>> from scipy import stats
    >>> from shrinkage.priors import to_penalty
    >>> to_penalty(stats.norm(scale=0.5), n_samples=100, dispersion=2.0)
    L2(alpha=0.08, factors=None)
    >>> to_penalty(stats.laplace(scale=0.5), n_samples=100)
    L1(alpha=0.02, factors=None)
    """
    per_row = check_dispersion(dispersion) / check_rows(n_samples)
    if isinstance(distribution, GroupLaplace):
        return _of_groups(distribution, per_row)
    if type(distribution).__name__ == "multivariate_normal_frozen":
        return _of_normal_vector(distribution, per_row)
    family = getattr(getattr(distribution, "dist", None), "name", None)
    kind = {"norm": (0, 2), "laplace": (0, 1), "gennorm": (1, 0), "elastic_net": (1, 3)}.get(str(family))
    if kind is None:
        met = family or type(distribution).__name__
        raise ArgumentError(f"distribution must be one that a penalty here is the logarithm of: {_KNOWN}; got {met}")
    (shapes, width), power = _parameters(distribution, kind[0]), kind[1]
    if power == 0:
        power, width = _general(shapes[0], width)
    if power == 3:
        return _mixed(np.asarray(shapes[0], dtype=np.float64), width, per_row)
    alpha, factors = _mean_and_factors(per_row / width**power)
    return L1(alpha, factors) if power == 1 else L2(alpha, factors)


def _parameters(distribution: Any, n_shapes: int) -> tuple[list[Any], np.ndarray]:
    """The shapes and the scale > 0 of a distribution centered at 0."""
    shapes = ["beta" if distribution.dist.name == "gennorm" else "t"][:n_shapes]
    names = [*shapes, "loc", "scale"]
    given = {"loc": 0.0, "scale": 1.0} | dict(zip(names, distribution.args, strict=False)) | distribution.kwds
    if np.any(np.asarray(given["loc"]) != 0):
        raise ArgumentError(f"distribution must be centered at 0, where penalties pull; got loc {given['loc']!r}")
    width = np.asarray(given["scale"], dtype=np.float64)
    if not (np.isfinite(width) & (width > 0)).all():
        raise ArgumentError(f"distribution must have a finite scale > 0; got {given['scale']!r}")
    return [given[name] for name in shapes], width


def _general(beta: Any, width: np.ndarray) -> tuple[int, np.ndarray]:
    """Power and scale of exp(-|x / width|^beta) as a Laplace (1) or normal (2) density."""
    if np.all(np.asarray(beta) == 1):
        return 1, width
    if np.all(np.asarray(beta) == 2):
        return 2, width / np.sqrt(2.0)
    raise ArgumentError(f"a gennorm is the prior of a penalty here if its beta is 1 or 2; got {beta!r}")


def _mixed(t: np.ndarray, width: np.ndarray, per_row: float) -> L1L2:
    """α f ρ = per_row t / s and α f (1-ρ) = per_row / s²."""
    l1, l2 = np.broadcast_arrays(per_row * t / width, per_row / width**2)
    ratios = l1 / (l1 + l2)
    ratio = float(ratios.mean())
    if np.abs(ratios - ratio).max() > _SAME:
        raise ArgumentError(
            "an elastic net has one l1_ratio for all coefficients: t · scale of the distribution must be one number; "
            f"its ratios go from {ratios.min():.6g} to {ratios.max():.6g}"
        )
    alpha, factors = _mean_and_factors(l1 + l2)
    return L1L2(alpha, ratio, factors)


def _of_normal_vector(distribution: Any, per_row: float) -> L2:
    covariance = np.atleast_2d(distribution.cov)
    if np.any(np.asarray(distribution.mean) != 0):
        raise ArgumentError("distribution must be centered at 0, where penalties pull; got another mean")
    variances = np.diag(covariance)
    if np.abs(covariance - np.diag(variances)).max() > _SAME * variances.max():
        raise ArgumentError("a penalty here has no correlations: the covariance of the distribution must be diagonal")
    if not variances.min() > 0:
        raise ArgumentError(f"distribution must have variances > 0; got {variances.min()}")
    return L2(*_mean_and_factors(per_row / variances))


def _of_groups(distribution: GroupLaplace, per_row: float) -> GroupL2:
    if distribution.scale is not None:
        raise ArgumentError("a GroupLaplace with a scale is the prior of groups of standardized columns: leave it out")
    strengths = per_row * distribution.rates
    sizes = np.array([group.size for group in distribution.groups])
    each = strengths / np.sqrt(sizes)
    groups = [group.tolist() for group in distribution.groups]
    if np.ptp(each) <= _SAME * each.max():
        return GroupL2(float(each.mean()), groups)
    alpha = float(strengths.mean())
    return GroupL2(alpha, groups, weights=tuple((strengths / alpha).tolist()))


def _mean_and_factors(strengths: np.ndarray) -> tuple[float, np.ndarray | None]:
    """One strength, and factors of mean 1 if there are several different ones."""
    if strengths.ndim == 0:
        return float(strengths), None
    alpha = float(strengths.mean())
    return alpha, strengths / alpha
