"""Decoupled L1 decay: the threshold of every weight alike, whatever its gradients."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from shrinkage._check import check_nonnegative
from shrinkage._errors import ArgumentError
from shrinkage.optax._penalized import NO_PARAMS
from shrinkage.optax._penalties import flags_of
from shrinkage.penalties import L1


class L1DecayState(NamedTuple):
    """State of `l1_decay`: the count of its steps, for schedules."""

    count: Any


def l1_decay(decay: Any, learning_rate: Any, mask: Any = None) -> optax.GradientTransformationExtraArgs:
    r"""Decoupled L1 decay, w ← soft(w + u, lr · decay), as the last link of a chain.

    It does to L1 what `adamw` does to L2: the threshold does not pass through the metric, so it minimizes no fixed
    objective. After Adam, `decay` is a signal-to-noise threshold in [0, 1): a weight becomes zero, exactly, where
    |mean gradient| < decay · (root mean square gradient); multiplying the loss changes nothing, and at 1 nothing is
    left. For a penalty's own minimizer use `prox`.

    Parameters
    ----------
    decay : float >= 0 or schedule
    learning_rate : float or schedule
        That of the links before.
    mask : pytree of bool that is a prefix of the parameters', or callable params -> such a tree, optional
        False where nothing is done.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        It needs to see no other link: `optax.chain` will do.

    Raises
    ------
    ArgumentError
        If decay or learning_rate is negative or not finite; at `update`, without `params`.

    Notes
    -----
    At decay 0, updates pass unchanged, bit for bit.

    References
    ----------
    The decoupling: Loshchilov & Hutter (2019), Algorithm 2, https://arxiv.org/abs/1711.05101

    Examples
    --------
    >>> import jax.numpy as jnp, optax
    >>> from shrinkage.optax import l1_decay
    >>> optimizer = optax.chain(optax.adamw(0.1), l1_decay(0.5, 0.1))
    >>> w = jnp.array([1.0, 0.01])
    >>> updates, state = optimizer.update(jnp.array([-1.0, 0.0]), optimizer.init(w), w)
    >>> [round(float(x), 3) for x in optax.apply_updates(w, updates)]
    [1.05, 0.0]
    """
    for name, value in (("decay", decay), ("learning_rate", learning_rate)):
        if not callable(value):
            check_nonnegative(name, value)

    def init(params: Any) -> L1DecayState:
        return L1DecayState(jnp.zeros([], jnp.int32))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, L1DecayState]:
        if params is None:
            raise ArgumentError(NO_PARAMS)
        ratio: Any = decay(state.count) if callable(decay) else decay
        rate: Any = learning_rate(state.count) if callable(learning_rate) else learning_rate
        leaves, structure = jax.tree.flatten(params)
        moves = structure.flatten_up_to(updates)
        flags = flags_of(mask, params)
        moves = [
            _decayed(w, u, rate * ratio) if on and u is not None else u
            for w, u, on in zip(leaves, moves, flags, strict=True)
        ]
        return jax.tree.unflatten(structure, moves), L1DecayState(optax.safe_increment(state.count))

    return optax.GradientTransformationExtraArgs(init, update)


def _decayed(w: Any, u: Any, threshold: Any) -> Any:
    kind = jnp.promote_types(w.dtype, u.dtype)
    wide = jnp.promote_types(kind, jnp.float32)
    start = w.astype(wide) + u.astype(wide)
    new = L1(1.0).prox(start, jnp.asarray(threshold, wide))
    change = jnp.where(new == 0, -w.astype(wide), new - w.astype(wide))
    return jnp.where(new == start, u.astype(kind), change.astype(kind))
