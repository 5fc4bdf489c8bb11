"""Refuse a site that fetches anything from elsewhere, lacks a public name, or has a place that nothing filled.

usage: python tools/docs/check_site.py build/site
"""

import importlib
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

from reference import ROOMS, public_names

FETCHED = dict.fromkeys(["script", "img", "iframe", "source", "video", "audio", "embed"], "src")
FETCHED |= {"object": "data", "use": "href", "image": "href"}
RELATIONS = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "dns-prefetch", "manifest", "prefetch"}

UNFILLED = re.compile(r"\[\[[A-Za-z_]|\$\$|:::|\]\(|\\[a-z]{2,}")  # the last is a formula that nobody read


class Page(HTMLParser):
    """What a page fetches, links to, and can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.words: list[str] = []
        self._quiet = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the element fetches, and its id."""
        said = dict(attrs)
        if tag in FETCHED and said.get(FETCHED[tag]):
            self.fetched.append(str(said[FETCHED[tag]]))
        if tag == "link" and RELATIONS & set(str(said.get("rel", "")).split()):
            self.fetched.append(str(said.get("href")))
        if tag == "a" and said.get("href"):
            self.links.append(str(said["href"]))
        if said.get("id"):
            self.ids.add(str(said["id"]))
        if tag == "a" and said.get("name"):
            self.ids.add(str(said["name"]))
        self._quiet += tag in ("script", "style", "pre", "code")

    def handle_endtag(self, tag: str) -> None:
        """Leave code behind."""
        self._quiet -= tag in ("script", "style", "pre", "code")

    def handle_data(self, data: str) -> None:
        """Keep words that are not code."""
        if not self._quiet:
            self.words.append(data)


def complaints(site: Path) -> list[str]:
    """Everything that is wrong with a site, as sentences."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site)
        found += [f"{name} fetches {url}" for url in page.fetched if _is_elsewhere(url)]
        words = " ".join(page.words)
        found += [f"{name} shows {mark!r}" for mark in UNFILLED.findall(words)]
        found += [f"{name} links to {link}" for link in page.links if _is_lost(link, path, pages)]
    for path in sorted(site.rglob("*.css")):
        urls = re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""", path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)} fetches {url}" for url in urls if _is_elsewhere(url)]
    for room in ROOMS:
        there = pages[site / "reference" / f"{room}.html"].ids
        names = public_names(importlib.import_module(f"shrinkage.{room}"))
        found += [f"reference/{room}.html lacks {name}" for name in names if f"shrinkage.{room}.{name}" not in there]
    return found


def _is_elsewhere(url: str) -> bool:
    return url.startswith(("http:", "https:", "//"))


def _is_lost(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    """Whether a link within the site leads nowhere."""
    if re.match(r"[a-z]+:|//", link):
        return False
    target, anchor = urldefrag(unquote(link))
    place = (path.parent / target).resolve() if target else path
    place = place / "index.html" if place.is_dir() else place
    if not place.exists():
        return path.name != "404.html"
    return bool(anchor) and place in pages and anchor not in pages[place].ids


def main() -> None:
    """Print what is wrong; exit with 1 where anything is."""
    site = Path(sys.argv[1]).resolve()
    found = complaints(site)
    print("\n".join(found), file=sys.stderr)
    if found:
        sys.exit(1)
    print(f"{site.joinpath('index.html').as_uri()}: {len(list(site.rglob('*.html')))} pages")


if __name__ == "__main__":
    main()
