"""Reports of a model that two processes hold in parts equal those of the whole model."""

import json

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage.penalties import L1L2, GroupL2  # noqa: E402
from shrinkage.torch import Plan, decay_report, report, sparsify_like  # noqa: E402

PENALTIES = {"elementwise": L1L2(0.02, 0.5), "groups across shards": GroupL2(0.02, axis=1)}


def build():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 1))  # one row: the second process holds none of it
    with torch.no_grad():
        model[0].weight[2] = 0.0
        model[0].weight[:, 5] = 0.0
        model[2].weight[:, 1] = 0.0
    return model


def records_of(penalty, mesh):
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import distribute_tensor

    model, average = build(), build()
    gradients = [[torch.randn_like(p) for p in model.parameters()] for _ in range(2)]
    if mesh is not None:
        fully_shard(model, mesh=mesh)
        fully_shard(average, mesh=mesh)
    optimizer = torch.optim.Adam(Plan(model, penalty).param_groups(weight_decay=0.01), lr=0.01)
    for step in gradients:
        for p, g in zip(model.parameters(), step, strict=True):
            p.grad = distribute_tensor(g.clone(), p.device_mesh, p.placements) if mesh is not None else g.clone()
        optimizer.step()
    with torch.no_grad():
        for p in model.parameters():
            part = p.to_local() if mesh is not None else p
            part.masked_fill_(part.abs() < 0.2, 0.0)
    records = [report(model, optimizer).to_dict(), decay_report(model, optimizer).to_dict()]
    return [*records, {"made": sparsify_like(average, model)}]


def in_process(rank, folder, name):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
    records = records_of(PENALTIES[name], mesh)
    (folder / f"{rank}.json").write_text(json.dumps(records))
    torch.distributed.destroy_process_group()


def assert_alike(one, other, where=""):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_alike(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for a, b in zip(one, other, strict=True):
            assert_alike(a, b, where)
    elif isinstance(one, float) and "sentence" not in where:
        assert other == pytest.approx(one, rel=1e-4, abs=1e-8), where
    else:
        assert one == other, where


@pytest.mark.slow
@pytest.mark.parametrize("name", PENALTIES)
def test_reports_of_shards_are_those_of_the_whole(name, tmp_path):
    torch.multiprocessing.spawn(in_process, args=(tmp_path, name), nprocs=2)
    whole = records_of(PENALTIES[name], None)
    for rank in (0, 1):
        assert_alike(whole, json.loads((tmp_path / f"{rank}.json").read_text()))
