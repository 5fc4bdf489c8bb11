"""What errors cost: losses as rowwise functions of a response and a linear predictor."""

from shrinkage.losses._cox import Cox as Cox
from shrinkage.losses._gamma import Gamma as Gamma
from shrinkage.losses._huber import Huber as Huber
from shrinkage.losses._joint import JointLoss as JointLoss
from shrinkage.losses._logistic import Logistic as Logistic
from shrinkage.losses._multinomial import Multinomial as Multinomial
from shrinkage.losses._negative_binomial import NegativeBinomial as NegativeBinomial
from shrinkage.losses._poisson import Poisson as Poisson
from shrinkage.losses._protocol import Loss as Loss
from shrinkage.losses._quantile import Quantile as Quantile
from shrinkage.losses._squared import Squared as Squared
from shrinkage.losses._tweedie import Tweedie as Tweedie

__all__ = [
    "Cox",
    "Gamma",
    "Huber",
    "JointLoss",
    "Logistic",
    "Loss",
    "Multinomial",
    "NegativeBinomial",
    "Poisson",
    "Quantile",
    "Squared",
    "Tweedie",
]

ALL: tuple[type, ...] = (Squared, Logistic, Poisson, Gamma, Tweedie, NegativeBinomial, Huber, Quantile)
"""Every loss of one row and predictor, for the tests of laws that all obey; `Cox` and `Multinomial` have laws of their
own."""
