"""Tables of HTML: spans, heads of several rows, tables that only lay out a page."""

from __future__ import annotations

import pytest

from ctxsearch.readers import html


def text(body: str) -> str:
    return html.parse(f"<body>{body}</body>", "page").text


def test_heads_of_two_rows_and_rows_that_are_spanned() -> None:
    table = (
        "<table><caption>Sales by <b>region</b></caption>"
        "<thead><tr><th rowspan=2>Region<th colspan=2>Sales</tr><tr><th>2021<th>2022</tr></thead>"
        "<tr><th rowspan=2>North<td>1<td>2<tr><td>3<td>4<tr><td colspan=3>All closed<tr><td>South<td colspan=2>none"
        "</table>"
    )
    assert text(table) == (
        "Sales by region\n\nRegion: North | Sales 2021: 1 | Sales 2022: 2\nRegion: North | Sales 2021: 3 | "
        "Sales 2022: 4\nAll closed\nRegion: South | Sales 2021: none | Sales 2022: none"
    )


def test_span_ends_with_its_group_of_rows() -> None:
    table = (
        "<table><thead><tr><th rowspan=5>A<th>B</thead><tbody><tr><td rowspan=0>1<td>2<tr><td>3</tbody>"
        "<tbody><tr><td>4<td>5</tbody></table>"
    )
    assert text(table) == "A: 1 | B: 2\nA: 1 | B: 3\nA: 4 | B: 5"


def test_corner_without_a_name() -> None:
    table = "<table><tr><td></td><th>2021</th><th>2022</th></tr><tr><th>Revenue</th><td>1</td><td>2</td></tr></table>"
    assert text(table) == "Revenue | 2021: 1 | 2022: 2"


def test_rows_that_are_named_by_their_first_cell() -> None:
    assert text("<table><tr><th>Name<td>Ann<tr><th>Town<td>Ulm</table>") == "Name: Ann\nTown: Ulm"


def test_table_that_lays_out_a_page_is_read_block_by_block() -> None:
    table = (
        "<table><tr><td><h2>Left</h2><p>One.</p><p>Two.</p><td><h2>Right</h2>"
        "<table><tr><th>q<th>r<tr><td>1<td>2</table></table>"
    )
    found = html.parse(table, "page")
    assert found.text == "Left\n\nOne.\n\nTwo.\n\nRight\n\nq: 1 | r: 2"
    assert [heading.title for heading in found.headings] == ["Left", "Right"]
    assert text("<table role=presentation><tr><td>One.<td>Two.</table>") == "One.\n\nTwo."


def test_table_in_a_cell_stays_in_the_line_of_its_row() -> None:
    inner = "<table><tr><th>q<th>r<tr><td>1<td>2<tr><td>3<td>4</table>"
    assert text(f"<table><tr><th>A<th>B<tr><td>a<td>{inner}</table>") == "A: a | B: q: 1 | r: 2; q: 3 | r: 4"


def test_hidden_rows_and_cells_are_left_out() -> None:
    table = "<table><tr><th>A<th>B<tr hidden><td>1<td>2<tr><td>3<td hidden>x<td>4</table>"
    assert text(table) == "A: 3 | B: 4"


@pytest.mark.parametrize("span", ["0", "-3", "x", "1e9", "99999999999999999999"])
def test_spans_that_mean_nothing(span: str) -> None:
    table = f"<table><tr><th>A<th>B<tr><td colspan={span}>1<td rowspan={span}>2</table>"
    assert text(table).endswith("B: 2")


def test_tables_in_tables_without_end_are_read() -> None:
    assert text("<table><tr><th>a<td>" * 300 + "deep").count("a") == 300
