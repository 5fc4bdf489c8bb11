"""What `compact` removes from Keras models and folds, held against formulas and the models themselves."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers as L  # noqa: E402
from keras_models import MODELS, array, image, kill, mlp, set_to, with_dead_features  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.keras import _compact as home  # noqa: E402
from shrinkage.keras._compact import compact  # noqa: E402


def small(model, **settings):
    """The smaller model, not timed."""
    found = compact(model, **{"seconds": 0, "n_random": 1, **settings})
    assert found.report.refusal is None, found.report.refusal
    return found.model


def seeded(model, seed=0):
    """The model with normal numbers in all of its weights."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        set_to(weight, rng.normal(size=weight.shape))
    return model


def widths(model):
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    return [*(layer.kernel.shape[-2] for layer in layers), layers[-1].kernel.shape[-1]]


def outputs(model, inputs):
    return keras.tree.map_structure(array, model(inputs, training=False))


def one_at_a_time(W, b):
    """Weights that are left when neurons without incoming or without outgoing ones go one by one, under tanh."""
    gone = True
    while gone:
        gone = False
        for k in range(len(W) - 1):
            for i in range(W[k].shape[1]):
                if W[k].shape[1] > 1 and (not W[k][:, i].any() or not W[k + 1][i].any()):
                    if not W[k][:, i].any():
                        b[k + 1] = b[k + 1] + np.tanh(b[k][i]) * W[k + 1][i]
                    rest = np.delete(np.arange(W[k].shape[1]), i)
                    W[k], b[k], W[k + 1] = W[k][:, rest], b[k][rest], W[k + 1][rest]
                    gone = True
                    break
    return W, b


