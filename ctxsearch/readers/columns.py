"""Which rows at the top of a table are titles, and which name its columns, where the file does not say so.

Decided by the first `SAMPLED_ROWS` rows, from what cells look like. A wrong heading is worse than none, so a first row
that looks like data names nothing.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

SAMPLED_ROWS = 50
MAX_NAME_CHARACTERS = 80
MOSTLY = 0.6
"""Share of a column's cells that must be of a kind before the column is."""

_YEAR = r"(?:1[5-9]|20|21)\d\d"
_PERIOD = re.compile(
    rf"{_YEAR}(?:\s*[-–/]\s*(?:\d\d)?\d\d)?|\d{{1,2}}[./-]{_YEAR}|{_YEAR}[./-]\d{{1,2}}(?:[./-]\d{{1,2}})?"
    rf"(?:[ T]\d\d:\d\d(?::\d\d)?)?|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}"
)
_NUMBER = re.compile(
    r"[-+−(~<>≤≥±]*\s*(?:[$€£¥]|[A-Z]{3}\s)?\s*[-+−]?"
    r"\d[\d.,'\u00a0\u202f ]*(?:[eE][-+]?\d+)?\s*(?:[%‰$€£¥]|[A-Z]{3})?\)?"
)
_FIGURES = re.compile(r"\d+")
_CLOCK = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_ADDRESS = re.compile(r"\S+@\S+\.\S+|(?:https?://|www\.)\S+")
_BLANK = frozenset(("", "-", "–", "—", "n/a", "N/A", ".", "..", "…"))


class CellLike(Protocol):
    """What is looked at in a cell."""

    @property
    def text(self) -> str: ...
    @property
    def columns(self) -> int: ...
    @property
    def rows(self) -> int: ...


Matrix = Sequence[Sequence[CellLike | None]]
"""Rows of equal length; a cell that spans several columns or rows stands in each of them."""


class Top(NamedTuple):
    """How many rows at the top of a table are not data."""

    titles: int
    heads: int


def top_of(matrix: Matrix, evident: bool = False) -> Top:
    """The titles and notes above a table, then the rows that name its columns.

    Args:
        matrix: its first rows.
        evident: let a row name columns only if there are numbers or dates below one of its names.
    """
    titles = 0
    while titles < len(matrix) - 1 and _is_title(matrix[titles], matrix[titles + 1 :]):
        titles += 1
    heads = _heads(matrix[titles:])
    if evident and heads and not _is_typed(matrix[titles + heads - 1], matrix[titles + heads :]):
        heads = 0
    return Top(titles, heads)


def _is_title(row: Sequence[CellLike | None], below: Matrix) -> bool:
    """Whether a row is a title or a note: one cell at its left, or far fewer than the rows below have."""
    cells = _distinct(row)
    widths = Counter(_width(other) for other in below if _width(other) > 1)
    if not cells or not widths:
        return False
    common = max(widths, key=lambda width: (widths[width], width))
    at_left = row[0] is not None and bool(row[0].text)
    if len(cells) == 1:
        return cells[0].rows == 1 and (at_left or (cells[0].columns == 1 and common > 2))
    filled = [cell is not None and bool(cell.text) for cell in row]
    packed_left = at_left and (False not in filled or not any(filled[filled.index(False) :]))
    return packed_left and 2 * sum(filled) <= common and all(cell.columns == cell.rows == 1 for cell in cells)


def _heads(matrix: Matrix) -> int:
    if len(matrix) < 2 or _width(matrix[0]) < 1 or len(matrix[0]) < 2:
        return 0
    for height in (3, 2):
        if len(matrix) > height and _are_grouped_heads(matrix[:height], matrix[height:]):
            return height
    return int(_names_columns(matrix[0], matrix[1:]))


def _are_grouped_heads(heads: Matrix, body: Matrix) -> bool:
    """Whether each row but the last of some groups columns, and the last one names the columns of the groups."""
    *groups, leaves = heads
    for row, below in zip(groups, heads[1:], strict=True):
        if not any(cell.columns > 1 and _distinct(below[_place(row, cell)]) for cell in _distinct(row)):
            return False
        if len(_distinct(row)) == 1 and _distinct(row)[0].columns == len(row):
            return False
    if any(cell and cell.text and body and cell in body[0] for cell in leaves):  # it reaches into the data
        return False
    if not _may_be_names(leaves):
        return False
    own = [cell for cell in _distinct(leaves) if all(cell not in row for row in groups)]
    reaches_down = any(cell in leaves for row in groups for cell in _distinct(row))
    empty_below = any(
        cell and cell.text and cell.columns == 1 and (leaf is None or not leaf.text)
        for cell, leaf in zip(groups[0], leaves, strict=True)
    )
    repeated = len({cell.text for cell in own}) < len(own)
    typed = _is_typed(leaves, body)
    return bool(own) and (reaches_down or empty_below or repeated or typed) and not _reappear(leaves, body)


