"""A prox behind a chain ends at the penalty's own minimizer, at the length of the step that the chain takes."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from shrinkage import L1, L1L2, L2, MCP, SCAD, ElasticNet, GroupL2, Lasso, LogisticRegression  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.optax import by_path, chain, dual_averaging, prox, prox_adam  # noqa: E402

FACTORS = np.r_[0.0, 3.0, np.linspace(0.5, 2.0, 8)]
COSINE = optax.cosine_decay_schedule(0.05, 1500)  # and no step after that
CHAINS = {
    "sgd": lambda: optax.sgd(0.2),
    "momentum": lambda: optax.sgd(0.02, 0.9),
    "nesterov": lambda: optax.sgd(0.02, 0.9, nesterov=True),
    "adam": lambda: optax.adam(COSINE),
    "nadam": lambda: optax.nadam(COSINE),
    "adamw without decay": lambda: optax.adamw(COSINE, weight_decay=0.0),
    "amsgrad": lambda: optax.amsgrad(COSINE),
    "adabelief": lambda: optax.adabelief(COSINE),
    "adamax": lambda: optax.adamax(COSINE),
    "rmsprop": lambda: optax.rmsprop(optax.cosine_decay_schedule(0.05, 12000)),
    "adagrad": lambda: optax.adagrad(1.0),
    "yogi": lambda: optax.yogi(COSINE),
    "injected": lambda: optax.inject_hyperparams(optax.adam)(COSINE),
}
QUICK = ("sgd", "momentum", "adam", "injected")
SOME = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CHAINS]


def diabetes(dtype=np.float64):
    X, y = load_diabetes(return_X_y=True)
    return ((X - X.mean(0)) / X.std(0)).astype(dtype), ((y - y.mean()) / y.std()).astype(dtype)


def train(tx, gradient, params, n_steps):
    """Parameters after so many steps of `tx` along `gradient(params, t)`, compiled as one loop."""

    def step(carry, t):
        params, state = carry
        updates, state = tx.update(gradient(params, t), state, params)
        return (optax.apply_updates(params, updates), state), None

    params, state = jax.jit(lambda start: jax.lax.scan(step, start, jnp.arange(n_steps)))((params, tx.init(params)))[0]
    return jax.tree.map(lambda x: x if isinstance(x, jax.core.Tracer) else np.asarray(x), params), state


def least_squares(X, y):
    """The gradient of ½ mean (y - Xw)² for every leaf alone."""
    gram, correlation = X.T @ X / len(y), X.T @ y / len(y)
    return lambda params, t=0: jax.tree.map(lambda w: (gram @ w.reshape(-1) - correlation).reshape(w.shape), params)


@pytest.mark.parametrize("name", SOME)
def test_every_chain_ends_at_the_lasso_and_the_elastic_net(name):
    X, y = diabetes()
    penalties = {"l1": L1(0.1), "en": L1L2(0.2, 0.5), "factors": L1L2(0.05, 0.8, factors=FACTORS)}
    oracles = {
        "l1": Lasso(0.1, fit_intercept=False, tol=1e-13),
        "en": ElasticNet(0.2, l1_ratio=0.5, fit_intercept=False, tol=1e-13),
        "factors": ElasticNet(0.05, l1_ratio=0.8, penalty_factor=FACTORS, fit_intercept=False, tol=1e-13),
    }
    with jax.enable_x64(True):
        start = {key: jnp.full(10, 0.01) for key in penalties}
        ends, _ = train(
            chain(CHAINS[name](), prox(penalties)), least_squares(X, y), start, 12000 if name == "rmsprop" else 1500
        )
    for key, w in ends.items():
        best = oracles[key].fit(X, y).coef_
        assert 0 < np.count_nonzero(best) < best.size
        assert np.abs(w - best).max() < 1e-9
        assert np.array_equal(w == 0, best == 0)


def test_a_gradient_that_is_clipped_to_the_end_ends_at_the_lasso_all_the_same():
    X, y = diabetes()
    best = Lasso(0.1, fit_intercept=False, tol=1e-13).fit(X, y).coef_
    assert 0.1 * np.sqrt(np.count_nonzero(best)) > 1.5 * 0.1  # the norm of the gradient at the end is above the clip
    for inner in (optax.sgd(0.2, 0.5), optax.adam(COSINE)):
        with jax.enable_x64(True):
            tx = chain(optax.clip_by_global_norm(0.1), inner, prox(L1(0.1)))
            w, _ = train(tx, least_squares(X, y), jnp.zeros(10), 1500)
        assert np.abs(w - best).max() < 1e-9
        assert np.array_equal(w == 0, best == 0)


def test_in_float32_the_zeros_are_the_same_and_the_rest_within_1e_5():
    X, y = diabetes(np.float32)
    params = {"w": jnp.zeros(10)}
    for alpha, ratio in ((0.1, 1.0), (0.2, 0.5)):
        best = ElasticNet(alpha, l1_ratio=ratio, fit_intercept=False, tol=1e-13).fit(*diabetes()).coef_
        end, _ = train(chain(optax.adam(COSINE), prox(L1L2(alpha, ratio))), least_squares(X, y), params, 1500)
        assert np.abs(end["w"] - best).max() < 1e-5
        assert np.array_equal(end["w"] == 0, best == 0)


@pytest.mark.parametrize(("dtype", "tol"), [(np.float32, 1e-5), (np.float64, 1e-9)])
def test_l1_logistic_regression_is_that_of_the_linear_models(dtype, tol):
    X, y = diabetes()
    labels = (y > 0).astype(int)
    oracle = LogisticRegression(0.05, l1_ratio=1.0, tol=1e-13).fit(X, labels)
    X, y = X.astype(dtype), labels.astype(dtype)

    def gradient(params, t):
        def loss(p):
            eta = jnp.asarray(X) @ p["w"] + p["b"]
            return jnp.mean(jnp.logaddexp(0.0, eta) - y * eta)

        return jax.grad(loss)(params)

    with jax.enable_x64(dtype is np.float64):
        params = {"w": jnp.zeros(10, dtype), "b": jnp.zeros((), dtype)}
        tx = chain(optax.sgd(1.5), prox({"w": L1(0.05), "b": None}))
        end, _ = train(tx, gradient, params, 800)
    best = np.ravel(oracle.coef_)
    assert 0 < np.count_nonzero(best) < best.size
    assert np.array_equal(end["w"] == 0, best == 0)
    assert np.abs(end["w"] - best).max() < tol
    assert np.abs(end["b"] - float(np.ravel(oracle.intercept_)[0])) < tol


GROUPED = {
    "rows": GroupL2(0.08, axis=0),
    "lists, some weights free": GroupL2(0.08, groups=[[0, 1, 2], [3], [4, 5], [7, 8]], weights="ones"),
    "sparse, with squares": L1L2(0.1, l1_ratio=0.5) + GroupL2(0.06, axis=0),
}


@pytest.mark.parametrize("make", [prox, dual_averaging])
@pytest.mark.parametrize("name", ["momentum", pytest.param("adam", marks=pytest.mark.slow)])
def test_groups_end_where_they_are_stationary(make, name):
    X, y = diabetes()
    with jax.enable_x64(True):
        start = {key: jnp.full((5, 2), 0.01) for key in GROUPED}
        gradient = least_squares(X, y)
        settings = {} if make is prox else {"memory": 0.95}
        ends, _ = train(chain(CHAINS[name](), make(GROUPED, **settings)), gradient, start, 1500)
        slopes = gradient(ends)
    for key, g in GROUPED.items():
        w = np.asarray(ends[key])
        lengths = g.norms(w)
        assert 0 < np.count_nonzero(lengths) < lengths.size
        assert np.max(g.violation(w, -np.asarray(slopes[key]))) < 1e-7


@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_from_afar_penalties_that_are_not_convex_end_where_they_are_stationary(name):
    """On ½ (w - t)² these penalties bend less than the loss, and the only stationary point is their prox of t."""
    penalties = {"mcp": MCP(0.1), "steep": MCP(0.1, gamma=1.2), "scad": SCAD(0.1), "bent": SCAD(0.1, gamma=2.2)}
    draw = np.random.default_rng(0)
    t, start = 0.5 * draw.normal(size=60), draw.normal(size=60)
    tx = {"adam": optax.adam(0.01), "momentum": optax.sgd(0.2, 0.9)}[name]
    with jax.enable_x64(True):
        params = {key: jnp.asarray(start) for key in penalties}
        ends, _ = train(chain(tx, prox(penalties)), lambda p, k: jax.tree.map(lambda w: w - t, p), params, 1500)
    for key, g in penalties.items():
        best = g.prox(t, 1.0)
        assert np.abs(ends[key] - best).max() < 1e-3
        assert np.array_equal(ends[key] == 0, best == 0)


NOISE = np.random.default_rng(1).normal(size=(40, 6)) * np.array([1.0, 1e-3, 0.1, 2.0, 0.0, 1e-6])


def noisy(params, t):
    return jax.tree.map(lambda w: jnp.asarray(NOISE, w.dtype)[t] + 0.1 * w, params)


def assert_same(one, other):
    """The same zeros, some of them, and the rest to rounding: XLA rounds the same formula otherwise in each program."""
    one, other = np.asarray(one), np.asarray(other)
    assert np.array_equal(one == 0, other == 0)
    assert (one == 0).any()
    np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


@pytest.mark.parametrize("make", [prox, dual_averaging])
@pytest.mark.parametrize("name", ["adam", "momentum", "rmsprop"])
def test_at_strength_zero_no_bit_changes(make, name):
    params = {"w": jnp.linspace(-1.0, 1.0, 6)}
    nothing = jnp.zeros(6)  # an array, so that it is known while it runs, not before
    off = [(L1(0.0), 1.0), ({"w": None}, 1.0), (L1(0.3), lambda t: 0.0 * t)]
    if make is prox:
        off.append((L1(nothing), 1.0))
    plain = CHAINS[name]()
    chains = [chain(CHAINS[name](), make(penalty, strength=strength)) for penalty, strength in off]
    state, states = plain.init(params), [tx.init(params) for tx in chains]
    w = params
    for t in range(3):
        updates, state = plain.update(noisy(w, t), state, w)
        for k, tx in enumerate(chains):
            ours, states[k] = tx.update(noisy(w, t), states[k], w)
            assert np.array_equal(ours["w"], updates["w"])
        w = optax.apply_updates(w, updates)


@pytest.mark.parametrize(
    "penalty",
    [L1L2(0.3, 0.7), *(pytest.param(g, marks=pytest.mark.slow) for g in (MCP(0.1), GroupL2(0.1, axis=()), L2(0.5)))],
)
def test_it_steps_as_prox_adam_in_torch_floor_and_all(penalty):
    torch = pytest.importorskip("torch")
    from shrinkage.torch import ProxAdam

    start = np.linspace(-1.0, 1.0, 6)
    w = torch.nn.Parameter(torch.tensor(start))
    optimizer = ProxAdam([w], lr=0.01, penalty=penalty, metric_floor=0.5, warmup_steps=3, fused=False)
    for row in NOISE:
        w.grad = torch.tensor(row) + 0.1 * w.detach()
        optimizer.step()
    with jax.enable_x64(True):
        tx = prox_adam(0.01, penalty, metric_floor=0.5, warmup_steps=3)
        ours, _ = train(tx, noisy, jnp.asarray(start), len(NOISE))
    np.testing.assert_allclose(ours, w.detach().numpy(), rtol=0, atol=2e-6)  # optax corrects for bias in float32


def test_a_tensor_whose_gradients_were_all_zero_is_left_alone():
    params = {"dead": jnp.array([0.3, -0.2]), "alive": jnp.array([0.3, -0.2])}
    gradient = lambda p, t: {"dead": jnp.zeros(2), "alive": jnp.array([1e-3, 0.0])}  # noqa: E731
    end, _ = train(chain(optax.adam(0.01), prox(L1(0.1))), gradient, params, 50)
    assert np.array_equal(end["dead"], params["dead"])
    assert end["alive"][0] == 0


def test_the_floor_keeps_weights_without_gradients_from_vanishing_at_once():
    params, gradient = jnp.array([1.0, 1.0]), lambda p, t: jnp.array([1.0, 0.0])
    for floor, left in ((0.01, True), (0.0, False)):
        end, _ = train(chain(optax.adam(1e-3), prox(L1(1e-3), metric_floor=floor)), gradient, params, 2)
        assert (float(end[1]) > 0.99) == left


def test_one_program_serves_all_steps_and_many_strengths_at_once_are_each_alone():
    X, y = diabetes(np.float32)
    gradient = least_squares(X, y)
    count = []

    def run(alpha):
        count.append(None)
        params = {"w": jnp.zeros(10)}
        return train(chain(optax.adam(0.05), prox(L1(alpha))), gradient, params, 300)[0]["w"]

    alphas = jnp.array([0.0, 0.05, 0.2, 0.5])
    together = jax.vmap(run)(alphas)
    alone = jax.jit(run)
    apart = jnp.stack([alone(alpha) for alpha in alphas])
    assert len(count) == 2
    assert_same(together, apart)
    assert [int(n) for n in (together != 0).sum(1)] == sorted((int(n) for n in (together != 0).sum(1)), reverse=True)


def test_within_multi_steps_and_behind_them_the_prox_acts_on_full_steps_alone():
    params = {"w": jnp.linspace(-1.0, 1.0, 6)}
    adam, link = optax.adam(0.05), prox(L1(0.5), warmup_steps=2)
    around = optax.MultiSteps(chain(adam, link), 4).gradient_transformation()
    behind = chain(optax.MultiSteps(adam, 4).gradient_transformation(), link)
    one, _ = train(around, noisy, params, 40)
    other, _ = train(behind, noisy, params, 40)
    assert_same(one["w"], other["w"])
    means = jnp.asarray(NOISE, jnp.float32).reshape(10, 4, 6).mean(1)
    slow, _ = train(chain(adam, link), lambda p, t: {"w": means[t] + 0.1 * p["w"]}, params, 10)
    assert_same(one["w"], slow["w"])


def test_a_step_that_is_not_finite_moves_nothing_around_and_behind():
    params = {"w": jnp.linspace(-1.0, 1.0, 6)}
    gradient = lambda p, t: jax.tree.map(lambda g: jnp.where(t % 3 == 1, jnp.nan, g), noisy(p, t))  # noqa: E731
    kept = np.arange(40)[np.arange(40) % 3 != 1]
    skipping = lambda p, t: noisy(p, jnp.asarray(kept)[t])  # noqa: E731
    adam, link = optax.adam(0.05), prox(L1(0.2))
    plain, _ = train(chain(adam, link), skipping, params, len(kept))
    for tx in (optax.apply_if_finite(chain(adam, link), 5), chain(optax.apply_if_finite(adam, 5), link)):
        assert_same(train(tx, gradient, params, 40)[0]["w"], plain["w"])


def test_each_part_of_a_tree_gets_the_threshold_of_its_own_optimizer():
    params = {"a": jnp.linspace(-1.0, 1.0, 6), "b": jnp.linspace(-1.0, 1.0, 6)}
    labels, parts = {"a": "adam", "b": "sgd"}, {"adam": optax.adam(0.05), "sgd": optax.sgd(0.05, 0.9)}
    behind, _ = train(chain(optax.multi_transform(parts, labels), prox(L1(0.2))), noisy, params, 40)
    inside = optax.multi_transform({key: chain(part, prox(L1(0.2))) for key, part in parts.items()}, labels)
    inside, _ = train(inside, noisy, params, 40)
    for key, label in labels.items():
        alone, _ = train(chain(parts[label], prox(L1(0.2))), noisy, params[key], 40)
        assert_same(behind[key], alone)
        assert_same(inside[key], alone)


def test_hyperparameters_may_be_injected_around_it_and_changed():
    params = {"w": jnp.linspace(-1.0, 1.0, 6)}
    make = lambda learning_rate, alpha: chain(optax.adam(learning_rate), prox(L1(alpha)))  # noqa: E731
    around = optax.inject_hyperparams(make)(learning_rate=COSINE, alpha=0.2)
    end, state = train(around, noisy, params, 40)
    plain, _ = train(chain(optax.adam(COSINE), prox(L1(0.2))), noisy, params, 40)
    assert_same(end["w"], plain["w"])
    state.hyperparams["alpha"] = jnp.asarray(1e3, jnp.float32)
    updates, _ = around.update(noisy(end, 0), state, end)
    assert not np.any(optax.apply_updates(end, updates)["w"])


def test_in_optax_chain_it_refuses_to_guess_and_takes_a_momentum_that_it_is_told():
    params = {"w": jnp.linspace(-1.0, 1.0, 6)}
    blind = optax.chain(optax.adam(0.1), prox(L1(0.1), 0.1))
    with pytest.raises(ArgumentError, match=r"shrinkage\.optax\.chain"):
        blind.update(params, blind.init(params), params)
    rate = optax.linear_schedule(0.1, 0.01, 40)
    for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True)):
        sgd = optax.sgd(rate, momentum, nesterov)
        told, _ = train(optax.chain(sgd, prox(L1(0.2), rate, momentum=momentum, nesterov=nesterov)), noisy, params, 40)
        seen, _ = train(chain(sgd, prox(L1(0.2), rate)), noisy, params, 40)
        assert_same(told["w"], seen["w"])


def test_what_cannot_be_right_is_refused_in_a_sentence():
    params = {"w": jnp.ones((2, 3)), "b": jnp.ones(3)}
    gradient = params

    def step(tx, params=params):
        return tx.update(gradient, tx.init(params), params)

    with pytest.raises(ArgumentError, match="scale_by_lion"):
        step(chain(optax.lion(0.1), prox(L1(0.1))))
    with pytest.raises(ArgumentError, match="one chain has one penalty"):
        chain(optax.sgd(0.1), prox(L1(0.1)), prox(L1(0.1)))
    with pytest.raises(ArgumentError, match="leave learning_rate out"):
        step(chain(optax.adam(0.1), prox(L1(0.1), 0.2)))
    with pytest.raises(ArgumentError, match="against"):
        step(chain(optax.scale_by_adam(), optax.scale(0.1), prox(L1(0.1))))
    tx = chain(optax.sgd(0.1), prox(L1(0.1)))
    state = tx.init(params)
    with pytest.raises(ArgumentError, match="params"):
        tx.update(gradient, state)
    with pytest.raises(ArgumentError, match="'b' of shape"):
        step(chain(optax.sgd(0.1), prox(GroupL2(0.1, axis=1))))
    with pytest.raises(ArgumentError, match="got the class itself"):
        step(chain(optax.sgd(0.1), prox(L1)))
    with pytest.raises(ArgumentError, match="prefix"):
        step(chain(optax.sgd(0.1), prox({"w": L1(0.1)})))
    with pytest.raises(ArgumentError, match="metric_floor must be >= 0"):
        prox(L1(0.1), metric_floor=-1.0)
    with pytest.raises(ArgumentError, match="matches no"):
        step(chain(optax.sgd(0.1), prox(by_path(L1(0.1), select="kernel"))))


@pytest.mark.parametrize("make", [prox, dual_averaging])
def test_bfloat16_weights_and_moments_reach_exact_zeros_too(make):
    X, y = diabetes(np.float32)
    exact = Lasso(0.1, fit_intercept=False, tol=1e-13).fit(*diabetes()).coef_
    gradient = least_squares(X, y)
    low = {"w": jnp.zeros(10, jnp.bfloat16)}
    tx = chain(optax.adam(COSINE, mu_dtype=jnp.bfloat16), make(L1(0.1)))
    end, _ = train(
        tx, lambda p, t: {"w": gradient({"w": p["w"].astype(jnp.float32)})["w"].astype(jnp.bfloat16)}, low, 1500
    )
    assert end["w"].dtype == jnp.bfloat16
    assert np.array_equal(np.asarray(end["w"]) == 0, exact == 0)


def test_states_are_plain_trees_that_go_on_bit_for_bit_and_that_optax_can_map():
    params = {"w": jnp.linspace(-1.0, 1.0, 6)}
    for make in (prox, dual_averaging):
        tx = chain(optax.sgd(0.05, 0.9), make(L1(0.2)))
        step = jax.jit(lambda p, s, t, tx=tx: tx.update(noisy(p, t), s, p))
        ends = []
        for broken in (False, True):
            w, state = params, tx.init(params)
            for t in range(20):
                updates, state = step(w, state, t)
                w = optax.apply_updates(w, updates)
                if broken and t == 9:
                    leaves, structure = jax.tree.flatten((w, state))
                    w, state = jax.tree.unflatten(structure, [jnp.asarray(np.asarray(leaf)) for leaf in leaves])
            ends.append(w["w"])
        assert np.array_equal(*ends)
        same = optax.tree_map_params(tx, lambda x: x, state)
        assert jax.tree.structure(same) == jax.tree.structure(state)
        shapes = [x.shape for x in jax.tree.leaves(optax.tree_map_params(tx, lambda x: x[:2], state))]
        assert (2,) in shapes


def test_a_schedule_of_strengths_counts_the_steps_taken():
    params, gradient = jnp.full(3, 1.0), lambda p, t: jnp.zeros(3)
    tx = chain(optax.sgd(1.0), prox(L1(0.1), strength=lambda t: t))
    end, _ = train(tx, gradient, params, 4)  # thresholds 0, .1, .2, .3
    np.testing.assert_allclose(end, 0.4, rtol=1e-6)
