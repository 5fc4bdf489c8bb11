"""Keras architectures with dead features, which the tests of `compact` take apart."""

import keras
import numpy as np
from keras import layers as L


def array(tensor):
    """A tensor or a variable of any backend in NumPy."""
    return np.asarray(keras.ops.convert_to_numpy(getattr(tensor, "value", tensor)))


def set_to(variable, values):
    variable.assign(keras.ops.convert_to_tensor(np.asarray(values, dtype="float32")))


def main_weight(layer):
    """The weight whose last axis is that of the features that leave, and that axis."""
    for name in ("pointwise_kernel", "kernel", "embeddings"):
        if hasattr(layer, name):
            transposed = "Transpose" in type(layer).__name__
            return getattr(layer, name), -2 if transposed else -1
    return None, -1


def kill(layer, *features):
    """Set the incoming weights of these features to 0."""
    weight, axis = main_weight(layer)
    values = array(weight).copy()
    np.moveaxis(values, axis, 0)[list(features)] = 0.0
    set_to(weight, values)
    return layer


def leaves(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaves(layer)
        else:
            yield layer


def with_dead_features(model, share=0.6, seed=0):
    """Biases and moments other than 0, and this share of the features of every layer but the last dead."""
    rng = np.random.default_rng(seed)
    layers = [layer for layer in leaves(model) if layer.weights]
    for layer in layers:
        for variable in layer.weights:
            if len(variable.shape) == 1:
                drawn = 0.5 + rng.random(variable.shape) if "variance" in variable.name else rng.normal(
                    size=variable.shape)  # fmt: skip
                set_to(variable, drawn)
    summing = [layer for layer in layers if main_weight(layer)[0] is not None]
    for layer in summing[:-1]:
        weight, axis = main_weight(layer)
        n = weight.shape[axis]
        kill(layer, *rng.permutation(n)[: int(share * n)])
    return model


def mlp(*widths, act="relu", **settings):
    layers = [L.Dense(width, activation=act, **settings) for width in widths[1:-1]]
    return keras.Sequential([keras.Input((widths[0],)), *layers, L.Dense(widths[-1], **settings)])


def image(channels=2, size=8):
    return keras.Input((size, size, channels))


def plain_convnet():
    return keras.Sequential(
        [
            image(),
            *(L.Conv2D(12, 3, padding="same", activation="relu"), L.MaxPooling2D()),
            *(L.Conv2D(10, 3, use_bias=False), L.BatchNormalization(), L.ReLU(), L.Dropout(0.3)),
            *(L.Flatten(), L.Dense(20, activation="gelu"), L.Dense(4, activation="softmax")),
        ]
    )


def residual():
    x = inputs = image()
    x = L.Conv2D(12, 3, padding="same", use_bias=False)(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    for _ in range(2):
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 3, padding="same", use_bias=False)(x)))
        y = L.BatchNormalization()(L.Conv2D(12, 3, padding="same", use_bias=False)(y))
        x = L.ReLU()(L.Add()([x, y]))
    return keras.Model(inputs, L.Dense(3)(L.GlobalAveragePooling2D()(x)))


def mobile():
    """Depthwise convolutions between those over single places, and a separable one."""
    x = inputs = image()
    x = L.Conv2D(12, 1, activation="relu")(x)
    x = L.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = L.Activation("hard_silu")(L.BatchNormalization()(x))
    x = L.Conv2D(10, 1, activation="silu")(x)
    x = L.SeparableConv2D(14, 3, depth_multiplier=2, activation="relu")(x)
    return keras.Model(inputs, L.Dense(3)(L.GlobalMaxPooling2D()(x)))


def branches():
    """Two branches side by side with the input, summed over by one convolution; a mean of padded pools."""
    inputs = image()
    left, right = L.Conv2D(8, 1)(inputs), L.Conv2D(12, 3, padding="same")(inputs)
    x = L.Concatenate()([left, inputs, right])
    x = L.Conv2D(9, 1, activation="relu")(L.ReLU()(L.BatchNormalization()(x)))
    x = L.AveragePooling2D(3, strides=1, padding="same")(x)
    return keras.Model(inputs, L.Conv2D(3, 3)(x))


def gated():
    """Products: squeeze-and-excitation written with operators, and a gate."""
    inputs = image()
    x = L.Conv2D(12, 3, padding="same", activation="silu")(inputs)
    s = L.GlobalAveragePooling2D(keepdims=True)(x)
    s = L.Conv2D(12, 1, activation="sigmoid")(L.Conv2D(6, 1, activation="relu")(s))
    x = L.Conv2D(10, 1)(x * s)
    x = keras.ops.relu(x) + 0.5
    return keras.Model(inputs, L.Dense(3)(L.Flatten()(x)))


def sequence():
    """Words, two convolutions over time, one in groups, positions joined by a maximum."""
    inputs = keras.Input((9,), dtype="int32")
    x = L.Embedding(20, 12)(inputs)
    x = L.Conv1D(16, 3, padding="causal", activation="elu")(x)
    x = L.Conv1D(8, 3, groups=4, activation="tanh")(x)
    x = L.Maximum()([x, L.Dense(8)(x)])
    return keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling1D()(x)))


def decoder():
    """From features to an image: Reshape, transposed convolution, enlarging, zero padding."""
    return keras.Sequential(
        [
            *(keras.Input((5,)), L.Dense(24, activation="relu"), L.Dense(8, activation="relu")),
            *(L.Reshape((1, 1, 8)), L.UpSampling2D(4), L.ZeroPadding2D(1)),
            *(L.Conv2DTranspose(10, 3, strides=2, activation="relu"), L.Cropping2D(1)),
            *(L.PReLU(shared_axes=[1, 2]), L.Conv2D(2, 3, padding="same")),
        ]
    )


def normed():
    """A layer norm and attention in the middle, which keep what enters and leaves them."""
    inputs = keras.Input((6, 8))
    x = L.LayerNormalization()(L.Dense(12)(inputs))
    x = x + L.MultiHeadAttention(2, 4)(x, x)
    y = L.Dense(16, activation="relu")(x)
    return keras.Model(inputs, L.Dense(3)(L.Add()([x, L.Dense(12)(y)])))


def nested():
    """An encoder that is called twice, inside a model with two named inputs and two named outputs."""
    encoder = keras.Sequential([keras.Input((6,)), L.Dense(14, activation="relu"), L.Dense(10, activation="relu")])
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    both = L.Concatenate()([encoder(one), encoder(other)])
    shared = L.Dense(12, activation="relu")(both)
    outputs = {"mean": L.Dense(2, name="mean")(shared), "scale": L.Dense(2, activation="softplus", name="s")(shared)}
    return keras.Model({"one": one, "other": other}, outputs)


MODELS = {
    made.__name__: made
    for made in (plain_convnet, residual, mobile, branches, gated, sequence, decoder, normed, nested)
}
