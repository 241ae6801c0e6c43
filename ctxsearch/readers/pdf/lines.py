"""The lines of a PDF page as they are drawn: where they stand and how large they are, each in pieces.

pdfium gives characters in the order in which the page draws them. A gap that is wider than a space cuts a line in
pieces: cells of a table, lines of two columns. `layout` puts them in reading order.
"""

from __future__ import annotations

import ctypes
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pypdfium2
import pypdfium2.raw as pdfium

WIDE_GAP = 1.5
"""A gap between words that is so many times as wide as the text is high is no space."""

_HYPHEN = "\x02"
"""pdfium's sign for a hyphen that divides a word at a line's end."""
_HYPHENS = ("-", "\xad", "\u2010", _HYPHEN)
_LINE_ENDS = "\r\n\x0c\x0b"
_NOISE = dict.fromkeys([*range(0x09), 0xFFFE, 0xFFFF, *range(0x0E, 0x20)])


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of text, or a piece of one. Coordinates are those of the page: points, from its lower left corner."""

    text: str
    page: int
    left: float
    right: float
    top: float
    bottom: float
    size: float
    """Height of its characters, ascenders and descenders counted."""
    weight: int
    """Of the font, 400 for a common one; not to be relied on."""
    hyphenated: bool
    """Whether it ends in a hyphen, which may divide a word."""
    column: int = 0
    relative_height: float = 0.0
    """Where its middle stands on the page: 0 at the bottom, 1 at the top."""
    group: int = 0
    """Lines of one group stand below each other and are not joined: the rows of a table, a comment. 0 for none."""

    def follows(self, last: Line) -> bool:
        """Whether this line stands below the other, in the same column."""
        overlaps = self.left < last.right and last.left < self.right
        return overlaps and self.column == last.column and self.bottom < last.bottom and self.top < last.top

    def gap_to(self, last: Line) -> float:
        """White space between the other line and this one, below it."""
        return last.bottom - self.top


def rows_of(page: pypdfium2.PdfPage, number: int) -> list[list[Line]]:
    """The lines of a page as they are drawn, each in the pieces that wide gaps make of it."""
    text_page = page.get_textpage()
    try:
        rows = list(_rows(text_page.raw, pdfium.FPDFText_CountChars(text_page.raw), number))
    finally:
        text_page.close()
    return [[placed(piece, page) for piece in row] for row in rows]


def placed(line: Line, page: pypdfium2.PdfPage) -> Line:
    """A line with its height on the page."""
    _, lower, _, upper = page.get_bbox()
    return replace(line, relative_height=((line.top + line.bottom) / 2 - lower) / max(upper - lower, 1.0))


def _rows(raw: object, count: int, number: int) -> Iterator[list[Line]]:
    """The lines as they are drawn, each in the pieces that wide gaps make of it."""
    characters: list[str] = []
    indices: list[int] = []
    for index in range(count):
        character = chr(pdfium.FPDFText_GetUnicode(raw, index))
        if character not in _LINE_ENDS:
            characters.append(character)
            indices.append(index)
        if character in _LINE_ENDS or character == _HYPHEN:
            yield from _cut(raw, characters, indices, number)
            characters, indices = [], []
    yield from _cut(raw, characters, indices, number)


def _cut(raw: object, characters: list[str], indices: list[int], number: int) -> Iterator[list[Line]]:
    """What pdfium takes for one line, cut where a gap is wide, and where it goes on in another line."""
    boxes = [
        None if character.isspace() or character == _HYPHEN else _box(raw, index)
        for character, index in zip(characters, indices, strict=True)
    ]
    heights = [box[3] - box[2] for box in boxes if box]
    if not heights:
        return
    size = statistics.median(heights)
    pieces: list[Line] = []
    first = 0
    last: tuple[float, float, float, float] | None = None
    for position, box in enumerate(boxes):
        if box is None:
            continue
        if last is not None:
            is_elsewhere = (box[3] < last[2] or box[2] > last[3]) and box[0] < last[1]
            if is_elsewhere and not _is_turned(raw, indices[position]):
                pieces += _piece(raw, characters, boxes, indices, first, position, number)
                if pieces:
                    yield pieces
                pieces, first = [], position
            elif box[0] - last[1] > WIDE_GAP * size:
                pieces += _piece(raw, characters, boxes, indices, first, position, number)
                first = position
        last = box
    pieces += _piece(raw, characters, boxes, indices, first, len(boxes), number)
    if pieces:
        yield pieces


def _is_turned(raw: object, index: int) -> bool:
    """Whether a character is part of a text that runs upwards or downwards."""
    return abs(math.sin(pdfium.FPDFText_GetCharAngle(raw, index))) > 0.5


def _piece(
    raw: object,
    characters: list[str],
    boxes: Sequence[tuple[float, float, float, float] | None],
    indices: list[int],
    first: int,
    end: int,
    number: int,
) -> list[Line]:
    text = "".join(characters[first:end])
    hyphenated = text.rstrip().endswith(_HYPHENS) and len(text.strip()) > 1
    text = " ".join(text.replace(_HYPHEN, "-").replace("\xad", "-" if hyphenated else "").translate(_NOISE).split())
    inside = [box for box in boxes[first:end] if box]
    if not text or not inside:
        return []
    middle = indices[(first + end - 1) // 2]
    return [
        Line(
            text,
            number,
            min(box[0] for box in inside),
            max(box[1] for box in inside),
            statistics.median(box[3] for box in inside),
            statistics.median(box[2] for box in inside),
            statistics.median(box[3] - box[2] for box in inside),
            int(pdfium.FPDFText_GetFontWeight(raw, middle)),
            hyphenated,
        )
    ]


def _box(raw: object, index: int) -> tuple[float, float, float, float] | None:
    """Left, right, bottom and top of a character."""
    rectangle = pdfium.FS_RECTF()
    if not pdfium.FPDFText_GetLooseCharBox(raw, index, ctypes.byref(rectangle)):
        return None
    return rectangle.left, rectangle.right, rectangle.bottom, rectangle.top
