"""One full-batch problem after another, minimized in one framework: a program of its own, since a process has one
backend of Keras. `python framework_fits.py FRAMEWORK FILE` writes the coefficients to FILE, an .npz."""

import sys

import numpy as np

N_SAMPLES, N_FEATURES = 80, 16
STEPS = {"sgd": 300, "adam": 500}
OPTIMIZERS = {"sgd": {"lr": 0.5, "momentum": 0.5}, "adam": {"lr": 0.03, "beta_2": 0.97}}
PROBLEMS = ("lasso", "elastic net", "logistic")
PRECISIONS = ("float32", "float64")


def data(problem):
    """X, y, of which some columns matter, and the penalty."""
    from shrinkage import L1, L1L2

    rng = np.random.default_rng(7)
    # Columns near to orthogonal: what is compared is where the optimizers end, not how long they take.
    X = np.linalg.qr(rng.normal(size=(N_SAMPLES, N_FEATURES)))[0] * np.sqrt(N_SAMPLES)
    X += 0.1 * rng.normal(size=X.shape)
    eta = X[:, :5] @ np.array([2.0, -1.5, 1.0, 0.7, -0.5])
    if problem == "logistic":
        return X, (eta + 0.5 * rng.normal(size=N_SAMPLES) > 0).astype(float), L1(0.08)
    y = eta + 0.5 * rng.normal(size=N_SAMPLES)
    return X, y, L1(0.2) if problem == "lasso" else L1L2(0.25, l1_ratio=0.8)


def settings(problem, kind):
    """Of an optimizer; the logistic loss is flatter, so that gradient descent may take longer steps."""
    of = OPTIMIZERS[kind]
    return {**of, "lr": 2.0} if (problem, kind) == ("logistic", "sgd") else of


def fit_torch(problem, kind, precision):
    """ProxSGD or ProxAdam on a linear layer."""
    import torch

    from shrinkage.torch import Plan, ProxAdam, ProxSGD

    torch.set_num_threads(1)
    X, y, penalty = data(problem)
    X, y = (torch.as_tensor(a, dtype=getattr(torch, precision)) for a in (X, y))
    layer = torch.nn.Linear(N_FEATURES, 1, bias=False, dtype=X.dtype)
    torch.nn.init.zeros_(layer.weight)
    of, plan = settings(problem, kind), Plan(layer, penalty)
    if kind == "sgd":
        optimizer = ProxSGD(plan, lr=of["lr"], momentum=of["momentum"])
    else:
        optimizer = ProxAdam(plan, lr=of["lr"], betas=(0.9, of["beta_2"]))
    for _ in range(STEPS[kind]):
        optimizer.zero_grad()
        eta = layer(X)[:, 0]
        if problem == "logistic":
            loss = torch.nn.functional.binary_cross_entropy_with_logits(eta, y)
        else:
            loss = 0.5 * (eta - y).square().mean()
        loss.backward()
        optimizer.step()
    return layer.weight.detach().numpy()[0]


def fit_optax(problem, kind, precision):
    """A chain with the prox behind it, or the solver."""
    import jax
    import jax.numpy as jnp
    import optax

    from shrinkage.optax import chain, prox, proximal_gradient

    X, y, penalty = data(problem)
    X, y = jnp.asarray(X, precision), jnp.asarray(y, precision)

    def loss(w):
        eta = X @ w
        if problem == "logistic":
            return jnp.mean(optax.sigmoid_binary_cross_entropy(eta, y))
        return 0.5 * jnp.mean((eta - y) ** 2)

    start = jnp.zeros(N_FEATURES, precision)
    if kind == "solver":
        return np.asarray(proximal_gradient(loss, penalty, tol=2e-7 if precision == "float32" else 1e-11).run(start)[0])
    of = settings(problem, kind)
    inner = optax.sgd(of["lr"], of["momentum"]) if kind == "sgd" else optax.adam(of["lr"], b2=of["beta_2"])
    optimizer = chain(inner, prox(penalty))

    def step(_, carry):
        w, state = carry
        updates, state = optimizer.update(jax.grad(loss)(w), state, w)
        return optax.apply_updates(w, updates), state

    w, _ = jax.jit(lambda carry: jax.lax.fori_loop(0, STEPS[kind], step, carry))((start, optimizer.init(start)))
    return np.asarray(w)


def fit_keras(problem, kind, precision):
    """Proximal behind SGD or Adam, in `compile` and `fit`; every batch is all rows."""
    import keras

    from shrinkage.keras import Proximal

    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)
    X, y, penalty = data(problem)
    of = settings(problem, kind)
    if kind == "sgd":
        inner = keras.optimizers.SGD(of["lr"], momentum=of["momentum"])
    else:
        inner = keras.optimizers.Adam(of["lr"], beta_2=of["beta_2"], epsilon=1e-8)
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    if precision == "float64":  # on torch Dense multiplies in float32, whatever its policy

        class Product(keras.layers.Layer):
            def build(self, shape):
                self.kernel = self.add_weight(shape=(shape[-1], 1), initializer="zeros", name="kernel")

            def call(self, inputs):
                return inputs @ self.kernel.value

        dense = Product()
    model = keras.Sequential([keras.Input((N_FEATURES,)), dense])
    ops = keras.ops

    def loss(wanted, found):
        errors = ops.softplus(found) - wanted * found if problem == "logistic" else 0.5 * ops.square(found - wanted)
        return ops.sum(errors) / N_SAMPLES  # ops.mean, and with it Keras' own losses, rounds to float32

    model.compile(Proximal(inner, penalty), loss=loss)
    X, y = X.astype(precision), y[:, None].astype(precision)
    per_epoch = 100
    rows = np.tile(X, (per_epoch, 1)), np.tile(y, (per_epoch, 1))
    model.fit(*rows, batch_size=N_SAMPLES, epochs=STEPS[kind] // per_epoch, shuffle=False, verbose=0)
    return model.get_weights()[0][:, 0]


def main(framework, file):
    """Fit everything in one framework."""
    fit = {"torch": fit_torch, "optax": fit_optax}.get(framework, fit_keras)
    kinds = [*OPTIMIZERS, "solver"] if framework == "optax" else list(OPTIMIZERS)
    np.savez(
        file,
        **{
            f"{problem}|{kind}|{precision}": fit(problem, kind, precision)
            for problem in PROBLEMS
            for kind in kinds
            for precision in PRECISIONS
        },
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
