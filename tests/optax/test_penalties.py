"""Which leaves of a tree a penalty goes to, and at what strength."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage.optax import by_path, chain, prox, prox_adam  # noqa: E402


def test_penalties_go_where_trees_masks_and_paths_say():
    params = {"dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}, "norm": {"scale": jnp.ones(3)}}
    gradient = jax.tree.map(jnp.zeros_like, params)
    whole = {"dense": {"kernel": True, "bias": False}, "norm": {"scale": False}}
    half = {"dense": {"kernel": True, "bias": True}, "norm": {"scale": False}}
    ways = [
        (prox(L1(9.0), mask=whole), whole),
        (prox(L1(9.0), mask=lambda p: jax.tree.map(lambda w: w.ndim > 1, p)), whole),
        (prox({"dense": {"kernel": L1(9.0), "bias": None}, "norm": None}), whole),
        (prox({"dense": L1(9.0), "norm": None}), half),
        (prox(lambda p: {"dense": L1(9.0), "norm": None}), half),
        (prox(by_path(L1(9.0))), whole),
        (prox(by_path(overrides={"dense/*": L1(9.0)})), half),
    ]
    for link, hit in ways:
        tx = chain(optax.sgd(1.0), link)
        updates, _ = tx.update(gradient, tx.init(params), params)
        gone = jax.tree.map(lambda w: bool((w == 0).all()), optax.apply_updates(params, updates))
        assert gone == hit


def test_parameters_that_are_numbers_are_penalized_as_arrays_of_no_dimension():
    params = {"free": 1.0, "w": 2.0}
    tx = prox_adam(0.1, {"free": None, "w": L1(0.5)})
    updates, _ = tx.update({"free": 0.0, "w": 0.5}, tx.init(params), params)
    as_arrays = jax.tree.map(jnp.asarray, params)
    expected, _ = tx.update({"free": jnp.zeros(()), "w": jnp.asarray(0.5)}, tx.init(as_arrays), as_arrays)
    assert updates["w"] == expected["w"]
    assert updates["w"] < -0.1


def test_a_schedule_of_the_strength_is_0_below_0():
    params = jnp.linspace(-1.0, 1.0, 5)
    below = prox_adam(0.1, L1(0.5), strength=lambda count: -1.0 - count)
    plain = optax.adam(0.1)
    for tx_updates in zip(
        *(jax.tree.leaves(tx.update(params, tx.init(params), params)[0]) for tx in (below, plain)), strict=True
    ):
        np.testing.assert_array_equal(*tx_updates)
