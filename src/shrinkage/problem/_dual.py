"""Dual points and dual objectives, for many columns at once; float64 NumPy.

Shapes: n samples, k columns (strengths, folds), q free columns of which r are independent. `weights` sum to 1.
"""

import numpy as np

from shrinkage.losses import Loss
from shrinkage.problem._kinked import nearest_balanced

_DEPENDENT = 1e-11
_NEWTON_STEPS = 8


def free_map(Z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Q (n, r) and T (q, r) with Q = Z T and Qᵀ diag(weights) Q = I.

    Columns are brought to unit length first; combinations of them shorter than 1e-11 of the longest are dropped.
    """
    n_free = Z.shape[1]
    root = np.sqrt(weights)[:, None]
    lengths = np.linalg.norm(root * Z, axis=0)
    unit = np.where(lengths > 0, lengths, 1.0)
    if n_free <= 1:
        keep = lengths > 0
        return (Z / unit)[:, keep], np.diag(1.0 / unit)[:, keep]
    U, size, Vt = np.linalg.svd(root * (Z / unit), full_matrices=False)
    keep = size > _DEPENDENT * size[0]
    T = (Vt[keep].T / size[keep]) / unit[:, None]
    # Rows that carry weight are taken from U, whose orthogonality no small singular value costs a digit.
    Q = Z @ T
    used = weights > 0
    Q[used] = U[np.ix_(used, keep)] / root[used]
    return Q, T


def free_block(Z: np.ndarray, weights: np.ndarray, intercept: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return Q (n, r) and T (q, r) with Q = Z T and Qᵀ diag(weights) Q = I; `weights` sum to 1.

    With an intercept Z[:, 0] is ones, and stays Q[:, 0]; the other columns are measured from their means before
    dependence is judged, so that years or raw powers of them keep their directions.
    """
    if not intercept:
        return free_map(Z, weights)
    F = Z[:, 1:]
    if not F.shape[1]:
        return Z, np.eye(1)
    means = weights @ F
    centered = F - means
    drift = weights @ centered
    centered -= drift
    means = means + drift
    whole = np.sqrt(weights @ (F * F))
    centered[:, np.sqrt(weights @ (centered * centered)) <= 1e-13 * whole] = 0.0
    Q, T = free_map(centered, weights)
    top = np.concatenate([[1.0], -means @ T])
    bottom = np.hstack([np.zeros((F.shape[1], 1)), T])
    return np.hstack([Z[:, :1], Q]), np.vstack([top, bottom])


def free_basis(Z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return a weighted-orthonormal basis Q of the columns of Z: Qᵀ diag(weights) Q = I.

    Parameters
    ----------
    Z : ndarray of shape (n, q)
        The intercept's column of ones, if any, and the columns that no penalty acts on.
    weights : ndarray of shape (n,), >= 0

    Returns
    -------
    ndarray of shape (n, r), r <= q
        r counts the independent columns, up to a relative length of 1e-11.
    """
    return free_map(Z, weights)[0]


def project(R: np.ndarray, Q: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return R - Q Qᵀ diag(weights) R: the columns of R, made orthogonal to the free ones."""
    if not Q.shape[1]:
        return R
    return R - Q @ (Q.T @ (weights[:, None] * R))


def balance(loss: Loss, y: np.ndarray, eta: np.ndarray, Z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return slopes u near ℓ'(y, η) with Zᵀ(weights ∘ u) = 0, inside the dual domain.

    Newton steps of the free coefficients, taken on the slopes: u = slope - curvature ∘ t, t = Zδ, with δ such that
    Zᵀ(weights ∘ u) = 0. That stays inside where |t| <= `loss.reach`, as for the logistic loss
    σ - σ(1-σ)t = σ(1 - (1-σ)t) is in [0, 1] for |t| <= 1; rows that would move further stop there, and the others move
    on without them until all is balanced to rounding. Where that fails, an intercept alone is balanced, if the reach is
    finite, by scaling the heavier of the positive and the negative slopes down, and other columns of Z by the nearest
    slopes in the domain that are. What rounding, or a loss of any reach, left outside is brought back by scaling its
    column, which stays balanced: 0 is in the domain.

    Parameters
    ----------
    loss : Loss
    y : ndarray of shape (n, 1)
    eta : ndarray of shape (n, k)
        The free block's minimizers, or near them.
    Z : ndarray of shape (n, q)
        A basis of the free columns, best as `free_basis` gives it.
    weights : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, k); 0 in rows of weight 0
    """
    used = (weights > 0)[:, None]
    slope = np.where(used, loss.gradient(y, eta), 0.0)
    if not Z.shape[1]:
        return slope
    curvature = np.where(used, loss.curvature(y, eta), 0.0)
    moved, balanced = np.zeros_like(slope), slope.copy()
    # What the sums below lose to rounding: nothing larger may stay, or the dual objective would bound nothing.
    small = 1e-14 * (np.abs(Z).T @ (weights[:, None] * np.abs(slope))).max(axis=0)
    for _ in range(_NEWTON_STEPS):
        wrong = Z.T @ (weights[:, None] * balanced)
        bad = np.flatnonzero(np.abs(wrong).max(axis=0) > small)
        if not bad.size:
            return _inside(loss, y, balanced)
        for k in bad:
            h = np.where(np.abs(moved[:, k]) < loss.reach, weights * curvature[:, k], 0.0)
            step = Z @ _solve(Z.T @ (h[:, None] * Z), wrong[:, k])
            # A row of a separated class moves by 1, and no further: its slope ends at 0, the edge of the domain.
            moved[:, k] = np.clip(moved[:, k] + np.where(h > 0, step, 0.0), -loss.reach, loss.reach)
        balanced[:, bad] = slope[:, bad] - curvature[:, bad] * moved[:, bad]
    bad = np.abs(Z.T @ (weights[:, None] * balanced)).max(axis=0) > small
    if np.isfinite(loss.reach) and Z.shape[1] == 1 and np.ptp(Z[used[:, 0]]) == 0:
        balanced[:, bad] = _scale_heavier(slope[:, bad], weights)
        return _inside(loss, y, balanced)
    low, high = (np.broadcast_to(bound, y.shape)[:, 0] for bound in loss.slope_bounds(y))
    for k in np.flatnonzero(bad):
        balanced[:, k] = nearest_balanced(slope[:, k], Z, weights, low, high, float(small[k]))
    return _inside(loss, y, balanced)


def _inside(loss: Loss, y: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Columns of slopes, each scaled down until all of it lies in the dual domain of the loss."""
    low, high = loss.slope_bounds(y)
    bound = np.clip(slope, low, high)
    ratio = np.divide(bound, slope, out=np.ones_like(slope), where=bound != slope)
    # An end that rounding passed is put back as it is: scaling for it would cost the gap more.
    least = np.where(ratio >= 1.0 - 1e-14, 1.0, ratio).min(axis=0)
    return np.clip(slope * least, low, high)


def _solve(H: np.ndarray, b: np.ndarray) -> np.ndarray:
    """H⁻¹ b for a symmetric positive semidefinite H, of least norm where H is singular."""
    if np.trace(H) <= np.finfo(float).tiny:
        return np.zeros_like(b)
    if H.shape == (1, 1):
        return b / H[0, 0]
    return np.linalg.lstsq(H, b, rcond=1e-15)[0]


def _scale_heavier(slope: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Scale the positive or the negative entries of each column down, so that its weighted sum is 0."""
    up = weights @ np.maximum(slope, 0.0)
    down = weights @ np.maximum(-slope, 0.0)
    lighter = np.minimum(up, down)
    scale_up = np.divide(lighter, up, out=np.zeros_like(up), where=up > 0)
    scale_down = np.divide(lighter, down, out=np.zeros_like(down), where=down > 0)
    return slope * np.where(slope > 0, scale_up, scale_down)


def squared_dual(
    y: np.ndarray, theta: np.ndarray, weights: np.ndarray, cap: np.ndarray, conjugate: np.ndarray | None = None
) -> np.ndarray:
    """Return the dual objective of the squared loss, the best over multiples of the dual point.

    max over c in [0, cap] of Σᵢ weightsᵢ (c yᵢ θᵢ - ½ c² θᵢ²); with `conjugate` c = 1 and the conjugate is subtracted.

    Parameters
    ----------
    y : ndarray of shape (n, 1) or (n, k)
        Response minus offset. Without its part in the free columns the result is the same and rounds less.
    theta : ndarray of shape (n, k)
        Residuals y - η, orthogonal to the free columns.
    weights : ndarray of shape (n,), sum 1
    cap : ndarray of shape (k,)
        Largest c with g*(c Xᵀ(weights ∘ θ)) = 0.
    conjugate : ndarray of shape (k,) or None
        g*(Xᵀ(weights ∘ θ)), for a penalty with a finite conjugate.

    Returns
    -------
    ndarray of shape (k,)
    """
    linear = weights @ (y * theta)
    square = weights @ (theta * theta)
    if conjugate is not None:
        return linear - 0.5 * square - conjugate
    best = np.divide(linear, square, out=np.zeros_like(linear), where=square > 0)
    c = np.clip(best, 0.0, cap)
    return c * linear - 0.5 * c * c * square


def scaled_dual(
    loss: Loss,
    y: np.ndarray,
    slope: np.ndarray,
    weights: np.ndarray,
    cap: np.ndarray,
    conjugate: np.ndarray | None = None,
    offset: np.ndarray | None = None,
) -> np.ndarray:
    """Return the dual objective -Σᵢ weightsᵢ (ℓ*(yᵢ, c uᵢ) - c uᵢ offsetᵢ) - conjugate, c = min(1, cap).

    Parameters
    ----------
    loss : Loss
    y : ndarray of shape (n, 1) or (n, k)
    slope : ndarray of shape (n, k)
        u, balanced: orthogonal to the free columns, in the domain of ℓ*.
    weights : ndarray of shape (n,), sum 1
    cap : ndarray of shape (k,)
        Largest c with g*(-c Xᵀ(weights ∘ u)) = 0.
    conjugate : ndarray of shape (k,) or None
        g*(-Xᵀ(weights ∘ u)) for a penalty with a finite conjugate; then c = 1.
    offset : ndarray of shape (n,) or None

    Returns
    -------
    ndarray of shape (k,)
    """
    u = np.where((weights > 0)[:, None], slope, 0.0)
    if conjugate is None:
        u = np.minimum(1.0, cap) * u
    dual = -(weights @ loss.conjugate(y, u))
    if offset is not None:
        dual = dual + (weights * offset) @ u
    return dual if conjugate is None else dual - conjugate


def minimize_free(
    loss: Loss, y: np.ndarray, eta: np.ndarray, Q: np.ndarray, weights: np.ndarray, tol: float = 1e-24
) -> tuple[np.ndarray, np.ndarray]:
    """Minimize Σ weights ℓ(y, η + Q d) over d by Newton's method with a line search.

    Stops when the promised decrease is at most `tol` times the loss at the start. Where the minimum is not attained
    (separable classes) that leaves a loss of about `tol`. A Newton step that curvature alone misjudges, as in the
    flat tails of the logistic loss, is replaced by one with the curvature raised to |ℓ'| / (2 (1 + |η|)), or where η is
    in the unit of y to |ℓ'| / |y - η|, which bounds a loss of residuals from above (as iterated weights do).

    Parameters
    ----------
    loss : Loss
    y, eta, weights : ndarray of shape (n,)
    Q : ndarray of shape (n, r)
        Weighted-orthonormal basis of the free columns.

    Returns
    -------
    d : ndarray of shape (r,)
    eta : ndarray of shape (n,)
        η + Q d.
    """
    d = np.zeros(Q.shape[1])
    start = eta
    if not d.size:
        return d, eta
    value = initial = float(weights @ loss.value(y, eta))
    for _ in range(100):
        slope = weights * loss.gradient(y, eta)
        g = Q.T @ slope
        step, t = _newton_step(loss, y, eta, Q, weights, g, loss.curvature(y, eta), value, initial)
        if t < 0.1:
            apart = 2.0 * (1.0 + np.abs(eta)) if np.isfinite(loss.reach) else np.maximum(np.abs(y - eta), 1e-300)
            floor = np.abs(loss.gradient(y, eta)) / apart
            curvature = np.maximum(loss.curvature(y, eta), floor)
            step, t = _newton_step(loss, y, eta, Q, weights, g, curvature, value, initial)
        decrease = -float(g @ step)
        d = d + t * step
        eta = start + Q @ d
        value = float(weights @ loss.value(y, eta))
        if t == 0 or decrease <= tol * initial:
            break
    return d, eta


def _newton_step(
    loss: Loss,
    y: np.ndarray,
    eta: np.ndarray,
    Q: np.ndarray,
    weights: np.ndarray,
    g: np.ndarray,
    curvature: np.ndarray,
    value: float,
    initial: float,
) -> tuple[np.ndarray, float]:
    """Return the Newton direction, and the step along it that decreases the loss enough; 0 if it is no use."""
    H = Q.T @ ((weights * curvature)[:, None] * Q)
    step = -_solve(H, g)
    if not np.isfinite(step).all() or np.linalg.norm(H @ step + g) > 1e-3 * np.linalg.norm(g):
        return np.zeros_like(g), 0.0
    decrease = -float(g @ step)
    if decrease <= 1e-11 * initial:
        return step, 1.0  # below the noise of the objective, where comparing values would only refuse good steps
    t = 1.0
    while t > 1e-12:
        if float(weights @ loss.value(y, eta + Q @ (t * step))) <= value - 1e-4 * t * decrease:
            return step, t
        t *= 0.5
    return step, 0.0
