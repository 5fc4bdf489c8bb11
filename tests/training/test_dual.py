"""Dual averaging keeps its state in another form than the books; it is the same algorithm."""

import numpy as np
import pytest
from cases import array_library, back, convert

from shrinkage import L1, L1L2, L2, GroupL2
from shrinkage.training import dual_group_step, dual_step, one_step_per_group

LISTS = [[0, 5], [1, 2, 3], [7]]
PENALTIES = {
    "rows": GroupL2(0.3, axis=0),
    "one group": GroupL2(0.2, axis=()),
    "lists": GroupL2(0.3, groups=LISTS, weights=[1.0, 0.5, 2.0]),
    "sparse": L1(0.2, factors=np.linspace(0.0, 2.0, 8).reshape(4, 2)) + GroupL2(0.2, axis=0),
    "sparse lists": L1L2(0.3, l1_ratio=0.6) + GroupL2(0.2, groups=LISTS),
    "squares": L2(0.5) + GroupL2(0.3, axis=0),
}


def soft(z, limit):
    return np.sign(z) * np.maximum(np.abs(z) - limit, 0.0)


class Classical:
    """Dual averaging with z itself as the state, in the letters of the docstrings."""

    def __init__(self, w, groups, lams, l1, l2, memory):
        self.w, self.z, self.sum, self.memory = w.copy(), w.copy(), 0.0, memory
        self.groups, self.lams, self.l1, self.l2 = groups, lams, l1, l2

    def step(self, displacement, step):
        old = self.memory * self.sum
        # z = w + sign(w) Γ₁ + Γ w / ‖w‖ where w ≠ 0: there β acts on the thresholds alone.
        carried = np.where(self.w != 0, self.w + np.sign(self.w) * old * self.l1, self.memory * self.z)
        for group, lam in zip(self.groups, self.lams, strict=True):
            length = np.linalg.norm(self.w[group])
            if length > 0:
                carried[group] += old * lam * self.w[group] / length
        self.z, self.sum = carried + displacement, old + step
        y = soft(self.z, self.sum * self.l1)
        for group, lam in zip(self.groups, self.lams, strict=True):
            length = np.linalg.norm(y[group])
            y[group] *= max(1.0 - self.sum * lam / length, 0.0) if length > 0 else 0.0
        self.w = y / (1.0 + step * self.l2)
        return self.w


def groups_of(penalty):
    """Positions of each group and its strength."""
    group = getattr(penalty, "group", penalty)
    if group.groups is not None:
        members = [np.array(g) for g in group.groups]
    else:
        members = [np.arange(8)] if group.axis == () else list(np.arange(8).reshape(4, 2))
    if isinstance(group.weights, str):
        return members, [group.alpha * len(g) ** 0.5 for g in members]
    return members, [group.alpha * weight for weight in group.weights]


@pytest.mark.parametrize("memory", [1.0, 0.9])
@pytest.mark.parametrize("l2", [0.0, 0.4])
def test_a_step_is_the_classical_recursion(memory, l2):
    rng = np.random.default_rng(1)
    start = np.r_[np.zeros(10), rng.normal(size=30)]
    l1 = rng.random(40)
    w, z, gamma = start, np.zeros(40), np.zeros(40)
    book = Classical(start, [], [], l1, l2, memory)
    crossed = revived = died = 0
    for _ in range(300):
        step = rng.random()
        displacement = rng.normal(size=40) * rng.choice([0.3, 6.0])
        before = w
        w, z, gamma = dual_step(w, z, gamma, displacement, step * l1, step * l2, memory)
        expected = book.step(displacement, step)
        assert np.allclose(w, expected, rtol=1e-10, atol=1e-10)
        assert np.array_equal(w == 0, expected == 0)
        assert np.all((z == 0) | (w == 0))
        crossed += np.sum(before * w < 0)
        died += np.sum((before != 0) & (w == 0))
        revived += np.sum((before == 0) & (w != 0))
    assert min(crossed, revived, died) > 20


@pytest.mark.parametrize("memory", [1.0, 0.9])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_step_on_groups_is_the_classical_recursion(name, memory):
    penalty, rng = PENALTIES[name], np.random.default_rng(2)
    members, lams = groups_of(penalty)
    one = getattr(penalty, "elementwise", L1(0.0))
    strength = one.alpha * (np.ones(8) if one.factors is None else one.factors.ravel())
    start = rng.normal(size=8) * (np.arange(8) > 3)
    book = Classical(start, members, lams, strength * one.l1_ratio, strength * (1.0 - one.l1_ratio), memory)
    w, z, gammas = start.reshape(4, 2), np.zeros((4, 2)), (np.zeros((4, 2)), np.zeros((4, 2)))
    changed = 0
    for _ in range(400):
        step = rng.random()
        displacement = rng.normal(size=8) * rng.choice([0.1, 3.0])
        before = w
        w, z, gammas = dual_group_step(penalty, w, z, gammas, displacement.reshape(4, 2), step, memory)
        expected = book.step(displacement, step).reshape(4, 2)
        assert np.allclose(w, expected, rtol=1e-9, atol=1e-9)
        assert np.array_equal(w == 0, expected == 0)
        changed += np.sum((before != 0) != (w != 0))
    assert changed > 3


