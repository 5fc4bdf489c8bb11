"""Decoupled weight decay, which is no penalty, in the words of three frameworks."""

from shrinkage.units._call import Arguments, number
from shrinkage.units._records import DataFacts, Decay

NO_PENALTY = (
    "Decoupled decay is no penalty: each step multiplies w by 1 - lr · weight_decay beside an adaptive step, and at "
    "rest the gradient is -weight_decay √v w, whose √v the data choose. No L2 strength says that."
)
TIMESCALE = "It forgets a weight within 1 / (lr · weight_decay) steps."


def read_decay(arguments: Arguments, facts: DataFacts) -> Decay:
    """The rate, None being 0."""
    return Decay(0.0 if arguments["weight_decay"] is None else number(arguments, "weight_decay"))


def write_decay(decay: Decay, facts: DataFacts) -> Arguments:
    """The same rate: all of them multiply by 1 - lr · weight_decay."""
    return {"weight_decay": decay.weight_decay}
