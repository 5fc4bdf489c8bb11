"""Records: a contestant on a row by a criterion; what is slow is measured once and kept."""

import datetime
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from linear import tuning
from linear.contestants import DEFAULT_TOL, OURS, Contestant
from linear.scoring import reference, score
from linear.serving import Answer, Refused, Server
from linear.store import Task

CRITERIA = {
    "d": "at its own default tolerance",
    "s": "tuned to a true suboptimality of 1e-6 of the null objective, at every strength",
    "g": "tuned to a certified relative gap of 1e-6, at every strength",
}
# One thread on one core: the time of the processor is the wall's without what neighbors take.
CLOCKS = {"cpu": "cpu_seconds", "wall": "seconds"}


@dataclass(frozen=True)
class Effort:
    """How long may be spent. Seconds: `limit` of one run; `once` beyond which a peer is measured a single time.

    A search for a tolerance ends where one run takes `behind` times as long as the fastest peer that met the criterion
    (and longer than `least`): it could not become the fastest.
    """

    runs: int = 3
    limit: float = 60.0
    once: float = 15.0
    budget: float = 6.0
    behind: float = 4.0
    least: float = 20.0

    def within(self, fastest: float | None) -> "Effort":
        """The same with the limit that the fastest peer's seconds leave."""
        if fastest is None:
            return self
        return replace(self, limit=min(self.limit, max(self.least, self.behind * fastest)))


def machine() -> dict:
    """What the figures were taken on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor()
    return {"cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def ours(task: Task, effort: Effort, mode: str = "") -> dict:
    """This library at its default, tol 1e-6; the first answer warms up as those of peers do."""
    tol, runs = DEFAULT_TOL[OURS], max(5, effort.runs)
    with Server(Contestant(OURS, mode), task) as server:
        answer = server.ask(tol, True, "run", runs, 10 * effort.limit, 2 * effort.budget)
        record = _record(server, answer, tol, "g")
        if task.row.kind == "cv":
            record["path_seconds"] = median(server.ask(tol, True, "audit", runs, effort.limit).cpu)
        return record


def peer(
    contestant: Contestant,
    task: Task,
    criteria: str,
    effort: Effort,
    kept: list[dict],
    fastest: Callable[[str], float | None],
):
    """Records of a peer by each criterion but those `kept` of an earlier run that were slow.

    `fastest` gives the seconds of the fastest peer that met a criterion, or None.
    """
    with Server(contestant, task) as server:
        for criterion in criteria:
            given = effort if criterion == "d" else effort.within(fastest(criterion))
            if _stands(kept, contestant, criterion, given):
                continue
            try:
                yield _measured(server, criterion, given)
            except Refused as reason:
                yield {**_name(server, criterion), "refused": str(reason), "limit": given.limit}


def _stands(kept: list[dict], contestant: Contestant, criterion: str, effort: Effort) -> bool:
    """Whether an earlier record is of a slow run on this machine, and so not worth repeating."""
    for record in kept:
        same = (record["tool"], record["mode"], record["criterion"]) == (contestant.tool, contestant.mode, criterion)
        if same and record["machine"] == machine()["cpu"]:
            too_long = record.get("limit", 0.0) >= effort.limit or "longer" not in record.get("refused", "longer")
            return too_long if "refused" in record else record["cpu_seconds"] > effort.once
    return False


def _measured(server: Server, criterion: str, effort: Effort) -> dict:
    if criterion == "d":
        tol = DEFAULT_TOL[server.contestant.tool]
        record = _record(server, _timed(server, tol, False, effort), tol, criterion)
        tuning.Book().add(server.contestant, record["version"], server.task.row.name, _entry(tol, record))
        return record
    book, row = tuning.Book(), server.task.row.name
    version = _version(server, book, effort)
    for attempt in range(2):
        found = tuning.seek(server, version, book, criterion, effort.limit)
        record = _record(server, _timed(server, found.tol, True, effort), found.tol, criterion)
        name, bound = tuning.target(server.task, criterion)
        if record[name] <= bound or not found.reached or attempt:
            return {**record, "reached": record[name] <= bound}
        book.forget(server.contestant, version, row)  # the tolerance of the book no longer does it
    raise AssertionError


def _version(server: Server, book: tuning.Book, effort: Effort) -> str:
    """The tool's version, by a run at the default tolerance, which the book keeps."""
    tol = DEFAULT_TOL[server.contestant.tool]
    if server.version is None:
        answer, scores = tuning.audited(server, tol, effort.limit)
        entry = _entry(tol, {"cpu_seconds": min(answer.cpu), **scores})
        book.add(server.contestant, answer.version, server.task.row.name, entry)
    return server.version


def _entry(tol: float, record: dict) -> dict:
    return {"tol": tol, "seconds": round(record["cpu_seconds"], 4), "gap": record["gap"],
            "suboptimality": record["suboptimality"]}  # fmt: skip


def _timed(server: Server, tol: float, strict: bool, effort: Effort) -> Answer:
    many = 12 if server.task.row.kind == "cv" else 1
    return server.ask(tol, strict, "run", effort.runs, effort.limit * many, effort.budget)


def _name(server: Server, criterion: str) -> dict:
    return {
        "row": server.task.row.name,
        "tool": server.contestant.tool,
        "mode": server.contestant.mode,
        "version": server.version,
        "criterion": criterion,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine()["cpu"],
    }


def _record(server: Server, answer: Answer, tol: float, criterion: str) -> dict:
    """A record of README.md's schema; scores are of the answer that was timed, where it holds coefficients."""
    scores = score(server.task, answer)
    if not scores:
        scores = tuning.audited(server, tol, 600.0)[1]
    record = {
        **_name(server, criterion),
        "threads": 1,
        "tol": tol,
        "seconds": median(answer.wall),
        "cpu_seconds": median(answer.cpu),
        "wall": answer.wall,
        "cpu": answer.cpu,
        **scores,
    }
    if answer.passes is not None:
        record["passes"] = answer.passes
    if answer.scores is not None and server.task.row.kind == "cv":
        record["curve_apart"] = _apart(server.task, answer.scores)
    print(_line(record), file=sys.stderr, flush=True)
    return record


def _apart(task: Task, scores: np.ndarray) -> float:
    """Largest relative difference of the mean held-out error from ours at tol 1e-12; deviances are twice ours."""
    curve, exact = scores.mean(1), reference(task).curve
    if curve.shape != exact.shape:
        return float("nan")
    unit = 2.0 if abs(curve[0] / exact[0] - 2) < 0.5 else 1.0
    return float(np.abs(curve / exact / unit - 1).max())


def _line(record: dict) -> str:
    label = f"{record['tool']} ({record['mode']})" if record["mode"] else record["tool"]
    times = f"cpu {record['cpu_seconds']:8.4g}  wall {record['seconds']:8.4g}"
    scores = f"gap {record['gap']:.1e}  suboptimality {record['suboptimality']:.1e}"
    return f"  {record['row']:9s}{label:28s}{record['criterion']}  tol {record['tol']:.1e}  {times}  {scores}"
