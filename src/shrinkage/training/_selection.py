"""Callables of a user's, who sees more of a parameter than its name, as rules for names."""

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any

from shrinkage._errors import ArgumentError


def by_name(argument: str, selection: Any, known: Mapping[str, tuple[Any, ...]], takes: tuple[str, ...]) -> Any:
    """Return a selection whose callables take a name alone.

    Parameters
    ----------
    argument : str
        Whose selection it is, for messages.
    selection : str, callable, None, or iterable of these
    known : mapping from name to tuple
        What a callable is given for that name.
    takes : tuple of str
        What the parts of that tuple are called.

    Raises
    ------
    ArgumentError
        If a callable cannot take as many arguments.

    Examples
    --------
    >>> rule = by_name("select", lambda name, size: size > 3, {"a": ("a", 2), "b": ("b", 4)}, ("name", "size"))
    >>> [rule(name) for name in ("a", "b")]
    [False, True]
    """
    if callable(selection):
        ask: Any = selection

        def rule(name: str) -> bool:
            return ask(*known[name])

        try:
            signature(ask).bind(*takes)
        except TypeError as error:
            raise ArgumentError(
                f"{argument}: a callable must take ({', '.join(takes)}); "
                f"{getattr(ask, '__name__', ask)!r} does not: {error}"
            ) from None
        except ValueError:  # compiled functions may not know what they take
            pass

        rule.__name__ = getattr(selection, "__name__", "callable")
        return rule
    if isinstance(selection, Iterable) and not isinstance(selection, (str, Mapping)):
        return [by_name(argument, one, known, takes) for one in selection]
    return selection
