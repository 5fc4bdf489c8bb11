"""Sets of folds for repeats: dealt anew each time, in the same way for the same random_state."""

import copy
from collections.abc import Iterable, Iterator
from itertools import chain
from numbers import Integral
from typing import Any

import numpy as np

from shrinkage._check import check_positive_int, random_generator
from shrinkage._errors import ArgumentError
from shrinkage._path import fold_rows

Folds = list[tuple[np.ndarray, np.ndarray]]


def fold_sets(cv: Any, y: np.ndarray, stratify: bool, groups: Any, seeds: list[int]) -> Iterator[Folds]:
    """A set of folds for each seed, dealt when it is asked for.

    A number of folds is dealt shuffled, stratified with `stratify`, and by whole groups where there are groups. A
    splitter is asked once for each repeat, with the seed as random_state where it has one. TimeSeriesSplit has
    nothing to draw: each repeat after the first leaves out another number of the latest rows, less than a block.
    A list of lists of (train, test) pairs is a set for each repeat.

    Raises
    ------
    ArgumentError
        If all repeats would be the same, cv does not read the groups that were given, or cv is something else.
    """
    given = _given_sets(cv, len(seeds))
    if groups is not None and (given is not None or in_time(cv)):
        told = repr(cv) if given is None else "(train, test) pairs"
        raise ArgumentError(
            "groups must come with a number of folds or a splitter that keeps them together, such as GroupKFold; got "
            f"{told}"
        )
    if given is not None:
        return iter([fold_rows(pairs, y, stratify) for pairs in given])
    if in_time(cv):
        return _in_time(cv, y, seeds)
    return _dealt(cv, y, stratify, groups, seeds)


def in_time(cv: Any) -> bool:
    """Whether folds train on what comes before the rows they hold out."""
    return type(cv).__name__ == "TimeSeriesSplit"


def within(cv: Any, inner_cv: Any) -> Any:
    """What deals the rows that `cv` trains on: a number of folds is in time where `cv` is, with its gap."""
    count = 10 if inner_cv is None else inner_cv
    if not in_time(cv) or isinstance(count, bool) or not isinstance(count, Integral):
        return inner_cv
    from sklearn.model_selection import TimeSeriesSplit

    check_positive_int("inner_cv", count, 2)
    return TimeSeriesSplit(int(count), gap=cv.gap)


def _dealt(cv: Any, y: np.ndarray, stratify: bool, groups: Any, seeds: list[int]) -> Iterator[Folds]:
    first: Folds = []
    for repeat, seed in enumerate(seeds):
        folds = fold_rows(_dealer(cv, y, stratify, groups, seed), y, stratify, groups=groups)
        if repeat == 1 and _same(first, folds):
            raise ArgumentError(
                f"cv must deal other folds in each of the {len(seeds)} repeats; {cv!r} deals the same ones: give a "
                "splitter that shuffles, a list of lists of (train, test) pairs, or repeats=1"
            )
        first = folds if repeat == 0 and len(seeds) > 1 else []
        yield folds


def seeds_of(random_state: Any, count: int) -> list[int]:
    """Numbers that random_state (None, a number, or a numpy Generator) stands for."""
    check_positive_int("repeats", count)
    return random_generator(random_state).integers(2**31 - 1, size=count).tolist()


def _given_sets(cv: Any, repeats: int) -> list[Any] | None:
    """The user's own sets, or None if cv is a number or a splitter."""
    if cv is None or isinstance(cv, (Integral, str, bool)) or hasattr(cv, "split") or not isinstance(cv, Iterable):
        return None
    items: list[Any] = [list(item) if isinstance(item, Iterable) else item for item in cv]
    if not items:
        raise ArgumentError("cv must hold at least one set of (train, test) pairs; got an empty list")
    sets = [items] if _is_pair(items[0]) else items
    if len(sets) != repeats:
        what = "one list of (train, test) pairs, which is one repeat" if sets[0] is items[0] or len(sets) == 1 else ""
        raise ArgumentError(
            f"cv must hold a list of (train, test) pairs for each of repeats={repeats}; got {what or len(sets)}: "
            f"give repeats={len(sets)}"
        )
    return sets


def _is_pair(item: Any) -> bool:
    """Whether an item is (train, test), not a list of such."""
    if not isinstance(item, list) or len(item) != 2:
        return False
    try:
        return all(np.ndim(rows) == 1 for rows in item) and np.asarray(item[0]).dtype.kind in "biu"
    except ValueError:
        return False


def _dealer(cv: Any, y: np.ndarray, stratify: bool, groups: Any, seed: int) -> Any:
    """What deals one repeat: a shuffling splitter for a number, a seeded copy of a splitter."""
    if cv is None or (isinstance(cv, Integral) and not isinstance(cv, bool)):
        return _shuffled(10 if cv is None else int(cv), y, stratify, groups, seed)
    if not hasattr(cv, "split"):
        return cv  # `fold_rows` says what it must be
    if type(cv).__name__.startswith("Repeated"):
        raise ArgumentError(f"cv must deal one set of folds; {cv!r} repeats by itself: give its folds, and repeats")
    seeded = copy.deepcopy(cv)
    if hasattr(seeded, "random_state") and getattr(seeded, "shuffle", True):
        seeded.random_state = seed
    return seeded


def _shuffled(count: int, y: np.ndarray, stratify: bool, groups: Any, seed: int) -> Any:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if count < 2 or count > len(y):
        return count
    if groups is not None:
        return (StratifiedGroupKFold if stratify else GroupKFold)(count, shuffle=True, random_state=seed)
    if stratify:
        rows = np.unique(y, return_counts=True)[1]
        if rows.min() < 2:
            return count  # `fold_rows` says why not
        if rows.max() >= count:
            return StratifiedKFold(count, shuffle=True, random_state=seed)
    return KFold(count, shuffle=True, random_state=seed)


def _in_time(cv: Any, y: np.ndarray, seeds: list[int]) -> Iterator[Folds]:
    """TimeSeriesSplit of all rows, then of the first n - s, s drawn without repetition below the length of a block."""
    first, repeats = fold_rows(cv, y, False), len(seeds)
    block = min(len(test) for _, test in first)
    if repeats > block:
        raise ArgumentError(
            f"repeats must be at most {block} for {cv!r} with {len(y)} rows, the length of the block that is held out: "
            f"each repeat leaves out another number of the latest rows; got {repeats}"
        )
    left_out = np.random.default_rng(seeds[0]).permutation(np.arange(1, block))[: repeats - 1]
    return chain([first], (fold_rows(cv, y[: len(y) - s], False) for s in left_out))


def _same(a: Folds, b: Folds) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(x, z) for one, other in zip(a, b, strict=True) for x, z in zip(one, other, strict=True)
    )
