"""A prox step behind one of torch's own optimizers, through its hooks."""

from typing import Any

import torch
from torch import Tensor

from shrinkage._check import check_boolean, check_choice, check_nonnegative
from shrinkage._errors import ArgumentError
from shrinkage.torch._assignment import Assignment, as_plain, check_fit, followable
from shrinkage.torch._local import local
from shrinkage.torch._metrics import SCALE, exact, longest_step, pieces, ready_scale, remembers, shorten_, step_lengths
from shrinkage.torch._optimizer import batches, check_count, check_penalty, number, refuse_sparse
from shrinkage.torch._plan import Plan
from shrinkage.torch._precision import put_back, widened
from shrinkage.torch._prox import is_elementwise, prox_, soft_threshold_, strengths
from shrinkage.torch._reading import follower_of, unwrapped
from shrinkage.training import is_free

_STEPS = "penalized_steps"


class Proximal:
    r"""The prox of a penalty after every step of torch's SGD, Adam, AdamW, NAdam, RAdam, Adagrad or RMSprop.

    The optimizer stays the object that it is; hooks around its `step` do the rest, so that schedulers, gradient
    scalers and trainers notice nothing. After its step to z, each penalized tensor becomes

        w = argmin_u  g(u) + Σ_j (u_j - z_j)² / (2 h_j)

    where h_j is how far the optimizer really moves weight j for every unit of gradient. So the fixed points are the
    stationary points of J = (mean loss) + g. With d = √v̂ + ε as each optimizer defines it, and t its count of steps:

    ===========  =====================================================================================
    SGD          lr · s, s ← μ s + (1 - dampening), s = 1 at first; with Nesterov lr · (1 + μ s)
    Adam, AdamW  lr / d; with amsgrad d holds the largest v
    NAdam        lr · c / d, c = (1 - μ_t) / (1 - P) + μ_{t+1} (1 - β₁ᵗ) / (1 - P μ_{t+1}), P = μ_1 ··· μ_t
    RAdam        lr · r / d, r its rectification; lr in the first steps, which no metric divides
    Adagrad      lr / (1 + (t - 1) lr_decay) / d
    RMSprop      lr / d, centered or not; with momentum lr · s, s ← μ s + 1 / d for each weight
    ===========  =====================================================================================

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        One of the seven exactly; a child of theirs is another optimizer. A wrapper that holds it as `.optimizer` is
        opened.
    plan : Plan or Penalty, optional
        Who gets which penalty. What a plan does not penalize is free; a penalty goes to every parameter of the
        optimizer. None takes the groups' own entries "penalty", as `Plan.param_groups()` makes them: they become
        penalties in memory, exchanged by assignment, and stay plain data in `optimizer.state_dict()`.
    semantics : {"penalty", "decoupled"}, default "penalty"
        "decoupled" sets h = lr after any optimizer, as decoupled weight decay does: for `L1`, soft(w, lr · alpha). It
        minimizes no J, and what a strength means depends on the scale of the optimizer's steps. After Adam, alpha is
        the signal-to-noise threshold `l1_decay` of `shrinkage.torch.AdamW`.
    warmup_steps : int, default 0
        Steps of each parameter before its penalty begins, counted from the attachment.
    keep : int, default 0
        Guard against the collapse of a layer: the least number of weights, or of groups, that each tensor keeps.
    stochastic_rounding : bool, default False
        Round bfloat16 weights up or down at random, right on average.

    Raises
    ------
    ArgumentError
        If the optimizer's step is not known, is proximal already or is differentiated through; if it does not hold a
        parameter that the plan penalizes; if a penalty cannot act on a parameter. At a step, before anything moves, if
        the gradient of a penalized parameter is sparse, or a new penalty or parameter does not fit.

    Warns
    -----
    UserWarning
        If weights get both a weight decay from the optimizer and an L2 part from the penalty.

    Notes
    -----
    *Steps not taken.* A parameter without a gradient stays as it is, lr = 0 is a no-op, and a step that a GradScaler
    skips is skipped here too; inside fused optimizers on a device, without waiting for it. At strength 0 no bit
    changes. A tensor that has met no gradient but 0 is left alone. Single weights of which that is true, in a tensor
    that has met others, shrink at the pace of the tensor's root mean square, since ε alone would erase them at once.
    Parameters of low precision get their prox in float32.

    *Penalties that are not convex.* For steps above a bound, the prox of `MCP` and `SCAD` would leave stationary
    weights; it is ½ (1 - β) γ (½ (1 - β) (γ - 1)) under momentum β. Where the optimizer took a longer step, the weight
    is put back to the part of the way that the bound allows, which moves no fixed point; it costs a copy of them.

    *Weight decay* of the optimizer stays what it is. Coupled, it is an L2 penalty of that strength more. Decoupled, as
    in AdamW, a fixed point obeys 0 ∈ ∇loss + weight_decay · d · w + ∂g: the prox is the penalty's own, but the sum is
    no J of fixed strengths. For J, set weight_decay=0.

    *Checkpoints.* What is remembered (`momentum_scale` of SGD and RMSprop, the count for warm-up) lies in
    `optimizer.state`: `optimizer.state_dict()` resumes bit for bit in an optimizer with a Proximal attached before
    loading. Penalties of a plan are not in it; they come from the plan. Where momentum is met without its scale, it is
    taken to be old. A copied or unpickled optimizer has lost its hooks, as all hooks of torch: attach anew.

    *Order.* Hooks run in the order of registration: averages of weights and all else that should see the zeros belong
    after.

    *Cost.* One step per weight is computed and dropped again; RMSprop with momentum keeps one. `ProxSGD` and
    `ProxAdam` do their work in one pass, and the metric floor of `ProxAdam` is gentler to weights with tiny gradients.

    *Not LBFGS*: within one step it evaluates its closure along a line before any prox could act. *Not SparseAdam*,
    which needs sparse gradients.

    References
    ----------
    Prox in the metric of the preconditioner: Yun, Lozano & Yang (2021), ProxGen, Algorithm 1,
    https://arxiv.org/abs/2007.07484. The steps: functions `_single_tensor_*` of `torch.optim`,
    https://docs.pytorch.org/docs/stable/optim.html

    Examples
    --------
    >>> import torch
    >>> from shrinkage import L1
    >>> from shrinkage.torch import Plan, Proximal
    >>> _ = torch.manual_seed(0)
    >>> X = torch.randn(200, 10); y = 3 * X[:, 0] - 2 * X[:, 1]
    >>> model = torch.nn.Linear(10, 1)
    >>> optimizer = torch.optim.NAdam(model.parameters(), lr=0.05)
    >>> proximal = Proximal(optimizer, Plan(model, L1(0.5)))
    >>> proximal
    <Proximal after NAdam: L1(alpha=0.5, factors=None) on 1 tensor>
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (0.5 * (model(X).squeeze() - y).square().mean()).backward()
    ...     optimizer.step()
    >>> int((model.weight != 0).sum())
    2
    >>> proximal.remove()
    """

    def __init__(
        self,
        optimizer: Any,
        plan: Any = None,
        *,
        semantics: str = "penalty",
        warmup_steps: int = 0,
        keep: int = 0,
        stochastic_rounding: bool = False,
    ) -> None:
        check_choice("semantics", semantics, ("penalty", "decoupled"))
        check_count("warmup_steps", warmup_steps)
        check_count("keep", keep)
        check_boolean("stochastic_rounding", stochastic_rounding)
        self.optimizer = followable(optimizer, semantics)
        self.plan = plan if isinstance(plan, Plan) else None
        self.semantics, self.warmup_steps, self.keep = semantics, warmup_steps, keep
        self.stochastic_rounding = stochastic_rounding
        self._assigned = Assignment(self.optimizer, plan)
        self._assigned.warn_of_double_decay()
        self._loaded: dict[str, Any] | None = None
        self._starts: dict[Tensor, Tensor] = {}
        self._hooks = [
            self.optimizer.register_step_pre_hook(self._before),
            self.optimizer.register_step_post_hook(self._after),
            self.optimizer.register_state_dict_post_hook(self._packed),
            self.optimizer.register_load_state_dict_pre_hook(self._loading),
            self.optimizer.register_load_state_dict_post_hook(self._restored),
        ]

    @staticmethod
    def of(optimizer: Any) -> "Proximal | None":
        """Return the Proximal that follows an optimizer, None where there is none.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer, or a wrapper that holds one as `.optimizer`

        Examples
        --------
        >>> import torch
        >>> from shrinkage import L1
        >>> from shrinkage.torch import Proximal
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(3))], lr=0.1)
        >>> _ = Proximal(optimizer, L1(0.2))
        >>> Proximal.of(optimizer).remove()
        >>> Proximal.of(optimizer) is None
        True
        """
        return follower_of(unwrapped(optimizer))

    def remove(self) -> None:
        """Take the hooks off: the optimizer is torch's alone again, and its groups' penalties are plain data."""
        for hook in self._hooks:
            hook.remove()
        if self._hooks:
            self._assigned.encode()
        self._hooks = []

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise ArgumentError(
            "a Proximal lives in the hooks of one optimizer and cannot be copied or pickled: copy the optimizer, and "
            "attach a new Proximal to the copy"
        )

    def __enter__(self) -> "Proximal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    @property
    def penalized(self) -> tuple[tuple[Tensor, Any], ...]:
        """Every parameter with a penalty in force, and that penalty."""
        self._assigned.decode()
        return tuple((p, penalty) for _, p, penalty in self._assigned.members())

    @property
    def penalties(self) -> tuple[Any, ...]:
        """The penalties in force, each once."""
        return tuple({id(penalty): penalty for *_, penalty in self._assigned.members()}.values())

    @property
    def penalty(self) -> Any:
        """The penalty in force, where there is one alone; one that is assigned acts from the next step on.

        Raises
        ------
        ArgumentError
            If there are several: see `penalties`, `rescale`.

        Examples
        --------
        >>> import torch
        >>> from shrinkage import L1
        >>> from shrinkage.torch import Proximal
        >>> w = torch.nn.Parameter(torch.ones(3))
        >>> proximal = Proximal(torch.optim.SGD([w], lr=0.1), L1(0.2))
        >>> proximal.penalty = proximal.penalty.with_alpha(0.3)
        >>> proximal.penalties
        (L1(alpha=0.3, factors=None),)
        """
        several = self.penalties
        if len(several) != 1:
            raise ArgumentError(f"there are {len(several)} penalties in force, not one: see penalties, or use rescale")
        return several[0]

    @penalty.setter
    def penalty(self, penalty: Any) -> None:
        check_penalty(penalty)
        old = self.penalty
        if penalty is None:
            raise ArgumentError("penalty must be a penalty; got None: to end the prox, call remove()")
        for _, p, _ in self._assigned.members():
            check_fit(penalty, p)
        self._assigned.exchange(lambda known: penalty if known is old else known)

    def rescale(self, factor: float) -> None:
        """Multiply the strength of every penalty in force.

        Parameters
        ----------
        factor : float >= 0

        Examples
        --------
        >>> import torch
        >>> from shrinkage import L1
        >>> from shrinkage.torch import Plan, Proximal
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 1))
        >>> plan = Plan(model, L1(0.2), overrides={"1.weight": L1(0.4)})
        >>> proximal = Proximal(torch.optim.Adam(model.parameters()), plan)
        >>> proximal.rescale(0.5)
        >>> [penalty.alpha for penalty in proximal.penalties]
        [0.1, 0.2]
        """
        check_nonnegative("factor", factor)
        made: dict[int, Any] = {}

        def rescaled(penalty: Any) -> Any:
            return made.setdefault(id(penalty), penalty.with_alpha(penalty.alpha * factor))

        self._assigned.exchange(rescaled)

    def __repr__(self) -> str:
        kind = type(self.optimizer).__name__
        if not self._hooks:
            return f"<Proximal, removed from {kind}>"
        found = [id(penalty) for *_, penalty in self._assigned.members()]
        counted = [(penalty, found.count(id(penalty))) for penalty in self.penalties]
        parts = [f"{penalty} on {count} tensor{'s' * (count != 1)}" for penalty, count in counted]
        decoupled = ", decoupled" if self.semantics == "decoupled" else ""
        return f"<Proximal after {kind}{decoupled}: {'; '.join(parts)}>"

    def _before(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """See, before a step, which momentum buffers there are."""
        self._assigned.decode()
        self._assigned.check_new()
        self._starts.clear()
        by_closure = any(given is not None for given in (*args[1:], *kwargs.values()))  # which makes the gradients
        for group, p, penalty in self._assigned.members():
            refuse_sparse(p)
            if self.semantics == "penalty":
                ready_scale(type(optimizer), group, optimizer.state.get(p, {}))
                if longest_step(penalty, group) is not None and (by_closure or p.grad is not None):
                    self._starts[p] = local(p).detach().clone()

    @torch.no_grad()
    def _after(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        """Take the prox of every parameter that was stepped."""
        alive = _alive(optimizer)
        if alive is False:
            return
        alike: dict[tuple[int, int], tuple[dict[str, Any], Any, list[Tensor]]] = {}
        for group, p, penalty in self._assigned.members():
            if p.grad is not None:
                refuse_sparse(p)
                alike.setdefault((id(group), id(penalty)), (group, penalty, []))[2].append(p)
        for group, penalty, members in alike.values():
            for batch in batches(members, group.get("foreach")):
                self._shrink(group, penalty, batch, alive)

    def _shrink(self, group: dict[str, Any], penalty: Any, batch: list[Tensor], alive: Any) -> None:
        coupled = self.semantics == "penalty"
        states = [self.optimizer.state[p] for p in batch]
        begun = [self._has_begun(state) for state in states]
        idle = is_free(penalty) or not any(begun)
        if idle and not (coupled and remembers(group)):
            return
        if coupled:
            lengths = step_lengths(type(self.optimizer), group, batch, states, alive)
        else:
            lengths = [number(group["lr"])] * len(batch)
        if idle:
            return
        parameters = [p for p, yes in zip(batch, begun, strict=True) if yes]
        steps = [h for h, yes in zip(lengths, begun, strict=True) if yes]
        starts = [self._starts.pop(p, None) for p in parameters]
        if isinstance(alive, Tensor):
            taken = exact(alive, batch[0].device)
            steps = [h * taken for h in steps]
        targets = [local(p) for p in parameters]
        weights = widened(targets)
        if coupled:
            steps = shorten_(penalty, group, starts, weights, steps)
        if is_elementwise(penalty) and not self.keep:
            _soft_threshold_(penalty, weights, steps)
        else:
            prox_(penalty, weights, steps, parameters, self.keep)
        put_back(targets, weights, self.stochastic_rounding)

    def _has_begun(self, state: dict[str, Any]) -> bool:
        if not self.warmup_steps:
            return True
        state[_STEPS] = state.get(_STEPS, 0) + 1
        return state[_STEPS] > self.warmup_steps

    def _packed(self, optimizer: torch.optim.Optimizer, packed: dict[str, Any]) -> dict[str, Any]:
        """Put penalties into a state dict as plain data, and scales as numbers, which no loading casts."""
        groups = [
            {**group, "penalty": as_plain(group["penalty"])} if "penalty" in group else group
            for group in packed["param_groups"]
        ]
        state = packed["state"]
        if type(optimizer) is torch.optim.SGD:
            state = {k: {**s, SCALE: float(s[SCALE])} if SCALE in s else s for k, s in state.items()}
        return {**packed, "state": state, "param_groups": groups}

    def _loading(self, optimizer: torch.optim.Optimizer, stored: dict[str, Any]) -> None:
        self._loaded = stored

    def _restored(self, optimizer: torch.optim.Optimizer) -> None:
        """Give back their types to scales, and to NAdam's product, which torch's loading made those of the weights."""
        stored, self._loaded = self._loaded, None
        self._assigned.decode()
        if stored is None:
            return
        ids = [k for group in stored["param_groups"] for k in group["params"]]
        here = [p for group in optimizer.param_groups for p in group["params"]]
        for k, p in zip(ids, here, strict=True):
            for key in (SCALE, "mu_product"):
                value = stored["state"].get(k, {}).get(key)
                if isinstance(value, Tensor):
                    loaded = optimizer.state[p][key]
                    optimizer.state[p][key] = value.detach().clone().to(loaded.device)


def _soft_threshold_(penalty: Any, weights: list[Tensor], steps: list[Any]) -> None:
    """Take the prox of the elastic net, piece by piece where that is faster."""
    metric = isinstance(steps[0], Tensor) and steps[0].shape == weights[0].shape
    for members, (w, *h), _ in pieces([weights, steps] if metric else [weights]):
        soft_threshold_(w, h[0] if metric else [steps[k] for k in members], *strengths(penalty))


def _alive(optimizer: torch.optim.Optimizer) -> Any:
    """Return whether a step with a GradScaler was taken; inside a fused step this truth stays on its device."""
    found_inf = getattr(optimizer, "found_inf", None)
    return True if found_inf is None else number(local(found_inf).reshape(())) == 0
