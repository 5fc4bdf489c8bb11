"""Penalties in a training by Lightning: one callback for the packages `lightning` and `pytorch_lightning`."""

import sys
from typing import Any

from shrinkage.torch._callback import PenaltyCallback


def _base() -> tuple[Any, str | None]:
    """Return the class of callbacks of the package that is in use, the newer name where neither is yet; or why not."""
    order = ["lightning.pytorch", "pytorch_lightning"]
    order.sort(key=lambda name: name not in sys.modules)
    said = "LightningPenalty needs Lightning: pip install 'shrinkage[lightning]'"
    for name in order:
        try:
            if name == "pytorch_lightning":
                import pytorch_lightning as used  # pyright: ignore[reportMissingImports]
            else:
                import lightning.pytorch as used  # pyright: ignore[reportMissingImports]
        except Exception as error:
            if not isinstance(error, ModuleNotFoundError) or error.name not in (name, name.partition(".")[0]):
                # it is installed, but something that it imports does not fit
                said = f"LightningPenalty needs Lightning, which cannot be imported here: {error}"
        else:
            return used.Callback, None
    return object, said


_CALLBACK, _MISSING = _base()


class LightningPenalty(PenaltyCallback, _CALLBACK):
    r"""A callback for Lightning's Trainer: exact zeros with the optimizer that a module already returns.

    When fitting starts, a `Proximal` is attached to every optimizer of `configure_optimizers` that holds penalized
    parameters, inside whatever Lightning wraps it in. So the prox is taken once per step of the optimizer: after the
    last batch of a gradient accumulation, in manual optimization, and not where a GradScaler skips the step. Modules
    whose optimizer is already one of `shrinkage.torch` need no penalty here; they get the reports.

    Parameters
    ----------
    penalty : Penalty, optional
        Of every weight that the plan selects. None leaves the penalties to the optimizers: ours, or torch's made from
        `Plan.param_groups()` or followed by a `Proximal`.
    plan : Plan, or function from the module to one, optional
        Instead of a penalty.
    select, exclude, overrides : optional
        As of `Plan`; names begin at the LightningModule, such as "net.0.weight".
    semantics, warmup_steps, keep, stochastic_rounding
        As of `Proximal`.
    target_sparsity : float in (0, 1) or function, optional
        Share of zeros that the strength is steered to by `TargetSparsity`, after every optimizer step; the penalty's
        strength is where the search begins. A function gets the optimizer and returns an object with `step`,
        `state_dict` and `load_state_dict`.
    logger : {"trainer"}, logger, list of these or None, default "trainer"
        Where the numbers of the reports go: the Trainer's own loggers, an object with `log(step, values)` such as
        `CSVLogger`, or a function of these two. The step is `trainer.global_step`.
    every_n_epochs : int or None, default 1
        Report at the end of every n-th epoch.
    every_n_steps : int or None, default None
        Report after every n-th optimizer step.
    show : function or None, default print
        Gets the plan as text when fitting starts, with what the optimizer decays against custom.

    Attributes
    ----------
    plan : Plan or None
        The plan in force, from the start of fitting on.
    last_report : Report or None
        See `shrinkage.torch.report`.
    proximals, controllers : tuple

    Raises
    ------
    MissingExtraError
        If neither package is installed.
    ArgumentError
        If an argument is out of range; when fitting starts, if nothing would be penalized, or twice.

    Notes
    -----
    *Checkpoints* need nothing more: what the prox and the controller remember lies in the optimizer's state, and
    `trainer.fit(ckpt_path=...)` with the same callback goes on bit for bit.

    *Targets* of zeros are aimed at over the steps that Lightning foresees, which know nothing of `max_time` or early
    stopping. A target missed by more than a point is warned of at the end.

    *Monitors.* `sparsity/total` is logged through the module too, so that `ModelCheckpoint`, `EarlyStopping` and the
    progress bar can ask for it.

    *Several optimizers* get the part of the plan that they hold, and a controller each. In distributed trainings
    every process reads the report and one of them logs it; DDP and FSDP 2 keep parameters as tensors that a prox can
    take, FSDP 1 does not.

    *Parameters that are frozen at the start* stay free when they are thawed. Averages of weights hold no exact zeros:
    `sparsify_like` gives them back.

    References
    ----------
    Hooks and their order: https://lightning.ai/docs/pytorch/stable/common/lightning_module.html#hooks

    Examples
    --------
    >>> from shrinkage import L1
    >>> callback = LightningPenalty(L1(1e-3), exclude="head", target_sparsity=0.9)  # doctest: +SKIP
    >>> lightning.Trainer(max_epochs=10, callbacks=[callback]).fit(module, loader)  # doctest: +SKIP
    >>> print(callback.last_report)  # doctest: +SKIP
    """

    _missing = _MISSING

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach, before Lightning restores the optimizers' states."""
        self._reported_at = -1
        self.attach(pl_module, trainer.optimizers, self._steps(trainer))
        if trainer.is_global_zero and self.show is not None:
            self.show(self.text(pl_module))

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Attach to optimizers that were exchanged since, as a search for a learning rate does."""
        self.attach(pl_module, trainer.optimizers, self._steps(trainer))

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Report, where this batch ended an n-th step."""
        step, every = trainer.global_step, self.every_n_steps
        if every is not None and step and step % every == 0 and step != self._reported_at:
            self._report(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report, where this is an n-th epoch."""
        every = self.every_n_epochs
        if every is not None and (trainer.current_epoch + 1) % every == 0 and trainer.global_step != self._reported_at:
            self._report(trainer, pl_module)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Warn where a target of zeros was missed."""
        if trainer.is_global_zero:
            self.say_missed()

    def _report(self, trainer: Any, pl_module: Any) -> None:
        self._reported_at = trainer.global_step
        batches = trainer.num_training_batches
        per_epoch = batches / trainer.accumulate_grad_batches if 0 < batches < float("inf") else None
        values = self.report(pl_module, per_epoch)
        if not trainer.barebones:
            pl_module.log("sparsity/total", values["sparsity/total"], logger=False)
        if trainer.is_global_zero:
            self.tell(trainer.global_step, values)
            for logger in trainer.loggers if self.to_trainer else ():
                logger.log_metrics(values, step=trainer.global_step)

    def _steps(self, trainer: Any) -> int | None:
        """How often each optimizer will be stepped, where Lightning knows and a controller asks."""
        if self.target_sparsity is None or not trainer.lightning_module.automatic_optimization:
            return None
        try:
            steps = trainer.estimated_stepping_batches
        except Exception:  # an accumulation that changes from epoch to epoch; broken data speak up when they are used
            return None
        return int(steps) if 1 <= steps < float("inf") else None
