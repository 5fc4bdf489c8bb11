"""`shrinkage explain`: what the library claims, each claim measured where it is asked for."""

import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from shrinkage._errors import MissingExtraError
from shrinkage.cli._options import CODES, FAILURE, Teller

EXAMPLES = f"""\b
Examples:
  shrinkage explain
  shrinkage explain 1 decay_in_sgd
  shrinkage explain 5 --full
  shrinkage explain --list
  shrinkage explain --json > claims.json

A claim that its measurement does not show is printed as BROKEN, and the exit code is 1.

{CODES}"""


@click.command(name="explain", epilog=EXAMPLES)
@click.argument("wanted", nargs=-1, metavar="[NUMBER|NAME]...")
@click.option("--list", "listing", is_flag=True, help="Print the claims and measure nothing.")
@click.option("--full", is_flag=True, help="Measure at the size of the documentation: some minutes for some claims.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def explain(ctx: click.Context, wanted: tuple[str, ...], listing: bool, full: bool, as_json: bool) -> None:
    """Say what L1 and L2 penalties do, each claim measured here and now with this library.

    Every number is computed while you wait, on data that ship; each claim is checked against what was measured.
    """
    chosen = _chosen(wanted)
    if listing:
        if as_json:
            click.echo(_document([_about(claim) for claim in chosen]))
        else:
            click.echo("\n".join(f"{claim.number:>2}  {claim.name:18}  {claim.sentence}" for claim in chosen))
        return
    rows, tell = [], Teller(as_json)
    for claim in chosen:
        if not as_json:
            click.echo(click.style(_wrapped(f"{claim.number}. {claim.sentence}"), bold=True))
        tell("measuring")
        try:
            row = _measured(claim, full)
        finally:
            tell.done()
        rows.append(row)
        if not as_json:
            click.echo("\n".join(_text(row)) + "\n")
    if as_json:
        click.echo(_document(rows))
    else:
        click.echo(_summary(rows))
    if any(row["holds"] is False for row in rows):
        ctx.exit(FAILURE)


def _chosen(wanted: tuple[str, ...]) -> list[Any]:
    """The claims that are named, in the order of their numbers; all of them where none is."""
    from shrinkage.claims import ALL

    known = {word: claim for claim in ALL for word in (str(claim.number), claim.name)}
    strange = [word for word in wanted if word not in known]
    if strange:
        raise click.UsageError(
            f"there is no claim {strange[0]!r}; choose from {', '.join(str(claim.number) for claim in ALL)} (--list)"
        )
    asked = {known[word].number for word in wanted}
    return [claim for claim in ALL if not wanted or claim.number in asked]


def _about(claim: Any) -> dict[str, Any]:
    return {"number": claim.number, "name": claim.name, "claim": claim.sentence, "extras": list(claim.extras)}


def _measured(claim: Any, full: bool) -> dict[str, Any]:
    """A claim with what was measured: whether it holds, or None and why nothing was."""
    from shrinkage.claims import ClaimBroken

    missing = [extra for extra in claim.extras if find_spec(extra) is None]
    if missing:
        return _about(claim) | _unmeasured(f"needs shrinkage[{','.join(missing)}]")
    started = time.perf_counter()
    try:
        with _one_thread(claim.extras):
            record = claim.measure(not full)
    except MissingExtraError as error:
        return _about(claim) | _unmeasured(str(error))
    seconds = round(time.perf_counter() - started, 2)
    try:
        claim.check(record)
    except ClaimBroken as broken:
        return _about(claim) | {"holds": False, "why": str(broken), "lines": claim.lines(record), "seconds": seconds}
    return _about(claim) | {"holds": True, "why": None, "lines": claim.lines(record), "seconds": seconds}


@contextmanager
def _one_thread(extras: tuple[str, ...]) -> Iterator[None]:
    """Let linear algebra and torch compute on one thread: matrices here are small, and more threads wait longer."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        torch = import_module("torch") if "torch" in extras else sys.modules.get("torch")
        if torch is None:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _unmeasured(why: str) -> dict[str, Any]:
    return {"holds": None, "why": why, "lines": [], "seconds": 0.0}


def _text(row: dict[str, Any]) -> list[str]:
    """A claim for a terminal."""
    said = [_wrapped(f"   {line}") for line in row["lines"]]
    if row["holds"] is None:
        return [_wrapped(f"   not measured: {row['why']}")]
    if row["holds"]:
        return [*said, f"   {click.style('holds', fg='green')}, {row['seconds']:.1f} s"]
    return [*said, f"   {click.style('BROKEN', fg='red', bold=True)}: {row['why']}"]


def _wrapped(line: str) -> str:
    """A line in as many of the terminal's as it takes, the later ones indented."""
    width = max(60, shutil.get_terminal_size((120, 24)).columns)
    return textwrap.fill(line, width, subsequent_indent="     ", break_long_words=False, break_on_hyphens=False)


def _summary(rows: list[dict[str, Any]]) -> str:
    holds, broken = (sum(row["holds"] is state for row in rows) for state in (True, False))
    skipped = len(rows) - holds - broken
    seconds, claims = sum(row["seconds"] for row in rows), "claim" if len(rows) == 1 else "claims"
    hold = "holds" if holds == 1 else "hold"
    return f"Of {len(rows)} {claims} {holds} {hold}, {broken} broken, {skipped} not measured; {seconds:.0f} s."


def _document(rows: list[dict[str, Any]]) -> str:
    return json.dumps({"claims": rows}, indent=2, ensure_ascii=False)
