"""scikit-learn's digits and an MLP 64-128-64-10 in Keras, trained in three ways from the same starts.

J(w) = mean cross-entropy over the training set + α Σ|w|, over kernels; biases are free. `python tests/keras_digits.py`
prints the table for the backend that KERAS_BACKEND names.
"""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np

from shrinkage import L1
from shrinkage.keras import Proximal

# Twice torch's 40 epochs: Keras starts from wider weights (Glorot's), most of which are still on their way after 40.
EPOCHS, BATCH, RATE = 80, 64, 2e-3
METHODS = ("kernel_regularizer", "proximal", "dual")


@dataclass(frozen=True)
class Outcome:
    """What a training came to: `zeros` is the share of exact zeros among the kernels' weights, `below` of those under
    1e-3."""

    method: str
    seed: int
    accuracy: float
    zeros: float
    below: float
    objective: float


@cache
def data():
    """Three quarters to train on, as `tests/networks.py` has them."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16.0, y, test_size=0.25, random_state=0, stratify=y)
    X_train, X_test, y_train, y_test = (np.asarray(part) for part in parts)
    return X_train.astype("float32"), X_test.astype("float32"), y_train, y_test


def mlp(regularizer=None):
    dense = keras.layers.Dense
    return keras.Sequential(
        [
            keras.Input((64,)),
            *(dense(width, "relu", kernel_regularizer=regularizer) for width in (128, 64)),
            dense(10, kernel_regularizer=regularizer),
        ]
    )


def train(method, seed, alpha=1e-3):
    """A network trained by `fit`; the learning rate falls along half a cosine to 0."""
    X, _, y, _ = data()
    keras.utils.set_random_seed(seed)
    network = mlp(keras.regularizers.L1(alpha) if method == "kernel_regularizer" else None)
    n_steps = EPOCHS * -(-len(y) // BATCH)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, n_steps))
    if method != "kernel_regularizer":
        optimizer = Proximal(optimizer, L1(alpha), dual=method == "dual")
    network.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(X, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return network


def judge(network, method, seed, alpha=1e-3):
    """Accuracy on the test set, zeros, and J over the whole training set, in NumPy."""
    X, X_test, y, y_test = data()
    kernels = [np.asarray(keras.ops.convert_to_numpy(layer.kernel.value)) for layer in network.layers]
    flat = np.concatenate([kernel.ravel() for kernel in kernels]).astype(np.float64)
    scores = network.predict_on_batch(X).astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    loss = np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y])
    accuracy = np.mean(network.predict_on_batch(X_test).argmax(axis=1) == y_test)
    zeros, below = np.mean(flat == 0), np.mean(np.abs(flat) < 1e-3)
    J = loss + alpha * np.abs(flat).sum()
    return Outcome(method, seed, float(accuracy), float(zeros), float(below), float(J))


@cache
def outcomes(n_seeds=5):
    """All methods from the same starts."""
    return {method: [judge(train(method, seed), method, seed) for seed in range(n_seeds)] for method in METHODS}


def mean(method, what):
    return float(np.mean([getattr(outcome, what) for outcome in outcomes()[method]]))


if __name__ == "__main__":
    print(f"{keras.backend.backend():20} accuracy  zeros  below 1e-3       J")
    for name in METHODS:
        figures = [mean(name, what) for what in ("accuracy", "zeros", "below", "objective")]
        print("{:20} {:8.4f} {:6.3f} {:11.3f} {:7.4f}".format(name, *figures), flush=True)
