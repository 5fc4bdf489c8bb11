"""Trains a small network by one process or by several that share the batch, the weights too.

    python sharded_training.py RANK WORLD MEETING OUT JOB...

runs one of several processes, which meet at the file MEETING and write what they trained to OUT.RANK. A job is
HOW:OPTIMIZER/PENALTY[/keep][/float32], HOW one of ddp, fsdp, checkpoint.
"""

import copy
import datetime
import sys

import torch
import torch.distributed as dist

from shrinkage.penalties import L1, L1L2, GroupL2
from shrinkage.torch import AdamW, DualAdam, DualSGD, Plan, ProxAdam, ProxSGD

STEPS = 40


class Net(torch.nn.Module):
    """An MLP and attention; rows that two processes cannot share evenly, and a layer of one row."""

    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(6, 9)
        self.attention = torch.nn.MultiheadAttention(9, 3, batch_first=True)
        self.norm = torch.nn.LayerNorm(9)
        self.out = torch.nn.Linear(9, 1)

    def forward(self, x):
        h = torch.relu(self.inner(x))
        h = self.norm(h + self.attention(h, h, h, need_weights=False)[0])
        return self.out(h.mean(1))


PENALTIES = {
    "l1": L1(0.02),
    "elastic": L1L2(0.03, 0.7),
    "factors": L1(0.02, factors=torch.linspace(0.0, 3.0, 54).reshape(9, 6)),
    "rows": GroupL2(0.05, axis=0),
    "columns": GroupL2(0.05, axis=1),
    "lists": GroupL2(0.3, groups=[[0, 1, 2, 9, 10], [5, 6, 7], [3], [40, 41, 53]]),
    "sparse rows": L1(0.01) + GroupL2(0.01, axis=0),
    "sparse columns": L1(0.01) + GroupL2(0.01, axis=1),
    "strong": L1(5.0),
    "strong rows": GroupL2(5.0, axis=0),
    "strong columns": GroupL2(5.0, axis=1),
}
# Attention's key biases have gradients that are 0 but for rounding; a larger eps keeps Adam from making steps of them.
KINDS = {
    "ProxSGD": lambda plan, **k: ProxSGD(plan, lr=0.02, momentum=0.9, nesterov=True, **k),
    "ProxAdam": lambda plan, **k: ProxAdam(plan, lr=0.02, eps=1e-4, **k),
    "ProxAdam amsgrad loop": lambda plan, **k: ProxAdam(plan, lr=0.02, eps=1e-4, amsgrad=True, foreach=False, **k),
    "DualAdam": lambda plan, **k: DualAdam(plan, lr=0.02, eps=1e-4, **k),
    "DualSGD": lambda plan, **k: DualSGD(plan, lr=0.02, momentum=0.9, **k),
    "AdamW": lambda plan, **k: AdamW(plan, lr=0.02, eps=1e-4, weight_decay=0.1, l1_decay=0.3, **k),
}


def plan_of(model, case):
    """The plan of a case, and settings; penalties of one shape only go where that shape is."""
    _, penalty, *_ = case.split("/")
    if penalty == "none":
        return Plan(model)
    if penalty in ("lists", "factors"):
        return Plan(model, overrides={"inner.weight": PENALTIES[penalty]})
    return Plan(model, PENALTIES[penalty])


def optimizer_of(model, case):
    kind, _, *more = case.split("/")
    return KINDS[kind](plan_of(model, case), **({"keep": 2} if "keep" in more else {}))


def dtype_of(case):
    """float32 takes the one-pass steps of the core, float64 the others."""
    return torch.float32 if case.endswith("/float32") else torch.float64


def data(dtype):
    draw = torch.Generator().manual_seed(5)
    X = torch.randn(32, 4, 6, generator=draw).to(dtype)
    return X, X[:, :, :2].sum((1, 2))[:, None] + 0.1 * torch.randn(32, 1, generator=draw).to(dtype)


def fresh(case, seed=0):
    torch.manual_seed(seed)
    return Net().to(dtype_of(case))


def train(model, optimizer, rows, steps=STEPS):
    """Full batch: each process takes its rows, whose gradients are averaged over processes."""
    X, Y = data(next(model.parameters()).dtype)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (model(X[rows]) - Y[rows]).square().mean()).backward()
        optimizer.step()


def whole(tensor):
    full = getattr(tensor, "full_tensor", None)
    return (full() if full else tensor).detach().clone()


def weights_of(model):
    """Every weight, whole, in every process."""
    return {name.removeprefix("module."): whole(p) for name, p in model.named_parameters()}


def spread(model, how):
    if how == "ddp":
        return torch.nn.parallel.DistributedDataParallel(model)
    if how == "fsdp":
        from torch.distributed.fsdp import fully_shard

        for part in (model.inner, model.attention, model.out):
            fully_shard(part)
        fully_shard(model)
    return model


def checkpointed(model, optimizer, case, rows):
    """Go on with a new optimizer from a checkpoint by names, as torch.distributed.checkpoint makes them."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=False)
    train(model, optimizer, rows, STEPS // 2)
    saved = copy.deepcopy(get_state_dict(model, optimizer, options=options))
    twin = spread(fresh(case, seed=9), "fsdp")
    other = optimizer_of(twin, case)
    set_state_dict(twin, other, model_state_dict=saved[0], optim_state_dict=saved[1], options=options)
    train(twin, other, rows, STEPS // 2)
    return twin


def run(how, case, rank, world):
    rows = slice(None) if how == "single" else slice(32 // world * rank, 32 // world * (rank + 1))
    way = "fsdp" if how == "checkpoint" else how
    model = spread(fresh(case), way)
    optimizer = optimizer_of(model, case)
    assert all("module" not in name for name in optimizer.plan.parameters)
    if how == "checkpoint":
        model = checkpointed(model, optimizer, case, rows)
    else:
        train(model, optimizer, rows)
    return weights_of(model)


def main():
    rank, world, meeting, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=60)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=world, timeout=limit)
    results = {}
    for job in sys.argv[5:]:
        how, case = job.split(":")
        results[job] = run(how, case, rank, world)
    torch.save(results, f"{out}.{rank}")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
