"""Sums and multiples of penalties are penalties, or are refused in a sentence."""

from operator import add, mul

import numpy as np
import pytest

from shrinkage import penalties
from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, L1L2, L2

F = np.array([0.0, 1.0, 2.0])
W = np.array([0.5, -2.0, 3.0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (L1(0.3), L1(0.4)),
        (L2(0.3, F), L2(0.4, F)),
        (L1(0.3), L2(0.4)),
        (L2(0.3, F), L1(0.4, F.copy())),
        (L1L2(0.3, 0.2), L1(0.4)),
        (L1L2(0.3, 0.2, F), L1L2(0.5, 0.9, F)),
        (L1L2(0.3, 1.0), L1(0.2)),
        (L1(0.3, F), L1(0.4)),
        (L2(0.3, F), L2(0.4, F[::-1].copy())),
        (L1(0.0), L2(0.0)),
        (L1(np.array([0.1, 0.2, 0.3])), L1(0.5)),
    ],
)
def test_the_sum_is_the_sum_of_the_values_and_its_prox_minimizes_it(one, other):
    total = one + other
    assert float(total.value(W)) == pytest.approx(float(one.value(W) + other.value(W)))
    best = total.prox(W, 0.7)
    away = np.random.default_rng(0).normal(size=(200, 3))

    def objective(u):
        return 0.7 * float(one.value(u) + other.value(u)) + 0.5 * np.sum((u - W) ** 2)

    assert all(objective(best) <= objective(best + u) + 1e-12 for u in np.r_[away, 1e-3 * away])


def test_a_sum_keeps_the_name_of_what_it_is():
    assert L1(1.0) + L1(0.5) == L1(1.5)
    assert L2(1.0) + L2(0.5) == L2(1.5)
    assert L1(3.0) + L2(1.0) == L1L2(4.0, 0.75)
    assert 2 * L1L2(0.5, 0.3) == L1L2(0.5, 0.3) * 2.0 == L1L2(1.0, 0.3)


def test_a_sum_without_a_closed_form_is_refused():
    with pytest.raises(ArgumentError, match="different factors"):
        add(L1(1.0, F), L2(1.0))
    with pytest.raises(ArgumentError, match="different l1_ratio needs numbers"):
        add(L1(np.ones(3)), L2(1.0))
    with pytest.raises(ArgumentError, match="multiplied by a finite number >= 0; got -1"):
        mul(-1, L1(1.0))
    with pytest.raises(TypeError):
        add(L1(1.0), 3)
    with pytest.raises(TypeError):
        mul(L1(1.0), "2")


def test_the_ends_of_the_elastic_net_are_lasso_and_ridge():
    for name, arguments in (("value", (W,)), ("prox", (W, 0.4)), ("conjugate", (0.1 * W,)), ("dual_scale", (W,))):
        for end, ratio in ((L1, 1.0), (L2, 0.0)):
            ours = getattr(end(0.5), name)(*arguments)
            assert np.array_equal(ours, getattr(L1L2(0.5, ratio), name)(*arguments)), (name, end)


def test_a_penalty_cannot_be_changed():
    g = L1(1.0)
    with pytest.raises(AttributeError):
        g.alpha = 2.0
    assert g.with_alpha(2.0) == L1(2.0)
    assert g == L1(1.0)


def test_the_elementwise_convex_penalties_have_a_compiled_twin_by_name_and_no_other_has():
    with_a_twin = {kind for kind in penalties.ALL if hasattr(kind, "kernel")}
    assert with_a_twin == {L1, L2, L1L2}
    assert all(isinstance(penalty(0.1), penalties.HasKernel) for penalty in with_a_twin)
