"""The prox behind torch's own optimizers, where two processes hold a model in parts, equals that of the whole."""

import pytest

torch = pytest.importorskip("torch")

from followed import SEVEN  # noqa: E402
from torch import nn  # noqa: E402

from shrinkage.penalties import L1L2, GroupL2  # noqa: E402
from shrinkage.torch import Plan, Proximal  # noqa: E402

PENALTIES = (L1L2(0.25, 0.9), GroupL2(0.17, axis=0), GroupL2(0.17, axis=1))
OPTIONS = {"SGD": {"momentum": 0.9}, "AdamW": {"weight_decay": 0.0}, "RMSprop": {"momentum": 0.9}}


def weights_of(mesh):
    """The weights after some steps of each optimizer under each penalty."""
    found = []
    for name, kind in SEVEN.items():
        for penalty in PENALTIES:
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(7, 9), nn.Linear(9, 1))  # one row: the second process holds none of it
            draws = [[0.3 * torch.randn_like(p) for p in model.parameters()] for _ in range(8)]
            if mesh is not None:
                from torch.distributed.fsdp import fully_shard

                fully_shard(model, mesh=mesh)
            optimizer = kind(model.parameters(), lr=0.05, **OPTIONS.get(name, {}))
            Proximal(optimizer, Plan(model, penalty))
            for gradients in draws:
                for p, g in zip(model.parameters(), gradients, strict=True):
                    p.grad = g if mesh is None else torch.distributed.tensor.distribute_tensor(g, mesh, p.placements)
                optimizer.step()
            found.append([p.detach() if mesh is None else p.full_tensor().detach() for p in model.parameters()])
    return found


def in_process(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
    found = weights_of(mesh)
    torch.save(found, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_end_where_one_does_with_its_zeros(tmp_path):
    torch.multiprocessing.spawn(in_process, args=(tmp_path,), nprocs=2)
    whole = weights_of(None)
    for k in range(len(PENALTIES)):
        sparse = [case[0] for case in whole[k :: len(PENALTIES)] if (case[0] == 0).any()]
        assert len(sparse) >= 4
        assert any(weights.any() for weights in sparse)
    for rank in range(2):
        for case, expected in zip(torch.load(tmp_path / f"{rank}.pt"), whole, strict=True):
            for p, q in zip(case, expected, strict=True):
                assert torch.allclose(p, q, rtol=1e-5, atol=1e-7)
                assert torch.equal(p == 0, q == 0)
