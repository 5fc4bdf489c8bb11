"""From one package's words to another's, through our unit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shrinkage._errors import ArgumentError
from shrinkage.units import (
    _documented,
    _glmnet,
    _keras,
    _linear,
    _optax,
    _ours,
    _prior,
    _sklearn,
    _statsmodels,
    _torch,
)
from shrinkage.units._call import Call
from shrinkage.units._decay import NO_PENALTY
from shrinkage.units._records import Conversion, DataFacts, Decay, NotExpressible, Strength

_ROOMS = (_ours, _sklearn, _glmnet, _linear, _statsmodels, _keras, _torch, _optax, _documented, _prior)
CALLS: dict[str, Call] = {call.name: call for room in _ROOMS for call in room.CALLS}
PACKAGES = tuple(dict.fromkeys(call.package for call in CALLS.values()))


def calls() -> dict[str, str]:
    """Every call that `convert` reads and writes, with how it was checked.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> calls()["spark.LinearRegression"]
    'documented, not run'
    """
    return {name: call.checked for name, call in CALLS.items()}


def convert(
    source: str,
    target: str,
    *,
    y: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    n_samples: int | None = None,
    total_weight: float | None = None,
    sd_y: float | None = None,
    loss: str | None = None,
    **arguments: Any,
) -> Conversion:
    """Say in another package's words what a penalized model's arguments mean.

    Everything passes through one unit, that of this library:

        (1/S) Σᵢ sᵢ ℓ(yᵢ, ηᵢ) + α Σⱼ fⱼ (ρ|wⱼ| + ½(1-ρ) wⱼ²),    S = Σ sᵢ,  η = o + Xw + b,  b free

    Parameters
    ----------
    source : str
        Name of a call, such as "sklearn.LogisticRegression"; `calls` lists them.
    target : str
        Name of a call, or of a package, such as "glmnet": then the call of it that can say it.
    y : array-like of shape (n_samples,), optional
        Response. It gives n_samples, total_weight and sd_y, which some packages' units depend on.
    sample_weight : array-like of shape (n_samples,), optional
        Row weights sᵢ of the fit; needs y.
    offset : array-like of shape (n_samples,), optional
        Known part oᵢ of the linear predictor; needs y.
    n_samples : int, optional
    total_weight : float, optional
        S. Where it is given the fit counts as weighted; where not, S is n_samples.
    sd_y : float, optional
        Standard deviation of y - offset, weighted, divisor S; √(Σ sᵢ (yᵢ - oᵢ)² / S) where no intercept is fitted.
    loss : {"mse", "half_mse", "crossentropy", "poisson"}, optional
        What a network's penalty is added to. "mse" is twice our ½(y - η)²; between two networks it may be left out, and
        from squared loss to a network it is "mse" unless said.
    **arguments
        The source's own arguments by its own names: `C=0.5`, `alpha=1.0`, `weight_decay=0.01`. `lambda_` is R's lambda,
        `penalty_factor` its penalty.factor. What is left out has the package's own default.

    Returns
    -------
    Conversion
        Our strength, the target's arguments, code to paste, caveats in sentences.

    Raises
    ------
    NotExpressible
        If the target has no words for it: liblinear's penalized intercept, decoupled weight decay as a penalty, a loss
        or an option that the target lacks. It is an `ArgumentError`.
    ArgumentError
        If a name is unknown, a value out of range, or a number of the data is needed that was not given.

    References
    ----------
    Friedman, Hastie & Tibshirani (2010), J. Stat. Softw. 33(1), https://doi.org/10.18637/jss.v033.i01 (glmnet);
    Loshchilov & Hutter (2019), https://arxiv.org/abs/1711.05101 (decoupled decay).

    Examples
    --------
    >>> found = convert("sklearn.LogisticRegression", "glmnet", C=0.5, n_samples=200)
    >>> found.target, found.arguments["lambda"], found.arguments["alpha"]
    ('glmnet.binomial', 0.01, 0.0)
    >>> print(convert("sklearn.Ridge", "shrinkage", alpha=20.0, n_samples=200).code)
    from shrinkage import Ridge
    <BLANKLINE>
    model = Ridge(alpha=0.1)
    model.fit(X, y)
    """
    facts = data_facts(y, sample_weight, offset, n_samples, total_weight, sd_y, loss)
    start = named(source)
    meaning = start.read(start.complete(arguments), facts)
    return written(start.name, target, meaning, facts)


def data_facts(
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    offset: ArrayLike | None,
    n_samples: int | None,
    total_weight: float | None,
    sd_y: float | None,
    loss: str | None,
) -> DataFacts:
    """The facts that the arguments of `convert` say."""
    if y is None:
        for name, value in (("sample_weight", sample_weight), ("offset", offset)):
            if value is not None:
                raise ArgumentError(f"{name} needs y= beside it; without it give total_weight= or sd_y=")
        weighted = total_weight is not None
        return DataFacts(n_samples, total_weight, sd_y, sd_y, weighted, False, loss)
    for name, value in (("n_samples", n_samples), ("total_weight", total_weight), ("sd_y", sd_y)):
        if value is not None:
            raise ArgumentError(f"{name} is known from y: give one or the other")
    return replace(DataFacts.of(y, sample_weight, offset), mean_loss=loss)


def named(name: str) -> Call:
    """The call of that name, or a sentence with those that there are."""
    if not isinstance(name, str) or name not in CALLS:
        package = name.partition(".")[0] if isinstance(name, str) else ""
        near = [known for known in CALLS if known.startswith(f"{package}.")] or list(CALLS)
        raise ArgumentError(f"{name!r} is no call that is known; choose from {', '.join(near)}")
    return CALLS[name]


def written(source: str, target: str, meaning: Strength | Decay, facts: DataFacts) -> Conversion:
    """The strength in the words of a call, or of the first call of a package that has them."""
    if target not in PACKAGES:
        return _in_words_of(named(target), source, meaning, facts)
    refusals: list[ArgumentError] = []
    for call in (call for call in CALLS.values() if call.package == target):
        try:
            return _in_words_of(call, source, meaning, facts)
        except ArgumentError as refusal:
            refusals.append(refusal)
    # a missing number can be mended; of refusals the one by the call that comes nearest says most
    wanting = [refusal for refusal in refusals if not isinstance(refusal, NotExpressible)]
    apt = [refusal for refusal in refusals if "has the loss" not in str(refusal)]
    nearest = [refusal for refusal in apt if not re.search(r" has no (mix|L1|L2) ", str(refusal))]
    raise (wanting or nearest or apt or refusals)[0]


def _in_words_of(call: Call, source: str, meaning: Strength | Decay, facts: DataFacts) -> Conversion:
    if isinstance(meaning, Decay) or call.is_decay:
        if not (isinstance(meaning, Decay) and call.is_decay):
            raise NotExpressible(f"not expressible: {source} to {call.name}. {NO_PENALTY}")
    else:
        if meaning.loss is None and not call.is_term:
            meaning = replace(meaning, loss=_assumed(source, call))
        call.refuse(meaning, facts)
    arguments = call.write(meaning, facts)
    code = call.code(arguments, meaning, facts)
    caveats = (*call.notes(meaning, facts), *_scaling(call, meaning))
    return Conversion(source, call.name, meaning, facts, arguments, code, caveats, call.checked)


def _assumed(source: str, call: Call) -> str:
    """The loss of a target for a term whose loss was not said, where that leaves no doubt."""
    if "squared" in call.losses:
        raise ArgumentError(
            f"loss must say what {source} is added to: 'mse', 'half_mse' or 'crossentropy'; got None, and of squared "
            "losses one is twice the other"
        )
    return call.losses[0]


def _scaling(call: Call, meaning: Strength | Decay) -> list[str]:
    if not isinstance(meaning, Strength) or not meaning.standardize or call.standardize:
        return []
    return ["X is standardized before the fit: coefficients are per standard deviation; divide them to have raw units."]


@dataclass(frozen=True)
class Equivalents:
    """One model in the words of every package that has them, and why the others have none.

    Attributes
    ----------
    source : str
    meaning : Strength or Decay
    conversions : tuple of Conversion
        One for each package.
    refusals : mapping of str to str
        Package: why it cannot say it, or what it would need to know.
    """

    source: str
    meaning: Strength | Decay
    conversions: tuple[Conversion, ...]
    refusals: Mapping[str, str]

    def __getitem__(self, name: str) -> Conversion:
        for conversion in self.conversions:
            if name in (conversion.target, conversion.target.partition(".")[0]):
                return conversion
        why = self.refusals.get(name, f"{name!r} is no package that is known; choose from {', '.join(PACKAGES)}")
        raise NotExpressible(why)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        rows = [conversion.to_dict() for conversion in self.conversions]
        return {"source": self.source, "conversions": rows, "not_expressible": dict(self.refusals)}

    def __str__(self) -> str:
        blocks = [str(conversion) for conversion in self.conversions]
        refused = [f"# {package}: {why}" for package, why in self.refusals.items()]
        return "\n\n".join([*blocks, *(["\n".join(refused)] if refused else [])])


def equivalents(
    source: str,
    *,
    y: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    n_samples: int | None = None,
    total_weight: float | None = None,
    sd_y: float | None = None,
    loss: str | None = None,
    **arguments: Any,
) -> Equivalents:
    """Say the same in the words of every package.

    Parameters
    ----------
    source, y, sample_weight, offset, n_samples, total_weight, sd_y, loss, **arguments
        As in `convert`.

    Returns
    -------
    Equivalents
        It prints as code to paste; `["glmnet"]` is one of its conversions.

    Examples
    --------
    >>> same = equivalents("sklearn.Lasso", alpha=0.1, n_samples=100)
    >>> same["glmnet"].arguments["lambda"]
    0.1
    """
    facts = data_facts(y, sample_weight, offset, n_samples, total_weight, sd_y, loss)
    start = named(source)
    meaning = start.read(start.complete(arguments), facts)
    return gathered(start.name, meaning, facts)


def gathered(source: str, meaning: Strength | Decay, facts: DataFacts) -> Equivalents:
    """What every package says of a strength."""
    found, refused = [], {}
    for package in PACKAGES:
        try:
            found.append(written(source, package, meaning, facts))
        except ArgumentError as refusal:
            refused[package] = str(refusal).removeprefix("not expressible: ")
    return Equivalents(source, meaning, tuple(found), refused)


def stated(
    name: str,
    *,
    alpha: float,
    l1_ratio: float,
    loss: str,
    fit_intercept: bool = True,
    standardize: bool = False,
    penalty_factor: ArrayLike | None = None,
    facts: DataFacts,
) -> Equivalents:
    """What every package says of a strength in our unit; what `equivalent_calls` of an estimator calls.

    Parameters
    ----------
    name : str
        What to call the source.
    alpha, l1_ratio, fit_intercept, standardize, penalty_factor
        As in `shrinkage.ElasticNet`.
    loss : {"squared", "logistic"}
    facts : DataFacts

    Returns
    -------
    Equivalents
    """
    factors = None if penalty_factor is None else tuple(np.asarray(penalty_factor, dtype=np.float64).tolist())
    meaning = Strength(float(alpha), float(l1_ratio), factors, loss, bool(fit_intercept), bool(standardize))
    return gathered(name, meaning, facts)
