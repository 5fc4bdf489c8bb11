"""The proximal operators that jaxopt had, under its names, with its signatures and its meaning of every number.

`prox(x, hyperparams, scaling)` returns argmin over y of ½‖x - y‖² + scaling · g(y) for a pytree x. Thresholds are
those of the penalties `L1` and `GroupL2`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from shrinkage._arrays import floating, matching
from shrinkage._errors import ArgumentError
from shrinkage.optax._leaves import one_per_leaf
from shrinkage.penalties import L1, GroupL2

Tree = Any
"""A pytree of arrays."""
Strength = Any
"""None, which stands for 1; a number or an array, for every leaf; or a pytree of such, a prefix of x's."""

_LASSO, _GROUP = L1(1.0), GroupL2(1.0, axis=(), weights="ones")


def prox_none(x: Tree, hyperparams: Any = None, scaling: Any = 1.0) -> Tree:
    """Return x: the operator of g = 0.

    Parameters
    ----------
    x : pytree of arrays
    hyperparams, scaling : ignored

    Examples
    --------
    >>> prox_none({"w": 2.0})
    {'w': 2.0}
    """
    return x


def prox_lasso(x: Tree, l1reg: Strength = None, scaling: Any = 1.0) -> Tree:
    """Return argmin over y of ½‖x - y‖² + scaling · Σ l1reg |y|: sign(x) max(|x| - scaling · l1reg, 0).

    Parameters
    ----------
    x : pytree of arrays
    l1reg : number, array, or pytree of these, >= 0; default 1
        A number or an array acts on every leaf; a pytree is a prefix of x's. As `L1(alpha=l1reg)`.
    scaling : number or 0-d array >= 0, default 1
        The step.

    Returns
    -------
    pytree of the structure and types of x

    Raises
    ------
    ArgumentError
        If `l1reg` has a structure that x does not have.

    Notes
    -----
    The meaning is jaxopt's; unlike its 0.8.5, a number also serves a pytree under `jit`.

    References
    ----------
    Donoho & Johnstone (1994), Biometrika 81(3), eq. 7, https://doi.org/10.1093/biomet/81.3.425

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> prox_lasso({"w": jnp.array([3.0, -0.5])}, 1.0)["w"].tolist()
    [2.0, -0.0]
    """
    return _each(lambda v, l1: _LASSO.prox(v, l1 * scaling), x, l1reg=l1reg)


def prox_non_negative_lasso(x: Tree, l1reg: Strength = None, scaling: Any = 1.0) -> Tree:
    """Return argmin over y >= 0 of ½‖x - y‖² + scaling · Σ l1reg y: max(x - scaling · l1reg, 0).

    Parameters, result and errors are those of `prox_lasso`.

    References
    ----------
    Parikh & Boyd (2014), Foundations and Trends in Optimization 1(3), section 6.5.2 with the orthant added,
    https://doi.org/10.1561/2400000003

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> prox_non_negative_lasso(jnp.array([3.0, -2.0]), 1.0).tolist()
    [2.0, 0.0]
    """
    return _each(lambda v, l1: _LASSO.prox(jax.nn.relu(v), l1 * scaling), x, l1reg=l1reg)


def prox_elastic_net(x: Tree, hyperparams: tuple[Strength, Strength] | None = None, scaling: Any = 1.0) -> Tree:
    """Return argmin over y of ½‖x - y‖² + scaling · Σ l1reg (|y| + ½ γ y²), with (l1reg, γ) = `hyperparams`.

    That is sign(x) max(|x| - scaling · l1reg, 0) / (1 + scaling · l1reg · γ). The strength of the square is l1reg · γ,
    not γ: as `L1L2(alpha=l1reg * (1 + γ), l1_ratio=1 / (1 + γ))`.

    Parameters
    ----------
    x : pytree of arrays
    hyperparams : pair of numbers, arrays, or pytrees of these, >= 0; default (1, 1)
        l1reg, the strength of |y|, and γ, the strength of ½ y² in units of l1reg. Each acts as in `prox_lasso`.
    scaling : number or 0-d array >= 0, default 1
        The step.

    Returns
    -------
    pytree of the structure and types of x

    Raises
    ------
    ArgumentError
        If `hyperparams` is no pair, or a member has a structure that x does not have.

    References
    ----------
    Zou & Hastie (2005), J. R. Stat. Soc. B 67(2), eq. 6, https://doi.org/10.1111/j.1467-9868.2005.00503.x

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> prox_elastic_net(jnp.array([3.0, -0.5]), (1.0, 1.0)).tolist()
    [1.0, -0.0]
    """
    l1reg, gamma = _pair(hyperparams)

    def shrink(v: Any, l1: Any, ratio: Any) -> Any:
        return _LASSO.prox(v, l1 * scaling) / (1.0 + matching(l1 * scaling * ratio, v))

    return _each(shrink, x, l1reg=l1reg, gamma=gamma)


