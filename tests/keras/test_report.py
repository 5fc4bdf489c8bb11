"""Reports of Keras models: zeros, steps and optimality as the optimizers' own steps show them."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers, optimizers  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.keras import Plan, Proximal, Regularizer, decay_report, report  # noqa: E402
from shrinkage.penalties import L1, L1L2, L2, GroupL2  # noqa: E402
from shrinkage.training import DecayReport, Report  # noqa: E402

slow = pytest.mark.slow
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.05),
    "momentum": lambda: optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: optimizers.Adam(0.01),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.0),
    "nadam": lambda: optimizers.Nadam(0.01),
    "adagrad": lambda: optimizers.Adagrad(0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
    "rmsprop momentum": lambda: optimizers.RMSprop(0.01, momentum=0.5),
    "rmsprop centered": lambda: optimizers.RMSprop(0.01, centered=True),
}


def host(variable):
    return np.array(keras.ops.stop_gradient(variable.value))


def network(units=4, inputs=6, name="net"):
    inside = [keras.Input((inputs,)), layers.Dense(units, name="in"), layers.LayerNormalization(name="norm")]
    return keras.Sequential([*inside, layers.Dense(2, name="out")], name=name)


def applied(optimizer, model, gradients):
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], model.trainable_variables)


def gradients_for(model, seed=0):
    """Gradients none of which is nearly 0, where a small metric would take a weight through 0."""
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(size=v.shape) for v in model.trainable_variables]
    return [(np.sign(g) * (0.2 + np.abs(g))).astype("float32") for g in drawn]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_gradients_moved_is_what_the_last_step_did(name):
    model, optimizer = network(), OPTIMIZERS[name]()
    optimizer.build(model.trainable_variables)
    for seed in range(3):
        given, before = gradients_for(model, seed), [host(v) for v in model.trainable_variables]
        applied(optimizer, model, given)
    record = report(model, optimizer, gradients=given)
    for row, variable, old in zip(record.rows, model.trainable_variables, before, strict=True):
        assert row.gradient_step == pytest.approx(np.linalg.norm(host(variable) - old), rel=2e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_penaltys_step_is_what_a_prox_takes_from_large_weights_under_a_constant_gradient(name):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, use_bias=False, name="in")], name="net")
    optimizer = Proximal(OPTIMIZERS[name](), L1(0.1), metric_floor=0.0)
    optimizer.build(model.trainable_variables)
    (gradient,) = gradients_for(model)
    (kernel,) = model.trainable_variables
    kernel.assign(np.full((6, 4), 5.0, "float32"))
    plain = keras.Sequential([keras.Input((6,)), layers.Dense(4, use_bias=False)])
    plain.set_weights([np.full((6, 4), 5.0, "float32")])
    bare = OPTIMIZERS[name]()
    bare.build(plain.trainable_variables)
    for _ in range(5):
        start = host(kernel)
        plain.trainable_variables[0].assign(start)
        applied(optimizer, model, [gradient])
        applied(bare, plain, [gradient])
    pulled = host(plain.trainable_variables[0]).astype("float64") - host(kernel)
    (row,) = report(model, optimizer).rows
    assert row.penalty_step == pytest.approx(np.linalg.norm(pulled), rel=5e-3)
    assert row.timescale == pytest.approx(np.abs(host(kernel)).sum() / np.abs(pulled).sum(), rel=5e-3)
    assert row.lr_strength == pytest.approx(row.lr * 0.1)


def test_the_penaltys_step_is_no_longer_than_the_floor_of_the_metric_lets_it():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, use_bias=False, name="in")], name="net")
    optimizer = Proximal(optimizers.Adam(0.01), L1(0.1), metric_floor=0.5)
    optimizer.build(model.trainable_variables)
    gradient = np.array([[1.0, 1e-3], [-2.0, 1e-2]], "float32")
    applied(optimizer, model, [gradient])
    (row,) = report(model, optimizer).rows
    metric = np.maximum(np.abs(gradient), 0.5 * np.sqrt(np.mean(gradient.astype(float) ** 2)))
    assert row.penalty_step == pytest.approx(np.linalg.norm(0.01 / metric * 0.1), rel=1e-4)


def lasso(penalty, optimizer, steps=400, **options):
    X = np.random.default_rng(1).normal(size=(80, 8)).astype("float32")
    y = (X @ np.array([3.0, -2.0, 0, 0, 0, 0, 0, 0], "float32"))[:, None]
    model = keras.Sequential([keras.Input((8,)), layers.Dense(1, use_bias=False, name="out")], name="net")
    model.compile(Proximal(optimizer, penalty, **options), "mse")
    model.fit(np.tile(X, (steps, 1)), np.tile(y, (steps, 1)), batch_size=80, shuffle=False, verbose=0)  # full batches
    return model, X, y


@pytest.mark.parametrize(
    ("penalty", "dual"),
    [
        (L1(0.5), False),
        (GroupL2(0.5, axis=0), True),
        pytest.param(L1(0.5), True, marks=slow),
        pytest.param(GroupL2(0.5, axis=0), False, marks=slow),
        pytest.param(L1L2(0.5, l1_ratio=0.8), False, marks=slow),
        pytest.param(L1L2(0.5, l1_ratio=0.8), True, marks=slow),
    ],
)
def test_at_the_optimum_nothing_is_violated_by_the_mean_gradient_and_by_a_given_one(penalty, dual):
    model, X, y = lasso(penalty, optimizers.Adam(0.05), dual=dual)
    w = host(model.trainable_variables[0])
    exact = 2 * X.T @ (X @ w - y) / len(X)
    for source in ("average", "grad"):
        (row,) = report(model, gradient=source, gradients=[exact]).rows
        assert row.gradient == source
        assert row.zeros == (w == 0).sum() > 0
        assert row.kkt_zero < 1
        assert row.kkt_nonzero < 1e-2
        assert row.kkt_violation < 1e-2
    assert report(model, gradient="grad").row("net/out/kernel").kkt_violation is None


def test_rows_are_units_and_columns_are_inputs_in_keras_layouts():
    model = network()
    kernel = np.ones((6, 4), "float32")
    kernel[:, 1] = kernel[2] = kernel[5] = 0
    model.get_layer("in").kernel.assign(kernel)
    row = report(model).row("net/in/kernel")
    assert (row.rows, row.zero_rows, row.columns, row.zero_columns) == (4, 1, 6, 2)
    assert (row.neurons, row.dead_neurons) == (4, 1)
    assert row.zeros == (kernel == 0).sum()
    assert row.removable == 24 - 3 * 4
    conv = layers.Conv2D(5, 3)
    conv.build((None, 8, 8, 2))
    weights = np.ones((3, 3, 2, 5), "float32")
    weights[..., 4] = 0
    weights[:, :, 0] = 0
    conv.kernel.assign(weights)
    row = report(Plan(conv)).rows[0]
    assert (row.rows, row.zero_rows, row.columns, row.zero_columns) == (5, 1, 2, 1)


def test_a_report_is_compared_with_an_earlier_one():
    model = network()
    before = report(model)
    model.get_layer("out").kernel.assign(np.eye(4, 2, dtype="float32"))
    row = report(model, before=before).row("net/out/kernel")
    old = before.row("net/out/kernel")
    assert row.norm_change == pytest.approx(np.sqrt(2) / old.norm - 1)
    assert row.zeros_change == 6 - old.zeros


def test_a_scale_that_the_loss_does_not_see_is_an_alarm():
    model = network()
    given = gradients_for(model)
    kernel = host(model.get_layer("in").kernel)
    given[0] -= kernel * (given[0] * kernel).sum() / (kernel**2).sum()
    found = report(model, plan=Plan(model, L1(0.1)), gradients=given)
    assert [alarm.name for alarm in found.alarms if alarm.kind == "scale invariance"] == ["net/in/kernel"]


def test_penalties_that_nothing_applies_and_those_that_stand_twice_are_alarms():
    model = network()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 6)), np.ones((4, 2)), epochs=1, verbose=0)
    plan = Plan(model, L1(0.1))
    assert [alarm.kind for alarm in report(model, plan=plan).alarms] == ["not applied"]
    twice = network()
    twice.get_layer("in").kernel.regularizer = Regularizer(L1(0.1))
    twice.compile(Proximal("adam", L1(0.1)), "mse")
    twice.fit(np.ones((4, 6)), np.ones((4, 2)), epochs=1, verbose=0)
    alarms = [alarm for alarm in report(twice).alarms if alarm.kind == "double penalty"]
    assert [alarm.name for alarm in alarms] == ["net/in/kernel"]
    assert any("In the loss" in note for note in report(twice).notes)


def test_what_is_not_known_is_none_and_said():
    model = network()
    optimizer = optimizers.Adamax(0.01)
    optimizer.build(model.trainable_variables)
    applied(optimizer, model, gradients_for(model))
    record = report(model, optimizer)
    assert all(row.penalty_step is None and row.gradient_step is None for row in record.rows)
    assert record.notes == ("Adamax: its state is not known, so movement and rounding are not reported.",)
    fresh = optimizers.Adam()
    fresh.build(model.trainable_variables)
    assert "it took no step yet" in report(model, fresh).notes[0]
    half = optimizers.Adam()
    half.build(model.trainable_variables[:1])
    applied_to = [keras.ops.ones(model.trainable_variables[0].shape)]
    half.apply(applied_to, model.trainable_variables[:1])
    assert "Not in the optimizer: net/in/bias, net/norm/gamma, net/norm/beta and 2 more." in report(model, half).notes
    for wrong in ({"optimizer": 3}, {"plan": 3}, {"gradients": [1]}, {"gradient": "mean"}, {"before": 3}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            report(model, **wrong)
    with pytest.raises(ArgumentError, match=r"that of 'net/in/bias' must have shape \(4,\); got \(3,\)"):
        report(model, gradients={"net/in/bias": np.ones(3)})


def test_wrappers_are_opened_and_records_are_plain_data():
    model = network()
    inner = optimizers.Adam(0.01)
    model.compile(optimizers.LossScaleOptimizer(Proximal(inner, L1(0.1))), "mse")
    model.fit(np.ones((8, 6)), np.ones((8, 2)), batch_size=4, epochs=2, verbose=0)
    record = report(model)
    assert record.optimizer == "Proximal(Adam)"
    assert record.step == int(inner.iterations)
    assert record.row("net/in/kernel").penalty == "L1"
    assert Report.from_dict(record.to_dict()) == record
    decays = decay_report(model)
    assert DecayReport.from_dict(decays.to_dict()).to_dict() == decays.to_dict()


def test_decay_is_what_a_step_without_gradient_takes():
    model = network()
    optimizer = optimizers.AdamW(0.1, weight_decay=0.3)
    optimizer.build(model.trainable_variables)
    zeros = [np.zeros(v.shape, "float32") for v in model.trainable_variables]
    applied(optimizer, model, zeros)
    before = host(model.get_layer("in").kernel)
    applied(optimizer, model, zeros)
    row = decay_report(model, optimizer).row("net/in/kernel")
    assert row.how == "decoupled"
    np.testing.assert_allclose(host(model.get_layer("in").kernel), (1 - row.median) * before, rtol=1e-5)
    assert row.timescale == pytest.approx(1 / 0.03)


def test_an_l2_penalty_decays_by_the_step_of_its_prox():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, use_bias=False, name="in")], name="net")
    optimizer = Proximal(optimizers.SGD(0.1), L2(0.5))
    optimizer.build(model.trainable_variables)
    zero = [np.zeros((6, 4), "float32")]
    applied(optimizer, model, zero)
    before = host(model.trainable_variables[0])
    applied(optimizer, model, zero)
    (row,) = decay_report(model, optimizer).rows
    assert row.how == "penalty"
    np.testing.assert_allclose(host(model.trainable_variables[0]), (1 - row.median) * before, rtol=1e-5)


def test_decay_that_is_not_meant_is_an_alarm_until_the_plan_leaves_it_out():
    def kinds(prepare=None, **options):
        model = network()
        optimizer = optimizers.AdamW(0.1, weight_decay=0.3)
        if prepare:
            prepare(model, optimizer)
        optimizer.build(model.trainable_variables)
        return {alarm.kind: alarm for alarm in decay_report(model, optimizer, **options).alarms}

    found = kinds()
    assert found.keys() == {"accidental decay"}
    assert found["accidental decay"].value == 4
    assert "exclude_from_weight_decay" in found["accidental decay"].sentence
    assert kinds(lambda model, optimizer: Plan(model).exclude_from_weight_decay(optimizer)) == {}
    by_name = kinds(lambda _, optimizer: optimizer.exclude_from_weight_decay(var_names=["norm", "bias"]))
    assert by_name["accidental decay"].value == 2  # gamma and beta, whose names do not hold "norm"
    assert "timescale" in kinds(steps_per_epoch=1000, epochs=2)

    def soft(model, optimizer):
        Plan(model).exclude_from_weight_decay(optimizer)
        model.get_layer("in").kernel.regularizer = keras.regularizers.L2(0.1)

    assert kinds(soft)["double decay"].name == "net/in/kernel"
    assert kinds(soft, loss_has_penalty=False) == {}
    with pytest.raises(ArgumentError, match="optimizer must be given"):
        decay_report(network())
