"""What our optimizers put into a state dict, and how a stored one is matched with the parameters at hand."""

from typing import Any

from torch import Tensor

from shrinkage._errors import ArgumentError
from shrinkage.torch._precision import WARNED
from shrinkage.training import to_plain

OWN_STATE = ("momentum_scale", "metric_rms", "dual", "threshold", "group_threshold")
"""State with a type of its own, which torch would cast to the parameter's when it loads it."""

ON_THE_CPU = ("momentum_scale", "threshold")
"""Scalars in float64, which not every device has: they stay on the CPU, and are plain numbers in a checkpoint."""


def matched_by_name(stored: dict[str, Any], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `stored` in the order and grouping of `groups`, matched by name; as it is where names are missing."""
    theirs = _names(stored["param_groups"])
    ours = _names(groups)
    if theirs is None or ours is None or theirs == ours:
        return stored
    ids = [k for group in stored["param_groups"] for k in group["params"]]
    known = dict(zip((name for names in theirs for name in names), ids, strict=True))
    wanted = [name for group in ours for name in group]
    missing, unknown = [n for n in wanted if n not in known], sorted(set(known) - set(wanted))
    if missing or unknown:
        raise ArgumentError(
            "the stored state is of other parameters: "
            + "; ".join(
                f"{what} {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
                for what, names in (("it lacks", missing), ("it has, and the optimizer has not,", unknown))
                if names
            )
        )
    by_members = {frozenset(names): group for names, group in zip(theirs, stored["param_groups"], strict=True)}
    rearranged = []
    for names, group in zip(ours, groups, strict=True):
        own = {key: value for key, value in group.items() if key != "params"}
        settings = {key: value for key, value in by_members.get(frozenset(names), own).items() if key != "params"}
        rearranged.append({**settings, "params": [known[name] for name in names], "param_names": list(names)})
    return {**stored, "param_groups": rearranged}


def with_own_settings(
    stored: dict[str, Any], groups: list[dict[str, Any]], keep: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return `stored` with the settings of `groups` that it does not know, or that are to `keep`."""
    theirs = stored["param_groups"]
    if any(t.get("decoupled_weight_decay") and t.get("weight_decay") for t in theirs) and "l1_decay" not in groups[0]:
        raise ArgumentError(
            "the stored weight_decay is decoupled, as in AdamW, and here it would be added to gradients: load it into "
            "shrinkage.torch.AdamW, or set 'weight_decay' to 0 in its param_groups"
        )
    if len(theirs) != len(groups):  # torch says so
        return stored
    own = [{key: value for key, value in g.items() if key not in ("params", "param_names")} for g in groups]
    merged = [{**o, **t, **{key: o[key] for key in keep}} for o, t in zip(own, theirs, strict=True)]
    return {**stored, "param_groups": merged}


def packed(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a state dict as plain data: penalties as dicts, scalars in float64 as numbers."""
    groups = [
        {key: value for key, value in group.items() if key != WARNED} | {"penalty": to_plain(group["penalty"])}
        for group in stored["param_groups"]
    ]
    state = {k: {key: _plain(key, value) for key, value in known.items()} for k, known in stored["state"].items()}
    return {**stored, "state": state, "param_groups": groups}


def _plain(key: str, value: Any) -> Any:
    scalar = key in ON_THE_CPU and isinstance(value, Tensor) and value.ndim == 0 and value.device.type == "cpu"
    return value.item() if scalar else value


def _names(groups: list[dict[str, Any]]) -> list[list[str]] | None:
    names = [list(group["param_names"]) for group in groups if "param_names" in group]
    return names if len(names) == len(groups) else None
