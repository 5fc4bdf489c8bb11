"""The reference solver: right where the answer is known, honest where it stops early."""

from dataclasses import dataclass

import numpy as np
import pytest
from cases import problem

from shrinkage._errors import ArgumentError
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Squared
from shrinkage.penalties import L1, L2
from shrinkage.problem import Problem
from shrinkage.solvers._fista import solve_fista
from shrinkage.solvers._records import Status


def test_with_orthogonal_columns_the_lasso_is_soft_thresholding():
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 4)))
    X = np.sqrt(20) * Q
    y = X @ np.array([2.0, -1.0, 0.3, 0.0])
    solution = solve_fista(Problem(as_design(X), y, Squared(), L1(0.5), fit_intercept=False), tol=1e-14)
    assert solution.coef == pytest.approx([1.5, -0.5, 0, 0], abs=1e-7)
    assert np.count_nonzero(solution.coef) == 2
    assert solution.intercept == 0


def test_ridge_is_a_linear_system():
    ours = problem(Squared(), L2(0.3), ("no-intercept",))
    X = ours.design.combine(np.arange(8), np.eye(8))
    exact = np.linalg.solve(X.T @ X / 40 + 0.3 * np.eye(8), X.T @ ours.y / 40)
    assert solve_fista(ours, tol=1e-14).coef == pytest.approx(exact, abs=1e-6)


def test_too_few_steps_are_confessed():
    ours = problem(Logistic(), L1(0.01))
    solution = solve_fista(ours, tol=1e-10, max_iter=3)
    assert solution.status is Status.GAP_ABOVE_TOL
    assert solution.n_iter == 3
    assert solution.gap > 1e-10 * ours.null.objective
    assert solve_fista(ours, tol=1e-10).status is Status.CONVERGED


def test_a_penalty_without_a_conjugate_ends_stationary():
    @dataclass(frozen=True)
    class OnlyProx:
        """L1 that tells no more than a non-convex penalty could."""

        alpha: float
        factors: None = None
        l1_ratio: float = 1.0

        def value(self, w):
            return L1(self.alpha).value(w)

        def prox(self, v, step):
            return L1(self.alpha).prox(v, step)

        def violation(self, w, z):
            return L1(self.alpha).violation(w, z)

        def with_alpha(self, alpha):
            return OnlyProx(alpha)

    known, ours = problem(Squared(), L1(0.1)), problem(Squared(), OnlyProx(0.1))
    solution = solve_fista(ours, tol=1e-9)
    assert solution.status is Status.STATIONARY
    assert np.isnan(solution.gap)
    assert solution.kkt <= 1e-9
    assert solution.coef == pytest.approx(solve_fista(known, tol=1e-13).coef, abs=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"tol": 0.0}, "tol must be > 0"), ({"max_iter": 0}, "max_iter must be")]
)
def test_a_tolerance_or_a_limit_of_nothing_is_refused(wrong, message):
    with pytest.raises(ArgumentError, match=message):
        solve_fista(problem(Squared(), L1(0.1)), **wrong)
