"""Which features go, which are merged into one, and what their constants add to the biases of later layers."""

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from shrinkage.training._features import Numbers, Site, Value
from shrinkage.training._ledger import Ledger

SMALLEST = 1e-2
"""A constant that stays anyway takes over others up to so many times as large: ratios of columns stay moderate."""


@dataclass
class Removal:
    """What is to be done to the weights.

    Attributes
    ----------
    kept : dict
        By (what a weight is known by, axis): the places that stay, where not all do.
    added : dict of str to float64 array
        By name of a layer: what its bias grows by, before rows are taken away.
    merged : list of (Site, int, float64 array)
        The column that takes over the constants of others, and what it grows by, for all rows.
    notes : list of str
    """

    ledger: Ledger
    kept: dict[tuple[Hashable, int], Numbers] = field(default_factory=dict)
    added: dict[str, Numbers] = field(default_factory=dict)
    merged: list[tuple[Site, int, Numbers]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stays: set[int] = field(default_factory=set)

    def places(self, value: Value) -> Numbers:
        """The entries of a tensor that stay, in order."""
        return np.flatnonzero(self.stay(value.atoms))

    def stay(self, atoms: Numbers) -> Numbers:
        """Whether each atom stays."""
        roots = self.ledger.atoms.roots(atoms).tolist()
        return np.array([root in self.stays for root in roots], dtype=bool)


def plan_removal(ledger: Ledger) -> Removal:
    """Decide, once everything has been read forwards and backwards."""
    _hold_what_differs(ledger)
    removal = Removal(ledger, stays=ledger.held_atoms())
    chosen = _merge(removal)
    _leave_one(removal)
    for key, atoms in ledger.claims.items():
        stay = removal.stay(atoms)
        if not stay.all():
            removal.kept[key] = np.flatnonzero(stay)
    _fold(removal, chosen)
    removal.notes += [
        f"{count} constant {'feature stays' if count == 1 else 'features stay'}: {sentence}"
        for sentence, count in ledger.whole.items()
        if count
    ]
    return removal


def _sites_by_name(ledger: Ledger) -> dict[str, list[Site]]:
    found: dict[str, list[Site]] = {}
    for site in ledger.sites:
        found.setdefault(site.name, []).append(site)
    return found


def _hold_what_differs(ledger: Ledger) -> None:
    """A layer that is called several times has one bias: only a constant that is the same in every call can fold."""
    biases: dict[Hashable, set[str]] = {}
    for site in ledger.sites:
        if site.bias is not None:
            biases.setdefault(site.bias, set()).add(site.name)
    shared = {name for names in biases.values() if len(names) > 1 for name in names}
    for name, sites in _sites_by_name(ledger).items():
        first = sites[0]
        for site in sites:
            known = ~site.entering.varies
            same = (site.entering.const == first.entering.const) | (site.entering.varies & first.entering.varies)
            differs = site.connected.any(0) & ~same
            if name in shared:
                differs |= known & (site.entering.const != 0) & site.connected.any(0)
            for each in sites:
                each.entering.held |= differs
            ledger.whole[f"{name} is called several times, or shares its bias, and can take up one set"] += int(
                (differs & known).sum()
            )


def _tied(ledger: Ledger) -> set[str]:
    """The layers whose weight another layer has too."""
    owners: dict[Hashable, set[str]] = {}
    for site in ledger.sites:
        owners.setdefault(site.weight, set()).add(site.name)
    return {name for names in owners.values() if len(names) > 1 for name in names}


def _merge(removal: Removal) -> dict[int, int]:
    """Of constants that stay only for the padding of the same convolutions, keep one in place of all.

    A constant c in front of a padded convolution adds c times a fixed image, which differs from channel to channel by
    its kernel alone: Σ c_j W_j = c_r Σ (c_j / c_r) W_j. Returns the atom that stands for each of these atoms.
    """
    ledger, tied = removal.ledger, _tied(removal.ledger)
    seen: dict[int, dict[int, float]] = {}
    for number, site in enumerate(ledger.sites):
        places = np.flatnonzero(site.shows)
        roots = ledger.atoms.roots(site.entering.atoms[places]).tolist()
        if site.name in tied:
            removal.stays |= set(roots)
        for place, root in zip(places.tolist(), roots, strict=True):
            seen.setdefault(root, {})[number] = float(site.entering.const[place])
    teams: dict[tuple[int, ...], list[int]] = {}
    for root, where in seen.items():
        teams.setdefault(tuple(sorted(where)), []).append(root)
    chosen: dict[int, int] = {}
    for members in teams.values():
        sizes = {root: min(abs(value) for value in seen[root].values()) for root in members}
        largest = max(members, key=lambda root: (root in removal.stays) * sizes[root])
        if sizes[largest] < SMALLEST * max(sizes.values()) or largest not in removal.stays:
            largest = max(members, key=lambda root: sizes[root])
        members = [root for root in members if root not in removal.stays or root == largest]
        removal.stays.add(largest)
        chosen |= dict.fromkeys(members, largest)
        if len(members) > 1:
            layers = ", ".join(dict.fromkeys(ledger.sites[number].name for number in seen[largest]))
            removal.notes.append(
                f"{len(members)} constant channels became one, which stays: the zero padding of {layers} shows it"
            )
    return chosen


def _leave_one(removal: Removal) -> None:
    """Keep the first entry wherever nothing would stay: layers without any feature are no ordinary ones."""
    ledger = removal.ledger
    lines = [*ledger.claims.values(), *(value.atoms for value in ledger.values)]
    for atoms in lines:
        if len(atoms) and not removal.stay(atoms).any():
            removal.stays.add(ledger.atoms.root(int(atoms[0])))


def _fold(removal: Removal, chosen: dict[int, int]) -> None:
    for sites in _sites_by_name(removal.ledger).values():
        site = sites[0]
        gone = ~removal.stay(site.entering.atoms)
        constants = np.where(gone & site.folds, site.entering.const, 0.0)
        added = np.where(site.connected, site.total, 0.0) @ constants
        added = np.where(removal.stay(site.leaving.atoms), added, 0.0)
        if (added != 0).any():
            removal.added[site.name] = added
        if (gone & site.shows).any():
            _take_over(removal, site, gone, chosen)


def _take_over(removal: Removal, site: Site, gone: Numbers, chosen: dict[int, int]) -> None:
    """What the column of the constant that stays grows by: the others' columns in proportion to their constants."""
    columns = site.columns()
    roots = removal.ledger.atoms.roots(site.entering.atoms).tolist()
    grown: dict[int, Numbers] = {}
    for place in np.flatnonzero(gone & site.shows).tolist():
        takers = [at for at, root in enumerate(roots) if root == chosen[roots[place]]]
        column = max(takers, key=lambda at: abs(float(site.entering.const[at])))
        ratio = float(site.entering.const[place] / site.entering.const[column])
        grown[column] = grown.get(column, np.zeros_like(columns[0])) + ratio * columns[place]
    removal.merged += [(site, column, more) for column, more in grown.items()]
