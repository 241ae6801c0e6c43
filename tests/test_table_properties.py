"""Tables made at random, in each format: each value stands beside its columns' headings, in each row that it spans."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctxsearch import readers
from tests import office
from tests.office import letters, text, word, workbook

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ("Region", "City", "Fee", "Amount", "Date of entry", "No.", "Height (m)", "2021", "2022", "Owner & co")


@dataclass(frozen=True)
class Cell:
    row: int
    column: int
    text: str
    columns: int = 1
    rows: int = 1


@dataclass(frozen=True)
class Table:
    """A table; the rows of cells begin below the heads. The first column names the rows and spans nothing."""

    heads: tuple[tuple[Cell, ...], ...]
    cells: tuple[Cell, ...]
    width: int
    height: int

    def names(self, column: int) -> str:
        found = [cell.text for row in self.heads for cell in row if cell.column <= column < cell.column + cell.columns]
        return " ".join(dict.fromkeys(found))

    def rows(self) -> list[list[Cell]]:
        """All rows, heads first; cells in the rows in which they begin."""
        body = [[cell for cell in self.cells if cell.row == row] for row in range(self.height)]
        return [*map(list, self.heads), *body]


@st.composite
def tables(draw: st.DrawFn, spans: bool = True) -> Table:
    width, height = draw(st.integers(2, 5)), draw(st.integers(2, 6))
    names = ["Item", *draw(st.permutations(NAMES))[: width - 1]]
    heads = [tuple(Cell(0, column, name) for column, name in enumerate(names))]
    if spans and width > 2 and draw(st.booleans()):
        cut = draw(st.integers(1, width - 2))
        groups = [Cell(0, column, names[column], rows=2) for column in range(cut)]
        groups.append(Cell(0, cut, "Group", columns=width - cut))
        heads = [tuple(groups), tuple(Cell(1, column, names[column]) for column in range(cut, width))]
    taken: set[tuple[int, int]] = set()
    cells = []
    for row in range(height):
        for column in range(width):
            if (row, column) in taken:
                continue
            columns = rows = 1
            if spans and column and draw(st.integers(0, 4)) == 0:
                columns = draw(st.integers(1, width - column))
                while any((row, column + n) in taken for n in range(columns)):
                    columns -= 1
                rows = draw(st.integers(1, height - row))
            taken |= {(row + r, column + c) for r in range(rows) for c in range(columns)}
            value = f"item{row}" if not column else str(100 * row + column + 7)
            cells.append(Cell(row, column, value, columns, rows))
    return Table(tuple(heads), tuple(cells), width, height)


def check(table: Table, found: str) -> None:
    lines = {line.split(" | ")[0]: line.split(" | ") for line in found.splitlines() if " | " in line}
    for cell in table.cells:
        for row in range(cell.row, cell.row + cell.rows):
            parts = lines[f"{table.names(0)}: item{row}"]
            for column in range(cell.column, cell.column + cell.columns):
                assert f"{table.names(column)}: {cell.text}" in parts, found
    assert len(lines) == table.height


def as_html(path: Path, table: Table) -> Path:
    def row(cells: list[Cell], tag: str) -> str:
        shown = (f'<{tag} colspan="{c.columns}" rowspan="{c.rows}">{escape(c.text)}</{tag}>' for c in cells)
        return f"<tr>{''.join(shown)}</tr>"

    heads, rows = len(table.heads), table.rows()
    shown = "".join(row(cells, "th" if number < heads else "td") for number, cells in enumerate(rows))
    path.write_text(f"<!doctype html><p>before<table>{shown}</table><p>after")
    return path


def as_docx(path: Path, table: Table) -> Path:
    grid = slots(table)
    shown = []
    for number, row in enumerate(grid):
        mark = "<w:trPr><w:tblHeader/></w:trPr>" if number < len(table.heads) else ""
        inner, column = "", 0
        while column < table.width:
            cell, is_first = row[column]
            merge = "" if cell.rows == 1 else '<w:vMerge w:val="restart"/>' if is_first else "<w:vMerge/>"
            span = f'<w:gridSpan w:val="{cell.columns}"/>' if cell.columns > 1 else ""
            inner += office.cell(escape(cell.text) if is_first else "", span + merge)
            column += cell.columns
        shown.append(mark + inner)
    return word(path, office.table(*shown))


def slots(table: Table) -> list[list[tuple[Cell, bool]]]:
    """The cell in each place, and whether the row is its first."""
    found: dict[tuple[int, int], tuple[Cell, bool]] = {}
    for number, row in enumerate(table.rows()):
        for cell in row:
            for r in range(cell.rows):
                found.update({(number + r, cell.column + c): (cell, r == 0) for c in range(cell.columns)})
    height = len(table.heads) + table.height
    return [[found[row, column] for column in range(table.width)] for row in range(height)]


def as_xlsx(path: Path, table: Table) -> Path:
    grid = [[""] * table.width for _ in table.rows()]
    merged = []
    for number, row in enumerate(table.rows()):
        for cell in row:
            grid[number][cell.column] = cell.text
            if cell.columns > 1 or cell.rows > 1:
                last = f"{letters(cell.column + cell.columns - 1)}{number + cell.rows}"
                merged.append(f"{letters(cell.column)}{number + 1}:{last}")
    return workbook(path, {"S": grid}, merged={"S": merged})


def as_odt(path: Path, table: Table) -> Path:
    shown = ""
    for number, row in enumerate(slots(table)):
        inner = ""
        for column, (cell, is_first) in enumerate(row):
            if is_first and column == cell.column:
                spans = f'b:number-columns-spanned="{cell.columns}" b:number-rows-spanned="{cell.rows}"'
                inner += f"<b:table-cell {spans}><t:p>{escape(cell.text)}</t:p></b:table-cell>"
            else:
                inner += "<b:covered-table-cell/>"
        shown += f"<b:table-row>{inner}</b:table-row>"
        if number == len(table.heads) - 1:
            shown = f"<b:table-header-rows>{shown}</b:table-header-rows>"
    spaces = 'xmlns:o="urn:o" xmlns:t="urn:t" xmlns:b="urn:b"'
    content = f"<o:document {spaces}><o:body><o:text><b:table>{shown}</b:table></o:text></o:body></o:document>"
    return office.archive(path, {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


@pytest.fixture(scope="module")
def worker() -> Iterator[readers.Worker]:
    with readers.Worker() as worker:
        yield worker


@pytest.mark.parametrize(
    ("suffix", "write"),
    [("html", as_html), ("docx", as_docx), ("xlsx", as_xlsx), ("odt", as_odt)],
    ids=lambda each: each,
)
def test_values_stand_beside_their_headings(
    worker: readers.Worker, tmp_path: Path, suffix: str, write: Callable[[Path, Table], Path]
) -> None:
    @SETTINGS
    @given(tables())
    def check_one(table: Table) -> None:
        check(table, text(write(tmp_path / f"a.{suffix}", table), worker))

    check_one()


@SETTINGS
@given(
    tables(spans=False),
    st.sampled_from(",;\t|"),
    st.lists(st.sampled_from(["Report of May", "", "Source: the ministry", "Unit;EUR"]), max_size=3),
    st.booleans(),
)
def test_values_of_csv_stand_beside_their_headings(
    worker: readers.Worker, tmp_path: Path, table: Table, delimiter: str, above: list[str], stated: bool
) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    for row in table.rows():
        writer.writerow([cell.text for cell in row])
    lines = [f"sep={delimiter}"] * stated + [line.replace(";", " ") for line in above]
    (tmp_path / "a.csv").write_text("".join(f"{line}\n" for line in lines) + stream.getvalue(), newline="")
    found = text(tmp_path / "a.csv", worker)
    check(table, found)
    assert [line for line in lines[stated:] if line not in found] == []
