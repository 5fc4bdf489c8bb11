"""Options from a TOML file."""

import difflib
import tomllib
from pathlib import Path
from typing import Any

import click


def read_config(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Make what a TOML file says the defaults of a command; its keys are the options' names, and `data`.

    Raises
    ------
    click.BadParameter
        If the file cannot be read, or a key is no option.
    """
    if value is None:
        return None
    try:
        form = tomllib.loads(Path(value).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{value} cannot be read as TOML: {error}", ctx, parameter) from None
    names = _names(ctx.command)
    defaults: dict[str, Any] = {}
    for key, said in form.items():
        name = names.get(key.replace("_", "-"))
        if name is None:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its keys may be {', '.join(sorted(names))}"
            raise click.BadParameter(f"{value}: {key!r} is no option of {ctx.command.name}; {hint}", ctx, parameter)
        kind = next(p.type for p in ctx.command.params if p.name == name)
        if what := _wanted(kind, said):
            raise click.BadParameter(f"{value}: {key} must be {what}; got {said!r}", ctx, parameter)
        many = isinstance(said, list)
        repeated = any(p.name == name and getattr(p, "multiple", False) for p in ctx.command.params)
        if repeated and not many:
            said = [said]
        defaults[name] = ",".join(map(str, said)) if many and not repeated else said
    ctx.default_map = {**(ctx.default_map or {}), **defaults}
    return value


def _wanted(kind: click.ParamType, said: Any) -> str | None:
    """What a value should have been, where click would read another into it, or fail."""
    if isinstance(kind, click.types.BoolParamType) and not isinstance(said, bool | str):
        return "true or false"
    if isinstance(kind, click.types.IntParamType) and isinstance(said, bool | float):
        return "a whole number"
    if isinstance(kind, click.types.FloatParamType) and isinstance(said, bool):
        return "a number"
    return None


def _names(command: click.Command) -> dict[str, str]:
    """What each key stands for."""
    return {
        spelled.lstrip("-").replace("_", "-"): parameter.name or ""
        for parameter in command.params
        for spelled in parameter.opts
        if parameter.name not in ("config", "help")
    }
