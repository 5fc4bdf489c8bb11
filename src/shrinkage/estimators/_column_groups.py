"""Which columns form a group: labels, lists, or names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shrinkage._errors import ArgumentError


def column_groups(groups: Any, n_features: int, names: Sequence[str] | None) -> list[list[int]]:
    """Lists of column numbers, disjoint; every column is in one.

    Parameters
    ----------
    groups : None, "names", sequence of n_features labels, or mapping of names to columns
        None: every column alone. "names": columns whose names agree up to the first "=" belong together, as one-hot
        columns of a category do ("site=A", "site=B"). Labels: equal ones belong together. A mapping lists columns by
        number or name; a column that it leaves out is alone.
    n_features : int
    names : sequence of str or None
        Names of the columns.

    Raises
    ------
    ArgumentError
        If groups overlap, name a column that there is not, or hold another number of labels.
    """
    if groups is None:
        return [[j] for j in range(n_features)]
    if isinstance(groups, Mapping):
        return _listed(groups, n_features, names)
    if isinstance(groups, str):
        if groups != "names":
            raise ArgumentError(f"groups must be labels, a mapping, 'names' or None; got {groups!r}")
        if names is None:
            raise ArgumentError("groups='names' needs X with column names, such as a pandas table; X has none")
        groups = [str(name).split("=", 1)[0] for name in names]
    if not np.iterable(groups):
        raise ArgumentError(f"groups must be labels, a mapping, 'names' or None; got {groups!r}")
    labels = groups.tolist() if isinstance(groups, np.ndarray) else list(groups)
    if len(labels) != n_features or any(isinstance(label, (list, tuple, np.ndarray)) for label in labels):
        raise ArgumentError(
            f"groups must hold one label for each of {n_features} columns (a mapping may list columns by name); "
            f"got {len(labels)} of them, the first {labels[0] if labels else 'missing'!r}"
        )
    found: dict[Any, list[int]] = {}
    for j, label in enumerate(labels):
        found.setdefault(label, []).append(j)
    return list(found.values())


def _listed(groups: Mapping, n_features: int, names: Sequence[str] | None) -> list[list[int]]:
    places = {} if names is None else {str(name): j for j, name in enumerate(names)}
    owner: dict[int, Any] = {}
    found = []
    for group, members in groups.items():
        own = []
        for member in [members] if isinstance(members, str) else members:
            if isinstance(member, str) and names is None:
                raise ArgumentError(f"groups must list columns by number where X has no names; got {member!r}")
            j = places.get(member, -1) if isinstance(member, str) else member
            j = int(j) if isinstance(j, (int, np.integer)) else -1
            if not 0 <= j < n_features:
                raise ArgumentError(f"groups must list columns of X; group {group!r} holds {member!r}")
            if j in owner:
                raise ArgumentError(
                    f"groups must not overlap; column {member!r} is in {owner[j]!r} and in {group!r}: to let it be in "
                    "both, give X a copy of the column for each"
                )
            owner[j] = group
            own.append(j)
        if not own:
            raise ArgumentError(f"groups must not be empty; group {group!r} holds no column")
        found.append(own)
    return found + [[j] for j in range(n_features) if j not in owner]
