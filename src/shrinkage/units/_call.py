"""One call of one package: its arguments, what they mean, and how to write it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shrinkage._check import finite_vector
from shrinkage._errors import ArgumentError
from shrinkage.units._records import DataFacts, Decay, NotExpressible, Strength

REQUIRED = object()
ANY = ("any",)

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A row of the table of units.

    Attributes
    ----------
    name : str
        "package.Thing", as a user would look it up.
    defaults : mapping
        Every argument that is read, with the package's own default; REQUIRED where it has none.
    losses : tuple of str
        Losses it can have; ("any",) for what is added to a mean loss that the user chooses.
    read : (arguments, facts) -> Strength or Decay
    write : (strength or decay, facts) -> arguments
    code : (arguments, strength or decay, facts) -> str
    checked : str
    l1, l2, mixed, weights, offset, factors, intercept : bool
        What it can say: L1 alone, L2 alone, both, row weights, an offset, factors per column, an intercept.
    standardize : bool
        Whether it has an option of its own that scales columns by their standard deviation.
    notes : (strength or decay, facts) -> sentences
    """

    name: str
    defaults: Mapping[str, Any]
    losses: tuple[str, ...]
    read: Callable[[Arguments, DataFacts], Strength | Decay]
    write: Callable[[Any, DataFacts], Arguments]
    code: Callable[[Arguments, Any, DataFacts], str]
    checked: str
    l1: bool = True
    l2: bool = True
    mixed: bool = True
    weights: bool = True
    offset: bool = False
    factors: bool = False
    intercept: bool = True
    standardize: bool = False
    is_decay: bool = False
    notes: Callable[[Any, DataFacts], list[str]] = field(default=lambda meaning, facts: [])

    @property
    def package(self) -> str:
        """What stands before the first dot of the name."""
        return self.name.partition(".")[0]

    @property
    def is_term(self) -> bool:
        """Whether it is added to a mean loss of the user's."""
        return self.losses == ANY

    def complete(self, arguments: Mapping[str, Any]) -> Arguments:
        """The arguments under the package's own names, defaults filled in.

        Raises
        ------
        ArgumentError
            If a name is unknown, or a required one is missing.
        """
        known = {_spelled(name): name for name in self.defaults}
        given: Arguments = {}
        for name, value in arguments.items():
            if _spelled(name) not in known:
                raise ArgumentError(f"{self.name} is read by its {', '.join(self.defaults)}; got {name!r}")
            given[known[_spelled(name)]] = value
        complete = {name: given.get(name, default) for name, default in self.defaults.items()}
        missing = [name for name, value in complete.items() if value is REQUIRED]
        if missing:
            raise ArgumentError(f"{self.name} needs {missing[0]}=, which has no default")
        return complete

    def refuse(self, strength: Strength, facts: DataFacts) -> None:
        """Raise NotExpressible where this call has no words for that strength."""
        both = strength.l1 > 0 and strength.l2 > 0
        checks = [
            (not self.is_term and strength.loss not in (None, *self.losses), self._loss_sentence(strength)),
            (both and not self.mixed, "has no mix of L1 and L2"),
            (strength.l1 > 0 and not both and not self.l1, "has no L1 penalty"),
            (strength.l2 > 0 and not both and not self.l2, "has no L2 penalty alone"),
            (facts.has_weights and not self.weights, "takes no row weights"),
            (facts.has_offset and not self.can_offset(strength), "takes no offset"),
            (strength.fit_intercept and not self.intercept, "fits no free intercept"),
            (
                strength.factors is not None and not self.factors,
                "has no penalty factors: one strength holds for all columns"
                + ("" if both else "; divide column j of X, and then its coefficient, by fⱼ (L1) or √fⱼ (L2)"),
            ),
            (
                np.inf in (strength.factors or ()) and self.package != "glmnet",
                "has no factor Inf: leave such columns out of X",
            ),
            (
                strength.standardize
                and not strength.fit_intercept
                and self.standardize
                and self.package not in ("shrinkage", "glmnet"),
                "does not say how it scales columns where no intercept is fitted",
            ),
        ]
        for wrong, sentence in checks:
            if wrong:
                raise NotExpressible(f"not expressible: {self.name} {sentence}")

    def can_offset(self, strength: Strength) -> bool:
        """Whether an offset can be said; under squared loss it is a matter of y."""
        return self.offset or self.is_term or strength.loss in ("squared", None)

    def _loss_sentence(self, strength: Strength) -> str:
        return f"has the loss {' or '.join(self.losses)}, the source has {strength.loss}"


def _spelled(name: str) -> str:
    """A name as it may be given: R's dots and Python's trailing underscore make no difference."""
    return name.rstrip("_").replace(".", "_")


def number(arguments: Arguments, name: str) -> float:
    """An argument that must be one real number."""
    value = arguments[name]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ArgumentError(f"{name} must be a number; got {value!r}")
    value = float(value)
    if not value >= 0:
        raise ArgumentError(f"{name} must be >= 0; got {value}")
    return value


def truth(arguments: Arguments, name: str) -> bool:
    """An argument that must be True or False."""
    value = arguments[name]
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def vector(arguments: Arguments, name: str, infinite: bool = False) -> tuple[float, ...] | None:
    """An argument that is None or a vector of numbers >= 0, not all 0."""
    value = arguments[name]
    if value is None:
        return None
    values = np.asarray(value, dtype=np.float64) if np.ndim(value) == 1 else None
    if values is None or values.size == 0:
        raise ArgumentError(f"{name} must be a vector, one number for each column; got {value!r}")
    if infinite:
        finite_vector(name, np.where(np.isinf(values), 1.0, values), len(values))
    else:
        finite_vector(name, values, len(values))
    if values.min() < 0 or not (values > 0).any():
        raise ArgumentError(f"{name} must be >= 0 and not all 0; got {value!r}")
    return tuple(values.tolist())


def mixed(l1: float, l2: float, otherwise: float = 1.0, **rest: Any) -> Strength:
    """The strength with these two parts; `otherwise` is the ratio where both are 0."""
    total = l1 + l2
    return Strength(total, l1 / total if total > 0 else otherwise, **rest)


def listed(strength: Strength) -> np.ndarray | None:
    """The factors as an array, for a package that takes one."""
    return None if strength.factors is None else np.array(strength.factors)
