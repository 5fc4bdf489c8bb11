"""The prox behind Keras' own optimizers ends at the penalty's minimizer, by the step that each really takes."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import ops  # noqa: E402
from keras_steps import (  # noqa: E402
    GRAM,
    KINDS,
    X,
    Y,
    applied,
    decayed,
    fitted,
    minimized,
    of_squares,
    optimizers,
)

from shrinkage import ElasticNet, Lasso, LogisticRegression  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.keras import Plan, Proximal  # noqa: E402
from shrinkage.penalties import L1, L1L2, L2, MCP, SCAD, GroupL2  # noqa: E402


@pytest.mark.parametrize("kind", KINDS)
def test_every_optimizer_ends_at_the_lasso_with_its_exact_zeros(kind):
    expected = Lasso(alpha=0.15, fit_intercept=False, tol=1e-12).fit(X, Y).coef_
    found = fitted(kind, L1(0.15))
    assert 0 < np.sum(expected == 0) < 12
    np.testing.assert_array_equal(found == 0, expected == 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("how", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("kind", ["SGD with momentum", "Adam"])
def test_clipping_by_a_norm_moves_no_minimizer(kind, how):
    expected = Lasso(alpha=0.15, fit_intercept=False, tol=1e-12).fit(X, Y).coef_
    largest = float(0.5 * 0.15 * np.sqrt(np.sum(expected != 0)))  # half of what the gradient has at the minimizer
    inner = KINDS[kind](decayed(0.3), **{how: largest})
    found = minimized(Proximal(inner, {"kernel": L1(0.15)}), of_squares, np.full(12, 0.1), 800)
    np.testing.assert_array_equal(found == 0, expected == 0)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["SGD with momentum", "Adam", "RMSprop with all"])
def test_an_elastic_net_ends_at_its_minimizer(kind):
    expected = ElasticNet(alpha=0.3, l1_ratio=0.5, fit_intercept=False, tol=1e-12).fit(X, Y).coef_
    found = fitted(kind, L1L2(0.3, 0.5))
    np.testing.assert_array_equal(found == 0, expected == 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_logistic_regression_ends_at_its_minimizer():
    labels = (Y > 0).astype("float32")
    expected = LogisticRegression(alpha=0.05, l1_ratio=1.0, fit_intercept=False, tol=1e-12).fit(X, labels).coef_.ravel()
    data, target = ops.convert_to_tensor(X.astype("float32")), ops.convert_to_tensor(labels)

    def gradient(w):
        return ops.matmul(ops.transpose(data), ops.sigmoid(ops.matmul(data, w)) - target) / len(Y)

    found = minimized(Proximal(optimizers.Adam(decayed(0.1)), {"kernel": L1(0.05)}), gradient, np.full(12, 0.1), 800)
    assert 0 < np.sum(expected == 0) < 12
    np.testing.assert_array_equal(found == 0, expected == 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "penalty"), [("SGD with momentum", MCP(0.3, 3.0)), ("Adam", SCAD(0.3, 3.7))])
def test_a_penalty_that_is_not_convex_ends_where_it_is_stationary(kind, penalty):
    w = fitted(kind, penalty).astype(float)
    assert 0 < np.sum(w == 0) < 12
    assert np.max(penalty.violation(w, -(X.T @ (X @ w - Y) / len(Y)))) < 1e-5


@pytest.mark.parametrize(
    ("kind", "penalty"),
    [("SGD with momentum", L1(0.05) + GroupL2(0.15, axis=0)), ("Adam", GroupL2(0.2, axis=0))],
)
def test_a_penalty_on_groups_ends_at_its_minimizer_in_the_metric_too(kind, penalty):
    correlation = ops.convert_to_tensor((X.T @ np.stack([Y, Y**2 - np.mean(Y**2)], 1) / len(Y)).astype("float32"))
    gram = ops.convert_to_tensor(GRAM)
    lr = decayed(0.05 if kind == "Adam" else 0.1)
    optimizer = Proximal(KINDS[kind](lr), {"kernel": penalty})
    w = minimized(optimizer, lambda w: ops.matmul(gram, w) - correlation, np.full((12, 2), 0.1), 600).astype(float)
    assert 0 < np.sum(np.all(w == 0, 1)) < 12
    gradient = GRAM.astype(float) @ w - ops.convert_to_numpy(correlation)
    assert np.max(penalty.violation(w, -gradient)) < 3e-5


@pytest.mark.parametrize("kind", KINDS)
def test_at_strength_zero_no_bit_changes(kind):
    more = {"clipnorm": 1.0, "weight_decay": 0.01, "use_ema": True, "ema_overwrite_frequency": 3}
    found = []
    for wrap in (lambda inner: inner, lambda inner: Proximal(inner, {"*": L1(0.0)})):
        inner = KINDS[kind](**more | {"weight_decay": 0.01}) if kind != "AdamW" else optimizers.AdamW(0.1, **more)
        w = minimized(wrap(inner), of_squares, np.linspace(-1, 1, 12), 7)
        found.append([w, *(ops.convert_to_numpy(variable) for variable in inner.variables)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_under_accumulation_the_prox_acts_on_the_steps_that_are_taken():
    w, plain = (keras.Variable(np.ones(2, "float32"), name="kernel") for _ in range(2))
    optimizer = Proximal(optimizers.SGD(0.5, momentum=0.5, gradient_accumulation_steps=3), {"kernel": L1(0.2)})
    each = Proximal(optimizers.SGD(0.5, momentum=0.5), {"kernel": L1(0.2)})
    seen = []
    for step in range(6):
        optimizer.apply([ops.convert_to_tensor(np.array([0.1 * step, 0.3], "float32"))], [w])
        seen.append(ops.convert_to_numpy(w).copy())
    for mean in (0.1, 0.4):
        each.apply([ops.convert_to_tensor(np.array([mean, 0.3], "float32"))], [plain])
    np.testing.assert_array_equal(seen[1], [1, 1])
    np.testing.assert_array_equal(seen[3], seen[2])
    np.testing.assert_allclose(seen[5], ops.convert_to_numpy(plain), rtol=1e-6)


def test_a_step_that_loss_scaling_skips_is_skipped_by_the_prox():
    inner = Proximal(optimizers.SGD(0.5, momentum=0.5), {"kernel": L1(0.2)})
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=4.0)
    w = keras.Variable(np.ones(2, "float32"), name="kernel")
    applied(optimizer, [0.4, 0.8], w)
    once = ops.convert_to_numpy(w).copy()
    np.testing.assert_allclose(once, [1 - 0.5 * 0.1 - 0.1, 1 - 0.5 * 0.2 - 0.1], rtol=1e-6)
    state = [ops.convert_to_numpy(v).copy() for v in inner.variables]
    applied(optimizer, [np.inf, 0.4], w)
    np.testing.assert_array_equal(ops.convert_to_numpy(w), once)
    for before, variable in zip(state, inner.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), before)
    assert float(ops.convert_to_numpy(optimizer.dynamic_scale)) == 2.0


def test_averages_that_overwrite_weights_keep_their_zeros():
    optimizer = Proximal(
        optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=4), {"kernel": L1(0.4)}
    )
    w = keras.Variable(np.array([1.0, 0.5], "float32"), name="kernel")
    target = ops.convert_to_tensor(np.array([1.0, 0.1], "float32"))
    for _ in range(4):
        optimizer.apply([ops.convert_to_tensor(w.value) - target], [w])
    found = ops.convert_to_numpy(w)
    assert found[1] == 0
    np.testing.assert_allclose(found[0], ops.convert_to_numpy(optimizer._model_variables_moving_average[0])[0])
    optimizer.finalize_variable_values([w])
    assert ops.convert_to_numpy(w)[1] == 0


def test_a_learning_rate_of_zero_moves_nothing_and_a_warmup_waits():
    for more in ({}, {"dual": True}):
        w = keras.Variable(np.array([1.0, 0.0, -0.5], "float32"), name="kernel")
        optimizer = Proximal(optimizers.Adam(0.0), {"kernel": L1(10.0)}, **more)
        optimizer.apply([ops.convert_to_tensor(np.array([1.0, 2.0, 3.0], "float32"))], [w])
        np.testing.assert_array_equal(ops.convert_to_numpy(w), np.array([1.0, 0.0, -0.5], "float32"))
    for more in ({}, {"dual": True}):
        w, plain = (keras.Variable(np.array([1.0, -0.5], "float32"), name="kernel") for _ in range(2))
        optimizer, other = (
            Proximal(optimizers.Adam(0.1), {"kernel": L1(10.0)}, warmup_steps=2, **more),
            optimizers.Adam(0.1),
        )
        for step in range(3):
            gradient = ops.convert_to_tensor(np.array([1.0, 0.2], "float32"))
            optimizer.apply([gradient], [w])
            other.apply([gradient], [plain])
            if step < 2:
                np.testing.assert_allclose(ops.convert_to_numpy(w), ops.convert_to_numpy(plain), rtol=1e-6)
        np.testing.assert_array_equal(ops.convert_to_numpy(w), [0, 0])


def test_weights_without_gradients_shrink_at_the_pace_of_the_floor_and_a_tensor_without_any_stays():
    w = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    optimizer = Proximal(optimizers.Adam(0.001), {"kernel": L1(0.01)}, metric_floor=0.01)
    gradient = np.zeros((2, 2), "float32")
    optimizer.apply([ops.convert_to_tensor(gradient)], [w])
    np.testing.assert_array_equal(ops.convert_to_numpy(w), 1)
    gradient[0] = 1.0
    optimizer.apply([ops.convert_to_tensor(gradient)], [w])
    rms = np.sqrt(0.001 * 0.5 / (1 - 0.999**2))
    np.testing.assert_allclose(ops.convert_to_numpy(w)[1], 1 - 0.001 * 0.01 / (0.01 * rms), rtol=1e-6)


def test_fit_trains_with_it_compiled_and_makes_zeros_where_a_regularizer_makes_none():
    rng = np.random.default_rng(1)
    data = rng.normal(size=(64, 20)).astype("float32")
    target = data[:, :2].sum(1, keepdims=True)
    counts = {}
    for kind in ("prox", "loss"):
        keras.utils.set_random_seed(0)
        regularizer = keras.regularizers.L1(0.02) if kind == "loss" else None
        model = keras.Sequential(
            [
                keras.Input((20,)),
                keras.layers.Dense(16, activation="relu", kernel_regularizer=regularizer),
                keras.layers.Dense(1),
            ]
        )
        adam = optimizers.Adam(0.01)
        model.compile(Proximal(adam, Plan(model, L1(0.02))) if kind == "prox" else adam, loss="mse")
        model.fit(data, target, batch_size=32, epochs=20, verbose=0)
        counts[kind] = int(np.sum(model.get_weights()[0] == 0))
    assert counts["loss"] == 0
    assert counts["prox"] > 20


def test_fit_with_accumulated_gradients_ends_where_whole_batches_end():
    data = np.random.default_rng(2).normal(size=(96, 6)).astype("float32")
    target = data[:, :1] - 0.5 * data[:, 1:2]
    found = []
    for batch_size, steps in ((16, None), (8, 2)):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        inner = optimizers.SGD(0.05, momentum=0.5, gradient_accumulation_steps=steps)
        model.compile(Proximal(inner, L1(0.2)), loss="mse")
        model.fit(data, target, batch_size=batch_size, epochs=5, shuffle=False, verbose=0)
        found.append(model.get_weights()[0])
    assert 0 < np.sum(found[0] == 0) < 6
    np.testing.assert_array_equal(found[0] == 0, found[1] == 0)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_after_fit_the_averages_that_stand_in_the_model_have_the_zeros_of_the_last_step():
    data = np.random.default_rng(3).normal(size=(64, 6)).astype("float32")
    target = data[:, :1]
    models = []
    for ema in (False, True):
        keras.utils.set_random_seed(0)
        models.append(keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)]))
        models[-1].compile(Proximal(optimizers.SGD(0.05, use_ema=ema, ema_momentum=0.9), L1(0.3)), loss="mse")
        models[-1].fit(data, target, batch_size=16, epochs=4, shuffle=False, verbose=0)
    last, averaged = (model.get_weights()[0] for model in models)
    assert 0 < np.sum(last == 0) < 6
    np.testing.assert_array_equal(averaged == 0, last == 0)
    assert np.max(np.abs(averaged - last)) > 1e-3


def test_layers_that_are_frozen_stay_and_the_others_are_trained():
    layers = [keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.Dense(1, name="b")]
    model = keras.Sequential(layers)
    plan = Plan(model, L1(0.5))
    model.layers[0].trainable = False
    before = model.get_weights()
    optimizer = Proximal(optimizers.SGD(0.1), plan)
    model.compile(optimizer, loss="mse")
    model.fit(np.ones((4, 3), "float32"), np.zeros((4, 1), "float32"), epochs=1, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert [variable.path for variable, _ in optimizer.penalized] == [model.layers[1].kernel.path]
    assert optimizer.penalty_of(model.layers[1].kernel) == L1(0.5)
    assert optimizer.penalty_of(model.layers[0].kernel) is None


def test_an_optimizer_that_has_run_before_is_taken_at_its_steady_pace():
    w = keras.Variable(np.zeros(1, "float32") + 1.0, name="kernel")
    inner = optimizers.SGD(0.1, momentum=0.5)
    for _ in range(60):
        inner.apply([ops.convert_to_tensor(np.ones(1, "float32"))], [w])
    w.assign(np.array([10.0], "float32"))
    Proximal(inner, {"kernel": L1(1.0)}).apply([ops.convert_to_tensor(np.ones(1, "float32"))], [w])
    np.testing.assert_allclose(ops.convert_to_numpy(w), [10.0 - 0.2 - 0.2], rtol=1e-6)


def test_a_bare_penalty_is_for_kernels_alone():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.LayerNormalization()])
    optimizer = Proximal(optimizers.Adam(), L1(0.1))
    assert optimizer.penalized == ()
    optimizer.build(model.trainable_variables)
    assert [variable.name for variable, _ in optimizer.penalized] == ["kernel"]
    assert repr(optimizer) == "<Proximal after Adam: L1(alpha=0.1, factors=None) on 1 variable>"


class Mine(optimizers.Adam):
    """A step of somebody's own."""


