"""Any penalty as a Keras regularizer: its value, its slope at corners, Keras' own strengths, and files."""

import json

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.keras import Regularizer  # noqa: E402
from shrinkage.penalties import L1, L1L2, L2, MCP, SCAD, GroupL2  # noqa: E402

PENALTIES = [
    L1(0.3),
    L1(0.3, factors=np.arange(6.0).reshape(2, 3)),
    L2(0.4),
    L1L2(0.5, l1_ratio=0.3),
    GroupL2(0.2, axis=-1),
    GroupL2(0.2, groups=[[0, 1], [3, 4, 5]], weights="ones"),
    L1L2(0.1, l1_ratio=0.5) + GroupL2(0.2, axis=0),
    MCP(0.3, gamma=2.0),
    SCAD(0.3),
]
W = np.array([[0.0, 0.5, -2.0], [0.0, -0.25, 0.0]], "float32")


def slope_of(regularizer, w):
    """The gradient, by the backend's own differentiation."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        at = torch.tensor(w, requires_grad=True)
        regularizer(at).backward()
        return at.grad.numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(regularizer)(w))
    import tensorflow as tf

    at = tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch(at)
        value = regularizer(at)
    return tape.gradient(value, at).numpy()


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
def test_its_value_is_that_of_the_penalty(penalty):
    found = Regularizer(penalty)(keras.ops.convert_to_tensor(W))
    assert float(found) == pytest.approx(float(penalty.value(W.astype("float64"))), rel=1e-6)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
def test_its_slope_is_the_derivative_and_zero_at_corners_on_every_backend(penalty):
    found, h = slope_of(Regularizer(penalty), W), 1e-6
    for place in np.ndindex(W.shape):
        ahead, behind = W.astype("float64"), W.astype("float64")
        ahead[place] += h
        behind[place] -= h
        numeric = float(penalty.value(ahead) - penalty.value(behind)) / (2 * h)
        # at a corner the two-sided difference of an even function is 0, which is the slope taken
        assert found[place] == pytest.approx(numeric, abs=2e-4)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (keras.regularizers.L1(0.25), L1(0.25)),
        (keras.regularizers.L2(0.25), L2(0.5)),
        (keras.regularizers.L1L2(0.25, 0.125), L1L2(0.5, l1_ratio=0.5)),
        (keras.regularizers.L1L2(l1=0.25), L1(0.25)),
        (keras.regularizers.L1L2(l2=0.25), L2(0.5)),
    ],
)
def test_keras_own_regularizers_mean_the_same_number(theirs, ours):
    regularizer = Regularizer.from_keras(theirs)
    assert regularizer.penalty == ours
    at = keras.ops.convert_to_tensor(W)
    assert float(regularizer(at)) == pytest.approx(float(theirs(at)), rel=1e-6)
    assert float(regularizer.to_keras()(at)) == pytest.approx(float(theirs(at)), rel=1e-6)


def test_what_keras_has_no_regularizer_for_is_refused():
    assert Regularizer.from_keras("l2").penalty == L2(0.02)
    for penalty, why in ((GroupL2(0.1, axis=0), "no regularizer that is GroupL2"), (PENALTIES[1], "one for each weig")):
        with pytest.raises(ArgumentError, match=why):
            Regularizer(penalty).to_keras()
    with pytest.raises(ArgumentError, match=r"must be keras.regularizers.L1, L2 or L1L2; got Orthogonal"):
        Regularizer.from_keras(keras.regularizers.OrthogonalRegularizer())
    for wrong, why in ((None, "got None"), (L1, "the class itself"), (0.1, "must be a penalty")):
        with pytest.raises(ArgumentError, match=why):
            Regularizer(wrong)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: type(p).__name__)
def test_it_is_json_and_comes_back_in_safe_mode(penalty, tmp_path):
    regularizer = Regularizer(penalty)
    stored = json.loads(json.dumps(keras.regularizers.serialize(regularizer)))
    again = keras.regularizers.deserialize(stored)
    assert type(again) is Regularizer
    at = keras.ops.convert_to_tensor(W)
    assert float(again(at)) == float(regularizer(at))
    layer = keras.layers.Dense(3, kernel_regularizer=regularizer)
    model = keras.Sequential([keras.Input((2,)), layer])
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras", safe_mode=True)
    loaded.set_weights([W, np.zeros(3)])
    assert float(keras.ops.stop_gradient(loaded.losses[0])) == float(regularizer(at))


def test_training_with_it_follows_the_penalized_objective_and_makes_no_zero():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)).astype("float32")
    y = (X[:, :1] * 2.0).astype("float32")
    soft = keras.layers.Dense(1, use_bias=False, kernel_regularizer=Regularizer(L2(0.5)))
    model = keras.Sequential([keras.Input((5,)), soft])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    data, target = (np.tile(given, (200, 1)) for given in (X, y))  # 200 full batches
    model.fit(data, target, batch_size=60, shuffle=False, verbose=0)
    (w,) = model.get_weights()
    # the stationary point of mean (y - Xw)² + ½ 0.5 ‖w‖²
    exact = np.linalg.solve(2 * X.T @ X / 60 + 0.5 * np.eye(5), 2 * X.T @ y / 60)
    np.testing.assert_allclose(w, exact, atol=2e-6)
    noisy = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, kernel_regularizer=Regularizer(L1(0.5)))])
    noisy.compile(keras.optimizers.Adam(0.05), "mse")
    noisy.fit(data[:3600], target[:3600], batch_size=60, shuffle=False, verbose=0)
    assert (noisy.get_weights()[0] != 0).all()


def test_a_name_that_keras_does_not_know_is_refused():
    with pytest.raises(ArgumentError, match="must be one of Keras', or its name; got 'l1_l2'"):
        Regularizer.from_keras("l1_l2")
