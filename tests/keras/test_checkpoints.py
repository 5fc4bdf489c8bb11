"""A model that is saved, loaded and trained on ends bit for bit where one that never stopped ends."""

import json
import subprocess
import sys

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import ops  # noqa: E402

from shrinkage.keras import Plan, Proximal  # noqa: E402
from shrinkage.penalties import L1, MCP, GroupL2  # noqa: E402

optimizers = keras.optimizers
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(32, 12)).astype("float32"), RNG.normal(size=(32, 3)).astype("float32")


def model_with(inner, plan, **more):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    model.build((None, 12))
    model.compile(Proximal(inner, plan(model) if callable(plan) else plan, **more), loss="mse")
    return model


def train(model, epochs=2):
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)


def assert_equal(one, other):
    assert len(one.optimizer.variables) == len(other.optimizer.variables)
    for a, b in zip(
        [*one.weights, *one.optimizer.variables], [*other.weights, *other.optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


CASES = {
    "SGD": (lambda: optimizers.SGD(0.02, momentum=0.9, nesterov=True, clipnorm=1.0), L1(0.02), {}),
    "Adam": (
        lambda: optimizers.Adam(optimizers.schedules.CosineDecay(0.02, 50), use_ema=True, ema_overwrite_frequency=3),
        lambda model: Plan(model, L1(0.2) + GroupL2(0.01, axis=0)),
        {"dual": True, "memory": 0.9},
    ),
    "AdamW": (lambda: optimizers.AdamW(0.02, gradient_accumulation_steps=3), {"*kernel": MCP(0.02, 3.0)}, {}),
    "Nadam": (lambda: optimizers.Nadam(0.02), L1(0.02), {"warmup_steps": 5}),
    "RMSprop": (lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True), L1(0.02), {}),
    "Adagrad": (lambda: optimizers.Adagrad(0.1), GroupL2(0.3, axis=-1), {"metric_floor": 0.1}),
}


FAST = ("SGD", "Adam")


@pytest.mark.parametrize("case", [pytest.param(c, marks=[] if c in FAST else pytest.mark.slow) for c in CASES])
def test_saved_loaded_and_continued_is_bit_equal_to_uninterrupted(case, tmp_path):
    inner, plan, more = CASES[case]
    whole = model_with(inner(), plan, **more)
    train(whole)
    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_equal(whole, loaded)
    train(whole)
    train(loaded)
    assert_equal(whole, loaded)
    assert any(np.any(ops.convert_to_numpy(variable) == 0) for variable, _ in loaded.optimizer.penalized)
    assert [p for _, p in loaded.optimizer.penalized] == [p for _, p in whole.optimizer.penalized]


def test_loss_scaling_around_it_is_saved_too(tmp_path):
    model = model_with(optimizers.SGD(0.01, momentum=0.9), L1(0.02))
    model.compile(optimizers.LossScaleOptimizer(Proximal(optimizers.SGD(0.01, momentum=0.9), L1(0.02))), loss="mse")
    train(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    train(model)
    train(loaded)
    assert_equal(model, loaded)


@pytest.mark.parametrize(
    "plan",
    [
        None,
        L1(0.1),
        {"dense*": L1(0.1), "*/out/*": None},
        L1(0.1, factors=np.array([1.0, 2.0])),
        L1(np.array([0.1, 0.2])),
    ],
)
def test_a_config_is_plain_data_and_makes_the_same_optimizer(plan):
    inner = optimizers.Adam(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), clipnorm=1.0)
    dual = not isinstance(getattr(plan, "alpha", None), np.ndarray)
    optimizer = Proximal(inner, plan, dual=dual, memory=0.5, metric_floor=0.2, warmup_steps=3, name="mine")
    config = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert keras.saving.serialize_keras_object(again) == config
    assert isinstance(again.inner_optimizer, optimizers.Adam)
    assert (again.dual, again.memory, again.metric_floor, again.warmup_steps) == (dual, 0.5, 0.2, 3)


def test_penalties_of_a_plan_are_stored_by_path():
    def plan(model):
        kernels = [v.path for v in model.trainable_variables if v.path.endswith("kernel")]
        return Plan(model, L1(0.25), exclude=lambda path, *_: path == kernels[-1])

    model = model_with(optimizers.Adam(), plan)
    train(model, 1)
    stored = model.optimizer.get_config()["plan"]["penalties"]
    assert stored == {v.path: {"kind": "L1", "alpha": 0.25, "factors": None} for v, _ in model.optimizer.penalized}


def test_a_penalty_whose_variable_is_gone_is_warned_of_and_left_out():
    w = keras.Variable(np.ones(3, "float32"), name="kernel")
    plan = {"penalties": {"other": {"kind": "L1", "alpha": 0.1, "factors": None}}, "places": {"other": [0, 7]}}
    optimizer = Proximal(optimizers.SGD(), plan)
    with pytest.warns(UserWarning, match="other"):
        optimizer.build([w])
    assert optimizer.penalized == ()


@pytest.mark.slow
def test_it_loads_in_another_process_that_has_only_opened_the_room(tmp_path):
    model = model_with(optimizers.Adam(0.01), L1(0.02))
    train(model)
    model.save(tmp_path / "model.keras")
    code = (
        "import keras, sys; import shrinkage.keras; m = keras.models.load_model(sys.argv[1]); "
        "print(repr(m.optimizer), int(m.optimizer.iterations))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "model.keras")], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip() == f"{model.optimizer!r} 8"
