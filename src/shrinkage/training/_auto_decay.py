"""A weight decay from the length of a training: the timescale rule."""

import math
from dataclasses import dataclass
from typing import Any

from shrinkage._check import check_choice, check_positive
from shrinkage._errors import ArgumentError
from shrinkage.training._tables import number_text, wrap


@dataclass(frozen=True)
class AutoDecay:
    """A weight decay and why it is that one.

    Attributes
    ----------
    weight_decay : float
    timescale : float
        In steps: by decay alone a weight falls to 1/e in so many.
    timescale_epochs : float
    lr, steps_per_epoch, epochs : float
        What it was made from.
    coupling : {"lr", "independent"}

    Examples
    --------
    >>> decay = auto_decay(lr=1e-3, steps_per_epoch=100, epochs=25)
    >>> decay.weight_decay, decay.timescale_epochs
    (0.4, 25.0)
    """

    weight_decay: float
    timescale: float
    timescale_epochs: float
    lr: float
    steps_per_epoch: float
    epochs: float
    coupling: str = "lr"

    def __str__(self) -> str:
        per_step = "lr * weight_decay" if self.coupling == "lr" else "weight_decay"
        return wrap(
            f"weight_decay {number_text(self.weight_decay)}: each step takes {per_step} = "
            f"{number_text(1.0 / self.timescale)} of a weight, so weights average over {number_text(self.timescale)} "
            f"steps or {number_text(self.timescale_epochs)} epochs: the whole training, the longest memory that still "
            "forgets where weights began. If the network overfits, try more, down to an average over one epoch "
            f"(weight_decay {number_text(self.weight_decay * max(self.timescale_epochs, 1.0))}).",
            width=110,
        )


def auto_decay(lr: float, steps_per_epoch: Any, epochs: Any, coupling: str = "lr") -> AutoDecay:
    r"""Return the weight decay whose timescale is the whole training.

    Weights under decoupled decay are an exponential average of past steps, over about τ steps:

        τ = 1 / (lr · weight_decay)         with coupling "independent"  1 / weight_decay

    τ should not be shorter than an epoch, or rows are forgotten before they come again, and not longer than the
    training, or the start is never forgotten. Here τ = S E, with E epochs of S steps:

        weight_decay = 1 / (lr · S E)

    Parameters
    ----------
    lr : float > 0
        The largest learning rate, before any schedule.
    steps_per_epoch : float > 0
        Of the optimizer: with gradients accumulated over k batches, batches / k.
    epochs : float > 0
        May be a fraction.
    coupling : {"lr", "independent"}

    Raises
    ------
    ArgumentError
        If a number is not > 0 and finite, or missing.

    References
    ----------
    Wang & Aitchison (2025), How to set AdamW's weight decay as you scale model and dataset size, section 3,
    https://arxiv.org/abs/2405.13698. The range is theirs; to take its upper end is our choice, by
    the held-out losses of seven small tasks.

    Examples
    --------
    >>> print(auto_decay(lr=1e-3, steps_per_epoch=100, epochs=25))
    weight_decay 0.4: each step takes lr * weight_decay = 0.0004 of a weight, so weights average over 2.5e+03
      steps or 25 epochs: the whole training, the longest memory that still forgets where weights began. If the
      network overfits, try more, down to an average over one epoch (weight_decay 10).
    """
    check_choice("coupling", coupling, ("lr", "independent"))
    for name, value in (("steps_per_epoch", steps_per_epoch), ("epochs", epochs)):
        if value is None:
            raise ArgumentError(
                f"weight_decay='auto' needs steps_per_epoch and epochs, from which its timescale comes; {name} is None"
            )
        check_positive(name, value)
    if not lr > 0 or not math.isfinite(lr):
        raise ArgumentError(
            f"weight_decay='auto' needs the largest learning rate as lr, > 0, before any warm-up; got {lr!r}"
        )
    timescale = max(float(steps_per_epoch) * float(epochs), 1.0)
    per_step = 1.0 / timescale
    return AutoDecay(
        weight_decay=per_step / float(lr) if coupling == "lr" else per_step,
        timescale=timescale,
        timescale_epochs=timescale / float(steps_per_epoch),
        lr=float(lr),
        steps_per_epoch=float(steps_per_epoch),
        epochs=float(epochs),
        coupling=coupling,
    )
