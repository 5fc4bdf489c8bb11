"""The operators under jaxopt's names: their definitions, their place among the penalties, and jaxopt itself."""

import warnings

import numpy as np
import pytest

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402

from shrinkage import L1, L1L2, L2, GroupL2  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.optax import _jaxopt_prox as operators  # noqa: E402

NAMES = [
    "prox_lasso",
    "prox_non_negative_lasso",
    "prox_elastic_net",
    "prox_group_lasso",
    "prox_ridge",
    "prox_non_negative_ridge",
]
STRENGTHS = {name: 0.6 for name in NAMES} | {"prox_elastic_net": (0.6, 0.5)}
STEP = 0.7


def value(name, y, strength):
    """g(y), as each operator's definition states it."""
    y = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(y)]).astype(float)
    if "non_negative" in name and y.min() < 0:
        return np.inf
    if name == "prox_elastic_net":
        return strength[0] * (np.abs(y).sum() + 0.5 * strength[1] * (y * y).sum())
    if name == "prox_group_lasso":
        return strength * np.linalg.norm(y)
    return strength * (0.5 * (y * y).sum() if "ridge" in name else np.abs(y).sum())


def tree(seed=0):
    rng = np.random.default_rng(seed)
    return {"kernel": jnp.asarray(rng.normal(size=(3, 2))), "rest": [jnp.asarray(rng.normal(size=4))]}


def largest_difference(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in pairs)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_minimizes_its_objective(name):
    x, strength = tree(), STRENGTHS[name]

    def objective(y):
        pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)
        return 0.5 * sum(float(((a - b) ** 2).sum()) for a, b in pairs) + STEP * value(name, y, strength)

    y = getattr(operators, name)(x, strength, STEP)
    best, rng = objective(y), np.random.default_rng(1)
    for size in (1e-4, 1e-2, 1.0):
        for _ in range(30):
            moved = jax.tree.map(lambda leaf, size=size: leaf + size * rng.normal(size=leaf.shape), y)
            inside = jax.tree.map(jnp.abs, moved) if "non_negative" in name else moved
            assert best <= objective(inside) + 1e-12


@pytest.mark.parametrize(
    ("name", "strength", "penalty"),
    [
        ("prox_lasso", 0.6, L1(0.6)),
        ("prox_ridge", 0.6, L2(0.6)),
        ("prox_elastic_net", (0.6, 0.5), L1L2(0.9, l1_ratio=2 / 3)),
        ("prox_group_lasso", 0.6, GroupL2(0.6, axis=(), weights="ones")),
    ],
)
def test_each_names_one_of_our_penalties(name, strength, penalty):
    x = np.random.default_rng(2).normal(size=7)
    assert np.allclose(getattr(operators, name)(jnp.asarray(x), strength, STEP), penalty.prox(x, STEP), atol=1e-15)


@pytest.mark.parametrize("name", [name for name in NAMES if "non_negative" in name])
def test_on_the_orthant_an_operator_is_its_free_twin_after_the_projection(name):
    x = tree(3)
    twin = getattr(operators, name.replace("non_negative_", ""))
    assert (
        largest_difference(getattr(operators, name)(x, 0.6, STEP), twin(jax.tree.map(jax.nn.relu, x), 0.6, STEP)) == 0
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_operator_agrees_with_jaxopt(name):
    with warnings.catch_warnings(action="ignore"):  # it says that nobody maintains it
        theirs = pytest.importorskip("jaxopt.prox")
    x = tree(4)
    for strength in (STRENGTHS[name], (0.1, 3.0) if name == "prox_elastic_net" else 5.0, None):
        ours = getattr(operators, name)(x, strength, STEP)
        assert largest_difference(ours, getattr(theirs, name)(x, strength, STEP)) < 1e-15
    assert largest_difference(getattr(operators, name)(x), getattr(theirs, name)(x)) < 1e-15


def test_a_number_serves_every_leaf_also_under_jit_and_as_an_integer():
    x = tree(5)
    lasso = operators.prox_lasso(x, 0.5, STEP)
    for strength in (np.float32(0.5), jnp.asarray(0.5), np.asarray(0.5)):
        assert largest_difference(jax.jit(operators.prox_lasso)(x, strength, STEP), lasso) < 1e-15
    whole = operators.prox_elastic_net(x, (1.0, 2.0), STEP)
    assert largest_difference(operators.prox_elastic_net(x, (1, 2), STEP), whole) == 0
    assert largest_difference(jax.jit(operators.prox_elastic_net)(x, (1, 2), STEP), whole) < 1e-15


def test_a_strength_may_be_a_prefix_of_the_tree():
    x = tree(6)
    factors = jnp.asarray([0.0, 1.0])
    shrunk = operators.prox_lasso(x, {"kernel": factors, "rest": 0.0}, STEP)
    assert np.allclose(shrunk["kernel"], L1(1.0).prox(x["kernel"], STEP * factors))
    assert np.array_equal(shrunk["rest"][0], x["rest"][0])


@pytest.mark.parametrize("name", NAMES)
def test_types_stay(name):
    x = {"a": jnp.asarray([2.0, -3.0], jnp.bfloat16), "b": jnp.asarray([2.0], jnp.float32)}
    found = getattr(operators, name)(x, STRENGTHS[name], STEP)
    assert [leaf.dtype for leaf in jax.tree.leaves(found)] == [jnp.bfloat16, jnp.float32]


@pytest.mark.parametrize("name", NAMES)
def test_gradients_by_strength_are_slopes(name):
    x = tree(7)

    def total(scale):
        strength = jax.tree.map(lambda s: s * scale, STRENGTHS[name])
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(getattr(operators, name)(x, strength, STEP)))

    slope = (total(1.0 + 1e-6) - total(1.0 - 1e-6)) / 2e-6
    assert np.isclose(jax.grad(total)(1.0), slope, rtol=1e-6)


def test_gradients_of_ridge_at_zero_are_those_of_a_linear_map():
    for name in ("prox_ridge", "prox_group_lasso"):
        slope = jax.grad(lambda x, name=name: jnp.sum(getattr(operators, name)(x, 1.0, 1.0)))(jnp.zeros(3))
        assert np.array_equal(slope, np.full(3, 0.5 if name == "prox_ridge" else 0.0))


def test_vmap_makes_groups_of_rows():
    x = np.random.default_rng(8).normal(size=(5, 3))
    found = jax.vmap(operators.prox_group_lasso, in_axes=(0, None, None))(jnp.asarray(x), 2.5, STEP)
    assert np.allclose(found, GroupL2(2.5, axis=0, weights="ones").prox(x, STEP), atol=1e-15)
    assert 0 < np.sum(np.all(np.asarray(found) == 0, axis=1)) < 5


def test_no_penalty_and_projections():
    x = tree(9)
    assert operators.prox_none(x, 1.0, 2.0) is x
    ball = operators.make_prox_from_projection(optax.projections.projection_l2_ball)
    assert largest_difference(ball(x, 0.5, 3.0), optax.projections.projection_l2_ball(x, 0.5)) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: operators.prox_lasso(x, {"other": 1.0}), "l1reg must be one value or a pytree"),
        (lambda x: operators.prox_elastic_net(x, 1.0), "hyperparams must be a pair"),
        (lambda x: operators.prox_group_lasso(x, jnp.ones(2)), "l2reg must be one number"),
        (lambda x: operators.prox_group_lasso(x, {"kernel": 1.0, "rest": 1.0}), "l2reg must be one number"),
    ],
)
def test_a_strength_that_does_not_fit_is_refused(call, words):
    with pytest.raises(ArgumentError, match=words):
        call(tree())
