"""The report on a pytree: what it reads from the parameters, the state and the gradients."""

import numpy as np
import pytest

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

from shrinkage import L1, ArgumentError  # noqa: E402
from shrinkage.optax._optimizers import prox_adam  # noqa: E402
from shrinkage.optax._penalties import by_path  # noqa: E402
from shrinkage.optax._report import report  # noqa: E402

PARAMS = {"dense": {"kernel": jnp.ones((3, 4)).at[:, 1].set(0.0), "bias": jnp.zeros(4)}}


def test_zeros_and_dead_units_are_counted_by_path():
    record = report(PARAMS, penalty=by_path(L1(0.1)))
    kernel, bias = record.row("dense/kernel"), record.row("dense/bias")
    assert (kernel.zeros, kernel.rows, kernel.zero_rows, kernel.columns, kernel.zero_columns) == (3, 4, 1, 3, 0)
    assert (kernel.penalty, kernel.strength, bias.penalty, bias.zeros) == ("L1", 0.1, None, 4)


def test_at_an_optimum_the_parts_of_a_step_balance_and_residuals_vanish():
    goal = jnp.asarray([2.0, -1.5, 0.1])
    optimizer = prox_adam(0.05, L1(0.5), b2=0.9)
    w = jnp.ones(3)
    state, update = optimizer.init(w), jax.jit(optimizer.update)
    for _ in range(400):
        updates, state = update(w - goal, state, w)
        w = optax.apply_updates(w, updates)
    row = report(w, state, optimizer).rows[0]
    assert np.allclose(w, [1.5, -1.0, 0.0], atol=1e-5)
    assert np.isclose(row.kkt_zero, 0.1 / 0.5, rtol=1e-4)
    assert row.kkt_nonzero < 1e-4
    assert np.isclose(row.penalty_share, 0.5, rtol=1e-4)
    # |g| = 0.5 at weights that are not zero, so d = 0.5 and the step is lr / d · 0.5 = lr at each.
    assert np.isclose(row.penalty_step, 0.05 * np.sqrt(2), rtol=1e-3)
    given = report(w, state, optimizer, gradients=w - goal, gradient="grad").rows[0]
    assert (given.gradient, row.gradient) == ("grad", "average")
    assert np.isclose(given.kkt_zero, row.kkt_zero, rtol=1e-4)


def test_changes_since_an_earlier_report_are_told():
    before = report(PARAMS)
    after = report(jax.tree.map(lambda leaf: leaf.at[0].set(0.0), PARAMS), before=before)
    assert after.row("dense/kernel").zeros_change == 3
    assert np.isclose(after.row("dense/kernel").norm_change, np.sqrt(2 / 3) - 1)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ArgumentError, match="gradients must have the structure"):
        report(PARAMS, gradients=jnp.ones(3))
    with pytest.raises(ArgumentError, match="state must be"):
        report(PARAMS, (1, 2, 3, 4), prox_adam(0.1, L1(0.1)))
    with pytest.raises(ArgumentError, match="gradient must be one of"):
        report(PARAMS, gradient="last")
