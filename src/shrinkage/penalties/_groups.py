"""Groups of coefficients: disjoint index lists, or every index along some axes, each laid out for whole-array work."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from operator import index
from typing import Any

from shrinkage._arrays import Array, constant, matching, namespace_of
from shrinkage._errors import ArgumentError


class Groups(tuple):
    """Disjoint groups of positions in the flattened (C-order) coefficients, as a tuple of tuples of integers.

    Attributes
    ----------
    buckets : tuple of Bucket
        The groups, gathered by their size: one rectangle of positions for each size there is.
    last : int
        The largest position.
    """

    buckets: tuple["Bucket", ...]
    last: int
    _layouts: dict[int, "Layout"]

    def __new__(cls, groups: Iterable[Iterable[Any]]) -> "Groups":
        if isinstance(groups, cls):
            return groups
        self = super().__new__(cls, _positions(groups))
        if not self:
            raise ArgumentError("groups must hold at least one group; got none")
        owner: dict[int, int] = {}
        sizes: dict[int, list[int]] = {}
        for g, members in enumerate(self):
            sizes.setdefault(len(members), []).append(g)
            for position in members:
                if position in owner:
                    raise ArgumentError(
                        f"groups must be disjoint; position {position} is in group {owner[position]} and in group {g}"
                    )
                owner[position] = g
        self.last = max(owner)
        self.buckets = tuple(
            Bucket(size, _indices(here), _indices([p for g in here for p in self[g]]))
            for size, here in sorted(sizes.items())
        )
        self._layouts = {}
        return self

    def layout(self, n_coefficients: int) -> "Layout":
        """Where the free positions are, and the permutations that put blocks back; computed once for each size."""
        if n_coefficients not in self._layouts:
            order = [p for bucket in self.buckets for p in bucket.positions]
            taken = set(order)
            free = [p for p in range(n_coefficients) if p not in taken]
            groups = [g for bucket in self.buckets for g in bucket.groups]
            self._layouts[n_coefficients] = Layout(_indices(free), _inverse(order + free), _inverse(groups))
        return self._layouts[n_coefficients]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The groups of one size: their numbers, and their positions one group after the other."""

    size: int
    groups: array
    positions: array


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions in no group; the place of each position, and of each group, in blocks joined one after the other."""

    free: array
    places: array
    group_places: array


def _indices(values: Sequence[int]) -> array:
    """Numbers as an array of 32 bits where they fit: JAX has no more by default."""
    return array("i" if max(values, default=0) < 2**31 else "q", values)


def _inverse(order: Sequence[int]) -> array:
    """The permutation that undoes `order`."""
    back = [0] * len(order)
    for place, position in enumerate(order):
        back[position] = place
    return _indices(back)


def _positions(groups: Any) -> list[tuple[int, ...]]:
    """Refuse what is no sequence of sequences of whole numbers >= 0."""
    if isinstance(groups, str) or not isinstance(groups, Iterable):
        raise ArgumentError(f"groups must be a sequence of sequences of positions; got {groups!r}")
    found = []
    for g, members in enumerate(groups):
        members = members.tolist() if hasattr(members, "tolist") else members
        if isinstance(members, str) or not isinstance(members, Iterable):
            raise ArgumentError(f"groups must be a sequence of sequences of positions; group {g} is {members!r}")
        try:
            members = tuple(-1 if isinstance(p, bool) else index(p) for p in members)
        except TypeError:
            raise ArgumentError(f"groups must hold whole numbers >= 0; group {g} is {members!r}") from None
        if not members:
            raise ArgumentError(f"groups must not be empty; group {g} holds no position")
        if min(members) < 0:
            raise ArgumentError(f"groups must hold whole numbers >= 0; group {g} holds {min(members)} or True")
        found.append(members)
    return found


def checked_axis(axis: Any) -> int | tuple[int, ...]:
    """Refuse what is no integer and no tuple of different integers; a list becomes a tuple."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    try:
        axes = tuple(-(2**31) if isinstance(a, bool) else index(a) for a in axes)
    except TypeError:
        axes = (-(2**31),)
    if -(2**31) in axes:
        raise ArgumentError(f"axis must be an integer or a tuple of integers; got {axis!r}")
    if len(set(axes)) != len(axes):
        raise ArgumentError(f"axis must not repeat; got {axis!r}")
    return axes if isinstance(axis, (tuple, list)) else axes[0]


