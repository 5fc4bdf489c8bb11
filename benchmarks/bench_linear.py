"""Linear models beside scikit-learn, celer, skglm, glum, adelie and R's glmnet: by three criteria, as ratios.

Every row has its file in benchmarks/results/linear/, into which the records of each run are merged; a peer that was
slow is not measured again unless --fresh. --quick compares the fastest peers of pip with what is recorded.
"""

import argparse
import sys
from pathlib import Path

from linear import extras, limits, measuring, quick, tables
from linear.contestants import OUR_MODES, OURS, TOOLS, contestants, refusal
from linear.rows import ROWS
from linear.store import task

RESULTS = Path(__file__).resolve().parent / "results" / "linear"
PARTS = ("speed", "threads", "memory")


def run_row(name: str, asked: argparse.Namespace) -> None:
    """Measure a row and merge its records, one at a time: an interrupted run keeps what it did."""
    print(f"{name}: {ROWS[name].title}", file=sys.stderr, flush=True)
    stated, peers = task(name), asked.peers.split(",")
    effort = measuring.Effort(runs=asked.runs, limit=asked.limit, once=asked.once)
    book = tables.RowFile(RESULTS / f"{name}.json", stated)
    parts = asked.parts.split(",")
    if "speed" in parts:
        if OURS in peers:
            for mode in OUR_MODES.get(name, ("",)):
                book.merge(measuring.ours(stated, effort, mode))
            book.put("limit", limits.limit(book.content))
        book.put("absent", {tool: why for tool in TOOLS if (why := refusal(tool, stated.row, stated.data.meta))})
        for contestant in contestants(stated.row, stated.data.meta):
            if contestant.tool in peers:
                kept = [] if asked.fresh else book.records
                for record in measuring.peer(contestant, stated, asked.criteria, effort, kept, book.fastest_seconds):
                    book.merge(record)
    if "threads" in parts:
        book.put("threads", extras.two_threads(stated))
    if "memory" in parts and name in extras.MEMORY_ROWS:
        book.put("memory", extras.memory(stated))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="names of rows, with commas")
    parser.add_argument("--peers", default=",".join((OURS, *TOOLS)), help="tools, with commas; shrinkage is one")
    parser.add_argument("--criteria", default="dsg", help="d: defaults, s: true suboptimality, g: certified gap")
    parser.add_argument("--parts", default=",".join(PARTS), help="speed, threads, memory")
    parser.add_argument("--runs", type=int, default=3, help="runs whose median counts; slow peers get fewer")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that one run of a path may take")
    parser.add_argument("--once", type=float, default=15.0, help="seconds beyond which a peer is not measured again")
    parser.add_argument("--fresh", action="store_true", help="measure again what was slow")
    parser.add_argument("--quick", action="store_true", help="under 3 minutes: beside what is recorded, nothing stored")
    parser.add_argument("--table", action="store_true", help="only print what is recorded")
    parser.add_argument("--clock", choices=tuple(measuring.CLOCKS), default="cpu", help="of the table: cpu or wall")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    clock, names = measuring.CLOCKS[asked.clock], asked.rows.split(",")
    if asked.quick:
        print(quick.compare(RESULTS, clock))
        return
    for name in names if not asked.table else ():
        run_row(name, asked)
    found = [RESULTS / f"{name}.json" for name in names]
    print(tables.summary([tables.read(where) for where in found if where.exists()], clock))


if __name__ == "__main__":
    main()
