"""The reference names everything that is public, and the tools that build the site do what they say."""

import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import shrinkage

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools" / "docs"
SOURCE = ROOT / "src" / "shrinkage"
FRAMEWORKS = {"torch": "torch", "keras": "keras", "optax": "optax"}
DOORS = {"cli"}  # no names: its commands are on a page of their own


@pytest.fixture
def tool(monkeypatch):
    """A module of tools/docs by its name, as the build imports it."""
    monkeypatch.syspath_prepend(str(TOOLS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (TOOLS / f"{name}.py").exists():
            del sys.modules[name]


def rooms():
    found = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    return {name for name in found if not name.startswith("_") and name != "data"} - DOORS


def anchors(page):
    return set(re.findall(r"^::: (\S+)$", page, re.MULTILINE))


def test_every_room_has_a_page_of_the_reference(tool):
    assert set(tool("reference").ROOMS) == rooms()


@pytest.mark.parametrize("room", sorted(rooms()))
def test_every_public_name_of_a_room_is_in_the_reference(tool, room):
    if room in FRAMEWORKS:
        pytest.importorskip(FRAMEWORKS[room])
    reference = tool("reference")
    module = importlib.import_module(f"shrinkage.{room}")
    public = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and (getattr(value, "__module__", "").startswith("shrinkage") or name.isupper())
    ]
    page = reference.room_page(room)
    assert anchors(page) == {f"shrinkage.{room}.{name}" for name in public}
    assert all(f"[`{name}`][shrinkage.{room}.{name}]" in page for name in public)


def test_every_name_of_the_front_door_is_in_the_reference(tool):
    reference = tool("reference")
    page = reference.front_page()
    explained = {
        f"shrinkage.{room}.{name}" for room in ("design", "estimators", "patch", "penalties") for name in dir(shrinkage)
    }
    for name in reference.public_names(shrinkage):
        place = re.search(rf"\[`{name}`\]\[([\w.]+)\]", page).group(1)
        assert place.endswith(f".{name}")
        assert place in anchors(page) | explained


def test_every_command_is_in_the_reference(tool):
    pytest.importorskip("click")
    from shrinkage.cli._app import app

    page = tool("reference").command_page()
    assert re.findall(r"^## shrinkage (\w+)$", page, re.MULTILINE) == sorted(app.commands)


def test_the_cell_of_a_table_holds_bars_and_underscores_as_they_are(tool):
    class Norm:
        """α Σ_j |w_j| of `a | b`."""

    assert tool("reference")._first_line(Norm) == "α Σ\\_j &#124;w\\_j&#124; of `a ∣ b`."


def test_a_link_into_the_repository_becomes_one_within_the_site(tool):
    build = tool("build")
    source = build.WORDS / "guides" / "page.md"
    text = (
        "[home](../../README.md), [speed](../../benchmarks/README.md#schema), [code](../../src/shrinkage/README.md), "
    )
    said = build.linked(text + "[claims](../claims/x.md), [there](https://example.org/a.md)", source, ROOT)
    assert said == (
        "[home](../index.md), [speed](../benchmarks.md), code (`src/shrinkage/README.md`), "
        "[claims](../claims/x.md), [there](https://example.org/a.md)"
    )


def test_a_picture_is_in_the_colors_of_its_page_and_its_ids_are_its_own(tool):
    pytest.importorskip("matplotlib")
    figures = tool("figures")

    def draw(record, axes):
        axes.plot(record, color="#0072B2", label="line")
        axes.legend()

    one, other = (figures.svg(draw, [0.0, 1.0], name) for name in ("one", "other"))
    assert one.startswith("<svg")
    assert "var(--picture-blue)" in one
    assert "currentColor" in one
    assert not re.findall(r"#0072b2|#000000", one)
    ids, others = (set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, other))
    assert ids
    assert not ids & others
    assert set(re.findall(r"url\(#([^)]+)\)", one)) | set(re.findall(r'href="#([^"]+)"', one)) <= ids
    assert figures.svg(draw, [0.0, 1.0], "one") == one


def test_the_benchmarks_page_says_machine_threads_versions_and_date_of_every_file(tool, tmp_path):
    import json

    pytest.importorskip("matplotlib")
    results = ROOT / "benchmarks" / "results"
    tool("benchmark_page").benchmark_page(results, ROOT / "benchmarks" / "README.md", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    for path in results.glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        facts = [
            result["date"][:10],
            result["machine"]["cpu"],
            "thread",
            result["python"],
            *result["versions"].values(),
        ]
        assert any(all(fact in line for fact in facts) for line in page.splitlines())


def test_a_site_that_fetches_from_elsewhere_or_lacks_what_it_links_to_is_refused(tool, tmp_path, monkeypatch):
    check = tool("check_site")
    monkeypatch.setattr(check, "ROOMS", ())
    page = '<a href="other.html#there">x</a><p id="here">[[speed]]</p><code>[[1]]</code>'
    (tmp_path / "index.html").write_text(f'<script src="https://cdn.example.org/a.js"></script>{page}')
    (tmp_path / "other.html").write_text('<a href="index.html#here">x</a><a href="gone.html">y</a>')
    (tmp_path / "style.css").write_text('@import "https://fonts.example.org/a.css"; p { background: url(here.png) }')
    assert check.complaints(tmp_path) == [
        "index.html fetches https://cdn.example.org/a.js",
        "index.html shows '[[s'",
        "index.html links to other.html#there",
        "other.html links to gone.html",
        "style.css fetches https://fonts.example.org/a.css",
    ]


def test_a_record_of_other_sources_core_or_versions_is_not_taken_from_the_cache(tool, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    claim_pages = tool("claim_pages")
    from shrinkage import _core

    before = claim_pages._state()
    assert claim_pages._state() == before
    others = [SimpleNamespace(name="torch", version="0.0.1")]
    with monkeypatch.context() as patch:
        patch.setattr(claim_pages, "distributions", lambda: others)
        assert claim_pages._state() != before
    core = tmp_path / Path(_core.__file__).name
    core.write_bytes(Path(_core.__file__).read_bytes() + b"\0")
    with monkeypatch.context() as patch:
        patch.setattr(_core, "__file__", str(core))
        assert claim_pages._state() != before
    assert claim_pages._state() == before
