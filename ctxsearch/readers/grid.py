"""The grid of a table: where each cell stands once spans and merged cells are counted, and its rows as lines.

Each line can be understood without the others: a cell reads ``heading: value``, cells are joined by " | ". A cell that
spans rows stands in the line of each of them, one that spans columns beside the heading of each. A cell over the whole
width is a title. Rows that the file marks as headings name the columns; otherwise `columns` decides.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ctxsearch.readers import columns as heuristics

CELLS_APART = " | "
MAX_COLUMNS = 16_384
"""As many as a sheet of Excel has; spans are cut there."""
_NOTE = re.compile(
    r"(?:sources?|notes?|remarks?|footnotes?|legend|quellen?|anmerkung(?:en)?|hinweise?|fuente|nota)\s*:\s*\S"
    r"|[*†‡]+\s*\S|\([*†‡]+\)",
    re.IGNORECASE,
)
"""What is said about a table in the first cell of a row that has no other."""
MAX_REPEATED_CHARACTERS = 200
"""A longer text in a cell that spans several rows or columns is shown once."""

_SPACE = re.compile(r"\s+")


def one_line(text: str) -> str:
    """A text with each run of white space as one space."""
    return _SPACE.sub(" ", text).strip()


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A cell, which may span columns and rows."""

    text: str
    columns: int = 1
    rows: int = 1
    heading: bool = False


Placed = tuple[int, Cell]
"""A cell with the first column that it stands in."""


