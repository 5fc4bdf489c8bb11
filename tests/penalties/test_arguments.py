"""What a penalty refuses, and how it says so."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from shrinkage._errors import ArgumentError, ShrinkageError
from shrinkage.penalties import ALL, L1, L1L2, L2, MCP, SCAD, GroupL2, SparseGroup

MADE_BY_STRENGTH = [partial(GroupL2, axis=0) if kind is GroupL2 else kind for kind in ALL if kind is not SparseGroup]
ELEMENTWISE = [kind for kind in ALL if kind not in (GroupL2, SparseGroup)]


@pytest.mark.parametrize("penalty", MADE_BY_STRENGTH)
@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        (-0.1, r"alpha must be >= 0 and finite; got -0\.1"),
        (float("nan"), "alpha must be >= 0 and finite; got nan"),
        (float("inf"), "alpha must be >= 0 and finite; got inf"),
        (np.array([0.1, -2.0]), r"alpha must be >= 0 and finite; got -2\.0 at position 1"),
        (np.array(["a"]), "alpha must hold real numbers"),
        ("strong", "alpha must be a number >= 0"),
        (None, "alpha must be a number >= 0"),
    ],
)
def test_a_strength_below_zero_is_refused(penalty, alpha, message):
    with pytest.raises(ArgumentError, match=message):
        penalty(alpha)


@pytest.mark.parametrize("penalty", ELEMENTWISE)
@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (np.zeros(2), "all are 0"),
        (np.array([1.0, -1.0]), r"factors must be >= 0 and finite; got -1\.0 at position 1"),
        (np.array([1.0, np.nan]), "got nan at position 1"),
        (2.0, "factors must be None or an array"),
    ],
)
def test_factors_that_say_nothing_are_refused(penalty, factors, message):
    with pytest.raises(ArgumentError, match=message):
        penalty(0.1, factors=factors)


@pytest.mark.parametrize("l1_ratio", [-0.1, 1.1, float("nan"), "half", True, None])
def test_a_mixing_outside_the_unit_interval_is_refused(l1_ratio):
    with pytest.raises(ArgumentError, match="l1_ratio must be between 0 and 1; got"):
        L1L2(0.1, l1_ratio)


def test_our_refusals_are_value_errors_and_ours():
    for kind in (ValueError, ShrinkageError):
        with pytest.raises(kind):
            L1(-1.0)


def test_the_type_of_the_coefficients_is_kept_and_whole_numbers_become_floats():
    factors = np.array([0.5, 1.0])
    assert L1(0.5, factors).prox(np.ones(2, dtype=np.float32), 1.0).dtype == np.float32
    assert L1(np.float64(0.5)).prox(np.ones(2, dtype=np.float32), np.full(2, 0.5)).dtype == np.float32
    assert L2(1.0).prox(np.array([1, 2]), 1).tolist() == [0.5, 1.0]


def test_the_prox_of_the_lasso_gives_exact_zeros():
    assert np.count_nonzero(L1(0.1).prox(np.linspace(-0.1, 0.1, 101), 1.0)) == 0


@pytest.mark.parametrize("penalty", MADE_BY_STRENGTH)
@pytest.mark.parametrize("alpha", [np.float32(0.25), np.float64(0.25), np.array(0.25), Fraction(1, 4), np.int64(2)])
def test_a_strength_that_is_one_number_becomes_one_of_python(penalty, alpha):
    for g in (penalty(alpha), penalty(1.0).with_alpha(alpha)):
        assert type(g.alpha) is float
        assert g.alpha == alpha


def test_the_numbers_of_a_penalty_beside_its_strength_become_pythons():
    assert type(L1L2(0.1, np.float32(0.5)).l1_ratio) is float
    assert type(MCP(0.1, np.float32(2.5)).gamma) is type(SCAD(0.1, np.int64(3)).gamma) is float
    assert type((L1(np.float32(0.5)) + GroupL2(np.array(0.25), axis=0)).alpha) is float


def test_a_tensor_as_a_strength_becomes_a_number_unless_a_gradient_flows_through_it():
    torch = pytest.importorskip("torch")
    assert type(L1(torch.tensor(0.5)).alpha) is float
    alpha = torch.tensor(0.5, requires_grad=True)
    L1(alpha).value(torch.tensor([1.0, -2.0])).backward()
    assert alpha.grad == 3.0
    assert L1(np.array([0.5])).alpha.shape == (1,)
