"""The doors: what is public is named, documented and under law."""

import contextlib
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import shrinkage

ROOT = Path(__file__).resolve().parent.parent

# Others build on these names and signatures; changing one is a decision, with a deprecation.
FRONT_DOOR = {
    "L1": "alpha, factors=None",
    "L2": "alpha, factors=None",
    "L1L2": "alpha, l1_ratio=0.5, factors=None",
    "GroupL2": "alpha, groups=None, axis=None, weights='sqrt'",
    "MCP": "alpha, gamma=3.0, factors=None",
    "SCAD": "alpha, gamma=3.7, factors=None",
    "SortedL1": "alpha, weights, factors=None",
    "path": "X, y, loss='squared', l1_ratio=1.0, alphas=None, n_alphas=100, alpha_min_ratio=0.001, fit_intercept=True, "
    "standardize=False, sample_weight=None, offset=None, penalty_factor=None, penalty=None, tol=1e-06, lower=None, "
    "upper=None, positive=False, stop=None",
    "cross_validate": "X, y, cv=10, groups=None, loss='squared', l1_ratio=1.0, alphas=None, n_alphas=100, "
    "alpha_min_ratio=0.001, fit_intercept=True, standardize=False, sample_weight=None, offset=None, "
    "penalty_factor=None, penalty=None, tol=1e-06, score='deviance', lower=None, upper=None, positive=False, stop=None",
}
ESTIMATORS = ["Ridge", "Lasso", "ElasticNet", "LogisticRegression", "PoissonRegressor", "GammaRegressor"]
ESTIMATORS += ["TweedieRegressor", "NegativeBinomialRegressor", "HuberRegressor", "QuantileRegressor"]
CV_ESTIMATORS = [f"{name}CV" for name in ESTIMATORS]
ROOMS = ["penalties", "losses", "problem", "design", "solvers", "estimators", "datasets", "tables", "plots", "report"]
ROOMS += ["training", "selection", "units", "priors", "claims", "patch"]
for room in ("torch", "keras", "optax"):  # rooms of networks open where their framework is installed
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module(room)
        ROOMS.append(room)


