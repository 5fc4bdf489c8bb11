"""Two processes that share a batch, or the weights too, end where one process does: with the same zeros."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if sys.platform == "win32" or not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
    pytest.skip("needs gloo", allow_module_level=True)
if not hasattr(pytest.importorskip("torch.distributed.fsdp"), "fully_shard"):
    pytest.skip("this torch has no fully_shard", allow_module_level=True)

import sharded_training  # noqa: E402

OPTIMIZERS = ["ProxSGD", "ProxAdam", "DualAdam", "DualSGD"]
QUICK = [
    *(f"ddp:{name}/l1/float32" for name in ("ProxAdam", "DualSGD")),
    *(f"fsdp:{name}/l1" for name in ("ProxAdam", "DualSGD")),
    "fsdp:AdamW/none",
    "fsdp:DualAdam/columns",
    "fsdp:ProxAdam/rows",
    "fsdp:ProxAdam/lists",
    "fsdp:ProxSGD/sparse columns",
    "fsdp:ProxAdam/strong/keep",
    "fsdp:ProxSGD/strong columns/keep",
    "checkpoint:DualAdam/l1",
]
SLOW = [
    *(f"ddp:{name}/{penalty}" for name in OPTIMIZERS for penalty in ("elastic", "rows")),
    "ddp:AdamW/none",
    *(f"fsdp:{name}/l1" for name in ("ProxSGD", "DualAdam")),
    "fsdp:ProxAdam/l1/float32",
    "fsdp:ProxAdam/columns",
    "fsdp:AdamW/none/float32",
    "fsdp:ProxAdam amsgrad loop/l1/float32",
    "fsdp:ProxAdam amsgrad loop/sparse columns",
    *(
        f"fsdp:{name}/{penalty}"
        for name in OPTIMIZERS
        for penalty in ("elastic", "factors", "rows", "lists", "sparse rows", "sparse columns")
    ),
    "fsdp:ProxSGD/columns",
    "fsdp:DualSGD/columns",
    "fsdp:DualAdam/l1/float32",
    "checkpoint:ProxSGD/l1",
    *(f"fsdp:{name}/strong rows/keep" for name in OPTIMIZERS[:2]),
    "checkpoint:ProxAdam/l1",
    "checkpoint:DualSGD/l1",
    "checkpoint:DualAdam/columns",
    "checkpoint:AdamW/none",
]


def trained_by_two(folder, jobs, seconds):
    """What two processes trained; a process that waits for ever fails."""
    program = [sys.executable, str(Path(sharded_training.__file__))]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    both = [
        subprocess.Popen(
            [*program, str(rank), "2", str(folder / "meeting"), str(folder / "out"), *jobs],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=seconds)[1] for process in both]
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0], "\n".join(said)[-3000:]
    return [torch.load(folder / f"out.{rank}") for rank in range(2)]


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return trained_by_two(tmp_path_factory.mktemp("quick"), QUICK, 200)


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    return trained_by_two(tmp_path_factory.mktemp("slow"), SLOW, 500)


def assert_as_by_one_process(found, job):
    case = job.partition(":")[2]
    alone = sharded_training.run("single", case, 0, 1)
    first, second = found[0][job], found[1][job]
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first.keys() == alone.keys()
    close = 1e-5 if case.endswith("float32") else 1e-10
    for name, weights in alone.items():
        assert (weights - first[name]).abs().max() < close, name
        assert torch.equal(weights == 0, first[name] == 0), name
    zeros = sum(int((weights == 0).sum()) for weights in alone.values())
    everything = sum(weights.numel() for weights in alone.values())
    assert 0 < zeros < everything


@pytest.mark.parametrize("job", QUICK)
def test_two_processes_end_where_one_does(quick, job):
    assert_as_by_one_process(quick, job)


@pytest.mark.slow
@pytest.mark.parametrize("job", SLOW)
def test_two_processes_end_where_one_does_in_every_other_way(slow, job):
    assert_as_by_one_process(slow, job)


def test_the_guard_against_collapse_counts_over_all_parts():
    """Alone, its weights keep two of each tensor; the parts of two processes would keep four."""
    weights = sharded_training.run("single", "ProxAdam/strong/keep", 0, 1)
    assert int((weights["inner.weight"] != 0).sum()) == 2
