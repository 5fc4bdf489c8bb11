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
FINE = 10**0.26


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

    def guess(self, contestant: Contestant, version: str, name: str, bound: float) -> float:
        """Where to start: the median, over rows known already, of the loosest tolerance that met the bound."""
        met = []
        for key, entries in self.entries.items():
            good = [entry["tol"] for entry in entries if entry.get(name, bound + 1.0) <= bound]
            if key.endswith(f"| {contestant.label} {version}") and good:
                met.append(max(good))
        return sorted(met)[len(met) // 2] if met else DEFAULT_TOL[contestant.tool]

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
    """Between a tolerance that meets the criterion and one that does not, until a quarter of a tenth parts them."""
    name, bound = target(server.task, criterion)
    seen = {
        entry["tol"]: entry
        for entry in book.tried(server.contestant, version, server.task.row.name)
        if entry.get("limit", limit) >= limit
    }

    def meets(tol: float) -> bool:
        tol = float(f"{tol:.3g}")
        if tol not in seen:
            seen[tol] = _attempt(server, version, book, tol, limit)
        return seen[tol].get(name, float("inf")) <= bound

    good, bad = _bracket(seen, name, bound)
    if good is None:
        tol = min(book.guess(server.contestant, version, name, bound), (bad or float("inf")) / 10)
        while not any("refused" in entry for entry in seen.values()) and tol > TIGHTEST and not meets(tol):
            tol /= 10
        good, bad = _bracket(seen, name, bound)
    if good is None:
        return _best(seen, name)
    while bad is None and good < LOOSEST:
        meets(10 * good)
        good, bad = _bracket(seen, name, bound)
    while bad is not None and bad / good > FINE:
        meets((good * bad) ** 0.5)
        good, bad = _bracket(seen, name, bound)
    return Tuned(good, True)


def _bracket(seen: dict, name: str, bound: float) -> tuple[float | None, float | None]:
    """The loosest tolerance below which every finished one meets the bound, and the next looser one that was tried.

    One that was refused is not met; where nothing tighter was met, it says nothing.
    """
    good = None
    for tol in sorted(seen):
        refused = name not in seen[tol]
        if refused and good is None:
            continue
        if refused or seen[tol][name] > bound:
            return good, tol
        good = tol
    return good, None


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
        entry = {"tol": tol, "refused": str(reason), "limit": limit}
    book.add(server.contestant, version, server.task.row.name, entry)
    return entry
