"""Pages of the reference: every public name of every room, read off the rooms themselves."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

ROOMS = (
    "penalties",
    "losses",
    "problem",
    "estimators",
    "patch",
    "selection",
    "units",
    "priors",
    "torch",
    "keras",
    "optax",
    "training",
    "plots",
    "report",
    "tables",
    "datasets",
    "design",
    "solvers",
    "claims",
)
"""Every room that has a door, in the order of the reference."""
FRONT = "shrinkage"


def public_names(module: ModuleType) -> list[str]:
    """What a door offers: `__all__`, else everything of our own that no underscore hides; constants are in capitals."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    own = [value for value in vars(module).items() if not value[0].startswith("_")]
    return sorted(name for name, value in own if name.isupper() or _is_ours(value))


def _is_ours(value: object) -> bool:
    return getattr(value, "__module__", "").startswith("shrinkage")


def home(thing: object, name: str) -> str:
    """The page and anchor on which a name of the front door is explained: that of its own room."""
    parts = getattr(thing, "__module__", "shrinkage").split(".")
    room = parts[1] if len(parts) > 1 else ""
    return f"shrinkage.{room}.{name}" if room in ROOMS else f"shrinkage.{name}"


def room_page(room: str) -> str:
    """The page of one room."""
    module = importlib.import_module(f"shrinkage.{room}")
    names = public_names(module)
    classes = [name for name in names if inspect.isclass(getattr(module, name))]
    functions = [name for name in names if callable(getattr(module, name)) and name not in classes]
    others = [name for name in names if name not in classes and name not in functions]
    parts = [f"# shrinkage.{room}", "", inspect.getdoc(module) or "", ""]
    parts += [_summary(module, room, names), ""]
    for name in [*functions, *classes, *others]:
        parts += [f"::: shrinkage.{room}.{name}", ""]
    return "\n".join(parts)


def front_page() -> str:
    """The page of what `import shrinkage` gives."""
    import shrinkage

    rows = ["| name | what |", "|---|---|"]
    own = []
    for name in public_names(shrinkage):
        thing = getattr(shrinkage, name)
        place = home(thing, name)
        own += [name] if place == f"shrinkage.{name}" else []
        rows.append(f"| [`{name}`][{place}] | {_first_line(thing)} |")
    parts = ["# shrinkage", "", inspect.getdoc(shrinkage) or "", "", *rows, ""]
    for name in own:
        parts += [f"::: shrinkage.{name}", ""]
    return "\n".join(parts)


def _summary(module: ModuleType, room: str, names: list[str]) -> str:
    rows = [f"| [`{name}`][shrinkage.{room}.{name}] | {_first_line(getattr(module, name))} |" for name in names]
    return "\n".join(["| name | what |", "|---|---|", *rows])


def _first_line(thing: object) -> str:
    own = inspect.isclass(thing) or inspect.isroutine(thing)
    line = ((inspect.getdoc(thing) if own else None) or "").split("\n\n")[0].replace("\n", " ")
    return line.replace("|", "&#124;").replace("<", "&lt;").replace("_", "\\_") if "`" not in line else _guarded(line)


def _guarded(line: str) -> str:
    """A line for the cell of a table: bars and underscores as they are, outside code."""
    parts = line.split("`")
    for place in range(0, len(parts), 2):
        parts[place] = parts[place].replace("|", "&#124;").replace("<", "&lt;").replace("_", "\\_")
    for place in range(1, len(parts), 2):
        parts[place] = parts[place].replace("|", "∣")
    return "`".join(parts)


def reference_pages(out: Path) -> list[tuple[str, str]]:
    """Write every page; file names and titles, in order."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.md").write_text(front_page(), encoding="utf-8")
    found = [("index.md", FRONT)]
    for room in ROOMS:
        (out / f"{room}.md").write_text(room_page(room), encoding="utf-8")
        found.append((f"{room}.md", f"{FRONT}.{room}"))
    (out / "commands.md").write_text(command_page(), encoding="utf-8")
    return [*found, ("commands.md", "Commands")]


def command_page() -> str:
    """The page of the command line: what each command says of itself."""
    import click

    from shrinkage.cli._app import app

    parts = ["# Commands", "", "`pip install 'shrinkage[cli]'`; each command's own `--help` is this.", ""]
    with click.Context(app, info_name="shrinkage", max_content_width=100) as group:
        for name in sorted(app.commands):
            command = app.commands[name]
            with click.Context(command, info_name=name, parent=group, max_content_width=100) as context:
                parts += [f"## shrinkage {name}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts)