@pytest.mark.parametrize(
    "inner",
    [
        optimizers.Adamax(),
        optimizers.Lion(),
        optimizers.Ftrl(),
        optimizers.Muon(),
        optimizers.LossScaleOptimizer(optimizers.Adam()),
        Mine(),
        Proximal(optimizers.Adam(), L1(0.1)),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_an_optimizer_whose_step_is_not_known_is_refused_by_name(inner):
    with pytest.raises(ArgumentError, match=type(inner).__name__):
        Proximal(inner, L1(0.1))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"plan": 0.1}, "plan"),
        ({"plan": {3: L1(0.1)}}, "paths or patterns"),
        ({"plan": {"kernel": 0.1}}, "kernel"),
        ({"dual": 1}, "dual"),
        ({"memory": 0.0}, "memory"),
        ({"metric_floor": -1.0}, "metric_floor"),
        ({"warmup_steps": -1}, "warmup_steps"),
        ({"plan": MCP(0.1, 3.0), "dual": True}, "dual=False"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, word):
    with pytest.raises(ArgumentError, match=word):
        Proximal(optimizers.Adam(), **arguments)


def test_penalties_that_fit_no_variable_are_refused_when_it_is_built():
    w = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ArgumentError, match="matches no parameter"):
        Proximal(optimizers.Adam(), {"karnel": L1(0.1)}).build([w])
    with pytest.raises(ArgumentError, match="the plan penalizes"):
        Proximal(optimizers.Adam(), Plan(other, L1(0.1))).build([w])
    with pytest.raises(ArgumentError, match="axes"):
        Proximal(optimizers.Adam(), {"kernel": GroupL2(0.1, axis=3)}).build([w])
    with pytest.raises(ArgumentError, match="dual=False"):
        Proximal(optimizers.Adam(), {"kernel": MCP(0.1, 3.0)}, dual=True).build([w])