def prox_group_lasso(x: Tree, l2reg: Any = None, scaling: Any = 1.0) -> Tree:
    """Return argmin over y of ½‖x - y‖² + scaling · l2reg ‖y‖₂: x max(1 - scaling · l2reg / ‖x‖₂, 0).

    The whole pytree is one group, with no factor for its size: as `GroupL2(alpha=l2reg, axis=(), weights="ones")` on
    all leaves together. `jax.vmap` makes groups of rows, and `GroupL2` knows groups inside a leaf.

    Parameters
    ----------
    x : pytree of arrays
    l2reg : number or 0-d array >= 0, default 1
    scaling : number or 0-d array >= 0, default 1
        The step.

    Returns
    -------
    pytree of the structure and types of x; its derivative is finite also where x is 0

    Raises
    ------
    ArgumentError
        If `l2reg` is no single number.

    References
    ----------
    Yuan & Lin (2006), J. R. Stat. Soc. B 68(1), eq. 2.4, https://doi.org/10.1111/j.1467-9868.2005.00532.x

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> y = prox_group_lasso({"a": jnp.array([3.0]), "b": jnp.array([4.0])}, 1.0)
    >>> round(float(y["a"][0]), 3), round(float(y["b"][0]), 3)
    (2.4, 3.2)
    """
    l2reg = 1.0 if l2reg is None else l2reg
    if not jax.tree_util.all_leaves([l2reg]) or jnp.ndim(l2reg) != 0:
        raise ArgumentError(f"l2reg must be one number, since all of x is one group; got {l2reg!r}")
    leaves, structure = jax.tree.flatten(x)
    if not leaves:
        return x
    whole = floating(jnp.concatenate([jnp.ravel(leaf) for leaf in leaves]))
    absent = jnp.all(whole == 0)
    # The derivative of a norm at 0 is not finite: there, another vector is differentiated and 0 returned.
    threshold = _number_or_array(l2reg, whole.dtype) * scaling
    shrunk = _GROUP.prox(jnp.where(absent, jnp.ones_like(whole), whole), threshold)
    shrunk = jnp.where(absent, jnp.zeros_like(whole), shrunk)
    ends = [0]
    for leaf in leaves:
        ends.append(ends[-1] + jnp.size(leaf))
    parts = [
        jnp.reshape(shrunk[start:end], jnp.shape(leaf)).astype(jnp.result_type(leaf, 0.0))
        for leaf, start, end in zip(leaves, ends, ends[1:], strict=False)
    ]
    return jax.tree.unflatten(structure, parts)


def prox_ridge(x: Tree, l2reg: Strength = None, scaling: Any = 1.0) -> Tree:
    """Return argmin over y of ½‖x - y‖² + scaling · ½ Σ l2reg y²: x / (1 + scaling · l2reg).

    (jaxopt's docstring leaves out the ½, its formula has it: as `L2(alpha=l2reg)`.) Parameters, result and errors are
    those of `prox_lasso`.

    References
    ----------
    Parikh & Boyd (2014), Foundations and Trends in Optimization 1(3), section 6.1.1,
    https://doi.org/10.1561/2400000003

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> prox_ridge(jnp.array([3.0, -0.5]), 1.0).tolist()
    [1.5, -0.25]
    """
    return _each(lambda v, l2: v / (1.0 + matching(l2 * scaling, v)), x, l2reg=l2reg)


def prox_non_negative_ridge(x: Tree, l2reg: Strength = None, scaling: Any = 1.0) -> Tree:
    """Return argmin over y >= 0 of ½‖x - y‖² + scaling · ½ Σ l2reg y²: max(x, 0) / (1 + scaling · l2reg).

    Parameters, result and errors are those of `prox_lasso`.

    References
    ----------
    Parikh & Boyd (2014), Foundations and Trends in Optimization 1(3), section 6.1.1 with the orthant added,
    https://doi.org/10.1561/2400000003

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> prox_non_negative_ridge(jnp.array([3.0, -0.5]), 1.0).tolist()
    [1.5, 0.0]
    """
    return _each(lambda v, l2: jax.nn.relu(v) / (1.0 + matching(l2 * scaling, v)), x, l2reg=l2reg)


def make_prox_from_projection(projection: Callable[..., Tree]) -> Callable[..., Tree]:
    """Return the proximal operator of a set's indicator: its projection, whatever the scaling.

    Parameters
    ----------
    projection : callable (x, hyperparams) -> pytree

    Returns
    -------
    callable (x, hyperparams=None, scaling=1.0) -> pytree

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> make_prox_from_projection(lambda x, most: jnp.minimum(x, most))(jnp.array([3.0, -0.5]), 1.0).tolist()
    [1.0, -0.5]
    """

    def prox(x: Tree, hyperparams: Any = None, scaling: Any = 1.0) -> Tree:
        return projection(x, hyperparams)

    return prox


def _each(formula: Callable[..., Any], x: Tree, **strengths: Strength) -> Tree:
    """`formula` of every leaf of x and of its strengths, of which None stands for 1."""
    leaves, structure = jax.tree.flatten(x)
    spread = [one_per_leaf(name, 1.0 if one is None else one, x) for name, one in strengths.items()]
    shrunk = []
    for leaf, *own in zip(leaves, *spread, strict=True):
        v = floating(jnp.asarray(leaf))
        shrunk.append(formula(v, *(_number_or_array(one, v.dtype) for one in own)))
    return jax.tree.unflatten(structure, shrunk)


def _number_or_array(value: Any, dtype: Any) -> Any:
    """A Python number as it is, which keeps the type of what it meets; else an array at least as precise as `dtype`."""
    if type(value) in (int, float):
        return value
    return jnp.asarray(value, jnp.promote_types(jnp.result_type(value), dtype))


def _pair(hyperparams: Any) -> tuple[Strength, Strength]:
    if hyperparams is None:
        return 1.0, 1.0
    if not isinstance(hyperparams, (tuple, list)) or len(hyperparams) != 2:
        raise ArgumentError(f"hyperparams must be a pair (l1reg, gamma); got {hyperparams!r}")
    return hyperparams[0], hyperparams[1]
