"""Sums and maxima over tensors, shards included, brought to the host in one transfer per device."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from shrinkage.torch._local import is_sharded, local


class Tally:
    """Named sums and maxima over one tensor's local part; the numbers stay on the device until `read`."""

    def __init__(self, parameter: Tensor) -> None:
        self.parameter = parameter
        self.device = local(parameter).device
        self.sums: dict[str, Tensor] = {}
        self.maxima: dict[str, Tensor] = {}
        self.whole: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Add a 0-d tensor to a sum over the local part."""
        value = value.to(wide_type(self.device))
        self.sums[name] = self.sums[name] + value if name in self.sums else value

    def most(self, name: str, value: Tensor) -> None:
        """Take a 0-d tensor into a maximum over the local part."""
        value = value.to(wide_type(self.device))
        self.maxima[name] = torch.maximum(self.maxima[name], value) if name in self.maxima else value

    def know(self, name: str, value: Tensor) -> None:
        """Keep a 0-d tensor that every process knows already."""
        self.whole[name] = value.to(wide_type(self.device))


def wide_type(device: torch.device) -> torch.dtype:
    """float64, where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def read(tallies: Sequence[Tally]) -> list[dict[str, float]]:
    """Return the numbers of every tally: one message per mesh dimension and tensor, one transfer per device."""
    found: list[dict[str, float]] = [{} for _ in tallies]
    places: dict[torch.device, list[tuple[int, str, Tensor]]] = {}
    for row, tally in enumerate(tallies):
        for names, reduce in ((tally.sums, "sum"), (tally.maxima, "max"), (tally.whole, None)):
            if not names:
                continue
            vector = torch.stack(list(names.values()))
            if reduce:
                vector = over_shards(tally.parameter, vector, reduce)
            entries = [(row, name, number) for name, number in zip(names, vector.unbind(), strict=True)]
            places.setdefault(tally.device, []).extend(entries)
    for entries in places.values():
        numbers = torch.stack([number for *_, number in entries]).tolist()
        for (row, name, _), number in zip(entries, numbers, strict=True):
            found[row][name] = number
    return found


def over_shards(parameter: Any, vector: Tensor, reduce: str, along: int | None = None) -> Tensor:
    """Sum (or take the maximum of) a vector over the processes that hold parts of a parameter.

    Parameters
    ----------
    along : int, optional
        Only over processes whose parts lie along this axis; -1 - axis: over all others.
    """
    if not is_sharded(parameter):
        return vector
    distributed = torch.distributed
    operation = distributed.ReduceOp.SUM if reduce == "sum" else distributed.ReduceOp.MAX
    total = vector.clone()
    for k, placement in enumerate(parameter.placements):
        if not placement.is_shard():
            continue
        axis = placement.dim % parameter.ndim
        if along is None or (axis == along if along >= 0 else axis != -1 - along):
            distributed.all_reduce(total, op=operation, group=parameter.device_mesh.get_group(k))
    return total


def count_lines(tally: Tally, axis: int) -> None:
    """Count the indices along one axis at which a tensor is zero everywhere: rows, columns, filters, channels."""
    part = local(tally.parameter).detach()
    others = [k for k in range(part.ndim) if k != axis]
    alive = (part != 0).any(dim=others[0]) if len(others) == 1 else (part != 0).sum(dim=others) > 0
    alive = over_shards(tally.parameter, alive.to(wide_type(tally.device)), "max", along=-1 - axis)
    tally.know(f"zeros along {axis}", over_shards(tally.parameter, (alive == 0).sum().to(alive), "sum", along=axis))
