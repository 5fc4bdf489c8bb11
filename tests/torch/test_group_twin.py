"""The compiled prox of penalties on groups is the formula of `shrinkage.penalties`."""

import math

import pytest

torch = pytest.importorskip("torch")

from shrinkage import L1, L1L2, L2, GroupL2  # noqa: E402
from shrinkage.torch import ProxAdam  # noqa: E402
from shrinkage.torch._group_prox import group_prox_  # noqa: E402
from shrinkage.torch._prox import prox_  # noqa: E402

TYPES = [torch.float32, torch.float64]
LAYOUTS = [
    ((33, 70), 0),
    ((33, 70), -1),
    ((33, 70), ()),
    ((33, 70), (1, 0)),
    ((1, 1), 1),
    ((5,), 0),
    ((5,), ()),
    ((), ()),
    ((9, 6, 3, 3), 0),
    ((9, 6, 3, 3), 1),
    ((9, 6, 3, 3), (0, 1)),
    ((9, 6, 3, 3), (2, 3)),
    ((9, 6, 3, 3), (1, 2)),
    ((40, 3, 2), 1),
    ((2, 5, 1), (0, 1)),
]


def drawn(shape, dtype, spread=1.0):
    """Weights, and steps that are spread as e^{spread N}."""
    return torch.randn(shape, dtype=dtype), 0.01 * torch.exp(spread * torch.randn(shape, dtype=dtype))


def at_edge(penalty, w, step, times):
    """The penalty at `times` the strength that takes half of its groups."""
    group = getattr(penalty, "group", penalty)
    norms = group.norms(w.double() / step)
    size = w.numel() / norms.numel()
    return penalty.with_alpha(times * norms.median().item() / (math.sqrt(size) if group.weights == "sqrt" else 1.0))


def in_core(penalty, w, step):
    result = w.clone(memory_format=torch.preserve_format)
    assert group_prox_(penalty, [result], [step]) == {0}
    return result


def assert_twins(penalty, w, step, eps=5):
    """As near to the formula in double as a few units in the last place of a group's norm; with the same zeros."""
    right = penalty.prox(w.double(), step.double() if isinstance(step, torch.Tensor) else step)
    got = in_core(penalty, w, step).double()
    group = getattr(penalty, "group", penalty)
    assert (group.norms(got - right) <= eps * torch.finfo(w.dtype).eps * group.norms(w.double())).all()
    assert torch.equal(got == 0, right == 0)


def penalties(axis):
    yield GroupL2(1.0, axis=axis)
    yield GroupL2(1.0, axis=axis, weights="ones")
    yield L1(0.3) + GroupL2(1.0, axis=axis)
    yield L2(0.3) + GroupL2(1.0, axis=axis, weights="ones")
    yield L1L2(0.5, 0.3) + GroupL2(1.0, axis=axis)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_the_compiled_prox_is_the_formula_for_steps_of_every_spread(shape, axis, dtype):
    for spread in (0.0, 1.0, 3.0, 6.0):
        for penalty in penalties(axis):
            for times in (1e-6, 0.5, 0.999, 1.5):
                w, step = drawn(shape, dtype, spread)
                assert_twins(at_edge(penalty, w, step, times), w, step)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_the_compiled_prox_is_the_formula_for_one_step(shape, axis, dtype):
    w, _ = drawn(shape, dtype)
    for penalty in penalties(axis):
        for times in (0.5, 1.0001, 1.5):
            assert_twins(at_edge(penalty, w, 0.37, times), w, 0.37)


@pytest.mark.parametrize("times", [0.3, 0.95, 1.2])
def test_groups_of_a_thousand_weights_are_as_exact(times):
    for axis in (0, 1):
        w, step = drawn((1000, 90) if axis else (90, 1000), torch.float32, 2.0)
        assert_twins(at_edge(GroupL2(1.0, axis=axis), w, step, times), w, step)


def test_each_group_may_have_its_own_weight():
    for shape, axis, n_groups in (((6, 40), 0, 6), ((40, 6), 1, 6), ((3, 4, 5), (0, 1), 12), ((3, 4, 5), (2,), 5)):
        weights = torch.arange(n_groups) * 0.4
        w, step = drawn(shape, torch.float32)
        for given in (weights, weights.double().numpy(), weights.tolist()):
            penalty = GroupL2(20.0, axis=axis, weights=given)
            assert_twins(penalty, w, step)
            assert_twins(L1(0.5) + penalty, w, step)


def test_groups_take_the_place_of_their_axes_in_a_channels_last_weight():
    shape = (8, 6, 3, 5)
    for axis in (0, 1, (2, 3), (0, 2, 3), (0, 2)):
        w, step = (x.to(memory_format=torch.channels_last) for x in drawn(shape, torch.float32))
        assert_twins(at_edge(GroupL2(1.0, axis=axis), w, step, 0.8), w, step)
    assert group_prox_(GroupL2(1.0, axis=(0, 1)), [w], [step]) == set()
    assert group_prox_(GroupL2(1.0, axis=0), [w], [step.contiguous()]) == set()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_group_on_the_edge_is_zero(axis):
    w = torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    w = w.t().contiguous() if axis else w
    penalty = GroupL2(20.0, axis=axis, weights=[1.0, 0.999])
    for step in (0.25, torch.full_like(w, 0.25)):
        gone = in_core(penalty, w, step) == 0
        assert torch.equal(gone.t() if axis else gone, torch.tensor([[True, True], [False, False]]))


