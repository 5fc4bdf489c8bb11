"""A penalty as plain data and back: what a checkpoint may hold."""

from dataclasses import fields
from typing import Any

import numpy as np

from shrinkage import penalties
from shrinkage._errors import ArgumentError

_KINDS = {kind.__name__: kind for kind in penalties.ALL}


def to_plain(penalty: Any) -> dict[str, Any] | None:
    """Return a penalty as a dict of texts, numbers, lists and dicts, which any format can store; None stays None.

    Arrays of NumPy become lists; those of another library stay as they are, since its own format stores them.

    Raises
    ------
    ArgumentError
        If `penalty` is none of this library's.

    Examples
    --------
    >>> from shrinkage import L1L2
    >>> to_plain(L1L2(0.1, l1_ratio=0.9))
    {'kind': 'L1L2', 'alpha': 0.1, 'l1_ratio': 0.9, 'factors': None}
    """
    if penalty is None:
        return None
    kind = type(penalty).__name__
    if _KINDS.get(kind) is not type(penalty):
        raise ArgumentError(f"penalty must be one of {', '.join(_KINDS)}, or None; got {penalty!r}")
    return {"kind": kind} | {f.name: _plain(getattr(penalty, f.name)) for f in fields(penalty) if f.init}


def from_plain(plain: Any) -> Any:
    """Return the penalty that `to_plain` made this dict from; a penalty or None is returned as it is.

    Raises
    ------
    ArgumentError
        If the dict names no penalty of this library.

    Examples
    --------
    >>> from_plain({"kind": "L1", "alpha": 0.1, "factors": None})
    L1(alpha=0.1, factors=None)
    """
    if not isinstance(plain, dict):
        return plain
    kind = plain.get("kind")
    if kind not in _KINDS:
        raise ArgumentError(f"a stored penalty must have a 'kind' among {', '.join(_KINDS)}; got {plain!r}")
    return _KINDS[kind](**{name: _value(name, value) for name, value in plain.items() if name != "kind"})


def _plain(value: Any) -> Any:
    if type(value) in _KINDS.values():
        return to_plain(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return value


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return from_plain(value)
    if isinstance(value, list) and name not in ("groups", "axis"):
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, list) and name == "axis":
        return tuple(value)
    return value
