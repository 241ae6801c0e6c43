"""PDF, by pdfium: text in reading order with its headings and pages.

    lines.py        a page -> its lines as they are drawn, where they stand and how large they are
    annotations.py  values of forms, comments
    furniture.py    running heads and page numbers are left out
    layout.py       lines in reading order, columns, tables
    heads.py        headings are found
    hyphens.py      whether a hyphen at the end of a line belongs to its word
    __init__        lines -> paragraphs -> a document

Words divided at a line's end are joined, paragraphs go on over columns and pages. A page without text is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import one_line
from ctxsearch.readers.decoding import read_bytes
from ctxsearch.readers.pdf.annotations import annotations_of, init_forms
from ctxsearch.readers.pdf.furniture import without_furniture
from ctxsearch.readers.pdf.heads import find_headings, title_of
from ctxsearch.readers.pdf.hyphens import Hyphens
from ctxsearch.readers.pdf.layout import in_order, with_values
from ctxsearch.readers.pdf.lines import Line, rows_of
from ctxsearch.readers.walk import File, Skipped
from ctxsearch.records import Document, Heading, Page

_DATE = re.compile(r"D:(\d{4})(\d\d)?(\d\d)?")
_NO_TITLE = re.compile(
    r"untitled.*|microsoft word - .*|\S+\.(?:docx?|dvi|tex|indd|pdf|rtf|qxd|pptx?|xlsx?)", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]]*$")
_ITEM = re.compile(r"(?:[-•*–‣◦▪■●]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s")
_LAST_WORD = re.compile(r"([^\W\d_]+)-$")
_FIRST_WORD = re.compile(r"[^\W\d_]+")


def read(file: File) -> Iterator[Document | Skipped]:
    """The file as one document; pages that are only pictures are said.

    Raises:
        SourceError: it is encrypted, damaged, or has no text.
    """
    data = read_bytes(file)
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD:
            raise SourceError(file.source, "is encrypted; save it without a password") from error
        raise SourceError(file.source, "is damaged: not a whole PDF") from error
    init_forms(pdf)
    pages: list[list[list[Line]]] = []
    comments: list[list[Line]] = []
    pictures = []
    for number in range(len(pdf)):
        try:
            page = pdf[number]
        except pypdfium2.PdfiumError:
            pages.append([])
            comments.append([])
            yield Skipped(f"{file.source} p. {number + 1}", "a damaged page")
            continue
        rows = rows_of(page, number)
        if not rows and next(page.get_objects(max_depth=1), None) is not None:
            pictures.append(number + 1)
        values, its_comments = annotations_of(page, number)
        pages.append(with_values(rows, values))
        comments.append(its_comments)
        page.close()
    if not any(pages) and not any(comments):
        count = f"its {len(pages)} pages are" if len(pages) > 1 else "its page is"
        raise SourceError(
            file.source,
            f"has no text: {count} a picture (a scan?); let a program for text recognition add it, such as ocrmypdf"
            if pictures
            else "has no text",
        )
    for number in pictures:
        yield Skipped(f"{file.source} p. {number}", "a page without text (a scan?)")
    kept = [in_order(rows) + its for rows, its in zip(without_furniture(pages), comments, strict=True)]
    yield _document(file, pdf, kept)


def _document(file: File, pdf: pypdfium2.PdfDocument, kept: Sequence[list[Line]]) -> Document:
    levels = find_headings(kept, _outline(pdf))
    text = _Paragraphs(kept)
    for number, lines in enumerate(kept, start=1):
        text.page = number
        for line in lines:
            text.add(line, levels.get(id(line), 0))
    headings = tuple(text.headings)
    stated = {key: one_line(value).strip("\0 ") for key, value in pdf.get_metadata_dict(skip_empty=True).items()}
    title = stated.get("Title", "")
    if _NO_TITLE.fullmatch(title):
        title = ""
    metadata: dict[str, Any] = {"author": stated.get("Author"), "created": _date(stated.get("CreationDate", ""))}
    return Document(
        text.finish(),
        file.source,
        title or title_of(kept[0]) or (headings[0].title if headings else file.path.stem),
        {key: value for key, value in metadata.items() if value} | {"pages": len(kept)},
        headings,
        str(file.origin),
        pages=tuple(text.pages),
    )


def _outline(pdf: pypdfium2.PdfDocument) -> list[tuple[int, int, str]]:
    """Bookmarks: index of the page, level from 1, title."""
    found = []
    try:
        for bookmark in pdf.get_toc(max_depth=6):
            destination = bookmark.get_dest()
            index = destination.get_index() if destination else None
            if index is not None and (title := one_line(bookmark.get_title())):
                found.append((index, bookmark.level + 1, title))
    except (pypdfium2.PdfiumError, UnicodeError, ValueError):
        return []
    return found


def _date(stated: str) -> str:
    match = _DATE.match(stated)
    return "-".join(filter(None, match.groups())) if match else ""


class _Paragraphs:
    """A text that grows by lines: those of one paragraph are joined."""

    def __init__(self, pages: Sequence[list[Line]]) -> None:
        self.page = 0
        self.pages: list[Page] = []
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._last: Line | None = None
        self._level = 0
        self._edges = _right_edges(pages)
        self._hyphens = Hyphens(line.text[:-1] if line.hyphenated else line.text for lines in pages for line in lines)

    def add(self, line: Line, level: int) -> None:
        """The next line; a heading if it has a level."""
        text, last = line.text, self._last
        if last is None:
            gap = ""
        elif level or self._level:
            gap = " " if level == self._level and self._goes_on(last, line) else "\n\n"
        else:
            gap = self._gap(last, line)
        joined = gap == " "
        if joined and last and last.hyphenated:
            gap = self._join(text)
        self._put(gap)
        if not self.pages or self.pages[-1].number != self.page:
            self.pages.append(Page(self._length, self.page))
        if level and not joined:
            self.headings.append(Heading(self._length, level, text))
        elif level:
            above = self.headings.pop()
            self.headings.append(Heading(above.start, level, f"{above.title}{gap}{text}"))
        self._put(text)
        self._last, self._level = line, level

    def finish(self) -> str:
        """All text."""
        return "".join(self._parts)

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _goes_on(self, last: Line, line: Line) -> bool:
        """Whether a line stands right below another of its size."""
        return line.page == last.page and line.follows(last) and abs(line.size - last.size) < 0.1 * last.size

    def _gap(self, last: Line, line: Line) -> str:
        """What stands between two lines of text: a space inside of a paragraph."""
        if last.group or line.group:
            return "\n" if last.group == line.group and last.page == line.page else "\n\n"
        if line.page != last.page or not line.follows(last):  # the next column, the next page
            runs_on = not _SENTENCE_END.search(last.text) and line.text[:1].islower()
            return " " if runs_on or (last.hyphenated and line.text[:1].islower()) else "\n\n"
        if abs(line.size - last.size) > 0.15 * last.size or line.gap_to(last) > 0.7 * last.size:
            return "\n\n"
        if _ITEM.match(line.text):
            return "\n"
        edge = self._edges.get((last.page, last.column), last.right)
        is_full = last.hyphenated or last.right >= edge - 0.15 * max(edge - last.left, 1.0)
        indented = line.left > last.left + 0.8 * last.size and bool(_SENTENCE_END.search(last.text))
        if indented and not _ITEM.match(last.text):
            return "\n\n"
        return " " if is_full else "\n"

    def _join(self, text: str) -> str:
        """Drop the hyphen at the end of what is there, if it is one of a divided word; returns what to put instead."""
        before, after = _LAST_WORD.search(self._parts[-1]), _FIRST_WORD.match(text)
        if not before or not after or not after[0][0].islower():
            return ""
        if self._hyphens.belongs(before[1], after[0]):
            return ""
        self._parts[-1] = self._parts[-1][:-1]
        self._length -= 1
        return ""


def _right_edges(pages: Sequence[list[Line]]) -> dict[tuple[int, int], float]:
    """How far right the text of each column of each page reaches."""
    edges: dict[tuple[int, int], float] = {}
    for lines in pages:
        for line in lines:
            if len(line.text) > 20:
                place = line.page, line.column
                edges[place] = max(edges.get(place, 0.0), line.right)
    return edges
