"""Dual averaging of one variable: what `Proximal(..., dual=True)` does after the gradient has said where to."""

from typing import Any

from shrinkage.keras._values import held, ops, put
from shrinkage.penalties import GroupL2, SparseGroup
from shrinkage.training import dual_group_step, dual_step, one_step_per_group


def names_of(penalty: Any) -> tuple[str, ...]:
    """Return what dual averaging remembers of each weight under a penalty: z where it is 0, and sums of thresholds."""
    if isinstance(penalty, SparseGroup):
        return "dual", "threshold", "group_threshold"
    return ("dual", "group_threshold") if isinstance(penalty, GroupL2) else ("dual", "threshold")


def dual_update(
    penalty: Any, start: Any, displacement: Any, step: Any, lr: Any, state: dict[str, Any], memory: float
) -> Any:
    """Return the weights after a step of dual averaging from `start`, and keep in `state` what it remembers.

    Parameters
    ----------
    displacement : tensor
        Where the gradient alone takes the weights.
    step : 0-d tensor, or tensor of the weights' shape
    lr : 0-d tensor
        At 0 nothing moves and nothing is forgotten.
    state : dict of keras.Variable
        By the names of `names_of`.
    """
    known = {name: held(variable) for name, variable in state.items()}
    if "group_threshold" in known:
        if step.ndim > 0:
            displacement, step = one_step_per_group(penalty, displacement, step)
        thresholds = (known.get("threshold", 0.0), known["group_threshold"])
        new, dual, grown = dual_group_step(penalty, start, known["dual"], thresholds, displacement, step, memory)
        found = {"dual": dual, "threshold": grown[0], "group_threshold": grown[1]}
    else:
        strength = penalty.alpha if penalty.factors is None else _strength(penalty, start)
        growth, shrink = (step * (strength * share) for share in (penalty.l1_ratio, 1.0 - penalty.l1_ratio))
        new, dual, grown = dual_step(start, known["dual"], known["threshold"], displacement, growth, shrink, memory)
        found = {"dual": dual, "threshold": grown}
    moves = lr != 0
    for name, variable in state.items():
        put(variable, ops.where(moves, found[name], known[name]))
    return ops.where(moves, new, start)


def _strength(penalty: Any, like: Any) -> Any:
    return ops.cast(ops.convert_to_tensor(penalty.factors), like.dtype) * penalty.alpha
