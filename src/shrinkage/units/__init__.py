"""Everyone else's strengths: what another package's arguments mean here, and how to say ours there."""

from shrinkage.units._convert import Equivalents as Equivalents
from shrinkage.units._convert import calls as calls
from shrinkage.units._convert import convert as convert
from shrinkage.units._convert import equivalents as equivalents
from shrinkage.units._convert import stated as stated
from shrinkage.units._records import Conversion as Conversion
from shrinkage.units._records import DataFacts as DataFacts
from shrinkage.units._records import Decay as Decay
from shrinkage.units._records import NotExpressible as NotExpressible
from shrinkage.units._records import Strength as Strength
