"""A prox step behind one of Keras' own optimizers, as an optimizer that holds it."""

from typing import Any

import keras

from shrinkage._check import check_boolean, check_nonnegative, check_positive_int
from shrinkage.keras._assigned import (
    Assigned,
    assign,
    checked_source,
    plain_source,
    source_of_plain,
    warn_of_double_decay,
)
from shrinkage.keras._dual import dual_update, names_of
from shrinkage.keras._inner import Around
from shrinkage.keras._lengths import (
    clip_parts,
    is_adaptive,
    kind_of,
    length_of,
    momentum_of,
    remembers,
    shortened,
    steady_velocity,
)
from shrinkage.keras._plan import Plan
from shrinkage.keras._values import held, kept, ops, put, value, wide_type
from shrinkage.training import check_dual, check_memory, is_free, longest_step


class Member:
    """A variable under a penalty that is not 0: what is remembered of it.

    Attributes
    ----------
    place : int
        In the list of variables that the optimizer is built on.
    penalty : Penalty
    variable : keras.Variable
    velocity : keras.Variable or None
        How far the velocity of a long run of unit gradients reaches, where the optimizer has a velocity.
    dual : dict of keras.Variable
        What dual averaging remembers, by the names of `names_of`.
    """

    def __init__(self, assigned: Assigned, variable: Any) -> None:
        self.place, self.penalty, self.variable = assigned.place, assigned.penalty, variable
        self.velocity: Any = None
        self.dual: dict[str, Any] = {}


