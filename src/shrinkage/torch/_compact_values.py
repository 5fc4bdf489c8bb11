"""What is known of the entries of a tensor along its axis of features: which go together, which are constant."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

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

    def fresh(self, count: int) -> Tensor:
        """As many new atoms, each alone."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return torch.arange(start, start + count)

    def root(self, atom: int) -> int:
        """The atom that stands for all that were joined with this one."""
        parent = self._parent
        while parent[atom] != atom:
            parent[atom] = atom = parent[parent[atom]]
        return atom

    def roots(self, atoms: Tensor) -> Tensor:
        """The same for each of a tensor."""
        return torch.tensor([self.root(atom) for atom in atoms.tolist()], dtype=torch.int64)

    def join(self, one: Tensor, other: Tensor) -> None:
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
    atoms : Tensor of shape (n,), int64
    const : Tensor of shape (n,), float64
        The value that an entry has everywhere and for every input; NaN where it varies.
    wanted : Tensor of shape (n,), bool
        Whether what comes later depends on the entry where it varies.
    held : Tensor of shape (n,), bool
        Whether the entry must stay whatever it holds.
    """

    axis: int
    ndim: int
    atoms: Tensor
    const: Tensor
    wanted: Tensor = field(init=False)
    held: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.const = torch.where(self.const.isfinite(), self.const, VARIES)
        self.wanted, self.held = torch.zeros(2, self.n, dtype=torch.bool)

    @property
    def n(self) -> int:
        """The number of entries."""
        return len(self.atoms)

    @property
    def from_right(self) -> int:
        """The axis of features, counted from the last: what broadcasting keeps."""
        return self.axis - self.ndim

    @property
    def varies(self) -> Tensor:
        """Where entries depend on the input."""
        return self.const.isnan()

    @property
    def live(self) -> Tensor:
        """Where entries vary and something depends on it."""
        return self.wanted & self.varies

    def want(self, entries: Tensor) -> None:
        """Something later depends on these."""
        self.wanted |= entries

    def hold(self) -> None:
        """Something later needs every entry at its place."""
        self.wanted[:] = True
        self.held[:] = True

    def like(self, const: Tensor, axis: int | None = None, ndim: int | None = None) -> "Value":
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
    total : Tensor of shape (n_out, n_in), float64
        The weight summed over the places of a kernel: what an entry of 1 everywhere adds.
    connected : Tensor of shape (n_out, n_in), bool
        Where any weight of the kernel is other than 0.
    exact : bool
        Whether a constant that enters adds a constant, at borders too.
    in_axis : int
        The weight's axis of the features that enter.
    shows : Tensor of shape (n_in,), bool
        Which constants must stay for nothing but this: zeros padded around them show at the borders.
    """

    name: str
    entering: Value
    leaving: Value
    total: Tensor
    connected: Tensor
    exact: bool
    in_axis: int
    shows: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shows", torch.zeros(self.entering.n, dtype=torch.bool))

    @property
    def folds(self) -> Tensor:
        """Which constants that enter can move into the bias."""
        known = ~self.entering.varies
        return known if self.exact else known & (self.entering.const == 0)