class Grid:
    """A table, built row by row: `row`, then `cell` for each of its cells."""

    def __init__(self) -> None:
        self._rows: list[list[Placed]] = []
        self._marked: list[bool] = []
        self._spanning: list[tuple[int, Cell, int]] = []  # first column, cell, rows that it still spans
        self._next = 0
        self._from_above: list[tuple[int, int]] = []
        """First column and width of the cells that span the row that is being built, those still to come."""

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]], header: bool = False) -> Grid:
        """A table without spans.

        Args:
            rows: the texts of the cells.
            header: whether the first row is known to name the columns.
        """
        grid = cls()
        for number, row in enumerate(_with_groups(list(rows))):
            grid.row(heading=header and number == 0)
            for text, columns in row:
                grid.cell(text, columns)
        return grid

    def row(self, heading: bool = False) -> None:
        """Begin a row; ``heading`` for one that the file marks as naming the columns."""
        self._next = 0
        self._from_above = sorted((column, cell.columns) for column, cell, _ in self._spanning)
        self._rows.append([(column, cell) for column, cell, _ in self._spanning])
        self._spanning = [(column, cell, rows - 1) for column, cell, rows in self._spanning if rows > 1]
        self._marked.append(heading)

    def cell(
        self, text: str, columns: int = 1, rows: int = 1, heading: bool = False, column: int | None = None
    ) -> None:
        """Put a cell into the next free columns of the row.

        Args:
            text: what it says; white space inside becomes a single space.
            columns: how many columns it spans.
            rows: how many rows it spans, this one counted.
            heading: whether the file marks it as a heading.
            column: its first column, where the file says so; not before the cells that are there.
        """
        if column is not None:
            self._next = max(self._next, column)
        while self._from_above and self._from_above[0][0] <= self._next:
            start, span = self._from_above.pop(0)
            self._next = max(self._next, start + span)
        limit = self._from_above[0][0] if self._from_above else MAX_COLUMNS
        width = max(1, min(columns, limit - self._next))
        if self._next < MAX_COLUMNS:
            self._place(self._next, Cell(one_line(text), width, max(1, rows), heading))
        self._next += width

    def skip(self, columns: int) -> None:
        """Leave columns of the row empty."""
        self._next += max(0, columns)

    def extend(self, columns: int = 1) -> None:
        """Let the cell above reach down into this row, in the next columns."""
        above = self._rows[-2] if len(self._rows) > 1 else []
        found = next((placed for placed in above if placed[0] <= self._next < placed[0] + placed[1].columns), None)
        if found and all(column != found[0] for column, _ in self._rows[-1]):
            self._rows[-1].append(found)
        self._next += max(1, columns)

    def widen(self, columns: int = 1) -> None:
        """Let the cell before reach over the next columns."""
        if self._rows[-1] and self._rows[-1][-1][0] + self._rows[-1][-1][1].columns == self._next:
            column, cell = self._rows[-1][-1]
            self._rows[-1][-1] = column, replace(cell, columns=cell.columns + max(1, columns))
        self._next += max(1, columns)

    def end_group(self) -> None:
        """End the spans of cells: they do not reach from the head of a table into its body."""
        self._spanning = []

    def lines(self, guess: bool = True, evident: bool = False) -> list[str]:
        """A line for each row that holds something.

        Args:
            guess: look for the rows that name the columns, if none is marked.
            evident: take only those for it that have numbers or dates below.
        """
        titles, lines = self.titles_and_lines(guess, evident)
        return titles + lines

    def titles_and_lines(self, guess: bool = True, evident: bool = False) -> tuple[list[str], list[str]]:
        """The titles and notes above the table, and its `lines` without them."""
        rows, marked = self._filled_rows()
        used = self._used(rows)
        titles = 0
        if guess and rows and not any(marked):
            titles, heads = self.top(rows, used, evident)
            marked = [titles <= number < titles + heads for number in range(len(rows))]
        while titles < len(rows) - 1 and _is_title(rows[titles], used):
            titles += 1
        lines = _Lines(used)
        above = [_without_names([cell.text for _, cell in row]) for row in rows[:titles]]
        for row, is_head in zip(rows[titles:], marked[titles:], strict=True):
            lines.add(row, is_head)
        return above, list(lines.finish())

    def top(self, rows: list[list[Placed]], used: Sequence[int], evident: bool = False) -> heuristics.Top:
        """What `columns.top_of` makes of the first rows."""
        position = {column: number for number, column in enumerate(used)}
        matrix: list[list[Cell | None]] = []
        for row in rows[: heuristics.SAMPLED_ROWS]:
            slots: list[Cell | None] = [None] * len(used)
            for column, cell in row:
                for n in range(column, column + cell.columns):
                    if n in position:
                        slots[position[n]] = cell
            matrix.append(slots)
        return heuristics.top_of(matrix, evident)

    def _place(self, column: int, cell: Cell) -> None:
        self._rows[-1].append((column, cell))
        if cell.rows > 1:
            self._spanning.append((column, cell, cell.rows - 1))

    def _used(self, rows: list[list[Placed]]) -> list[int]:
        """The columns in which a cell begins: one that others only reach over is no column of its own."""
        return sorted({column for row in rows for column, _ in row})

    def _filled_rows(self) -> tuple[list[list[Placed]], list[bool]]:
        """Rows with text of their own, cells in the order of their columns; and which are marked as headings."""
        rows: list[list[Placed]] = []
        marked: list[bool] = []
        for row, is_marked in zip(self._rows, self._marked, strict=True):
            filled = sorted((placed for placed in row if placed[1].text), key=lambda placed: placed[0])
            if not filled or (rows and all(any(cell is other for _, other in rows[-1]) for _, cell in filled)):
                continue
            headings = [cell.heading for _, cell in filled]
            rows.append(filled)
            marked.append(is_marked or (all(headings) and len(headings) > 1))
        if all(marked):  # then they name nothing, but perhaps the first the others
            marked = [number == 0 < len(rows) - 1 for number in range(len(rows))]
        return rows, marked


