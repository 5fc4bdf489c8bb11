"""What the library claims, each claim with the measurement that proves it."""

from shrinkage.claims._claim import Claim as Claim
from shrinkage.claims._claim import ClaimBroken as ClaimBroken