def _names_columns(row: Sequence[CellLike | None], body: Matrix) -> bool:
    """Whether a row names the columns of the rows below it."""
    names = [cell.text if cell else "" for cell in row]
    if not _may_be_names(row) or any(cell and cell.text and cell.rows > 1 for cell in row) or _reappear(row, body):
        return False
    if any(_is_of_its_column(name, _column(body, column)) for column, name in enumerate(names)):
        return False
    if any(map(_is_period, names)) and not _periods_name(names, body):
        return False
    if len(names) == 2 and _is_list_of_properties(names, body):
        return False
    if _is_typed(row, body):
        return True
    named = names[1:] if len(names) > 2 and not names[0] else names
    return all(named) and (len(set(named)) == len(named) or any(cell and cell.columns > 1 for cell in row))


def _may_be_names(row: Sequence[CellLike | None]) -> bool:
    """Whether the cells of a row could be headings by what they look like."""
    texts = [cell.text for cell in _distinct(row)]
    if not texts or (len(row) > 2 and 2 * _width(row) < len(row)):
        return False
    if any(
        len(text) > MAX_NAME_CHARACTERS or _ADDRESS.fullmatch(text) or text in _BLANK or text.startswith("- ")
        for text in texts
    ):
        return False
    return not any(_is_number(text) for text in texts) or _count_on(texts)


def _count_on(texts: Sequence[str]) -> bool:
    """Whether the numbers among headings are 1, 2, 3, 4 … or so: days, sizes, hours."""
    numbers = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 5]
    if len(numbers) != sum(map(_is_number, texts)) or len(numbers) < 4:
        return False
    return all(other == one + 1 for one, other in itertools.pairwise(numbers))


def _is_of_its_column(name: str, cells: Sequence[str]) -> bool:
    """Whether a name differs from most cells below it only in its figures: "Valve 0" above "Valve 1"."""
    if not any(map(str.isalpha, name)) or not any(map(str.isdigit, name)):
        return False
    shape = _FIGURES.sub("0", name)
    return bool(cells) and sum(_FIGURES.sub("0", cell) == shape for cell in cells) >= MOSTLY * len(cells)


def _periods_name(names: Sequence[str], body: Matrix) -> bool:
    """Whether years or dates are headings: not where they stand in the rows below them, too."""
    places = [column for column, name in enumerate(names) if _is_period(name)]
    if places[0] == 0 or len(names) < 2:
        return False
    cells = [text for column in places for text in _column(body, column)]
    return bool(cells) and not any(map(_is_period, cells))


def _is_typed(row: Sequence[CellLike | None], body: Matrix) -> bool:
    """Whether some column holds numbers or dates below a heading that is a name, or numbers below a year."""
    for column, cell in enumerate(row):
        cells = _column(body, column)
        if not cell or not cell.text or not cells:
            continue
        periods = sum(map(_is_period, cells))
        numbers = sum(map(_is_number, cells))
        counted = numbers if _is_period(cell.text) or _is_number(cell.text) else numbers + periods
        if counted >= MOSTLY * len(cells):
            return True
    return False


def _is_list_of_properties(names: Sequence[str], body: Matrix) -> bool:
    """Whether two columns are names and values, one property a row: then the first row is one of them, too."""
    keys, values = [names[0], *_column(body, 0)], _column(body, 1)
    if 2 * sum(key.endswith(":") for key in keys) > len(keys):
        return True
    return len({(_is_number(value), _is_period(value), bool(_ADDRESS.fullmatch(value))) for value in values}) > 1


def _reappear(row: Sequence[CellLike | None], body: Matrix) -> bool:
    """Whether a heading stands in its own column once more, in a row that is not the header repeated."""
    names = [cell.text if cell else "" for cell in row]
    for other in body:
        texts = [cell.text if cell else "" for cell in other]
        if texts != names and any(text and text == name for text, name in zip(texts, names, strict=False)):
            return True
    return False


def _column(body: Matrix, column: int) -> list[str]:
    """What the cells of a column say; not those over the whole width, which are titles."""
    cells = (row[column] for row in body if column < len(row) and len(_distinct(row)) > 1)
    return [cell.text for cell in cells if cell and cell.text not in _BLANK]


def _place(row: Sequence[CellLike | None], cell: CellLike) -> slice:
    start = row.index(cell)
    return slice(start, start + cell.columns)


def _distinct(row: Sequence[CellLike | None]) -> list[CellLike]:
    """The cells of a row that hold something, each once."""
    return list({id(cell): cell for cell in row if cell and cell.text}.values())


def _width(row: Sequence[CellLike | None]) -> int:
    """How many columns of a row hold something; a cell over all of them counts once."""
    cells = _distinct(row)
    return 1 if len(cells) == 1 else sum(cell is not None and bool(cell.text) for cell in row)


def _is_period(text: str) -> bool:
    return bool(_PERIOD.fullmatch(text))


def _is_number(text: str) -> bool:
    """Whether a cell holds a number, a time of day, or a formula."""
    if text.startswith("="):
        return True
    return bool(_NUMBER.fullmatch(text) or _CLOCK.fullmatch(text)) and not _is_period(text)
