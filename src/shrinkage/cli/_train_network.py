"""The part that needs torch: strengths chosen by a sweep, the chosen one trained again, its zeros taken out."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shrinkage._errors import MissingExtraError
from shrinkage.cli._network_file import Layer
from shrinkage.cli._train_choice import parts_of, together
from shrinkage.cli._train_data import Rows
from shrinkage.cli._train_request import TrainRequest
from shrinkage.penalties import L1, L1L2, L2, GroupL2
from shrinkage.training import Compaction, DecayReport, PlanTable, Report, Sweep

if TYPE_CHECKING:
    from torch import nn

Tell = Callable[[str], None]
ONE_THREAD = 1 << 20
"""Weights of the largest layer, over all strengths, below which one thread is enough."""
MOST_STACKED = 8_000_000
"""Weights of all strengths together that are trained in one batched run."""
TIMED = 0.2
"""Seconds for which the trained and the smaller network are timed."""


@dataclass(frozen=True)
class Trained:
    """The network of the chosen strength, trained on every row but those held out for the final figure."""

    layers: tuple[Layer, ...]
    plan: PlanTable
    report: Report
    decay: DecayReport
    smaller: Compaction


def need_torch() -> None:
    """Refuse before any work where torch is missing."""
    try:
        import safetensors  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "`shrinkage train` needs PyTorch and safetensors: pip install 'shrinkage[train]'"
        ) from error


def has_torch() -> bool:
    """Whether networks can be trained and saved here."""
    try:
        need_torch()
    except MissingExtraError:
        return False
    return True


def penalty_of(request: TrainRequest, hidden: tuple[int, ...]) -> Any:
    """The penalty of a request, at strength 1; without hidden neurons a group lasso has no groups to take."""
    if request.penalty == "group" and hidden:
        return GroupL2(1.0, axis=0)
    if request.penalty == "elastic":
        return L1L2(1.0, l1_ratio=request.l1_ratio)
    return L1(1.0) if request.penalty == "l1" else L2(1.0)


def network(widths: tuple[int, ...]) -> "nn.Sequential":
    """Linear layers with ReLU between them."""
    from torch import nn

    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@contextmanager
def suitable_threads(request: TrainRequest, data: Rows) -> Iterator[None]:
    """One thread for small networks, whose steps are too short to share; the user's own setting goes first."""
    import torch

    widths = (data.X.shape[1], *request.hidden, data.n_outputs)
    largest = max(inputs * outputs for inputs, outputs in pairwise(widths)) * len(request.grid())
    before = torch.get_num_threads()
    if largest < ONE_THREAD and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _sweep() -> Callable[..., Sweep]:
    from shrinkage.torch import sweep

    return sweep