def test_a_decay_beside_an_l2_part_is_warned_of():
    w = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    with pytest.warns(UserWarning, match="decay twice"):
        Proximal(optimizers.AdamW(weight_decay=0.1), {"kernel": L2(0.1)}).build([w])
    Proximal(optimizers.AdamW(weight_decay=0.1), {"kernel": L1(0.1)}).build([w])


def test_a_layer_frozen_after_a_fit_fails_as_it_does_without_the_wrapper():
    said = []
    for wrap in (lambda inner: inner, lambda inner: Proximal(inner, L1(0.05))):
        model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(1)])
        model.compile(wrap(optimizers.Adam(0.01)), loss="mse")
        model.fit(X, Y[:, None], verbose=0)
        model.get_layer("a").trainable = False
        try:
            model.fit(X, Y[:, None], verbose=0)
            said.append(None)
        except Exception as error:
            said.append(type(error))
    assert said[0] == said[1]


def test_equal_penalties_are_counted_together():
    optimizer = Proximal(optimizers.Adam(), {"a": L1(0.1), "b": L1(0.1)})
    optimizer.build([keras.Variable(np.ones(2), name="a"), keras.Variable(np.ones(2), name="b")])
    assert "L1(alpha=0.1, factors=None) on 2 variables>" in repr(optimizer)