class _Members:
    """Penalties and variables, in an object that Keras does not look into for what to track and to store."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.assigned: list[tuple[Assigned, Any]] = []
        self.acting: list[Member] = []
        self.zeros: list[Any] = []
        self.clipped: list[Any] = []


@keras.saving.register_keras_serializable(package="shrinkage")
class Proximal(Around):
    r"""The prox of a penalty after every step of Keras' SGD, Adam, AdamW, Nadam, Adagrad or RMSprop.

    It holds the optimizer and is one: `model.compile(Proximal(keras.optimizers.Adam(1e-3), plan))`. After the inner
    optimizer's step to z, each penalized variable becomes

        w = argmin_u  g(u) + Σ_j (u_j - z_j)² / (2 h_j)

    where h_j is how far the optimizer really moves weight j for every unit of gradient, so that the fixed points are
    the stationary points of J = (mean loss) + g. With lr as the schedule has it, t the count of steps, μ the momentum:

    ===========  ======================================================================================
    SGD          s ← μ s + lr from s = 0, since Keras' velocity holds the learning rate; Nesterov μ s + lr
    Adam, AdamW  lr / d,  d = (√v + ε) / √(1 - β₂ᵗ); with amsgrad d holds the largest v
    Nadam        lr · c / d,  d = √v̂ + ε,  c = (1 - u_t) / (1 - U) + u_{t+1} (1 - β₁ᵗ) / (1 - U u_{t+1})
    Adagrad      lr / d,  d = √(Σ g² + ε)
    RMSprop      lr / d,  d = √(v + ε), centered √(v - m² + ε); with momentum s ← μ s + lr / d for each weight
    ===========  ======================================================================================

    with u_t = β₁ (1 - ½ 0.96ᵗ), U = u_1 ··· u_t. A kernel regularizer adds the penalty's gradient to the loss instead,
    and makes no weight exactly zero.

    Parameters
    ----------
    inner_optimizer : keras.optimizers.Optimizer, or what `keras.optimizers.get` makes one of
        Its settings and its state stay in it, and act as they do without a penalty.
    plan : Plan, Penalty, dict from path or pattern to Penalty or None, or None
        Who gets what. A penalty alone is for the weights that a `Plan` of the trained variables selects: kernels, not
        biases, norms, embeddings. A dict's patterns are those of a plan's `overrides`.
    dual : bool, default False
        Dual averaging instead of the prox, against noise of mini-batches: a weight is zero while its gradients so far
        do not outweigh its penalties so far. From z = w and Γ = 0, all for each weight,

            z ← β z - h · (gradient, as the optimizer means it)      Γ ← β Γ + h · αρ
            w = sign(z) max(|z| - Γ, 0) / (1 + h · α(1-ρ))

        where z starts anew from w + sign(w) Γ after every step that leaves w ≠ 0. On groups, with one metric for each
        group, w = z max(1 - Γ / ‖z‖, 0). The fixed points are the same.
    memory : float in (0, 1], default 0.999
        β of dual averaging. What counts is about the last 1 / (1 - β) steps.
    metric_floor : float, default 0.01
        No weight has a metric d below metric_floor · (root mean square of √v̂ over its variable). It keeps weights whose
        gradients were zero so far from vanishing at once, and stands in step and threshold alike, so that it moves no
        fixed point.
    warmup_steps : int, default 0
        Steps of the optimizer before the penalties begin.
    name : str, optional

    Raises
    ------
    ArgumentError
        If an argument is out of range; if the step of the optimizer is not known (Adamax, Lion, Muon, a subclass of
        one's own) or it holds others (`LossScaleOptimizer`, which belongs outside). Once it is built on variables: if a
        pattern matches none, a penalty does not fit one, or the plan was made for another model.

    Warns
    -----
    UserWarning
        If weights get both a weight decay from the optimizer and an L2 part from the penalty.

    Notes
    -----
    *Steps not taken.* Under `gradient_accumulation_steps` the prox acts on the steps that the optimizer takes, not
    between them; a step that `LossScaleOptimizer` skips is skipped here too, and lr = 0 is a no-op. A variable that is
    not trainable, or has no gradient, stays as it is. At strength 0 no bit changes.

    *Clipping by a norm* (`clipnorm`, `global_clipnorm`) multiplies a gradient by a number, and the prox's step by the
    same: at a minimizer gradients are as long as the penalty's slopes, λ√(number of weights that are not 0) for L1, and
    would be clipped for good. `clipvalue` cuts each number by itself: keep it above the strength.

    *Order*: clipping, weight decay, step, prox, averages of weights, constraints. Where averages overwrite weights
    (`use_ema`), weights that are zero stay zero.

    *Penalties that are not convex.* For steps above ½ (1 - β) γ, or ½ (1 - β) (γ - 1) for `SCAD`, under momentum β, the
    prox of `MCP` would leave stationary weights; a weight that went further is put back to that part of its way, which
    moves no fixed point.

    *Weight decay* in Keras is always decoupled: a fixed point obeys 0 ∈ ∇loss + weight_decay · d · w + ∂g. For J leave
    it out.

    *Saving.* A model is saved and loaded in the .keras format in safe mode, penalties, momentum and all, once
    `shrinkage.keras` is imported; training goes on bit for bit. A plan is stored as the penalties of paths.

    *Memory*: that of the inner optimizer, with one number for each variable under a momentum, one for each weight under
    RMSprop's; for `dual` two for each weight, three for `SparseGroup`.

    References
    ----------
    Prox in the metric of the preconditioner: Yun, Lozano & Yang (2021), ProxGen, Algorithm 1,
    https://arxiv.org/abs/2007.07484. Dual averaging: Xiao (2010), J. Mach. Learn. Res. 11, Algorithm 1,
    https://jmlr.org/papers/v11/xiao10a.html; Huang et al. (2024), RAMDA, https://arxiv.org/abs/2403.14398. The steps:
    `update_step` of https://keras.io/api/optimizers/

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from shrinkage import L1
    >>> from shrinkage.keras import Proximal
    >>> X = np.random.default_rng(0).normal(size=(200, 10)).astype("float32")
    >>> y = 3 * X[:, :1] - 2 * X[:, 1:2]
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    >>> model.compile(Proximal(keras.optimizers.Adam(0.05), L1(0.5)), loss="mse")
    >>> _ = model.fit(X, y, batch_size=200, epochs=300, verbose=0)
    >>> int((model.get_weights()[0] != 0).sum())
    2
    """

    def __init__(
        self,
        inner_optimizer: Any,
        plan: Any = None,
        *,
        dual: bool = False,
        memory: float = 0.999,
        metric_floor: float = 0.01,
        warmup_steps: int = 0,
        name: str | None = None,
    ) -> None:
        check_boolean("dual", dual)
        check_memory(memory)
        check_nonnegative("metric_floor", metric_floor)
        check_positive_int("warmup_steps", warmup_steps, least=0)
        source = checked_source(source_of_plain(plan))
        inner = keras.optimizers.get(inner_optimizer)
        kind_of(inner)
        if dual and not isinstance(source, (Plan, dict)):
            check_dual(source, instead="dual=False")
        super().__init__(inner, name=name)
        self.dual, self.memory = dual, memory
        self.metric_floor, self.warmup_steps = metric_floor, warmup_steps
        self._members = _Members(source)

    def build(self, variables: Any) -> None:
        """Make the state of the inner optimizer, and what is remembered here, for a list of variables."""
        if self.built:
            return
        variables = list(variables)
        found = [(one, variables[one.place]) for one in assign(self._members.source, variables)]
        for one, _ in found if self.dual else []:
            check_dual(one.penalty, instead="dual=False")
        inner = self.inner_optimizer
        began = inner.built and int(ops.convert_to_numpy(inner.iterations)) > 0
        inner.build(variables)
        acting = [Member(one, variable) for one, variable in found if not is_free(one.penalty)]
        for member in acting:
            self._remember(member, began)
        self._members.assigned, self._members.acting = found, acting
        warn_of_double_decay(inner, [(member.variable, member.penalty) for member in acting])
        self.built = True

    def _remember(self, member: Member, began: bool) -> None:
        """Make the state of one variable; `began`: whether the inner optimizer has taken steps without it."""
        variable, inner = member.variable, self.inner_optimizer
        wide = wide_type(variable.dtype)
        own = variable.path.replace("/", "_")

        def made(kind: str, shape: Any) -> Any:
            layout = getattr(variable, "_layout", None) if tuple(shape) == tuple(variable.shape) else None
            return self.add_variable(shape=shape, dtype=wide, layout=layout, name=f"{own}_{kind}")

        if remembers(inner):
            member.velocity = made("velocity_length", variable.shape if is_adaptive(inner) else ())
            if began:
                lr = ops.cast(ops.convert_to_tensor(inner.learning_rate), wide)
                member.velocity.assign(steady_velocity(inner, member.place, lr))
        if self.dual:
            member.dual = {kind: made(kind, variable.shape) for kind in names_of(member.penalty)}

    def _clip_gradients(self, grads: Any) -> Any:
        self._members.clipped = clip_parts(self.inner_optimizer, grads)
        return super()._clip_gradients(grads)

    def _backend_update_step(self, grads: Any, trainable_variables: Any, learning_rate: Any) -> None:
        places = [self._get_variable_index(variable) for variable in trainable_variables]
        parts = dict(zip(places, self._members.clipped or [None] * len(places), strict=True))
        self._members.clipped = []
        members = [member for member in self._members.acting if member.place in parts]
        starts = [kept(member.variable) if self._needs_start(member) else None for member in members]
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for member, start in zip(members, starts, strict=True):
            put(member.variable, self._stepped(member, start, learning_rate, parts[member.place]))

    def _needs_start(self, member: Member) -> bool:
        inner = self.inner_optimizer
        return self.dual or is_adaptive(inner) or longest_step(member.penalty, momentum_of(inner)) is not None

    def _stepped(self, member: Member, start: Any, learning_rate: Any, part: Any) -> Any:
        """Return where the penalty takes a variable that the inner optimizer has just stepped."""
        now = held(member.variable)
        lr = ops.cast(value(learning_rate), now.dtype)
        lr = lr if part is None else lr * ops.cast(part, now.dtype)
        length = length_of(
            self.inner_optimizer, member.place, member.penalty, lr, member.velocity, float(self.metric_floor)
        )
        now, step = shortened(start, now, length)
        if self.warmup_steps:
            begun = ops.greater_equal(self.iterations, self.warmup_steps)
            step = step * ops.cast(begun, step.dtype)
        if not self.dual:
            return member.penalty.prox(now, step)
        return dual_update(member.penalty, start, now - start, step, lr, member.dual, self.memory)

    def _backend_apply_gradients(self, grads: Any, trainable_variables: Any) -> None:
        super()._backend_apply_gradients(grads, trainable_variables)
        if self.use_ema and self.ema_overwrite_frequency:
            self._put_zeros_back(self._members.zeros)

    def _update_model_variables_moving_average(self, trainable_variables: Any) -> None:
        super()._update_model_variables_moving_average(trainable_variables)
        self._members.zeros = self._zeros()

    def finalize_variable_values(self, var_list: Any) -> None:
        """Put averages in the place of weights where `use_ema` is on; weights that are zero stay zero."""
        if not self.use_ema:
            super().finalize_variable_values(var_list)
            return
        zeros = self._zeros()
        super().finalize_variable_values(var_list)
        for variable in var_list:  # or JAX has one array for weight and average, and cannot give it away twice
            variable.assign(ops.copy(value(variable)))
        self._put_zeros_back(zeros)

    def _zeros(self) -> list[Any]:
        return [value(member.variable) == 0 for member in self._members.acting]

    def _put_zeros_back(self, zeros: list[Any]) -> None:
        for member, zero in zip(self._members.acting, zeros, strict=True):
            now = value(member.variable)
            member.variable.assign(ops.where(zero, ops.zeros_like(now), now))

    @property
    def plan(self) -> Any:
        """What was given as the plan; of a file the penalties of paths."""
        return self._members.source

    @property
    def acting(self) -> tuple[Member, ...]:
        """The variables whose penalty is not 0, with what is remembered of each; empty before it is built."""
        return tuple(self._members.acting)

    @property
    def penalized(self) -> tuple[tuple[Any, Any], ...]:
        """Every variable with a penalty, and that penalty; empty before the optimizer is built."""
        return tuple((variable, one.penalty) for one, variable in self._members.assigned)

    def penalty_of(self, variable: Any) -> Any:
        """Return the penalty of a variable, None where it has none or before the optimizer is built."""
        return next((penalty for one, penalty in self.penalized if one is variable), None)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` makes the same optimizer of, without its state: plain data."""
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            "plan": plain_source(self._members.source, self._members.assigned),
            "dual": self.dual,
            "memory": self.memory,
            "metric_floor": self.metric_floor,
            "warmup_steps": self.warmup_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Proximal":
        """Return the optimizer that a config describes."""
        config = dict(config)
        inner = keras.saving.deserialize_keras_object(config.pop("inner_optimizer"), custom_objects=custom_objects)
        return cls(inner, **config)

    def __repr__(self) -> str:
        kind = type(self.inner_optimizer).__name__
        each = [str(one.penalty) for one, _ in self._members.assigned]
        counted = [(penalty, each.count(penalty)) for penalty in dict.fromkeys(each)]
        parts = [f"{penalty} on {count} variable{'s' * (count != 1)}" for penalty, count in counted]
        return f"<Proximal after {kind}{', dual' * self.dual}: {'; '.join(parts) or 'nothing yet'}>"
