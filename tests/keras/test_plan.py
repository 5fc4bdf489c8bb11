"""The plan of a Keras model: paths, roles by layer, what is frozen or built, and penalties that stand twice."""

import json

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import layers  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.keras import Plan, Regularizer  # noqa: E402
from shrinkage.penalties import L1, L2, GroupL2  # noqa: E402
from shrinkage.training import from_plain  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def host(tensor):
    return np.asarray(keras.ops.stop_gradient(tensor))


def dense(name="net", **options):
    inside = [keras.Input((8,)), layers.Dense(4, name="in", **options), layers.LayerNormalization(name="norm")]
    return keras.Sequential([*inside, layers.Dense(2, name="out")], name=name)


def roles(model):
    return {row.name: row.role for row in Plan(model).rows}


def test_every_weight_that_is_or_could_be_trained_stands_in_one_row_in_the_models_order():
    inputs = keras.Input((8, 3))
    x = layers.Conv1D(4, 3, name="conv")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Dropout(0.5, name="drop", seed=1)(x)
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(x)), name="net")
    statistics = {"bn/moving_mean", "bn/moving_variance"}
    assert [row.name for row in Plan(model).rows] == [v.path for v in model.weights if v.path not in statistics]
    for row in Plan(model).rows:
        assert row.shape == tuple(Plan(model).variables[row.name].shape)
        assert row.n_elements == np.prod(row.shape)


def test_roles_are_those_of_the_layers_that_own_the_variables():
    inputs = keras.Input((6,), dtype="int32")
    x = layers.Embedding(11, 8, name="table")(inputs)
    x = layers.MultiHeadAttention(2, 4, name="mha")(x, x)
    x = layers.GroupQueryAttention(8, 2, 2, name="gqa")(x, x)
    x = layers.EinsumDense("abc,ce->abe", (None, 5), name="einsum")(x)
    x = layers.GroupNormalization(1, name="gn")(x)
    x = layers.RMSNormalization(name="rms")(x)
    x = layers.SeparableConv1D(4, 3, depth_multiplier=2, name="separable")(x)
    x = layers.DepthwiseConv1D(2, name="depthwise")(x)
    x = layers.PReLU(shared_axes=[1], name="prelu")(x)
    x = layers.Bidirectional(layers.GRU(3), name="both")(x)
    x = layers.SpectralNormalization(layers.Dense(2, name="inner"), name="spectral")(x)
    found = roles(keras.Model(inputs, x))
    expected = {
        "table/embeddings": "embedding",
        "mha/query/kernel": "attention",
        "mha/attention_output/kernel": "attention",
        "mha/query/bias": "bias",
        "gqa/key/kernel": "attention",
        "einsum/kernel": "linear",
        "gn/gamma": "norm",
        "gn/beta": "bias",
        "rms/scale": "norm",
        "separable/depthwise_kernel": "conv",
        "separable/pointwise_kernel": "conv",
        "depthwise/kernel": "conv",
        "prelu/alpha": "gain",
        "both/forward_gru/gru_cell/kernel": "recurrent",
        "both/backward_gru/gru_cell/recurrent_kernel": "recurrent",
        "both/forward_gru/gru_cell/bias": "bias",
        "spectral/inner/kernel": "linear",
    }
    assert {name: found.get(name) for name in expected} == expected
    free = {row.name for row in Plan(keras.Model(inputs, x), L1(0.1)).rows if row.penalty is None}
    assert free == {name for name, role in found.items() if role in ("embedding", "norm", "bias", "gain")}


