"""What is known of the entries of a tensor along its axis of features: which go together, which are constant."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
VARIES = float("nan")
"""Stands among constants for an entry that depends on the input."""


class Refusal(Exception):
    """Why a network, or one way of making it smaller, is refused: a sentence."""


class Atoms:
    """Sets of entries that can only be removed together: the features of two branches that are added, for instance.

    An atom is a number; tensors hold one for each of their entries, and `join` makes two the same.
    """

    def __init__(self) -> None:
        self._parent: list[int] = []

    def fresh(self, count: int) -> Numbers:
        """As many new atoms, each alone."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return np.arange(start, start + count, dtype=np.int64)

    def root(self, atom: int) -> int:
        """The atom that stands for all that were joined with this one."""
        parent = self._parent
        while parent[atom] != atom:
            parent[atom] = atom = parent[parent[atom]]
        return atom

    def roots(self, atoms: Numbers) -> Numbers:
        """The same for each of an array."""
        return np.array([self.root(atom) for atom in atoms.tolist()], dtype=np.int64)

    def join(self, one: Numbers, other: Numbers) -> None:
        """Make the atoms at equal places the same."""
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            self._parent[self.root(a)] = self.root(b)

    def __len__(self) -> int:
        return len(self._parent)


@dataclass(eq=False)
class Value:
    """The entries of one tensor along its axis of features.

    Attributes
    ----------
    axis, ndim : int
        The axis of features and the number of axes.
    atoms : int64 array of shape (n,)
    const : float64 array of shape (n,)
        The value that an entry has everywhere and for every input; NaN where it varies.
    wanted : bool array of shape (n,)
        Whether what comes later depends on the entry where it varies.
    held : bool array of shape (n,)
        Whether the entry must stay whatever it holds.
    """

    axis: int
    ndim: int
    atoms: Numbers
    const: Numbers
    wanted: Numbers = field(init=False)
    held: Numbers = field(init=False)

    def __post_init__(self) -> None:
        self.const = np.where(np.isfinite(self.const), self.const, VARIES)
        self.wanted, self.held = np.zeros((2, self.n), dtype=bool)

    @property
    def n(self) -> int:
        """The number of entries."""
        return len(self.atoms)

    @property
    def from_right(self) -> int:
        """The axis of features, counted from the last: what broadcasting keeps."""
        return self.axis - self.ndim

    @property
    def varies(self) -> Numbers:
        """Where entries depend on the input."""
        return np.isnan(self.const)

    @property
    def live(self) -> Numbers:
        """Where entries vary and something depends on it."""
        return self.wanted & self.varies

    def want(self, entries: Numbers) -> None:
        """Something later depends on these."""
        self.wanted |= entries

    def hold(self) -> None:
        """Something later needs every entry at its place."""
        self.wanted[:] = True
        self.held[:] = True

    def like(self, const: Numbers, axis: int | None = None, ndim: int | None = None) -> "Value":
        """The same entries in another tensor."""
        return Value(self.axis if axis is None else axis, self.ndim if ndim is None else ndim, self.atoms, const)


@dataclass(frozen=True, eq=False)
class Site:
    """One call of a layer whose weight sums over the features that enter: where constants are folded.

    Attributes
    ----------
    name : str
        Of the layer.
    entering, leaving : Value
    total : float64 array of shape (n_out, n_in)
        The weight summed over the places of a kernel: what an entry of 1 everywhere adds.
    connected : bool array of shape (n_out, n_in)
        Where any weight of the kernel is other than 0.
    exact : bool
        Whether a constant that enters adds a constant, at borders too.
    weight, bias : hashable
        What weight and bias are known by; layers that share one name the same. None for no bias.
    columns : callable
        Reads the weight, the axis of the features that enter first.
    shows : bool array of shape (n_in,)
        Which constants must stay for nothing but this: zeros padded around them show at the borders.
    """

    name: str
    entering: Value
    leaving: Value
    total: Numbers
    connected: Numbers
    exact: bool
    weight: Hashable
    bias: Hashable
    columns: Callable[[], Numbers]
    shows: Numbers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shows", np.zeros(self.entering.n, dtype=bool))

    @property
    def folds(self) -> Numbers:
        """Which constants that enter can move into the bias."""
        known = ~self.entering.varies
        return known if self.exact else known & (self.entering.const == 0)
