"""The solver: where it ends, what it says of its error, and the derivatives of where it ends."""

import numpy as np
import pytest

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

from shrinkage import L1, L1L2, L2, MCP, ArgumentError, GroupL2, Lasso, LogisticRegression  # noqa: E402
from shrinkage.optax._jaxopt_prox import prox_lasso, prox_ridge  # noqa: E402
from shrinkage.optax._penalties import by_path  # noqa: E402
from shrinkage.optax._proximal_gradient import proximal_gradient  # noqa: E402

N, P = 60, 9
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, P)) * np.linspace(0.5, 2.0, P)
Y = X[:, :3] @ [2.0, -1.0, 0.5] + 0.5 * RNG.normal(size=N) + 1.0
GROUPS = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def mean_square(params, X, y):
    return 0.5 * jnp.mean((X @ params["w"] + params["b"] - y) ** 2)


def through_origin(w, X, y):
    return 0.5 * jnp.mean((X @ w - y) ** 2)


def start():
    return {"w": jnp.zeros(P), "b": jnp.zeros(())}


def slope_of(function, at, size=1e-5):
    return (function(at + size) - function(at - size)) / (2 * size)


def test_it_finds_the_lasso_with_a_free_intercept():
    model = Lasso(alpha=0.2, tol=1e-14).fit(X, Y)
    params, state = proximal_gradient(mean_square, {"w": L1(0.2), "b": None}, tol=1e-10).run(start(), None, X, Y)
    assert np.abs(params["w"] - model.coef_).max() < 1e-9
    assert abs(float(params["b"]) - model.intercept_) < 1e-9
    assert (model.coef_ == 0).sum() > 0
    assert np.array_equal(params["w"] == 0, model.coef_ == 0)
    assert state.error <= 1e-10


@pytest.mark.slow
def test_it_finds_the_logistic_lasso_from_a_start_far_away():
    labels = (np.median(Y) < Y).astype(float)
    model = LogisticRegression(alpha=0.03, l1_ratio=1.0, fit_intercept=False, tol=1e-14).fit(X, labels)

    def loss(w):
        return jnp.mean(optax.sigmoid_binary_cross_entropy(X @ w, labels))

    for prox, strength in ((L1(0.03), None), (L1(1.0), 0.03), (prox_lasso, 0.03)):
        found, state = proximal_gradient(loss, prox, tol=1e-10, maxiter=5000).run(30.0 * jnp.ones(P), strength)
        assert np.abs(found - np.ravel(model.coef_)).max() < 1e-8
        assert state.iter_num < 5000


@pytest.mark.parametrize("options", [{"acceleration": False}, {"stepsize": 0.2}, {"stepsize": lambda count: 0.2}])
@pytest.mark.slow
def test_every_way_of_stepping_ends_at_the_same_point(options):
    best, _ = proximal_gradient(through_origin, L1(0.2), tol=1e-11).run(jnp.zeros(P), None, X, Y)
    other, state = proximal_gradient(through_origin, L1(0.2), tol=1e-11, maxiter=5000, **options).run(
        jnp.zeros(P), None, X, Y
    )
    assert np.abs(other - best).max() < 1e-9
    assert state.error <= 1e-11


@pytest.mark.slow
def test_one_update_after_another_is_the_run():
    solver = proximal_gradient(mean_square, {"w": L1(0.2), "b": None}, maxiter=7, tol=1e-12)
    params, state = start(), jax.jit(solver.init_state)(start(), None, X, Y)
    update = jax.jit(solver.update)
    for _ in range(7):
        params, state = update(params, state, None, X, Y)
    ran, final = solver.run(start(), None, X, Y)
    assert np.allclose(params["w"], ran["w"], atol=1e-14)
    assert (int(state.iter_num), float(state.stepsize)) == (int(final.iter_num), float(final.stepsize))


@pytest.mark.parametrize(
    "penalty",
    [
        L1(0.2),
        *(
            pytest.param(penalty, marks=pytest.mark.slow)
            for penalty in (L1L2(0.2, l1_ratio=0.5), L2(0.2), GroupL2(0.1, groups=GROUPS))
        ),
    ],
)
def test_the_gap_bounds_the_excess_at_every_iteration(penalty):
    def objective(w):
        return float(through_origin(w, X, Y) + penalty.value(w))

    best = objective(proximal_gradient(through_origin, penalty, tol=1e-12).run(jnp.zeros(P), None, X, Y).params)
    gaps = []
    for count in (1, 5, 30):
        solver = proximal_gradient(through_origin, penalty, tol=1e-12, maxiter=count, lower_bound=0.0)
        w, state = solver.run(jnp.zeros(P), None, X, Y)
        assert objective(w) - best <= float(state.gap) + 1e-13
        gaps.append(float(state.gap))
    assert np.isfinite(gaps).all()
    assert gaps[-1] < 1e-3 * gaps[0]


def test_the_error_is_the_distance_from_the_subdifferential():
    w, state = proximal_gradient(through_origin, L1(0.2), maxiter=3).run(jnp.zeros(P), None, X, Y)
    slope = X.T @ (X @ w - Y) / N
    distance = np.where(w == 0, np.maximum(np.abs(slope) - 0.2, 0), np.abs(slope + 0.2 * np.sign(w)))
    assert np.isclose(state.error, distance.max(), rtol=1e-12)
    _, state = proximal_gradient(through_origin, prox_lasso, tol=1e-11).run(jnp.zeros(P), 0.2, X, Y)
    assert state.error <= 1e-11


