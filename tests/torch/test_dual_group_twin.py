"""The compiled dual averaging of groups is the formula of `shrinkage.training`."""

import pytest

torch = pytest.importorskip("torch")

from shrinkage import L1, L1L2, L2, GroupL2  # noqa: E402
from shrinkage.torch import DualAdam, DualSGD  # noqa: E402
from shrinkage.torch._group_prox import dual_group_step_  # noqa: E402
from shrinkage.training import dual_group_step, one_step_per_group  # noqa: E402

TYPES = [torch.float32, torch.float64]
LAYOUTS = [
    ((33, 70), 0),
    ((33, 70), -1),
    ((33, 70), ()),
    ((33, 70), (1, 0)),
    ((5,), 0),
    ((), ()),
    ((9, 6, 3, 3), 0),
    ((9, 6, 3, 3), 1),
    ((9, 6, 3, 3), (2, 3)),
    ((9, 6, 3, 3), (1, 2)),
    ((40, 3, 2), 1),
    ((3, 2500), 1),
    ((2500, 3), 1),
]


def penalties(axis):
    yield GroupL2(0.3, axis=axis, weights="ones")
    yield L1(0.05) + GroupL2(0.05, axis=axis)
    yield L2(0.3) + GroupL2(0.05, axis=axis)
    yield L1L2(0.3, 0.3) + GroupL2(0.05, axis=axis)


class Run:
    """A tensor that takes steps in the core, and checks each against the formula in double from the same state."""

    def __init__(self, penalty, w, memory, one_step=False):
        self.penalty, self.w, self.memory, self.one_step = penalty, w, memory, one_step
        self.z, self.gamma = torch.zeros_like(w), torch.zeros_like(w)
        self.gamma1 = torch.zeros_like(w) if hasattr(penalty, "group") else None

    def step(self, displacement, step):
        state = (self.w, self.z, self.gamma, displacement)
        w, z, gamma, u = (x.double() for x in state)
        gamma1 = 0.0 if self.gamma1 is None else self.gamma1.double()
        length = step
        if not self.one_step:
            u, length = one_step_per_group(self.penalty, u, step.double())
        right, dual, grown = dual_group_step(self.penalty, w, z, (gamma1, gamma), u, length, self.memory)
        thresholds = (self.gamma1, self.gamma)
        assert dual_group_step_(self.penalty, self.w, self.z, thresholds, displacement, step, self.memory)
        self.compare(right, dual, grown, before=w.abs() + z.abs() + u.abs())

    def compare(self, right, dual, grown, before):
        group = getattr(self.penalty, "group", self.penalty)
        eps = torch.finfo(self.w.dtype).eps
        allowed = 8 * eps * group.norms(before + grown[1])
        assert (group.norms(self.w.double() - right) <= allowed).all()
        unlike = (self.w == 0) != (right == 0)  # at the edge alone, where what is left is a rounding
        assert (group.norms(torch.where(unlike, right + self.w, 0.0)) <= allowed).all()
        assert (group.norms(torch.where(unlike, 0.0, self.z.double() - dual)) <= allowed).all()
        assert (self.z[self.w != 0] == 0).all()
        torch.testing.assert_close(self.gamma.double(), grown[1] + 0 * right, rtol=8 * eps, atol=0.0)
        if self.gamma1 is not None:
            torch.testing.assert_close(self.gamma1.double(), grown[0] + 0 * right, rtol=8 * eps, atol=0.0)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_the_compiled_step_is_the_formula_for_steps_of_every_spread(shape, axis, dtype):
    for penalty in penalties(axis):
        for spread, memory in ((0.0, 1.0), (1.0, 0.9), (4.0, 0.999)):
            run = Run(penalty, 0.3 * torch.randn(shape, dtype=dtype), memory)
            for _ in range(4):
                step = 0.1 * torch.exp(spread * torch.randn(shape, dtype=dtype))
                run.step(0.1 * step * torch.randn(shape, dtype=dtype), step)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_the_compiled_step_is_the_formula_for_one_step(shape, axis, dtype):
    for penalty in penalties(axis):
        run = Run(penalty, 0.3 * torch.randn(shape, dtype=dtype), 0.95, one_step=True)
        for k in range(5):
            run.step(0.1 * torch.randn(shape, dtype=dtype), 0.04 * k)


