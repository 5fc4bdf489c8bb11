"""Who may import whom: down only, never a room on the same floor, and always through a room's door.

Rooms are the names directly under `shrinkage`. The tables below are the whole rule; src/shrinkage/README.md draws it.
"""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "shrinkage"

FLOORS = {
    "_errors": 0,
    "_arrays": 0.1,
    "_check": 0.2,
    "_threads": 0.3,
    **dict.fromkeys(["penalties", "losses", "design"], 1),
    **dict.fromkeys(["problem", "priors", "units", "datasets", "training", "tables"], 2),
    "solvers": 3,
    "_path": 3.5,
    "selection": 4,
    **dict.fromkeys(["estimators", "patch", "torch", "keras", "optax"], 5),
    "plots": 6,
    "report": 6.5,
    "claims": 6.8,
    **dict.fromkeys(["cli", "lab"], 7),
    "__main__": 8,
}
GROUND = {"_arrays", "_check", "_errors"}  # what every room may see; `_threads` is for those that use `_core`
NETWORKS = dict.fromkeys(
    ["torch", "keras", "optax"], GROUND | {"penalties", "priors", "units", "training", "selection", "_core"}
)
# A room that may see only some of the floors below. `_core` sits on no floor: it imports nothing of ours.
ONLY = {
    **NETWORKS,
    "penalties": GROUND,
    "losses": GROUND,
    "plots": GROUND | {"penalties", "problem", "training", "solvers", "_path", "priors", "selection"},
    "report": GROUND | {"penalties", "problem", "training", "solvers", "_path", "selection", "plots"},
}
USES_CORE = {"_threads", "design", "solvers", "_path", "torch"}
# What showing may take from the rooms that fit: their records, never a fit.
RECORDS = {
    "solvers": {"Solution", "Status", "PathColumns", "FoldColumns"},
    "_path": {"Path", "CrossValidation"},
    "problem": {"Problem"},
    "selection": {
        "ChosenStrength",
        "InformationCriteria",
        "LeaveOneOut",
        "RepeatedCrossValidation",
        "StabilitySelection",
        "Evidence",
    },
}
SHOWING = {"plots", "report"}

NUMERIC = {"numpy", "scipy"}
OUTSIDE = {
    "_arrays": {"numpy", "array_api_compat"},
    "_check": {"numpy", "array_api_compat"},
    "_errors": set(),
    "_threads": {"threadpoolctl"},
    "penalties": set(),
    "losses": set(),
    "design": NUMERIC | {"narwhals"},
    "estimators": NUMERIC | {"sklearn"},
    "patch": NUMERIC | {"sklearn"},
    "torch": NUMERIC | {"torch"},
    "keras": NUMERIC | {"keras"},
    "optax": NUMERIC | {"jax", "optax"},
    "cli": NUMERIC | {"click", "rich"},
    "lab": NUMERIC | {"starlette", "uvicorn"},
    "__init__": set(),
}
OUTSIDE_DEFAULT = NUMERIC
# Heavy or optional: only inside functions, so that `import shrinkage` stays light.
LAZY = {
    "design": {"dask", "pyarrow"},
    "datasets": {"sklearn"},
    "tables": {"narwhals", "pyarrow", "polars", "pandas", "formulaic"},
    "_path": {"sklearn", "narwhals", "pandas"},
    "training": {"mlflow", "pandas"},
    "torch": {"lightning", "mlflow", "pandas", "pytorch_lightning", "transformers"},
    "selection": {"pandas", "sklearn"},
    "plots": {"matplotlib"},
    "report": {"matplotlib"},
    "claims": {"jax", "keras", "matplotlib", "optax", "pandas", "sklearn", "torch"},
    "cli": {"matplotlib", "safetensors", "threadpoolctl", "torch"},
}


@dataclass(frozen=True)
class Import:
    """One imported name: `outside` is a package that is not ours; else `room`, `inner` modules of it, and `name`."""

    line: int
    lazy: bool
    outside: str | None = None
    room: str = ""
    inner: tuple[str, ...] = ()
    name: str | None = None


def _resolve(node: ast.ImportFrom, package: tuple[str, ...]) -> tuple[str, ...]:
    """Absolute dotted name, as a tuple, of the module that a `from` statement in `package` names."""
    base = package[: len(package) - node.level + 1] if node.level else ()
    return base + tuple((node.module or "").split(".") if node.module else ())


def _ours(parts: tuple[str, ...], line: int, lazy: bool, name: str | None) -> Import:
    rest = parts[1:] + ((name,) if name and len(parts) == 1 else ())
    if not rest:
        return Import(line, lazy, room="__init__")
    return Import(line, lazy, room=rest[0], inner=rest[1:], name=name if len(parts) > 1 else None)


