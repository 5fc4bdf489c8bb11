"""Low precision: updates are computed in float32 and rounded once; decay that rounding swallows is reported."""

import warnings
from typing import Any

import torch
from torch import Tensor

LOW = (torch.bfloat16, torch.float16)

WARNED = "warned_of_lost_decay"
"""The key of a group whose user has been warned; no checkpoint holds it."""


def widened(tensors: list[Tensor]) -> list[Tensor]:
    """Return the tensors, those of low precision as float32 copies."""
    return [t.float() if t.dtype in LOW else t for t in tensors]


def put_back(targets: list[Tensor], values: list[Tensor], stochastic: bool = False) -> None:
    """Round `values` into `targets` where `widened` made a copy.

    Parameters
    ----------
    stochastic : bool
        Round a bfloat16 number up with the probability of its remainder, so that it is right on average; zeros stay
        zeros.
    """
    for target, value in zip(targets, values, strict=True):
        if target is value:
            continue
        if stochastic and target.dtype is torch.bfloat16:
            target.copy_(stochastically_rounded(value))
        else:
            target.copy_(value)


def stochastically_rounded(value: Tensor) -> Tensor:
    """Return float32 numbers rounded to bfloat16, up or down with probabilities that make the mean right.

    Reference: Gupta et al. (2015), Deep Learning with Limited Numerical Precision, § 3.1, https://arxiv.org/abs/1502.02551
    """
    # bfloat16 is the upper half of a float32: adding 16 random bits carries with the probability of the lower half.
    bits = value.view(torch.int32)
    noise = torch.randint(0, 1 << 16, bits.shape, dtype=torch.int32, device=value.device)
    rounded = torch.where(torch.isfinite(value), (bits + noise) & -65536, bits)
    return rounded.view(torch.float32).to(torch.bfloat16)


def warn_of_lost_decay(group: dict[str, Any], rates: list[Any]) -> None:
    """Warn, once for a group, where decay leaves a weight of its type as it is.

    `rates` are the learning rates of a schedule that are known. The largest counts: where it starts or ends near 0
    nobody expects decay. Rates on a device are not asked for.
    """
    if group.get(WARNED) or any(isinstance(rate, Tensor) for rate in rates):
        return
    shrinking = group["weight_decay"] * (max(rates) if group["coupling"] == "lr" else float(max(rates) > 0))
    if shrinking <= 0:
        return
    for dtype in {p.dtype for p in group["params"] if p.grad is not None and p.is_floating_point()}:
        saved = group["stochastic_rounding"] and dtype is torch.bfloat16
        half = torch.finfo(dtype).eps / 2
        if shrinking < half and not saved:
            # Above a power of two numbers are twice as far apart as below it, so half of the bound moves none.
            moved = "no weight" if shrinking < half / 2 else "only the weights at or little below a power of two"
            group[WARNED] = True
            warnings.warn(
                f"lr * weight_decay = {shrinking:.1e} is below half a unit in the last place of {dtype} "
                f"({half:.1e}): decay alone moves {moved}. Keep the parameters in float32, or pass "
                "stochastic_rounding=True for bfloat16",
                UserWarning,
                stacklevel=4,
            )
            return
