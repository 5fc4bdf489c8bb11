"""Every claim has a page whose places for numbers and pictures its own record fills."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from shrinkage.claims import ALL

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "claims"
MODULES = {"torch": "torch", "keras": "keras", "optax": "optax", "plots": "matplotlib"}


def tool(name):
    """A module of tools/docs, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = tool("pages")


def parameters():
    return [pytest.param(claim, id=claim.name) for claim in ALL]


def test_there_is_a_page_for_every_claim_and_a_claim_for_every_page():
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted(claim.name for claim in ALL)


def test_no_two_claims_share_a_number():
    assert len({claim.number for claim in ALL}) == len(ALL)


@pytest.mark.parametrize("claim", parameters())
def test_a_quick_measurement_shows_the_claim_and_fills_its_page(claim, quick):
    for extra in claim.extras:
        pytest.importorskip(MODULES[extra])
    text = (PAGES / f"{claim.name}.md").read_text(encoding="utf-8")
    record = quick(claim)
    claim.check(record)
    assert "[[" not in pages.outside_code(pages.filled(text, record), lambda part: part.replace("`", ""))
    assert sorted(set(pages.pictures_of(text))) == sorted(claim.pictures)
    assert 3 <= len(claim.lines(record)) <= 8
    _draw(claim, record)


def _draw(claim, record):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for draw in claim.pictures.values():
        figure, axes = plt.subplots()
        draw(record, axes)
        figure.canvas.draw()
        plt.close(figure)


@pytest.mark.parametrize("claim", parameters())
def test_a_page_says_the_claim_what_is_written_by_hand_what_the_library_gives_and_how_it_is_checked(claim):
    text = (PAGES / f"{claim.name}.md").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert "**Claim.**" in text
    assert "## What people write by hand" in text
    assert "## What the library gives" in text
    assert "## Measured" in text
    assert "heck" in text.strip().split("\n\n")[-1]


def test_a_path_goes_through_attributes_keys_and_places():
    record = SimpleNamespace(runs={"plain": [SimpleNamespace(distance=0.125)]}, table=lambda: "| a |")
    assert pages.filled("[[runs.plain.0.distance:.1%]] and [[table()]]", record) == "12.5% and | a |"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[speed]]", "has no 'speed'"),
        ("[[runs.3]]", "has no '3'"),
        ("[[table]]", "is a method"),
        ("[[runs.0:.2q]]", "runs.0:.2q"),
        ("[[2 + 2]]", "is no place for a number"),
    ],
)
def test_a_place_that_nothing_fills_is_an_error(text, complaint):
    record = SimpleNamespace(runs=[1.0], table=lambda: "")
    with pytest.raises(pages.PageError, match=complaint):
        pages.filled(text, record)


def test_brackets_in_code_are_code():
    assert pages.filled("```python\nx = [[speed]]\n```\n", None) == "```python\nx = [[speed]]\n```\n"


TYPED = re.compile(
    r"\d\s?%|\d,\d{3}|\d+ (?:test )?images|factor of (?!two)\w+|(?:many|\d+) times higher|almost (?:half|all)"
)
"""What looks like a result, or a size of the data, that somebody copied: a share, a large count, a factor in words."""


def typed_by_hand(text):
    """Numbers of a page's words that should be places, but for those that the line of the check states as limits."""
    found = []

    def look(part):
        words = re.sub(r"\[\[.*?\]\]|`[^`]*`|\$[^$]*\$", "", part.split(pages.CHECKED)[0])
        found.extend(match.group() for match in TYPED.finditer(words))
        return part

    pages.outside_code(text, look)
    return found


@pytest.mark.parametrize("claim", parameters())
def test_no_share_count_or_factor_of_a_page_is_typed_by_hand(claim):
    assert typed_by_hand((PAGES / f"{claim.name}.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,347 rows, 450 images", ["1,347", "450 images"]),
        ("It takes 3 % and [[moved:.0%]].\n\n*Checked at every build: below 5 %.*", ["3 %"]),
        ("over a factor of ten, many times higher", ["factor of ten", "many times higher"]),
        ("the factor of two, `80 %`, lr = 0.1", []),
    ],
)
def test_what_looks_typed_by_hand_is_found(text, found):
    assert typed_by_hand(text) == found