def imports_of(tree: ast.AST, package: tuple[str, ...]) -> list[Import]:
    """Every import of a module inside `package`, ours and outside ones; `lazy` ones stand inside a function.

    Outside packages named only for the type checker are left out: nothing imports them at run time.
    """
    found: list[Import] = []

    def visit(node: ast.AST, lazy: bool, typing_only: bool) -> None:
        targets: list[tuple[tuple[str, ...], str | None]] = []
        if isinstance(node, ast.Import):
            targets = [(tuple(alias.name.split(".")), None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            targets = [(_resolve(node, package), alias.name) for alias in node.names]
        for parts, name in targets:
            if parts[0] == "shrinkage":
                found.append(_ours(parts, node.lineno, lazy, name))
            elif parts[0] not in sys.stdlib_module_names and not typing_only:
                found.append(Import(node.lineno, lazy, outside=parts[0]))
        inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        checking = typing_only or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for child in ast.iter_child_nodes(node):
            visit(child, inside, checking)

    visit(tree, False, False)
    return found


def _complaint(room: str, imported: Import) -> str | None:
    """Why a module of `room` may not have this import; None where it may."""
    if imported.outside:
        always = OUTSIDE.get(room, OUTSIDE_DEFAULT)
        if imported.outside in always or (imported.lazy and imported.outside in LAZY.get(room, ())):
            return None
        where = ", which belongs inside a function" if imported.outside in LAZY.get(room, ()) else ""
        return f"imports {imported.outside}{where}"
    target = imported.room
    if target == room:
        return None
    if target == "__init__" or target.startswith("__"):
        return None if FLOORS.get(room) == 7 or target == "__version__" else "imports the front door from inside"
    if target == "_core":
        return None if room in USES_CORE else "imports _core"
    if room == "__init__":
        if FLOORS.get(target, 0) > FLOORS["estimators"]:
            return f"opens {target} for everybody"
    else:
        if target not in FLOORS:
            # Below the doors a public name is taken from its room, not from the front door.
            return None if FLOORS[room] == 7 else f"imports {target} from the front door"
        if FLOORS[target] >= FLOORS[room]:
            return f"imports {target}, which is not below it"
        if room in ONLY and target not in ONLY[room]:
            return f"imports {target}"
    if any(part.startswith("_") for part in (*imported.inner, imported.name or "")):
        return f"goes past the door of {target}: {'.'.join((*imported.inner, imported.name or ''))}"
    if room in SHOWING and target in RECORDS and imported.name not in RECORDS[target]:
        return f"takes {imported.name} from {target}, which is no record"
    return None


def complaints(source: Path) -> list[str]:
    """Every breach of the rule under `source`, as sentences."""
    found = []
    for path in sorted(source.rglob("*.py")):
        relative = path.relative_to(source)
        room = relative.parts[0].removesuffix(".py")
        if room != "__init__" and room not in FLOORS:
            found.append(f"{relative} is a room without a floor: give it one in {Path(__file__).name}")
            continue
        if len(relative.parts) > 2:
            found.append(f"{relative} is deeper than room/_file.py")
        package = ("shrinkage", *relative.parts[:-1])
        for imported in imports_of(ast.parse(path.read_text(encoding="utf-8")), package):
            if complaint := _complaint(room, imported):
                found.append(f"{relative}:{imported.line} {complaint}")
    return found


def test_imports_point_down_only_and_rooms_are_entered_by_their_doors():
    assert complaints(SOURCE) == []


@pytest.mark.parametrize(
    ("path", "code", "complaint"),
    [
        ("penalties/_l1.py", "import numpy as np", "imports numpy"),
        ("penalties/_l1.py", "from ..solvers import solve", "imports solvers, which is not below it"),
        ("losses/_squared.py", "from ..penalties import L1", "imports penalties, which is not below it"),
        ("penalties/_l1.py", "def f():\n    import torch", "imports torch"),
        ("problem.py", "from .design import as_design\nfrom .design._dense import X", "goes past the door of design"),
        ("problem.py", "from . import _path", "imports _path, which is not below it"),
        ("problem.py", "from . import Lasso", "imports Lasso from the front door"),
        ("problem.py", "import shrinkage", "imports the front door from inside"),
        ("problem.py", "from ._core import gram", "imports _core"),
        ("tables.py", "import pyarrow", "which belongs inside a function"),
        ("plots.py", "def show():\n    from ._path import path", "takes path from _path, which is no record"),
        ("plots.py", "import matplotlib", "which belongs inside a function"),
        ("estimators/_lasso.py", "from ..plots import path", "imports plots, which is not below it"),
        ("torch/_adam.py", "from ..solvers import solve", "imports solvers"),
        ("torch/_adam.py", "import sklearn", "imports sklearn"),
        ("training/_plan.py", "def read(model):\n    import torch", "imports torch"),
        ("training/_plan.py", "from ..torch import Plan", "imports torch, which is not below it"),
        ("plots.py", "from .torch import report", "imports torch"),
        ("__init__.py", "from .plots import path", "opens plots for everybody"),
        ("helpers.py", "", "a room without a floor"),
    ],
)
def test_the_contract_sees_a_breach(tmp_path, path, code, complaint):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(code)
    found = complaints(tmp_path)
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("penalties/_l1.py", "from .._arrays import namespace_of\nfrom dataclasses import dataclass"),
        ("problem.py", "import numpy as np\nfrom .losses import Squared\nfrom shrinkage._errors import ArgumentError"),
        ("solvers/_engine.py", "from .. import _core\nfrom ._records import Status\nfrom ..problem import Problem"),
        ("_path.py", "from .solvers import solve_path\nfrom .design import as_design"),
        ("tables.py", "def read(path):\n    import pyarrow"),
        ("training/_plan.py", "from ..penalties import Penalty\ndef to_frame():\n    import pandas"),
        (
            "torch/_adam.py",
            "import torch\nfrom .. import _core\nfrom ..training import step_scale",
        ),
        ("report.py", "from .training import Report"),
        ("tables.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pyarrow"),
        ("plots.py", "from ._path import Path"),
        ("__init__.py", "from .estimators import Lasso\nfrom ._path import path"),
        ("cli.py", "import click\nfrom . import path, __version__\nfrom .report import html"),
    ],
)
def test_the_contract_lets_the_plan_be_built(tmp_path, path, code):
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text(code)
    assert complaints(tmp_path) == []
