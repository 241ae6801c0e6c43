"""PDF: running heads and page numbers go and nothing else does; forms, comments, reading order, tables, hyphens."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctxsearch import readers
from ctxsearch.readers.pdf.hyphens import Hyphens
from tests.office import read, text
from tests.pdfs import Shown, field, note, pdf


@pytest.fixture(scope="module")
def worker() -> Iterator[readers.Worker]:
    with readers.Worker() as worker:
        yield worker


def body(number: int) -> list[Shown]:
    """Four lines in the middle of a page, other words on each."""
    words = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet")
    return [
        (60, 500 - 14 * n, 10, f"The story of {words[number % 10]} goes on in part {number}-{n} here.")
        for n in range(4)
    ]


def shown(path: Path, heads: list[list[Shown]]) -> str:
    return text(pdf(path, [[*lines, *body(number)] for number, lines in enumerate(heads)]))


# --- running heads ---


@pytest.mark.parametrize(
    ("left_out", "head"),
    [
        ("3", "{n}"),
        ("Page", "Page {n}"),
        ("Page", "Page {n} of 6"),
        ("Seite", "- Seite {n} -"),
        ("Annual", "Annual Report 2025"),
        ("Handbook", "{n} | Handbook"),
        ("Handbook", "Handbook | {n}"),
        ("Handbook", "Handbook, Page {n} of 6"),
        ("Handbook", "Page {n}: Handbook"),
        ("4 / 6", "{n} / 6"),
        ("iii", "{roman}"),
        ("Report", "Report   –   {n}"),
    ],
)
@pytest.mark.parametrize("y", [20, 785])
def test_furniture_is_left_out(tmp_path: Path, left_out: str, head: str, y: int) -> None:
    romans = ("i", "ii", "iii", "iv", "v", "vi")
    heads: list[list[Shown]] = [[(60, y, 9, head.format(n=n + 1, roman=romans[n]))] for n in range(6)]
    found = shown(tmp_path / "a.pdf", heads)
    assert not re.search(rf"(?m)^.*\b{left_out}\b.*$", re.sub(r"The story.*", "", found))
    assert found.count("The story of") == 24


@pytest.mark.parametrize(
    "head",
    [
        "Invoice {n}",
        "Invoice 2024-{n}",
        "Invoice - 100{n}",
        "Step {n}",
        "Chapter {n}",
        "Lesson {n}: Pumps",
        "Customer no. 7{n}",
        "Amount due: {n}5.00 EUR",
        "2024-05-0{n}",
        "0{n}.05.2024",
        "Net pay {n}150 EUR",
        "{n}.5 kg",
    ],
)
@pytest.mark.parametrize("y", [20, 785])
def test_lines_that_differ_in_other_numbers_stay(tmp_path: Path, head: str, y: int) -> None:
    heads: list[list[Shown]] = [[(60, y, 9, head.format(n=n + 1))] for n in range(6)]
    found = shown(tmp_path / "a.pdf", heads)
    assert [head.format(n=n + 1) for n in range(6) if head.format(n=n + 1) not in found] == []


def test_left_and_right_pages_have_heads_of_their_own(tmp_path: Path) -> None:
    heads: list[list[Shown]] = [
        [(60, 785, 9, f"{n + 1}"), (200, 785, 9, "Handbook of the Valley")]
        if n % 2
        else [(200, 785, 9, "Rivers and Mills"), (500, 785, 9, f"{n + 1}")]
        for n in range(8)
    ]
    found = shown(tmp_path / "a.pdf", heads)
    assert "Handbook" not in found
    assert "Rivers" not in found
    assert not re.search(r"(?m)^\d$", found)


def test_preface_in_roman_numbers(tmp_path: Path) -> None:
    heads: list[list[Shown]] = [[(300, 20, 9, number)] for number in ("i", "ii", "1", "2", "3", "4")]
    assert re.findall(r"(?m)^\w{1,3}$", shown(tmp_path / "a.pdf", heads)) == []


def test_title_of_a_chapter_stays_once(tmp_path: Path) -> None:
    names = ["Rivers"] * 4 + ["Mills"] * 4 + ["Boats"] * 4
    heads: list[list[Shown]] = [[(60, 785, 9, name), (400, 785, 9, "Handbook of the Valley")] for name in names]
    found = shown(tmp_path / "a.pdf", heads)
    assert [found.count(name) for name in ("Rivers", "Mills", "Boats", "Handbook")] == [1, 1, 1, 0]


def test_head_that_states_a_fact_stays_once(tmp_path: Path) -> None:
    heads: list[list[Shown]] = [[(60, 785, 9, "Customer: Ann Quillworth")] for _ in range(6)]
    assert shown(tmp_path / "a.pdf", heads).count("Ann Quillworth") == 1


def test_no_page_is_emptied(tmp_path: Path) -> None:
    pages: list[list[Shown]] = [[(60, 785, 9, "Form 12"), (300, 20, 9, f"{n + 1}")] for n in range(6)]
    assert text(pdf(tmp_path / "a.pdf", pages)).count("Form 12") == 6
    numbers: list[list[Shown]] = [[(300, 20, 9, f"{n + 1}")] for n in range(6)]
    assert text(pdf(tmp_path / "b.pdf", numbers)).split() == list("123456")


def test_large_titles_of_slides_stay(tmp_path: Path) -> None:
    heads: list[list[Shown]] = [[(60, 760, 24, "Results" if 3 <= n < 7 else f"Topic {n}")] for n in range(12)]
    assert shown(tmp_path / "a.pdf", heads).count("Results") == 4


def test_large_titles_stay_though_most_slides_have_the_same(tmp_path: Path) -> None:
    heads: list[list[Shown]] = [[(60, 760, 24, "Results" if n % 3 else "Agenda")] for n in range(9)]
    assert shown(tmp_path / "a.pdf", heads).count("Results") == 6


@pytest.mark.parametrize("top", [780, 320])
def test_rows_of_a_table_that_goes_on_are_no_furniture(tmp_path: Path, top: int) -> None:
    """Names of columns are repeated, amounts grow by one: at the top of the page, and at its bottom."""
    pages: list[list[Shown]] = [
        [
            (x, top - 14 * row, 10, cell)
            for row in range(-1, 20)
            for x, cell in (
                ((60, "Part"), (200, "Quantity"), (300, "Price"))
                if row < 0
                else ((60, f"Valve {page}-{row}"), (200, str(row + page)), (300, f"{row * 3 + page}.50"))
            )
        ]
        for page in range(5)
    ]
    found = text(pdf(tmp_path / "a.pdf", pages))
    assert "Part: Valve 3-0 | Quantity: 3 | Price: 3.50" in found
    assert "Part: Valve 3-19 | Quantity: 22 | Price: 60.50" in found
    assert found.count("| Quantity: ") == 100


WORDS = st.text(string.ascii_lowercase, min_size=3, max_size=8)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(3, 8),
    st.lists(st.tuples(WORDS, st.integers(100, 9000)), min_size=1, max_size=3, unique_by=lambda pair: pair[0]),
    st.lists(st.lists(WORDS, min_size=3, max_size=9), min_size=8, max_size=8),
    st.sampled_from(["{}", "Page {}", "- {} -", "Page {} of 99"]),
    st.sampled_from([20, 30, 780]),
    st.booleans(),
)
def test_every_word_that_is_no_furniture_is_there(
    worker: readers.Worker,
    tmp_path: Path,
    count: int,
    facts: list[tuple[str, int]],
    bodies: list[list[str]],
    number: str,
    y: int,
    has_head: bool,
) -> None:
    pages: list[list[Shown]] = []
    expected: list[str] = []
    for page in range(count):
        lines = [f"{name} {start + 7 * page * (n + 1)}" for n, (name, start) in enumerate(facts)]
        paragraph = [f"{page}x{' '.join(bodies[page])}", "and so on"]
        expected += [word for line in lines + paragraph for word in line.split()]
        pages.append(
            [
                *([(60.0, 790.0, 8.0, "Handbook of the Valley")] if has_head else []),
                *((60, 770 - 14 * n, 10, line) for n, line in enumerate(lines)),
                *((60, 500 - 14 * n, 10, line) for n, line in enumerate(paragraph)),
                (300, y if y != 780 or not has_head else 20, 9, number.format(page + 1)),
            ]
        )
    found = text(pdf(tmp_path / "a.pdf", pages), worker).split()
    for word in set(expected):
        assert found.count(word) >= expected.count(word), word


# --- forms and comments ---


def test_values_stand_beside_their_labels(tmp_path: Path) -> None:
    labels: list[Shown] = [
        (60, 700, 10, "Name:"),
        (60, 660, 10, "Town:"),
        (60, 620, 10, "Colour:"),
        (90, 580, 10, "I agree"),
        (90, 540, 10, "Send news"),
        (60, 500, 10, "Remarks:"),
    ]
    ticked = "/AP<</N<</Yes 3 0 R/Off 3 0 R>>>>"
    annotations = [
        field("Tx", "name", "(Ann Quillworth)", (150, 695, 400, 712)),
        field("Tx", "town", "<FEFF004F00730142>", (150, 655, 400, 672)),
        field("Ch", "colour", "(blue)", (150, 615, 400, 632), "/Ff 131072/Opt[(red)(blue)]"),
        field("Btn", "agree", "/Yes", (60, 577, 75, 592), f"/AS/Yes{ticked}"),
        field("Btn", "news", "/Off", (60, 537, 75, 552), f"/AS/Off{ticked}"),
        field("Tx", "remarks", r"(first line\rsecond line)", (150, 440, 400, 512), "/Ff 4096"),
        field("Tx", "secret", "(hunter2)", (150, 400, 400, 412), "/Ff 8192"),
        field("Tx", "hidden", "(not shown)", (150, 380, 400, 392)).replace(b"/F 4", b"/F 2"),
    ]
    found = text(pdf(tmp_path / "a.pdf", [labels], annotations=annotations))
    assert "Name: Ann Quillworth" in found
    assert "Town: Osł" in found
    assert "Colour: blue" in found
    assert "☒ I agree" in found
    assert "☐ Send news" in found
    assert re.search(r"first line\s+(Remarks: )?second line|Remarks: first line\s+second line", found)
    assert "hunter2" not in found
    assert "not shown" not in found


def test_comments_are_read_with_their_page(tmp_path: Path) -> None:
    annotations = [
        note("Text", "Check clause nine.", (300, 600, 320, 620), "/T(Bob)"),
        note("Highlight", "Too vague", (60, 690, 200, 710), "/QuadPoints[60 710 200 710 60 690 200 690]"),
        note("FreeText", "In the margin", (400, 695, 560, 712), "/DA(/F 10 Tf)"),
        note("Popup", "a copy", (300, 600, 320, 620)),
    ]
    pages: list[list[Shown]] = [[(60, 700, 10, "The contract is signed.")], [(60, 700, 10, "The end.")]]
    (found,) = read(pdf(tmp_path / "a.pdf", pages, annotations=annotations))
    assert found.text == (
        "The contract is signed. In the margin\n\nComment by Bob: Check clause nine.\nComment: Too vague\n\nThe end."
    )
    assert found.pages[1].start == found.text.index("The end.")


# --- reading order ---


def test_title_that_is_drawn_last_comes_first(tmp_path: Path) -> None:
    lines: list[Shown] = [(60, 700 - 14 * n, 10, f"line {n} of the text") for n in range(5)]
    assert text(pdf(tmp_path / "a.pdf", [[*lines, (60, 760, 24, "The Title")]])).startswith("The Title")


def test_lines_drawn_from_the_bottom_are_read_from_the_top(tmp_path: Path) -> None:
    lines: list[Shown] = [(60, 600 + 14 * n, 10, f"word{n}") for n in range(6)]
    assert text(pdf(tmp_path / "a.pdf", [lines])).split() == [f"word{n}" for n in range(5, -1, -1)]


@pytest.mark.parametrize("by_column", [True, False])
def test_columns_are_read_one_after_the_other_and_the_title_first(tmp_path: Path, by_column: bool) -> None:
    left: list[Shown] = [(50, 700 - 14 * n, 10, f"left {n} words of the first column") for n in range(8)]
    right: list[Shown] = [(320, 700 - 14 * n, 10, f"right {n} words of the second one") for n in range(8)]
    drawn = [*left, *right] if by_column else [piece for pair in zip(left, right, strict=True) for piece in pair]
    found = text(pdf(tmp_path / "a.pdf", [[*drawn, (50, 740, 20, "A title over both of the columns")]]))
    assert found.startswith("A title over both of the columns")
    assert re.findall(r"(left|right) (\d)", found) == [(side, str(n)) for side in ("left", "right") for n in range(8)]


@pytest.mark.parametrize("by_column", [True, False])
def test_rows_of_a_table_stay_rows(tmp_path: Path, by_column: bool) -> None:
    rows = [("Item", "Price", "Stock"), ("Pump", "40", "7"), ("Seal", "5", "120"), ("Hose", "12", "9")]
    cells = [(60 + 150 * c, 700 - 20 * r, 10, t) for r, row in enumerate(rows) for c, t in enumerate(row)]
    drawn: list[Shown] = sorted(cells, key=lambda cell: (cell[0], -cell[1])) if by_column else list(cells)
    assert text(pdf(tmp_path / "a.pdf", [drawn])) == (
        "Item: Pump | Price: 40 | Stock: 7\nItem: Seal | Price: 5 | Stock: 120\nItem: Hose | Price: 12 | Stock: 9"
    )


def test_table_without_evident_headings_has_none(tmp_path: Path) -> None:
    rows = [("alpha", "bravo"), ("charlie", "delta"), ("echo", "foxtrot")]
    cells: list[Shown] = [(60 + 150 * c, 700 - 20 * r, 10, t) for r, row in enumerate(rows) for c, t in enumerate(row)]
    assert text(pdf(tmp_path / "a.pdf", [cells])) == "alpha | bravo\ncharlie | delta\necho | foxtrot"


def test_lines_of_one_cell_stay_in_its_row(tmp_path: Path) -> None:
    cells: list[Shown] = []
    for row, (name, first, second, price) in enumerate(
        [
            ("Pump", "of steel with a", "long hose", "40"),
            ("Seal", "of rubber with", "a rim", "5"),
            ("Hose", "long", "", "9"),
        ]
    ):
        y = 660 - 40 * row
        cells += [(60, y, 10, name), (200, y, 10, first), (400, y, 10, price)]
        cells += [(200, y - 11, 10, second)] if second else []
    heads: list[Shown] = [(60, 690, 10, "Item"), (200, 690, 10, "Description"), (400, 690, 10, "Price")]
    assert text(pdf(tmp_path / "a.pdf", [heads + cells])) == (
        "Item: Pump | Description: of steel with a long hose | Price: 40\n"
        "Item: Seal | Description: of rubber with a rim | Price: 5\nItem: Hose | Description: long | Price: 9"
    )


# --- hyphens ---


@pytest.mark.parametrize(
    ("word", "joined"),
    [
        ("long-term", False),
        ("self-employed", False),
        ("well-known", False),
        ("decision-making", False),
        ("cost-effective", False),
        ("govern-ment", True),
        ("trans-port", True),
        ("reim-bursement", True),
        ("high-light", True),
        ("manage-able", True),
        ("part-ner", True),
        ("inter-national", True),
        ("Regierungs-programm", True),
    ],
)
def test_hyphens_of_words_and_of_lines(word: str, joined: bool) -> None:
    before, after = word.split("-")
    assert Hyphens([]).belongs(before, after) is not joined


def test_document_says_how_its_words_are_written() -> None:
    hyphens = Hyphens(["the decision-making of a longterm plan"])
    assert hyphens.belongs("decision", "making")
    assert not hyphens.belongs("long", "term")
