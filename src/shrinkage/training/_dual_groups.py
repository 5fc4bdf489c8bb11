"""Dual averaging, group by group, in a form that keeps its precision in float32."""

from typing import Any

from shrinkage._arrays import Array, matching, namespace_of
from shrinkage.training._dual import dual_step


def dual_group_step(
    penalty: Any,
    w: Array,
    dual: Array,
    thresholds: tuple[Array, Array],
    displacement: Array,
    step: Array,
    memory: float = 1.0,
) -> tuple[Array, Array, tuple[Array, Array]]:
    """Return weights, dual and thresholds after one step of dual averaging under a group lasso, sparse or not.

    In the classical letters, for one group of weights, with S(z, Γ) = z max(1 - Γ / ‖z‖, 0) and coordinatewise
    soft(z, Γ₁),

        z ← β z + displacement,   Γ ← β Γ + step·λ_g,   Γ₁ ← β Γ₁ + step·l1
        w = S(soft(z, Γ₁), Γ) / (1 + step·l2)

    where after every step that leaves w_g ≠ 0 the memory starts anew from z = w (1 + Γ / ‖w_g‖) + sign(w) Γ₁. A group
    is zero while the gradients summed so far are shorter than the strengths summed so far. As in `dual_step`, w is the
    state, and z is kept only where w = 0. With n = w / ‖w‖ and y = soft(z, Γ₁) = β Γ n + q, the length that is left is

        ‖y‖ - Γ = (‖q‖² + 2 β Γ ⟨n, q⟩) / (‖y‖ + β Γ) - step·λ_g

    so that no number is the difference of two that grow without end. For groups of one weight it is `dual_step`.

    Parameters
    ----------
    penalty : GroupL2 or SparseGroup
        λ_g = α ω_g of the groups; l1 and l2 of the elementwise part. l2 must be one number within each group.
    w, dual : arrays of one shape
        The weights, and z where w = 0. At the start z = 0.
    thresholds : tuple of two arrays of that shape, or numbers
        Γ₁, and Γ at every weight of its group. At the start 0.
    displacement : array
        The gradient's step.
    step : array, the same within each group, or number >= 0
        The step's length (`one_step_per_group` makes it so).
    memory : float in (0, 1]
        β.

    Returns
    -------
    tuple of new arrays, as the arguments

    Notes
    -----
    Its fixed points are those of the proximal step: w_g ≠ 0 stays where -g is the penalty's gradient, λ w / ‖w‖ under
    `GroupL2`, and w_g = 0 where ‖g‖ <= λ. Where w_g ≠ 0, what a step moves across w is shortened by ‖w‖ / (‖w‖ + Γ):
    with β = 1 the directions of groups settle ever more slowly.

    References
    ----------
    Xiao (2010), J. Mach. Learn. Res. 11, Algorithm 1, https://jmlr.org/papers/v11/xiao10a.html; for groups, with
    momentum and an adaptive metric: Huang et al. (2024), RAMDA, Algorithm 1, https://arxiv.org/abs/2403.14398

    Examples
    --------
    >>> import numpy as np
    >>> from shrinkage import GroupL2
    >>> g = GroupL2(1.0, axis=0, weights="ones")
    >>> w, z = np.array([[3.0, 4.0], [0.03, 0.04]]), np.zeros((2, 2))
    >>> w, z, (_, gamma) = dual_group_step(g, w, z, (0.0, 0.0 * w), 0.0 * w, 0.1, memory=1.0)
    >>> w.round(3), z.round(3), gamma
    (array([[2.94, 3.92],
           [0.  , 0.  ]]), array([[0.  , 0.  ],
           [0.03, 0.04]]), array([[0.1, 0.1],
           [0.1, 0.1]]))
    """
    xp = namespace_of(w)
    group = getattr(penalty, "group", penalty)
    nothing = xp.zeros_like(w)
    l1, l2 = (step * strength + nothing for strength in _strengths(getattr(penalty, "elementwise", None), w))
    gamma1, gamma = (threshold + nothing for threshold in thresholds)
    alone = dual_step(w, dual, gamma1, displacement, l1, l2, memory)
    blocks = group.blocks(w)
    lengths = [part * lam for part, lam in zip(blocks.gather(step + nothing), blocks.lams, strict=True)]
    carried, c1, c = memory * dual, memory * gamma1, memory * gamma
    columns = [*map(blocks.gather, (w, carried, c1, c, displacement, l1)), lengths]
    results = [_block(*part, axes=blocks.axes) for part in zip(*columns, strict=True)]
    news, duals = [new for new, _ in results], [z for _, z in results]
    new = blocks.scatter(news, alone[0] * (1.0 + l2)) / (1.0 + l2)
    z = blocks.scatter(duals, alone[1])
    grown = c + blocks.scatter(lengths, nothing)
    return new, xp.where(new == 0, z, nothing), (alone[2], grown)


