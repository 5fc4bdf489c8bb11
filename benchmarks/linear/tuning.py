"""The loosest tolerance that meets a criterion, sought once per tool, version and problem; kept in tuned.json."""

import json
from dataclasses import dataclass
from pathlib import Path

from linear.contestants import DEFAULT_TOL, Contestant
from linear.scoring import score
from linear.serving import Answer, Refused, Server
from linear.store import Task

BOOK = Path(__file__).resolve().parent / "tuned.json"
TARGET = 1e-6
TIGHTEST, LOOSEST = 1e-15, 0.1


@dataclass(frozen=True)
class Tuned:
    """A tolerance; `reached` is false where no tolerance meets the criterion within the limit: then it is the best."""

    tol: float
    reached: bool


def target(task: Task, criterion: str) -> tuple[str, float]:
    """The score that a criterion limits, and its limit."""
    return ("suboptimality", TARGET) if criterion == "s" else ("gap", task.row.gap)


def audited(server: Server, tol: float, limit: float) -> tuple[Answer, dict]:
    """One run at a tolerance, and its scores; of cross-validation the fit on all rows alone."""
    call = "audit" if server.task.row.kind == "cv" else "run"
    answer = server.ask(tol, True, call, 1, limit, budget=0.0)
    return answer, score(server.task, answer)


class Book:
    """What was tried: tolerance, scores and seconds, by tool, mode, version and row."""

    def __init__(self, where: Path = BOOK):
        self.where = where
        self.entries = json.loads(where.read_text()) if where.exists() else {}

    def tried(self, contestant: Contestant, version: str, row: str) -> list[dict]:
        return self.entries.get(_key(contestant, version, row), [])

    def add(self, contestant: Contestant, version: str, row: str, entry: dict) -> None:
        self.entries = json.loads(self.where.read_text()) if self.where.exists() else {}
        found = [old for old in self.tried(contestant, version, row) if old["tol"] != entry["tol"]]
        self.entries[_key(contestant, version, row)] = sorted([*found, entry], key=lambda one: -one["tol"])
        self.save()

    def forget(self, contestant: Contestant, version: str, row: str) -> None:
        self.entries.pop(_key(contestant, version, row), None)
        self.save()

    def save(self) -> None:
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in sorted(self.entries.items())]
        self.where.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _key(contestant: Contestant, version: str, row: str) -> str:
    return f"{row} | {contestant.label} {version}"


def seek(server: Server, version: str, book: Book, criterion: str, limit: float) -> Tuned:
    """By tenths from the tool's default until the criterion turns, then twice by halves of that tenth."""
    name, bound = target(server.task, criterion)
    seen = {entry["tol"]: entry for entry in book.tried(server.contestant, version, server.task.row.name)}

    def meets(tol: float) -> bool:
        tol = float(f"{tol:.3g}")
        if tol not in seen:
            seen[tol] = _attempt(server, version, book, tol, limit)
        return seen[tol].get(name, float("inf")) <= bound

    tol = DEFAULT_TOL[server.contestant.tool]
    if meets(tol):
        while tol < LOOSEST and meets(10 * tol):
            tol *= 10
    else:
        while not meets(tol):
            tol /= 10
            if tol < TIGHTEST or "refused" in seen.get(float(f"{10 * tol:.3g}"), {}):
                return _best(seen, name)
    power = 0.5
    for step in (0.25, 0.125):
        power = power + step if meets(tol * 10**power) else power - step
    return Tuned(max((tried for tried in seen if _good(seen, tried, name, bound)), default=tol), True)


def _good(seen: dict, tol: float, name: str, bound: float) -> bool:
    """Whether this tolerance, and every tighter one that was tried within the limit, meets the bound."""
    tighter = [entry[name] for other, entry in seen.items() if other <= tol and name in entry]
    return name in seen[tol] and max(tighter) <= bound


def _best(seen: dict, name: str) -> Tuned:
    finished = {tol: entry for tol, entry in seen.items() if name in entry}
    if not finished:
        raise Refused(next(iter(seen.values()))["refused"])
    return Tuned(min(finished, key=lambda tol: finished[tol][name]), False)


def _attempt(server: Server, version: str, book: Book, tol: float, limit: float) -> dict:
    try:
        answer, scores = audited(server, tol, limit)
        entry = {"tol": tol, "seconds": round(min(answer.cpu), 4), **scores}
    except Refused as reason:
        entry = {"tol": tol, "refused": str(reason)}
    book.add(server.contestant, version, server.task.row.name, entry)
    return entry
