"""What our optimizers share: parameters from a plan, strengths in parameter groups, checkpoints of plain data."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from shrinkage import penalties
from shrinkage._check import check_boolean, check_nonnegative, check_positive_int
from shrinkage._errors import ArgumentError
from shrinkage.torch._checkpoint import ON_THE_CPU, OWN_STATE, matched_by_name, packed, with_own_settings
from shrinkage.torch._fused import can_fuse
from shrinkage.torch._local import is_sharded, needs_whole
from shrinkage.torch._plan import Plan
from shrinkage.torch._prox import is_elementwise
from shrinkage.training import from_plain, misfit

_AT_ONCE = 1 << 16


class PenalizedOptimizer(torch.optim.Optimizer):
    """Base of the optimizers; its children are final and define `_step_group` and `_check_settings`.

    Every parameter group has a key `penalty`: a penalty or None. In `state_dict()` it is plain data, which
    `torch.load(weights_only=True)` takes; loading turns it back. States are matched by parameter names where both
    sides have them.
    """

    def __init__(self, params: Any, defaults: dict[str, Any], penalty: Any) -> None:
        self.plan: Plan | None = None
        self._checked: list[Any] = []
        if isinstance(params, Plan):
            if penalty is not None:
                raise ArgumentError(f"the plan already says who gets which penalty; leave out penalty={penalty!r}")
            self.plan = params
            params = params.param_groups()
        check_penalty(penalty)
        self._check_settings(defaults)
        super().__init__(params, {**defaults, "penalty": penalty})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with any of the constructor's arguments for them alone, `penalty` among them."""
        if isinstance(param_group, dict):
            check_keys(param_group, self.defaults)
            param_group = {**param_group, "penalty": from_plain(param_group.get("penalty", self.defaults["penalty"]))}
        before = len(self.param_groups)
        super().add_param_group(param_group)
        try:
            self._check_group(self.param_groups[-1])
        except ArgumentError:
            del self.param_groups[before:]
            raise
        self._checked.append(self.param_groups[-1]["penalty"])

    def _check_group(self, group: dict[str, Any]) -> None:
        """Refuse a group that cannot be stepped."""
        check_penalty(group["penalty"])
        self._check_settings(group)
        if group["penalty"] is not None:
            for p in group["params"]:
                check_fit(group["penalty"], p)

    def _check_settings(self, group: dict[str, Any]) -> None:
        """Refuse settings outside their ranges, of the constructor or of a group; children add those of their own."""
        check_flags(group["foreach"], group["fused"], group["differentiable"])
        for name in ("maximize", "amsgrad", "nesterov", "capturable", "differentiable", "stochastic_rounding"):
            if name in group:
                check_boolean(name, group[name])

    def _check_changed(self) -> None:
        """Refuse penalties that were put into groups since the last step and cannot act there."""
        groups = self.param_groups
        if len(groups) == len(self._checked) and all(
            group["penalty"] is known for group, known in zip(groups, self._checked, strict=True)
        ):
            return
        for group in groups:
            group["penalty"] = from_plain(group["penalty"])
            self._check_group(group)
        self._checked = [group["penalty"] for group in groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take one step.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss anew, with gradients, and returns it.

        Returns
        -------
        what `closure` returned, or None
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._check_changed()
        for group in self.param_groups:
            with torch.set_grad_enabled(bool(group["differentiable"])):
                self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return state and parameter groups as torch's optimizers do, each penalty as plain data."""
        hook = self.register_state_dict_post_hook(lambda _, stored: packed(stored), prepend=True)
        try:
            return super().state_dict()
        finally:
            hook.remove()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned, of this optimizer or of torch's of the same kind, bit for bit.

        Where both sides know the names of their parameters (a plan or `named_parameters()` was given), states go by
        name. If the names are also grouped alike, the stored hyperparameters come along; if not, this optimizer keeps
        its own. What torch's optimizers have no word for, penalties above all, stays as it is here. An optimizer made
        from a plan keeps its penalties in any case: the plan says what is in force, and a strength that was changed on
        the way is changed anew after loading.

        Raises
        ------
        ArgumentError
            If the stored names are not those of this optimizer, its decay is decoupled where this one's is not, or a
            stored penalty or setting cannot be used here; then nothing is loaded.
        """
        last: list[dict[str, Any]] = []

        def fitted(_: Any, stored: dict[str, Any]) -> dict[str, Any]:
            last.append(self._fitted(stored))
            return last[0]

        # as hooks, so that those of the user see and may change what torch's optimizers would show them
        hooks = [
            self.register_load_state_dict_pre_hook(fitted),
            self.register_load_state_dict_post_hook(lambda _: self._restore(last[0]), prepend=True),
        ]
        try:
            super().load_state_dict(state_dict)
        finally:
            for hook in hooks:
                hook.remove()

    def _fitted(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Return a stored state in the order of the parameters here, with settings that hold here."""
        keep = ("penalty",) if self.plan is not None else ()
        stored = with_own_settings(matched_by_name(stored, self.param_groups), self.param_groups, keep)
        if len(stored["param_groups"]) == len(self.param_groups):
            for group, own in zip(stored["param_groups"], self.param_groups, strict=True):
                self._check_group({**group, "penalty": from_plain(group["penalty"]), "params": own["params"]})
        return stored

    def _restore(self, stored: dict[str, Any]) -> None:
        """Give back their types and places to states of ours, which torch's loading made those of the weights."""
        ids = [k for group in stored["param_groups"] for k in group["params"]]
        here = [p for group in self.param_groups for p in group["params"]]
        for k, p in zip(ids, here, strict=True):
            for key in OWN_STATE:
                value = stored["state"].get(k, {}).get(key)
                if isinstance(value, (int, float)):
                    value = torch.tensor(value, dtype=torch.float64)
                if isinstance(value, Tensor):
                    on_cpu = value.ndim == 0 and key in ON_THE_CPU
                    self.state[p][key] = value.detach().clone().to("cpu" if on_cpu else p.device)
        self._checked = [group["penalty"] for group in self.param_groups]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "plan": self.plan}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._checked = []
        for group in self.param_groups:
            for key, value in self.defaults.items():
                group.setdefault(key, value)
            group["penalty"] = from_plain(group["penalty"])
        for known in self.state.values():
            if "step" in known and not isinstance(known["step"], Tensor):  # as old checkpoints of torch have it
                known["step"] = torch.tensor(float(known["step"]), dtype=torch.float32)


