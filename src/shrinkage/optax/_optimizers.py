"""Whole optimizers: optax's Adam and gradient descent with a penalty behind them."""

from typing import Any

import optax

from shrinkage.optax._chain import chain
from shrinkage.optax._dual_averaging import dual_averaging
from shrinkage.optax._prox import prox


def prox_adam(
    learning_rate: optax.ScalarOrSchedule,
    penalty: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    mask: Any = None,
    strength: Any = 1.0,
    warmup_steps: int = 0,
    metric_floor: Any = 0.01,
) -> optax.GradientTransformationExtraArgs:
    """`optax.adam`, then the prox of the penalty in its metric: ``chain(optax.adam(...), prox(...))``.

    Parameters
    ----------
    learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov
        As in `optax.adam`.
    penalty, mask, strength, warmup_steps, metric_floor
        As in `shrinkage.optax.prox`.

    Returns
    -------
    optax.GradientTransformationExtraArgs

    References
    ----------
    Yun, Lozano & Yang (2021), ProxGen, Algorithm 1, https://arxiv.org/abs/2007.07484

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> from shrinkage import L1
    >>> from shrinkage.optax import prox_adam
    >>> optimizer = prox_adam(0.1, L1(0.5))
    >>> w, goal = jnp.zeros(2), jnp.array([1.0, 0.1])
    >>> state, update = optimizer.init(w), jax.jit(optimizer.update)
    >>> for _ in range(200):
    ...     updates, state = update(w - goal, state, w)
    ...     w = optax.apply_updates(w, updates)
    >>> [round(float(x), 3) for x in w]
    [0.5, 0.0]
    """
    adam = optax.adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    settings = {"mask": mask, "strength": strength, "warmup_steps": warmup_steps, "metric_floor": metric_floor}
    return chain(adam, prox(penalty, **settings))


def dual_adam(
    learning_rate: optax.ScalarOrSchedule,
    penalty: Any,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    mu_dtype: Any = None,
    *,
    nesterov: bool = False,
    memory: Any = 0.999,
    mask: Any = None,
    strength: Any = 1.0,
    warmup_steps: int = 0,
    metric_floor: Any = 0.01,
) -> optax.GradientTransformationExtraArgs:
    """`optax.adam` with dual averaging in its metric: ``chain(optax.adam(...), dual_averaging(...))``.

    Parameters
    ----------
    learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov
        As in `optax.adam`.
    penalty, memory, mask, strength, warmup_steps, metric_floor
        As in `shrinkage.optax.dual_averaging`.

    Returns
    -------
    optax.GradientTransformationExtraArgs

    References
    ----------
    Huang et al. (2024), RAMDA, Algorithm 1, https://arxiv.org/abs/2403.14398

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> from shrinkage import L1
    >>> from shrinkage.optax import dual_adam
    >>> optimizer = dual_adam(0.1, L1(0.5))
    >>> w, goal = jnp.zeros(2), jnp.array([1.0, 0.1])
    >>> state, update = optimizer.init(w), jax.jit(optimizer.update)
    >>> for _ in range(200):
    ...     updates, state = update(w - goal, state, w)
    ...     w = optax.apply_updates(w, updates)
    >>> [round(float(x), 3) for x in w]
    [0.5, 0.0]
    """
    adam = optax.adam(learning_rate, b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    settings = {"mask": mask, "strength": strength, "warmup_steps": warmup_steps, "metric_floor": metric_floor}
    return chain(adam, dual_averaging(penalty, memory=memory, **settings))


def prox_sgd(
    learning_rate: optax.ScalarOrSchedule,
    penalty: Any,
    momentum: Any = None,
    nesterov: bool = False,
    accumulator_dtype: Any = None,
    *,
    mask: Any = None,
    strength: Any = 1.0,
    warmup_steps: int = 0,
) -> optax.GradientTransformationExtraArgs:
    """`optax.sgd`, then the prox of the penalty at the length of its step: ``chain(optax.sgd(...), prox(...))``.

    With momentum μ a step moves a weight by lr / (1 - μ) times its gradient in the long run, and the threshold with it.

    Parameters
    ----------
    learning_rate, momentum, nesterov, accumulator_dtype
        As in `optax.sgd`.
    penalty, mask, strength, warmup_steps
        As in `shrinkage.optax.prox`.

    Returns
    -------
    optax.GradientTransformationExtraArgs

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> from shrinkage import L1
    >>> from shrinkage.optax import prox_sgd
    >>> optimizer = prox_sgd(0.1, L1(0.5), momentum=0.9)
    >>> w, goal = jnp.zeros(2), jnp.array([1.0, 0.1])
    >>> state, update = optimizer.init(w), jax.jit(optimizer.update)
    >>> for _ in range(300):
    ...     updates, state = update(w - goal, state, w)
    ...     w = optax.apply_updates(w, updates)
    >>> [round(float(x), 3) for x in w]
    [0.5, 0.0]
    """
    sgd = optax.sgd(learning_rate, momentum, nesterov, accumulator_dtype)
    return chain(sgd, prox(penalty, mask=mask, strength=strength, warmup_steps=warmup_steps))
