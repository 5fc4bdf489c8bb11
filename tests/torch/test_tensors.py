"""Tensors of every layout and kind: stepped as others are, or refused in a sentence."""

import copy

import pytest

torch = pytest.importorskip("torch")

from optimizers import FIVE, make  # noqa: E402

from shrinkage._errors import ArgumentError  # noqa: E402
from shrinkage.penalties import L1, L1L2, MCP, GroupL2  # noqa: E402
from shrinkage.torch import AdamW, ProxAdam, ProxSGD  # noqa: E402

every = pytest.mark.parametrize("name", FIVE)
every_proximal = pytest.mark.parametrize("name", ["ProxSGD", "ProxAdam"])


def filled(shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@every
@pytest.mark.parametrize("foreach", [None, True, False])
def test_no_layout_in_memory_changes_a_step(name, foreach):
    layouts = [
        lambda t: t.contiguous(),
        lambda t: t.to(memory_format=torch.channels_last),
        lambda t: t.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0),
        lambda t: torch.stack([t, t], -1)[..., 0],
    ]
    results = []
    for layout in layouts:
        w = torch.nn.Parameter(layout(filled((4, 3, 2, 2))))
        optimizer = make(name, [w], L1L2(0.2, 0.7), foreach=foreach)
        for t in range(4):
            w.grad = layout(filled((4, 3, 2, 2), seed=30 + t))
            optimizer.step()
        assert w.stride() == layout(filled((4, 3, 2, 2))).stride()
        results.append(w.detach().clone())
    assert all(torch.allclose(w, results[0], rtol=1e-6, atol=1e-7) for w in results)
    assert all(torch.equal(w == 0, results[0] == 0) for w in results)


@every
@pytest.mark.parametrize("foreach", [None, True, False])
def test_scalars_and_empty_tensors_are_stepped(name, foreach):
    w = [
        torch.nn.Parameter(torch.tensor(0.05)),
        torch.nn.Parameter(torch.ones(0, 3)),
        torch.nn.Parameter(torch.ones(1)),
    ]
    optimizer = make(name, w, L1(0.5), foreach=foreach)
    for _ in range(30):
        for p in w:
            p.grad = 0.01 * torch.ones_like(p)
        optimizer.step()
    assert all(torch.isfinite(p).all() for p in w)
    if name != "AdamW":
        assert w[0].item() == 0.0


@every_proximal
@pytest.mark.parametrize("penalty", [GroupL2(0.3, axis=0), GroupL2(0.3, axis=()), MCP(0.3, 30.0)], ids=str)
def test_an_empty_tensor_under_any_penalty_is_stepped(name, penalty):
    w = torch.nn.Parameter(torch.ones(0, 3))
    optimizer = make(name, [w], penalty, keep=1)
    w.grad = torch.ones_like(w)
    optimizer.step()
    assert w.shape == (0, 3)


def test_sparse_gradients_are_torchs_own_without_a_penalty_and_refused_with_one():
    table = torch.nn.Embedding(10, 3, sparse=True)
    other = copy.deepcopy(table)
    free, theirs = ProxSGD(table.parameters(), lr=0.1), torch.optim.SGD(other.parameters(), lr=0.1)
    for model, optimizer in ((table, free), (other, theirs)):
        model(torch.tensor([1, 4, 4])).sum().backward()
        optimizer.step()
    assert torch.equal(table.weight, other.weight)
    for kind in (ProxSGD, ProxAdam):
        with pytest.raises(ArgumentError, match="sparse"):
            kind(table.parameters(), lr=0.1, penalty=L1(0.1)).step()
    with pytest.raises(ArgumentError, match="sparse"):
        AdamW(table.parameters()).step()


@pytest.mark.parametrize("theirs", [torch.optim.SGD, torch.optim.Adam])
def test_complex_parameters_without_a_penalty_are_torchs_own(theirs):
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(4, dtype=torch.complex64, generator=draw)
    w, v = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    ours = ProxSGD if theirs is torch.optim.SGD else ProxAdam
    one, other = ours([w], lr=0.1), theirs([v], lr=0.1)
    for _ in range(5):
        g = torch.randn(4, dtype=torch.complex64, generator=draw)
        w.grad, v.grad = g.clone(), g.clone()
        one.step()
        other.step()
    assert torch.equal(w, v)
    with pytest.raises(ArgumentError, match="complex64"):
        ours([w], penalty=L1(0.1))
