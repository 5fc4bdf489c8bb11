"""Dual averaging behind Keras' optimizers: the same minimizer, zeros that last, and the classical recursion."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import ops  # noqa: E402

from shrinkage.keras import Proximal  # noqa: E402
from shrinkage.penalties import L1, L1L2, GroupL2  # noqa: E402

optimizers = keras.optimizers


def compiled(optimizer, w):
    """A step of an optimizer on w as the backend's trainer compiles it; torch's does not."""
    optimizer.build([w])
    if keras.backend.backend() == "torch":
        return lambda gradient: optimizer.apply([gradient], [w])
    if keras.backend.backend() == "tensorflow":
        return pytest.importorskip("tensorflow").function(lambda gradient: optimizer.apply([gradient], [w]))
    stateless = pytest.importorskip("jax").jit(lambda *given: optimizer.stateless_apply(*given))

    def step(gradient):
        (new,), state = stateless([variable.value for variable in optimizer.variables], [gradient], [w.value])
        w.assign(new)
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)

    return step


def after(optimizer, start, gradients):
    """The weights after each step with the gradient that a function says."""
    w = keras.Variable(np.asarray(start, "float32"), name="kernel")
    step = compiled(optimizer, w)
    found = []
    for t, gradient in enumerate(gradients):
        now = ops.convert_to_numpy(w)
        given = gradient(t, now) if callable(gradient) else gradient
        step(ops.convert_to_tensor(np.asarray(given, "float32")))
        found.append(ops.convert_to_numpy(w).astype(float).copy())
    return found


def soft(z, threshold):
    return np.sign(z) * np.maximum(np.abs(z) - threshold, 0)


def test_it_is_the_classical_recursion_while_a_weight_is_zero():
    """z sums what the gradients say, Γ what the penalty says; the weight is the difference, however noisy."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(0.3, 1.0, size=(30, 5))
    w = after(Proximal(optimizers.SGD(0.1), {"kernel": L1(1.0)}, dual=True, memory=0.9), np.zeros(5), gradients)
    z, gamma, restarted = np.zeros(5), 0.0, np.zeros(5)
    for gradient, now in zip(gradients, w, strict=True):
        z, gamma = 0.9 * z - 0.1 * gradient, 0.9 * gamma + 0.1
        restarted = soft(z, gamma)
        np.testing.assert_allclose(now, restarted, atol=1e-6)
        z = np.where(restarted != 0, restarted + np.sign(restarted) * gamma, z)
    assert sum(np.any(now == 0) for now in w) > 15


def test_of_adam_each_weight_has_the_threshold_of_its_own_metric():
    rng = np.random.default_rng(1)
    gradients = rng.normal(0.1, 1.0, size=(25, 4)) * np.array([1.0, 10.0, 0.1, 3.0])
    adam = optimizers.Adam(0.1, beta_1=0.8, beta_2=0.9, epsilon=1e-3)
    w = after(
        Proximal(adam, {"kernel": L1L2(0.5, 0.8)}, dual=True, memory=1.0, metric_floor=0.0), np.ones(4), gradients
    )
    z, m, v, gamma = np.ones(4), np.zeros(4), np.zeros(4), np.zeros(4)
    for t, (gradient, now) in enumerate(zip(gradients, w, strict=True), 1):
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        step = 0.1 * np.sqrt(1 - 0.9**t) / (np.sqrt(v) + 1e-3)
        z, gamma = z - step * m / (1 - 0.8**t), gamma + step * 0.4
        new = soft(z, gamma) / (1 + step * 0.1)
        np.testing.assert_allclose(now, new, rtol=1e-4, atol=1e-5)
        z = np.where(new != 0, new + np.sign(new) * gamma, z)
    assert any(np.any(now == 0) for now in w)


@pytest.mark.parametrize(
    "penalty", [GroupL2(0.3, axis=0, weights="ones"), L1(0.05) + GroupL2(0.25, axis=0, weights="ones")]
)
@pytest.mark.parametrize("inner", [lambda: optimizers.SGD(0.2, momentum=0.5), lambda: optimizers.Adam(0.05)])
def test_groups_end_where_the_penalty_is_stationary(penalty, inner):
    target = np.array([[1.0, -0.8], [0.1, 0.2], [-0.6, 0.02]])
    optimizer = Proximal(inner(), {"kernel": penalty}, dual=True, memory=0.9)
    (*_, w) = after(optimizer, np.full((3, 2), 0.1), [lambda t, now: now - target] * 250)
    assert np.sum(np.all(w == 0, 1)) == 1
    assert np.max(penalty.violation(w, target - w)) < 1e-4


def test_under_noise_zeros_last_where_those_of_a_prox_flicker():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(300, 40))
    zeros = {}
    for dual in (False, True):
        optimizer = Proximal(optimizers.SGD(0.05), {"kernel": L1(0.3)}, dual=dual)
        w = after(optimizer, np.full(40, 0.2), [lambda t, now: now + noise[t]] * 300)
        zeros[dual] = np.mean(np.stack(w[-50:]) == 0)
    assert zeros[False] < 0.6
    assert zeros[True] > 0.95


def test_factors_scale_the_threshold_of_each_weight():
    optimizer = Proximal(optimizers.SGD(0.1), {"kernel": L1(0.5, factors=np.array([0.0, 1.0, 2.0]))}, dual=True)
    (*_, w) = after(optimizer, np.zeros(3), [lambda t, now: now - np.array([0.2, 1.0, 1.5])] * 150)
    np.testing.assert_allclose(w, [0.2, 0.5, 0.5], atol=1e-4)
