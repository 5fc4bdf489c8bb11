"""The reference solver: short, for any smooth loss and any penalty with a prox; written to be read, not timed."""

import numpy as np

from shrinkage._check import check_positive, check_positive_int
from shrinkage.losses import JointLoss
from shrinkage.penalties import Box, GroupBox
from shrinkage.problem import Problem
from shrinkage.solvers._records import Solution, Status

_CHECK_EVERY = 10


def solve_fista(problem: Problem, tol: float = 1e-6, max_iter: int = 100_000) -> Solution:
    """Minimize F by accelerated proximal gradient steps, with backtracking and adaptive restart.

    With x = (scale ∘ w, b), f the mean loss and t the step, one iteration is

        x⁺ = prox_{t g}(v - t ∇f(v)),    v = x + m (x - x⁻),

    where t is halved until f(x⁺) <= f(v) + ⟨∇f(v), x⁺ - v⟩ + ‖x⁺ - v‖² / (2t), and the momentum m starts anew when it
    points uphill. The intercept is never penalized.

    Parameters
    ----------
    problem : Problem
    tol : float > 0
        Largest relative duality gap (for a penalty without a conjugate: largest `kkt`) to stop at.
    max_iter : int

    Returns
    -------
    Solution
        `n_iter` counts gradient steps. `gap` is nan for a penalty without a conjugate.

    References
    ----------
    Beck & Teboulle (2009), SIAM J. Imaging Sci. 2(1), section 4, https://doi.org/10.1137/080716542
    Restart: O'Donoghue & Candès (2015), Found. Comput. Math. 15, eq. 13, https://doi.org/10.1007/s10208-013-9150-3

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage.design import as_design
    >>> from shrinkage.losses import Squared
    >>> from shrinkage.penalties import L1
    >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 6.0])
    >>> solve_fista(Problem(as_design(X), y, Squared(), L1(0.5)), tol=1e-12).coef.round(6)
    array([1.25])
    """
    check_positive("tol", tol)
    check_positive_int("max_iter", max_iter)
    convex = hasattr(problem.penalty, "conjugate")
    x = np.zeros(problem.design.shape[1] + 1)
    v, momentum, n_iter = x, 1.0, 0
    step = _first_step(problem)
    error = _error(problem, x, convex)
    while error > tol and n_iter < max_iter:
        value, gradient = _smooth(problem, v)
        while True:
            new = _prox(problem, v - step * gradient, step)
            moved = new - v
            bound = value + gradient @ moved + moved @ moved / (2.0 * step)
            # The slack is the rounding of two objectives: without it, a step near the optimum would shrink for ever.
            if _smooth_value(problem, new) <= bound + 1e-14 * (1.0 + abs(value)):
                break
            step *= 0.5
        if (v - new) @ (new - x) > 0:
            momentum = 1.0
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum))
        v = new + (momentum - 1.0) / following * (new - x)
        x, momentum, n_iter = new, following, n_iter + 1
        if n_iter % _CHECK_EVERY == 0:
            error = _error(problem, x, convex)
    error = _error(problem, x, convex)
    w, b = _split(problem, x)
    if isinstance(problem.penalty, Box | GroupBox):
        w = np.clip(w, problem.penalty.lower, problem.penalty.upper)  # scaled and back, a bound moves by a digit
    if convex:
        status = Status.CONVERGED if error <= tol else Status.GAP_ABOVE_TOL
        return Solution(w, b, problem.gap(w, b), problem.kkt(w, b), n_iter, status)
    return Solution(w, b, float("nan"), problem.kkt(w, b), n_iter, Status.STATIONARY)


def _split(problem: Problem, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients in raw units, and intercept."""
    return (x[:-1] if problem.scale is None else x[:-1] / problem.scale), float(x[-1])


def _smooth_value(problem: Problem, x: np.ndarray) -> float:
    eta = problem.linear_predictor(*_split(problem, x))
    return float(problem.mean_losses(eta[:, None])[0])


def _smooth(problem: Problem, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean loss and its gradient in x."""
    in_w, in_b = problem.gradient(*_split(problem, x))
    in_w = in_w if problem.scale is None else in_w / problem.scale
    return _smooth_value(problem, x), np.append(in_w, in_b)


def _prox(problem: Problem, x: np.ndarray, step: float) -> np.ndarray:
    return np.append(problem.measuring.prox(x[:-1], step), x[-1])


def _error(problem: Problem, x: np.ndarray, convex: bool) -> float:
    """Return what `tol` bounds: the relative duality gap where there is one, else the violation of the conditions."""
    w, b = _split(problem, x)
    return problem.relative_gap(w, b) if convex else problem.kkt(w, b)


def _first_step(problem: Problem) -> float:
    """1 / curvature along the gradient at 0: at least 1/L, so that backtracking only has to shrink it."""
    x = np.zeros(problem.design.shape[1] + 1)
    _, gradient = _smooth(problem, x)
    w, b = _split(problem, gradient)
    still = problem.linear_predictor(np.zeros_like(w), 0.0)
    along = problem.linear_predictor(w, b) - still
    if isinstance(problem.loss, JointLoss):
        bent = problem.loss.curvature_times(problem.y, still[:, None], problem.weights, along[:, None])[:, 0]
        curvature = float(along @ bent)
    else:
        curvature = problem.weights @ (problem.loss.curvature(problem.y, still) * along * along)
    return float(gradient @ gradient / curvature) if curvature > 0 else 1.0
