"""Which penalty each variable of an optimizer has: a plan's, one for the kernels, or those of a dict of paths."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shrinkage._errors import ArgumentError
from shrinkage.keras._plan import Plan
from shrinkage.keras._values import ops
from shrinkage.training import check_penalty, from_plain, has_l2, misfit, resolve, to_plain


@dataclass(frozen=True)
class Assigned:
    """A penalized variable: its place in the optimizer's list, its name in a plan, its penalty."""

    place: int
    name: str
    penalty: Any


class Stored(dict):
    """Penalties of paths from a file, and the place of each variable among those that were trained.

    Some variables may be frozen where the file is loaded, and a model that was built by calling it has other paths
    once it is built by loading: then the place tells, where shape and own name agree.
    """

    def __init__(self, penalties: Mapping[str, Any], places: Mapping[str, list[int]]) -> None:
        super().__init__(penalties)
        self.places = places

    def at_its_place(self, path: str, variables: list[Any]) -> Any:
        """Return the variable that stands where the one of a path stood; None if it is another one."""
        place, *shape = self.places.get(path, [len(variables)])
        if place >= len(variables):
            return None
        there = variables[place]
        alike = tuple(there.shape) == tuple(shape) and there.path.rpartition("/")[2] == path.rpartition("/")[2]
        return there if alike else None


Source = Any
"""A Plan, a Penalty, a mapping from pattern to Penalty or None, or None."""


def checked_source(source: Source) -> Source:
    """Refuse what says no penalties; of a dict, return a copy."""
    if isinstance(source, Mapping):
        source = source if isinstance(source, Stored) else dict(source)
        for pattern, penalty in source.items():
            if not isinstance(pattern, str):
                raise ArgumentError(f"plan must have paths or patterns of variables as keys; got {pattern!r}")
            check_penalty(f"plan[{pattern!r}]", penalty)
    elif not isinstance(source, Plan):
        check_penalty("plan", source)
    return source


def assign(source: Source, variables: list[Any]) -> list[Assigned]:
    """Return what each penalized variable of a list has.

    Raises
    ------
    ArgumentError
        If a pattern matches no variable, a penalty does not fit one, or a plan was made for another model.
    """
    if source is None or not variables:
        return []
    here = Plan(variables)
    if isinstance(source, Plan):
        _check_made_for(source, variables)
        of = {id(source.variables[name]): penalty for name, penalty in source.penalties.items()}
    elif isinstance(source, Mapping):
        of = _of_mapping(source, here, variables)
    else:
        of = {id(here.variables[name]): penalty for name, penalty in Plan(variables, source).penalties.items()}
    names = {id(variable): name for name, variable in here.variables.items()}
    found = ((place, names[id(variable)], of.get(id(variable))) for place, variable in enumerate(variables))
    return [Assigned(*each) for each in found if each[2] is not None]


def _of_mapping(source: Mapping[str, Any], here: Plan, variables: list[Any]) -> dict[int, Any]:
    """Return the penalties of variables by id: of each entry the variable of that very path, else its matches."""
    of: dict[int, Any] = {}
    missing = []
    for pattern, penalty in source.items():
        variable = here.variables.get(pattern)
        if variable is None and isinstance(source, Stored):
            variable = source.at_its_place(pattern, variables)
        if variable is not None:
            if penalty is not None and (problem := misfit(penalty, tuple(variable.shape))):
                raise ArgumentError(f"plan: the penalty of {pattern!r} of shape {tuple(variable.shape)}: {problem}")
            of[id(variable)] = penalty
        elif isinstance(source, Stored):
            missing.append(pattern)
        else:
            rows = resolve([row.facts for row in here.rows], overrides={pattern: penalty}, separator="/")
            of |= {id(here.variables[row.name]): row.penalty for row in rows if row.rule.startswith("override")}
    if missing:
        warnings.warn(
            f"no variable that is trained here has the path of {len(missing)} stored penalties: {', '.join(missing)}",
            UserWarning,
            stacklevel=5,
        )
    return of


def _check_made_for(plan: Plan, variables: list[Any]) -> None:
    held = {id(variable) for variable in variables}
    absent = [name for name in plan.penalized if id(plan.variables[name]) not in held]
    absent = [name for name in absent if plan.variables[name].trainable]
    if absent:
        shown = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
        raise ArgumentError(
            f"the optimizer is built on variables without {len(absent)} of the {len(plan.penalized)} that the plan "
            f"penalizes: {shown}. Make the plan from the model that is trained, as it is now"
        )


def plain_source(source: Source, assigned: list[tuple[Assigned, Any]]) -> Any:
    """Return penalties as plain data, for a config; those of variables where these are known."""
    if assigned:
        places = {one.name: [one.place, *variable.shape] for one, variable in assigned}
        return {"penalties": {one.name: _plain(one.penalty) for one, _ in assigned}, "places": places}
    if isinstance(source, Plan):
        source = source.penalties
    if isinstance(source, Mapping):
        penalties = {path: _plain(penalty) for path, penalty in source.items()}
        return {"penalties": penalties} | ({"places": source.places} if isinstance(source, Stored) else {})
    return None if source is None else {"penalty": _plain(source)}


def source_of_plain(plain: Any) -> Source:
    """Return what `plain_source` was given, a plan as a dict of paths; what is no such data is returned as it is."""
    if not isinstance(plain, dict):
        return plain
    if set(plain) == {"penalty"}:
        return from_plain(plain["penalty"])
    if set(plain) <= {"penalties", "places"} and plain:
        penalties = {path: from_plain(penalty) for path, penalty in plain["penalties"].items()}
        return Stored(penalties, plain["places"]) if "places" in plain else penalties
    return plain


def warn_of_double_decay(optimizer: Any, members: list[tuple[Any, Any]]) -> None:
    """Warn, once, where the optimizer's weight decay and an L2 part of a penalty both shrink."""
    for variable, penalty in members if optimizer.weight_decay else []:
        if has_l2(penalty) and optimizer._use_weight_decay(variable):
            warnings.warn(
                f"weights decay twice: by {penalty} and by weight_decay={optimizer.weight_decay} of "
                f"{type(optimizer).__name__}. Leave weight_decay out for them, or take a penalty without L2 part",
                UserWarning,
                stacklevel=4,
            )
            return


def _plain(penalty: Any) -> Any:
    return _without_tensors(to_plain(penalty))


def _without_tensors(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _without_tensors(inside) for key, inside in plain.items()}
    return ops.convert_to_numpy(plain).tolist() if hasattr(plain, "dtype") else plain