@pytest.mark.parametrize(
    ("layer", "shape", "own", "n_outputs"),
    [
        (lambda: layers.Dense(5), (None, 3), "kernel", 5),
        (lambda: layers.Conv2D(6, 3), (None, 8, 8, 2), "kernel", 6),
        (lambda: layers.Conv2DTranspose(7, 3), (None, 8, 8, 2), "kernel", 7),
        (lambda: layers.DepthwiseConv2D(3), (None, 8, 8, 4), "kernel", 4),
        (lambda: layers.EinsumDense("abc,ce->abe", (None, 9)), (None, 2, 3), "kernel", 9),
        (lambda: layers.SeparableConv2D(5, 3), (None, 8, 8, 2), "pointwise_kernel", 5),
    ],
)
def test_the_output_axis_counts_the_outputs_and_zeroing_one_index_silences_one_output(layer, shape, own, n_outputs):
    made = layer()
    made.build(shape)
    (row,) = [row for row in Plan(made).rows if row.name.endswith(f"/{own}") or row.name == own]
    assert row.shape[row.output_axis] == n_outputs
    variable = Plan(made).variables[row.name]
    values = np.ones(row.shape, "float32")
    np.moveaxis(values, row.output_axis, 0)[1] = 0.0
    variable.assign(values)
    inputs = np.ones((1, *shape[1:]), "float32")
    outputs = host(made(inputs))
    silent = (outputs == 0).all(axis=tuple(range(outputs.ndim - 1)))
    assert silent.tolist() == [k == 1 for k in range(n_outputs)]


