"""Running heads and page numbers of a PDF, which are left out; nothing else is.

A PDF does not say what they are. A line is left out only where it is evident: it stands at the edge of a page, in the
same place and with the same text on most pages of a run, or it holds a number that grows by one with each page, and is
called a page number or stands alone. A page is never emptied.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ctxsearch.readers.pdf.lines import Line

EDGE = 0.13
"""Share of a page's height, at its top and its bottom, where running heads stand."""
EDGE_LINES = 3
"""So many lines at the top and at the bottom may be running heads."""
MIN_NUMBERED = 3
"""A page number stands on so many pages at least."""
MIN_PAGES = 4
"""A running head on so many: three payslips say the same of themselves."""
MIN_SHARE = 0.4
"""And on this share of the pages from its first to its last: every other one, as left and right pages differ."""
WHOLE_SHARE = 0.5
"""One that reaches over less of the document, such as the title of a chapter, stays on the first of its pages."""
SAME_HEIGHT = 0.012
"""Lines are in the same place if their heights differ by less than this share of the page."""
LARGE = 1.3
"""Letters so much larger than most are a title: of a slide, of a chapter."""
MAX_CELL_CHARACTERS = 40
"""A piece that is longer is a line of text rather than a cell."""
MAX_GAP = 1.5
"""Rows of a table are not further apart than this, in heights of their letters."""
MAX_OFFSET = 100
"""A number within a line that is further from the number of its page than this is that of something else."""

_KEYWORD = r"(?:page|pages|pg\.?|p\.|seite|s\.|página|pagina|pág\.?|pag\.?|sivu|sida|side|strona|str\.?|folio|стр\.?)"
_NUMBER = r"(?P<number>\d{1,5}|[ivxlcdm]{1,9})"
_OF = r"(?:\s*(?:of|/|von|de|di|van|av|sur|из|\|)\s*(?P<total>\d{1,5}))"
_SIGNS = r"[\s\-–—_.·•|/\[\](){}<>*~:]*"
_ALONE = re.compile(rf"{_SIGNS}(?:{_KEYWORD}\s*)?{_NUMBER}{_OF}?{_SIGNS}", re.IGNORECASE)
_CALLED = re.compile(rf"(?P<rest>.+?)[\s|•·,–—-]+{_KEYWORD}\s*{_NUMBER}{_OF}?{_SIGNS}", re.IGNORECASE)
_CALLED_FIRST = re.compile(rf"{_KEYWORD}\s*{_NUMBER}{_OF}?[\s|•·:,–—-]+(?P<rest>\D.+)", re.IGNORECASE)
_SET_APART = re.compile(rf"(?P<rest>.+?)\s*(?:[|•·]|\s[–—-])\s*{_NUMBER}{_OF}?", re.IGNORECASE)
_SET_APART_FIRST = re.compile(rf"{_NUMBER}{_OF}?\s*(?:[|•·]|[–—-]\s)\s*(?P<rest>.+)", re.IGNORECASE)
_FORMS = (_CALLED, _CALLED_FIRST, _SET_APART, _SET_APART_FIRST)
_ROMAN = re.compile(r"m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})", re.IGNORECASE)
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_FACT = re.compile(r":\s*\S|[$€£¥]\s*\d|\d[.,]\d\d\b")
"""What looks like a fact rather than a title: "Customer: Ann"."""

Page = list[list[Line]]
"""The rows of a page, in pieces."""


class _Edge(NamedTuple):
    page: int
    line: Line
    high: bool


class _Numbered(NamedTuple):
    edge: _Edge
    rest: str
    value: int
    roman: bool
    alone: bool


def without_furniture(pages: Sequence[Page]) -> list[Page]:
    """The pages without running heads and page numbers."""
    edges = [edge for number, page in enumerate(pages) for edge in _edges(number, page)]
    in_tables = {id(piece) for page in pages for piece in _cells(page)}
    edges = [edge for edge in edges if id(edge.line) not in in_tables]
    sizes = [piece.size for page in pages for row in page for piece in row]
    size = statistics.median(sizes) if sizes else 0.0
    numbers = _page_numbers(edges)
    heads = _running_heads([edge for edge in edges if id(edge.line) not in numbers], pages, size)
    return [_without(page, numbers, heads) for page in pages]


def _without(page: Page, numbers: set[int], heads: set[int]) -> Page:
    """A page without what stands in both sets; with its heads, if there is nothing else; with all, if need be."""
    for left_out in (numbers | heads, numbers, set[int]()):
        kept = [[piece for piece in row if id(piece) not in left_out] for row in page]
        if any(kept):
            return [row for row in kept if row]
    return page


def _edges(number: int, page: Page) -> Iterator[_Edge]:
    """The pieces in the first and the last lines of a page, as far as these are at its edge."""
    pieces = sorted((piece for row in page for piece in row), key=lambda piece: piece.relative_height)
    for high, ordered in ((False, pieces), (True, pieces[::-1])):
        lines = 0
        last: float | None = None
        for piece in ordered:
            height = piece.relative_height
            if last is None or abs(height - last) > SAME_HEIGHT:
                lines += 1
                last = height
            if lines > EDGE_LINES or not (height > 1 - EDGE if high else height < EDGE):
                break
            yield _Edge(number, piece, high)


