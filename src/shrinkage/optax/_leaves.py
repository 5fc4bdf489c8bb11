"""What is said once or per subtree, spread over the leaves of a pytree."""

from collections.abc import Callable
from typing import Any

import jax

from shrinkage._errors import ArgumentError


def one_per_leaf(name: str, value: Any, tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[Any]:
    """Return for every leaf of `tree` what `value`, whose structure is a prefix of the tree's, says of it.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : pytree
        A single leaf speaks for all.
    tree : pytree
    is_leaf : callable, optional
        Says where `value` is a leaf, as in `jax.tree.map`.

    Raises
    ------
    ArgumentError
        If `value` is no prefix.

    Examples
    --------
    >>> one_per_leaf("l1reg", {"a": 1.0, "b": 2.0}, {"a": 0.0, "b": [0.0, 0.0]})
    [1.0, 2.0, 2.0]
    """
    values, structure = jax.tree.flatten(value, is_leaf=is_leaf)
    try:
        below = structure.flatten_up_to(tree)
    except (ValueError, TypeError):
        raise ArgumentError(
            f"{name} must be one value or a pytree that is a prefix of the parameters'; "
            f"got {structure} for {jax.tree.structure(tree)}"
        ) from None
    return [one for one, subtree in zip(values, below, strict=True) for _ in jax.tree.leaves(subtree)]
