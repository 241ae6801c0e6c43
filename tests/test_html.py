"""HTML beyond the cases: what a reader of the page sees is in the text, and numbers stay what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctxsearch.errors import SourceError
from ctxsearch.readers.html import parse
from tests.office import read


def text(body: str) -> str:
    return parse(f"<!doctype html><html><body><main>{body}</main></body></html>", "a").text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<ol><li>one<li>two</ol>", "1. one\n2. two"),
        ("<ol start=3><li>three<li value=9>nine<li>ten</ol>", "3. three\n9. nine\n10. ten"),
        ("<ol type=a><li>x</ol><ol type=I start=4><li>y</ol>", "a. x\n\nIV. y"),
        ("<ol reversed><li>x<li>y</ol>", "2. x\n1. y"),
        ('<ol style="list-style-type: upper-alpha"><li>x</ol>', "A. x"),
        ('<ol style="list-style: none"><li>x</ol>', "- x"),
        ("<ol><li>one<ul><li>sub</ul><li>two</ol>", "1. one\n\n- sub\n\n2. two"),
        ("<ol start=-99999999999999999999><li>one</ol>", "1. one"),
    ],
)
def test_lists_show_their_numbers(markup: str, expected: str) -> None:
    assert text(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("About 10<sup>6</sup> cells", "About 10^6 cells"),
        ("10<sup>-3</sup> m", "10^-3 m"),
        ("H<sub>2</sub>O and x<sup>2</sup>", "H2O and x2"),
        ("the 1<sup>st</sup> of May", "the 1st of May"),
        ("in 2020<sup><a href=#n>3</a></sup>", "in 2020 3"),
    ],
)
def test_exponents_are_no_figures_of_the_number_before(markup: str, expected: str) -> None:
    assert text(f"<p>{markup}</p>") == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<label>Name <input value="Ann Quillworth"></label>', "Name Ann Quillworth"),
        ("<li><input type=checkbox checked disabled> Valve <li><input type=checkbox> Seal", "- ☒ Valve\n- ☐ Seal"),
        ('<p>A</p><input type=hidden value="x"><input type=password value="y">', "A"),
        ('<p>A</p><input type=button value="How do I pay?"><p>By card.</p>', "A\n\nHow do I pay?\n\nBy card."),
        ('Cost <span aria-hidden=true>12</span><span class="sr-only">twelve</span> euros', "Cost 12 twelve euros"),
        ('<img src=y title="The old mill">', "The old mill"),
        (
            '<p>A</p><iframe srcdoc="&lt;h2&gt;Fees&lt;/h2&gt;&lt;p&gt;Ten.&lt;/p&gt;"></iframe>B',
            "A\n\nFees\n\nTen.\n\nB",
        ),
        ("<x-a><template shadowrootmode=open><p>Shade</p></template><p>Light</p></x-a><p>B</p>", "Shade\n\nLight\n\nB"),
        ("<p>A</p><template><p>Draft</p></template>", "A"),
        ("<marquee>Hot news</marquee>Sale", "Hot news Sale"),
        (
            "<table><tr><th>City<th>Fee<tfoot><tr><td>Sum<td>22<tbody><tr><td>Oslo<td>22</table>",
            "City: Oslo | Fee: 22\nCity: Sum | Fee: 22",
        ),
    ],
)
def test_what_is_seen_is_read(markup: str, expected: str) -> None:
    assert text(markup) == expected


def test_headings_of_a_page_inside_another() -> None:
    page = parse('<p>A</p><iframe srcdoc="<h2>Fees</h2>"></iframe>', "a")
    assert [(heading.title, page.text[heading.start :]) for heading in page.headings] == [("Fees", "Fees")]


def test_page_of_frames(tmp_path: Path) -> None:
    frames = "<html><frameset><frame src=a.html>{}</frameset></html>"
    path = tmp_path / "a.html"
    path.write_text(frames.format("<noframes><p>See our list of pumps.</p></noframes>"))
    assert parse(path.read_text(), "a").text == "See our list of pumps."
    path.write_text(frames.format(""))
    (error,) = read(path)
    assert isinstance(error, SourceError)
    assert error.reason == "the page only shows others in frames; ingest those"


def test_roles_set_apart_as_the_tags_do_that_they_stand_for() -> None:
    page = parse(
        "<main><div>Before<span role=heading aria-level=3>Fees</span>"
        "<span role=listitem>Oslo</span><span role=listitem>Rome</span>"
        "<div role=row><span role=cell>10</span><span role=cell>12</span></div>"
        "<time>9:00</time><time>10:00</time></div></main>",
        "a",
    )
    assert page.text == "Before\n\nFees\n\nOslo\nRome\n\n10 12\n\n9:00 10:00"
    assert [(heading.title, heading.level) for heading in page.headings] == [("Fees", 3)]