def one_step_per_group(penalty: Any, displacement: Array, step: Array) -> tuple[Array, Array]:
    """Return displacement and step with one metric d for each group, the root mean square of d = lr / step over it.

    Parameters
    ----------
    penalty : GroupL2 or SparseGroup
    displacement, step : arrays of one shape
        -lr m̂ / d and lr / d >= 0 for each weight; weights in no group keep theirs, and so do those of steps of 0.
    """
    xp = namespace_of(displacement)
    group = getattr(penalty, "group", penalty)
    blocks = group.blocks(displacement)
    common = []
    for part in blocks.gather(step):
        least = xp.min(part, axis=blocks.axes, keepdims=True) if blocks.axes else part
        squares = (least / _or_one(part)) ** 2  # d², in units of the largest
        mean = xp.mean(squares, axis=blocks.axes, keepdims=True) if blocks.axes else squares
        common.append(least / xp.sqrt(_or_one(mean)) + xp.zeros_like(part))
    one = blocks.scatter(common, step)
    return displacement * xp.where(step > 0, one / _or_one(step), xp.ones_like(step)), one


def _block(
    w: Array,
    carried: Array,
    c1: Array,
    c: Array,
    displacement: Array,
    l1: Array,
    added: Array,
    *,
    axes: tuple[int, ...],
) -> tuple[Array, Array]:
    """Return S(soft(z, Γ₁), Γ) and z for groups along `axes`; `carried` = β z, c₁ = β Γ₁, c = β Γ, `added` = Γ - c."""
    xp = namespace_of(w)
    n = w / _or_one(_norm(w, axes))
    here = w + displacement
    pulled = here + c * n
    sign = xp.sign(w)
    beyond = sign * pulled - l1  # at most 0 where w = 0
    z = xp.where(w != 0, pulled + sign * c1, carried + displacement)
    revived = xp.abs(z) - (c1 + l1)
    y = xp.where(beyond > 0, sign * beyond, xp.where(revived > 0, xp.sign(z) * revived, z - z))
    q = xp.where(beyond > 0, here - sign * l1, y - c * n)
    length = _norm(y, axes)
    lived = _total(n * n, axes) > 0
    rest = (_total(q * q, axes) + 2.0 * _total(c * n * q, axes)) / _or_one(length + c)
    left = xp.where(lived, rest, length - c) - added
    return xp.where(left > 0, y * (left / _or_one(length)), y - y), z  # what is not finite stays visible


def _strengths(elementwise: Any, like: Array) -> tuple[Any, Any]:
    """Return l1 and l2 of the elementwise part, numbers or arrays."""
    if elementwise is None:
        return 0.0, 0.0
    strength = matching(elementwise.alpha, like)
    if elementwise.factors is not None:
        strength = strength * matching(elementwise.factors, like)
    return strength * elementwise.l1_ratio, strength * (1.0 - elementwise.l1_ratio)


def _total(x: Array, axes: tuple[int, ...]) -> Array:
    return namespace_of(x).sum(x, axis=axes, keepdims=True) if axes else x


def _norm(x: Array, axes: tuple[int, ...]) -> Array:
    """The Euclidean norm along `axes`, kept as 1, without overflow or underflow of squares."""
    xp = namespace_of(x)
    scale = xp.max(xp.abs(x), axis=axes, keepdims=True) if axes else xp.abs(x)
    unit = x / _or_one(scale)
    return scale * xp.sqrt(_total(unit * unit, axes))


def _or_one(x: Array) -> Array:
    return namespace_of(x).where(x > 0, x, namespace_of(x).ones_like(x))
