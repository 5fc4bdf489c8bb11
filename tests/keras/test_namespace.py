"""The formulas of penalties on the tensors of Keras' backend: NumPy's numbers, types kept, compiled or not."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from keras import ops  # noqa: E402

import shrinkage.keras as room  # noqa: E402
from shrinkage import penalties as p  # noqa: E402
from shrinkage._arrays import namespace_of  # noqa: E402
from shrinkage.training import dual_group_step, dual_step, one_step_per_group  # noqa: E402

SHAPE = (6, 4)
FACTORS = np.abs(np.random.default_rng(2).normal(size=SHAPE))
PENALTIES = [
    p.L1(0.5),
    p.L1(0.5, factors=FACTORS),
    p.L1(np.linspace(0.1, 0.4, 4)),
    p.L2(0.5),
    p.L1L2(0.5, 0.3),
    p.MCP(0.5, 3.0),
    p.SCAD(0.5, 3.7),
    p.GroupL2(0.4, axis=0),
    p.GroupL2(0.4, axis=(0, 1), weights="ones"),
    p.GroupL2(0.4, groups=[[0, 1, 2], [5, 6], [7, 8, 9]]),
    p.GroupL2(np.linspace(0.1, 0.4, 6), axis=0, weights=[1, 2, 3, 4, 5, 6]),
    p.L1(0.1) + p.GroupL2(0.4, axis=1),
]
NAMES = [f"{type(g).__name__}-{k}" for k, g in enumerate(PENALTIES)]


def draws(dtype):
    rng = np.random.default_rng(0)
    return rng.normal(size=SHAPE).astype(dtype), rng.uniform(0.1, 2.0, size=SHAPE).astype(dtype)


def close(tensor, array, dtype):
    eps = float(np.finfo(dtype).eps)
    assert keras.backend.standardize_dtype(tensor.dtype) == dtype
    np.testing.assert_allclose(ops.convert_to_numpy(tensor), array, rtol=100 * eps, atol=30 * eps)


def compiled(function):
    """The function as the backend compiles it, where compiling is as common as not."""
    name = keras.backend.backend()
    if name == "jax":
        return pytest.importorskip("jax").jit(function)
    return pytest.importorskip("tensorflow").function(function) if name == "tensorflow" else function


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("penalty", PENALTIES, ids=NAMES)
def test_a_prox_on_the_backends_tensors_has_the_numbers_of_numpys(penalty, dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 by default")
    v, steps = draws(dtype)
    lists = getattr(penalty, "groups", None) is not None  # JAX needs seconds to compile one
    for step in (0.7, steps):
        given = step if isinstance(step, float) else ops.convert_to_tensor(step)
        expected = penalty.prox(v, step)
        close(penalty.prox(ops.convert_to_tensor(v), given), expected, dtype)
        if dtype == "float32" and step is steps and not lists:
            close(compiled(penalty.prox)(ops.convert_to_tensor(v), given), expected, dtype)


@pytest.mark.parametrize("penalty", PENALTIES, ids=NAMES)
def test_what_a_certificate_asks_has_the_numbers_of_numpys(penalty):
    w, z = draws("float32")
    tensors = [ops.convert_to_tensor(x) for x in (w, z)]
    close(penalty.value(tensors[0]), penalty.value(w), "float32")
    close(penalty.violation(*tensors), penalty.violation(w, z), "float32")
    if isinstance(penalty, p.Convex):
        close(penalty.conjugate(tensors[1]), penalty.conjugate(z), "float32")
        close(penalty.dual_scale(tensors[1]), penalty.dual_scale(z), "float32")
    if isinstance(penalty, p.BlockSeparable):
        close(penalty.norms(tensors[0]), penalty.norms(w), "float32")
        np.testing.assert_array_equal(ops.convert_to_numpy(penalty.unpenalized(tensors[0])), penalty.unpenalized(w))


def test_a_step_of_dual_averaging_has_the_numbers_of_numpys():
    w, step = draws("float32")
    zero, pushed = np.zeros_like(w), -0.3 * step * np.sign(w)
    tensors = [ops.convert_to_tensor(x) for x in (w, zero, zero, pushed, step)]
    for found, expected in zip(
        dual_step(*tensors, 0.1, 0.9), dual_step(w, zero, zero, pushed, step, 0.1, 0.9), strict=True
    ):
        close(found, expected, "float32")
    penalty = p.L1(0.1) + p.GroupL2(0.4, axis=1)
    one = one_step_per_group(penalty, pushed, step)
    found = one_step_per_group(penalty, *tensors[3:])
    new, dual, grown = dual_group_step(penalty, w, zero, (zero, zero), *one, 0.9)
    assert np.any(new == 0)
    got = dual_group_step(penalty, tensors[0], tensors[1], (tensors[1], tensors[1]), *found, 0.9)
    for tensor, array in zip((*found, got[0], got[1], *got[2]), (*one, new, dual, *grown), strict=True):
        close(tensor, array, "float32")


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends' tensors are the array API's")
def test_tensors_of_two_libraries_do_not_mix_and_numbers_belong_to_tensorflow():
    tensor = ops.ones((2,))
    assert namespace_of(tensor, 0.5, None) is namespace_of(tensor)
    with pytest.raises(TypeError):
        namespace_of(tensor, np.ones(2))
    assert keras.backend.standardize_dtype(p.L1(0.1).value(ops.ones((2,), "int32")).dtype) == "float32"
    assert room.__doc__
