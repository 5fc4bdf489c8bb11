"""Losses that couple rows: their free block, and a dual bound that needs no conjugate; float64 NumPy."""

from typing import Any

import numpy as np

from shrinkage.losses import JointLoss

_STEPS = 100
_IMBALANCE = 1e-13


def minimize_free_jointly(
    loss: JointLoss, y: np.ndarray, eta: np.ndarray, Q: np.ndarray, weights: np.ndarray, tol: float = 1e-24
) -> tuple[np.ndarray, np.ndarray]:
    """Minimize f(η + Q d) over d by Newton's method with a line search; arguments and answer as `minimize_free`."""
    d, start = np.zeros(Q.shape[1]), eta
    if not d.size:
        return d, eta
    value = initial = float(loss.value(y, eta, weights))
    for _ in range(_STEPS):
        u = loss.gradient(y, eta, weights)
        g = Q.T @ u
        if _is_rounding(g, Q, u, weights, 1e-2 * _IMBALANCE):
            break
        bent = loss.curvature_times(y, np.repeat(eta[:, None], d.size, axis=1), weights, Q)
        step = -np.linalg.lstsq(Q.T @ bent, g, rcond=1e-13)[0]
        decrease = -float(g @ step)
        if not decrease > 0:
            break
        t = 1.0
        while decrease > 1e-11 * initial and t > 1e-12:
            if float(loss.value(y, eta + Q @ (t * step), weights)) <= value - 1e-4 * t * decrease:
                break
            t *= 0.5
        if t <= 1e-12:
            break
        d = d + t * step
        eta = start + Q @ d
        value = float(loss.value(y, eta, weights))
        if decrease <= tol * initial:
            break
    return d, eta


def bounded_slopes(
    loss: JointLoss, y: np.ndarray, eta: np.ndarray, Q: np.ndarray, weights: np.ndarray, offset: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradients u (n, k) with Qᵀu = 0 near η (n, k), and bounds (k,): the dual objective at c u is at least c times it.

    With f >= 0 convex and u = ∇f(η), f*(c u) <= c f*(u) + (1-c) f*(0) <= c (⟨u, η⟩ - f(η)) for 0 <= c <= 1, so that

        -f*(c u) + c ⟨u, offset⟩ >= c (f(η) - ⟨u, η - offset⟩).

    η is taken at the minimizer of the free block; where that does not make u orthogonal to it up to rounding, u = 0.
    """
    eta = np.stack([minimize_free_jointly(loss, y, column, Q, weights)[1] for column in eta.T], axis=1)
    u = np.asarray(loss.gradient(y, eta, weights))
    bound = loss.value(y, eta, weights) - np.sum(u * (eta - offset[:, None]), axis=0)
    for t, own in enumerate(u.T):
        if not _is_rounding(Q.T @ own, Q, own, weights, _IMBALANCE):
            own[:], bound[t] = 0.0, 0.0
    return u, bound


def _is_rounding(sums: np.ndarray, Q: np.ndarray, u: np.ndarray, weights: np.ndarray, share: float) -> bool:
    """Whether sums Qᵀu are as small as rounding may leave them."""
    return bool((np.abs(sums) <= share * (np.abs(Q).T @ (np.abs(u) + weights))).all())


def held_out_deviance(
    loss: JointLoss, y: np.ndarray, eta: np.ndarray, weights: np.ndarray | None, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """What rows held out add to the deviance of those trained on, over what was observed in them; shape (k,).

    2 (f(all rows) - f(training rows)) / Σ of the informative weights held out: a held-out row is compared with those it
    was at risk with. Verweij & van Houwelingen (1993), Stat. Med. 12(24), as R's cv.glmnet(grouped = TRUE).

    Parameters
    ----------
    eta : ndarray of shape (n_samples, k)
        Linear predictors of the fit to the training rows.
    train, test : index arrays
    """
    s = np.ones(len(y)) if weights is None else weights
    trained, both = np.zeros(len(y)), np.zeros(len(y))
    trained[train] = both[train] = s[train]
    both[test] = s[test]
    added = loss.value(y, eta, both) - loss.value(y, eta, trained)
    return 2.0 * added / informative_weight(loss, y, weights, test)


def informative_weight(loss: Any, y: np.ndarray, weights: np.ndarray | None, rows: np.ndarray) -> float:
    """The sum of sample weights of some rows; where a loss couples rows, of what was observed in them."""
    s = np.ones(len(rows)) if weights is None else weights[rows]
    return float(np.sum(loss.informative(y[rows], s) if isinstance(loss, JointLoss) else s))
