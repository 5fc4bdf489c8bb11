"""The prox of a penalty as the last link of a chain."""

from typing import Any

import jax.numpy as jnp
import optax

from shrinkage.optax._penalized import Leaf, Settings, penalty_link, strengths_of
from shrinkage.penalties import L1, L1L2, L2


def prox(
    penalty: Any,
    learning_rate: Any = None,
    *,
    mask: Any = None,
    momentum: Any = None,
    nesterov: bool = False,
    strength: Any = 1.0,
    warmup_steps: Any = 0,
    metric_floor: Any = 0.01,
) -> optax.GradientTransformationExtraArgs:
    r"""The prox of a penalty behind the links of `shrinkage.optax.chain`: exact zeros, and the penalty's own minimizer.

    Where the links before take a weight from w to z, it becomes

        w = argmin_u  g(u) + Σ_j (u_j - z_j)² / (2 h_j)

    where h_j is how far those links move weight j for every unit of gradient, read from them at each step:

    ===================  ======================================================================================
    sgd                  lr · s, s ← 1 + μ s from s = 0; with Nesterov lr · (1 + μ s)
    adam, adamw          lr / d, d = √(v̂ + ε_root) + ε
    nadam, nadamw        lr · c / d, c = β₁ (1 - β₁ᵗ) / (1 - β₁ᵗ⁺¹) + (1 - β₁) / (1 - β₁ᵗ)
    other metrics        lr / d with the d of each: amsgrad, adabelief, yogi, adamax, rmsprop, adagrad
    ===================  ======================================================================================

    So the fixed points are the stationary points of (mean loss) + g. A threshold without d has others.

    Parameters
    ----------
    penalty : Penalty, pytree of Penalty and None that is a prefix of the parameters', or callable params -> such a tree
        A penalty goes to every leaf; `by_path` makes a function from rules for paths. Any penalty of
        `shrinkage.penalties`; its strength may be an array that JAX traces, so that `jax.vmap` trains many strengths
        at once. A function is taken for a schedule by `optax.inject_hyperparams`, unless named in its `static_args`.
    learning_rate : float, schedule or None
        Needed in `optax.chain`, where a link does not see the others. In `shrinkage.optax.chain` what the links do
        counts, and a number that contradicts theirs is refused.
    mask : pytree of bool that is a prefix of the parameters', or callable params -> such a tree, optional
        False where the penalty does not act, as in `optax.add_decayed_weights`.
    momentum : float in [0, 1], optional
        For `optax.chain` alone, behind plain gradient descent: its momentum, 0 for none. Nothing else can be told.
    nesterov : bool, default False
        As `momentum`.
    strength : float or schedule, default 1
        Factor of the penalty's strength; a schedule counts the steps taken, and below 0 it is 0.
    warmup_steps : int, default 0
        Steps before the penalty begins. Where gradients are zero at first (zero-initialized branches, LoRA), give it a
        few.
    metric_floor : float, default 0.01
        The floor of d is metric_floor · (root mean square of √v̂ over the tensor, one step before). It keeps weights
        whose gradients were zero so far from vanishing at once, and stands in step and threshold alike, so that it
        moves no fixed point.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        The last link: links after it would move weights off their zeros. Averages of weights are not sparse either.

    Raises
    ------
    ArgumentError
        If an argument is out of range; at `init`, if the penalty does not fit a leaf, or a link before is not known;
        at `update`, in `optax.chain` without `momentum`, or without `params`.

    Notes
    -----
    Without a penalty, or at strength 0, updates pass unchanged, bit for bit. A tensor whose gradients have all been 0
    is left alone, and so is every weight in steps that `MultiSteps` or `apply_if_finite` withhold. Parameters of low
    precision get their prox in float32. Under `MCP` and `SCAD` steps longer than ½ (1 - β) γ (½ (1 - β) (γ - 1)) are
    shortened to that. Memory: one number for each tensor.

    Decoupled weight decay stays what it is: a fixed point of adamw obeys 0 ∈ ∇loss + weight_decay · d · w + ∂g.

    References
    ----------
    Prox in the metric of the preconditioner: Yun, Lozano & Yang (2021), ProxGen, Algorithm 1,
    https://arxiv.org/abs/2007.07484. The steps: https://optax.readthedocs.io/en/latest/api/transformations.html

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax
    >>> from shrinkage import L1
    >>> from shrinkage.optax import chain, prox
    >>> X = jax.random.normal(jax.random.key(0), (200, 10)); y = 3 * X[:, 0] - 2 * X[:, 1]
    >>> optimizer = chain(optax.adam(0.05), prox({"w": L1(0.5), "b": None}))
    >>> params = {"w": jnp.ones(10), "b": jnp.zeros(())}
    >>> @jax.jit
    ... def step(params, state):
    ...     loss = lambda p: 0.5 * jnp.mean((X @ p["w"] + p["b"] - y) ** 2)
    ...     updates, state = optimizer.update(jax.grad(loss)(params), state, params)
    ...     return optax.apply_updates(params, updates), state
    >>> state = optimizer.init(params)
    >>> for _ in range(300):
    ...     params, state = step(params, state)
    >>> int((params["w"] != 0).sum())
    2
    """
    settings = Settings(penalty, learning_rate, mask, momentum, nesterov, strength, warmup_steps, metric_floor)
    return penalty_link(settings, _formula, lambda params, penalties: ())


def _formula(leaf: Leaf, memory: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    start = leaf.weight + leaf.moved
    if isinstance(leaf.penalty, (L1, L2, L1L2)):
        return soft_threshold(leaf.penalty, start, leaf.step), memory
    return leaf.penalty.prox(start, leaf.step), memory


def soft_threshold(penalty: Any, v: Any, step: Any) -> Any:
    """Return the prox of an elastic net as XLA computes it fastest: v - clip(v, -t, t), 0 within t = step l1."""
    l1, l2 = strengths_of(penalty, v)
    if not (isinstance(l1, float) and l1 == 0):
        threshold = step * l1
        v = v - jnp.clip(v, -threshold, threshold)
    return v if isinstance(l2, float) and l2 == 0 else v / (1.0 + step * l2)
