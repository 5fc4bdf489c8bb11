"""A claim: a sentence about penalties, the measurement that shows it, and the check that it still holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shrinkage._errors import ShrinkageError


class ClaimBroken(ShrinkageError):
    """A measurement that does not show what its claim says."""


@dataclass(frozen=True)
class Claim:
    """One claim and all that is needed to prove it; its page in the documentation has the same name.

    Attributes
    ----------
    number : int
        Its place in the list.
    name : str
        Name of the page: ``docs/claims/<name>.md``.
    sentence : str
        The claim, in one sentence.
    measure : callable
        ``measure(quick) -> record``: runs the library on stated data and returns a frozen record of numbers. With
        ``quick`` it takes a few seconds at most; without, as many seeds and strengths as the page shows.
    check : callable
        ``check(record)`` raises `ClaimBroken`, with the number met and the one expected, if the record does not show
        the claim.
    lines : callable
        ``lines(record) -> list of str``: what a terminal shows, three to eight lines.
    pictures : mapping of str to callable
        ``draw(record, axes)`` by the name of the file that the page shows.
    extras : tuple of str
        Extras of the package that `measure` cannot do without.
    """

    number: int
    name: str
    sentence: str
    measure: Callable[[bool], Any]
    check: Callable[[Any], None]
    lines: Callable[[Any], list[str]]
    pictures: Mapping[str, Callable[[Any, Any], None]] = field(default_factory=dict)
    extras: tuple[str, ...] = ()


def expect(holds: bool, sentence: str) -> None:
    """Raise `ClaimBroken` with `sentence`, which says the number met and the one expected, unless it holds."""
    if not holds:
        raise ClaimBroken(sentence)
