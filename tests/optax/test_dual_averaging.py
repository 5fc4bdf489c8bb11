"""Dual averaging behind a chain: the same minimizers, the steps of its twin in torch, and zeros that last."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

from shrinkage import L1, L1L2, MCP, GroupL2, Lasso  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.optax import chain, dual_adam, dual_averaging, prox  # noqa: E402

NOISE = np.random.default_rng(1).normal(size=(60, 6)) * np.array([1.0, 1e-3, 0.1, 2.0, 0.0, 1e-6])


def noisy(w, t):
    return jnp.asarray(NOISE, w.dtype)[t] + 0.1 * w


def train(tx, gradient, params, n_steps):
    """Parameters and state after so many steps along `gradient(params, t)`, compiled as one loop."""

    def step(carry, t):
        params, state = carry
        updates, state = tx.update(gradient(params, t), state, params)
        return (optax.apply_updates(params, updates), state), None

    params, state = jax.jit(lambda start: jax.lax.scan(step, start, jnp.arange(n_steps)))((params, tx.init(params)))[0]
    return np.asarray(params), state


def problem(n=400, p=40, zeros=34, seed=0):
    draw = np.random.default_rng(seed)
    X = draw.normal(size=(n, p))
    return X, X[:, : p - zeros] @ (2.0 * draw.normal(size=p - zeros)) + draw.normal(size=n)


@pytest.mark.parametrize("name", ["momentum", pytest.param("adam", marks=pytest.mark.slow)])
def test_on_all_the_data_it_ends_at_the_lasso(name):
    X, y = problem(n=200)
    best = Lasso(0.1, fit_intercept=False, tol=1e-13).fit(X, y).coef_
    gram, correlation = X.T @ X / len(y), X.T @ y / len(y)
    tx = {"adam": optax.adam(optax.cosine_decay_schedule(0.05, 2000)), "momentum": optax.sgd(0.02, 0.9)}[name]
    with jax.enable_x64(True):
        w, _ = train(chain(tx, dual_averaging(L1(0.1))), lambda w, t: gram @ w - correlation, jnp.zeros(40), 2000)
    assert 0 < np.count_nonzero(best) < 40
    assert np.abs(w - best).max() < 1e-9
    assert np.array_equal(w == 0, best == 0)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_zeros_outlast_the_noise_of_small_batches_where_those_of_a_prox_flicker(seed):
    X, y = (jnp.asarray(a, jnp.float32) for a in problem(seed=seed))
    rows = jnp.asarray(np.random.default_rng(seed).integers(0, 400, size=(3000, 8)))

    def gradient(w, t):
        part = X[rows[t]]
        return part.T @ (part @ w - y[rows[t]]) / 8

    found = {}
    for make in (prox, dual_averaging):
        tx = chain(optax.sgd(optax.cosine_decay_schedule(0.01, 3000, 0.1)), make(L1(0.3)))
        w, _ = train(tx, gradient, jnp.zeros(40), 3000)
        found[make] = int((w[6:] == 0).sum())
    assert found[dual_averaging] == 34
    assert found[prox] < 30


@pytest.mark.parametrize(
    "penalty",
    [
        L1L2(0.3, 0.7),
        L1(0.1) + GroupL2(0.1, axis=0),
        pytest.param(L1(0.3), marks=pytest.mark.slow),
        pytest.param(GroupL2(0.1, axis=()), marks=pytest.mark.slow),
    ],
)
def test_it_steps_as_dual_adam_in_torch(penalty):
    torch = pytest.importorskip("torch")
    from shrinkage.torch import DualAdam

    start = np.linspace(-1.0, 1.0, 6)
    w = torch.nn.Parameter(torch.tensor(start))
    settings = {"memory": 0.9, "metric_floor": 0.5, "warmup_steps": 3}
    optimizer = DualAdam([w], lr=0.01, penalty=penalty, fused=False, **settings)
    for row in NOISE:
        w.grad = torch.tensor(row) + 0.1 * w.detach()
        optimizer.step()
    with jax.enable_x64(True):
        ours, _ = train(dual_adam(0.01, penalty, **settings), noisy, jnp.asarray(start), len(NOISE))
    theirs = w.detach().numpy()
    assert np.array_equal(ours == 0, theirs == 0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)  # optax corrects for bias in float32


def test_within_multi_steps_and_behind_them_memory_grows_on_full_steps_alone():
    params = jnp.linspace(-1.0, 1.0, 6)
    adam, link = optax.adam(0.05), dual_averaging(L1(0.3), memory=0.9)
    around = optax.MultiSteps(chain(adam, link), 4).gradient_transformation()
    behind = chain(optax.MultiSteps(adam, 4).gradient_transformation(), link)
    one, inner = train(around, noisy, params, 60)
    other, outer = train(behind, noisy, params, 60)
    assert np.array_equal(one == 0, other == 0)
    assert (one == 0).any()
    np.testing.assert_allclose(one, other, atol=2e-6)
    inner = inner.inner_opt_state[-1].memory
    for a, b in zip(jax.tree.leaves(inner), jax.tree.leaves(outer[-1].memory), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_a_rate_of_zero_moves_nothing_not_even_memory():
    params = jnp.linspace(-1.0, 1.0, 6)
    rate = lambda t: jnp.where(t < 10, 0.05, 0.0)  # noqa: E731
    tx = chain(optax.adam(rate), dual_averaging(L1(0.3), memory=0.9))
    early, state = train(tx, noisy, params, 10)
    late, later = train(tx, noisy, params, 60)
    np.testing.assert_allclose(early, late, atol=1e-6)
    for a, b in zip(state[-1].memory, later[-1].memory, strict=True):
        np.testing.assert_allclose(np.asarray(jax.tree.leaves(a)), np.asarray(jax.tree.leaves(b)), atol=1e-6)


def test_a_penalty_that_was_off_starts_anew():
    params = jnp.linspace(-1.0, 1.0, 6)
    off_at_five = lambda t: jnp.where(t == 5, 0.0, 1.0)  # noqa: E731
    tx = chain(optax.adam(0.05), dual_averaging(L1(0.3), strength=off_at_five))
    _, state = train(tx, noisy, params, 5)
    assert any(np.any(leaf) for leaf in jax.tree.leaves(state[-1].memory))
    _, state = train(tx, noisy, params, 6)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(state[-1].memory))


def test_strengths_may_be_traced_and_vmapped():
    def run(alpha):
        tx = chain(optax.sgd(0.1), dual_averaging(L1(alpha)))
        params = jnp.linspace(-1.0, 1.0, 6)
        updates, _ = tx.update(jnp.zeros(6), tx.init(params), params)
        return optax.apply_updates(params, updates)

    ends = jax.vmap(run)(jnp.array([0.0, 3.0, 20.0]))
    np.testing.assert_allclose(ends[1], np.sign(ends[0]) * np.maximum(np.abs(ends[0]) - 0.3, 0.0), atol=1e-6)
    assert not np.any(ends[2])


def test_penalties_without_a_closed_form_and_memories_out_of_range_are_refused():
    with pytest.raises(ArgumentError, match="use prox"):
        chain(optax.sgd(0.1), dual_averaging(MCP(0.1))).init(jnp.zeros(3))
    for memory in (0.0, 1.5, "long"):
        with pytest.raises(ArgumentError, match="memory must be in"):
            dual_averaging(L1(0.1), memory=memory)
