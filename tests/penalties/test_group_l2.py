"""Penalties on groups: what a group is, that it leaves together, and exactness in hard metrics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, L1L2, L2, MCP, GroupL2, SparseGroup
from shrinkage.training import resolve
from shrinkage.training._plan import Facts

EPS = {np.float64: 2.3e-16, np.float32: 1.2e-7}
seven = arrays(np.float64, 7, elements=st.floats(-5, 5, allow_subnormal=False).map(lambda x: round(x, 5)))
steps_of_seven = arrays(np.float64, 7, elements=st.floats(0.01, 10.0))
GROUPS = [[4, 0, 2], [1], [6, 3]]


def same(one, other):
    return np.allclose(one, other, rtol=1e-13, atol=1e-13)


@given(v=seven, step=steps_of_seven, alpha=st.floats(0.0, 3.0))
def test_groups_of_one_are_the_lasso(v, step, alpha):
    for g in (GroupL2(alpha, groups=[[j] for j in range(7)]), GroupL2(alpha, axis=0, weights="ones")):
        assert same(g.value(v), L1(alpha).value(v))
        assert same(g.prox(v, 0.7), L1(alpha).prox(v, 0.7))
        assert same(g.prox(v, step), L1(alpha).prox(v, step))
        assert same(g.violation(v, step), L1(alpha).violation(v, step))
        assert same(g.dual_scale(v), L1(alpha).dual_scale(v))


@given(v=seven, step=steps_of_seven, alpha=st.floats(0.0, 3.0))
def test_a_group_leaves_together_and_when_its_scaled_length_reaches_its_strength(v, step, alpha):
    g = GroupL2(alpha, groups=GROUPS)
    for t in (step, 0.7):
        left = g.prox(v, t)
        for group in GROUPS:
            length, strength = np.linalg.norm((v / t)[group]), alpha * np.sqrt(len(group))
            if length <= strength * (1 - 1e-12):
                assert not left[group].any()
            elif length > strength * (1 + 1e-12):
                assert np.array_equal(left[group] != 0, v[group] != 0)
        assert left[5] == v[5]


@given(v=seven, step=steps_of_seven, order=st.permutations(range(7)))
def test_renaming_the_coefficients_renames_the_result(v, step, order):
    order = np.array(order)
    place = np.argsort(order)
    weights = [1.0, 0.5, 2.0]
    g = GroupL2(0.8, groups=GROUPS, weights=weights)
    renamed = GroupL2(0.8, groups=[[int(place[j]) for j in group] for group in GROUPS], weights=weights)
    assert same(renamed.prox(v[order], step[order]), g.prox(v, step)[order])
    assert same(renamed.norms(v[order]), g.norms(v))
    shuffled = GroupL2(0.8, groups=GROUPS[::-1], weights=weights[::-1])
    assert same(shuffled.prox(v, step), g.prox(v, step))
    assert same(shuffled.norms(v), g.norms(v)[::-1])


@pytest.mark.parametrize("axis", [0, 1, 2, -1, (0, 2), (2, 0), (0, 1, 2), ()])
def test_an_axis_is_the_index_lists_that_it_means(axis):
    rng = np.random.default_rng(0)
    shape = (3, 4, 2)
    w, z, step = rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0.1, 3.0, size=shape)
    kept = [a % 3 for a in ((axis,) if isinstance(axis, int) else axis)]
    index = np.arange(24).reshape(shape)
    moved = index.transpose(sorted(kept) + [a for a in range(3) if a not in kept])
    lists = moved.reshape(int(np.prod([shape[a] for a in kept])), -1).tolist()
    weights = rng.uniform(size=len(lists))
    for omega in ("sqrt", "ones", weights):
        by_axis, by_lists = GroupL2(0.6, axis=axis, weights=omega), GroupL2(0.6, groups=lists, weights=omega)
        assert same(by_axis.norms(w), by_lists.norms(w))
        assert by_axis.norms(w).shape == (len(lists),)
        assert same(by_axis.value(w), by_lists.value(w))
        for t in (0.5, step):
            assert same(by_axis.prox(w, t), by_lists.prox(w, t))
        assert same(by_axis.violation(w, z), by_lists.violation(w, z))
        assert same(by_axis.dual_scale(z), by_lists.dual_scale(z))


def test_each_group_of_an_axis_can_have_its_own_strength():
    w = np.random.default_rng(0).normal(size=(3, 4))
    alphas = np.array([0.0, 0.5, 9.0])
    rows = GroupL2(alphas[:, None], axis=0).prox(w, 0.7)
    lists = GroupL2(alphas, groups=np.arange(12).reshape(3, 4)).prox(w, 0.7)
    assert same(rows, lists)
    assert same(rows, np.stack([GroupL2(float(a), axis=()).prox(row, 0.7) for a, row in zip(alphas, w, strict=True)]))
    assert not rows[2].any()


def misses(v, step, lam, u):
    """The optimality condition of each group that stays, in units of the terms that must cancel, in float64."""
    v, step, u = (np.asarray(x, dtype=np.float64) for x in (v, step, u))
    length = np.linalg.norm(u, axis=1)
    alive = length > 0
    pull = np.asarray(lam, dtype=np.float64)[alive, None] * u[alive] / length[alive, None]
    return np.abs((v - u)[alive] / step[alive] - pull) / (np.abs(v) / step)[alive]


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("spread", [0.0, 3.0, 6.0])
@pytest.mark.parametrize("size", [1, 2, 10, 1000])
def test_the_prox_is_right_to_rounding_in_metrics_of_many_magnitudes(dtype, spread, size):
    rng = np.random.default_rng(0)
    step = np.exp(spread * rng.normal(size=(50, size))).astype(dtype)
    for power, unit in ((0.0, 1.0), (1.0, 1.0), (0.5, 1.0), (0.0, 1e-10), (0.0, 1e12)):
        v = (unit * rng.normal(size=step.shape) * step**power).astype(dtype)
        edge = np.linalg.norm((v / step).astype(np.float64), axis=1)
        for fraction in (1e-6, 0.03, 0.3, 0.5, 0.9, 1 - 1e-5, 1.001):
            lam = (fraction * edge).astype(dtype)
            u = GroupL2(1.0, axis=0, weights=lam).prox(v, step)
            assert u.dtype == dtype
            assert ((np.linalg.norm(u.astype(np.float64), axis=1) > 0) == (fraction < 1)).all()
            assert misses(v, step, lam, u).max(initial=0.0) <= 40 * EPS[dtype]


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e30])
def test_no_number_is_lost_where_groups_strengths_or_steps_are_zero_or_extreme(dtype, unit):
    v = (unit * np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0], [1.0, 1e-8]])).astype(dtype)
    for step in (0.0, 1e-30, 1.0, 1e6):
        for steps in (step, np.array([step, 2 * step], dtype=dtype), np.array([0.0, step], dtype=dtype)):
            for alpha in (0.0, 1e-30, 1.0, 1e6):
                u = GroupL2(alpha, axis=0).prox(v, steps)
                assert np.isfinite(u).all()
                assert (np.abs(u) <= np.abs(v)).all()
                if alpha == 0 or step == 0:
                    assert np.array_equal(u, v)


@given(v=seven, step=steps_of_seven)
def test_a_sparse_group_with_one_part_of_strength_zero_is_its_other_part(v, step):
    group, lasso = GroupL2(0.8, groups=GROUPS), L1L2(0.6, 0.4)
    for total, part in ((0.0 * lasso + group, group), (lasso + 0.0 * group, lasso)):
        z = v * float(part.dual_scale(v)) * (1 - 1e-14)
        assert same(total.value(v), part.value(v))
        assert same(total.prox(v, step), part.prox(v, step))
        assert same(total.violation(v, step), part.violation(v, step))
        free = total.unpenalized(v)
        assert same(total.dual_scale(np.where(free, 0.0, v)), part.dual_scale(v))
        assert same(total.conjugate(np.where(free, 0.0, z)), part.conjugate(np.where(free, 0.0, z)))


def test_sums_with_a_group_penalty_are_what_they_mean():
    group = GroupL2(0.5, groups=GROUPS)
    assert group + 2 * group == GroupL2(1.5, groups=GROUPS)
    assert GroupL2(0.5, axis=0) + GroupL2(0.25, axis=0) == GroupL2(0.75, axis=0)
    total = L1(0.2) + group + L2(0.3) + group
    assert total == SparseGroup(L1(0.2) + L2(0.3), 2 * group)
    assert group + L1(0.2) == L1(0.2) + group
    assert (2 * total).alpha == 2 * total.alpha == pytest.approx(3.0)
    half = total.with_alpha(0.75)
    assert (half.elementwise.alpha, half.group.alpha) == pytest.approx((0.25, 0.5))
    assert total.with_alpha(0.0).with_alpha(1.5).group.alpha == pytest.approx(1.0)
    assert total + total == 2 * total


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GroupL2(1.0), "exactly one of groups and axis; got neither"),
        (lambda: GroupL2(1.0, groups=[[0]], axis=0), "exactly one of groups and axis; got groups and axis=0"),
        (lambda: GroupL2(1.0, groups=[[0, 1], [1]]), "disjoint; position 1 is in group 0 and in group 1"),
        (lambda: GroupL2(1.0, groups=[[0, 0]]), "disjoint; position 0"),
        (lambda: GroupL2(1.0, groups=[]), "at least one group"),
        (lambda: GroupL2(1.0, groups=[[0], []]), "group 1 holds no position"),
        (lambda: GroupL2(1.0, groups=[[-1]]), "whole numbers >= 0; group 0 holds -1"),
        (lambda: GroupL2(1.0, groups=[[0.5]]), r"whole numbers >= 0; group 0 is \[0.5\]"),
        (lambda: GroupL2(1.0, groups=[0, 1]), "sequence of sequences of positions; group 0 is 0"),
        (lambda: GroupL2(1.0, groups="rows"), "sequence of sequences of positions; got 'rows'"),
        (lambda: GroupL2(1.0, axis="rows"), "axis must be an integer or a tuple of integers; got 'rows'"),
        (lambda: GroupL2(1.0, axis=True), "axis must be an integer"),
        (lambda: GroupL2(1.0, axis=(0, 0)), "axis must not repeat"),
        (lambda: GroupL2(1.0, axis=0, weights="size"), "weights must be one of 'sqrt', 'ones'; got 'size'"),
        (lambda: GroupL2(1.0, axis=0, weights=2.0), "weights must be 'sqrt', 'ones', or one number per group; got 2.0"),
        (lambda: GroupL2(1.0, axis=0, weights=[1.0, -1.0]), "weights must be >= 0 and finite; got -1.0"),
        (lambda: GroupL2(1.0, axis=0, weights=["a"]), "weights must hold numbers >= 0; got 'a'"),
        (lambda: GroupL2(1.0, axis=0, weights=np.zeros(2)), "weights must hold at least one number > 0"),
        (lambda: GroupL2(1.0, groups=[[0, 7]]).prox(np.ones(3), 1.0), r"below 3, .* of shape \(3,\); got 7"),
        (lambda: GroupL2(1.0, axis=1).value(np.ones(3)), r"axis must be between -1 and 0 for .*\(3,\); got 1"),
        (lambda: GroupL2(1.0, axis=(0, -2)).value(np.ones((3, 2))), r"twice; got \(0, -2\)"),
        (lambda: GroupL2(1.0, axis=0, weights=[1.0]).value(np.ones(3)), r"one number for each of 3 .*\(1,\)"),
        (lambda: GroupL2(np.ones(3), groups=[[0], [1]]).value(np.ones(2)), r"norms of 2 groups; got shape \(3,\)"),
        (lambda: GroupL2(1.0, axis=0) + GroupL2(1.0, axis=1), "only if both have the same groups"),
        (lambda: GroupL2(1.0, axis=0) + GroupL2(1.0, axis=0, weights="ones"), "only if both have the same weights"),
        (lambda: GroupL2(1.0, axis=0) + MCP(1.0), "MCP, which is not convex"),
        (lambda: L1(np.ones(3)) + GroupL2(1.0, axis=0), "needs numbers as strengths"),
        (lambda: SparseGroup(GroupL2(1.0, axis=0), L1(1.0)), "elementwise must be L1, L2 or L1L2"),
        (lambda: (L1(0.0) + GroupL2(0.0, axis=0)).with_alpha(1.0), "does not say how its parts share"),
        (lambda: -1 * (L1(0.1) + GroupL2(0.1, axis=0)), "multiplied by a finite number >= 0; got -1"),
    ],
)
def test_what_is_no_grouping_is_refused_in_a_sentence(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_what_is_no_penalty_is_not_added():
    for g in (GroupL2(1.0, axis=0), L1(1.0) + GroupL2(1.0, axis=0), MCP(1.0)):
        with pytest.raises(TypeError):
            g + 3
        with pytest.raises(TypeError):
            g * "2"


@pytest.mark.parametrize("axis", [0, 1, (0, 2), (2, 1), ()])
def test_one_strength_for_each_group_is_each_group_at_its_strength(axis):
    """Counted in C order, however the norms lie; also where two axes have one length."""
    draw = np.random.default_rng(0)
    v, step = draw.normal(size=(3, 3, 2)), draw.uniform(0.5, 2.0, size=(3, 3, 2))
    axes = axis if isinstance(axis, tuple) else (axis,)
    alone = np.ix_(*[range(v.shape[a]) if a in axes else [0] for a in range(3)])
    shape = np.zeros((3, 3, 2))[alone].shape
    alpha = np.linspace(0.1, 0.9, int(np.prod(shape)))
    for strengths in (alpha, alpha.reshape(shape)):
        g = GroupL2(strengths, axis=axis)
        for h in (0.7, step):
            expected = np.empty_like(v)
            for number, place in enumerate(np.ndindex(shape)):
                members = tuple(k if a in axes else slice(None) for a, k in enumerate(place))
                expected[members] = GroupL2(alpha[number], axis=axis).prox(v, h)[members]
            assert np.allclose(g.prox(v, h), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("penalty", "shape"),
    [
        (GroupL2(np.ones(4), axis=0), (3, 4)),
        (GroupL2(np.ones((3, 4)), axis=0), (3, 4)),
        (GroupL2(np.ones((1, 3)), axis=0), (3, 4)),
        (GroupL2(np.ones(2), axis=(0, 1)), (3, 4)),
        (GroupL2(np.ones(3), groups=[[0], [1, 2]]), (3, 4)),
        (GroupL2(0.1, axis=(0, -2)), (3, 4)),
    ],
)
def test_strengths_for_other_groups_are_refused_by_the_penalty_and_by_the_plan(penalty, shape):
    with pytest.raises(ArgumentError, match=r"alpha|axis"):
        penalty.prox(np.ones(shape), 1.0)
    with pytest.raises(ArgumentError, match=r"does not fit: its (alpha|groups)"):
        resolve([Facts("w", shape, 12, "linear", "Linear weight")], penalty)


@pytest.mark.parametrize(
    "penalty",
    [
        GroupL2(np.ones(3), axis=0),
        GroupL2(np.ones((3, 1)), axis=0),
        GroupL2(np.ones(1), axis=0),
        GroupL2(np.ones(2), groups=[[0], [1, 2]]),
        L1(0.1) + GroupL2(0.2, axis=-1),
    ],
)
def test_what_the_plan_takes_the_penalty_takes(penalty):
    (row,) = resolve([Facts("w", (3, 4), 12, "linear", "Linear weight")], penalty).rows
    assert row.penalty.prox(np.ones((3, 4)), 1.0).shape == (3, 4)
