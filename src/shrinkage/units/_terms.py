"""Penalties that are added to a mean loss of the user's choice: how many times ours that loss is."""

from shrinkage._errors import ArgumentError
from shrinkage.units._records import MEAN_LOSSES, DataFacts, Strength

ADDED = "added to a mean loss: say which with loss='mse', 'half_mse', 'crossentropy' or 'poisson'"


def loss_of_term(facts: DataFacts) -> tuple[str | None, float]:
    """Our name of the network's loss, and how many times ours it is; (None, 1) where it was not said."""
    return (None, 1.0) if facts.mean_loss is None else MEAN_LOSSES[facts.mean_loss]


def term_scale(strength: Strength, facts: DataFacts) -> float:
    """How many times ours the loss is that the term will be added to; of squared losses "mse", unless said."""
    if facts.mean_loss is None:
        return 2.0 if strength.loss == "squared" else 1.0
    loss, scale = MEAN_LOSSES[facts.mean_loss]
    if strength.loss not in (None, loss):
        raise ArgumentError(f"loss must be one with the {strength.loss} loss of the source; got {facts.mean_loss!r}")
    return scale


def term_notes(strength: Strength, facts: DataFacts, own_mean: bool = True) -> list[str]:
    """What the term is added to; with row weights a mean of the user's own making is the weighted one."""
    weighed = "weighted mean (Σ sᵢ ℓᵢ / Σ sᵢ)" if facts.has_weights and own_mean else "mean"
    named = facts.mean_loss or ("mse" if strength.loss == "squared" else None)
    words = {
        "mse": f"For the {weighed} of (y - η)², twice our ½(y - η)²: strengths are doubled.",
        "half_mse": f"For the {weighed} of ½(y - η)².",
        "crossentropy": f"For the {weighed} cross-entropy.",
        "poisson": f"For the {weighed} Poisson loss exp(η) - y η.",
        None: "For a mean loss, the same on both sides.",
    }
    if named is None and strength.loss is not None:
        words[None] = f"For the {weighed} of the {strength.loss} loss."
    return [words[named]]


def free_biases(optimizer: str, options: str) -> list[str]:
    """Lines that give weight decay to every parameter but the biases, in PyTorch."""
    return [
        'decayed = [p for name, p in model.named_parameters() if not name.endswith("bias")]',
        'free = [p for name, p in model.named_parameters() if name.endswith("bias")]',
        'groups = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]',
        f"optimizer = {optimizer}(groups, {options})",
    ]