@pytest.mark.parametrize(
    ("prox", "strength"),
    [
        (L1(1.0), 0.2),
        pytest.param(L1L2(1.0, l1_ratio=0.5), 0.2, marks=pytest.mark.slow),
        pytest.param(GroupL2(1.0, groups=GROUPS), 0.1, marks=pytest.mark.slow),
        pytest.param(GroupL2(1.0, groups=GROUPS) + L1(0.05), 0.1, marks=pytest.mark.slow),
        pytest.param(MCP(1.0, gamma=5.0), 0.2, marks=pytest.mark.slow),
        pytest.param(prox_ridge, 0.2, marks=pytest.mark.slow),
    ],
)
def test_derivatives_by_strength_are_slopes_forward_and_backward(prox, strength):
    solver = proximal_gradient(through_origin, prox, tol=1e-12, maxiter=3000)
    weights = jnp.asarray(np.random.default_rng(1).normal(size=P))

    def chosen(strength):
        return weights @ solver.run(jnp.zeros(P), strength, X, Y).params

    slope = slope_of(chosen, strength)
    assert abs(slope) > 1e-3
    assert np.isclose(jax.grad(chosen)(strength), slope, rtol=1e-5)
    assert np.isclose(jax.jvp(chosen, (strength,), (1.0,))[1], slope, rtol=1e-5)


@pytest.mark.slow
def test_derivatives_by_data_by_what_is_closed_over_and_of_second_order_are_slopes():
    solver = proximal_gradient(mean_square, {"w": L1(0.2), "b": None}, tol=1e-12)

    X_, Y_ = jnp.asarray(X), jnp.asarray(Y)

    def of_closure(size):
        inner = proximal_gradient(lambda params: mean_square(params, size * X_, Y_), {"w": L1(0.2 * size), "b": None})
        return jnp.sum(inner.run(start()).params["w"] ** 2)

    def by_argument(size):
        return jnp.sum(solver.run(start(), {"w": 0.2 * size, "b": 0.0}, size * X_, Y_).params["w"] ** 2)

    assert np.isclose(jax.grad(by_argument)(1.0), slope_of(by_argument, 1.0), rtol=1e-6)
    assert np.isclose(jax.grad(of_closure)(1.0), slope_of(by_argument, 1.0), rtol=1e-3)
    assert np.isclose(jax.grad(jax.grad(by_argument))(1.0), slope_of(jax.grad(by_argument), 1.0), rtol=1e-5)


@pytest.mark.slow
def test_vmap_over_strengths_and_jit_give_what_single_runs_give():
    solver = proximal_gradient(through_origin, L1(1.0), tol=1e-11)
    strengths = jnp.asarray([0.05, 0.2, 1.0])

    def fit(strength):
        return solver.run(jnp.zeros(P), strength, X, Y).params

    together, single = jax.jit(jax.vmap(fit))(strengths), np.stack([fit(strength) for strength in strengths])
    assert np.abs(together - single).max() < 1e-10
    slopes = jax.vmap(jax.grad(lambda strength: jnp.sum(fit(strength))))(strengths)
    assert np.allclose(slopes, [jax.grad(lambda s: jnp.sum(fit(s)))(strength) for strength in strengths], rtol=1e-8)


def test_a_second_run_is_not_compiled_again():
    traces = []

    def loss(w, y):
        traces.append(1)
        return 0.5 * jnp.mean((X @ w - y) ** 2)

    solver = proximal_gradient(loss, L1(0.2))
    solver.run(jnp.zeros(P), 0.2, Y)
    count = len(traces)
    solver.run(jnp.ones(P), 0.3, 2 * Y)
    assert len(traces) == count


@pytest.mark.slow
def test_types_stay_and_float32_ends_within_its_precision():
    w32 = proximal_gradient(through_origin, L1(0.2), tol=1e-6).run(
        jnp.zeros(P, jnp.float32), None, jnp.asarray(X, jnp.float32), jnp.asarray(Y, jnp.float32)
    )
    best = proximal_gradient(through_origin, L1(0.2), tol=1e-11).run(jnp.zeros(P), None, X, Y).params
    assert w32.params.dtype == jnp.float32
    assert w32.state.error <= 1e-6
    assert np.abs(w32.params - best).max() < 1e-5


@pytest.mark.slow
def test_penalties_go_by_path():
    tree = {"w": L1(0.2), "b": None}
    one = proximal_gradient(mean_square, tree, tol=1e-11).run(start(), None, X, Y).params
    other = proximal_gradient(mean_square, by_path(L1(0.2), select="w"), tol=1e-11).run(start(), None, X, Y).params
    assert np.array_equal(one["w"], other["w"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: proximal_gradient(3.0, L1(0.1)), "fun must be a function"),
        (lambda: proximal_gradient(mean_square, 3.0), "prox must be a penalty"),
        (lambda: proximal_gradient(mean_square, L1(0.1), stepsize=-1.0), "stepsize must be"),
        (lambda: proximal_gradient(mean_square, L1(0.1), decrease_factor=1.0), "decrease_factor must be"),
        (lambda: proximal_gradient(mean_square, L1(0.1), tol=0.0), "tol must be"),
        (lambda: proximal_gradient(mean_square, {"v": L1(0.1)}).run(start(), None, X, Y), "prox must be one value"),
        (lambda: proximal_gradient(mean_square, GroupL2(0.1, groups=[[99]])).run(start(), None, X, Y), "does not fit"),
    ],
)
def test_what_cannot_be_solved_is_refused(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()
