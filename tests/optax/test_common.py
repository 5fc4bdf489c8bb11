"""optax's own tests of contributed optimizers, from its wheel, with ours appended to its table."""

import importlib.util
import unittest
from functools import cache
from pathlib import Path

import pytest

optax = pytest.importorskip("optax")
pytest.importorskip("absl", reason="optax's own tests are written with absl-py")

import shrinkage.optax  # noqa: E402
from shrinkage.penalties import L1, L1L2, L2, MCP, GroupL2  # noqa: E402

ONE = [{"opt_name": "prox_adam", "opt_kwargs": {"learning_rate": 1e-2, "penalty": L1(1e-4)}}]
OTHERS = [
    {"opt_name": "prox_adam", "opt_kwargs": {"learning_rate": 1e-2, "penalty": GroupL2(1e-4, axis=0)}},
    {"opt_name": "prox_adam", "opt_kwargs": {"learning_rate": 1e-2, "penalty": MCP(1e-4), "nesterov": True}},
    {"opt_name": "prox_sgd", "opt_kwargs": {"learning_rate": 1e-3, "penalty": L1L2(1e-4)}},
    {"opt_name": "prox_sgd", "opt_kwargs": {"learning_rate": 1e-4, "penalty": L2(1e-4), "momentum": 0.9}},
    {"opt_name": "dual_adam", "opt_kwargs": {"learning_rate": 1e-2, "penalty": L1(1e-4)}},
    {"opt_name": "dual_adam", "opt_kwargs": {"learning_rate": 1e-2, "penalty": GroupL2(1e-4, axis=0)}},
]
TABLE = "for optimizer in _MAIN_OPTIMIZERS_UNDER_TEST:"
WRAPPED = "# Testing contributions coded as wrappers"


@cache
def _tests_of(several):
    """The class of optax's tests with our rows in its table: its file, run with the table of others replaced."""
    spec = importlib.util.find_spec("optax.contrib._common_test")
    if spec is None or spec.origin is None:
        pytest.skip("this optax ships without its tests")
    source = Path(spec.origin).read_text(encoding="utf-8")
    assert source.count(TABLE) == 1
    source = source.replace(TABLE, f"_MAIN_OPTIMIZERS_UNDER_TEST = [dict(row) for row in OURS]\n{TABLE}")
    start, end = source.index(WRAPPED), source.index("# Adding here instantiations of wrappers")
    source = source[:start] + source[end:].replace("for base_opt in _BASE_OPTIMIZERS", "for base_opt in ()", 1)
    found = {"__name__": "optax_common_test", "OURS": OTHERS if several else ONE}
    exec(compile(source, spec.origin, "exec"), found)
    theirs = found["_get_opt_factory"]
    found["_get_opt_factory"] = lambda name: getattr(shrinkage.optax, name, None) or theirs(name)
    return found["ContribTest"]


def _names(several):
    return unittest.TestLoader().getTestCaseNames(_tests_of(several))


def _check(several, name):
    result = unittest.TestResult()
    _tests_of(several)(name).run(result)
    problems = [text for _, text in (*result.failures, *result.errors)]
    assert not problems, "\n".join(problems)
    assert result.testsRun == 1
    assert not result.skipped


@pytest.mark.parametrize("name", _names(several=False))
def test_optax_tests_of_its_optimizers_hold_for_ours(name):
    _check(False, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", _names(several=True))
def test_optax_tests_of_its_optimizers_hold_for_all_of_ours(name):
    _check(True, name)
