"""The lines of a PDF page as they are drawn: where they stand and how large they are, each in pieces.

pdfium gives characters in the order in which the page draws them. A gap that is wider than a space cuts a line in
pieces: cells of a table, lines of two columns. `layout` puts them in reading order.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import pypdfium2
import pypdfium2.raw as pdfium

WIDE_GAP = 1.5
"""A gap between words that is so many times as wide as the text is high is no space."""

_HYPHEN = "\x02"
"""pdfium's sign for a hyphen that divides a word at a line's end."""
_HYPHENS = ("-", "\xad", "\u2010", _HYPHEN)
_LINE_ENDS = "\r\n\x0c\x0b"
_ENDS = re.compile(f"[{_LINE_ENDS}{_HYPHEN}]")
_UNSURE = re.compile("[\ufffe\uffff]")
_NOISE = dict.fromkeys([*range(0x09), 0xFFFE, 0xFFFF, *range(0x0E, 0x20)])


Box: TypeAlias = tuple[float, float, float, float]
"""Left, right, bottom and top of a character."""


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
    text = _characters(raw, count)
    start = 0
    for end in _ENDS.finditer(text):
        after = end.end()
        yield from _cut(raw, text[start : after if end[0] == _HYPHEN else end.start()], start, number)
        start = after
    yield from _cut(raw, text[start:], start, number)


def _characters(raw: object, count: int) -> str:
    """The characters of a page, one for each index.

    pdfium gives all in one call, but leaves out those without a meaning, and then places would not fit.
    """
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(raw, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "replace")
    if len(text) == written - 1 == count:  # it has U+FFFE for hyphens, and for what is none
        return _UNSURE.sub(lambda match: chr(pdfium.FPDFText_GetUnicode(raw, match.start())), text)
    return "".join(chr(pdfium.FPDFText_GetUnicode(raw, index)) for index in range(count))


def _cut(raw: object, text: str, start: int, number: int) -> Iterator[list[Line]]:
    """What pdfium takes for one line, cut where a gap is wide, and where it goes on in another line.

    Args:
        raw: the text page.
        text: the characters of the line.
        start: the index of the first of them.
        number: that of the page.
    """
    boxes = _boxes(raw, text, start)
    heights = [box[3] - box[2] for box in boxes if box]
    if not heights:
        return
    size = _middle(heights)
    pieces: list[Line] = []
    first = 0
    last: tuple[float, float, float, float] | None = None
    for position, box in enumerate(boxes):
        if box is None:
            continue
        if last is not None:
            is_elsewhere = (box[3] < last[2] or box[2] > last[3]) and box[0] < last[1]
            if is_elsewhere and not _is_turned(raw, start + position):
                pieces += _piece(raw, text, boxes, start, first, position, number)
                if pieces:
                    yield pieces
                pieces, first = [], position
            elif box[0] - last[1] > WIDE_GAP * size:
                pieces += _piece(raw, text, boxes, start, first, position, number)
                first = position
        last = box
    pieces += _piece(raw, text, boxes, start, first, len(boxes), number)
    if pieces:
        yield pieces


def _is_turned(raw: object, index: int) -> bool:
    """Whether a character is part of a text that runs upwards or downwards."""
    return abs(math.sin(pdfium.FPDFText_GetCharAngle(raw, index))) > 0.5


def _piece(
    raw: object, line: str, boxes: Sequence[Box | None], start: int, first: int, end: int, number: int
) -> list[Line]:
    text = line[first:end]
    hyphenated = text.rstrip().endswith(_HYPHENS) and len(text.strip()) > 1
    text = " ".join(text.replace(_HYPHEN, "-").replace("\xad", "-" if hyphenated else "").translate(_NOISE).split())
    inside = [box for box in boxes[first:end] if box]
    if not text or not inside:
        return []
    lefts, rights, bottoms, tops = zip(*inside, strict=True)
    return [
        Line(
            text,
            number,
            min(lefts),
            max(rights),
            _middle(tops),
            _middle(bottoms),
            _middle([top - bottom for _, _, bottom, top in inside]),
            int(pdfium.FPDFText_GetFontWeight(raw, start + (first + end - 1) // 2)),
            hyphenated,
        )
    ]


def _middle(values: Sequence[float]) -> float:
    """The median; the upper one of two."""
    return sorted(values)[len(values) // 2]


def _boxes(raw: object, text: str, start: int) -> list[Box | None]:
    """Where the characters of a line stand; None for spaces."""
    rectangle = pdfium.FS_RECTF()
    place, get = ctypes.byref(rectangle), pdfium.FPDFText_GetLooseCharBox
    found: list[Box | None] = []
    for index, character in enumerate(text, start):
        if character == " " or character == _HYPHEN or character.isspace() or not get(raw, index, place):
            found.append(None)
        else:
            found.append((rectangle.left, rectangle.right, rectangle.bottom, rectangle.top))
    return found