def public_names(module):
    """What a door offers: `__all__`, else everything that its own modules define and no underscore hides."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    own = [value for value in vars(module).items() if not value[0].startswith("_")]
    return {name for name, value in own if getattr(value, "__module__", "").startswith("shrinkage")}


def documented_things():
    """Every public class, function and method, once, with the room it was met in."""
    seen = {}
    for room in ["", *ROOMS]:
        module = importlib.import_module(f"shrinkage.{room}".rstrip("."))
        for name in public_names(module):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                seen.setdefault(id(thing), (f"{module.__name__}.{name}", thing))
    return sorted(seen.values(), key=lambda pair: pair[0])


def plain_signature(function):
    parameters = inspect.signature(function).parameters.values()
    return ", ".join(str(p.replace(annotation=inspect.Parameter.empty)) for p in parameters).replace("*, ", "")


@pytest.mark.parametrize("name", FRONT_DOOR)
def test_the_fixed_names_have_their_fixed_signatures(name):
    assert plain_signature(getattr(shrinkage, name)) == FRONT_DOOR[name]


@pytest.mark.parametrize("name", ESTIMATORS + CV_ESTIMATORS)
def test_estimators_speak_alpha_and_tol(name):
    parameters = inspect.signature(getattr(shrinkage, name)).parameters
    assert parameters["tol"].default == 1e-6
    assert parameters["penalty_factor"].default is None
    assert not {"C", "lam", "reg", "lambd"} & set(parameters)
    if name in CV_ESTIMATORS:
        assert (parameters["alphas"].default, parameters["cv"].default, parameters["rule"].default) == (None, 10, "min")
    else:
        assert "alpha" in parameters


def test_the_front_door_is_the_whole_front_door():
    expected = {*FRONT_DOOR, *ESTIMATORS, *CV_ESTIMATORS}
    assert expected <= public_names(shrinkage)
    assert set(dir(shrinkage)) >= expected | {"__version__"}


def test_rooms_open_when_they_are_named_and_not_before():
    code = "import sys, shrinkage; before = set(sys.modules); rooms = [getattr(shrinkage, r) for r in sys.argv[1:]]; "
    code += "print(*sorted(m for m in before if m.startswith('shrinkage.')), *(room.__name__ for room in rooms))"
    closed = ["plots", "report", "training", *({"torch"} & set(ROOMS))]
    said = subprocess.run(
        [sys.executable, "-c", code, *closed], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[-len(closed) :] == [f"shrinkage.{room}" for room in closed]
    assert not {f"shrinkage.{room}" for room in closed} & set(said[: -len(closed)])
    assert set(ROOMS) <= set(dir(shrinkage))
    with pytest.raises(AttributeError, match="attic"):
        _ = shrinkage.attic


@pytest.mark.parametrize(("name", "thing"), [pytest.param(*pair, id=pair[0]) for pair in documented_things()])
def test_every_public_name_says_what_it_is(name, thing):
    doc = inspect.getdoc(thing)
    assert doc, f"{name} has no docstring"
    assert not doc.startswith(f"{thing.__name__}("), f"{name} has no docstring of its own"
    members = vars(thing).items() if inspect.isclass(thing) else ()
    methods = {key: value for key, value in members if inspect.isfunction(value) and not key.startswith("_")}
    undocumented = [key for key, value in methods.items() if not inspect.getdoc(getattr(thing, key))]
    assert undocumented == []


@pytest.mark.parametrize("name", [*FRONT_DOOR, *ESTIMATORS, *CV_ESTIMATORS])
def test_the_front_door_documents_every_parameter_and_shows_an_example(name):
    thing = getattr(shrinkage, name)
    doc = inspect.getdoc(thing) or ""
    listed = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-{3,}|\Z)", doc, re.DOTALL | re.MULTILINE)
    assert listed, f"{name} has no section Parameters"
    entries = re.findall(r"^(\w[\w, ]*?)(?:\s*:.*)?$", listed[1], re.MULTILINE)
    documented = {entry.strip() for line in entries for entry in line.split(",")}
    assert set(inspect.signature(thing).parameters) - documented == set()
    assert ">>>" in doc, f"{name} has no running example"


def test_the_readme_names_everything_at_the_front_door():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in public_names(shrinkage) if not re.search(rf"\b{name}\b", readme)]
    assert missing == []


COUPLED = {"JointLoss", "Cox", "Multinomial", "GroupBox"}
"""Their laws are in tests/losses/test_cox_loss.py, test_multinomial.py and tests/penalties/test_group_box.py."""


def test_every_penalty_and_loss_is_under_law():
    cases = importlib.import_module("cases")
    for room, table in (("penalties", cases.PENALTIES), ("losses", cases.LOSSES + cases.MORE_LOSSES)):
        module = importlib.import_module(f"shrinkage.{room}")
        classes = {name for name in public_names(module) if inspect.isclass(getattr(module, name))}
        concrete = {name for name in classes if not getattr(getattr(module, name), "_is_protocol", False)}
        assert concrete - COUPLED == {type(getattr(member, "values", [member])[0]).__name__ for member in table}


DOCUMENTS = ["CONTRIBUTING.md", "README.md", "src/shrinkage/README.md", "benchmarks/README.md", "docs/networks.md"]
DOCUMENTS += ["docs/mathematics/engine.md"]


def _is_path(text):
    return "." in text or text.endswith("/") or (ROOT / text.split("/")[0]).is_dir()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_point_at_files_that_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    quoted = {path for path in re.findall(r"`([\w./-]+/[\w.-]*)`", text) if _is_path(path)}
    home = (ROOT / document).parent
    missing = [path for path in links | quoted if not ((ROOT / path).exists() or (home / path).exists())]
    assert missing == []


@pytest.mark.parametrize("record", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_on_what_is_not_there_yet_says_that_it_is_planned(record):
    text = record.read_text(encoding="utf-8")
    rooms = [shrinkage, *(importlib.import_module(f"shrinkage.{room}") for room in ROOMS)]
    named = re.findall(r"`([A-Z]\w+)`", text.splitlines()[0])
    absent = [name for name in named if not any(hasattr(room, name) for room in rooms)]
    assert not absent or "*Planned" in text


def test_the_map_draws_every_room_that_there_is():
    source = ROOT / "src" / "shrinkage"
    rooms = {path.stem for path in source.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    drawn = (source / "README.md").read_text(encoding="utf-8").split("## Floors")[1].split("## Reading")[0]
    assert [room for room in rooms - {"__init__"} if not re.search(rf"(?<!\w){room}(?!\w)", drawn)] == []


def test_the_package_says_that_it_is_typed():
    assert (Path(shrinkage.__file__).parent / "py.typed").exists()


def test_the_version_is_the_one_of_the_package():
    assert shrinkage.__version__ == importlib.import_module("importlib.metadata").version("shrinkage")
