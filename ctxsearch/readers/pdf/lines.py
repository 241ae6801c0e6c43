"""The lines of a PDF page, where they stand and how large they are, in reading order.

pdfium gives characters in the order in which the page draws them, which in most files is that of reading. Where a page
draws two columns row by row, lines reach over the gutter between them: they are cut there, and the columns read one
after the other.
"""

from __future__ import annotations

import ctypes
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pypdfium2
import pypdfium2.raw as pdfium

WIDE_GAP = 1.5
"""A gap between words that is so many times as wide as the text is high is no space."""
COLUMN_CHARACTERS = 18
"""A line of a column of text, other than the cell of a table, has as many characters at the least, in the median."""
COLUMN_LINES = 4
"""Lines that must be cut at the same place before it is taken for a gutter."""

_HYPHEN = "\x02"
"""pdfium's sign for a hyphen that divides a word at a line's end."""
_HYPHENS = ("-", "\xad", "\u2010", _HYPHEN)
_LINE_ENDS = "\r\n\x0c\x0b"
_NOISE = dict.fromkeys([*range(0x09), 0xFFFE, 0xFFFF, *range(0x0E, 0x20)])


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of text. Coordinates are those of the page: points, from its lower left corner."""

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

    def follows(self, last: Line) -> bool:
        """Whether this line stands below the other, in the same column."""
        overlaps = self.left < last.right and last.left < self.right
        return overlaps and self.column == last.column and self.bottom < last.bottom and self.top < last.top

    def gap_to(self, last: Line) -> float:
        """White space between the other line and this one, below it."""
        return last.bottom - self.top


def lines_of(page: pypdfium2.PdfPage, number: int) -> list[Line]:
    """The lines of a page, in reading order; none for a page without text."""
    text_page = page.get_textpage()
    _, lower, _, upper = page.get_bbox()
    try:
        rows = list(_rows(text_page.raw, pdfium.FPDFText_CountChars(text_page.raw), number))
    finally:
        text_page.close()
    height = max(upper - lower, 1.0)
    cut = _in_columns(rows)
    return [replace(line, relative_height=((line.top + line.bottom) / 2 - lower) / height) for line in cut]


def _rows(raw: object, count: int, number: int) -> Iterator[list[Line]]:
    """The lines as they are drawn, each in the pieces that wide gaps make of it."""
    characters: list[str] = []
    indices: list[int] = []
    for index in range(count):
        character = chr(pdfium.FPDFText_GetUnicode(raw, index))
        if character in _LINE_ENDS:
            if row := _row(raw, characters, indices, number):
                yield row
            characters, indices = [], []
            continue
        characters.append(character)
        indices.append(index)
        if character == _HYPHEN:
            if row := _row(raw, characters, indices, number):
                yield row
            characters, indices = [], []
    if row := _row(raw, characters, indices, number):
        yield row


def _row(raw: object, characters: list[str], indices: list[int], number: int) -> list[Line]:
    boxes = [
        None if character.isspace() or character == _HYPHEN else _box(raw, index)
        for character, index in zip(characters, indices, strict=True)
    ]
    heights = [box[3] - box[2] for box in boxes if box]
    if not heights:
        return []
    size = statistics.median(heights)
    pieces: list[Line] = []
    first = 0
    last_right: float | None = None
    for position, box in enumerate(boxes):
        if box is None:
            continue
        if last_right is not None and box[0] - last_right > WIDE_GAP * size and position > first:
            pieces += _piece(raw, characters, boxes, indices, first, position, number)
            first = position
        last_right = box[1]
    return pieces + _piece(raw, characters, boxes, indices, first, len(boxes), number)


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


def _in_columns(rows: list[list[Line]]) -> list[Line]:
    """Lines in reading order: as they are drawn, but for columns that are drawn row by row."""
    gutter = _gutter(rows)
    if gutter is None:
        return [_joined(row) for row in rows]
    found: list[Line] = []
    left: list[list[Line]] = []
    right: list[list[Line]] = []

    def end_band() -> None:
        for number, side in enumerate((left, right), start=1):
            lines = _in_columns(sorted(side, key=lambda row: -row[0].top)) if side else []
            found.extend(replace(line, column=10 * number + line.column) for line in lines)
            side.clear()

    for row in rows:
        before = [piece for piece in row if piece.right <= gutter]
        after = [piece for piece in row if piece.left >= gutter]
        if len(before) + len(after) < len(row):  # it reaches over the gutter: a title, a wide figure
            end_band()
            found.append(_joined(row))
            continue
        if before:
            left.append(before)
        if after:
            right.append(after)
    end_band()
    return found


def _gutter(rows: list[list[Line]]) -> float | None:
    """The place where many lines are cut in two long pieces; None for a page without columns drawn row by row."""
    gaps = [
        (one.right, other.left, min(len(one.text), len(other.text)))
        for row in rows
        for one, other in pairwise(row)
        if one.right < other.left
    ]
    best: tuple[int, float] | None = None
    for start, end, _ in gaps:
        place = (start + end) / 2
        across = [length for low, high, length in gaps if low <= place <= high]
        if len(across) >= COLUMN_LINES and statistics.median(across) >= COLUMN_CHARACTERS:
            crossing = sum(any(piece.left < place < piece.right for piece in row) for row in rows)
            if len(across) > crossing and (best is None or len(across) > best[0]):
                best = len(across), place
    return best[1] if best else None


def _joined(row: list[Line]) -> Line:
    """The pieces of a line as one."""
    if len(row) == 1:
        return row[0]
    return replace(
        max(row, key=lambda piece: len(piece.text)),
        text=" ".join(piece.text for piece in row),
        left=min(piece.left for piece in row),
        right=max(piece.right for piece in row),
        hyphenated=row[-1].hyphenated,
    )
