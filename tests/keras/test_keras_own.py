"""Keras' own tests of its optimizers, on the same optimizers inside a Proximal whose penalty has strength 0."""

import importlib
import unittest
from types import SimpleNamespace

import pytest

keras = pytest.importorskip("keras")

from shrinkage.keras import Proximal  # noqa: E402
from shrinkage.penalties import L1  # noqa: E402

WRAPPED = ("SGD", "Adam", "AdamW", "Nadam", "Adagrad", "RMSprop")
FILES = ("sgd", "adam", "adamw", "nadam", "adagrad", "rmsprop", "optimizer", "loss_scale_optimizer")
MODES = {
    "free": {"plan": {"*": L1(0.0)}},  # known to be 0, so that the prox is left out
    "acting": {"plan": {"*": L1(1e-300)}, "metric_floor": 0.0},  # 0 in float32: the prox is taken, and moves nothing
}
EXCLUDED = {
    "OptimizerTest.test_get_method": "asks which class keras.optimizers.get makes of a name: Keras' own",
    "OptimizerTest.test_optimizer_auto_naming": "asks for the names that Keras gives: a Proximal is called proximal",
    "NadamTest.test_build_with_empty_var_list": "reads Nadam's private _u_product, which is in the inner optimizer",
    "OptimizerTest.test_mixed_with_tf_variables": "trains a tf.Variable, which has no path: a plan is for Keras' own",
}
"""Test -> reason."""
ZEROS_STAY = "OptimizerTest.test_ema"
"""Where averages overwrite a weight that is exactly 0, it stays 0 under a penalty that acts."""


def around(kind, mode):
    def made(*args, **more):
        return Proximal(kind(*args, **more), **MODES[mode])

    return made


def patched(module, mode):
    """Put wrapped optimizers in the place of Keras' in one of its test modules; return what was there."""
    before = dict(vars(module))
    for name in WRAPPED:
        if name in before:
            setattr(module, name, around(before[name], mode))
    if "optimizers" in before:
        names = {name: getattr(before["optimizers"], name) for name in dir(before["optimizers"])}
        names |= {name: around(names[name], mode) for name in WRAPPED}
        module.optimizers = SimpleNamespace(**names)
    return before


def all_tests():
    found = []
    for file in FILES:
        try:
            module = importlib.import_module(f"keras.src.optimizers.{file}_test")
        except ImportError:  # of absl or of anything else that Keras' tests need
            continue
        suite = unittest.defaultTestLoader.loadTestsFromModule(module)
        found += [(module, type(test).__name__, test._testMethodName) for cases in suite for test in cases]
    return [each for each in found if each[2] != "test_session"]


TESTS = all_tests()
SLOW_IN_JAX = "test_gradient_accumulation_with_weigth_decay"
"""Its steps are taken one operation at a time, each of which JAX compiles: of its optimizers one is for every run."""


def marks_of(name):
    slow = keras.backend.backend() == "jax" and name.startswith(SLOW_IN_JAX) and name != f"{SLOW_IN_JAX}2"
    return [pytest.mark.slow] if slow else []


IDS = [f"{kind}.{name}" for _, kind, name in TESTS]


def test_there_are_such_tests_and_few_are_left_out():
    if not TESTS:
        pytest.skip("Keras is installed without its tests, or without what they need")
    assert len(TESTS) >= 50
    assert len(EXCLUDED) + 1 <= 0.1 * len(TESTS)
    assert EXCLUDED.keys() <= set(IDS)


@pytest.mark.filterwarnings("default")  # Keras runs its tests with warnings as warnings
@pytest.mark.parametrize("mode", ["free", pytest.param("acting", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("module", "kind", "name"),
    [pytest.param(*test, marks=marks_of(test[2])) for test in TESTS],
    ids=IDS,
)
def test_of_keras(module, kind, name, mode):
    if f"{kind}.{name}" in EXCLUDED:
        pytest.skip(EXCLUDED[f"{kind}.{name}"])
    if (f"{kind}.{name}", mode) == (ZEROS_STAY, "acting"):
        pytest.skip("a weight is exactly 0 there when averages overwrite it, and stays 0 under a penalty in force")
    for mark in getattr(getattr(getattr(module, kind), name), "pytestmark", []):
        if mark.name == "skipif" and mark.args[0]:
            pytest.skip(mark.kwargs.get("reason", "Keras skips it on this backend"))
    before = patched(module, mode)
    try:
        result = unittest.TestResult()
        getattr(module, kind)(name).run(result)
    finally:
        vars(module).update(before)
    problems = [text for _, text in (*result.failures, *result.errors)]
    assert not problems, problems[0]
    if result.skipped:
        pytest.skip(result.skipped[0][1])
