"""Groups under losses with kinks: every strength certified, whatever the data; the same as by accelerated gradients."""

import numpy as np
import pytest

from shrinkage import _core, path
from shrinkage.losses import Huber, Quantile
from shrinkage.penalties import L1, L1L2, GroupL2
from shrinkage.problem import bounding_curvature
from shrinkage.solvers import Status, solve
from shrinkage.solvers._fista import solve_fista

KINDS = ("plain", "correlated", "duplicates", "low rank", "badly scaled", "few rows")
MIXES = ("group", "sparse", "squares too")
LOSSES = (Huber(0.03), Huber(1.0), Quantile(0.95, 0.001), Quantile(0.3, 0.03), Quantile(0.7, 1.0))


def data(kind, rng):
    n, p = (9, 40) if kind == "few rows" else (40, 24)
    X = rng.normal(size=(n, p))
    if kind == "correlated":
        for j in range(1, p):
            X[:, j] = 0.95 * X[:, j - 1] + 0.3 * X[:, j]
    if kind == "duplicates":
        X[:, p // 2 :] = X[:, : p // 2]
    if kind == "low rank":
        X = X[:, :5] @ rng.normal(size=(5, p))
    if kind == "badly scaled":
        X *= 10.0 ** rng.uniform(-3, 3, p)
    eta = X[:, :6] @ (rng.normal(size=6) / X[:, :6].std(axis=0))
    y = eta + rng.normal(size=n)
    y[:: n // 5] += 50 * rng.normal(size=len(y[:: n // 5]))
    return X, y


def groups_of(p, size=4):
    return [list(range(start, min(start + size, p))) for start in range(0, p, size)]


def penalty_of(mix, p):
    group = GroupL2(1.0, groups=groups_of(p))
    return {"group": group, "sparse": L1(0.5) + group, "squares too": L1L2(0.3, 0.5) + group}[mix]


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_every_strength_is_certified(loss, kind, mix):
    rng = np.random.default_rng([LOSSES.index(loss), KINDS.index(kind)])
    X, y = data(kind, rng)
    weights = np.where(rng.random(len(y)) < 0.2, 0.0, rng.random(len(y)) + 0.1)
    found = path(
        X, y, loss, penalty=penalty_of(mix, X.shape[1]), sample_weight=weights, n_alphas=8, standardize=mix == "sparse"
    )
    assert set(found.status) == {Status.CONVERGED}
    gaps = found.problem.gaps(found.coefs, found.intercepts, found.alphas) / found.null_objective
    assert (gaps <= 1e-6).all()
    assert (gaps >= -1e-10).all()


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("loss", [Huber(0.3), Quantile(0.7, 1.0)], ids=str)
def test_accelerated_gradients_find_the_same_objective(loss, mix):
    rng = np.random.default_rng(3)
    X, y = data("plain", rng)
    found = path(X, y, loss, penalty=penalty_of(mix, X.shape[1]), n_alphas=3, alpha_min_ratio=0.1)
    for alpha in found.alphas[1:]:
        problem = found.problem.with_penalty(found.problem.penalty.with_alpha(float(alpha)))
        fast, slow = solve(problem), solve_fista(problem, tol=1e-7, max_iter=40_000)
        assert fast.gap <= 1e-6 * found.null_objective
        assert slow.gap <= 1e-6 * found.null_objective
        values = [problem.objective(one.coef, one.intercept) for one in (fast, slow)]
        assert abs(values[0] - values[1]) <= 1e-6 * found.null_objective


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_parabolas_that_touch_a_loss_are_nowhere_below_it(loss):
    y, eta = np.zeros(401), np.linspace(-20.0, 20.0, 401)
    curvature = bounding_curvature(loss, y, eta)
    assert (curvature >= loss.curvature(y, eta) * (1 - 1e-12)).all()
    value, slope = loss.value(y, eta), loss.gradient(y, eta)
    for there in np.linspace(-30.0, 30.0, 601):
        bound = value + slope * (there - eta) + 0.5 * curvature * (there - eta) ** 2
        assert (bound >= loss.value(y, np.full(401, there)) - 1e-10).all()


@pytest.mark.parametrize("l1", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(6))
def test_singular_quadratics_of_many_scales_are_minimized(seed, l1):
    """Curvatures of rows from 1e-6 to 1e3, fewer rows than columns: steps have to end at the zeros on their way."""
    rng = np.random.default_rng(seed)
    n, sizes = 12, np.full(10, 4)
    p = int(sizes.sum())
    X = rng.normal(size=(n, p))
    D = np.where(rng.random(n) < 0.4, 1e3, 1e-6)
    H = np.asfortranarray(X.T @ (D[:, None] * X))
    b = X.T @ (np.sqrt(D) * rng.normal(size=n))
    alpha, tol = 0.02 * float(np.abs(b).max()), 1e-6
    lam, coef, steps = np.full(10, 2.0), np.zeros((p, 1), order="F"), np.zeros(1, np.int32)
    kernel = _core.GroupQuadratic(1)
    kernel.append(sizes, lam, np.full(p, l1), np.zeros(p))
    kernel.solve(H, b, np.array([alpha]), np.array([0.0]), tol, 300, coef, steps)
    assert coef.any()
    u, z = coef[:, 0].reshape(10, 4), (b - H @ coef[:, 0]).reshape(10, 4)
    for own, pull in zip(u, z, strict=True):
        size = np.linalg.norm(own)
        left = pull - (alpha * 2.0 * own / size if size > 0 else 0.0)
        left = np.where(
            own != 0, left - alpha * l1 * np.sign(own), np.sign(left) * np.maximum(abs(left) - alpha * l1, 0)
        )
        missed = np.linalg.norm(left) if size > 0 else max(np.linalg.norm(left) - alpha * 2.0, 0.0)
        assert missed <= 1.01 * tol * alpha * (2.0 + l1) + 1e-9 * np.abs(b).max()
