"""What an optimizer's state says about one tensor of weights, as NumPy arrays: what reports are computed from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Number = Any
"""A Python number, or a NumPy array of the weights' shape."""


@dataclass(frozen=True, kw_only=True)
class StepReading:
    """The last step that an optimizer took on one tensor, in the terms that all optimizers share.

    Attributes
    ----------
    group : int or None
        Place of the optimizer's group, or of the optimizer where there are several.
    lr, peak_lr : float
        Learning rate as of the next step, and the largest one that is known of.
    weight_decay : float
    decay : str or None
        "decoupled" (weights are multiplied), "coupled" (added to the gradient), None where nobody knows.
    share : float or None
        What decoupled decay takes from every weight.
    step : int or None
        Steps taken.
    length : number, array or None
        How far a step moves along a gradient of 1, which is also the step of its prox: lr / d, longer by momentum.
        None where the optimizer's state is not known, or no step was taken.
    moved : array or None
        What the last step took from the weights because of gradients.
    average : array or None
        The optimizer's own mean gradient, coupled decay included.
    second : array or None
        Its second moment, or what stands for one.
    momentum : tuple or None
        μ, dampening and Nesterov of a buffer that is not normalized, under which coupled decay repeats.
    judges : bool
        Whether what the optimizer does minimizes something, so that optimality can be judged.
    """

    group: int | None = 0
    lr: float
    peak_lr: float
    weight_decay: float = 0.0
    decay: str | None = "decoupled"
    share: float | None = None
    step: int | None = None
    length: Number | None = None
    moved: np.ndarray | None = None
    average: np.ndarray | None = None
    second: np.ndarray | None = None
    momentum: tuple[float, float, bool] | None = None
    judges: bool = True


def wide(array: Any) -> np.ndarray:
    """Return an array in at least float32; float16 and bfloat16 hold too few digits for a sum."""
    found = np.asarray(array)
    return found.astype(np.promote_types(found.dtype, np.float32), copy=False)


def slope_at(penalty: Any, w: np.ndarray) -> np.ndarray:
    """Return the derivative of a penalty at weights that are not 0, and 0 where they are.

    All penalties grow with |w|, so it is sign(w) times the distance from 0 to the subdifferential.

    Examples
    --------
    >>> from shrinkage.penalties import L1L2
    >>> slope_at(L1L2(1.0, l1_ratio=0.5), np.array([2.0, 0.0, -1.0]))
    array([ 1.5,  0. , -1. ])
    """
    return np.sign(w) * np.asarray(penalty.violation(w, np.zeros_like(w)))


def corner_of(penalty: Any, w: np.ndarray) -> np.ndarray | None:
    """Return the largest |gradient| under which each weight may stay 0, of penalties that act weight by weight.

    0 where there is no corner (L2, factors of 0); None for penalties on groups.
    """
    if hasattr(penalty, "elementwise") or hasattr(penalty, "groups"):
        return None
    strength = np.asarray(penalty.alpha, dtype=w.dtype) * getattr(penalty, "l1_ratio", 1.0) * _factors(penalty, w)
    return np.broadcast_to(strength, w.shape)


def _factors(penalty: Any, w: np.ndarray) -> Any:
    factors = getattr(penalty, "factors", None)
    return 1.0 if factors is None else np.asarray(factors, dtype=w.dtype)


def makes_zeros(penalty: Any) -> bool:
    """Say whether a penalty makes weights exactly zero."""
    return penalty is not None and not _is_zero(penalty.alpha) and getattr(penalty, "l1_ratio", 1.0) > 0


def l2_of(penalty: Any, w: np.ndarray) -> Number:
    """Return the multiplier of ½ w² in a penalty: a number, or an array where weights differ; 0 where it has none.

    Examples
    --------
    >>> from shrinkage.penalties import L1, L2, GroupL2
    >>> l2_of(L2(0.5) + GroupL2(0.1, axis=0), np.zeros((2, 2)))
    0.5
    """
    penalty = getattr(penalty, "elementwise", penalty)
    share = 1.0 - getattr(penalty, "l1_ratio", 1.0)
    if penalty is None or not share or _is_zero(penalty.alpha):
        return 0.0
    factors = getattr(penalty, "factors", None)
    if factors is None and isinstance(penalty.alpha, (int, float)):
        return share * float(penalty.alpha)
    return share * np.broadcast_to(np.asarray(penalty.alpha, dtype=w.dtype), w.shape) * _factors(penalty, w)


def _is_zero(alpha: Any) -> bool:
    return isinstance(alpha, (int, float)) and alpha == 0