def test_groups_of_one_weight_step_as_weights_do():
    rng = np.random.default_rng(3)
    penalty = GroupL2(0.4, groups=[[k] for k in range(20)])
    w, z, gamma = rng.normal(size=20), np.zeros(20), np.zeros(20)
    v, y, gammas = w, z, (0.0, gamma)
    for _ in range(200):
        displacement = rng.normal(size=20)
        w, z, gamma = dual_step(w, z, gamma, displacement, 0.4 * 0.5, 0.0, 0.95)
        v, y, gammas = dual_group_step(penalty, v, y, gammas, displacement, 0.5, 0.95)
        assert np.allclose(v, w, rtol=1e-12, atol=1e-12)
        assert np.allclose(y, z, rtol=1e-12, atol=1e-12)
        assert np.allclose(gammas[1], gamma, rtol=1e-14)


def test_a_step_of_length_zero_changes_nothing():
    w, z, gamma = np.array([0.3, 0.0, -2.0]), np.array([0.0, 0.7, 0.0]), np.array([1.0, 2.0, 3.0])
    after = dual_step(w, z, gamma, 0.0 * w, 0.0, 0.0, 1.0)
    assert all(np.array_equal(one, other) for one, other in zip(after, (w, z, gamma), strict=True))
    w, z = np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [0.5, -0.5]])
    gamma = np.array([[5.0, 5.0], [1.0, 1.0]])
    after = dual_group_step(GroupL2(1.0, axis=0), w, z, (0.0, gamma), 0.0 * w, 0.0, 1.0)
    assert np.allclose(after[0], w, rtol=1e-15)
    assert np.array_equal(after[1], z)
    assert np.array_equal(after[2][1], gamma)


@pytest.mark.parametrize("kind", ["weights", "groups"])
def test_a_huge_threshold_costs_no_digits_in_single_precision(kind):
    """After 100,000 units of threshold, steps of 1e-4 still count; z itself, in float32, would lose them."""
    rng = np.random.default_rng(4)
    start, big = rng.normal(size=(4, 2)) + 3.0, 1e5
    moves = 1e-4 * rng.normal(size=(50, 4, 2))

    def train(dtype):
        w, z, gamma = start.astype(dtype), np.zeros((4, 2), dtype), np.full((4, 2), big, dtype)
        for move in moves.astype(dtype):
            if kind == "weights":
                w, z, gamma = dual_step(w, z, gamma, move, dtype(1e-5), dtype(0.0))
            else:
                penalty = GroupL2(1.0, axis=0, weights="ones")
                w, z, (_, gamma) = dual_group_step(penalty, w, z, (0.0, gamma), move, 1e-5)
        assert w.dtype == dtype
        return w

    exact = train(np.float64)
    assert np.abs(exact - start).max() > 1e-4
    assert np.abs(train(np.float32) - exact).max() < 5e-5
    assert np.spacing(np.float32(big)) > 5e-3  # what z would be rounded to


@pytest.mark.parametrize("library", ["torch", "array_api_strict"])
@pytest.mark.parametrize("name", PENALTIES)
def test_array_libraries_agree(name, library):
    xp = array_library(library)
    rng = np.random.default_rng(5)
    w = rng.normal(size=(4, 2)) * [[1.0], [0.0], [1.0], [0.0]]
    z = np.where(w == 0, rng.normal(size=(4, 2)), 0.0)
    gammas = (np.full((4, 2), 0.1), np.full((4, 2), 0.2))
    displacement, step = rng.normal(size=(4, 2)), rng.random((4, 2)) + 0.1

    def results(*arrays):
        w, z, gamma1, gamma, displacement, step = arrays
        common = one_step_per_group(PENALTIES[name], displacement, step)
        new, dual, grown = dual_group_step(PENALTIES[name], w, z, (gamma1, gamma), *common, 0.9)
        return [*common, new, dual, *grown, *dual_step(w, z, gamma, displacement, step, 0.1, 0.9)]

    arrays = (w, z, *gammas, displacement, step)
    theirs = results(*(convert(x, xp) for x in arrays))
    for mine, other in zip(results(*arrays), theirs, strict=True):
        assert np.allclose(mine, back(other), rtol=1e-12, atol=1e-14)


def test_the_metric_of_a_group_is_the_root_mean_square_of_its_weights():
    d = np.array([[1.0, 7.0], [2.0, 2.0], [1e-20, 1e-18], [3e18, 4e18]], dtype=np.float32)
    displacement, step = one_step_per_group(
        GroupL2(1.0, axis=0), (-0.1 / d).astype(np.float32), (0.1 / d).astype(np.float32)
    )
    common = np.sqrt(np.mean(d.astype(float) ** 2, axis=1, keepdims=True))
    assert np.allclose(step, 0.1 / common + 0.0 * d, rtol=1e-6)
    assert np.allclose(displacement, -0.1 / common + 0.0 * d, rtol=1e-6)


def test_weights_in_no_group_and_steps_of_zero_keep_their_metric():
    g = GroupL2(1.0, groups=[[0, 1], [2, 3]])
    displacement, step = np.array([1.0, 2.0, 0.0, 0.0, 5.0]), np.array([0.1, 0.3, 0.0, 0.0, 0.7])
    moved, lengths = one_step_per_group(g, displacement, step)
    assert lengths[0] == lengths[1]
    assert np.array_equal(moved[2:], displacement[2:])
    assert np.array_equal(lengths[2:], step[2:])