def batches(parameters: list[Tensor], foreach: bool | None) -> list[list[Tensor]]:
    """Return parameters in lists that are stepped together, all of one device, type and kind.

    One by one if `foreach` is False. On the CPU, unless it is True, in lists of no more than `_AT_ONCE` numbers, where
    the passes over them then find them in the cache.
    """
    alike: dict[Any, list[Tensor]] = {}
    started: dict[Any, tuple[int, int]] = {}  # which list a kind has come to, and how many numbers it holds
    for p in parameters:
        kind, size = (p.device, p.dtype, is_sharded(p)), p.numel()
        nth, held = started.get(kind, (0, 0))
        full = foreach is False or (foreach is None and p.device.type == "cpu" and held + size > _AT_ONCE)
        nth, held = (nth + 1, size) if full else (nth, held + size)
        started[kind] = nth, held
        alike.setdefault((kind, nth), []).append(p)
    return list(alike.values())


def fused_and_other(
    group: dict[str, Any],
    parameters: list[Tensor],
    lists_of: Callable[[list[Tensor]], Sequence[Sequence[Tensor]]],
    duals: int = 0,
    takes: Callable[[Any], bool] = is_elementwise,
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Return batches of penalized parameters for the one-pass step, and batches for the step by `torch._foreach_*`.

    Parameters
    ----------
    lists_of : callable
        From parameters to the lists of tensors that a step reads or writes: weights, gradients, states.
    duals : int
        How many of the last lists may be float32 beside bfloat16 weights.
    takes : callable
        Which penalties the one-pass step knows.
    """
    if parameters and group["differentiable"]:
        raise ArgumentError(
            "differentiable=True works for parameters without a penalty only: pass penalty=None for them"
        )
    if not parameters or not wants_fused(group, takes):
        return [], batches(parameters, group["foreach"])
    together = zip(*(each for each in lists_of(parameters) if each), strict=True)
    penalty = group["penalty"]
    can = [
        can_fuse(tensors, duals) and not (is_sharded(p) and needs_whole(penalty, p))
        for p, tensors in zip(parameters, together, strict=True)
    ]
    fused = [p for p, yes in zip(parameters, can, strict=True) if yes]
    others = [p for p, yes in zip(parameters, can, strict=True) if not yes]
    return batches(fused, foreach=True), batches(others, group["foreach"])


def wants_fused(group: dict[str, Any], takes: Callable[[Any], bool] = is_elementwise) -> bool:
    """Say whether the one-pass step may be taken if the tensors allow it; a choice of `foreach` is respected."""
    if group["fused"] is False or (group["fused"] is None and group["foreach"] is not None):
        return False
    return takes(group["penalty"]) and not group.get("keep") and not group["stochastic_rounding"]


def check_penalty(penalty: Any) -> None:
    """Refuse what is no penalty of this library."""
    if penalty is not None and type(penalty) not in penalties.ALL:
        kinds = ", ".join(kind.__name__ for kind in penalties.ALL)
        raise ArgumentError(f"penalty must be one of {kinds}, or None; got {penalty!r}")


def check_penalized(p: Tensor) -> None:
    """Refuse parameters that a penalty cannot shrink."""
    if p.is_complex() or not p.is_floating_point():
        raise ArgumentError(
            f"a penalized parameter must hold real floating numbers; got {p.dtype} of shape {tuple(p.shape)}"
        )
    if p.layout is not torch.strided:
        raise ArgumentError(f"a penalized parameter must be dense; got layout {p.layout} of shape {tuple(p.shape)}")


def check_fit(penalty: Any, p: Tensor) -> None:
    """Refuse a parameter that a penalty cannot act on."""
    check_penalized(p)
    reason = misfit(penalty, tuple(p.shape))
    if reason is not None:
        raise ArgumentError(f"{type(penalty).__name__} cannot act on a parameter of shape {tuple(p.shape)}: {reason}")
    strength = penalty.alpha
    most = torch.finfo(torch.promote_types(p.dtype, torch.float32)).max
    if isinstance(strength, (int, float)) and strength > most:
        raise ArgumentError(f"alpha must be at most {most:.2g} for a parameter of {p.dtype}; got {strength!r}")


def check_keys(given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keys of a group that are misspelled settings; others are the user's own and pass, as in torch."""
    known = {*known, "params", "param_names"}
    for key in given:
        close = get_close_matches(str(key).lower(), known, n=1, cutoff=0.84)
        if key not in known and close:
            raise ArgumentError(f"a group's dict has no setting {key!r}: did you mean {close[0]!r}?")


def refuse_sparse(p: Tensor) -> None:
    """Refuse a sparse gradient."""
    if p.grad is not None and p.grad.is_sparse:
        raise ArgumentError(
            f"a gradient is sparse (of a parameter of shape {tuple(p.shape)}), and this step needs a dense one: use "
            "nn.Embedding(sparse=False), or leave its penalty out and take ProxSGD"
        )


def number(x: Any) -> Any:
    """Return a Python number where reading it costs no wait for a device; else the 0-d tensor."""
    if isinstance(x, Tensor) and x.device.type == "cpu" and not torch.compiler.is_compiling():
        return x.item()
    return x


def memory_of(group: dict[str, Any]) -> Any:
    """Return β of a step by dual averaging: 1, so that nothing is forgotten, where the learning rate is 0."""
    lr, memory = number(group["lr"]), group["memory"]
    if isinstance(lr, Tensor):
        return torch.where(lr == 0, 1.0, memory)
    return 1.0 if lr == 0 else memory


def is_zero(x: Any) -> bool:
    """Say whether a setting is known, without waiting for a device, to be 0."""
    x = number(x)
    return not isinstance(x, Tensor) and x == 0


def check_number(name: str, value: Any) -> None:
    """Refuse what is not one finite number >= 0."""
    if not isinstance(value, Real):
        raise ArgumentError(f"{name} must be a number >= 0; got {value!r}")
    check_nonnegative(name, value)


def check_lr(lr: Any) -> None:
    """Refuse a learning rate that is not a number >= 0 or a tensor with one such number."""
    if isinstance(lr, Tensor):
        if lr.numel() != 1:
            raise ArgumentError(f"lr must be a number >= 0 or a tensor of one element; got shape {tuple(lr.shape)}")
        lr = float(lr)
    check_number("lr", lr)


def check_tensor_settings(group: dict[str, Any]) -> None:
    """Refuse tensors as settings of Adam where the step could not read them."""
    betas = [isinstance(beta, Tensor) for beta in group["betas"]]
    if any(betas) != all(betas):
        raise ArgumentError(f"betas must be two numbers or two tensors; got {tuple(group['betas'])}")
    if group["foreach"] and not group["capturable"] and (isinstance(group["lr"], Tensor) or any(betas)):
        raise ArgumentError("a tensor as lr or in betas needs capturable=True where foreach=True: pass numbers")


def check_count(name: str, value: Any) -> None:
    """Refuse what is not a whole number >= 0."""
    check_positive_int(name, value, least=0)


def check_flags(foreach: Any, fused: Any, differentiable: bool) -> None:
    """Refuse implementations that exclude each other."""
    for name, value in (("foreach", foreach), ("fused", fused)):
        if value is not None and not isinstance(value, bool):
            raise ArgumentError(f"{name} must be True, False or None; got {value!r}")
    if foreach and fused:
        raise ArgumentError("foreach and fused are two implementations: set at most one of them to True")
    if differentiable and (foreach or fused):
        raise ArgumentError("differentiable=True needs the plain implementation: leave out foreach and fused")
