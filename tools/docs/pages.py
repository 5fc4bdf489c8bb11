"""Pages of claims: words with places for numbers, `[[expr:format]]`, and for pictures, `![words](name.svg)`.

An expression is a path of attributes, keys and places from the record of a claim's measurement, such as
`runs.plain.0.distance`, or ends in `()`, a method without arguments that returns Markdown.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

PLACE = re.compile(r"\[\[([A-Za-z_]\w*(?:\.\w+)*(?:\(\))?)(?::([^\[\]]*))?\]\]")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([\w-]+)\.svg\)")
FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
CHECKED = "*Checked at every build"


class PageError(ValueError):
    """A page that asks for what its record does not have."""


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """`text` with everything but its fenced blocks changed."""
    parts, end = [], 0
    for block in FENCE.finditer(text):
        parts += [change(text[end : block.start()]), block.group()]
        end = block.end()
    return "".join([*parts, change(text[end:])])


def value_of(record: Any, expression: str) -> Any:
    """What an expression says of a record."""
    found = record
    for part in expression.removesuffix("()").split("."):
        try:
            if isinstance(found, Mapping):
                found = found[part]
            elif part.isdigit() and (isinstance(found, Sequence) or hasattr(found, "__getitem__")):
                found = found[int(part)]
            else:
                found = getattr(found, part)
        except (AttributeError, KeyError, IndexError) as error:
            raise PageError(f"[[{expression}]]: {type(found).__name__} has no {part!r}") from error
    if expression.endswith("()"):
        found = found()
    elif callable(found):
        raise PageError(f"[[{expression}]] is a method: write [[{expression}()]]")
    return found


def filled(text: str, record: Any) -> str:
    """The page with every number in its place.

    Raises
    ------
    PageError
        If an expression says nothing of the record, a format does not fit, or what looks like a place is none.
    """

    def number(match: re.Match) -> str:
        expression, spec = match.group(1), match.group(2)
        value = value_of(record, expression)
        try:
            return format(value, spec) if spec else str(value)
        except (TypeError, ValueError) as error:
            raise PageError(f"[[{expression}:{spec}]]: {error}") from error

    def change(part: str) -> str:
        found = PLACE.sub(number, part)
        if left := re.search(r"\[\[.{0,40}", part) if "[[" in PLACE.sub("", part) else None:
            raise PageError(f"{left.group()!r} is no place for a number: [[path.of.attributes:format]] or [[method()]]")
        return found

    return outside_code(text, change)


def pictures_of(text: str) -> list[str]:
    """Names of the pictures that a page shows, without their endings."""
    return [match.group(2) for match in PICTURE.finditer(text)]
