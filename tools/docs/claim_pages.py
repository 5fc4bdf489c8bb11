"""The pages of claims: every claim measured in full, checked, and written into its words."""

import hashlib
import pickle
import sys
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import figures
import pages


def claim_pages(words: Path, out: Path, cache: Path, quick: bool) -> list[tuple[str, str]]:
    """Write one page for each claim and their list; file names and titles, in order.

    Raises
    ------
    ClaimBroken
        If a measurement does not show its claim: documentation that is wrong is not built.
    """
    from shrinkage.claims import ALL

    out.mkdir(parents=True, exist_ok=True)
    rows, found = [], []
    for claim in ALL:
        record = measured(claim, cache, quick)
        claim.check(record)
        text = (words / f"{claim.name}.md").read_text(encoding="utf-8")
        (out / f"{claim.name}.md").write_text(page(claim, text, record), encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ")
        rows.append(f"| {claim.number} | [{title}]({claim.name}.md) | {claim.sentence} |")
        found.append((f"{claim.name}.md", f"{claim.number}. {title}"))
    (out / "index.md").write_text("\n".join([*LIST, *rows, ""]), encoding="utf-8")
    return found


LIST = (
    "# Claims",
    "",
    "What is said of L1 and L2 penalties everywhere, measured. Each result and picture on these pages was computed",
    "when the pages were built, by this library, on the data that the page names. Each claim has a check that fails",
    "the build when the measurement does not show it, and tests that break it on purpose and see the check fail.",
    "`shrinkage explain` measures them again on your machine.",
    "",
    "| | page | claim |",
    "|--:|---|---|",
)


def page(claim: Any, text: str, record: Any) -> str:
    """Words, with numbers and pictures."""

    def pictures(part: str) -> str:
        return pages.PICTURE.sub(lambda match: _figure(claim, record, match.group(2), match.group(1)), part)

    return pages.outside_code(pages.filled(text, record), pictures)


def _figure(claim: Any, record: Any, name: str, words: str) -> str:
    return figures.figure_html(figures.svg(claim.pictures[name], record, f"{claim.name}-{name}"), words)


def measured(claim: Any, cache: Path, quick: bool) -> Any:
    """The record of a claim, from the cache where nothing of the library has changed since."""
    cache.mkdir(parents=True, exist_ok=True)
    place = cache / f"{claim.name}-{'quick' if quick else 'full'}-{_state()}.pickle"
    if place.exists():
        print(f"claim {claim.number}, {claim.name}: from {place}", file=sys.stderr, flush=True)
        return pickle.loads(place.read_bytes())
    started = time.perf_counter()
    record = claim.measure(quick)
    print(f"claim {claim.number}, {claim.name}: {time.perf_counter() - started:.1f} s", file=sys.stderr, flush=True)
    place.write_bytes(pickle.dumps(record))
    return record


def _state() -> str:
    """A name for the library as it is installed: sources, data, compiled core, and every version beside it."""
    import shrinkage
    from shrinkage import _core

    digest = hashlib.sha256()
    root = Path(shrinkage.__file__).parent
    files = [path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    # An editable install has its compiled core elsewhere.
    for path in [*sorted(files), Path(_core.__file__)]:
        digest.update(path.name.encode() + path.read_bytes())
    versions = sorted(f"{one.name} {one.version}" for one in distributions())
    digest.update("\n".join([sys.version, *versions]).encode())
    return digest.hexdigest()[:16]
