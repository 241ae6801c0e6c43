"""Where cells stand in a table, which rows name its columns, and the lines that come of it."""

from __future__ import annotations

import pytest

from ctxsearch.readers.grid import MAX_COLUMNS, Grid, lines_of


def lines(*rows: str) -> list[str]:
    """The lines of a table whose cells are given with commas between them."""
    return Grid.of([row.split(",") for row in rows]).lines()


def test_cell_that_spans_rows_stands_in_each_of_them_under_its_own_heading() -> None:
    grid = Grid.of([["Region", "City", "Fee"]], header=True)
    grid.row()
    for text, rows in (("North", 2), ("Oslo", 1), ("10", 1)):
        grid.cell(text, rows=rows)
    grid.row()
    grid.cell("Bergen")
    grid.cell("12")
    assert grid.lines() == ["Region: North | City: Oslo | Fee: 10", "Region: North | City: Bergen | Fee: 12"]


def test_cell_that_spans_columns_stands_beside_each_of_their_headings() -> None:
    grid = Grid.of([["Day", "Morning", "Evening"]], header=True)
    grid.row()
    grid.cell("Sunday")
    grid.cell("closed", columns=2)
    assert grid.lines() == ["Day: Sunday | Morning: closed | Evening: closed"]


def test_cell_over_the_whole_width_has_no_heading() -> None:
    grid = Grid.of([["A", "B"]], header=True)
    grid.row()
    grid.cell("All of these are estimates", columns=2)
    grid.row()
    grid.cell("1")
    grid.cell("2")
    assert grid.lines() == ["All of these are estimates", "A: 1 | B: 2"]


def test_headings_of_groups_stand_before_those_of_their_columns() -> None:
    grid = Grid()
    grid.row()
    grid.cell("Region", rows=2)
    grid.cell("Sales", columns=2)
    grid.row()
    grid.cell("2021")
    grid.cell("2022")
    grid.row()
    for text in ("North", "10", "12"):
        grid.cell(text)
    assert grid.lines() == ["Region: North | Sales 2021: 10 | Sales 2022: 12"]


def test_headings_of_groups_without_merged_cells() -> None:
    table = ("x,2021,,2022,", "Region,Q1,Q2,Q1,Q2", "North,1,2,3,4")
    assert lines(*table) == ["x Region: North | 2021 Q1: 1 | 2021 Q2: 2 | 2022 Q1: 3 | 2022 Q2: 4"]


def test_heading_that_is_repeated_in_the_middle_is_no_row() -> None:
    grid = Grid()
    for row in (["A", "B"], ["1", "2"], ["A", "B"], ["3", "4"]):
        grid.row(heading=row[0] == "A")
        for text in row:
            grid.cell(text)
    assert grid.lines() == ["A: 1 | B: 2", "A: 3 | B: 4"]


def test_other_headings_in_the_middle_hold_from_there_on() -> None:
    grid = Grid()
    for row in (["A", "B"], ["1", "2"], ["C", "D"], ["3", "4"]):
        grid.row(heading=row[0] in "AC")
        for text in row:
            grid.cell(text)
    assert grid.lines() == ["A: 1 | B: 2", "C: 3 | D: 4"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (("Region,2021,2022", "North,10,12"), "Region: North | 2021: 10 | 2022: 12"),
        ((",2021,2022", "Revenue,10,12"), "Revenue | 2021: 10 | 2022: 12"),
        (("Region,2020/21,2021/22", "North,10,12"), "Region: North | 2020/21: 10 | 2021/22: 12"),
        (("Name,Score,Score", "Ann,5,7"), "Name: Ann | Score: 5 | Score: 7"),
        (("Size,36,37,38,39", "Width,9.1,9.2,9.3,9.4"), "Size: Width | 36: 9.1 | 37: 9.2 | 38: 9.3 | 39: 9.4"),
        (("Country,2021,Change", "Chad,10,up"), "Country: Chad | 2021: 10 | Change: up"),
        (("Item,,Price", "Pump,steel,5"), "Item: Pump | steel | Price: 5"),
    ],
)
def test_years_numbers_and_repeated_names_are_headings(table: tuple[str, ...], expected: str) -> None:
    assert lines(*table)[-1] == expected


