"""Formulas as MathML: `$...$` in a line and `$$...$$` on lines of its own, without a script in the browser."""

import re
from typing import Any

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.inlinepatterns import InlineProcessor
from markdown.preprocessors import Preprocessor
from pages import outside_code

INLINE = r"(?<![\\$\w])\$(?![\s$])((?:\\.|[^$\\\n]|\n(?!\n))+?)(?<![\s\\])\$(?![\w$])"
BLOCK = re.compile(r"^\$\$\s*(.+?)\s*\$\$[ \t]*$", re.MULTILINE | re.DOTALL)


class InlineFormula(InlineProcessor):
    """A formula in a line."""

    def handleMatch(self, m: re.Match, data: str) -> tuple[Any, int, int]:
        """Return a placeholder for the formula, and what it replaces."""
        return self.md.htmlStash.store(convert(m.group(1))), m.start(0), m.end(0)


class BlockFormulas(Preprocessor):
    """Formulas on lines of their own, outside code."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines with a placeholder for each formula."""
        return outside_code("\n".join(lines), self._formulas).split("\n")

    def _formulas(self, text: str) -> str:
        def stash(match: re.Match) -> str:
            element = convert(match.group(1), display="block")
            placeholder = self.md.htmlStash.store(f'<div class="formula">{element}</div>')
            return f"\n{placeholder}\n"

        return BLOCK.sub(stash, text)


class Formulas(Extension):
    """Both."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register them: blocks before code is taken out (code is left alone), lines after code spans are."""
        md.preprocessors.register(BlockFormulas(md), "formulas", 28)
        md.inlinePatterns.register(InlineFormula(INLINE, md), "formula", 185)


def makeExtension(**options: Any) -> Formulas:
    """Return the extension, as Markdown asks for it."""
    return Formulas(**options)
