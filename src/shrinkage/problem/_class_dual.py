"""Free blocks and dual points of several classes; float64 NumPy. `weights` sum to 1, Q is weighted-orthonormal."""

import numpy as np
from scipy import linalg

from shrinkage.losses import Multinomial

_LOSS = Multinomial()
_STEPS = 200
_APART, _FAR = 20, 2000.0


def minimize_free_classes(
    y: np.ndarray, eta: np.ndarray, Q: np.ndarray, weights: np.ndarray, tol: float = 1e-24
) -> tuple[np.ndarray, np.ndarray]:
    """Minimize Σ weights ℓ(y, η + Q D) over D (r, K) by Newton's method with a line search.

    Steps follow the curvature diag p - p pᵀ; where that misjudges, as in flat tails, its upper bound ½(I - 11ᵀ/K)
    (Böhning 1992) takes a step that never fails. Stops at a promised decrease of `tol` times the loss at the start.

    Returns
    -------
    D : ndarray of shape (r, K)
    eta : ndarray of shape (n_samples, K)
    """
    D = np.zeros((Q.shape[1], y.shape[1]))
    if not D.size:
        return D, eta
    start = eta
    value = initial = float(weights @ _LOSS.value(y, eta))
    for _ in range(_STEPS):
        g = Q.T @ (weights[:, None] * _LOSS.gradient(y, eta))
        step = -_solve(_hessian(_LOSS.inverse_link(eta), Q, weights), g)
        decrease = -float((g * step).sum())
        t, found = 1.0, False
        while np.isfinite(decrease) and decrease > 0 and t > 1e-3 and not found:
            trial = float(weights @ _LOSS.value(y, start + Q @ (D + t * step)))
            found = trial <= value - 1e-4 * t * decrease or decrease <= 1e-11 * initial
            t = t if found else 0.5 * t
        if not found:
            step, t = -2.0 * (g - g.mean(axis=1, keepdims=True)), 1.0
            decrease = -float((g * step).sum())
        D = D + t * step
        eta = start + Q @ D
        value = float(weights @ _LOSS.value(y, eta))
        if not decrease > tol * initial:
            break
    return _come_apart(y, start, D, Q, weights)


def _come_apart(
    y: np.ndarray, start: np.ndarray, D: np.ndarray, Q: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Go on where the loss does not bend any more but falls: classes that Q tells apart.

    Newton's method has left them a loss and slopes of rounding, which no dual point could balance; along such a
    direction both end at 0, and rows that Q does not tell apart stay as they are.
    """
    for _ in range(_APART):
        eta = start + Q @ D
        p = _LOSS.inverse_link(eta)
        g = Q.T @ (weights[:, None] * _LOSS.gradient(y, eta))
        H = _hessian(p, Q, weights)
        if not np.isfinite(H).all():
            break
        size, V = np.linalg.eigh(H)
        flat = V[:, size <= 1e-11 * max(float(size[-1]), 1e-300)]
        step = -(flat @ (flat.T @ g.reshape(-1))).reshape(g.shape)
        step -= step.mean(axis=1, keepdims=True)
        t = _way_apart(y, eta, Q @ step, weights)
        if t == 0:
            break
        D = D + t * step
    return D, start + Q @ D


def _way_apart(y: np.ndarray, eta: np.ndarray, along: np.ndarray, weights: np.ndarray) -> float:
    """How far the loss falls along a flat direction: to where it would rise, or classes are apart for good; 0 if not.

    Its derivative is Σ weights p (along - that of the row's own class), in which nothing cancels where all fall.
    """
    longest = float(np.abs(along[weights > 0]).max(initial=0.0))
    if not longest > 0:
        return 0.0
    ahead = along - (y * along).sum(axis=1, keepdims=True)
    ahead[np.abs(ahead) <= 1e-12 * longest] = 0.0
    t, best = 1.0 / longest, 0.0
    while t * longest < _FAR:
        fall = -float((weights[:, None] * _LOSS.inverse_link(eta + t * along) * ahead).sum())
        if fall < 0 or (best == 0 and fall == 0):
            break
        t, best = 2.0 * t, t
    return best


def balance_classes(y: np.ndarray, eta: np.ndarray, Q: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return u = p - y with probabilities p near those at η, and Qᵀ(weights ∘ u) = 0.

    Newton steps of the free coefficients, taken on the probabilities: p - (diag p - p pᵀ) t = p ∘ (1 - t + pᵀt), which
    stays a probability for |t| <= ½; longer steps are cut to that, and repeated from the probabilities they led to.
    Where that fails u is 0, which proves nothing but holds.
    """
    used = (weights > 0)[:, None]
    if Q.shape[1] >= used.sum():
        return np.zeros_like(eta)  # no other is orthogonal to all of the rows
    u = np.where(used, _LOSS.gradient(y, eta), 0.0)
    if not Q.shape[1]:
        return u
    p = _LOSS.inverse_link(eta)
    small = 1e-14 * float((np.abs(Q).T @ (weights[:, None] * np.abs(u))).max(initial=0.0))
    for _ in range(_STEPS):
        wrong = Q.T @ (weights[:, None] * u)
        if np.abs(wrong).max() <= small:
            return u
        t = Q @ _solve(_hessian(p, Q, weights), wrong)
        t *= min(1.0, 0.5 / max(float(np.abs(t[used[:, 0]]).max()), 1e-300))
        move = np.where(used, p * (t - (p * t).sum(axis=1, keepdims=True)), 0.0)
        u, p = np.maximum(u - move, -1.0), np.maximum(p - move, 0.0)  # rounding leaves the domain
    return np.zeros_like(u)


def _hessian(p: np.ndarray, Q: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Second derivative of the mean loss in D, as a matrix (r K, r K) for D in rows."""
    r, K = Q.shape[1], p.shape[1]
    out = np.empty((r, K, r, K))
    for k in range(K):
        for m in range(k + 1):
            c = weights * p[:, k] * (float(k == m) - p[:, m])
            out[:, k, :, m] = Q.T @ (c[:, None] * Q)
            out[:, m, :, k] = out[:, k, :, m]
    return out.reshape(r * K, r * K)


def _solve(H: np.ndarray, g: np.ndarray) -> np.ndarray:
    """H⁻¹ g of least norm: adding a number to all classes changes nothing, so H is singular.

    With these directions given a curvature, of which g has only rounding, a Cholesky factor is enough, a tenth of the
    work; where others hardly bend the answer of least norm is that of singular values.
    """
    if not np.isfinite(H).all():
        return np.full(g.shape, np.nan)
    r, K = g.shape
    size = np.trace(H) / max(r * (K - 1), 1)
    pinned = H.reshape((r, K, r, K)) + (size / K) * np.eye(r)[:, None, :, None]
    try:
        L = linalg.cholesky(pinned.reshape(H.shape), lower=True)
    except linalg.LinAlgError:
        L = np.zeros((1, 1))
    if np.diag(L).min() ** 2 > 1e-6 * size:
        seen = g - g.mean(axis=1, keepdims=True)
        return linalg.cho_solve((L, True), seen.reshape(-1)).reshape(g.shape)
    return np.linalg.lstsq(H, g.reshape(-1), rcond=1e-13)[0].reshape(g.shape)