@pytest.mark.parametrize(
    "table",
    [
        ("1,2", "3,4"),
        ("Ann,2021,Rome", "Bob,2022,Ulm"),
        ("Revenue,10,12", "Cost,7,8"),
        ("Pump,10,20,30,40", "Seal,3,4,5,6"),
        ("Ann,Ulm,cook", "Bob,Ulm,smith"),
        ("Name,Ann Smith", "Phone,555 0123", "Mail,ann@example.org"),
        ("Ann,ann@example.org", "Bob,bob@example.org"),
        ("Valve 0,Hall 3", "Valve 1,Hall 4", "Valve 2,Hall 1"),
    ],
)
def test_rows_of_data_name_nothing(table: tuple[str, ...]) -> None:
    assert lines(*table) == [row.replace(",", " | ") for row in table]


def test_properties_with_a_colon_are_followed_by_their_values() -> None:
    assert lines("Name:,Ann Smith", "Town:,Ulm", "Job:,cook") == ["Name: Ann Smith", "Town: Ulm", "Job: cook"]


@pytest.mark.parametrize("above", [["Sales by region"], ["Sales by region", "as of May", "Source: Ann"], ["Unit:,EUR"]])
def test_titles_and_notes_above_the_header_are_lines_of_their_own(above: list[str]) -> None:
    table = lines(*above, "Region,City,Fee,Year", "North,Oslo,10,2021", "South,Rome,7,2022")
    assert table[len(above) :] == [
        "Region: North | City: Oslo | Fee: 10 | Year: 2021",
        "Region: South | City: Rome | Fee: 7 | Year: 2022",
    ]
    assert " ".join(table[: len(above)]).split() == " ".join(above).replace(",", " ").split()


def test_heading_of_an_empty_column_is_not_lost() -> None:
    assert lines("Name,Role,Room", "Ann,cook,", "Bob,smith,") == [
        "Room",
        "Name: Ann | Role: cook",
        "Name: Bob | Role: smith",
    ]


def test_long_text_in_a_cell_over_several_rows_is_shown_once() -> None:
    long = "word " * 100
    grid = Grid.of([["Note", "Fee"]], header=True)
    grid.row()
    grid.cell(long, rows=3)
    for fee in ("1", "2", "3"):
        if fee != "1":
            grid.row()
        grid.cell(fee)
    assert grid.lines() == [f"Note: {long.strip()} | Fee: 1", "Fee: 2", "Fee: 3"]


def test_spans_without_end_take_no_memory() -> None:
    grid = Grid()
    for _ in range(50):
        grid.row()
        for _ in range(50):
            grid.cell("x", columns=10**9, rows=10**9)
    assert sum(text.count("x") for text in grid.lines()) < 50 * MAX_COLUMNS


def test_long_table_is_named_by_its_first_rows() -> None:
    rows = [["Title"], ["Name", "Fee"], *([f"n{n}", str(n)] for n in range(200)), ["", ""]]
    found = list(lines_of(rows))
    assert (found[0], found[1], found[-1], len(found)) == ("Title", "Name: n0 | Fee: 0", "Name: n199 | Fee: 199", 201)


@pytest.mark.parametrize("note", ["Source: town council", "Notes: in euros", "* without tax", "(*) estimated"])
def test_note_below_a_table_has_no_heading(note: str) -> None:
    assert lines("City,Fee", "Oslo,10", "Rome,12", note)[-1] == note


def test_row_with_one_value_is_no_note() -> None:
    assert lines("City,Fee", "Oslo,10", "Rome,12", "Bergen")[-1] == "City: Bergen"