def test_groups_die_and_come_back():
    run = Run(GroupL2(1.0, axis=0, weights="ones"), torch.randn(50, 20), 0.9, one_step=True)
    counts = []
    for k in range(60):
        run.step((0.05 if k < 20 else 0.6) * torch.randn(50, 20), 0.3)
        counts.append(int((run.w != 0).any(1).sum()))
    assert min(counts) < 5 < 20 < counts[-1]


def test_each_group_may_have_its_own_weight():
    weights = torch.arange(7) * 0.4
    for shape, axis in (((7, 40), 0), ((40, 7), 1)):
        for penalty in (GroupL2(1.0, axis=axis, weights=weights), L1(0.1) + GroupL2(1.0, axis=axis, weights=weights)):
            run = Run(penalty, torch.randn(shape), 0.99)
            for _ in range(10):
                run.step(0.1 * torch.randn(shape), 0.1 * torch.exp(torch.randn(shape)))


def test_a_growing_threshold_costs_no_digits():
    """After many steps at memory 1 a weight that stays still has not moved, though Γ is 10⁵ times as large."""
    penalty, w = GroupL2(1.0, axis=0, weights="ones"), torch.full((3, 4), 0.5)
    run = Run(penalty, w, 1.0, one_step=True)
    run.gamma += 1e5
    for _ in range(1000):
        assert dual_group_step_(penalty, run.w, run.z, (None, run.gamma), torch.full((3, 4), 0.005), 0.01, 1.0)
    assert (run.w - 0.5).abs().max() < 1e-4


def test_where_a_step_is_zero_its_group_has_none_and_no_threshold_grows():
    step = torch.full((4, 30), 0.1)
    step[1] = 0.0
    step[2, 5] = 0.0
    for penalty in penalties(0):
        run = Run(penalty, torch.randn(4, 30), 0.99)
        for _ in range(5):
            run.step(0.1 * torch.randn(4, 30), step)
        assert (run.gamma[1] == 0).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_the_unit_of_the_weights_does_not_matter_huge_or_tiny(dtype, axis):
    for exponent in (-100, 100) if dtype is torch.float32 else (-900, 900):
        unit, penalty = 2.0**exponent, GroupL2(1.0, axis=axis, weights="ones")
        w, moves = torch.randn(30, 40, dtype=dtype), torch.randn(10, 30, 40, dtype=dtype)
        plain, scaled = Run(penalty, w.clone(), 0.9), Run(penalty, unit * w, 0.9)
        zeros = []
        for u in moves:
            for run, by in ((plain, 1.0), (scaled, unit)):
                assert dual_group_step_(penalty, run.w, run.z, (None, run.gamma), 0.3 * by * u, by, 0.9)
            zeros.append(int((plain.w == 0).sum()))
            for name in ("w", "z", "gamma"):
                assert torch.equal(getattr(scaled, name), unit * getattr(plain, name))
        assert zeros[0] == 0 < zeros[-1]


def test_what_is_not_a_number_stays_visible_and_stays_in_its_group():
    for penalty in penalties(0):
        clean, poisoned = (Run(penalty, torch.ones(4, 50), 0.9) for _ in range(2))
        u, step = 0.1 * torch.randn(4, 50), torch.full((4, 50), 0.1)
        clean.step(u, step)
        bad = u.clone()
        bad[1, 3] = torch.nan
        gammas = (0.0 if poisoned.gamma1 is None else poisoned.gamma1.clone(), poisoned.gamma.clone())
        by_formula, _, _ = dual_group_step(penalty, poisoned.w.clone(), poisoned.z.clone(), gammas, bad, 0.1, 0.9)
        assert dual_group_step_(penalty, poisoned.w, poisoned.z, (poisoned.gamma1, poisoned.gamma), bad, step, 0.9)
        assert poisoned.w[1, 3].isnan()
        assert (poisoned.w[1] == 0).sum() == 49
        assert torch.equal(poisoned.w.isnan(), by_formula.isnan())
        assert torch.equal(poisoned.w == 0, by_formula == 0)
        others = [0, 2, 3]
        assert torch.equal(poisoned.w[others], clean.w[others])


