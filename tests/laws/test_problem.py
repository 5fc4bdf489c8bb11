"""What every problem obeys: its certificate bounds the error of any candidate, and vanishes at the minimizer."""

import numpy as np
import pytest
from cases import PROBLEMS, dense, points, solved, stated
from scipy import sparse

from shrinkage.design import as_design
from shrinkage.losses import Logistic
from shrinkage.penalties import L1, L2
from shrinkage.problem import Problem

every_problem = pytest.mark.parametrize("name", PROBLEMS)


def weighted(problem):
    return np.ones(problem.y.size) if problem.sample_weight is None else problem.sample_weight


def scaled(problem, w):
    return w if problem.scale is None else problem.scale * w


@every_problem
def test_the_objective_is_the_formula(name):
    problem = stated(name)
    X, s, g = dense(problem.design), weighted(problem), problem.penalty
    f = np.ones(X.shape[1]) if g.factors is None else g.factors
    for w, b in points(problem, 4):
        eta = X @ w + b + (0.0 if problem.offset is None else problem.offset)
        loss = np.logaddexp(0, eta) - problem.y * eta if name.startswith("logistic") else (problem.y - eta) ** 2 / 2
        u = scaled(problem, w)
        penalty = g.alpha * np.sum(f * (g.l1_ratio * np.abs(u) + (1 - g.l1_ratio) * u**2 / 2))
        assert problem.objective(w, b) == pytest.approx(s @ loss / s.sum() + penalty, rel=1e-12)
        assert problem.linear_predictor(w, b) == pytest.approx(eta, abs=1e-10)


@every_problem
def test_the_gradient_is_the_difference_of_the_objective(name):
    problem = stated(name)
    smooth = problem.with_penalty(L1(0.0))
    rng = np.random.default_rng(1)
    for w, b in points(problem, 3):
        in_w, in_b = problem.gradient(w, b)
        d, e = rng.normal(size=w.size), float(problem.fit_intercept)
        h = 1e-5
        difference = smooth.objective(w + h * d, b + h * e) - smooth.objective(w - h * d, b - h * e)
        slope = in_w @ d + in_b * e
        assert difference / (2 * h) == pytest.approx(slope, rel=1e-5, abs=1e-7)


@every_problem
def test_the_gap_bounds_the_error_of_any_candidate(name):
    problem, best = stated(name), solved(name)
    least = problem.objective(best.coef, best.intercept)
    for w, b in points(problem, 12):
        excess = problem.objective(w, b) - least
        assert problem.gap(w, b) >= excess - 1e-9 * problem.null.objective
        near = 1e-3
        w, b = best.coef + near * w, best.intercept + near * b
        assert problem.gap(w, b) >= problem.objective(w, b) - least - 1e-9 * problem.null.objective


@every_problem
def test_gap_and_violation_vanish_at_the_minimizer(name):
    problem, best = stated(name), solved(name)
    relative = problem.relative_gap(best.coef, best.intercept)
    assert -1e-14 <= relative <= 1e-12
    assert problem.kkt(best.coef, best.intercept) <= 1e-5
    assert best.gap == problem.gap(best.coef, best.intercept)


@every_problem
def test_no_free_direction_lowers_the_null_model(name):
    problem = stated(name)
    null = problem.null
    w = np.zeros(problem.design.shape[1])
    w[problem.unpenalized] = null.coef_free
    assert problem.linear_predictor(w, null.intercept) == pytest.approx(null.eta, abs=1e-9)
    in_w, in_b = problem.gradient(w, null.intercept)
    assert np.abs(in_w[problem.unpenalized]).max(initial=0) <= 1e-12
    assert abs(in_b) <= 1e-12
    assert null.objective == pytest.approx(problem.with_penalty(L1(0.0)).objective(w, null.intercept))
    if problem.fit_intercept:
        s = weighted(problem)
        assert s @ problem.loss.inverse_link(null.eta) == pytest.approx(s @ problem.y, abs=1e-10 * s.sum())


@every_problem
def test_zero_is_optimal_at_alpha_max_and_not_just_below(name):
    problem = stated(name)
    if problem.penalty.l1_ratio == 0:
        return
    w = np.zeros(problem.design.shape[1])
    w[problem.unpenalized] = problem.null.coef_free
    top = problem.alpha_max
    at, below = (problem.with_penalty(problem.penalty.with_alpha(a)) for a in (top, 0.99 * top))
    assert abs(at.relative_gap(w, problem.null.intercept)) <= 1e-13
    assert at.kkt(w, problem.null.intercept) <= 1e-12
    f = np.ones(w.size) if problem.penalty.factors is None else problem.penalty.factors
    least = 0.01 * top * problem.penalty.l1_ratio * scaled(problem, f)[f > 0].min()
    assert below.kkt(w, problem.null.intercept) >= least * (1 - 1e-9)
    assert below.relative_gap(w, problem.null.intercept) > 1e-7


