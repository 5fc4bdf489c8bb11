"""Paths of penalties on groups: certified by `Problem`, equal to slower ways, the same however data are given."""

import numpy as np
import pytest
from cases import LOSSES, MORE_LOSSES, problem
from scipy import sparse

from shrinkage import cross_validate, path
from shrinkage._errors import ArgumentError
from shrinkage.design import as_design
from shrinkage.losses import Logistic, Poisson, Squared
from shrinkage.penalties import L1, L1L2, L2, GroupL2
from shrinkage.problem import Problem
from shrinkage.selection import degrees_of_freedom, relaxed
from shrinkage.solvers import Status, solve, solve_path
from shrinkage.solvers._fista import solve_fista

GROUPS = [[5, 0, 1], [2], [3, 7]]
FACTORS = np.array([1.0, 0.5, 2.0, 0.0, 0.0, 1.0, 1.0, 1.0])
PENALTIES = {
    "group": GroupL2(1.0, groups=GROUPS),
    "weighted": GroupL2(1.0, groups=[*GROUPS, [4, 6]], weights=[1.0, 0.5, 2.0, 0.0]),
    "sparse-group": L1(0.4) + GroupL2(0.6, groups=GROUPS),
    "with-factors": L1L2(0.5, 0.5, FACTORS) + GroupL2(0.5, groups=GROUPS),
    "with-ridge": L2(0.2) + GroupL2(0.8, groups=GROUPS),
}
TRAITS = [(), ("weights", "offset", "scale"), ("no-intercept", "sparse"), ("far", "dependent")]
PAIRS = list(zip(PENALTIES, [*TRAITS[:3], ("dependent",), ()], strict=True))


def judged(stated, found):
    """The largest relative gap by `Problem`, which shares no line with the engine's solver."""
    gaps = stated.gaps(found.coefs, found.intercepts, found.alphas)
    return float(np.max(gaps) / stated.null.objective)


def wide(n=60, n_groups=40, size=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_groups * size))
    w = np.zeros(n_groups * size)
    w[: 3 * size] = rng.normal(size=3 * size)
    return X, X @ w + 0.5 * rng.normal(size=n), [list(range(g * size, (g + 1) * size)) for g in range(n_groups)]


def certified(stated):
    found = solve_path(stated, lambda top: top * np.geomspace(1.0, 1e-3, 12), 1e-7)
    assert set(found.status) == {Status.CONVERGED}
    assert -1e-12 <= judged(stated, found) <= 2e-7
    top = stated.alpha_max
    assert np.isclose(found.alphas[0], top, rtol=1e-9)
    assert (found.kkt <= 1e-3 * top).all()


