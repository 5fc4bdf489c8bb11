"""What the library claims, each claim with the measurement that proves it."""

from importlib import import_module as _import_module

from shrinkage.claims._claim import Claim as Claim
from shrinkage.claims._claim import ClaimBroken as ClaimBroken

_NAMES = (
    "priors",
    "corners",
    "exact_zeros",
    "recovery",
    "right_strength",
    "decay_in_sgd",
    "together",
    "decoupled_decay",
    "lipschitz",
    "three_frameworks",
    "zeros_report",
    "choosing",
    "practical_values",
)
"""One line for each: the module is `_<name>.py`, its `CLAIM` the claim, its page `docs/claims/<name>.md`."""

ALL: tuple[Claim, ...] = tuple(
    sorted((_import_module(f"{__name__}._{name}").CLAIM for name in _NAMES), key=lambda claim: claim.number)
)
"""Every claim, in the order of their numbers."""
