"""Averages of weights are not sparse, since a mean over steps is zero only where every step was: zeros given back."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from shrinkage._errors import ArgumentError
from shrinkage.torch._facts import WRAPPERS
from shrinkage.torch._local import is_sharded, local
from shrinkage.torch._tally import Tally, read

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked", "n_averaged")


@torch.no_grad()
def sparsify_like(average: nn.Module | Mapping[str, Tensor], model: nn.Module | Mapping[str, Tensor]) -> int:
    """Set to zero, in place, every weight of an average that is exactly zero in the model.

    An average over training (EMA, SWA, `torch.optim.swa_utils.AveragedModel`, the shadow weights of schedule-free
    methods) holds small remainders where the model has become exactly zero. Call this before the average is evaluated
    or saved.

    Parameters
    ----------
    average : nn.Module or mapping of names to tensors
        Changed in place; of a mapping, the tensors.
    model : nn.Module or mapping of names to tensors
        Says where zeros are. Names are matched without the prefixes of wrappers (`module.`, `_orig_mod.`).

    Returns
    -------
    int
        How many weights became zero that were not.

    Raises
    ------
    ArgumentError
        If a parameter of the model is missing in the average or has another shape there; nothing is changed then.

    Notes
    -----
    Of modules only parameters count; of mappings every floating tensor but running statistics. Weights that the average
    has at zero and the model has not stay zero.

    Examples
    --------
    >>> import torch
    >>> from shrinkage.torch import sparsify_like
    >>> model, average = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    >>> _ = model.weight.data.copy_(torch.tensor([[0.0, 1.0]]))
    >>> _ = average.weight.data.copy_(torch.tensor([[1e-4, 0.9]]))
    >>> sparsify_like(average, model)
    1
    >>> [round(w, 4) for w in average.weight[0].tolist()]
    [0.0, 0.9]
    """
    targets, sources = _named("average", average), _named("model", model)
    pairs = []
    for name, source in sources.items():
        target = targets.get(name)
        if target is None:
            near = ", ".join(list(targets)[:3])
            raise ArgumentError(f"average must hold every parameter of the model; {name!r} is missing among {near}, …")
        if target.shape != source.shape:
            raise ArgumentError(
                f"average has shape {tuple(target.shape)} for {name!r}; the model has {tuple(source.shape)}"
            )
        if is_sharded(target) != is_sharded(source):
            raise ArgumentError(f"average and model must hold {name!r} alike: one is sharded, the other is not")
        pairs.append((target, source))
    tallies = []
    for target, source in pairs:
        tally = Tally(target)
        values = local(target)
        made = ((local(source) == 0).to(values.device)) & (values != 0)
        tally.add("made", made.sum())
        values.masked_fill_(made, 0.0)
        tallies.append(tally)
    return int(sum(found["made"] for found in read(tallies)))


def _named(argument: str, weights: Any) -> dict[str, Tensor]:
    """Floating parameters by clean name."""
    if isinstance(weights, nn.Module):
        pairs = list(weights.named_parameters())
        wraps = isinstance(
            weights, (nn.DataParallel, nn.parallel.DistributedDataParallel, torch.optim.swa_utils.AveragedModel)
        )
    elif isinstance(weights, Mapping):
        pairs = [(name, value.data) for name, value in weights.items() if isinstance(value, Tensor)]
        wraps = bool(pairs) and all(name.startswith("module.") or name in _STATISTICS for name, _ in pairs)
    else:
        raise ArgumentError(
            f"{argument} must be a module or a mapping of names to tensors; got {type(weights).__name__}"
        )
    found = {}
    for raw, value in pairs:
        parts = [part for part in raw.split(".") if part not in WRAPPERS]
        if wraps and parts[0] == "module":
            parts = parts[1:]
        if parts[-1] not in _STATISTICS and value.is_floating_point():
            found[".".join(parts)] = value
    return found
