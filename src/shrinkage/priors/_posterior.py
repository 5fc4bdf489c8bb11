"""What a prior becomes when it meets data: log density, precision, and the posterior where it is normal."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from shrinkage._check import check_positive_int, finite_vector, random_generator
from shrinkage._errors import ArgumentError
from shrinkage.penalties import SparseGroup
from shrinkage.priors._group_laplace import GroupLaplace
from shrinkage.priors._to_distribution import check_dispersion, check_rows, to_distribution


def precision(penalty: Any, n_samples: float, dispersion: float = 1.0, shape: Any = None, scale: Any = None) -> Any:
    """Return 1 / variance of each coefficient under the prior; for `L2` that is S α f / φ, the strength itself.

    For `L1` it is ½ (S α f / φ)², for a group of d coefficients (S α ω / φ)² / (d + 1).

    Parameters
    ----------
    penalty, n_samples, dispersion, shape, scale
        As `to_distribution`.

    Returns
    -------
    float, or ndarray with one number per coefficient

    Examples
    --------
    >>> from shrinkage import L2
    >>> float(round(precision(L2(0.1), n_samples=50, dispersion=2.0), 12))
    2.5
    """
    prior = to_distribution(penalty, n_samples, dispersion, shape, scale)
    return 1.0 / (prior.variance() if isinstance(prior, GroupLaplace) else prior.var())


def same_prior(penalty: Any, n_samples: float, other: float) -> Any:
    """Return the penalty that is the same prior for `other` rows: its strength times n_samples / other.

    The more rows, the weaker the strength: a prior is worth as much as it was, and the data more.

    Parameters
    ----------
    penalty : Penalty
    n_samples, other : float > 0
        Sums of weights: those that the penalty was meant for, and those that it is wanted for.

    Examples
    --------
    >>> from shrinkage import L1
    >>> same_prior(L1(0.3), n_samples=100, other=400)
    L1(alpha=0.075, factors=None)
    """
    if not callable(getattr(penalty, "prox", None)):
        raise ArgumentError(f"penalty must be a penalty; got {type(penalty).__name__}")
    ratio = check_rows(n_samples) / check_rows(other)
    if isinstance(penalty, SparseGroup):
        return replace(penalty, elementwise=ratio * penalty.elementwise, group=ratio * penalty.group)
    return ratio * penalty


def sample(
    penalty: Any, size: Any, n_samples: float, dispersion: float = 1.0, scale: Any = None, random_state: Any = None
) -> np.ndarray:
    """Draw weights from the prior that the penalty is.

    Parameters
    ----------
    penalty, n_samples, dispersion, scale
        As `to_distribution`.
    size : int or tuple of int
        Shape of the result; its last axis is that of the coefficients.
    random_state : None, int or numpy.random.Generator

    Returns
    -------
    ndarray of shape `size`

    Examples
    --------
    >>> from shrinkage import L1
    >>> sample(L1(0.1), (1000, 3), n_samples=50, random_state=0).shape
    (1000, 3)
    """
    random = random_generator(random_state)
    size = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    for length in size or (None,):
        check_positive_int("size", length, 0)
    prior = to_distribution(penalty, n_samples, dispersion, size[-1], scale)
    if isinstance(prior, GroupLaplace):
        return prior.rvs(size[:-1], random)
    own = np.shape(prior.std())
    if own and own != size[-len(own) :]:
        raise ArgumentError(f"size must end with the shape {own} of the coefficients; got {size}")
    return np.asarray(prior.rvs(size=size, random_state=random))


def log_posterior(problem: Any, w: Any, b: float = 0.0, dispersion: float = 1.0) -> float:
    """Return log likelihood + log prior at (w, b), up to the evidence; its maximum is the penalized fit.

    The likelihood is ∏ exp(-sᵢ ℓ(yᵢ, ηᵢ) / φ), for squared loss the normal density of variance φ with its constant;
    the prior that of `to_distribution`, flat in the intercept. It equals -S F(w, b) / φ up to a constant.

    Parameters
    ----------
    problem : Problem
        With the penalty that is the prior.
    w : array-like of shape (n_features,)
    b : float
    dispersion : float > 0

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import L2
    >>> from shrinkage.design import as_design
    >>> from shrinkage.losses import Squared
    >>> from shrinkage.problem import Problem
    >>> problem = Problem(as_design(np.eye(2)), np.array([1.0, 2.0]), Squared(), L2(0.5), fit_intercept=False)
    >>> round(log_posterior(problem, [0.5, 1.0]), 4)
    -4.9258
    """
    phi = check_dispersion(dispersion)
    w = finite_vector("w", w, problem.design.shape[1])
    total = _rows(problem)
    losses = problem.loss.value(problem.y, problem.linear_predictor(w, float(b)))
    fit = -total * float(problem.weights @ losses) / phi
    if problem.loss.name == "squared":
        fit -= 0.5 * total * float(np.log(2.0 * np.pi * phi))
    prior = to_distribution(problem.penalty, total, phi, problem.design.shape[1], problem.scale)
    return fit + float(np.sum(prior.logpdf(w)))


def posterior(problem: Any, coef: Any, intercept: float = 0.0, dispersion: float = 1.0) -> Any:
    """Return the normal posterior of the coefficients under an `L2` penalty, around the fit (coef, intercept).

    Its precision is what the data say plus what the prior said: Xᵀ D X / φ, with D = diag(sᵢ ℓ''(yᵢ, ηᵢ)) and the
    intercept, whose prior is flat, integrated out, plus diag(S α f / φ). Exact for squared loss; for others Laplace's
    approximation, which is as good as the log likelihood is quadratic around its fit.

    Parameters
    ----------
    problem : Problem
        With an `L2` as penalty.
    coef : array-like of shape (n_features,)
        The fit, which becomes the mean.
    intercept : float
    dispersion : float > 0

    Returns
    -------
    frozen scipy.stats.multivariate_normal

    Raises
    ------
    ArgumentError
        If the penalty is not `L2`: no other posterior here is normal.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, eq. 3.50, 3.51 and 4.132, 4.143.

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import L2
    >>> from shrinkage.design import as_design
    >>> from shrinkage.losses import Squared
    >>> from shrinkage.problem import Problem
    >>> problem = Problem(as_design(np.eye(2)), np.array([1.0, 2.0]), Squared(), L2(0.5), fit_intercept=False)
    >>> posterior(problem, [0.5, 1.0]).cov.round(3)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    phi = check_dispersion(dispersion)
    penalty, total = problem.penalty, _rows(problem)
    if getattr(penalty, "kernel", None) != "l1l2" or penalty.l1_ratio != 0:
        raise ArgumentError(
            f"the posterior is normal under an L2 penalty alone; got {type(penalty).__name__}: sample "
            "that of a Laplace prior by selection.evidence(prior='laplace')"
        )
    n_features = problem.design.shape[1]
    coef = finite_vector("coef", coef, n_features)
    eta = problem.linear_predictor(coef, float(intercept))
    rows = total * problem.weights * problem.loss.curvature(problem.y, eta) / phi
    X = problem.design.combine(np.arange(n_features), np.asfortranarray(np.eye(n_features)))
    if problem.fit_intercept:
        X = X - (rows @ X) / rows.sum()
    information = (X * rows[:, None]).T @ X
    prior = precision(penalty, total, phi, scale=problem.scale)
    information[np.diag_indices(n_features)] += prior
    covariance: Any = stats.Covariance.from_precision(information)
    return stats.multivariate_normal(coef, covariance)


def _rows(problem: Any) -> float:
    """S, the sum of the weights of a problem."""
    return float(problem.design.shape[0] if problem.sample_weight is None else problem.sample_weight.sum())