def lines_of(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table without spans that may be too large for a `Grid`: what its first rows say holds for all."""
    rows = iter(rows)
    first = list(itertools.islice(rows, heuristics.SAMPLED_ROWS))
    grid = Grid.of(first)
    filled, _ = grid._filled_rows()
    used = grid._used(filled)
    top = grid.top(filled, used)
    lines = _Lines(used)
    for number, row in enumerate(filled):
        lines.add(row, top.titles <= number < top.titles + top.heads)
    for texts in rows:
        if row := [(column, Cell(text)) for column, cell in enumerate(texts) if (text := one_line(cell))]:
            lines.add(row, False)
    return lines.finish()


def _with_groups(rows: list[Sequence[str]]) -> Iterator[list[tuple[str, int]]]:
    """The cells of rows with how many columns each spans: a heading over a group of columns spans those that are empty.

    Files without merged cells leave them so. Names that are repeated in the row below tell that it is so.
    """
    for number, row in enumerate(rows):
        below = rows[number + 1] if number < 5 and number + 2 < len(rows) else ()
        filled = [column for column, text in enumerate(row) if text.strip()]
        names = [text.strip() for text in below]
        grouped = len(filled) > 1 and all(names[filled[0] :]) and len(set(names)) < len(names) == len(row)
        if not grouped or all(text.strip() for text in row[1:]):
            yield [(text, 1) for text in row]
            continue
        ends = [*filled[1:], len(row)]
        cells = [("", 1)] * filled[0]
        yield cells + [(row[column], end - column) for column, end in zip(filled, ends, strict=True)]


class _Lines:
    """Rows become lines; what names the columns may change on the way."""

    def __init__(self, used: Sequence[int]) -> None:
        self._used = used
        self._lines: list[str] = []
        self._heads: list[list[Placed]] = []
        self._names: dict[int, str] = {}
        self._shown: set[int] = set()
        """Ids of long cells that were shown."""
        self._unused_at = 0
        self._filled: set[int] = set()
        """Columns that held something since the last heading."""
        self._in_heads = False

    def add(self, row: list[Placed], is_head: bool) -> None:
        """The next row; one that names columns holds for those below it."""
        if _is_title(row, self._used):
            self._lines.append(row[0][1].text)
            return
        if is_head and not self._in_heads:
            if self._is_repeated(row):
                return
            self._end_heads()
            self._heads, self._filled, self._unused_at = [], set(), len(self._lines)
        if is_head:
            self._heads.append(row)
        else:
            if self._in_heads:
                self._names = self._names_of_columns()
            self._lines.append(self._line(row))
        self._in_heads = is_head

    def finish(self) -> Iterator[str]:
        """All lines."""
        self._end_heads()
        return filter(None, self._lines)

    def _is_repeated(self, row: list[Placed]) -> bool:
        texts = [cell.text for _, cell in row]
        return any([cell.text for _, cell in head] == texts for head in self._heads)

    def _names_of_columns(self) -> dict[int, str]:
        names: dict[int, list[str]] = {}
        for row in self._heads:
            for column, cell in row:
                for n in range(column, column + cell.columns):
                    parts = names.setdefault(n, [])
                    text = cell.text.rstrip(":")
                    if not parts or parts[-1] != text:
                        parts.append(text)
        return {column: " ".join(parts) for column, parts in names.items()}

    def _end_heads(self) -> None:
        """Headings of columns that hold nothing stand in a line of their own."""
        alone = list(
            {
                id(cell): cell.text
                for row in self._heads
                for column, cell in row
                if not any(n in self._filled for n in range(column, column + cell.columns))
            }.values()
        )
        if alone:
            self._lines.insert(self._unused_at, CELLS_APART.join(alone))

    def _line(self, row: list[Placed]) -> str:
        parts: list[str] = []
        for column, cell in row:
            self._filled.update(range(column, column + cell.columns))
            is_long = len(cell.text) > MAX_REPEATED_CHARACTERS
            if is_long and cell.rows > 1:
                if id(cell) in self._shown:
                    continue
                self._shown.add(id(cell))
            names = list(dict.fromkeys(self._names.get(n, "") for n in range(column, column + cell.columns)))
            if len(names) > 1:
                names = [name for name in names if name]
            if is_long and len(names) > 1:
                names = [", ".join(names)]
            parts += [f"{name}: {cell.text}" if name and name != cell.text else cell.text for name in names]
        return CELLS_APART.join(parts) if self._names else _without_names(parts, row[0][1].heading)


def _is_title(row: list[Placed], used: Sequence[int]) -> bool:
    """Whether a row is one cell over the whole width of a table that has several columns, or a note below it."""
    column, cell = row[0]
    if len(used) > 1 and len(row) == 1 and column == used[0] and _NOTE.match(cell.text):
        return True
    reaches = column <= used[0] and column + cell.columns > used[-1]
    return len(used) > 1 and len(row) == 1 and cell.columns > 1 and reaches


def _without_names(texts: list[str], heading: bool = False) -> str:
    """The line of a row in a table whose columns have no names; its first cell may name the others."""
    if len(texts) > 1 and (heading or texts[0].endswith(":")):
        return f"{texts[0].rstrip(':')}: {CELLS_APART.join(texts[1:])}"
    return CELLS_APART.join(texts)
