"""A chain whose last link sees the links before it."""

from typing import Any

import optax

from shrinkage._errors import ArgumentError
from shrinkage.optax._penalized import Behind


def chain(*links: Any) -> optax.GradientTransformationExtraArgs:
    """Return `optax.chain` of the links, whose last, a `prox` or `dual_averaging`, sees the links before it.

    In `optax.chain` a link sees neither the settings nor the states of the others. A prox must: its threshold is the
    strength times how far those links move a weight for every unit of its gradient. Here it reads that, from

    - `scale`, `scale_by_learning_rate`, `scale_by_schedule`, `trace`, `add_decayed_weights`, `identity`, `add_noise`,
      `zero_nans`, `set_to_zero`, `snapshot`, `monitor`;
    - before these `clip_by_global_norm` and `clip_by_block_rms`, which shorten the threshold as they shorten the
      gradient, and `clip`, which does not: a weight rests at the penalty's minimizer only if its gradient there, up to
      the strength, is not clipped;
    - `scale_by_adam` (also with Nesterov), `scale_by_amsgrad`, `scale_by_adamax`, `scale_by_belief`,
      `scale_by_yogi`, `scale_by_rms`, `scale_by_stddev`, `scale_by_rss`;
    - all optimizers made of these: `sgd`, `adam`, `adamw`, `nadam`, `nadamw`, `amsgrad`, `adabelief`, `adagrad`,
      `adamax`, `adamaxw`, `yogi`, `rmsprop` without momentum;
    - `chain`, `named_chain`, `masked`, `partition` (`multi_transform`), `freeze`, `selective_transform`,
      `inject_hyperparams`, `apply_if_finite` and `MultiSteps(...).gradient_transformation()` of them.

    Parameters
    ----------
    *links : optax.GradientTransformation

    Returns
    -------
    optax.GradientTransformationExtraArgs
        With a tuple of the links' states as its state, as `optax.chain` has it. It can be part of any other
        transformation.

    Raises
    ------
    ArgumentError
        When it is initialized: if the last link has a penalty and a link before it is not one of these, or the order
        of links makes a step that is not known.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> from shrinkage import L1
    >>> from shrinkage.optax import chain, prox
    >>> optimizer = chain(optax.clip_by_global_norm(1.0), optax.adam(0.1), prox(L1(0.5)))
    >>> w, goal = jnp.zeros(2), jnp.array([1.0, 0.1])
    >>> state, update = optimizer.init(w), jax.jit(optimizer.update)
    >>> for _ in range(200):
    ...     updates, state = update(w - goal, state, w)
    ...     w = optax.apply_updates(w, updates)
    >>> [round(float(x), 3) for x in w]
    [0.5, 0.0]
    """
    last = getattr(links[-1].update, "behind", None) if links else None
    if not isinstance(last, Behind):
        return optax.chain(*links)
    if any(isinstance(getattr(link.update, "behind", None), Behind) for link in links[:-1]):
        raise ArgumentError("one chain has one penalty, in its last link: sum the penalties, or give each leaf its own")
    return _seeing(optax.chain(*links[:-1]) if links[:-1] else optax.chain(optax.identity()), len(links[:-1]), last)


def _seeing(before: Any, n_before: int, last: Behind) -> optax.GradientTransformationExtraArgs:
    """The chain of some links and one behind them that is called with their states."""

    def init(params: Any) -> tuple[Any, ...]:
        state = before.init(params)
        return (*state[:n_before], last.init(before, state, params))

    def update(updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, tuple[Any, ...]]:
        if len(state) != n_before + 1:
            raise ArgumentError(f"state must hold {n_before + 1} states, as init makes them; got {len(state)}")
        known = state[:n_before] if n_before else (optax.EmptyState(),)
        moves, found = before.update(updates, known, params, **extra)
        moves, own = last.update(moves, state[-1], params, before, (known, found), updates)
        return moves, (*found[:n_before], own)

    return optax.GradientTransformationExtraArgs(init, update)
