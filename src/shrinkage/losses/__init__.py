"""What errors cost: losses as rowwise functions of a response and a linear predictor."""

from shrinkage.losses._logistic import Logistic as Logistic
from shrinkage.losses._protocol import Loss as Loss
from shrinkage.losses._squared import Squared as Squared

__all__ = ["Logistic", "Loss", "Squared"]

ALL: tuple[type, ...] = (Squared, Logistic)
"""Every loss, for the tests of the laws that all must obey."""
