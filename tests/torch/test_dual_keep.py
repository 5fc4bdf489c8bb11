"""DualAdam and DualSGD keep the largest weights or groups of a tensor, and z and Γ go on from where they are."""

import pytest

torch = pytest.importorskip("torch")

from shrinkage import L1, L1L2, GroupL2  # noqa: E402
from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.torch import DualAdam, DualSGD  # noqa: E402

BOTH = pytest.mark.parametrize("kind", [DualAdam, DualSGD])
LISTS = GroupL2(50.0, groups=[[0, 1, 5], [2, 7], [10, 11, 12, 13], [19]])
PENALTIES = [
    L1(50.0),
    L1L2(50.0, 0.9),
    L1(50.0, factors=torch.ones(4, 5)),
    GroupL2(50.0, axis=0),
    GroupL2(50.0, axis=1),
    L1(50.0) + GroupL2(50.0, axis=0),
    LISTS,
]
ALL = pytest.mark.parametrize("penalty", PENALTIES, ids=str)


def alive(penalty, w):
    group = getattr(penalty, "group", penalty)
    return group.norms(w).flatten() != 0 if isinstance(group, GroupL2) else (w != 0).flatten()


def stepped(kind, penalty, start, gradients, **settings):
    w = torch.nn.Parameter(start.clone())
    optimizer = kind([w], **{"lr": 0.05, "penalty": penalty} | settings)
    for gradient in gradients:
        w.grad = gradient.clone()
        optimizer.step()
        yield w.detach().clone(), optimizer.state[w]


@BOTH
@ALL
@pytest.mark.parametrize("foreach", [None, True])
def test_as_many_as_asked_for_are_left_at_every_step(kind, penalty, foreach):
    start, gradients = torch.randn(4, 5), 0.1 * torch.randn(10, 4, 5)
    for w, state in stepped(kind, penalty, start, gradients, keep=2, foreach=foreach):
        assert int(alive(penalty, w).sum()) == 2
        assert (state["dual"][w != 0] == 0).all()
    for w, _ in stepped(kind, penalty, start, gradients[:1]):
        assert not alive(penalty, w).any()


@ALL
def test_the_largest_stay_where_the_gradient_alone_puts_them(penalty):
    start, gradient = torch.randn(4, 5), torch.randn(4, 5)
    moved = start - 0.05 * gradient
    group = getattr(penalty, "group", penalty)
    sizes = group.norms(moved).flatten() if isinstance(group, GroupL2) else moved.abs().flatten()
    ((w, _),) = stepped(DualSGD, penalty, start, [gradient], keep=2)
    left = alive(penalty, w)
    assert set(left.nonzero().flatten().tolist()) == set(sizes.topk(2).indices.tolist())
    assert torch.allclose(w[w != 0], moved[w != 0], rtol=1e-6)
    if isinstance(group, GroupL2):
        assert torch.allclose(group.norms(w).flatten()[left], sizes[left], rtol=1e-6)


@BOTH
@pytest.mark.parametrize("penalty", [L1(0.1), GroupL2(0.1, axis=0, weights="ones")], ids=str)
def test_the_guard_changes_nothing_while_enough_is_left(kind, penalty):
    start, gradients = torch.linspace(-1, 1, 20).reshape(4, 5), 0.3 * torch.randn(10, 4, 5)
    for (pure, _), (guarded, _) in zip(
        stepped(kind, penalty, start, gradients, fused=False),
        stepped(kind, penalty, start, gradients, keep=2, fused=False),
        strict=True,
    ):
        assert torch.equal(pure, guarded)


@pytest.mark.parametrize("memory", [0.9, 1.0])
def test_the_guard_moves_no_fixed_point_that_has_enough_left(memory):
    """A start from which all would be erased at once ends where the penalty alone says."""
    target = torch.tensor([1.0, -0.8, 0.05, 0.02], dtype=torch.float64)
    w = torch.nn.Parameter(0.001 * target.sign())
    optimizer = DualSGD([w], lr=0.1, penalty=L1(0.1), memory=memory, keep=2)
    for _ in range(3000):
        w.grad = w.detach() - target
        optimizer.step()
    assert torch.allclose(w.detach(), torch.tensor([0.9, -0.7, 0.0, 0.0], dtype=torch.float64), atol=1e-9)


@BOTH
@pytest.mark.parametrize("keep", [-1, 1.5, "all", None, True])
def test_keep_is_a_whole_number(kind, keep):
    with pytest.raises(ArgumentError, match="keep"):
        kind([torch.nn.Parameter(torch.ones(2))], keep=keep)
    with pytest.raises(ArgumentError, match="keep"):
        kind([{"params": [torch.nn.Parameter(torch.ones(2))], "keep": keep}])
