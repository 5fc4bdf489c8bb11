"""The sorted L1 norm: its formulas by brute force, its limits, and what it refuses."""

from itertools import permutations

import numpy as np
import pytest
from cases import ARRAY_LIBRARIES, array_library, back, convert
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, SortedL1, bh_weights

vector = arrays(np.float64, 4, elements=st.floats(-5, 5).map(lambda x: round(x, 3)))
falling = arrays(np.float64, 4, elements=st.floats(0.01, 2)).map(lambda x: np.sort(x)[::-1])


@given(w=vector, lam=falling)
def test_the_value_is_the_largest_over_orders_and_the_conjugate_its_polar(w, lam):
    g = SortedL1(0.7, lam)
    sizes = [0.7 * float(np.dot(lam[list(order)], np.abs(w))) for order in permutations(range(4))]
    assert float(g.value(w)) == pytest.approx(max(sizes))
    if w.any():
        # The vertices of the dual ball are the orders of the weights, of any signs.
        z = 0.7 * lam[[2, 0, 3, 1]] * np.array([1, -1, 1, -1])
        assert float(g.conjugate(z * (1 - 1e-12))) == 0
        assert np.isinf(g.conjugate(z * 1.001))


@given(v=vector, lam=falling, step=st.floats(0.1, 3.0))
def test_the_prox_keeps_order_and_signs_and_ties_what_would_pass(v, lam, step):
    w = SortedL1(0.7, lam).prox(v, step)
    order = np.argsort(-np.abs(v), kind="stable")
    assert (np.diff(np.abs(w[order])) <= 0).all()
    assert (w * v >= 0).all()
    assert np.abs(w).sum() <= np.abs(v).sum()


@given(v=vector)
def test_equal_weights_are_the_lasso(v):
    g, lasso = SortedL1(0.7, [0.5] * 4), L1(0.35)
    assert g.prox(v, 1.3) == pytest.approx(lasso.prox(v, 1.3), abs=1e-12)
    assert float(g.value(v)) == pytest.approx(float(lasso.value(v)))
    assert float(g.dual_scale(v + 1e-3)) >= float(lasso.dual_scale(v + 1e-3)) - 1e-12


@pytest.mark.parametrize("library", ARRAY_LIBRARIES)
def test_every_array_library_agrees(library):
    xp = array_library(library)
    g = SortedL1(0.7, bh_weights(6, 0.2), np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0]))
    theirs = SortedL1(0.7, bh_weights(6, 0.2), convert(g.factors, xp))
    v = np.array([1.5, -0.2, 4.0, 0.0, 3.9, -2.7])
    for name, arguments in {"value": (v,), "prox": (v, 0.5), "violation": (v, v), "dual_scale": (v,)}.items():
        mine = getattr(g, name)(*arguments)
        answer = getattr(theirs, name)(*(convert(x, xp) if isinstance(x, np.ndarray) else x for x in arguments))
        assert np.allclose(back(answer), mine, rtol=1e-14, atol=0), name


def test_weights_of_benjamini_and_hochberg_fall_and_control_orthogonal_discoveries():
    lam = np.array(bh_weights(200, 0.1))
    assert (np.diff(lam) < 0).all()
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        means = np.where(np.arange(200) < 10, 5.0, 0.0)
        chosen = np.flatnonzero(SortedL1(1.0, lam).prox(means + rng.normal(size=200), 1.0))
        shares.append((chosen >= 10).mean() if chosen.size else 0.0)
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(200)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SortedL1(1.0, [1.0, 2.0]), "weights must fall and be >= 0; position 1 is 2.0 after 1.0"),
        (lambda: SortedL1(1.0, [1.0, -1.0]), "weights must fall and be >= 0; position 1"),
        (lambda: SortedL1(1.0, []), "weights must be falling numbers"),
        (lambda: SortedL1(1.0, [0.0]), "weights must be falling numbers"),
        (lambda: SortedL1(-1.0, [1.0]), "alpha must be >= 0"),
        (lambda: SortedL1(np.ones(2), [1.0]), "alpha of SortedL1 must be one number"),
        (lambda: SortedL1(1.0, [1.0, 1.0], np.array([1.0, 0.5])), "factors of SortedL1 must be 0 or 1"),
        (lambda: SortedL1(1.0, [1.0]).value(np.ones(2)), "as many as coefficients, 2; got 1"),
        (lambda: SortedL1(1.0, [1.0, 0.5]).prox(np.ones(2), np.ones(2)), "step of SortedL1 must be one number"),
        (lambda: SortedL1(1.0, [1.0]) + L1(1.0), "a sum with SortedL1"),
        (lambda: bh_weights(5, 1.0), "q must be above 0 and below 1"),
    ],
)
def test_what_is_of_another_form_is_refused(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()
