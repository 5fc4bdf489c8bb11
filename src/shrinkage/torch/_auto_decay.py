"""The timescale rule of weight decay, for learning rates that may be tensors."""

from typing import Any

from torch import Tensor

from shrinkage import training
from shrinkage.training import AutoDecay


def auto_decay(lr: Any, steps_per_epoch: Any, epochs: Any, coupling: str = "lr") -> AutoDecay:
    """Return the weight decay whose timescale is the whole training: `shrinkage.training.auto_decay`.

    Parameters
    ----------
    lr : float or tensor of one element, > 0
    steps_per_epoch, epochs, coupling
        As there.

    Raises
    ------
    ArgumentError
        If a number is not > 0 and finite, or missing.

    Examples
    --------
    >>> import torch
    >>> round(auto_decay(torch.tensor(1e-3), steps_per_epoch=100, epochs=25).weight_decay, 6)
    0.4
    """
    return training.auto_decay(float(lr) if isinstance(lr, Tensor) else lr, steps_per_epoch, epochs, coupling)
