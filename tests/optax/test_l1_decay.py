"""Decoupled L1 decay: a threshold of lr times its strength, after any link."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.optax import l1_decay  # noqa: E402

NOISE = np.random.default_rng(1).normal(size=(300, 6)) + np.array([2.0, 0.5, 0.1, 0.0, -0.1, -1.0])


def train(tx, params, n_steps, scale=1.0):
    def step(carry, t):
        params, state = carry
        gradient = scale * (jnp.asarray(NOISE, params.dtype)[t] + params)
        updates, state = tx.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), None

    return np.asarray(jax.jit(lambda c: jax.lax.scan(step, c, jnp.arange(n_steps)))((params, tx.init(params)))[0][0])


def test_it_steps_as_the_l1_decay_of_adamw_in_torch():
    torch = pytest.importorskip("torch")
    from shrinkage.torch import AdamW

    start = np.linspace(-1.0, 1.0, 6)
    w = torch.nn.Parameter(torch.tensor(start))
    optimizer = AdamW([w], lr=0.02, weight_decay=0.1, l1_decay=0.3, fused=False)
    for row in NOISE:
        w.grad = torch.tensor(row) + w.detach()
        optimizer.step()
    with jax.enable_x64(True):
        ours = train(optax.chain(optax.adamw(0.02, weight_decay=0.1), l1_decay(0.3, 0.02)), jnp.asarray(start), 300)
    theirs = w.detach().numpy()
    assert np.array_equal(ours == 0, theirs == 0)
    assert (ours == 0).any()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)  # optax corrects for bias in float32


def test_after_adam_it_does_not_see_the_scale_of_the_loss_and_at_one_nothing_is_left():
    counts = {}
    for decay in (0.3, 0.6, 1.0):
        tx = optax.chain(optax.adam(0.01, eps=1e-12), l1_decay(decay, 0.01))
        zeros = [train(tx, jnp.ones(6), 300, scale) == 0 for scale in (1.0, 100.0)]
        assert np.array_equal(*zeros)
        counts[decay] = int(zeros[0].sum())
    assert 0 < counts[0.3] <= counts[0.6] < counts[1.0] == 6


def test_at_zero_no_bit_changes_and_masked_leaves_are_free():
    params = {"w": jnp.linspace(-1.0, 1.0, 6), "b": jnp.ones(2)}
    adam = optax.adam(0.1)
    plain, _ = adam.update(params, adam.init(params), params)
    for link in (l1_decay(0.0, 0.1), l1_decay(lambda t: 0.0 * t, 0.1)):
        tx = optax.chain(optax.adam(0.1), link)
        ours, _ = tx.update(params, tx.init(params), params)
        assert all(np.array_equal(plain[key], ours[key]) for key in params)
    tx = optax.chain(optax.adam(0.1), l1_decay(100.0, 0.1, mask={"w": True, "b": False}))
    ours, _ = tx.update(params, tx.init(params), params)
    assert np.array_equal(plain["b"], ours["b"])
    assert not np.any(optax.apply_updates(params, ours)["w"])


def test_schedules_are_read_at_the_count_of_the_links_before():
    params = jnp.ones(3)
    tx = optax.chain(optax.sgd(1.0), l1_decay(lambda t: 0.1 * (t + 1), lambda t: 1.0 / (t + 1)))
    state = tx.init(params)
    for _ in range(3):
        updates, state = tx.update(jnp.zeros(3), state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params, 0.7, rtol=1e-6)


def test_what_cannot_be_right_is_refused():
    with pytest.raises(ArgumentError, match="decay must be >= 0"):
        l1_decay(-0.1, 0.1)
    with pytest.raises(ArgumentError, match="learning_rate must be >= 0"):
        l1_decay(0.1, -0.1)
    tx = l1_decay(0.1, 0.1)
    state = tx.init(jnp.ones(3))
    with pytest.raises(ArgumentError, match="params"):
        tx.update(jnp.ones(3), state)