@every_problem
def test_a_weight_of_two_is_the_row_twice_and_a_weight_of_zero_is_no_row(name):
    problem = stated(name)
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 3, size=problem.y.size)
    rows = np.repeat(np.arange(problem.y.size), counts)
    offset = problem.offset
    shared = {"fit_intercept": problem.fit_intercept, "scale": problem.scale}
    one = Problem(problem.design, problem.y, problem.loss, problem.penalty, counts.astype(float), offset, **shared)
    other = Problem(
        as_design(dense(problem.design)[rows]),
        problem.y[rows],
        problem.loss,
        problem.penalty,
        None,
        None if offset is None else offset[rows],
        **shared,
    )
    assert one.alpha_max == pytest.approx(other.alpha_max, rel=1e-10)
    assert one.null.objective == pytest.approx(other.null.objective, rel=1e-12)
    for w, b in points(problem, 3):
        for number in ("objective", "gap", "kkt"):
            assert getattr(one, number)(w, b) == pytest.approx(getattr(other, number)(w, b), rel=1e-8), number


@every_problem
def test_a_scale_is_a_division_of_the_columns(name):
    problem = stated(name)
    scale = np.geomspace(0.2, 4.0, problem.design.shape[1])
    rest = (problem.loss, problem.penalty, problem.sample_weight, problem.offset, problem.fit_intercept)
    one = Problem(problem.design, problem.y, *rest, scale=scale)
    other = Problem(as_design(dense(problem.design) / scale), problem.y, *rest)
    assert one.alpha_max == pytest.approx(other.alpha_max, rel=1e-10)
    for w, b in points(problem, 3):
        assert one.objective(w, b) == pytest.approx(other.objective(scale * w, b), rel=1e-12)
        assert one.gap(w, b) == pytest.approx(other.gap(scale * w, b), rel=1e-8)
        assert one.kkt(w, b) <= scale.max() * other.kkt(scale * w, b) * (1 + 1e-9)


@every_problem
def test_many_strengths_at_once_are_each_as_alone(name):
    problem = stated(name)
    candidates = list(points(problem, 4))
    coefs = np.stack([w for w, _ in candidates], axis=1)
    intercepts = np.array([b for _, b in candidates])
    alphas = np.array([0.5, 0.1, 0.0, 0.01])
    problems = [problem.with_penalty(problem.penalty.with_alpha(float(a))) for a in alphas]
    for many, one in (("gaps", "gap"), ("kkts", "kkt")):
        alone = [getattr(p, one)(w, b) for p, (w, b) in zip(problems, candidates, strict=True)]
        for stored in (coefs, sparse.csc_array(coefs)):
            assert getattr(problem, many)(stored, intercepts, alphas) == pytest.approx(alone, rel=1e-9)


@every_problem
def test_another_strength_shares_the_null_model_and_another_set_of_free_columns_does_not(name):
    problem = stated(name)
    null = problem.null
    assert problem.with_penalty(problem.penalty.with_alpha(0.3)).null is null
    free = np.r_[np.zeros(3), np.ones(problem.design.shape[1] - 3)]
    other = problem.with_penalty(L2(0.1, free))
    assert other.null.objective < null.objective
    assert list(other.free) == [0, 1, 2]


@every_problem
def test_a_constant_offset_moves_the_intercept_alone(name):
    problem = stated(name)
    if not problem.fit_intercept:
        return
    start = np.zeros(problem.y.size) if problem.offset is None else problem.offset
    far = 1000.0
    rest = {"sample_weight": problem.sample_weight, "scale": problem.scale}
    other = Problem(problem.design, problem.y, problem.loss, problem.penalty, offset=start + far, **rest)
    tolerance = 1e-7 if isinstance(problem.loss, Logistic) else 1e-9
    assert other.null.intercept == pytest.approx(problem.null.intercept - far, abs=tolerance)
    assert other.null.objective == pytest.approx(problem.null.objective, rel=1e-10)
    assert other.alpha_max == pytest.approx(problem.alpha_max, rel=tolerance)
    for w, b in points(problem, 3):
        assert other.objective(w, b - far) == pytest.approx(problem.objective(w, b), rel=1e-9)
        assert other.gap(w, b - far) == pytest.approx(problem.gap(w, b), rel=1e-5)
