"""Every strength of every random problem meets its tolerance, judged by `Problem`, which knows no solver."""

import numpy as np
import pytest
from random_problems import random_case

from shrinkage import path
from shrinkage.penalties import L1L2
from shrinkage.solvers import Status, solve

N_PROBLEMS = 320


@pytest.mark.parametrize("block", range(16))
def test_every_strength_of_random_problems_is_certified(block):
    for seed in range(block * N_PROBLEMS // 16, (block + 1) * N_PROBLEMS // 16):
        case = random_case(seed)
        fitted = path(case.X, case.y, n_alphas=25, alpha_min_ratio=1e-2, **case.options)
        problem = case.problem()
        relative = problem.relative(problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))
        assert relative.max() <= 1e-6, (seed, case.options)
        assert set(fitted.status) == {Status.CONVERGED}, seed


@pytest.mark.parametrize("seed", range(1000, 1020))
def test_the_engine_reports_the_gap_and_the_violation_that_the_problem_finds(seed):
    case = random_case(seed)
    fitted = path(case.X, case.y, n_alphas=10, alpha_min_ratio=1e-2, **case.options)
    problem = case.problem()
    unit = problem.null.objective or 1.0
    gaps = problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas)
    np.testing.assert_allclose(fitted.gaps / unit, gaps / unit, atol=2e-8)
    kkts = problem.kkts(fitted.coefs, fitted.intercepts, fitted.alphas)
    largest = np.abs(problem.gradient(np.zeros(case.X.shape[1]), problem.null.intercept)[0]).max() + 1e-12
    np.testing.assert_allclose(fitted.kkt / largest, kkts / largest, atol=1e-6)


@pytest.mark.parametrize("seed", range(2000, 2030))
def test_a_tight_tolerance_is_met(seed):
    case = random_case(seed, plain=True)
    fitted = path(case.X, case.y, n_alphas=8, alpha_min_ratio=3e-2, tol=1e-11, **case.options)
    problem = case.problem()
    relative = problem.relative(problem.gaps(fitted.coefs, fitted.intercepts, fitted.alphas))
    assert relative.max() <= 1e-11


@pytest.mark.parametrize("seed", range(3000, 3020))
def test_a_single_strength_equals_its_place_on_the_path(seed):
    case = random_case(seed)
    fitted = path(case.X, case.y, n_alphas=12, alpha_min_ratio=1e-2, tol=1e-10, **case.options)
    problem = case.problem()
    penalty = L1L2(float(fitted.alphas[7]), problem.penalty.l1_ratio, problem.penalty.factors)
    alone = solve(problem.with_penalty(penalty), tol=1e-10)
    assert alone.status is Status.CONVERGED
    gap = problem.relative(problem.gaps(alone.coef[:, None], np.array([alone.intercept]), fitted.alphas[[7]]))
    assert gap.max() <= 1e-10
    eta = problem.linear_predictor(fitted.coefs[:, [7]].toarray()[:, 0], fitted.intercepts[7])
    np.testing.assert_allclose(problem.linear_predictor(alone.coef, alone.intercept), eta, atol=2e-4)


def test_the_grid_starts_at_the_smallest_strength_without_coefficients():
    for seed in range(40, 60):
        case = random_case(seed)
        if case.options["l1_ratio"] == 0:
            continue
        top = path(case.X, case.y, n_alphas=2, **case.options).alphas[0]
        penalized = np.ones(case.X.shape[1], bool)
        if case.options.get("penalty_factor") is not None:
            penalized = case.options["penalty_factor"] > 0
        both = path(case.X, case.y, alphas=[top * (1 + 1e-9), top * 0.999], tol=1e-11, **case.options).coefs.toarray()[
            penalized
        ]
        assert not both[:, 0].any()
        assert both[:, 1].any()
