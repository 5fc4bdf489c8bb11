"""Units of Keras, PyTorch and optax, run in each: where their optimizers rest, and what their terms add."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from unit_problems import facts_of, problem, run

from shrinkage.losses import Squared
from shrinkage.penalties import L1L2
from shrinkage.units import Decay, NotExpressible, convert
from shrinkage.units._convert import written
from shrinkage.units._records import DataFacts

# Keras' torch backend makes NumPy arrays of its variables in a way that NumPy deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ALPHA = 0.3
DATA = problem(p=4)
X, Y, N = DATA["X"], DATA["y"]["squared"], len(DATA["X"])
FACTS = facts_of(DATA, "squared")


def ridge(l2):
    """Minimizer of the mean of ½(y - Xw - b)² plus (l2/2)‖w‖², from its normal equations; the intercept last."""
    Z = np.column_stack([X, np.ones(N)])
    return np.linalg.solve(Z.T @ Z / N + l2 * np.diag([1.0, 1, 1, 1, 0]), Z.T @ Y / N)


def slope(w):
    """Gradient of the mean of (y - η)², in weights and intercept."""
    Z = np.column_stack([X, np.ones(N)])
    return 2.0 * Z.T @ (Z @ w - Y) / N


def to_network(target, **more):
    return convert("shrinkage.Ridge", target, **FACTS, alpha=ALPHA, **more)


def torch_model(w):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    model = torch.nn.Linear(4, 1, dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(torch.tensor(w[None, :4]))
        model.bias.fill_(w[4])
    return model


def torch_steps(optimizer, model, steps, last=1.0, scale=1.0):
    """Weights after full-batch steps on a multiple of the mean of (y - η)²; the learning rate falls to `last` of it."""
    import torch

    inputs, target = torch.tensor(X), torch.tensor(Y[:, None])
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, last ** (1 / steps))
    for _ in range(steps):
        optimizer.zero_grad()
        (scale * torch.nn.functional.mse_loss(model(inputs), target)).backward()
        optimizer.step()
        schedule.step()
    return np.r_[model.weight.detach().numpy()[0], model.bias.item()]


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_descent_in_torch_ends_at_our_ridge(name):
    model = torch_model(np.zeros(5))
    lr, steps, last = (0.1, 1500, 1.0) if name == "SGD" else (0.1, 1500, 1e-6)
    optimizer = run(to_network(f"torch.{name}"), DATA, "squared", model=model, lr=lr)["optimizer"]
    assert_allclose(torch_steps(optimizer, model, steps, last), ridge(ALPHA), atol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam"])
def test_our_ridge_is_where_every_coupled_optimizer_of_torch_rests(name):
    moved = {}
    for l2 in (ALPHA, 1.01 * ALPHA):
        start = ridge(l2)
        model = torch_model(start)
        optimizer = run(to_network(f"torch.{name}"), DATA, "squared", model=model, lr=1e-3)["optimizer"]
        moved[l2] = np.abs(torch_steps(optimizer, model, 1) - start).max()
    assert moved[ALPHA] < 1e-4 * moved[1.01 * ALPHA]


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_adamw_goes_where_it_goes_whatever_the_scale_of_the_loss_so_no_strength_says_it(scale):
    ways = []
    for k in (1.0, scale):
        model = torch_model(np.zeros(5))
        found = written("decay", "torch", Decay(ALPHA), DataFacts())
        optimizer = run(found, DATA, "squared", model=model, lr=0.01)["optimizer"]
        ways.append(torch_steps(optimizer, model, 30, scale=k))
    assert_allclose(ways[0], ways[1], atol=1e-6)
    assert np.abs(ridge(ALPHA) - ridge(ALPHA / scale)).max() > 0.05  # as the minimum of a penalized loss does not


def penalty_of(meaning):
    return L1L2(meaning.alpha, meaning.l1_ratio)


W = np.array([1.3, -0.4, 0.0, 2.0])


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("loss", "scale"), [("mse", 2.0), ("half_mse", 1.0)])
def test_a_term_in_the_loss_is_our_penalty_times_the_scale_of_the_loss(l1_ratio, loss, scale):
    asked = {"alpha": ALPHA, "l1_ratio": l1_ratio, "loss": loss}
    model = torch_model(np.r_[W, 7.0])
    found = convert("shrinkage.ElasticNet", "torch.loss", **asked)
    value = float(run(found, DATA, "squared", model=model, loss=0.0)["loss"].detach())
    assert_allclose(value, scale * penalty_of(found.meaning).value(W), rtol=1e-12)
    back = convert("torch.loss", "shrinkage.ElasticNet", loss=loss, **found.arguments)
    assert_allclose([back.alpha, back.l1_ratio], [ALPHA, l1_ratio])


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_a_term_in_the_loss_of_jax_is_our_penalty(l1_ratio):
    jax = pytest.importorskip("jax")
    found = convert("shrinkage.LogisticRegression", "optax.loss", alpha=ALPHA, l1_ratio=l1_ratio)
    with jax.enable_x64(True):
        params = {"kernel": jax.numpy.asarray(W[:, None]), "bias": jax.numpy.asarray([7.0])}
        value = float(run(found, DATA, "squared", params=params, loss=0.0)["loss"])
    assert_allclose(value, penalty_of(found.meaning).value(W), rtol=1e-12)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_that_keras_shows_is_a_multiple_of_our_objective(l1_ratio, weighted):
    keras = pytest.importorskip("keras")
    weights = problem(weighted=True)["sample_weight"] if weighted else np.ones(N)
    facts = {"y": Y, "sample_weight": weights if weighted else None}
    found = convert("shrinkage.ElasticNet", "keras", **facts, alpha=ALPHA, l1_ratio=l1_ratio)
    regularizer = run(found, DATA, "squared")["kernel_regularizer"]
    layer = keras.layers.Dense(1, kernel_regularizer=regularizer, dtype="float64")
    model = keras.Sequential([keras.Input((4,), dtype="float64"), layer])
    model.compile(loss="mse")
    for w in (W, -0.5 * W + 0.1):
        layer.set_weights([w[:, None], np.array([0.2])])
        shown = model.compute_loss(y=Y[:, None], y_pred=model(X), sample_weight=weights if weighted else None)
        eta = X @ w + 0.2
        objective = weights @ Squared().value(Y, eta) / weights.sum() + penalty_of(found.meaning).value(w)
        assert_allclose(keras.ops.convert_to_numpy(shown), 2.0 * weights.sum() / N * objective, rtol=1e-6)
    back = convert(found.target, "shrinkage.ElasticNet", **facts, loss="mse", **found.arguments)
    assert_allclose([back.alpha, back.l1_ratio], [ALPHA, l1_ratio])


def keras_descent(optimizer, steps):
    """Weights and intercept after full-batch steps on the mean of (y - η)², from 0."""
    import keras

    kernel, bias = (keras.Variable(np.zeros(k), dtype="float64", name=n) for k, n in ((4, "kernel"), (1, "bias")))
    optimizer.build([kernel, bias])
    for _ in range(steps):
        gradient = slope(np.r_[keras.ops.convert_to_numpy(kernel.value), keras.ops.convert_to_numpy(bias.value)])
        optimizer.apply([keras.ops.convert_to_tensor(part) for part in (gradient[:4], gradient[4:])])
    return np.r_[keras.ops.convert_to_numpy(kernel.value), keras.ops.convert_to_numpy(bias.value)]


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("lr", [0.06, 0.03])
def test_decay_in_keras_sgd_is_a_penalty_that_momentum_divides(momentum, nesterov, lr):
    keras = pytest.importorskip("keras")
    decay = 2.0 * ALPHA / (1.0 - momentum)
    found = convert("keras.SGD", "shrinkage.Ridge", loss="mse", weight_decay=decay, momentum=momentum)
    assert_allclose(found.alpha, ALPHA)
    optimizer = keras.optimizers.SGD(lr, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    assert_allclose(keras_descent(optimizer, 600), ridge(ALPHA), atol=1e-6)
    pasted = run(to_network("keras.SGD"), DATA, "squared")["optimizer"]
    assert pasted.momentum == 0
    assert pasted.weight_decay == 2.0 * ALPHA


def test_ftrl_penalizes_by_its_shrinkage_and_is_refused_by_its_other_strengths():
    keras = pytest.importorskip("keras")
    found = to_network("keras.Ftrl").arguments
    assert found["l2_shrinkage_regularization_strength"] == ALPHA  # the mean of (y - η)² and no ½ cancel
    optimizer = keras.optimizers.Ftrl(1.0, l2_shrinkage_regularization_strength=ALPHA)
    Z = np.column_stack([X, np.ones(N)])  # it penalizes the bias too
    expected = np.linalg.solve(Z.T @ Z / N + ALPHA * np.eye(5), Z.T @ Y / N)
    assert_allclose(keras_descent(optimizer, 400), expected, atol=1e-6)
    for other in ("l1", "l2"):
        with pytest.raises(NotExpressible, match="no penalty of the mean loss"):
            convert("keras.Ftrl", "shrinkage.Ridge", loss="mse", **{f"{other}_regularization_strength": ALPHA})


@pytest.mark.slow
@pytest.mark.parametrize("other", ["l1", "l2"])
def test_the_other_strengths_of_ftrl_are_gone_after_many_steps(other):
    keras = pytest.importorskip("keras")
    optimizer = keras.optimizers.Ftrl(1.0, **{f"{other}_regularization_strength": ALPHA})
    assert_allclose(keras_descent(optimizer, 2000), ridge(0.0), atol=1e-3)


def test_a_link_before_the_optimizer_of_optax_is_our_ridge():
    jax = pytest.importorskip("jax")
    optax = pytest.importorskip("optax")
    with jax.enable_x64(True):
        params = {"kernel": jax.numpy.zeros((4, 1)), "bias": jax.numpy.zeros(1)}
        optimizer = run(to_network("optax"), DATA, "squared", params=params, lr=0.05)["optimizer"]
        state = optimizer.init(params)

        def loss(params):
            return ((X @ params["kernel"] + params["bias"] - Y[:, None]) ** 2).mean()

        @jax.jit
        def many(params, state):
            def step(_, both):
                updates, state = optimizer.update(jax.grad(loss)(both[0]), both[1], both[0])
                return optax.apply_updates(both[0], updates), state

            return jax.lax.fori_loop(0, 2000, step, (params, state))

        params, _ = many(params, state)
        found = np.r_[np.asarray(params["kernel"])[:, 0], np.asarray(params["bias"])]
    assert_allclose(found, ridge(ALPHA), atol=1e-6)


LR, RATE, STEPS = 0.1, 0.3, 3
KERAS = ["keras.AdamW", "keras.Adam", "keras.Nadam", "keras.Adamax", "keras.RMSprop", "keras.Adagrad", "keras.Adadelta"]


def pasted_optimizer(name, **names):
    return run(written("decay", name, Decay(RATE), DataFacts()), DATA, "squared", lr=LR, **names)["optimizer"]


@pytest.mark.parametrize("name", ["torch.AdamW", "optax.adamw", *KERAS])
def test_decoupled_decay_multiplies_weights_by_one_factor_in_every_framework_and_spares_biases(name):
    framework = name.partition(".")[0]
    if framework == "torch":
        torch = pytest.importorskip("torch")
        model = torch_model(np.ones(5))
        optimizer = pasted_optimizer(name, model=model)
        for p in model.parameters():
            p.grad = torch.zeros_like(p)
        for _ in range(STEPS):
            optimizer.step()
        weights, bias = model.weight.detach().numpy(), model.bias.item()
    elif framework == "optax":
        jax = pytest.importorskip("jax")
        optax = pytest.importorskip("optax")
        with jax.enable_x64(True):
            params = {"kernel": jax.numpy.ones((4, 1)), "bias": jax.numpy.ones(1)}
            optimizer = pasted_optimizer(name, params=params)
            state = optimizer.init(params)
            for _ in range(STEPS):
                updates, state = optimizer.update(jax.tree.map(jax.numpy.zeros_like, params), state, params)
                params = optax.apply_updates(params, updates)
        weights, bias = np.asarray(params["kernel"]), float(params["bias"][0])
    else:
        keras = pytest.importorskip("keras")
        optimizer = pasted_optimizer(name)
        optimizer.learning_rate = LR
        kernel, free = (keras.Variable(np.ones(4), dtype="float64", name=n) for n in ("kernel", "bias"))
        optimizer.build([kernel, free])
        for _ in range(STEPS):
            optimizer.apply([keras.ops.zeros(4, dtype="float64")] * 2)
        weights, bias = keras.ops.convert_to_numpy(kernel.value), float(keras.ops.convert_to_numpy(free.value)[0])
    assert_allclose(weights, (1 - LR * RATE) ** STEPS, rtol=1e-6)
    assert bias == 1.0
