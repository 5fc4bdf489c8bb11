"""What is read from the links of a chain is how far they really move a weight for every unit of its gradient."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

from shrinkage import L1  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.optax import chain, prox  # noqa: E402
from shrinkage.optax._links import Buffers, buffers_at_start, steps_of  # noqa: E402

RATE = optax.linear_schedule(0.1, 0.02, 4)
LABELS = {"a": "fast", "b": "slow"}
PARAMS = {"a": np.array([1.0, -2.0, 0.5]), "b": np.array([[3.0, 0.2]])}
GRADIENT = {"a": np.array([0.3, -2.0, 1e-3]), "b": np.array([[5.0, -0.04]])}


def inject(make, **settings):
    return optax.inject_hyperparams(make)(**settings)


CHAINS = {
    "sgd": lambda: optax.sgd(0.1),
    "momentum": lambda: optax.sgd(0.1, 0.9),
    "momentum under a schedule": lambda: optax.sgd(RATE, 0.9),
    "nesterov": lambda: optax.sgd(RATE, 0.9, nesterov=True),
    "lr inside the velocity": lambda: optax.chain(optax.scale_by_learning_rate(RATE), optax.trace(0.8)),
    "lr inside, nesterov": lambda: optax.chain(optax.scale_by_learning_rate(RATE), optax.trace(0.8, nesterov=True)),
    "loss times 3": lambda: optax.chain(optax.scale(3.0), optax.adam(0.1)),
    "adam": lambda: optax.adam(RATE),
    "adam, eps": lambda: optax.adam(0.1, b1=0.5, b2=0.7, eps=1e-2, eps_root=1e-3),
    "adam without momentum": lambda: optax.adam(0.1, b1=0.0),
    "nadam": lambda: optax.nadam(RATE),
    "amsgrad": lambda: optax.amsgrad(RATE),
    "amsgrad uncorrected": lambda: optax.chain(
        optax.scale_by_amsgrad(bias_correction_mu=False, bias_correction_nu=False), optax.scale(-0.1)
    ),
    "adabelief": lambda: optax.adabelief(RATE),
    "adamax": lambda: optax.adamax(RATE),
    "rmsprop": lambda: optax.rmsprop(RATE),
    "rmsprop as in torch": lambda: optax.rmsprop(0.1, 0.9, 1e-3, eps_in_sqrt=False, bias_correction=True),
    "rmsprop centered": lambda: optax.rmsprop(0.1, 0.9, 1e-3, centered=True),
    "rmsprop centered, corrected": lambda: optax.rmsprop(0.1, 0.9, 1e-3, centered=True, bias_correction=True),
    "adagrad": lambda: optax.adagrad(RATE),
    "clipped": lambda: optax.chain(
        optax.clip_by_global_norm(100.0), optax.clip(50.0), optax.zero_nans(), optax.adam(0.1)
    ),
    "clipped by the norm": lambda: optax.chain(optax.scale(2.0), optax.clip_by_global_norm(0.5), optax.sgd(0.1, 0.9)),
    "clipped before a metric": lambda: optax.chain(optax.clip_by_global_norm(0.5), optax.adam(RATE, eps=1e-2)),
    "clipped twice": lambda: optax.chain(
        optax.clip_by_block_rms(1.5), optax.zero_nans(), optax.clip_by_global_norm(0.5), optax.sgd(0.1)
    ),
    "clipped in part": lambda: optax.chain(
        optax.masked(optax.clip_by_global_norm(0.1), {"a": True, "b": False}), optax.sgd(0.1)
    ),
    "injected": lambda: inject(optax.adam, learning_rate=RATE, b1=0.8, eps=1e-3),
    "injected momentum": lambda: inject(optax.sgd, learning_rate=RATE, momentum=0.7),
    "named": lambda: optax.named_chain(("first", optax.scale_by_adam()), ("rate", optax.scale(-0.2))),
    "parts": lambda: optax.multi_transform({"fast": optax.sgd(0.1, 0.9), "slow": optax.adam(RATE)}, LABELS),
    "parts by function": lambda: optax.multi_transform(
        {"fast": optax.sgd(0.1, 0.9), "slow": optax.adam(RATE)}, lambda tree: {key: LABELS[key] for key in tree}
    ),
    "masked": lambda: optax.chain(optax.masked(optax.trace(0.9), {"a": True, "b": False}), optax.scale(-0.3)),
    "finite": lambda: optax.apply_if_finite(optax.adam(RATE), 3),
    "frozen": lambda: optax.chain(optax.adam(0.1), optax.freeze({"a": True, "b": False})),
    "selected": lambda: optax.selective_transform(optax.sgd(0.1, 0.5), freeze_mask={"a": False, "b": True}),
}


LONG = ("lr inside, nesterov", "adam, eps", "amsgrad uncorrected", "adabelief", "adamax", "rmsprop as in torch")
LONG += ("rmsprop centered", "adagrad", "clipped twice", "injected momentum", "parts by function", "selected", "named")
SOME = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in CHAINS]


def wide(tree):
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), tree)


def followed(tx, gradients, params):
    """The updates of a transformation, and what is read as the lengths of its steps, one gradient after another."""

    @jax.jit
    def step(gradient, state, known):
        updates, new = tx.update(gradient, state, params)
        buffers = Buffers(known)
        lengths = [length(found) for found in steps_of(tx, state, new, params, buffers, gradient)]
        return jax.tree.leaves(updates), lengths, new, tuple(buffers.new)

    state = tx.init(params)
    known = buffers_at_start(tx, state, params)
    for gradient in gradients:
        updates, lengths, state, known = step(gradient, state, known)
        yield updates, lengths


def length(step):
    number = step.number if step.metric is None else step.number / step.metric
    return jnp.where(step.fired, number, 0.0)


@pytest.mark.parametrize("name", SOME)
def test_had_every_gradient_been_the_same_the_step_is_the_length_times_it(name):
    with jax.enable_x64(True):
        params, gradient = wide(PARAMS), wide(GRADIENT)
        for updates, lengths in followed(CHAINS[name](), [gradient] * 5, params):
            for u, g, h in zip(updates, jax.tree.leaves(gradient), lengths, strict=True):
                np.testing.assert_allclose(h * g, u, rtol=2e-6)  # optax corrects for bias in float32


def test_yogi_which_starts_its_mean_off_zero_comes_to_the_length_times_the_gradient():
    with jax.enable_x64(True):
        params, gradient = wide(PARAMS), wide(GRADIENT)
        *_, (updates, lengths) = followed(optax.yogi(0.1), [gradient] * 300, params)
        for u, g, h in zip(updates, jax.tree.leaves(gradient), lengths, strict=True):
            np.testing.assert_allclose(h * g, u, rtol=1e-5)


def test_decoupled_decay_is_no_part_of_the_length():
    with jax.enable_x64(True):
        params, gradient = wide(PARAMS), wide(GRADIENT)
        plain = followed(optax.adam(RATE), [gradient] * 4, params)
        decayed = followed(optax.adamw(RATE, weight_decay=0.1), [gradient] * 4, params)
        for (_, one), (_, other) in zip(plain, decayed, strict=True):
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


def test_steps_that_are_withheld_have_no_length_and_leave_buffers_as_they_are():
    with jax.enable_x64(True):
        params, gradient = wide(PARAMS), wide(GRADIENT)
        every_third = optax.MultiSteps(optax.sgd(0.1, 0.9), 3).gradient_transformation()
        plain = [lengths for _, lengths in followed(optax.sgd(0.1, 0.9), [gradient] * 3, params)]
        found = [lengths for _, lengths in followed(every_third, [gradient] * 9, params)]
        for k, lengths in enumerate(found):
            assert lengths == (plain[k // 3] if k % 3 == 2 else [0.0, 0.0])


def test_what_is_clipped_under_multi_steps_is_the_mean_of_the_gradients():
    with jax.enable_x64(True):
        params, gradient = wide(PARAMS), wide(GRADIENT)
        double = jax.tree.map(lambda g: 3.0 * g, gradient)
        clipped = optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1))
        every_second = optax.MultiSteps(clipped, 2).gradient_transformation()
        *_, (updates, lengths) = followed(every_second, [gradient, double], params)
        for u, g, h in zip(updates, jax.tree.leaves(gradient), lengths, strict=True):
            np.testing.assert_allclose(2.0 * g * h, u, rtol=1e-6)  # optax rounds the mean to float32


def test_a_step_that_is_not_finite_has_no_length_until_optax_accepts_it():
    with jax.enable_x64(True):
        params, good = wide(PARAMS), wide(GRADIENT)
        bad = jax.tree.map(lambda g: g * jnp.inf, good)
        tx = optax.apply_if_finite(optax.sgd(0.1, 0.9), 1)
        found = [float(lengths[0]) for _, lengths in followed(tx, [good, bad, good, bad, bad], params)]
        assert [round(x, 6) for x in found] == [-0.1, 0.0, -0.19, 0.0, -0.271]


@pytest.mark.parametrize(
    ("tx", "words"),
    [
        (lambda: optax.lion(0.1), "scale_by_lion"),
        (lambda: optax.lamb(0.1), "scale_by_trust_ratio"),
        (lambda: optax.chain(optax.adam(0.1), optax.stateless(lambda u, p: u)), "stateless"),
        (lambda: optax.GradientTransformation(lambda p: (), lambda u, s, p=None: (u, s)), "lambda"),
        (lambda: optax.rmsprop(0.1, momentum=0.9), "momentum buffer behind a metric"),
        (lambda: optax.chain(optax.scale_by_adam(), optax.adam(0.1)), "Adam's metric"),
        (lambda: optax.chain(optax.trace(0.9), optax.adam(0.1)), "Adam's metric"),
        (lambda: optax.chain(optax.adam(0.1), optax.clip(1.0)), "clips"),
        (lambda: optax.chain(optax.add_decayed_weights(0.1), optax.clip_by_global_norm(1.0)), "clips by a norm"),
        (lambda: optax.adaptive_grad_clip(1.0), "adaptive_grad_clip"),
    ],
)
def test_links_whose_step_is_not_known_are_refused_at_the_start(tx, words):
    made = tx()
    with pytest.raises(ArgumentError, match=words):
        buffers_at_start(made, made.init(PARAMS), PARAMS)


def test_a_setting_that_optax_has_renamed_is_refused_when_the_state_is_made():
    link = optax.scale(-0.1)

    def update(updates, state, params=None):
        return jax.tree.map(lambda g: size_of_step * g, updates), state

    size_of_step = -0.1
    update.__qualname__, update.__module__ = link.update.__qualname__, link.update.__module__
    with pytest.raises(ArgumentError, match="no setting 'step_size' where optax"):
        chain(optax.GradientTransformation(link.init, update), prox(L1(0.1))).init(jnp.ones(2))
