"""Which features go, which are merged into one, and what their constants add to the biases of later layers."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from shrinkage.torch._compact_reader import Reader
from shrinkage.torch._compact_values import Site, Value

SMALLEST = 1e-2
"""A constant that stays anyway takes over others up to so many times as large: ratios of columns stay moderate."""


@dataclass
class Removal:
    """What is to be done to the weights.

    Attributes
    ----------
    kept : dict
        By (id of a weight, axis): the places that stay, where not all do.
    added : dict of str to Tensor
        By name of a layer: what its bias grows by, before rows are taken away.
    merged : list of (Site, int, Tensor)
        The column that takes over the constants of others, and what it grows by, for all rows.
    n_atoms : int
        Features that go.
    notes : list of str
    """

    reader: Reader
    kept: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    added: dict[str, Tensor] = field(default_factory=dict)
    merged: list[tuple[Site, int, Tensor]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stays: set[int] = field(default_factory=set)

    def places(self, value: Value) -> Tensor:
        """The entries of a tensor that stay, in order."""
        return self.stay(value.atoms).nonzero().flatten()

    def stay(self, atoms: Tensor) -> Tensor:
        """Whether each atom stays."""
        roots = self.reader.atoms.roots(atoms).tolist()
        return torch.tensor([root in self.stays for root in roots], dtype=torch.bool)


def plan_removal(reader: Reader) -> Removal:
    """Decide, once everything has been read forwards and backwards."""
    _hold_what_differs(reader)
    removal = Removal(reader, stays=reader.held_atoms())
    chosen = _merge(removal)
    _leave_one(removal)
    for key, atoms in reader.claims.items():
        stay = removal.stay(atoms)
        if not bool(stay.all()):
            removal.kept[key] = stay.nonzero().flatten()
    _fold(removal, chosen)
    removal.notes += [
        f"{count} constant {'feature stays' if count == 1 else 'features stay'}: {sentence}"
        for sentence, count in reader.whole.items()
        if count
    ]
    return removal


def _sites_by_name(reader: Reader) -> dict[str, list[Site]]:
    found: dict[str, list[Site]] = {}
    for site in reader.sites:
        found.setdefault(site.name, []).append(site)
    return found


def _hold_what_differs(reader: Reader) -> None:
    """A layer that is called several times has one bias: only a constant that is the same in every call can fold."""
    biases: dict[int, set[str]] = {}
    for name in _sites_by_name(reader):
        bias = getattr(reader.fetch_attr(name), "bias", None)
        if bias is not None:
            biases.setdefault(id(bias), set()).add(name)
    shared = {name for names in biases.values() if len(names) > 1 for name in names}
    for name, sites in _sites_by_name(reader).items():
        first = sites[0]
        for site in sites:
            known = ~site.entering.varies
            same = (site.entering.const == first.entering.const) | (site.entering.varies & first.entering.varies)
            differs = site.connected.any(0) & ~same
            if name in shared:
                differs |= known & (site.entering.const != 0) & site.connected.any(0)
            for each in sites:
                each.entering.held |= differs
            reader.whole[f"{name} is called several times, or shares its bias, and can take up one set"] += int(
                (differs & known).sum()
            )


def _tied(reader: Reader) -> set[str]:
    """The layers whose weight another layer has too."""
    owners: dict[int, set[str]] = {}
    for site in reader.sites:
        owners.setdefault(id(reader.fetch_attr(site.name).weight), set()).add(site.name)
    return {name for names in owners.values() if len(names) > 1 for name in names}


def _merge(removal: Removal) -> dict[int, int]:
    """Of constants that stay only for the padding of the same convolutions, keep one in place of all.

    A constant c in front of a padded convolution adds c times a fixed image, which differs from channel to channel by
    its kernel alone: Σ c_j W_j = c_r Σ (c_j / c_r) W_j. Returns the atom that stands for each of these atoms.
    """
    reader, tied = removal.reader, _tied(removal.reader)
    seen: dict[int, dict[int, float]] = {}
    for number, site in enumerate(reader.sites):
        places = site.shows.nonzero().flatten()
        roots = reader.atoms.roots(site.entering.atoms[places]).tolist()
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
            layers = ", ".join(dict.fromkeys(reader.sites[number].name for number in seen[largest]))
            removal.notes.append(
                f"{len(members)} constant channels became one, which stays: the zero padding of {layers} shows it"
            )
    return chosen


def _leave_one(removal: Removal) -> None:
    """Keep the first entry wherever nothing would stay: layers without any feature are no ordinary ones."""
    reader = removal.reader
    lines = [*reader.claims.values(), *(value.atoms for value in reader.every_value())]
    for atoms in lines:
        if len(atoms) and not bool(removal.stay(atoms).any()):
            removal.stays.add(reader.atoms.root(int(atoms[0])))


def _fold(removal: Removal, chosen: dict[int, int]) -> None:
    reader = removal.reader
    for sites in _sites_by_name(reader).values():
        site = sites[0]
        gone = ~removal.stay(site.entering.atoms)
        constants = torch.where(gone & site.folds, site.entering.const, 0.0)
        added = torch.where(site.connected, site.total, 0.0) @ constants
        if bool((added != 0).any()):
            removal.added[site.name] = added
        if bool((gone & site.shows).any()):
            _take_over(removal, site, gone, chosen)


def _take_over(removal: Removal, site: Site, gone: Tensor, chosen: dict[int, int]) -> None:
    """What the column of the constant that stays grows by: the others' columns in proportion to their constants."""
    reader = removal.reader
    weight = reader.fetch_attr(site.name).weight.detach().to("cpu", torch.float64).movedim(site.in_axis, 0)
    roots = reader.atoms.roots(site.entering.atoms).tolist()
    grown: dict[int, Tensor] = {}
    for place in (gone & site.shows).nonzero().flatten().tolist():
        takers = [at for at, root in enumerate(roots) if root == chosen[roots[place]]]
        column = max(takers, key=lambda at: abs(float(site.entering.const[at])))
        ratio = float(site.entering.const[place] / site.entering.const[column])
        grown[column] = grown.get(column, torch.zeros_like(weight[0])) + ratio * weight[place]
    removal.merged += [(site, column, more) for column, more in grown.items()]
