"""`shrinkage explain`: every claim, measured; a broken one is said and fails, a missing extra is said and does not."""

import json
import sys
from dataclasses import dataclass, replace

import pytest
from click.testing import CliRunner

import shrinkage.claims
from shrinkage.claims import Claim
from shrinkage.cli import _explain
from shrinkage.cli._app import app


@dataclass(frozen=True)
class Sum:
    total: int
    size: str


def sum_claim(number, name, terms, extras=()):
    def check(record):
        if record.total != 4:
            raise shrinkage.claims.ClaimBroken(f"two and two were {record.total}; expected 4")

    return Claim(
        number=number,
        name=name,
        sentence=f"Two and two are four ({name}).",
        measure=lambda quick: Sum(sum(terms), "quick" if quick else "full"),
        check=check,
        lines=lambda record: [f"total {record.total}", f"size {record.size}", "no seed"],
        extras=extras,
    )


@pytest.fixture
def claims(monkeypatch):
    known = (
        sum_claim(1, "holding", (2, 2)),
        sum_claim(2, "breaking", (2, 3)),
        sum_claim(3, "wanting", (2, 2), ("no_such",)),
    )
    monkeypatch.setattr(shrinkage.claims, "ALL", known)
    return known


def run(*words):
    return CliRunner().invoke(app, ["explain", *words], prog_name="shrinkage")


def test_a_claim_that_holds_is_printed_with_its_numbers(claims):
    result = run("1")
    assert result.exit_code == 0
    assert [line.strip() for line in result.stdout.splitlines()[:4]] == [
        "1. Two and two are four (holding).",
        "total 4",
        "size quick",
        "no seed",
    ]
    assert "Of 1 claim 1 holds, 0 broken, 0 not measured" in result.stdout


def test_a_broken_claim_is_said_with_both_numbers_and_fails(claims):
    result = run()
    assert result.exit_code == 1
    assert "BROKEN: two and two were 5; expected 4" in result.stdout
    assert "Of 3 claims 1 holds, 1 broken, 1 not measured" in result.stdout


def test_a_claim_whose_extra_is_missing_is_said_and_does_not_fail(claims):
    result = run("wanting")
    assert result.exit_code == 0
    assert "not measured: needs shrinkage[no_such]" in result.stdout


def test_a_measurement_that_finds_an_extra_missing_names_it(claims, monkeypatch):
    def measure(quick):
        raise shrinkage.MissingExtraError("pictures need matplotlib: pip install 'shrinkage[plots]'")

    wanting = Claim(4, "late", "A sentence.", measure, lambda record: None, lambda record: [])
    monkeypatch.setattr(shrinkage.claims, "ALL", (wanting,))
    result = run()
    assert result.exit_code == 0
    assert "shrinkage[plots]" in result.stdout


def test_json_is_one_document_with_the_same_answers(claims):
    result = run("--json")
    rows = json.loads(result.stdout)["claims"]
    assert [(row["number"], row["holds"]) for row in rows] == [(1, True), (2, False), (3, None)]
    assert result.exit_code == 1
    assert rows[0]["lines"] == ["total 4", "size quick", "no seed"]


def test_full_is_measured_in_full(claims):
    assert "size full" in run("holding", "--full").stdout


def test_numbers_and_names_choose_and_order_is_that_of_the_numbers(claims):
    said = json.loads(run("wanting", "1", "holding", "--json").stdout)["claims"]
    assert [row["name"] for row in said] == ["holding", "wanting"]


def test_listing_measures_nothing(claims, monkeypatch):
    monkeypatch.setattr(_explain, "_measured", None)
    lines = run("--list").stdout.splitlines()
    assert len(lines) == len(claims)
    assert lines[1].split() == ["2", "breaking", *claims[1].sentence.split()]
    listed = json.loads(run("--list", "--json").stdout)["claims"]
    assert listed[2] == {"number": 3, "name": "wanting", "claim": claims[2].sentence, "extras": ["no_such"]}


def test_an_unknown_claim_is_refused_with_those_that_there_are(claims):
    result = run("7")
    assert result.exit_code == 2
    assert "no claim '7'" in result.stderr
    assert "1, 2, 3" in result.stderr


def test_a_claim_is_measured_on_one_thread_and_threads_are_as_they_were_afterwards(monkeypatch):
    """Of linear algebra, and of torch where it is there."""
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        pools = {pool["filepath"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
        return pools | ({"torch": sys.modules["torch"].get_num_threads()} if "torch" in sys.modules else {})

    counting = replace(sum_claim(1, "counting", (2, 2)), measure=lambda quick: Sum(4, str(set(threads().values()))))
    monkeypatch.setattr(shrinkage.claims, "ALL", (counting,))
    with threadpoolctl.threadpool_limits(limits=2):
        before = threads()
        assert "size {1}" in run("1").stdout
        assert before.items() <= threads().items()