class AxisBlocks:
    """One group for every index along `axis`: the array itself is the only block, its other axes are summed over.

    Attributes
    ----------
    axes : tuple of int < 0
        The axes that a group extends over.
    lams : list of one array or float, α ω_g, to broadcast against the norms with `axes` kept as 1
    """

    def __init__(self, penalty: Any, like: Array) -> None:
        ndim = like.ndim
        given = penalty.axis if isinstance(penalty.axis, tuple) else (penalty.axis,)
        axes = tuple(a if a >= 0 else a + ndim for a in given)
        if any(not 0 <= a < ndim for a in axes):
            raise ArgumentError(
                f"axis must be between {-ndim} and {ndim - 1} for coefficients of shape {tuple(like.shape)}; "
                f"got {penalty.axis}"
            )
        if len(set(axes)) != len(axes):
            raise ArgumentError(f"axis names one axis of shape {tuple(like.shape)} twice; got {penalty.axis}")
        self.axes = tuple(a - ndim for a in range(ndim) if a not in axes)
        self.size = prod([like.shape[a] for a in self.axes])
        self.norm_shape = tuple(like.shape[a] if a in axes else 1 for a in range(ndim))
        self.n_groups = prod(self.norm_shape)
        self.lams = [self._strength(penalty.alpha, like) * self._weights(penalty.weights, like)]

    def _strength(self, alpha: Any, like: Array) -> Any:
        """α as a float, or as an array that broadcasts against the norms with axes of size 1."""
        strength = matching(alpha, like)
        if isinstance(strength, float) or strength.ndim == 0:
            return strength
        if tuple(strength.shape) == (self.n_groups,):
            return namespace_of(strength).reshape(strength, self.norm_shape)
        if not broadcasts(strength.shape, self.norm_shape):
            raise ArgumentError(
                f"alpha must have shape ({self.n_groups},), one number for each group, or broadcast to the norms of "
                f"shape {self.norm_shape}; got shape {tuple(strength.shape)}"
            )
        return strength

    def _weights(self, weights: Any, like: Array) -> Any:
        if isinstance(weights, str):
            return float(self.size) ** 0.5 if weights == "sqrt" else 1.0
        return namespace_of(like).reshape(_one_per_group(weights, self.n_groups, like), self.norm_shape)

    def gather(self, x: Array) -> list[Array]:
        """`x`, cut into blocks."""
        return [x]

    def scatter(self, blocks: list[Array], free: Array) -> Array:
        """Blocks put back together; `free` where no group is."""
        return blocks[0]

    def per_group(self, blocks: list[Array]) -> Array:
        """One number per group, from blocks of one number each; shape (..., n_groups)."""
        (block,) = blocks
        xp = namespace_of(block)
        return xp.reshape(block, (*block.shape[: block.ndim - len(self.norm_shape)], self.n_groups))


class ListBlocks:
    """Groups as index lists: one block of shape (..., groups, size) for each size of group."""

    axes = (-1,)

    def __init__(self, penalty: Any, like: Array) -> None:
        groups = penalty.groups
        self.shape, self.size = tuple(like.shape), prod(like.shape)
        if groups.last >= self.size:
            raise ArgumentError(
                f"groups must hold positions below {self.size}, the number of coefficients of shape {self.shape}; "
                f"got {groups.last}"
            )
        self.buckets, self.n_groups, self.like = groups.buckets, len(groups), like
        self.layout = groups.layout(self.size)
        alpha = matching(penalty.alpha, like)
        weights = penalty.weights
        if not isinstance(weights, str):
            weights = _one_per_group(weights, self.n_groups, like)
        self.lams = [self._lam(alpha, weights, bucket) for bucket in self.buckets]

    def _lam(self, alpha: Any, weights: Any, bucket: Bucket) -> Any:
        """α ω_g of one bucket: a float, or an array of shape (..., groups, 1)."""
        if isinstance(weights, str):
            omega = float(bucket.size) ** 0.5 if weights == "sqrt" else 1.0
        else:
            omega = self._take(weights, bucket.groups)[:, None]
        if isinstance(alpha, float):
            return alpha * omega
        if alpha.ndim == 0 or alpha.shape[-1] == 1:
            return (alpha if alpha.ndim == 0 else alpha[..., None]) * omega
        if alpha.shape[-1] != self.n_groups:
            raise ArgumentError(
                f"alpha must broadcast against the norms of {self.n_groups} groups; got shape {tuple(alpha.shape)}"
            )
        return self._take(alpha, bucket.groups)[..., None] * omega

    def _take(self, x: Array, positions: array) -> Array:
        return namespace_of(x).take(x, constant(positions, self.like), axis=-1)

    def gather(self, x: Array) -> list[Array]:
        """`x`, cut into blocks; axes that it has before those of the coefficients stay."""
        xp = namespace_of(x)
        batch = tuple(x.shape[: max(x.ndim - len(self.shape), 0)])
        flat = xp.reshape(xp.broadcast_to(x, batch + self.shape), (*batch, self.size))
        return [xp.reshape(self._take(flat, b.positions), (*batch, len(b.groups), b.size)) for b in self.buckets]

    def scatter(self, blocks: list[Array], free: Array) -> Array:
        """Blocks put back together; `free` where no group is."""
        xp = namespace_of(blocks[0])
        batch = blocks[0].shape[:-2]
        rest = self.layout.free
        parts = [xp.reshape(block, (*block.shape[:-2], -1)) for block in blocks]
        if rest:
            flat = xp.reshape(free, (*free.shape[: free.ndim - len(self.shape)], self.size))
            parts.append(xp.broadcast_to(self._take(flat, rest), (*batch, len(rest))))
        back = self._take(xp.concat(parts, axis=-1), self.layout.places)
        return xp.reshape(back, (*batch, *self.shape))

    def per_group(self, blocks: list[Array]) -> Array:
        """One number per group, from blocks of one number each; shape (..., n_groups)."""
        xp = namespace_of(blocks[0])
        joined = xp.concat([xp.reshape(block, block.shape[:-1]) for block in blocks], axis=-1)
        return self._take(joined, self.layout.group_places)


def broadcasts(shape: Sequence[int], to: Sequence[int]) -> bool:
    """Say whether the last axes of an array of this shape have the sizes of `to`, or 1."""
    return all(one in (1, other) for one, other in zip(reversed(shape), reversed(to), strict=False))


def _one_per_group(weights: Any, n_groups: int, like: Array) -> Array:
    """`weights` as an array like `like`, one number per group."""
    shape = tuple(weights.shape) if hasattr(weights, "shape") else (len(weights),)
    if shape != (n_groups,):
        raise ArgumentError(f"weights must hold one number for each of {n_groups} groups; got shape {shape}")
    return matching(weights, like) if hasattr(weights, "shape") else constant(weights, like, like.dtype)
