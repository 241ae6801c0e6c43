"""Lines of a page put into reading order.

The order in which a page is drawn is mostly that of reading, and it is kept where nothing speaks against it. What is
drawn later and stands above is put in its place; columns drawn row by row are read one after the other; cells that are
drawn column by column become rows. Rows whose pieces stand in columns are a table.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import replace

from ctxsearch.readers.grid import Grid
from ctxsearch.readers.pdf.lines import Line

COLUMN_CHARACTERS = 18
"""A line of a column of text, other than the cell of a table, has as many characters at the least, in the median."""
COLUMN_LINES = 4
"""Lines that must be cut at the same place before it is taken for a gutter."""
MAX_ROWS = 1500
"""Rows of a page that are put in order; the time grows with the square, and so many are a drawing."""
TABLE_ROWS = 3
"""Rows of several pieces that make a table."""
FAR = 3.0
"""A row that is farther below another than this many times its height belongs to another table."""
TIGHT = 0.9
"""Lines of one cell are nearer to each other than this share of the distance of rows."""

TOUCHING = 0.12
"""Pieces that are nearer to each other than this share of their height have no space between them."""

Row = list[Line]


def in_order(rows: Sequence[Row]) -> list[Line]:
    """The lines of a page in reading order.

    Args:
        rows: pieces of lines, as they are drawn.
    """
    numbers = itertools.count(1)
    if len(rows) > MAX_ROWS:
        return [_joined(row) for row in rows]
    return _in_columns(_in_place(_side_by_side(rows)), numbers)


def with_values(rows: Sequence[Row], values: Sequence[Line]) -> list[Row]:
    """Rows with what was typed into fields on their lines, beside its labels; other values are rows of their own."""
    found = [list(row) for row in rows]
    for value in values:
        beside = [row for row in found if any(_on_one_line(piece, value) for piece in row)]
        if beside:
            nearest = min(beside, key=lambda row: _distance(row, value))
            nearest.append(value)
            nearest.sort(key=lambda piece: piece.left)
        else:
            found.insert(_place_by_height(found, [value]), [value])
    return found


def _distance(row: Row, value: Line) -> float:
    return min(max(piece.left - value.right, value.left - piece.right, 0.0) for piece in row)


def _side_by_side(rows: Sequence[Row]) -> list[Row]:
    """Rows with what is drawn next and stands to the right, on the same line."""
    found: list[Row] = []
    for row in rows:
        if found and _on_one_line(found[-1][-1], row[0]) and row[0].left >= found[-1][-1].right - 1:
            found[-1] = found[-1] + row
        else:
            found.append(list(row))
    return found


def _in_place(rows: list[Row]) -> list[Row]:
    """Rows where what was drawn after something that stands below it is put before that."""
    blocks: list[list[Row]] = []
    for row in rows:
        if blocks and not _is_above(row, blocks[-1][-1]):
            blocks[-1].append(row)
        else:
            blocks.append([row])
    found: list[Row] = []
    for block in blocks:
        if not found:
            found = block
            continue
        if _are_cells_beside(found, block):
            found = _beside(found, block)
            continue
        is_next_column = min(piece.left for row in block for piece in row) >= max(
            piece.right for piece in found[-1]
        ) - 1 and _is_above(block[0], found[-1])
        place = len(found) if is_next_column else _place(found, block)
        found[place:place] = block
    return found


def _place(rows: list[Row], block: list[Row]) -> int:
    """Where a block goes: before the first row that stands below it and not beside it."""
    left, right = min(row[0].left for row in block), max(row[-1].right for row in block)
    bottom = min(piece.bottom for row in block for piece in row)
    for number, row in enumerate(rows):
        overlaps = row[0].left < right and left < row[-1].right
        if overlaps and row[0].top <= bottom + 0.3 * row[0].size:
            return number
    return len(rows)


def _are_cells_beside(rows: list[Row], block: list[Row]) -> bool:
    """Whether a block is the next column of a table: its rows are short, and stand on lines of rows to their left."""
    if len(block) < 2:
        return False
    neighbours = [next((other for other in rows if _on_one_line(other[-1], row[0])), None) for row in block]
    beside = [
        (row, other)
        for row, other in zip(block, neighbours, strict=True)
        if other is not None and row[0].left >= other[-1].right - 1
    ]
    if len(beside) < 0.6 * len(block):
        return False
    lengths = [min(len(row[0].text), len(other[-1].text)) for row, other in beside]
    return statistics.median(lengths) < COLUMN_CHARACTERS


def _beside(rows: list[Row], block: list[Row]) -> list[Row]:
    found = list(rows)
    for row in block:
        number = next((n for n, other in enumerate(found) if _on_one_line(other[-1], row[0])), None)
        if number is not None and row[0].left >= found[number][-1].right - 1:
            found[number] = found[number] + row
        else:
            found.insert(_place_by_height(found, row), row)
    return found


def _place_by_height(rows: list[Row], row: Row) -> int:
    return next((number for number, other in enumerate(rows) if other[0].top <= row[0].bottom), len(rows))


def _on_one_line(one: Line, other: Line) -> bool:
    overlap = min(one.top, other.top) - max(one.bottom, other.bottom)
    return overlap >= 0.5 * min(one.size, other.size) > 0


def _is_above(row: Row, other: Row) -> bool:
    """Whether a row stands above another."""
    return row[0].bottom >= other[0].top - 0.3 * other[0].size


def _in_columns(rows: list[Row], numbers: itertools.count[int]) -> list[Line]:
    """Lines in reading order, where columns may be drawn row by row."""
    gutter = _gutter(rows)
    if gutter is None:
        return _with_tables(rows, numbers)
    found: list[Line] = []
    left: list[Row] = []
    right: list[Row] = []

    def end_band() -> None:
        for number, side in enumerate((left, right), start=1):
            lines = _in_columns(sorted(side, key=lambda row: -row[0].top), numbers) if side else []
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


def _gutter(rows: list[Row]) -> float | None:
    """The place where many lines are cut in two long pieces; None for a page without columns drawn row by row."""
    gaps = [
        (one.right, other.left, min(len(one.text), len(other.text)))
        for row in rows
        for one, other in itertools.pairwise(row)
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


def _with_tables(rows: list[Row], numbers: itertools.count[int]) -> list[Line]:
    found: list[Line] = []
    start = 0
    while start < len(rows):
        end = _end_of_table(rows, start)
        if end is None:
            found.append(_joined(rows[start]))
            start += 1
        else:
            found += _table(rows[start:end], next(numbers))
            start = end
    return found


def _end_of_table(rows: list[Row], start: int) -> int | None:
    """The row behind the table that begins with one; None if none does."""
    if len(rows[start]) < 2:
        return None
    columns: list[tuple[float, float]] = []
    several, last_several = 0, start
    for number in range(start, len(rows)):
        row = rows[number]
        if number > start and not 0 < rows[number - 1][0].bottom - row[0].bottom < FAR * max(row[0].size, 1.0):
            break
        widened = _widened(columns, row)
        if widened is None or (len(row) == 1 and number > start and _column_of(columns, row[0]) is None):
            break
        columns = widened
        if len(row) > 1:
            several, last_several = several + 1, number
        elif number - last_several > 2:  # that is a paragraph
            break
    end = last_several + 1
    while end < len(rows) and len(rows[end]) == 1 and _is_continuation(rows, end, columns):
        end += 1
    return end if several >= TABLE_ROWS else None


def _widened(columns: list[tuple[float, float]], row: Row) -> list[tuple[float, float]] | None:
    """Where columns reach with one more row; None if a piece of it stands in two of them."""
    found = list(columns)
    for piece in row:
        touched = [span for span in found if piece.left < span[1] and span[0] < piece.right]
        if len(touched) > 1:
            return None
        for span in touched:
            found.remove(span)
        low, high = touched[0] if touched else (piece.left, piece.right)
        found.append((min(low, piece.left), max(high, piece.right)))
    found.sort()
    apart = all(one[1] <= other[0] for one, other in itertools.pairwise(found))
    places = [_column_of(found, piece) for piece in row]
    return found if apart and len(set(places)) == len(places) else None


def _column_of(columns: list[tuple[float, float]], piece: Line) -> int | None:
    return next((n for n, (low, high) in enumerate(columns) if piece.left < high and low < piece.right), None)


def _is_continuation(rows: list[Row], number: int, columns: list[tuple[float, float]]) -> bool:
    """Whether a row of one piece is the next line of a cell above it, not of the first column."""
    place = _column_of(columns, rows[number][0])
    distance = rows[number - 1][0].bottom - rows[number][0].bottom
    return bool(place) and 0 < distance < 1.5 * rows[number][0].size


def _table(rows: list[Row], group: int) -> list[Line]:
    """The rows of a table as lines, a cell with the heading of its column where it has one."""
    columns: list[tuple[float, float]] = []
    for row in rows:
        columns = _widened(columns, row) or columns
    steps = [one[0].bottom - other[0].bottom for one, other in itertools.pairwise(rows) if len(other) > 1]
    step = statistics.median(steps) if steps else 0.0
    cells: list[list[str]] = []
    last: Row | None = None
    for row in rows:
        places = [_column_of(columns, piece) or 0 for piece in row]
        near = last is not None and (
            last[0].bottom - row[0].bottom < TIGHT * step or (len(row) == 1 and len(columns) > 2)
        )
        if cells and near and 0 not in places and len(row) < len(columns):
            for place, piece in zip(places, row, strict=True):
                above = cells[-1][place]
                glue = "" if above.endswith("-") else " "
                cells[-1][place] = f"{above}{glue}{piece.text}" if above else piece.text
        else:
            texts = [""] * len(columns)
            for place, piece in zip(places, row, strict=True):
                texts[place] = piece.text
            cells.append(texts)
        last = row
    whole = _joined([piece for row in rows for piece in row])
    whole = replace(whole, top=rows[0][0].top, bottom=rows[-1][0].bottom, hyphenated=False, group=group)
    return [replace(whole, text=text) for text in Grid.of(cells).lines(evident=True)]


def _joined(row: Row) -> Line:
    """The pieces of a line as one; what touches, such as an index below a letter, is one word."""
    if len(row) == 1:
        return row[0]
    text = row[0].text
    for one, other in itertools.pairwise(row):
        touches = abs(other.left - one.right) < TOUCHING * max(one.size, other.size)
        text += other.text if touches else f" {other.text}"
    return replace(
        max(row, key=lambda piece: len(piece.text)),
        text=text,
        left=min(piece.left for piece in row),
        right=max(piece.right for piece in row),
        hyphenated=row[-1].hyphenated,
    )
