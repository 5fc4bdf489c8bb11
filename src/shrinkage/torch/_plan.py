"""Who gets which penalty in a torch model: resolved once, printed, and handed to any optimizer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from shrinkage._check import check_nonnegative
from shrinkage._errors import ArgumentError
from shrinkage.torch._facts import facts_of
from shrinkage.training import PlanRow, PlanTable, by_name, resolve, to_plain

Selection = str | Callable[[str, torch.Tensor, nn.Module | None], bool]
_TAKES = ("name", "parameter", "module")


class Plan:
    """Which penalty each parameter of a model gets, and the rule that decided it.

    Every parameter is resolved once, when the plan is made, and stands in exactly one row. Its role is decided by the
    class of the module that owns it (`Linear`, `Conv`, `MultiheadAttention`, `LSTM`, `Embedding`, norms), then by
    that module's structure (a module that owns a vector named weight, gamma, scale or gain and no matrix is a norm),
    then by what names say of positions, tokens, tables, gains and biases, and for the rest by the number of axes.
    Without further words the weights of linear, convolutional, attention and recurrent layers and other matrices are
    penalized; biases, norms, embeddings, positions, tokens, gains are free.

    Parameters
    ----------
    model : nn.Module, or iterable of (name, parameter)
        Of an iterable, such as `model.named_parameters()`, only names and shapes are known, and the rules say so.
    penalty : Penalty or None
        Of every selected parameter. None makes a plan for a weight decay alone.
    select : str, callable or list of these, default the weights
        What is penalized *instead of* the default. A role (linear, conv, attention, recurrent, matrix; embedding,
        position, token; norm; bias; gain), a family of roles (weights, embeddings, norms, biases, gains), "all", a
        pattern, or a callable (name, parameter, module) -> bool.
    exclude : the same, default nothing
        What is left free; outweighs `select`.
    overrides : dict from role, family or pattern to Penalty or None
        Outweighs `exclude`; of several that match, the last wins.

    Raises
    ------
    ArgumentError
        If a pattern or role matches nothing (the closest names are given) or is both a role and a module; if a
        penalty's factors, groups or axes do not fit a parameter, or the parameter is complex or sparse; if the
        penalty reaches nothing; if a lazy module has not run, or FSDP flattened the parameters.

    Notes
    -----
    *Patterns.* With `*`, `?` or `[`: a glob for the whole name ("blocks.*.fc?.weight"). Without: whole dotted
    components at any depth ("head" matches "head.weight" and "aux.head.bias", not "header.weight"). So "bias" never
    matches "bias_proj.weight", while "*bias*" does. Case counts. A word that is both a role and a module of this
    model is refused: "role:norm" is the role, "*norm.*" the module.

    *Names* are clean: the `module.` of DDP, `_orig_mod.` of compile, and those of FSDP and checkpoint wrappers are
    removed. Tied weights are one row with aliases; a pattern may name any of them, and a role that is free by
    default wins: an output layer tied to an embedding is an embedding.

    *Frozen* parameters have a row, no penalty and no group. The plan is a snapshot: after unfreezing, make a new one.

    *Adapters.* LoRA's A and B are matrices and are penalized; frozen base weights are not. Shrinking B·A pulls the
    layer toward its base weights, not to zero, and while B is all zero A has no gradient: a proximal step without
    warm-up may erase A for good. `exclude=["lora_A"]` penalizes B alone.

    *weight_norm.* The direction (`original1`) counts as the weight: zeros in it are zeros of the weight, but its
    scale means nothing. The magnitude (`original0`) is a gain: `overrides={"*.weight.original0": L1(...)}` removes
    whole rows.

    *Groups.* `GroupL2(axis=0)` takes rows, that is output units, of `Linear` (out, in), filters of `Conv`
    (out, in / groups, ...), and rows of the stacked query, key and value projections of `MultiheadAttention`
    (3·embed, embed). `ConvTranspose` stores (in, out / groups, ...): its output channels are axis 1. Recurrent
    weights stack their gates (4·hidden, in for LSTM, 3·hidden for GRU): axis 1 is one group per input, while a row
    belongs to one gate, so removing a hidden unit takes a group of index lists. `row.output_axis` names the axis.

    *Shards.* Shapes of DTensors are global, and so are groups.

    References
    ----------
    The default follows minGPT in leaving norms, biases and embeddings without decay, decided by class where others
    match names; see Loshchilov & Hutter (2019), https://arxiv.org/abs/1711.05101, for the decay itself.

    Examples
    --------
    >>> from torch import nn
    >>> from shrinkage import L1
    >>> model = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    >>> print(Plan(model, L1(1e-3), overrides={"2": None}))
    parameter  shape  role    rule                       penalty  strength
    ---------  -----  ------  -------------------------  -------  --------
    0.weight   4 x 8  linear  Linear weight              L1       0.001
    0.bias     4      bias    Linear bias                -        -
    1.weight   4      norm    norm by class BatchNorm1d  -        -
    1.bias     4      bias    BatchNorm1d bias           -        -
    2.weight   2 x 4  linear  override '2'               -        -
    2.bias     2      bias    override '2'               -        -
    penalized: 1 tensor, 32 numbers; free: 5 tensors, 22 numbers; frozen: 0 tensors, 0 numbers
    """

    def __init__(
        self,
        model: nn.Module | Iterable[tuple[str, torch.Tensor]],
        penalty: Any = None,
        *,
        select: Selection | Sequence[Selection] | None = None,
        exclude: Selection | Sequence[Selection] | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        named = facts_of(model)
        known = {one.facts.name: (one.facts.name, one.parameter, one.module) for one in named}
        self.table: PlanTable = resolve(
            (one.facts for one in named),
            penalty,
            by_name("select", select, known, _TAKES),
            by_name("exclude", exclude, known, _TAKES),
            overrides,
        )
        self.parameters: dict[str, torch.Tensor] = {name: one[1] for name, one in known.items()}
        self._row_of = {name: row for row in self.table for name in (row.name, *row.aliases)}
        for row in self.table:
            if row.penalty is not None:
                _check_real(row, self.parameters[row.name])

    @property
    def rows(self) -> tuple[PlanRow, ...]:
        """One row per parameter, in the order of `named_parameters()`."""
        return self.table.rows

    @property
    def penalized(self) -> tuple[str, ...]:
        """Names of the parameters that have a penalty."""
        return tuple(row.name for row in self.rows if row.penalty is not None)

    @property
    def selected(self) -> tuple[str, ...]:
        """Names of the parameters that get the weight decay of `param_groups`, whether or not they have a penalty."""
        return tuple(row.name for row in self.rows if row.selected)

    def row_of(self, parameter: str | torch.Tensor) -> PlanRow:
        """Return the row of a parameter, given by clean name, alias or the parameter itself.

        Raises
        ------
        ArgumentError
            If the plan has no such parameter.
        """
        if not isinstance(parameter, (str, torch.Tensor)):
            raise ArgumentError(f"parameter must be a name or a parameter itself; got {parameter!r}")
        if isinstance(parameter, str):
            row = self._row_of.get(parameter)
        else:
            row = next((row for row in self.rows if self.parameters[row.name] is parameter), None)
        if row is None:
            met = repr(parameter) if isinstance(parameter, str) else f"a tensor of shape {tuple(parameter.shape)}"
            raise ArgumentError(f"parameter must be one of the plan's {len(self.rows)}; got {met}")
        return row

    def penalty_of(self, parameter: str | torch.Tensor) -> Any:
        """Return the penalty of a parameter, given by name or itself; None if it is free or frozen."""
        return self.row_of(parameter).penalty

    def param_groups(self, weight_decay: float | None = None, **options: Any) -> list[dict[str, Any]]:
        """Return parameter groups for any torch optimizer: one per distinct penalty, free parameters last.

        Parameters
        ----------
        weight_decay : float >= 0 or None
            Of the selected parameters; the others get 0. None leaves the optimizer's own default in every group.
        **options
            Put into every group as they are, such as lr=1e-3.

        Returns
        -------
        list of dict
            Each with "params", a list of (name, parameter); "penalty", the penalty as plain data or None, which our
            optimizers apply and others carry along; and "weight_decay" where it was given. Without frozen parameters.

        Examples
        --------
        >>> import torch
        >>> from shrinkage import L1
        >>> plan = Plan(torch.nn.Linear(3, 2), L1(0.1))
        >>> optimizer = torch.optim.AdamW(plan.param_groups(weight_decay=0.1), lr=1e-3)
        >>> [(group["param_names"], group["weight_decay"]) for group in optimizer.param_groups]
        [(['weight'], 0.1), (['bias'], 0.0)]
        """
        if weight_decay is not None:
            check_nonnegative("weight_decay", weight_decay)
        for reserved in ("params", "penalty"):
            if reserved in options:
                raise ArgumentError(f"{reserved!r} of a group is decided by the plan and cannot be an option")
        plain = {id(row.penalty): to_plain(row.penalty) for row in self.rows}
        groups: dict[tuple[bool, bool, str], dict[str, Any]] = {}
        for row in self.rows:
            if not row.trainable:
                continue
            key = (row.penalty is None, not row.selected, repr(plain[id(row.penalty)]))
            if key not in groups:
                decay = {} if weight_decay is None else {"weight_decay": weight_decay if row.selected else 0.0}
                groups[key] = {"params": [], "penalty": plain[id(row.penalty)], **decay, **options}
            groups[key]["params"].append((row.name, self.parameters[row.name]))
        return [groups[key] for key in sorted(groups, key=lambda key: key[:2])]

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame."""
        return self.table.to_frame()

    def to_dict(self) -> dict[str, Any]:
        """Return rows and counts as plain data."""
        return self.table.to_dict()

    def to_json(self) -> str:
        """Return rows and counts as JSON."""
        return self.table.to_json()

    def __str__(self) -> str:
        return str(self.table)

    def __repr__(self) -> str:
        return f"<Plan: {self.table.summary}>"


def _check_real(row: PlanRow, parameter: torch.Tensor) -> None:
    kind = None
    if parameter.is_complex():
        kind = f"complex ({parameter.dtype})"
    elif parameter.layout is not torch.strided:
        kind = f"sparse ({parameter.layout})"
    if kind is not None:
        raise ArgumentError(f"parameter {row.name!r} is {kind}, and penalties are for dense real ones: exclude it")
