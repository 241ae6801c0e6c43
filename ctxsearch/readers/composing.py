"""A document's text put together from blocks, with its headings and pages where they stand.

Blocks are set apart by a blank line. The rows of a table are lines, each of which can be understood without the others:
where the table has a header, a cell reads ``header: value``. Cells are joined by " | ".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ctxsearch.errors import SourceError
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading, Page

_SPACE = re.compile(r"\s+")
CELLS_APART = " | "


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

    def table(self, rows: Sequence[Sequence[str]], header: bool | None = None) -> None:
        """The rows of a table as one block.

        Args:
            header: whether the first row names the columns; None to look.
        """
        for number, text in enumerate(table_lines(rows, header)):
            (self.line if number else self.block)(text)

    def insert(self, text: str, headings: Iterable[Heading] = (), below: int = 0) -> None:
        """A text that was put together elsewhere, its headings so many levels deeper."""
        if text.strip():
            self._separate("\n\n")
            start = self._length
            self._put(text.rstrip())
            self.headings += [Heading(start + h.start, h.level + below, h.title) for h in headings]

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
            "".join(self._parts),
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


def one_line(text: str) -> str:
    """A text with each run of white space as one space."""
    return _SPACE.sub(" ", text).strip()


def table_lines(rows: Sequence[Sequence[str]], header: bool | None = None) -> list[str]:
    """A line for each row that holds something; see the top of this module."""
    cleaned = [[one_line(cell) for cell in row] for row in rows]
    cleaned = [row for row in cleaned if any(row)]
    if not cleaned:
        return []
    if header is None:
        header = looks_like_header(cleaned)
    if not header or len(cleaned) == 1:
        return [CELLS_APART.join(filter(None, row)) for row in cleaned]
    names, body = cleaned[0], cleaned[1:]
    named = {column for row in body for column, cell in enumerate(row) if cell}
    lines = [record_line(names, row) for row in body]
    alone = [name for column, name in enumerate(names) if name and column not in named]
    return ([CELLS_APART.join(alone)] if alone else []) + lines


def record_line(names: Sequence[str], row: Sequence[str]) -> str:
    """The cells of a row with their columns' names; those without one stand alone."""
    cells = []
    for column, cell in enumerate(row):
        if cell:
            name = names[column] if column < len(names) else ""
            cells.append(f"{name.rstrip(':')}: {cell}" if name and name != cell else cell)
    return CELLS_APART.join(cells)


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: all filled, different, short, no numbers, and more rows below.

    The first cell may be empty where others follow: the column below it names the rows.
    """
    if len(rows) < 2 or len(rows[0]) < 2:
        return False
    names = [one_line(cell) for cell in rows[0]]
    if len(names) > 2 and not names[0]:
        names = names[1:]
    if not all(names) or len(set(names)) < len(names):
        return False
    return all(len(name) <= 60 and not _is_number(name) for name in names)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+(]?[\d.,/:%$€£ -]+\)?", text))
