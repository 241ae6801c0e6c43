"""The tables of a sheet: blocks of cells with empty rows, or empty columns, around them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ctxsearch.readers.composing import Composer
from ctxsearch.readers.grid import Grid


class SheetCell(NamedTuple):
    """A cell that holds something. Row and column count from 0."""

    row: int
    column: int
    text: str
    columns: int = 1
    rows: int = 1


class Heads(NamedTuple):
    """A row of which the file says that it names columns."""

    row: int
    first: int
    last: int


def put_sheet(composer: Composer, cells: Sequence[SheetCell], heads: Collection[Heads] = ()) -> None:
    """The tables of a sheet from top to bottom, side by side from the left.

    Args:
        composer: what they are added to.
        cells: in the order of rows, then of columns; none that a merged cell covers.
        heads: rows that the file marks as naming the columns of a table.
    """
    for block in _apart(cells):
        rows: dict[int, list[SheetCell]] = {}
        for cell in block:
            rows.setdefault(cell.row, []).append(cell)
        first = min(cell.column for cell in block)
        grid = Grid()
        last_row = None
        for number, row in rows.items():
            for _ in range(last_row + 1 if last_row is not None else number, number):
                grid.row()  # a row that only merged cells reach into
            marked = any(
                head.row == number and head.first <= row[0].column and row[-1].column <= head.last for head in heads
            )
            grid.row(heading=marked and len(row) > 1)
            for cell in row:
                grid.cell(cell.text, cell.columns, cell.rows, column=cell.column - first)
            last_row = number
        composer.table(grid)


def _apart(cells: Sequence[SheetCell]) -> Iterator[list[SheetCell]]:
    """Blocks with empty rows between them. Those side by side are cut apart where they do not share their rows."""
    for band in _cut(cells, across=False):
        columns = _cut(sorted(band, key=lambda cell: cell.column), across=True)
        extents = {(min(c.row for c in side), max(c.row + c.rows for c in side)) for side in columns}
        if len(columns) > 1 and len(extents) > 1 and all(map(_is_table, columns)):
            for side in columns:
                yield from _apart(sorted(side))
        elif corner := _corner(band):
            for side in corner:
                yield from _apart(sorted(side))
        else:
            yield list(band)


def _corner(band: Sequence[SheetCell]) -> list[list[SheetCell]]:
    """Two tables that touch at a corner alone: no row of the one goes on in the other. Empty if there are none."""
    cells = sorted(band, key=lambda cell: cell.column)
    above: list[int] = []  # the last row of what is left of each cell, itself counted
    for cell in cells:
        above.append(max(cell.row + cell.rows - 1, above[-1] if above else -1))
    first = cells[-1].row
    for number in range(len(cells) - 1, 0, -1):
        first = min(first, cells[number].row)
        if cells[number].column == cells[number - 1].column or above[number - 1] >= first:
            continue
        sides = [cells[:number], cells[number:]]
        if all(map(_is_table, sides)):
            return sides
    return []


def _is_table(cells: Sequence[SheetCell]) -> bool:
    """Whether cells make a table that can be understood without what stands beside it."""
    return len({cell.row for cell in cells}) > 1 and len({cell.column for cell in cells}) > 1


def _cut(cells: Sequence[SheetCell], across: bool) -> list[list[SheetCell]]:
    """Cells that are ordered by row, or by column, cut wherever nothing stands in one."""
    groups: list[list[SheetCell]] = []
    end = -1
    for cell in cells:
        start, span = (cell.column, cell.columns) if across else (cell.row, cell.rows)
        if not groups or start > end:
            groups.append([])
        groups[-1].append(cell)
        end = max(end, start + span)
    return groups
