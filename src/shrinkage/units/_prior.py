"""A penalty read as a prior: density ∝ exp(-S g(w) / φ), with φ the dispersion."""

import numpy as np

from shrinkage._errors import ArgumentError
from shrinkage.units._call import ANY, REQUIRED, Arguments, Call, number, vector
from shrinkage.units._code import call, has_array
from shrinkage.units._records import DataFacts, NotExpressible, Strength

EXACT = "exact: the penalty is the negative log density"
PRIOR = "weighs a whole data set, the penalty one row"


def _read(ratio: float):
    def read(arguments: Arguments, facts: DataFacts) -> Strength:
        per_row = _dispersion(arguments) / facts.weight("a prior", PRIOR)
        if np.ndim(arguments["scale"]) == 0:
            scale = np.array([number(arguments, "scale")])
        else:
            scale = np.array(vector(arguments, "scale"))
        if scale.min() <= 0:
            raise ArgumentError(f"scale must be > 0; got {scale.min()}")
        strengths = per_row / (scale if ratio == 1 else scale**2)
        mean = float(strengths.mean())
        factors = None if len(strengths) == 1 else tuple((strengths / mean).tolist())
        return Strength(mean, ratio, factors)

    return read


def _dispersion(arguments: Arguments) -> float:
    dispersion = number(arguments, "dispersion")
    if not 0 < dispersion < float("inf"):
        raise ArgumentError(f"dispersion must be > 0 and finite; got {dispersion}")
    return dispersion


def _write(ratio: float):
    def write(strength: Strength, facts: DataFacts) -> Arguments:
        total = facts.weight("a prior", PRIOR)
        factors = np.array([1.0] if strength.factors is None else strength.factors)
        if strength.alpha == 0 or factors.min() == 0:
            raise NotExpressible("not expressible: a free coefficient has a flat prior, which is no distribution")
        scale = 1.0 / (total * strength.alpha * factors)
        scale = scale if ratio == 1 else np.sqrt(scale)
        return {"scale": float(scale[0]) if strength.factors is None else scale, "dispersion": 1.0}

    return write


def _code(name: str):
    def code(arguments: Arguments, strength: Strength, facts: DataFacts) -> str:
        shown = {"scale": arguments["scale"]}
        lines = ["import numpy as np"] if has_array(shown) else []
        return "\n".join([*lines, "from scipy import stats", "", f"prior = {call(f'stats.{name}', [], shown)}"])

    return code


def _notes(ratio: float):
    def notes(strength: Strength, facts: DataFacts) -> list[str]:
        root = "φ" if ratio == 1 else "√φ"
        said = "Of each coefficient, the intercept flat; a prior depends on the number of rows, a strength does not."
        unit = f"For a dispersion φ other than 1 (of squared loss the noise variance) multiply the scale by {root}."
        return [said] if strength.loss in ("logistic", "poisson", "cox") else [said, unit]

    return notes


CALLS = tuple(
    Call(
        name, {"scale": REQUIRED, "dispersion": 1.0}, ANY, _read(ratio), _write(ratio), _code(short), EXACT,
        l1=ratio == 1, l2=ratio == 0, mixed=False, factors=True, notes=_notes(ratio),
    )
    for name, short, ratio in (("prior.laplace", "laplace", 1.0), ("prior.normal", "norm", 0.0))
)  # fmt: skip
