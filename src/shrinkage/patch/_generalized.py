"""Poisson, gamma and Tweedie regression: scikit-learn's classes on this engine."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.optimize
import sklearn.linear_model as stock
from scipy import sparse

from shrinkage._path import state
from shrinkage.losses import Gamma, Loss, Poisson, Squared, Tweedie
from shrinkage.patch._fallback import NotOurs, ours_or_theirs, refuse, refuse_iterations, refuse_smooth
from shrinkage.patch._graft import stand_in
from shrinkage.solvers import Status, solve_path

_THEIRS: Any = import_module(stock.PoissonRegressor.__module__)


def engine_tol(tol: float) -> float:
    """Our relative duality gap for scikit-learn's `tol`, which bounds a gradient: the gap goes with its square."""
    return min(max(tol * 1e-5, 1e-15), 1e-9)


def minimize(function: Any, coef: np.ndarray, *, args: Any, options: dict[str, Any], **rest: Any) -> Any:
    """In the place of `scipy.optimize.minimize` in scikit-learn's generalized linear models."""
    X, y, weights, strength, _ = args
    iterations = (options["maxiter"], options["gtol"], options.get("iprint", -1) >= 0)
    return ours_or_theirs(
        "generalized linear model",
        lambda: _solve(function.__self__, X, y, weights, strength, *iterations),
        lambda: scipy.optimize.minimize(function, coef, args=args, options=options, **rest),
    )


class Newton:
    """In the place of scikit-learn's `NewtonCholeskySolver`."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.iteration = 0

    def solve(self, X: Any, y: Any, sample_weight: Any) -> np.ndarray:
        """Coefficients, with the intercept last."""
        given = self.options
        iterations = (given["max_iter"], given["tol"], given.get("verbose"))

        def theirs() -> Any:
            solver = _THEIRS.NewtonCholeskySolver(**given)
            return SimpleNamespace(x=solver.solve(X, y, sample_weight), nit=solver.iteration)

        found = ours_or_theirs(
            "generalized linear model",
            lambda: _solve(given["linear_loss"], X, y, sample_weight, given["l2_reg_strength"], *iterations),
            theirs,
        )
        self.iteration = found.nit
        return found.x


def _loss_of(base: Any) -> Loss:
    """Our loss for one of scikit-learn's."""
    name = type(base).__name__
    if name == "HalfTweedieLoss":
        power = float(base.closs.power)
        refuse(not 1 < power < 2, f"power={power}: only from 1 to 2 is the loss convex under the log link")
        return Tweedie(power)
    known = {"HalfPoissonLoss": Poisson(), "HalfGammaLoss": Gamma(), "HalfSquaredError": Squared()}
    if name not in known:
        raise NotOurs(f"{name} is no loss of ours")
    return known[name]


def _solve(
    linear: Any, X: Any, y: Any, weights: Any, strength: float, max_iter: int, tol: float, verbose: Any
) -> scipy.optimize.OptimizeResult:
    refuse_smooth()
    refuse_iterations(max_iter, tol, verbose)
    refuse(not (isinstance(X, np.ndarray) or sparse.issparse(X)), "X is no NumPy array")
    refuse(strength == 0, "without a penalty")
    loss, intercept = _loss_of(linear.base_loss), bool(linear.fit_intercept)
    problem, _ = state(X, y, loss, 0.0, intercept, False, weights, None, None, None)
    columns = solve_path(problem, np.array([float(strength)]), engine_tol(tol))
    if columns.status[0] is Status.GAP_ABOVE_TOL:
        worst = float(columns.gaps[0]) / (problem.null.objective or 1.0)
        refuse(worst > tol * 1e-2, f"the engine's duality gap is {worst:.0e}")
    coef = np.append(columns.coefs.toarray()[:, 0], columns.intercepts[: int(intercept)]).astype(X.dtype)
    steps = max(1, int(columns.n_iter[0]))
    return scipy.optimize.OptimizeResult(x=coef, nit=steps, status=0, success=True, fun=np.nan, message="")


_MINIMIZE = {"scipy": SimpleNamespace(optimize=SimpleNamespace(minimize=minimize)), "NewtonCholeskySolver": Newton}

PoissonRegressor = stand_in(stock.PoissonRegressor, _MINIMIZE)
GammaRegressor = stand_in(stock.GammaRegressor, _MINIMIZE)
TweedieRegressor = stand_in(stock.TweedieRegressor, _MINIMIZE)
