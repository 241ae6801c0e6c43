"""A document's text put together from blocks, with its headings and pages where they stand.

Blocks are set apart by a blank line. The rows of a table are lines; see `grid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctxsearch.errors import SourceError
from ctxsearch.readers.grid import CELLS_APART, Grid, one_line
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading, Page

__all__ = ["CELLS_APART", "Composer", "alternative", "is_east_asian", "one_line", "table_lines"]

_EAST_ASIAN = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")


def is_east_asian(text: str) -> bool:
    """Whether a text has Chinese characters, kana or hangul."""
    return _EAST_ASIAN.search(text) is not None


_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?|avif|ico|emf|wmf)", re.IGNORECASE)
_SAYS_NOTHING = frozenset("image img photo picture icon logo spacer graphic thumbnail avatar".split())
_BY_PROGRAM = re.compile(r"\s*(?:Description automatically generated.*|AI-generated content may be incorrect\.?)$")


def alternative(words: str) -> str:
    """What the alternative text of a picture says; "" for the name of a file and the like."""
    words = one_line(_BY_PROGRAM.sub("", words))
    return "" if words.lower() in _SAYS_NOTHING or _FILE_NAME.fullmatch(words) else words


class Composer:
    """A text that grows."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self.pages: list[Page] = []
        self._parts: list[str] = []
        self._length = 0
        self._page: int | None = None

    def page(self, number: int) -> None:
        """What comes next stands on this page."""
        self._page = number

    def heading(self, title: str, level: int) -> None:
        """A heading in a block of its own."""
        title = one_line(title)
        if title:
            self._separate("\n\n")
            self.headings.append(Heading(self._length, level, title))
            self._put(title)

    def block(self, text: str) -> None:
        """A paragraph, or whatever else stands apart; line ends inside are kept."""
        if text := text.strip():
            self._separate("\n\n")
            self._put(text)

    def line(self, text: str) -> None:
        """A line of the block before."""
        if text := text.strip():
            self._separate("\n")
            self._put(text)

    def table(self, table: Grid | Iterable[Sequence[str]], header: bool | None = None) -> None:
        """The rows of a table as one block, titles above it each as one of their own.

        Args:
            table: the rows, or their grid where cells span others.
            header: whether the first row names the columns; None to look.
        """
        grid = table if isinstance(table, Grid) else Grid.of(table, header=bool(header))
        titles, lines = grid.titles_and_lines(guess=header is None)
        for title in titles:
            self.block(title)
        self.block("\n".join(lines))

    def insert(self, text: str, headings: Iterable[Heading] = (), below: int = 0) -> None:
        """A text that was put together elsewhere, its headings so many levels deeper."""
        if text.strip():
            self._separate("\n\n")
            start = self._length
            self._put(text.rstrip())
            self.headings += [Heading(start + h.start, h.level + below, h.title) for h in headings]

    def text(self) -> str:
        """All text so far."""
        return "".join(self._parts)

    def is_empty(self) -> bool:
        """Whether nothing was put."""
        return not self._parts

    def document(self, file: File, title: str = "", metadata: Mapping[str, Any] | None = None) -> Document:
        """The whole as a document, called by its title, else its first heading, else the file's name.

        Raises:
            SourceError: there is no text.
        """
        if not self._parts:
            raise SourceError(file.source, "has no text")
        first = self.headings[0].title if self.headings else ""
        return Document(
            self.text(),
            file.source,
            one_line(title) or first or file.path.stem,
            {key: value for key, value in (metadata or {}).items() if value not in (None, "", [])},
            tuple(self.headings),
            str(file.origin),
            pages=tuple(self.pages),
        )

    def _separate(self, gap: str) -> None:
        if self._parts:
            self._parts.append(gap)
            self._length += len(gap)
        if self._page is not None:
            self.pages.append(Page(self._length, self._page))
            self._page = None

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)


def table_lines(rows: Iterable[Sequence[str]], header: bool | None = None) -> list[str]:
    """A line for each row that holds something; see `grid`."""
    return Grid.of(rows, header=bool(header)).lines(guess=header is None)