class Whiten(layers.Layer):
    """A norm of somebody's own, whose name does not tell."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), name="gamma")
        self.beta = self.add_weight(shape=(shape[-1],), name="beta")

    def call(self, x):
        return x * self.gamma + self.beta


class Block(keras.Model):
    """A subclassed model with two layers of one name, a position table and a layer scale."""

    def __init__(self):
        super().__init__(name="block")
        self.first, self.second = layers.Dense(4, name="fc"), layers.Dense(4, name="fc")
        self.whiten = Whiten(name="whiten")

    def build(self, shape):
        self.pos_embed = self.add_weight(shape=(1, 3, 4), name="pos_embed")
        self.ls = self.add_weight(shape=(4,), name="ls")
        self.first.build(shape)
        self.second.build((*shape[:-1], 4))
        self.whiten.build((*shape[:-1], 4))

    def call(self, x):
        return self.whiten(self.second(self.first(x)) * self.ls + self.pos_embed)


def test_subclassed_models_have_roles_by_structure_and_by_name_and_equal_paths_are_told_apart():
    model = Block()
    model.build((None, 3, 5))
    assert roles(model) == {
        "block/pos_embed": "position",
        "block/ls": "gain",
        "block/fc/kernel": "linear",
        "block/fc/bias": "bias",
        "block/fc#2/kernel": "linear",
        "block/fc#2/bias": "bias",
        "block/whiten/gamma": "norm",
        "block/whiten/beta": "bias",
    }
    plan = Plan(model, L1(0.1), overrides={"fc#2": L1(0.2)})
    assert [plan.penalty_of(v) for v in (model.first.kernel, model.second.kernel)] == [L1(0.1), L1(0.2)]


def test_a_variable_that_two_layers_share_has_one_row_and_a_free_role_wins():
    class Tied(keras.Model):
        def __init__(self):
            super().__init__()
            self.table, self.head = layers.Embedding(7, 4), layers.Dense(7, use_bias=False)

        def build(self, shape):
            self.table.build(shape)
            self.head.build((None, 7))
            self.head._tracker.unlock()
            self.head._untrack_variable(self.head._kernel)
            self.head._kernel = self.table.embeddings

        def call(self, x):
            return self.table(x)

    model = Tied()
    model.build((None, 3))
    (row,) = Plan(model).rows
    assert row.role == "embedding"


def test_a_model_or_layer_that_is_not_built_is_refused_by_name():
    with pytest.raises(ArgumentError, match="'lazy' has no weights yet: call it on data or build it"):
        Plan(keras.Sequential([layers.Dense(2)], name="lazy"), L1(0.1))

    class Half(keras.Model):
        def __init__(self):
            super().__init__(name="half")
            self.used, self.unused = layers.Dense(2), layers.Dense(2, name="unused")

        def build(self, shape):
            self.used.build(shape)

        def call(self, x):
            return self.used(x)

    model = Half()
    model.build((None, 3))
    with pytest.raises(ArgumentError, match="holds the layer 'unused' \\(Dense\\), which is not built"):
        Plan(model, L1(0.1))
    for wrong in (None, "net", 3, [np.ones(3)]):
        with pytest.raises(ArgumentError, match="model must be a Keras model or a list of variables"):
            Plan(wrong, L1(0.1))


def test_frozen_layers_have_rows_without_penalty_also_under_a_frozen_parent_and_under_lora():
    inner = dense("inner")
    model = keras.Sequential([keras.Input((8,)), inner, layers.Dense(2, name="head")], name="outer")
    inner.trainable = False
    plan = Plan(model, L1(0.1))
    assert plan.penalized == ("outer/head/kernel",)
    assert {row.name for row in plan.rows if row.state == "frozen"} == {v.path for v in inner.weights}
    tuned = dense("tuned")
    tuned.get_layer("in").enable_lora(2)
    plan = Plan(tuned, L1(0.1))
    assert plan.row_of("tuned/in/kernel").state == "frozen"
    assert {"tuned/in/lora_kernel_a", "tuned/in/lora_kernel_b"} < set(plan.penalized)


def test_patterns_match_whole_components_of_paths_and_find_norms_where_keras_own_names_do_not():
    model = dense()
    plan = Plan(model, L1(0.1), select="all", exclude=["norm/gamma", "*/beta"])
    assert set(plan.penalized) == {"net/in/kernel", "net/in/bias", "net/out/kernel", "net/out/bias"}
    assert Plan(model, L1(0.1), overrides={"in": L2(0.3)}).penalties == {
        "net/in/kernel": L2(0.3),
        "net/in/bias": L2(0.3),
        "net/out/kernel": L1(0.1),
    }
    assert Plan(model, L1(0.1), select="net/out").penalized == ("net/out/kernel", "net/out/bias")
    with pytest.raises(ArgumentError, match=r"'oit' matches no parameter; the closest names are 'out'.* between '/'"):
        Plan(model, L1(0.1), select="oit")
    with pytest.raises(ArgumentError, match=r"both a role .* and a module .*'role:norm' for the role, '\*norm/\*'"):
        Plan(model, L1(0.1), select="norm")


def test_callables_get_path_variable_and_layer():
    model = dense()
    wide = Plan(model, L1(0.1), select=lambda path, variable, layer: layer.name == "in" and variable.shape[0] == 8)
    assert wide.penalized == ("net/in/kernel",)
    with pytest.raises(ArgumentError, match="a callable must take \\(path, variable, layer\\)"):
        Plan(model, L1(0.1), select=lambda path: True)


def test_variables_alone_are_told_by_path_and_shape():
    model = dense()
    plan = Plan(model.trainable_variables, L1(0.1))
    assert plan.penalized == Plan(model, L1(0.1)).penalized
    assert all(row.rule.endswith("by name and shape alone") for row in plan.rows)


def test_a_penalty_is_found_by_path_or_variable_and_strangers_are_refused():
    model = dense()
    plan = Plan(model, GroupL2(0.1, axis=-1))
    kernel = model.get_layer("in").kernel
    assert plan.penalty_of(kernel) is plan.penalty_of("net/in/kernel") is plan.row_of(kernel).penalty
    assert plan.penalty_of(model.get_layer("in").bias) is None
    for stranger in ("net/in/kernels", dense().get_layer("in").kernel):
        with pytest.raises(ArgumentError, match="variable must be one of the plan's 6"):
            plan.penalty_of(stranger)
    with pytest.raises(ArgumentError, match="variable must be a path or a variable itself"):
        plan.penalty_of(3)
    with pytest.raises(ArgumentError, match="'net/in/kernel' of shape \\(8, 4\\) does not fit"):
        Plan(model, GroupL2(0.1, axis=2))


def test_a_plan_is_plain_data_and_a_frame():
    plan = Plan(dense(), GroupL2(0.1, axis=-1), exclude="out")
    stored = json.loads(plan.to_json())
    assert {row["name"]: from_plain(row["penalty"]) for row in stored["rows"] if row["penalty"]} == plan.penalties
    assert plan.to_dict()["counts"]["penalized"] == {"tensors": 1, "numbers": 32}
    pandas = pytest.importorskip("pandas")
    assert isinstance(plan.to_frame(), pandas.DataFrame)
    assert list(plan.to_frame().name) == [row.name for row in plan.rows]


def test_a_kernel_with_a_regularizer_is_penalized_twice_and_the_plan_says_so():
    model = dense(kernel_regularizer=keras.regularizers.L1(0.02))
    plan = Plan(model, L1(0.1))
    assert [(alarm.kind, alarm.name, alarm.value) for alarm in plan.alarms] == [("double penalty", "net/in/kernel", 2)]
    assert "L1(l1=0.02) in the loss" in " ".join(str(plan).split())
    assert Plan(model, L1(0.1), exclude="in").alarms == ()
    model.get_layer("in").kernel.regularizer = None
    assert plan.alarms == ()


def test_penalties_join_the_loss_of_a_model_that_has_trained_and_stay_with_it_in_its_file(tmp_path):
    model = dense()
    model.compile("sgd", "mse")
    X, y = np.ones((4, 8), "float32"), np.zeros((4, 2), "float32")
    model.fit(X, y, epochs=1, verbose=0)
    before = model.evaluate(X, y, verbose=0)
    plan = Plan(model, L1(0.5), overrides={"gamma": L2(0.25)})
    added = plan.add_losses(model)
    assert set(added) == {"net/in/kernel", "net/out/kernel", "net/norm/gamma"}
    terms = sum(float(plan.penalties[name].value(host(plan.variables[name].value))) for name in added)
    assert model.evaluate(X, y, verbose=0) == pytest.approx(before + terms, rel=1e-5)
    with pytest.raises(ArgumentError, match="has Regularizer in the loss already: replace=True"):
        plan.add_losses()
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.evaluate(X, y, verbose=0) == pytest.approx(before + terms, rel=1e-5)
    assert loaded.get_layer("in").kernel_regularizer.penalty == L1(0.5)


def test_penalties_can_join_a_loaded_copy_by_path_and_replace_what_is_there(tmp_path):
    model = dense(kernel_regularizer="l2")
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    plan = Plan(model, L1(0.5))
    with pytest.raises(ArgumentError, match=r"'net/in/kernel' has L2\(l2=0.01\) in the loss already"):
        plan.add_losses(loaded)
    assert loaded.get_layer("out").kernel.regularizer is None  # nothing was added
    plan.add_losses(loaded, replace=True)
    kernels = [loaded.get_layer(name).kernel for name in ("in", "out")]
    assert all(isinstance(kernel.regularizer, Regularizer) for kernel in kernels)
    assert type(model.get_layer("in").kernel.regularizer).__name__ == "L2"
    other = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="in")], name="net")
    with pytest.raises(ArgumentError, match="model must have the 6 variables of this plan, in their order; 'net/in/k"):
        plan.add_losses(other)


def test_weight_decay_is_taken_from_what_is_not_selected_which_keras_cannot_name():
    def decayed(prepare):
        model = dense()
        optimizer = keras.optimizers.AdamW(0.1, weight_decay=0.5)
        prepare(model, optimizer)
        values = [np.ones(v.shape, "float32") for v in model.trainable_variables]
        for variable, ones in zip(model.trainable_variables, values, strict=True):
            variable.assign(ones)
        optimizer.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
        return {v.path for v in model.trainable_variables if (host(v.value) != 1).any()}

    kernels = {"net/in/kernel", "net/out/kernel"}
    assert decayed(lambda model, optimizer: Plan(model).exclude_from_weight_decay(optimizer)) == kernels
    by_names = decayed(lambda _, optimizer: optimizer.exclude_from_weight_decay(var_names=["norm", "bias"]))
    if keras.backend.backend() != "tensorflow":  # where a name is the whole path
        assert by_names > kernels  # "norm" is in no name: gamma and beta decay all the same
    optimizer = keras.optimizers.AdamW()
    optimizer.build(dense().trainable_variables)
    with pytest.raises(ArgumentError, match="must not be built yet"):
        Plan(dense()).exclude_from_weight_decay(optimizer)
