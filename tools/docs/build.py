"""Write what the site is made of: pages with measured numbers, pictures, the reference, and the list of pages.

usage: python tools/docs/build.py [--quick] [--out build]

Claims are measured in full, which takes minutes; `--quick` takes the short measurement, for looking at a page. What was
measured is kept in build/docs-cache until the library's sources change.
"""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from benchmark_page import benchmark_page
from claim_pages import claim_pages
from reference import reference_pages

ROOT = Path(__file__).resolve().parents[2]
WORDS = ROOT / "docs"
# Where a page links to something of the repository that the site shows under another name.
MOVED = {
    "README.md": "index.md",
    "benchmarks/README.md": "benchmarks.md",
    "docs/decisions/README.md": "decisions/index.md",
}
NAMES = {"guides": "Guides", "mathematics": "Mathematics"}


def main() -> None:
    """Write build/docs and build/site.yml."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    asked = parser.parse_args()
    out = asked.out / "docs"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    claims = claim_pages(WORDS / "claims", out / "claims", asked.out / "docs-cache", asked.quick)
    reference = reference_pages(out / "reference")
    benchmark_page(ROOT / "benchmarks" / "results", ROOT / "benchmarks" / "README.md", out / "benchmarks.md")
    for path in sorted(WORDS.rglob("*.md")):
        relative = path.relative_to(WORDS)
        if relative.parts[0] not in ("claims", "decisions"):
            (out / relative).parent.mkdir(parents=True, exist_ok=True)
            (out / relative).write_text(linked(path.read_text(encoding="utf-8"), path, out), encoding="utf-8")
    decisions = decision_pages(out / "decisions")
    for name in ("style.css", "iframe-worker.js"):
        shutil.copy(ROOT / "tools" / "docs" / name, out / name)
    (asked.out / "site.yml").write_text(site(out, claims, reference, decisions), encoding="utf-8")
    print(f"{len(list(out.rglob('*.md')))} pages in {out}", file=sys.stderr)


def linked(text: str, source: Path, out: Path) -> str:
    """A page whose links to files of the repository are links within the site."""

    def change(match: re.Match) -> str:
        words, target, _ = match.groups()
        if "://" in target or target.startswith(("#", "mailto:")):
            return match.group()
        place = (source.parent / target).resolve()
        name = place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else target
        if name in MOVED:
            here = source.relative_to(WORDS).parent
            up = "../" * len(here.parts)
            return f"[{words}]({up}{MOVED[name]})"
        if place.is_relative_to(WORDS):
            return match.group()
        return f"{words} (`{name}`)" if f"`{name}`" not in words else words

    return re.sub(r"\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)", change, text)


def decision_pages(out: Path) -> list[tuple[str, str]]:
    """Copy the records and write their list; file names and titles."""
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for path in sorted((WORDS / "decisions").glob("0*.md")):
        text = path.read_text(encoding="utf-8")
        (out / path.name).write_text(linked(text, path, out), encoding="utf-8")
        found.append((path.name, text.splitlines()[0].removeprefix("# ")))
    words = (WORDS / "decisions" / "README.md").read_text(encoding="utf-8").rstrip()
    rows = [f"- [{title}]({name})" for name, title in found]
    (out / "index.md").write_text("\n".join([words, "", *rows, ""]), encoding="utf-8")
    return [("index.md", "Decisions"), *found]


def title_of(path: Path) -> str:
    """The first heading of a page."""
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")


def site(
    out: Path, claims: list[tuple[str, str]], reference: list[tuple[str, str]], decisions: list[tuple[str, str]]
) -> str:
    """The list of pages, on top of tools/docs/mkdocs.yml."""
    settings = os.path.relpath(ROOT / "tools" / "docs" / "mkdocs.yml", out.parent)
    lines = [f"INHERIT: {settings}", "nav:"]

    def entry(title: str, target: str, indent: int = 2) -> None:
        lines.append(f"{' ' * indent}- {quoted(title)}: {target}")

    entry("Start", "index.md")
    entry("Quick start", "quickstart.md")
    lines.append("  - Claims:")
    lines.append("      - claims/index.md")
    for name, title in claims:
        entry(title, f"claims/{name}", 6)
    lines.append("  - Guides:")
    entry(title_of(out / "networks.md"), "networks.md", 6)
    for folder, title in NAMES.items():
        pages = sorted((out / folder).glob("*.md"))
        if folder != "guides" and pages:
            lines.append(f"  - {title}:")
        for page in pages:
            entry(title_of(page), page.relative_to(out).as_posix(), 6)
    entry("Benchmarks", "benchmarks.md")
    lines.append("  - Reference:")
    for name, title in reference:
        entry(title, f"reference/{name}", 6)
    lines.append("  - Decisions:")
    for name, title in decisions:
        lines.append(
            f"      - decisions/{name}" if name == "index.md" else f"      - {quoted(title)}: decisions/{name}"
        )
    return "\n".join(lines) + "\n"


def quoted(title: str) -> str:
    """A title as YAML."""
    return "'" + title.replace("'", "''").replace("`", "") + "'"


if __name__ == "__main__":
    main()
