"""What the calls of a network do with features, entered call by call; then, backwards, what depends on them."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from shrinkage.training._features import VARIES, Atoms, Numbers, Site, Value

NEEDS_ALL = "{} needs every feature that enters"


class Ledger:
    """Rules that are the same in every framework; those that read a framework's calls enter what they find here.

    Attributes
    ----------
    atoms : Atoms
    claims : dict
        The atoms of an axis of a weight, by (what the weight is known by, axis).
    frozen : set
        Weights that must stay whole.
    sites : list of Site
    grouped : dict of str to Value
        What enters a convolution in groups, by the layer's name.
    whole : Counter
        Constants that stay, by the sentence that says what needs them.
    """

    def __init__(self) -> None:
        self.atoms = Atoms()
        self.claims: dict[tuple[Hashable, int], Numbers] = {}
        self.frozen: set[Hashable] = set()
        self.sites: list[Site] = []
        self.grouped: dict[str, Value] = {}
        self.whole: Counter[str] = Counter()
        self.values: list[Value] = []
        self._backward: list[Callable[[], None]] = []

    def fresh(self, n: int, axis: int, ndim: int, const: Numbers | None = None) -> Value:
        """Entries of their own: of which nothing is known, if not what is constant."""
        const = np.full(n, VARIES) if const is None else const
        return self._noted(Value(axis, ndim, self.atoms.fresh(n), const))

    def unknown(self, n: int, axis: int, ndim: int) -> Value:
        """Entries of which nothing is known and that must stay: an input, the result of an unknown call."""
        value = self.fresh(n, axis, ndim)
        value.hold()
        return value

    def hold(self, title: str, value: Value, sentence: str = NEEDS_ALL) -> None:
        """The call of this title needs all of these features."""
        value.hold()
        self.whole[sentence.format(title)] += int((~value.varies).sum())

    def claim(self, weight: Hashable, axis: int, atoms: Numbers) -> None:
        """An axis of a weight runs along these atoms; None, no weight, is passed over."""
        if weight is None:
            return
        if (weight, axis) in self.claims:
            self.atoms.join(self.claims[weight, axis], atoms)
        else:
            self.claims[weight, axis] = atoms

    def later(self, step: Callable[[], None]) -> None:
        """What is to be done backwards, once all that reads the call's result has been."""
        self._backward.append(step)

    def settle(self) -> None:
        """Go backwards over the calls: what is wanted of each input, given what is wanted of each result."""
        for step in reversed(self._backward):
            step()

    def held_atoms(self) -> set[int]:
        """The atoms that must stay: those of live entries and of entries that something holds."""
        held = [value.atoms[value.live | value.held] for value in self.values]
        held += [atoms for (weight, _), atoms in self.claims.items() if weight in self.frozen]
        return set(self.atoms.roots(np.concatenate(held)).tolist()) if held else set()

    # What calls do, given what is known of their arguments

    def through(self, x: Value, const: Numbers, axis: int | None = None, ndim: int | None = None) -> Value:
        """A call on each feature alone: `const` is what it makes of constants; where they vary, so does it."""
        out = self._noted(x.like(const, axis, ndim))
        self.later(lambda: x.want(out.live))
        return out

    def summed(
        self, site: Site, constant: Numbers | None, out_axis: int | None, in_axis: int | None, n_groups: int = 1,
        mergeable: bool = True,
    ) -> Value:  # fmt: skip
        """A layer whose features are weighted sums of those that enter, plus `constant`, its bias.

        What leaves is constant where each weight is 0 or meets a constant that can move into the bias: at borders,
        zeros padded around a constant other than 0 show. `out_axis` and `in_axis` are the weight's axes of features,
        None where it has none of its own; of a layer in groups, a group goes as a whole. `mergeable` says whether
        columns of the weight may take over the constants of others.
        """
        leaving = site.leaving
        if out_axis is not None:
            self.claim(site.weight, out_axis, leaving.atoms)
        self.claim(site.bias, 0, leaving.atoms)
        fixed = ~(site.connected & ~site.folds).any(1)
        values = site.total @ np.where(site.folds, site.entering.const, 0.0)
        values = values if constant is None else values + constant
        leaving.const = np.where(fixed & np.isfinite(values), values, VARIES)
        if n_groups == 1:
            if in_axis is not None:
                self.claim(site.weight, in_axis, site.entering.atoms)
        else:
            self._couple(site, n_groups)
        self.sites.append(site)
        self.later(lambda: _want_entering(site, mergeable and n_groups == 1))
        return leaving

    def _couple(self, site: Site, n_groups: int) -> None:
        pairs = zip(np.split(site.entering.atoms, n_groups), np.split(site.leaving.atoms, n_groups), strict=True)
        for enter, leave in pairs:
            together = np.concatenate((enter, leave))
            self.atoms.join(together[:-1], together[1:])
        before = self.grouped.get(site.name)
        if before is not None:
            self.atoms.join(before.atoms, site.entering.atoms)
        self.grouped[site.name] = site.entering

    def combined(
        self, title: str, sides: Sequence[Value | Numbers | float], function: Callable[..., Numbers], n: int, ndim: int,
        product: bool = False,
    ) -> Value:  # fmt: skip
        """Sums, products and the like of several operands: features at equal places go together.

        A side of one feature is spread over the `n` of the others, and a number over all; an array stands for an
        operand that varies, of no features of its own.
        """
        for side in sides:
            if isinstance(side, Value) and side.n != n:
                self.hold(title, side)
        consts = [side.const if isinstance(side, Value) else side for side in sides]
        arrays = [np.broadcast_to(const, (n,)) for const in consts if not isinstance(const, (int, float))]
        with np.errstate(all="ignore"):
            got = np.broadcast_to(np.asarray(function(*consts), dtype=np.float64), (n,))
        const = np.where(np.isnan(arrays).any(0), VARIES, got)
        if product:
            const = np.where((np.stack(arrays) == 0).any(0), 0.0, const)
        parts = [side for side in sides if isinstance(side, Value)]
        for one in parts[1:]:
            if one.n == parts[0].n:
                self.atoms.join(one.atoms, parts[0].atoms)
        widest = max(parts, key=lambda part: part.n)
        out = self._noted(widest.like(const, ndim + widest.from_right, ndim))
        self.later(lambda: _want(parts, [out.live if part.n == out.n else out.live.any() for part in parts]))
        if len(parts) > 1:
            self.later(lambda: self._tell_branches(title, parts, out))
        return out

    def _tell_branches(self, title: str, parts: list[Value], out: Value) -> None:
        """Say where a branch holds constants that another needs the place of."""
        whole = [part for part in parts if part.n == out.n]
        some = np.stack([~part.varies for part in whole]).any(0) & out.live if len(whole) == len(parts) else out.held
        self.whole[f"{title} joins branches, of which another varies there"] += int(some.sum())

    def joined(self, parts: list[Value], along: bool) -> Value:
        """Concatenation, along the features or along another axis."""
        first = parts[0]
        if along:
            consts = np.concatenate([part.const for part in parts])
            atoms = np.concatenate([part.atoms for part in parts])
            out = self._noted(Value(first.axis, first.ndim, atoms, consts))
            ends = np.cumsum([part.n for part in parts])[:-1]
            self.later(lambda: _want(parts, np.split(out.live, ends)))
            return out
        rows = np.stack([part.const for part in parts])
        out = self._noted(first.like(np.where((rows == rows[:1]).all(0), rows[0], VARIES)))
        for part in parts:
            self.atoms.join(part.atoms, out.atoms)
        self.later(lambda: _want(parts, [out.live] * len(parts)))
        return out

    def pieces(self, x: Value, sizes: Sequence[int] | None, count: int) -> list[Value]:
        """Pieces of a tensor: of these numbers of features, or, with None, `count` along another axis."""
        if sizes is None:
            made = [self._noted(x.like(x.const)) for _ in range(count)]
            self.later(lambda: _want([x] * count, [piece.live for piece in made]))
            return made
        ends = np.cumsum(sizes)[:-1]
        pairs = zip(np.split(x.atoms, ends), np.split(x.const, ends), strict=True)
        made = [self._noted(Value(x.axis, x.ndim, atoms, const)) for atoms, const in pairs]
        self.later(lambda: x.want(np.concatenate([piece.live for piece in made])))
        return made

    def moved(self, x: Value, order: Numbers, axis: int, ndim: int) -> Value:
        """A call that only moves entries: along `axis` of the result are the features of these numbers."""
        out = self._noted(Value(axis, ndim, x.atoms[order], x.const[order]))

        def want() -> None:
            back = np.zeros(x.n, dtype=bool)
            back[order[out.live]] = True
            x.want(back)

        self.later(want)
        return out

    def _noted(self, value: Value) -> Value:
        self.values.append(value)
        return value


