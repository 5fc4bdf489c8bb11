"""What the files of rows say: who was the fastest, and by how much. Imports nothing of the library."""

import json
from pathlib import Path

OURS = "shrinkage"


def read(where: Path) -> dict:
    return json.loads(where.read_text())


def own(content: dict) -> dict | None:
    """Our record of a row."""
    return next((record for record in content["records"] if record["tool"] == OURS and not record["mode"]), None)


def fastest(content: dict, criterion: str, clock: str = "cpu_seconds") -> dict | None:
    """The fastest peer that meets the criterion; where none does, the one that came closest."""
    score = {"s": "suboptimality", "g": "gap", "d": "gap"}[criterion]
    found = [one for one in content["records"] if one["criterion"] == criterion and one["tool"] != OURS]
    found = [one for one in found if "refused" not in one]
    reached = [one for one in found if one.get("reached", True)]
    if reached:
        return min(reached, key=lambda one: one[clock])
    return min(found, key=lambda one: one[score], default=None)


def ratio(content: dict, criterion: str, clock: str = "cpu_seconds") -> float | None:
    """How many times longer than ours the fastest peer took."""
    mine, theirs = own(content), fastest(content, criterion, clock)
    return theirs[clock] / mine[clock] if mine and theirs else None


def label(record: dict) -> str:
    """The tool and its mode."""
    return f"{record['tool']} ({record['mode']})" if record["mode"] else record["tool"]