@pytest.mark.parametrize(("shape", "axis"), [((500, 700), 0), ((500, 700), 1), ((70, 50, 3, 3), 1)])
def test_the_bits_do_not_depend_on_the_number_of_threads(shape, axis):
    w, u, step = torch.randn(shape), 0.1 * torch.randn(shape), torch.rand(shape)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        new, z, gamma = w.clone(), torch.zeros(shape), torch.ones(shape)
        assert dual_group_step_(GroupL2(0.1, axis=axis), new, z, (None, gamma), u, step, 0.9)
        found.append(torch.stack([new, z, gamma]))
    torch.set_num_threads(1)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_what_the_core_does_not_know_is_left_to_the_formula():
    def taken(penalty, w, u=None, gamma=None):
        u, gamma = torch.zeros_like(w) if u is None else u, torch.zeros_like(w) if gamma is None else gamma
        return dual_group_step_(penalty, w, torch.zeros_like(w), (None, gamma), u, 0.1, 0.9)

    rows, w = GroupL2(1.0, axis=0), torch.ones(3, 2)
    assert taken(rows, w)
    assert not taken(GroupL2(1.0, groups=[[0, 1]]), w)
    assert not taken(rows, w.half())
    assert not taken(rows, torch.nn.Parameter(w))
    assert not taken(rows, w, u=torch.zeros(2, 3).t())
    assert not taken(rows, w, gamma=torch.zeros(3, 2).double())
    assert not taken(L1(0.1, factors=torch.ones(3, 2)) + rows, w)


def test_a_channels_last_weight_is_taken_where_its_groups_lie_together():
    w = torch.randn(8, 6, 3, 5).to(memory_format=torch.channels_last)
    for axis in (0, 1, (2, 3)):
        run = Run(GroupL2(0.5, axis=axis), w.clone(), 0.9)
        for _ in range(4):
            run.step(0.1 * torch.randn_like(w), torch.rand_like(w) + 0.1)


@pytest.mark.parametrize("kind", [DualAdam, DualSGD])
@pytest.mark.parametrize("penalty", [GroupL2(0.3, axis=0), L1L2(0.3, 0.5) + GroupL2(0.1, axis=1)])
def test_an_optimizer_steps_in_the_core_as_it_does_by_the_formula(kind, penalty, monkeypatch):
    runs = []
    for in_the_core in (True, False):
        if not in_the_core:
            monkeypatch.setattr("shrinkage.torch._dual.dual_group_step_", lambda *_: False)
        generator = torch.Generator().manual_seed(0)
        target = torch.linspace(0, 2, 20, dtype=torch.float64)[:, None] * torch.randn(20, 30, generator=generator)
        w = torch.nn.Parameter(target.clone())
        optimizer = kind([w], lr=0.02, penalty=penalty)
        for _ in range(60):
            w.grad = w.detach() - target + 0.1 * torch.randn(w.shape, generator=generator)
            optimizer.step()
        runs.append(w.detach())
    torch.testing.assert_close(runs[0], runs[1], rtol=1e-9, atol=1e-12)
    assert 0 < (runs[0] == 0).sum() < w.numel()


def test_autograd_notices_that_a_saved_weight_has_changed():
    w = torch.nn.Parameter(torch.ones(6, 2))
    loss = w.square().sum()
    w.grad = torch.ones(6, 2)
    DualAdam([w], penalty=GroupL2(0.1, axis=0)).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
