"""The pieces of a page: one file, no network, no script, everything that comes from data escaped by who puts it in."""

from html import escape
from importlib.metadata import version

from shrinkage.report._style import CSS

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Told to the browser: nothing is loaded from anywhere, no script runs."""


def section(title: str, body: str) -> str:
    """A part of the page under its own heading; `body` is HTML already."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def notes(said: tuple[str, ...]) -> str:
    """What the reader should know, as a list in a box; nothing where there is nothing."""
    items = "".join(f"<li>{escape(note)}</li>" for note in said)
    return f'<section class="notes"><ul>{items}</ul></section>' if said else ""


def pairs(known: tuple[tuple[str, str], ...]) -> str:
    """Names and values."""
    return "<dl>" + "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in known) + "</dl>"


def table(head: list[str], rows: list[list[str]], caption: str = "", classes: list[str] | None = None) -> str:
    """A table whose cells are HTML already; the first column is text, all others are numbers."""
    top = "".join(f"<th{'' if place == 0 else ' class=num'}>{cell}</th>" for place, cell in enumerate(head))
    body = ""
    for place, row in enumerate(rows):
        mark = f' class="{classes[place]}"' if classes and classes[place] else ""
        cells = "".join(f"<td{'' if k == 0 else ' class=num'}>{cell}</td>" for k, cell in enumerate(row))
        body += f"<tr{mark}>{cells}</tr>"
    said = f"<caption>{caption}</caption>" if caption else ""
    return f'<div class="wide"><table>{said}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def page(title: str, lead: str, sections: list[str]) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>"
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p></header>'
        f"{''.join(sections)}<footer>shrinkage {escape(version('shrinkage'))}</footer></main></body></html>\n"
    )