def test_a_neuron_without_incoming_weights_adds_its_constant_to_the_next_bias():
    model = seeded(mlp(5, 7, 3, act="gelu"))
    first, last = model.layers
    kill(first, 1, 4)
    made = small(model)
    constants = array(keras.activations.gelu(keras.ops.convert_to_tensor(array(first.bias)[[1, 4]])))
    rest = [0, 2, 3, 5, 6]
    expected = array(last.bias) + constants @ array(last.kernel)[[1, 4]]
    np.testing.assert_allclose(array(made.layers[1].bias), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(array(made.layers[0].kernel), array(first.kernel)[:, rest])
    np.testing.assert_array_equal(array(made.layers[0].bias), array(first.bias)[rest])
    np.testing.assert_array_equal(array(made.layers[1].kernel), array(last.kernel)[rest])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_left_is_what_removing_one_neuron_at_a_time_leaves(seed):
    rng = np.random.default_rng(seed)
    model = seeded(mlp(6, 9, 8, 7, 3, act="tanh"), seed)
    for layer in model.layers:
        set_to(layer.kernel, array(layer.kernel) * (rng.random(layer.kernel.shape) < 0.25))
    before = [[array(w).astype(float) for w in each] for each in zip(*(layer.weights for layer in model.layers),
                                                                     strict=True)]  # fmt: skip
    W, b = one_at_a_time(*before)
    made = small(model)
    for layer, weight, bias in zip(made.layers, W, b, strict=True):
        np.testing.assert_array_equal(array(layer.kernel), weight.astype("float32"))
        np.testing.assert_allclose(array(layer.bias), bias, rtol=1e-5, atol=1e-6)


def test_what_dies_since_its_inputs_died_goes_too_and_so_does_what_only_fed_it():
    model = seeded(mlp(4, 6, 6, 6, 2))
    kill(model.layers[0], 3, 4, 5)  # these are constant,
    kernel = array(model.layers[1].kernel).copy()
    kernel[:3, :2] = 0.0
    set_to(model.layers[1].kernel, kernel)  # so these two are,
    kernel = array(model.layers[2].kernel).copy()
    kernel[2:4] = 0.0
    set_to(model.layers[2].kernel, kernel)  # and nothing reads these
    assert widths(small(model)) == [4, 3, 2, 6, 2]


def test_without_a_bias_a_constant_brings_one():
    model = seeded(mlp(3, 4, 2, act="sigmoid", use_bias=False))
    kill(model.layers[0], 0)
    made = small(model)
    assert not made.layers[0].use_bias
    np.testing.assert_allclose(array(made.layers[1].bias), 0.5 * array(model.layers[1].kernel)[0], rtol=1e-6)


def padded(padding, bias):
    """Two convolutions; channels 2 to 5 of the first are constants in the ratios 1, ½, 2, 3."""
    first = L.Conv2D(6, 3, padding="same", activation="relu")
    model = seeded(keras.Sequential([image(), first, L.Conv2D(3, 3, padding=padding)]))
    kill(first, 2, 3, 4, 5)
    set_to(first.bias, bias * np.array([1.0, 1.0, 1.0, 0.5, 2.0, 3.0]))
    return model


@pytest.mark.parametrize(("padding", "bias", "left"), [("valid", 1.0, 2), ("same", 1.0, 3), ("same", -1.0, 2)])
def test_constants_behind_zero_padding_fold_where_they_are_zero_and_else_become_one(padding, bias, left):
    model = padded(padding, bias)
    found = compact(model, seconds=0)
    assert found.report.refusal is None
    assert widths(found.model) == [2, left, 3]
    assert any("zero padding" in note for note in found.report.notes) == (left == 3)
    if left == 3:  # the largest stays: column 5 takes over 2, 3 and 4 as c_j / c_5 says
        W, made = array(model.layers[1].kernel), array(found.model.layers[1].kernel)
        np.testing.assert_allclose(made[:, :, 2], W[:, :, 5] + (W[:, :, 2] + W[:, :, 3] / 2 + 2 * W[:, :, 4]) / 3,
                                   rtol=1e-5, atol=1e-6)  # fmt: skip


def test_a_channel_that_varies_in_one_branch_of_a_sum_stays_and_one_dead_in_all_goes():
    inputs = keras.Input((5,))
    one, other = L.Dense(6), L.Dense(6)
    model = seeded(keras.Model(inputs, L.Dense(2)(L.Add()([one(inputs), other(inputs)]))))
    kill(one, 0, 1, 2)
    kill(other, 2, 3)
    found = compact(model, seconds=0)
    assert [layer.units for layer in found.model.layers if isinstance(layer, L.Dense)] == [5, 5, 2]
    assert any("joins branches" in note for note in found.report.notes)


def test_a_batch_norm_whose_scale_is_zero_makes_a_constant_of_what_varies():
    norm = L.BatchNormalization()
    model = seeded(keras.Sequential([keras.Input((4,)), L.Dense(5), norm, L.ReLU(), L.Dense(2)]))
    set_to(norm.moving_variance, np.ones(5))
    set_to(norm.gamma, [1.0, 0.0, 1.0, 0.0, 1.0])
    made = small(model)
    assert widths(made) == [4, 3, 2]
    constants = np.maximum(array(norm.beta)[[1, 3]], 0.0)
    expected = array(model.layers[3].bias) + constants @ array(model.layers[3].kernel)[[1, 3]]
    np.testing.assert_allclose(array(made.layers[3].bias), expected, rtol=1e-5, atol=1e-6)


def test_behind_flatten_each_place_of_a_channel_adds_its_constant():
    first, last = L.Conv2D(4, 3), L.Dense(3)
    model = seeded(keras.Sequential([image(size=5), first, L.Flatten(), last]))
    kill(first, 1)
    made = small(model)
    kernel = array(last.kernel).reshape(9, 4, 3)
    expected = array(last.bias) + array(first.bias)[1] * kernel[:, 1].sum(0)
    np.testing.assert_allclose(array(made.layers[2].bias), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(array(made.layers[2].kernel).reshape(9, 3, 3), kernel[:, [0, 2, 3]])


def test_of_a_convolution_in_groups_a_group_goes_as_a_whole():
    first, grouped = L.Conv1D(8, 1), L.Conv1D(8, 3, groups=4)
    model = seeded(keras.Sequential([keras.Input((9, 3)), first, grouped, L.Conv1D(2, 1)]))
    kill(first, 2, 3, 4)
    kill(grouped, 2, 3, 5)  # group 1 is constant from end to end, of group 2 one of two features varies
    made = small(model)
    assert (made.layers[1].groups, made.layers[1].filters, widths(made)) == (3, 6, [3, 2, 6, 2])


def test_softmax_and_layer_norm_keep_all_that_enters_them():
    model = seeded(keras.Sequential([keras.Input((4,)), L.Dense(6), L.LayerNormalization(), L.Dense(5), L.Softmax()]))
    kill(model.layers[0], 0, 1)
    kill(model.layers[2], 3)
    found = compact(model, seconds=0)
    assert widths(found.model) == [4, 6, 5]
    assert found.report.parameters == found.report.parameters_before
    assert any("LayerNormalization" in note for note in found.report.notes)


def test_an_activation_of_which_nothing_is_known_keeps_all_that_enters_it():
    model = seeded(mlp(4, 6, 2, act=lambda x: x - keras.ops.mean(x, axis=-1, keepdims=True)))
    kill(model.layers[0], 0)
    found = compact(model, seconds=0)
    assert found.report.refusal is not None or widths(found.model) == [4, 6, 2]


def test_a_reshape_names_the_channels_that_are_left():
    first = L.Dense(8, activation="relu")
    model = seeded(keras.Sequential([keras.Input((4,)), first, L.Reshape((1, 8)), L.Conv1D(2, 1)]))
    kill(first, 0, 3, 7)
    made = small(model)
    assert tuple(made.layers[1].target_shape) == (1, 5)


@pytest.mark.parametrize("name", ["mobile", "branches", "nested"])
def test_architectures_give_the_same_outputs_from_fewer_weights(name):
    _check(MODELS[name]())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_architecture_gives_the_same_outputs_from_fewer_weights(name):
    _check(MODELS[name]())


def _check(model):
    with_dead_features(model)
    before = [array(weight).copy() for weight in model.weights]
    found = compact(model, seconds=0, n_random=2)
    assert found.report.refusal is None, found.report.refusal
    assert found.report.parameters < 0.9 * found.report.parameters_before
    assert found.report.max_difference < 1e-5
    for weight, was in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(array(weight), was)
    assert [layer.name for layer in found.model.layers] == [layer.name for layer in model.layers]
    rng = np.random.default_rng(7)
    inputs = keras.tree.map_structure(
        lambda t: (
            rng.integers(0, 20, (3, *t.shape[1:])).astype("int32")
            if "int" in str(t.dtype)
            else rng.normal(size=(3, *t.shape[1:])).astype("float32")
        ),
        model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
    )
    ours, theirs = outputs(found.model, inputs), outputs(model, inputs)
    for one, other in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_the_smaller_model_saves_loads_and_trains_as_the_other_was_compiled(tmp_path):
    model = mlp(6, 12, 8, 3)
    model.layers[1].trainable = False
    model.compile(keras.optimizers.Adam(0.01), "mse")
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(32, 6)).astype("float32"), rng.normal(size=(32, 3)).astype("float32")
    model.fit(X, Y, verbose=0)
    kill(model.layers[0], *range(7))
    made = small(model)
    assert widths(made) == [6, 5, 8, 3]
    assert [layer.trainable for layer in made.layers] == [True, False, True]
    assert [type(layer.kernel_initializer).__name__ for layer in made.layers] == ["GlorotUniform"] * 3
    frozen = array(made.layers[1].kernel).copy()
    first = made.evaluate(X, Y, verbose=0)
    made.fit(X, Y, epochs=3, verbose=0)
    assert made.evaluate(X, Y, verbose=0) < first
    np.testing.assert_array_equal(array(made.layers[1].kernel), frozen)
    made.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(outputs(again, X), outputs(made, X))


def test_a_regularizer_given_to_a_built_weight_stays_on_it():
    model = seeded(mlp(4, 6, 2))
    model.layers[0].kernel.regularizer = keras.regularizers.L1(0.5)
    kill(model.layers[0], 2, 3)
    made = small(model)
    expected = 0.5 * np.abs(array(model.layers[0].kernel)).sum()
    assert [float(array(loss)) for loss in made.losses] == [pytest.approx(expected, rel=1e-5)]


@keras.saving.register_keras_serializable("tests of compaction")
class Doubled(L.Layer):
    """A layer of one's own, without weights."""

    def call(self, x):
        return 2.0 * x


def test_a_layer_of_ones_own_keeps_what_enters_it_and_the_rest_gets_smaller():
    model = seeded(keras.Sequential([keras.Input((4,)), L.Dense(9), L.Dense(6), Doubled(), L.Dense(2)]))
    kill(model.layers[0], 0, 1, 2)
    kill(model.layers[1], 0)
    found = compact(model, seconds=0)
    assert widths(found.model) == [4, 6, 6, 2]
    assert any("Doubled" in note for note in found.report.notes)


class Subclassed(keras.Model):
    """A model whose call may do anything."""

    def __init__(self):
        super().__init__()
        self.dense = L.Dense(2)

    def call(self, x):
        return self.dense(x)


def _subclassed():
    model = Subclassed()
    model(np.zeros((1, 3), "float32"))
    return model


def _not_finite():
    model = mlp(3, 4, 2)
    set_to(model.layers[0].bias, [0.0, np.inf, 0.0, 0.0])
    return model


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (_subclassed, "is a subclassed model"),
        (lambda: keras.Sequential([L.Dense(3)]), "has not been built"),
        (_not_finite, "not finite"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence_and_left(model, sentence):
    given = model()
    found = compact(given, seconds=0)
    assert sentence in found.report.refusal
    assert found.model is given
    assert found.report.verdict.startswith("Refused")


def test_a_smaller_model_with_other_outputs_is_undone(monkeypatch):
    honest = home.plan_removal

    def forgetful(ledger):
        removal = honest(ledger)
        removal.added.clear()
        return removal

    monkeypatch.setattr(home, "plan_removal", forgetful)
    model = seeded(mlp(4, 6, 2, act="sigmoid"))
    kill(model.layers[0], 0)
    found = compact(model, seconds=0)
    assert "it was undone" in found.report.refusal
    assert found.model is model


def test_arguments_out_of_range_are_named():
    model = mlp(3, 4, 2)
    with pytest.raises(ArgumentError, match="model must be a keras"):
        compact(L.Dense(3))
    with pytest.raises(ArgumentError, match="n_random"):
        compact(model, n_random=0)
    with pytest.raises(ArgumentError, match="tolerance"):
        compact(model, tolerance=-1.0)
    with pytest.raises(ArgumentError, match="example_inputs must be what the model takes"):
        compact(model, np.zeros((2, 5), "float32"))


def test_time_is_measured_where_something_went():
    model = seeded(mlp(4, 6, 2))
    kill(model.layers[0], 0)
    report = compact(model, seconds=0.01).report
    assert report.latency > 0
    assert report.latency_before > 0
    assert "times fewer bytes" in str(report)
