"""Who gets which penalty in a pytree: one for all, a tree, a function of the parameters, or rules for their paths."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import optax

from shrinkage._errors import ArgumentError
from shrinkage.training import Facts, PlanTable, check_penalty, misfit, resolve, role_by_own_name

Rule = str | Callable[[str], bool]


class ByPath:
    """A function from parameters to a tree of penalties, by the rules of `by_path`."""

    def __init__(self, penalty: Any, select: Any, exclude: Any, overrides: Any) -> None:
        check_penalty("penalty", penalty)
        self._rules = penalty, select, exclude, overrides

    def table(self, params: Any) -> PlanTable:
        """Return who gets what, and by which rule; prints as a table.

        Parameters
        ----------
        params : pytree of arrays, or of anything that has a shape
        """
        facts = []
        for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
            name, shape = _path_text(path), tuple(int(n) for n in jax.numpy.shape(leaf))
            role, reason = role_by_own_name(name.rpartition("/")[2], shape)
            facts.append(Facts(name, shape, math.prod(shape), role, reason))
        return resolve(facts, *self._rules, separator="/")

    def __call__(self, params: Any) -> Any:
        """Return the tree of penalties, None where there is none."""
        rows = self.table(params).rows
        return jax.tree.unflatten(jax.tree.structure(params), [row.penalty for row in rows])

    def __repr__(self) -> str:
        names = ("penalty", "select", "exclude", "overrides")
        given = [f"{name}={rule!r}" for name, rule in zip(names, self._rules, strict=True) if rule is not None]
        return f"by_path({', '.join(given)})"


def by_path(
    penalty: Any = None,
    *,
    select: Rule | Sequence[Rule] | None = None,
    exclude: Rule | Sequence[Rule] | None = None,
    overrides: Any = None,
) -> ByPath:
    """Return a function from parameters to a tree of penalties, by their paths, such as "encoder/dense/kernel".

    Without `select`, weights get the penalty, and biases, gains of norms and embeddings, as their names and shapes
    tell them, do not: the rules of `shrinkage.torch.Plan`.

    Parameters
    ----------
    penalty : Penalty, optional
        For what is selected.
    select, exclude : str, callable path -> bool, or sequence of these
        A role ("matrix", "bias", "embedding"), a family of roles ("weights", "biases", "norms", "embeddings"),
        "all", whole components of a path anywhere ("dense/kernel"), or a glob for the whole path ("*/kernel").
    overrides : mapping from such a word or pattern to Penalty or None
        Later entries win.

    Returns
    -------
    callable params -> pytree
        For the argument `penalty` of the links of this room. Its method `table(params)` says who gets what and why.

    Raises
    ------
    ArgumentError
        When the parameters are met: if a pattern matches nothing, or a penalty does not fit a shape.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from shrinkage import L1, GroupL2
    >>> from shrinkage.optax import by_path
    >>> params = {"dense": {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)}, "head": {"kernel": jnp.ones((4, 2))}}
    >>> rules = by_path(L1(1e-3), overrides={"head": GroupL2(1e-2, axis=0)})
    >>> print(rules.table(params))
    parameter     shape  role    rule                 penalty          strength
    ------------  -----  ------  -------------------  ---------------  --------
    dense/bias    4      bias    bias by name 'bias'  -                -
    dense/kernel  3 x 4  matrix  2-D                  L1               0.001
    head/kernel   4 x 2  matrix  override 'head'      GroupL2(axis=0)  0.01
    penalized: 2 tensors, 20 numbers; free: 1 tensor, 4 numbers; frozen: 0 tensors, 0 numbers
    """
    return ByPath(penalty, select, exclude, overrides)


def penalties_of(penalty: Any, mask: Any, params: Any) -> list[Any]:
    """Return the penalty of every leaf of `params`, None where there is none.

    Raises
    ------
    ArgumentError
        If what is given is no penalty, no tree that is a prefix of the parameters', or a penalty does not fit a leaf.
    """
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    found = _spread("penalty", penalty, params, _is_leaf)
    on = flags_of(mask, params)
    chosen = [own if flag else None for own, flag in zip(found, on, strict=True)]
    for own, (path, leaf) in zip(chosen, leaves, strict=True):
        check_penalty(f"the penalty of {_path_text(path)!r}", own)
        shape, kind = tuple(jax.numpy.shape(leaf)), jax.numpy.result_type(leaf)
        problem = None if own is None else misfit(own, shape)
        if problem:
            raise ArgumentError(
                f"the penalty of parameter {_path_text(path)!r} of shape {shape} does not fit: {problem}"
            )
        if own is not None and not jax.numpy.issubdtype(kind, jax.numpy.floating):
            raise ArgumentError(
                f"parameter {_path_text(path)!r} holds {kind}; a penalty needs real numbers: mask it out"
            )
    return chosen


def flags_of(mask: Any, params: Any) -> list[bool]:
    """Return for every leaf of `params` whether a mask lets it through; None lets all."""
    return [True] * len(jax.tree.leaves(params)) if mask is None else _spread("mask", mask, params, None)


def _spread(name: str, given: Any, params: Any, is_leaf: Any) -> list[Any]:
    """One entry for every leaf of `params`, from a tree that is a prefix of theirs or a function that makes one."""
    tree = given(params) if callable(given) and not isinstance(given, type) else given
    spread: list[Any] = []
    try:
        jax.tree.map(lambda own, part: spread.extend([own] * len(jax.tree.leaves(part))), tree, params, is_leaf=is_leaf)
    except (ValueError, TypeError) as error:
        raise ArgumentError(
            f"{name} must be one for all parameters, a tree that is a prefix of theirs, or a function from them to "
            f"such a tree; got {tree!r} for {jax.tree.structure(params)}"
        ) from error
    return spread


def _is_leaf(node: Any) -> bool:
    return (node is None or hasattr(node, "prox")) and not isinstance(node, optax.MaskedNode)


def _path_text(path: Any) -> str:
    """A path as its components joined by slashes; "parameter" for a tree that is one leaf."""
    parts = [str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path]
    return "/".join(parts) or "parameter"
