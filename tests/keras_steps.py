"""Small problems with known minimizers, and steps of Keras' optimizers on them as each backend compiles them."""

import keras
import numpy as np
import pytest
from keras import ops

from shrinkage.keras import Proximal

optimizers = keras.optimizers
STEPS = 400
KINDS = {
    "SGD": lambda lr=0.3, **more: optimizers.SGD(lr, **more),
    "SGD with momentum": lambda lr=0.1, **more: optimizers.SGD(lr, momentum=0.8, **more),
    "SGD with Nesterov's momentum": lambda lr=0.1, **more: optimizers.SGD(lr, momentum=0.8, nesterov=True, **more),
    "Adam": lambda lr=0.1, **more: optimizers.Adam(lr, **more),
    "Adam with amsgrad": lambda lr=0.1, **more: optimizers.Adam(lr, amsgrad=True, **more),
    "AdamW": lambda lr=0.1, **more: optimizers.AdamW(lr, weight_decay=0.0, **more),
    "Nadam": lambda lr=0.1, **more: optimizers.Nadam(lr, **more),
    "Adagrad": lambda lr=0.6, **more: optimizers.Adagrad(lr, **more),
    "RMSprop": lambda lr=0.05, **more: optimizers.RMSprop(lr, **more),
    "RMSprop with all": lambda lr=0.02, **more: optimizers.RMSprop(
        lr, momentum=0.8, centered=True, epsilon=0.01, **more
    ),
}


def regression():
    """Data whose lasso has zeros, with columns near enough to orthogonal that few hundred steps are many."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 12))
    X -= X.mean(0)
    y = X @ np.array([2.0, -1.5, 1.0, 0.5, -0.3] + [0.0] * 7) + 0.5 * rng.normal(size=80)
    return X, y - y.mean()


X, Y = regression()
GRAM, CORRELATION = (X.T @ X / len(Y)).astype("float32"), (X.T @ Y / len(Y)).astype("float32")


def decayed(lr):
    return optimizers.schedules.CosineDecay(lr, STEPS, alpha=1e-3)


def minimized(optimizer, gradient, start, steps=STEPS, name="kernel"):
    """The weights after full-batch steps of an optimizer, as the backend compiles them."""
    w = keras.Variable(np.asarray(start, "float32"), name=name)
    optimizer.build([w])
    if keras.backend.backend() == "jax":
        return _by_scan(optimizer, w, gradient, steps)
    step = lambda: optimizer.apply([gradient(ops.convert_to_tensor(w.value))], [w])  # noqa: E731
    if keras.backend.backend() == "tensorflow":
        step = pytest.importorskip("tensorflow").function(step)
    elif keras.backend.backend() == "torch":
        step = pytest.importorskip("torch").no_grad()(step)
    for _ in range(steps):
        step()
    return ops.convert_to_numpy(w)


def _by_scan(optimizer, w, gradient, steps):
    jax = pytest.importorskip("jax")

    @jax.jit
    def every(weights, state):
        def step(carry, _):
            weights, state = carry
            return tuple(map(tuple, optimizer.stateless_apply(list(state), [gradient(weights[0])], list(weights)))), 0

        return jax.lax.scan(step, (tuple(weights), tuple(state)), length=steps)[0]

    weights, state = every([w.value], [v.value for v in optimizer.variables])
    w.assign(weights[0])
    for variable, new in zip(optimizer.variables, state, strict=True):
        variable.assign(new)
    return ops.convert_to_numpy(w)


def applied(optimizer, gradient, w):
    """One step, as Keras' trainers make it: in JAX without side effects, the only way that loss scaling knows there."""
    gradient = ops.convert_to_tensor(np.asarray(gradient, "float32"))
    if keras.backend.backend() != "jax":
        optimizer.apply([gradient], [w])
        return
    optimizer.build([w])
    state = [variable.value for variable in optimizer.variables]
    (new,), state = optimizer.stateless_apply(state, [gradient], [w.value])
    w.assign(new)
    for variable, value in zip(optimizer.variables, state, strict=True):
        variable.assign(value)


def of_squares(w):
    return ops.matmul(ops.convert_to_tensor(GRAM), w) - ops.convert_to_tensor(CORRELATION)


def fitted(kind, penalty, **more):
    lr = KINDS[kind]().learning_rate
    inner = KINDS[kind](decayed(float(ops.convert_to_numpy(lr))))
    return minimized(Proximal(inner, {"kernel": penalty}, **more), of_squares, np.full(12, 0.1))