@pytest.mark.parametrize(("name", "traits"), PAIRS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_strength_of_a_path_is_certified(loss, name, traits):
    certified(problem(loss, PENALTIES[name], traits))


@pytest.mark.slow
@pytest.mark.parametrize("traits", TRAITS, ids=str)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_strength_is_certified_whatever_the_rows(loss, name, traits):
    certified(problem(loss, PENALTIES[name], traits))


@pytest.mark.parametrize(
    ("name", "traits"), [pytest.param(*pair, marks=pytest.mark.slow if k else ()) for k, pair in enumerate(PAIRS)]
)
@pytest.mark.parametrize("loss", MORE_LOSSES)
def test_paths_of_the_other_losses_are_certified(loss, name, traits):
    certified(problem(loss, PENALTIES[name], traits))


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("loss", [Squared(), Logistic()], ids=["squared", "logistic"])
def test_accelerated_gradients_find_the_same_objective(loss, name):
    stated = problem(loss, PENALTIES[name], ("weights", "offset"))
    stated = stated.with_penalty(stated.penalty.with_alpha(0.1 * stated.alpha_max))
    ours, theirs = solve(stated, tol=1e-10), solve_fista(stated, tol=1e-10, max_iter=20_000)
    scale = stated.null.objective
    assert ours.gap <= 1e-10 * scale
    reached = [stated.objective(found.coef, found.intercept) for found in (ours, theirs)]
    assert abs(reached[0] - reached[1]) <= 1e-9 * scale


def test_groups_of_one_are_the_lasso():
    X, y, _ = wide()
    alone = path(X, y, penalty=GroupL2(1.0, groups=[[j] for j in range(X.shape[1])]), n_alphas=20, tol=1e-10)
    lasso = path(X, y, n_alphas=20, tol=1e-10)
    assert np.allclose(alone.alphas, lasso.alphas)
    assert abs(alone.coefs - lasso.coefs).max() <= 1e-5


@pytest.mark.parametrize("loss", ["squared", "poisson"])
def test_wide_groups_enter_and_leave_whole(loss):
    X, y, groups = wide()
    y = np.random.default_rng(1).poisson(np.exp(0.3 * y)).astype(float) if loss == "poisson" else y
    found = path(X, y, loss=loss, penalty=GroupL2(1.0, groups), alpha_min_ratio=0.01, n_alphas=40)
    assert found.relative_gaps.max() <= 1e-6
    assert judged(found.problem, found) <= 1e-6
    on = (found.coefs.toarray() != 0).reshape(len(groups), -1, 40)
    assert (on.all(axis=1) == on.any(axis=1)).all()
    assert 1 < on.any(axis=1).sum(axis=0).max() < len(groups)


def test_a_sparse_group_has_zeros_inside():
    X, y, groups = wide()
    found = path(X, y, penalty=L1(0.5) + GroupL2(0.5, groups), n_alphas=15)
    on = (found.coefs.toarray() != 0).reshape(len(groups), -1, 15)
    assert (on.all(axis=1) != on.any(axis=1)).any()


def test_data_may_come_in_any_form():
    X, y, groups = wide()
    X = X * (np.random.default_rng(3).random(X.shape) < 0.5)
    reference = path(X, y, penalty=GroupL2(1.0, groups), n_alphas=8, tol=1e-10)
    for other in (np.asfortranarray(X), sparse.csr_array(X), sparse.csc_array(X)):
        found = path(other, y, penalty=GroupL2(1.0, groups), n_alphas=8, tol=1e-10)
        assert abs(found.coefs - reference.coefs).max() <= 1e-6
    single = path(X.astype(np.float32), y, penalty=GroupL2(1.0, groups), n_alphas=8)
    assert single.relative_gaps.max() <= 1e-6
    assert abs(single.coefs - reference.coefs).max() <= 1e-3


@pytest.mark.parametrize("loss", [Squared(), Poisson()], ids=["squared", "poisson"])
def test_a_weight_of_two_is_the_row_twice_and_of_zero_no_row(loss):
    stated = problem(loss, PENALTIES["group"])
    X, y = stated.design.values, stated.y
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    rows = np.repeat(np.arange(len(y)), weights)
    options = {"loss": loss, "penalty": PENALTIES["group"], "n_alphas": 6, "tol": 1e-10}
    weighted, repeated = path(X, y, sample_weight=weights, **options), path(X[rows], y[rows], **options)
    assert np.allclose(weighted.alphas, repeated.alphas)
    assert abs(weighted.coefs - repeated.coefs).max() <= 1e-5


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("loss", [Squared(), Logistic(), Poisson()], ids=lambda loss: loss.name)
def test_folds_are_fits_to_their_training_rows(loss, standardize):
    stated = problem(loss, PENALTIES["sparse-group"], ("weights", "offset"))
    X, y, options = stated.design.values, stated.y, {"loss": loss, "standardize": standardize, "tol": 1e-8}
    options |= {"penalty": PENALTIES["sparse-group"]}
    cv = cross_validate(X, y, 4, n_alphas=6, sample_weight=stated.sample_weight + 1, offset=stated.offset, **options)
    held = np.arange(0, 10)
    rest = np.setdiff1d(np.arange(40), held)
    if loss.name != "logistic":
        own = path(
            X[rest], y[rest], alphas=cv.alphas, sample_weight=stated.sample_weight[rest] + 1,
            offset=stated.offset[rest], **options,
        )  # fmt: skip
        eta = X[held] @ own.coefs.toarray() + own.intercepts + stated.offset[held, None]
        shares = stated.sample_weight[held] + 1
        expected = shares @ loss.deviance(y[held, None], eta) / shares.sum()
        assert np.allclose(cv.scores[:, 0], expected, rtol=1e-4)
    assert (cv.fold_gaps <= 1e-8).all()


@pytest.mark.parametrize("loss", [Squared(), Logistic(), Poisson()], ids=lambda loss: loss.name)
@pytest.mark.parametrize("kind", ["copies", "constant", "zeros", "few-rows", "one-level", "separable"])
def test_degenerate_data_give_numbers_and_end(loss, kind):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(12, 8))
    y = (X[:, 0] > 0).astype(float) if kind == "separable" else (rng.random(12) < 0.5).astype(float)
    if kind == "copies":
        X[:, 3] = X[:, 5] = X[:, 0]
    if kind == "constant":
        X[:, 5], X[:, 2] = 4.0, 0.0
    if kind == "zeros":
        X[:] = 0.0
    if kind == "few-rows":
        X, y = X[:2], np.array([0.0, 1.0])
    if kind == "one-level" and loss.name == "squared":
        y = np.ones(12)
    stated = Problem(as_design(X), y, loss, GroupL2(1.0, groups=GROUPS, weights="ones"))
    stated = stated.with_penalty(L1(0.1) + GroupL2(0.9, groups=[*GROUPS, [4], [6]]))
    found = solve_path(stated, lambda top: top * np.geomspace(1.0, 1e-2, 6))
    assert np.isfinite(found.coefs.toarray()).all()
    assert np.isfinite(found.intercepts).all()
    assert set(found.status) == {Status.CONVERGED}


def test_no_penalty_at_all_ends_a_path():
    X, y, groups = wide(n=80, n_groups=5)
    found = path(X, y, penalty=GroupL2(1.0, groups), alphas=[0.1, 0.0, 0.1])
    assert found.alphas.tolist() == [0.1, 0.1, 0.0]
    assert np.allclose(found.coefs.toarray()[:, 2], np.linalg.lstsq(np.c_[X, np.ones(80)], y)[0][:-1])


def test_what_is_not_made_for_groups_refuses_them():
    X, y, groups = wide()
    found = path(X, y, penalty=GroupL2(1.0, groups), n_alphas=3)
    assert "l1_ratio" not in repr(found)
    with pytest.raises(ArgumentError, match="another penalty"):
        degrees_of_freedom(found)
    with pytest.raises(ArgumentError, match="another"):
        relaxed(found)
    with pytest.raises(ArgumentError, match="groups must be disjoint; position 1 is in group 0 and in group 1"):
        path(X, y, penalty=GroupL2(1.0, groups=[[0, 1], [1, 2]]))