@pytest.mark.parametrize("dtype", TYPES)
def test_where_a_step_is_zero_a_weight_stays(dtype):
    for penalty in penalties(0):
        w, step = drawn((6, 50), dtype)
        still = torch.rand(w.shape) < 0.3
        got = in_core(penalty, w, torch.where(still, 0.0, step))
        assert torch.equal(got[still], w[still])
        assert torch.equal(in_core(penalty, w, 0.0), w)
        assert torch.equal(in_core(penalty.group if hasattr(penalty, "group") else penalty, 0 * w, step), 0 * w)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_huge_and_tiny_numbers_are_as_exact(dtype, axis):
    most = 100 if dtype is torch.float32 else 900
    for exponent in (-most, -60, 60, most):
        w, step = drawn((30, 40), dtype)
        penalty = at_edge(GroupL2(1.0, axis=axis), w, step, 0.9)
        assert_twins(penalty, w * 2.0**exponent, step * 2.0**exponent)
        assert_twins(penalty.with_alpha(penalty.alpha * 2.0**-exponent), w, step * 2.0**exponent)


def test_no_weight_of_a_finite_group_becomes_nan():
    extremes = torch.tensor([0.0, 1e-45, 1e-38, 1e-20, 1.0, 1e20, 3e38])
    w, step, strengths = torch.cartesian_prod(extremes, extremes, extremes).T
    for k, strength in enumerate(extremes.tolist()):
        pairs = torch.stack([w, strengths], 1), torch.stack([step, step.roll(k)], 1)
        for number in (w, step):
            assert torch.isfinite(number).all()
        u = in_core(GroupL2(strength, axis=0), pairs[0].contiguous(), pairs[1].contiguous())
        assert torch.isfinite(u).all()
        assert (u.abs() <= pairs[0]).all()


def test_what_is_not_a_number_stays_visible_as_in_the_formula():
    w, step = drawn((4, 50), torch.float32)
    w[1, 3] = torch.nan
    penalty = GroupL2(0.1, axis=0)
    assert torch.equal(in_core(penalty, w, step).isnan(), penalty.prox(w, step).isnan())


@pytest.mark.parametrize(("shape", "axis"), [((500, 700), 0), ((500, 700), 1), ((70, 50, 3, 3), 1), ((400_000,), 0)])
def test_the_bits_do_not_depend_on_the_number_of_threads(shape, axis):
    w, step = drawn(shape, torch.float32)
    penalty = at_edge(GroupL2(1.0, axis=axis), w, step, 0.9)
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(in_core(penalty, w, step))
    torch.set_num_threads(1)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_tensors_of_many_shapes_and_types_go_together_and_others_are_left():
    weights = [
        torch.randn(5, 4),
        torch.randn(3, 2).double(),
        torch.randn(4, 4).t(),
        torch.randn(0, 3),
        torch.ones(2).half(),
    ]
    before = [w.clone() for w in weights]
    steps = [0.1, torch.tensor(0.2), torch.full((4, 4), 0.1), torch.zeros(0, 3), 0.1]
    penalty = GroupL2(0.5, axis=0)
    assert group_prox_(penalty, weights, steps) == {0, 1, 3}
    for k in (0, 1):
        torch.testing.assert_close(weights[k], penalty.prox(before[k], float(steps[k])))
    assert all(torch.equal(weights[k], before[k]) for k in (2, 4))


def test_penalties_that_the_core_does_not_know_are_left():
    for penalty in (
        GroupL2(1.0, groups=[[0, 1]]),
        GroupL2(torch.ones(3), axis=0),
        L1(0.1, factors=torch.ones(3, 2)) + GroupL2(1.0, axis=0),
        L1(0.1),
        GroupL2(1.0, axis=2),
        GroupL2(1.0, axis=0, weights=[1.0, 2.0]),
    ):
        assert group_prox_(penalty, [torch.ones(3, 2)], [0.1]) == set()


def test_a_transposed_weight_is_taken_where_its_steps_lie_as_it_does():
    w, step = (x.t() for x in drawn((7, 40), torch.float32))
    assert_twins(at_edge(GroupL2(1.0, axis=0), w, step, 0.9), w, step)
    assert_twins(at_edge(GroupL2(1.0, axis=1), w, step, 0.9), w, step)


def test_a_recorded_weight_and_a_compiled_step_take_the_formula():
    penalty, w = GroupL2(1.0, axis=0), torch.nn.Parameter(torch.ones(3, 2))
    assert group_prox_(penalty, [w], [0.1]) == set()
    compiled = torch.compile(lambda x: len(group_prox_(penalty, [x], [0.1])), backend="eager", fullgraph=True)
    assert compiled(torch.ones(3, 2)) == 0


def test_autograd_notices_that_a_saved_weight_has_changed():
    w = torch.nn.Parameter(torch.ones(6, 2))
    loss = w.square().sum()
    with torch.no_grad():
        prox_(GroupL2(0.1, axis=0), [w], [0.1], [w])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("penalty", [GroupL2(0.3, axis=0), L1L2(0.3, 0.5) + GroupL2(0.1, axis=1)])
def test_an_optimizer_steps_in_the_core_as_it_does_by_the_formula(penalty, monkeypatch):
    runs = []
    for in_the_core in (True, False):
        if not in_the_core:
            monkeypatch.setattr("shrinkage.torch._prox.group_prox_", lambda *_: set())
        generator = torch.Generator().manual_seed(0)
        target = torch.linspace(0, 2, 20)[:, None] * torch.randn(20, 30, generator=generator)
        w = torch.nn.Parameter(target.clone())
        optimizer = ProxAdam([w], lr=0.02, penalty=penalty)
        for _ in range(60):
            w.grad = w.detach() - target + 0.1 * torch.randn(w.shape, generator=generator)
            optimizer.step()
        runs.append(w.detach())
    torch.testing.assert_close(runs[0], runs[1], rtol=1e-4, atol=1e-5)
    assert 0 < (runs[0] == 0).sum() < w.numel()
