"""Penalties in a training by the Trainer of Hugging Face's transformers."""

import math
from typing import Any

from shrinkage.torch._callback import PenaltyCallback


def _base() -> tuple[Any, str | None]:
    """Return the class of callbacks of transformers, or why not."""
    try:
        from transformers import TrainerCallback  # pyright: ignore[reportMissingImports]
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "transformers":
            return object, "TrainerPenalty needs transformers: pip install 'shrinkage[transformers]'"
        # it is installed, but something that it imports does not fit
        return object, f"TrainerPenalty needs transformers, which cannot be imported here: {error}"
    return TrainerCallback, None


_CALLBACK, _MISSING = _base()


class TrainerPenalty(PenaltyCallback, _CALLBACK):
    r"""A callback for the Trainer of transformers: exact zeros with the optimizer that it makes or is given.

    When training begins, a `Proximal` is attached to the optimizer inside accelerate's wrapper. So the prox is taken
    once per step of the optimizer: after the last batch of a gradient accumulation, after clipping, and not where the
    scaler of float16 skips the step. An optimizer of `shrinkage.torch`, handed to the Trainer as
    `optimizers=(optimizer, None)`, needs no penalty here; it gets the reports.

    Parameters
    ----------
    penalty : Penalty, optional
        Of every weight that the plan selects. None leaves the penalties to the optimizer: ours, or torch's made from
        `Plan.param_groups()` or followed by a `Proximal`.
    plan : Plan, or function from the model to one, optional
        Instead of a penalty.
    select, exclude, overrides : optional
        As of `Plan`; names are those of the model.
    semantics, warmup_steps, keep, stochastic_rounding
        As of `Proximal`.
    target_sparsity : float in (0, 1) or function, optional
        Share of zeros that the strength is steered to by `TargetSparsity`, after every optimizer step; the penalty's
        strength is where the search begins. A function gets the optimizer and returns an object with `step`,
        `state_dict` and `load_state_dict`.
    logger : {"trainer"}, logger, list of these or None, default "trainer"
        Where the numbers of the reports go. "trainer" puts the totals into `trainer.state.log_history`, which is saved
        with every checkpoint; the Trainer lets no callback reach its own loggers. Else an object with
        `log(step, values)` such as `TensorBoardLogger`, or a function of these two. The step is `global_step`.
    every_n_epochs : int or None, default 1
        Report at the end of every n-th epoch.
    every_n_steps : int or None, default None
        Report after every n-th optimizer step, while its gradients are still there.
    show : function or None, default print
        Gets the plan as text when training begins, with what the optimizer decays against custom.

    Attributes
    ----------
    plan : Plan or None
        The plan in force, from the beginning of training on.
    last_report : Report or None
        See `shrinkage.torch.report`.
    proximals, controllers : tuple

    Raises
    ------
    MissingExtraError
        If transformers is not installed.
    ArgumentError
        If an argument is out of range; when training begins, if nothing would be penalized, or twice.

    Notes
    -----
    *Checkpoints* need nothing more: what the prox and the controller remember lies in the optimizer's state, and
    `trainer.train(resume_from_checkpoint=...)` with the same callback goes on bit for bit. An optimizer that the
    Trainer makes has its state loaded before callbacks see it, which casts it to the type of the weights: with weights
    in bfloat16 and an optimizer that is not Adam, hand the optimizer over, so that the prox is there in time.

    *Weight decay.* The Trainer's own groups decay all but biases and what looks like a norm by name or class, and
    embeddings too. What that decays against custom, or twice, is said when training begins; for groups by role, hand
    over an optimizer made from `Plan(model).param_groups(weight_decay=...)`.

    *Not with DeepSpeed or FSDP 1*, whose optimizers hold flattened pieces of several parameters.

    References
    ----------
    Events and their order: https://huggingface.co/docs/transformers/main_classes/callback

    Examples
    --------
    >>> from shrinkage import GroupL2
    >>> callback = TrainerPenalty(GroupL2(1e-4, axis=0), exclude="classifier")  # doctest: +SKIP
    >>> transformers.Trainer(model, args, train_dataset=data, callbacks=[callback]).train()  # doctest: +SKIP
    >>> print(callback.last_report)  # doctest: +SKIP
    """

    _missing = _MISSING

    def on_init_end(
        self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **others: Any
    ) -> None:
        """Attach to an optimizer that was handed over, before a checkpoint is loaded into it."""
        if optimizer is not None and model is not None:
            self.attach(model, [optimizer])

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **others: Any
    ) -> None:
        """Attach, if that is not done, and show the plan."""
        self._reported_at = -1
        self.attach(model, [optimizer], state.max_steps if state.max_steps > 0 else None)
        if state.is_world_process_zero and self.show is not None:
            self.show(self.text(model))

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
        """Report, where this is an n-th step; the Trainer counts it only afterwards."""
        step, every = state.global_step + 1, self.every_n_steps
        if every is not None and step % every == 0:
            self._report(step, args, state, model, others)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
        """Report, where this is an n-th epoch; the last counts even if it was cut short."""
        every = self.every_n_epochs
        if every is not None and state.global_step != self._reported_at and _epochs(state.epoch) % every == 0:
            self._report(state.global_step, args, state, model, others)

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
        """Warn where a target of zeros was missed."""
        if state.is_world_process_zero:
            self.say_missed()

    def _report(self, step: int, args: Any, state: Any, model: Any, others: dict[str, Any]) -> None:
        self._reported_at = step
        loader: Any = others.get("train_dataloader")
        batches = len(loader) if hasattr(loader, "__len__") else 0
        per_epoch = math.ceil(batches / args.gradient_accumulation_steps)
        values = self.report(model, per_epoch or None)
        if not state.is_world_process_zero:
            return
        self.tell(step, values)
        if self.to_trainer:
            totals = {name: v for name, v in values.items() if name.endswith("/total") or name.startswith("target_")}
            state.log_history.append({**totals, "alarms": values["alarms"], "epoch": state.epoch, "step": step})


def _epochs(passed: float) -> int:
    """How many epochs have begun, where a part of one counts."""
    return math.ceil(passed - 1e-9)