class Way:
    """How one network of a request is trained: the same in the sweep and for the final figure."""

    def __init__(self, request: TrainRequest, data: Rows, hidden: tuple[int, ...]) -> None:
        self.request, self.data = request, data
        self.widths = (data.X.shape[1], *hidden, data.n_outputs)
        self.penalty = penalty_of(request, hidden)
        # The rows of the last layer are answers, none of which may leave as a group.
        self.exclude = [f"{2 * len(hidden)}.weight"] if isinstance(self.penalty, GroupL2) else None

    def model(self) -> "nn.Sequential":
        """A new network."""
        return network(self.widths)

    def optimizer(self, plan: Any) -> Any:
        """A new optimizer."""
        return self.kind(plan, lr=self.request.lr)

    @property
    def kind(self) -> type:
        """Dual averaging where zeros are wanted, which mini-batches do not undo; a proximal step for squares."""
        from shrinkage.torch import DualAdam, ProxAdam

        return ProxAdam if isinstance(self.penalty, L2) else DualAdam

    def scheduler(self, optimizer: Any) -> Any:
        """The learning rate falls along half a cosine, so that zeros settle."""
        from torch.optim.lr_scheduler import CosineAnnealingLR

        return CosineAnnealingLR(optimizer, T_max=self.request.epochs)

    def sweep(self, seeds: tuple[int, ...], journal: Path | None, tell: Tell) -> Sweep:
        """Every strength under every seed, on the rows of the choice; each seed holds other rows out to compare on."""
        sweep = _sweep()
        rows, request = self.data.chosen_on, self.request
        X, y = self.data.inputs(rows), self.data.targets(rows)
        masks = parts_of(self.data.y[rows], request.validation, seeds, self.data.is_class)

        mode, reason = self.mode
        sweeps = []
        for turn, (seed, mask) in enumerate(zip(seeds, masks, strict=True)):
            part = f"training {turn + 1} of {len(seeds)}, " if len(seeds) > 1 else ""
            done = sweep(
                self.model,
                (X[~mask], y[~mask]),
                request.grid(),
                penalty=self.penalty,
                optimizer=self.kind,
                lr=request.lr,
                epochs=request.epochs,
                batch_size=request.batch_size,
                validation=(X[mask], y[mask]),
                seeds=[seed],
                scheduler=self.scheduler,
                rule=request.one_se_rule,
                mode=mode,
                journal=None if journal is None else journal / f"seed-{seed}",
                exclude=self.exclude,
                progress=lambda now, part=part: tell(f"{part}{now}"),
            )
            sweeps.append(done)
        return replace(together(sweeps, request.one_se_rule), reason=reason)

    @property
    def mode(self) -> tuple[str, str]:
        """How strengths are trained, and why: by size, not by a measurement, so that a call always says the same."""
        size = sum(inputs * outputs for inputs, outputs in pairwise(self.widths)) * len(self.request.grid())
        if size <= MOST_STACKED:
            return "stacked", f"all strengths in one batched run, as their {size:,} weights fit beside each other"
        return (
            "loop",
            f"one strength after the other in each step, as {size:,} weights are too many for one batched run",
        )

    def train(self, strength: float, tell: Tell) -> Trained:
        """One network of this strength on all rows of the choice."""
        import torch
        from torch.nn import functional

        from shrinkage.torch import Plan, decay_report, report

        request, rows = self.request, self.data.chosen_on
        torch.manual_seed(request.seed)
        model = self.model()
        plan = Plan(model, self.penalty.with_alpha(strength), exclude=self.exclude)
        optimizer = self.optimizer(plan)
        scheduler = self.scheduler(optimizer)
        X, y = (torch.as_tensor(part) for part in (self.data.inputs(rows), self.data.targets(rows)))
        order = torch.Generator().manual_seed(request.seed)
        for epoch in range(request.epochs):
            tell(f"training the chosen strength on all rows: epoch {epoch + 1} of {request.epochs}")
            if epoch:  # not after the last: reports read the learning rate
                scheduler.step()
            for batch in torch.randperm(len(y), generator=order).split(request.batch_size):
                optimizer.zero_grad()
                said = model(X[batch])
                if self.data.is_class:
                    functional.cross_entropy(said, y[batch]).backward()
                else:
                    (0.5 * (said - y[batch]).square().mean()).backward()
                optimizer.step()
        steps = float(math.ceil(len(y) / request.batch_size))
        record = report(model, optimizer, steps_per_epoch=steps)
        decay = decay_report(model, optimizer, steps_per_epoch=steps, epochs=float(request.epochs))
        layers, smaller = without_zeros(model, X[:64])
        return Trained(layers, plan.table, record, decay, smaller)


def layers_of(model: "nn.Module") -> tuple[Layer, ...] | None:
    """Weights and biases of a chain of linear layers with ReLU between them; None for any other network."""
    from torch import nn

    found: list[Layer] = []
    chain = [part for part in model.modules() if not list(part.children())]
    for place, part in enumerate(chain):
        if not isinstance(part, nn.ReLU if place % 2 else nn.Linear):
            return None
        if isinstance(part, nn.Linear):
            weight = part.weight.detach().numpy()
            bias = np.zeros(len(weight), weight.dtype) if part.bias is None else part.bias.detach().numpy()
            found.append((np.array(weight), np.array(bias)))
    return tuple(found) if len(chain) % 2 else None


def without_zeros(model: "nn.Sequential", example: Any) -> tuple[tuple[Layer, ...], Compaction]:
    """The layers that are saved, neurons that do nothing taken out, and what that saved."""
    from shrinkage.torch import compact

    compacted = compact(model, example, seconds=TIMED)
    smaller = None if compacted.report.refusal else layers_of(compacted.model)
    whole = layers_of(model)
    assert whole is not None  # `network` made it
    return smaller or whole, compacted.report
