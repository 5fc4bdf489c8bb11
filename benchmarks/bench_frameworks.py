"""One optimizer step with a penalty beside the same step without, in Keras (on JAX) and optax, compiled, in turns."""

import json
import os
import random
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

STRENGTH, LR = 1e-4, 1e-3
SHAPES = [(784, 800), (800,), (800, 400), (400,), (400, 128), (128,), (128, 10), (10,)]
"""Kernels and biases of an MLP with 1.0 million weights."""
WARM_UP = 5
PLAIN = {"optax": "optax adam", "keras": "keras Adam"}


def compare(runs: int) -> list[dict]:
    """A prox or dual step on 1.0 M float32 weights beside the plain Adam step of the same framework, on one core."""
    records = []
    for framework in PLAIN:
        alone = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
        command = [sys.executable, str(Path(__file__).resolve()), framework, str(100 * runs)]
        taken = json.loads(subprocess.run(command, env=alone, stdout=subprocess.PIPE, check=True).stdout)
        middle = {tool: median(seconds) for tool, seconds in taken.items()}
        records += [
            {
                "problem": f"1.0 M, {framework}",
                "kind": "step",
                "tool": tool,
                "version": version("shrinkage" if tool != PLAIN[framework] else framework),
                "threads": 1,
                "seconds": middle[tool],
                "seconds_all": seconds,
                "to_plain_adam": middle[tool] / middle[PLAIN[framework]],
                "max_relative_gap": None,
                "peak_memory": None,
            }
            for tool, seconds in taken.items()
        ]
    return records


def table(records: list[dict]) -> str:
    """The records as text."""
    rows = [("problem", "tool", "median ms", "of the plain step")]
    rows += [
        (r["problem"], f"{r['tool']} {r['version']}", f"{1e3 * r['seconds']:.3f}", f"{r['to_plain_adam']:.2f}")
        for r in records
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def optax_arms() -> dict:
    """Each tool's compiled step, as a function of no arguments that keeps its own parameters and state."""
    import jax
    import optax

    from shrinkage import L1
    from shrinkage.optax import dual_adam, prox_adam

    penalties = [L1(STRENGTH) if len(shape) > 1 else None for shape in SHAPES]

    def arm(optimizer):
        def step(params, state, gradients):
            updates, state = optimizer.update(gradients, state, params)
            return optax.apply_updates(params, updates), state

        params, gradients = _arrays()
        return _Arm(jax.jit(step, donate_argnums=(0, 1)), params, optimizer.init(params), gradients)

    return {
        PLAIN["optax"]: arm(optax.adam(LR)),
        "shrinkage prox_adam": arm(prox_adam(LR, penalties)),
        "shrinkage dual_adam": arm(dual_adam(LR, penalties)),
    }


def keras_arms() -> dict:
    """The same steps as Keras' own trainer takes them on JAX: `stateless_apply`, compiled."""
    import jax
    import keras

    from shrinkage import L1
    from shrinkage.keras import Proximal

    def arm(wrap):
        params, gradients = _arrays()
        names = [f"layer_{i // 2}/{'kernel' if p.ndim > 1 else 'bias'}" for i, p in enumerate(params)]
        variables = [_variable(keras, name, p) for name, p in zip(names, params, strict=True)]
        optimizer = wrap(keras.optimizers.Adam(LR))
        optimizer.build(variables)

        def step(params, state, gradients):
            return optimizer.stateless_apply(state, gradients, params)

        state = [variable.value for variable in optimizer.variables]
        return _Arm(jax.jit(step, donate_argnums=(0, 1)), params, state, gradients)

    return {
        PLAIN["keras"]: arm(lambda adam: adam),
        "shrinkage Proximal(Adam)": arm(lambda adam: Proximal(adam, L1(STRENGTH))),
        "shrinkage Proximal(Adam, dual)": arm(lambda adam: Proximal(adam, L1(STRENGTH), dual=True)),
    }


def _variable(keras, name, value):
    layer, own = name.split("/")
    with keras.name_scope(layer):
        return keras.Variable(value, name=own)


def _arrays():
    import jax

    keys = jax.random.split(jax.random.key(0), 2 * len(SHAPES))
    params = [0.05 * jax.random.normal(key, shape) for key, shape in zip(keys, SHAPES, strict=False)]
    gradients = [0.01 * jax.random.normal(key, shape) for key, shape in zip(keys[len(SHAPES) :], SHAPES, strict=True)]
    return params, gradients


class _Arm:
    """A compiled step with what it moves; every arm has its own arrays."""

    def __init__(self, step, params, state, gradients):
        self.step, self.params, self.state, self.gradients = step, params, state, gradients

    def __call__(self):
        import jax

        self.params, self.state = self.step(self.params, self.state, self.gradients)
        jax.block_until_ready((self.params, self.state))


def in_turns(arms: dict, repeats: int) -> dict[str, list[float]]:
    """Seconds of every step, the arms in random order."""
    taken, turns, order = {name: [] for name in arms}, list(arms), random.Random(0)
    for _ in range(WARM_UP + repeats):
        order.shuffle(turns)
        for name in turns:
            start = time.perf_counter()
            arms[name]()
            taken[name].append(time.perf_counter() - start)
    return {name: seconds[WARM_UP:] for name, seconds in taken.items()}


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    asked, count = sys.argv[1:]
    print(json.dumps(in_turns({"optax": optax_arms, "keras": keras_arms}[asked](), int(count))))