def _cells(page: Page) -> Iterator[Line]:
    """Pieces at the edges of a page that are cells of a table: a number among them is none of the page, and names of
    columns are repeated because a table goes on."""
    pieces = sorted((piece for row in page for piece in row), key=lambda piece: piece.top + piece.bottom)
    rows: list[list[Line]] = []
    for piece in pieces:
        last = rows[-1][-1] if rows else None
        if last and abs(piece.top + piece.bottom - last.top - last.bottom) < max(piece.size, last.size):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    for pairs in (itertools.pairwise(rows[: EDGE_LINES + 1]), itertools.pairwise(rows[-EDGE_LINES - 1 :])):
        for lower, upper in pairs:
            if _are_rows_of_a_table(upper, lower):
                yield from upper
                yield from lower


def _are_rows_of_a_table(upper: list[Line], lower: list[Line]) -> bool:
    """Whether short pieces of two lines stand right below each other, in two columns or more."""
    if min(len(upper), len(lower)) < 2 or any(len(piece.text) > MAX_CELL_CHARACTERS for piece in upper + lower):
        return False
    size = max(piece.size for piece in upper)
    if min(piece.bottom for piece in upper) - max(piece.top for piece in lower) > MAX_GAP * size:
        return False
    near = size / 2
    aligned = sum(
        any(abs(one.left - other.left) < near or abs(one.right - other.right) < near for other in lower)
        for one in upper
    )
    return aligned >= 2


def _page_numbers(edges: list[_Edge]) -> set[int]:
    """Ids of the lines that hold the number of their page and what is the same on other pages."""
    groups: dict[tuple[bool, str, bool, int], list[_Numbered]] = defaultdict(list)
    for edge in edges:
        for found in _numbered(edge):
            groups[edge.high, found.rest, found.roman, found.value - edge.page].append(found)
    chosen: list[_Numbered] = []
    few: list[_Numbered] = []
    for (_, _, _, offset), group in groups.items():
        for near in _in_one_place(group):
            if not all(found.alone for found in near) and abs(offset) > MAX_OFFSET:
                continue
            (chosen if len({found.edge.page for found in near}) >= MIN_NUMBERED else few).extend(near)
    places = [(found.edge.high, found.edge.line.relative_height) for found in chosen]
    for found in few:  # a preface of two pages, numbered as the rest is
        height = found.edge.line.relative_height
        if found.alone and any(high == found.edge.high and abs(height - other) < SAME_HEIGHT for high, other in places):
            chosen.append(found)
    return {id(found.edge.line) for found in chosen}


def _numbered(edge: _Edge) -> Iterator[_Numbered]:
    text = edge.line.text
    if match := _ALONE.fullmatch(text):
        matches = [(match, "", True)]
    else:
        matches = [(match, match["rest"].strip().lower(), False) for form in _FORMS if (match := form.fullmatch(text))]
    for match, rest, alone in matches:
        number = match["number"]
        if number.isdigit():
            yield _Numbered(edge, rest, int(number), False, alone)
        elif _ROMAN.fullmatch(number):
            yield _Numbered(edge, rest, _roman(number.lower()), True, alone)


def _roman(number: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in number]
    return sum(-one if one < other else one for one, other in zip(values, [*values[1:], 0], strict=True))


def _running_heads(edges: list[_Edge], pages: Sequence[Page], size: float) -> set[int]:
    """Ids of the lines that say the same in the same place on most pages of a run."""
    written = [number for number, page in enumerate(pages) if page]
    groups: dict[tuple[bool, str], list[_Edge]] = defaultdict(list)
    for edge in edges:
        groups[edge.high, edge.line.text.lower()].append(edge)
    found: set[int] = set()
    for group in groups.values():
        for near in _in_one_place([_Numbered(edge, "", 0, False, False) for edge in group]):
            stands_on = sorted({numbered.edge.page for numbered in near})
            for run in _runs(stands_on, written):
                lines = [numbered.edge for numbered in near if run[0] <= numbered.edge.page <= run[-1]]
                whole = len([n for n in written if run[0] <= n <= run[-1]]) >= WHOLE_SHARE * len(written)
                if lines[0].line.size > LARGE * size:
                    continue
                is_fact = bool(_FACT.search(lines[0].line.text))
                stays = run[0] if not whole or is_fact else -1
                found.update(id(edge.line) for edge in lines if edge.page != stays)
    return found


def _runs(stands_on: list[int], written: list[int]) -> Iterator[list[int]]:
    """The runs of pages on most of which something stands; it ends where it is missing from three together."""
    place = {page: number for number, page in enumerate(written)}
    run: list[int] = []
    for page in [*stands_on, None]:
        if page is not None and (not run or place[page] - place[run[-1]] <= 3):
            run.append(page)
            continue
        if len(run) >= MIN_PAGES and len(run) >= MIN_SHARE * (place[run[-1]] - place[run[0]] + 1):
            yield run
        run = [] if page is None else [page]


def _in_one_place(group: list[_Numbered]) -> Iterator[list[_Numbered]]:
    """Lines of a group that stand at the same height."""
    near: list[_Numbered] = []
    for found in sorted(group, key=lambda found: found.edge.line.relative_height):
        if near and found.edge.line.relative_height - near[-1].edge.line.relative_height > SAME_HEIGHT:
            yield near
            near = []
        near.append(found)
    if near:
        yield near
