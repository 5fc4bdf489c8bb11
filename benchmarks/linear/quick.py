"""In under three minutes: the fastest peer of pip of each row and criterion, beside what was recorded."""

import sys
from pathlib import Path
from statistics import median

from linear import records
from linear.contestants import DEFAULT_TOL, OURS, Contestant
from linear.rows import QUICK
from linear.serving import Refused, Server
from linear.store import task

FELL = 0.75  # a ratio below this part of the recorded one is marked


def compare(results: Path, clock: str) -> str:
    """A line per row and criterion: the ratio now, the recorded one, and a mark where it fell."""
    lines = [f"{'row':10s}{'criterion':11s}{'peer':28s}{'ours':>9s}{'peer':>9s}{'ratio':>8s}{'recorded':>10s}"]
    for name in QUICK:
        if not (results / f"{name}.json").exists():
            lines.append(f"{name:10s}no recorded run")
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        lines += _row(name, records.read(results / f"{name}.json"), clock)
    return "\n".join(lines)


def _row(name: str, recorded: dict, clock: str) -> list[str]:
    stated, lines = task(name), []
    mine = _seconds(Contestant(OURS), stated, DEFAULT_TOL[OURS], True, 5, clock)
    peers = [one for one in recorded["records"] if one["tool"] != "glmnet"]
    for criterion in "gsd":
        then = records.fastest({"records": peers}, criterion, clock)
        if then is None or then[clock] > 10.0:
            continue
        contestant = Contestant(then["tool"], then["mode"])
        label = f"{name:10s}{criterion:11s}{contestant.label:28s}"
        try:
            theirs = _seconds(contestant, stated, then["tol"], criterion != "d", 1, clock)
        except Refused as reason:
            lines.append(f"{label}{reason}")
            continue
        now, before = theirs / mine, then[clock] / records.own(recorded)[clock]
        mark = "  fell" if now < FELL * before else ""
        lines.append(f"{label}{mine:9.4f}{theirs:9.4f}{now:8.2f}{before:10.2f}{mark}")
    return lines


def _seconds(contestant: Contestant, stated, tol: float, strict: bool, runs: int, clock: str) -> float:
    with Server(contestant, stated) as server:
        answer = server.ask(tol, strict, "run", runs, 60.0, 2.0)
    return median(answer.cpu if clock == "cpu_seconds" else answer.wall)