def normalized(
    const: Numbers, mean: Numbers | None, variance: Numbers | None, epsilon: float, scale: Numbers | None,
    shift: Numbers | None,
) -> Numbers:  # fmt: skip
    """What a norm by running moments makes of constants: (c - mean) / sqrt(variance + ε) · scale + shift.

    Without moments (None) every constant varies; with a scale of 0 what leaves is the shift, whatever enters.
    """
    out = np.full_like(const, VARIES)
    if mean is not None and variance is not None:
        out = (const - mean) / np.sqrt(variance + epsilon)
        out = out if scale is None else out * scale
        out = out if shift is None else out + shift
    if scale is not None:
        out = np.where(scale == 0, np.zeros_like(scale) if shift is None else shift, out)
    return out


def zeros_of(const: Numbers) -> Numbers:
    """Constants of which only 0 stays constant: a sum over places, of which not all have as many."""
    return np.where(const == 0, 0.0, VARIES)


def same_for_all(table: Numbers) -> Numbers:
    """Of each column of a table the number that all rows have, or `VARIES`."""
    return np.where((table == table[:1]).all(0), table[0], VARIES)


def numbered(x: Value, shape: Sequence[int]) -> Numbers:
    """The numbers of the features, laid out as a tensor of this shape: moving it shows where they go."""
    lengths = [x.n if axis == x.axis else 1 for axis in range(x.ndim)]
    return np.ascontiguousarray(np.broadcast_to(np.arange(x.n, dtype=np.float64).reshape(lengths), tuple(shape)))


def order_along(moved: Numbers) -> tuple[int, Numbers] | None:
    """The axis along which numbers differ and what they are along it, if it is one and no other; None else."""
    for axis in range(moved.ndim):
        line = moved[tuple(slice(None) if a == axis else slice(0, 1) for a in range(moved.ndim))]
        if (moved == line).all():
            flat = line.ravel()
            return (axis, flat.astype(np.int64)) if flat.size > 1 and (flat != flat[0]).any() else None
    return None


def _want(values: Iterable[Value], entries: Iterable[Any]) -> None:
    for value, wanted in zip(values, entries, strict=True):
        value.want(wanted)


def _want_entering(site: Site, mergeable: bool) -> None:
    into = np.logical_or.reduce(site.connected[site.leaving.live], axis=0)
    site.entering.want(into)
    shows = into & ~site.entering.varies & ~site.folds
    if mergeable:
        site.shows[:] = shows
    else:
        site.entering.held |= shows
