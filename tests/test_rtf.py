"""RTF: groups and destinations, bytes of any code page, tables, notes, headings."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctxsearch.readers.rtf import text_of
from tests.office import read


def row(cells: list[str], marks: tuple[str, ...] = ("", "", "")) -> str:
    ends = "".join(f"{mark}\\cellx{1000 * n}" for n, mark in enumerate(marks, start=1))
    return rf"\trowd{ends}" + "".join(rf"\intbl {text}\cell" for text in cells) + r"\row"


@pytest.mark.parametrize(
    ("rtf", "expected"),
    [
        (r"{\i0\b0\*\cs7\cf0 The lift.}\par", "The lift."),
        (r"{\*\unknown gone {and this}}stays", "stays"),
        (r"x {\pict\bin5 ab}}c} y{\pict\bin 00ff} z", "x y z"),
        (r"A{\footnote {\super 1} a note}B.\par next", "AB.\nnext\n\n1 a note"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt a link}} here", "a link here"),
        (r"{\upr{plain}{\*\ud{caf\u233?}}}", "café"),
        (r"{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt in the box\par}}{\shprslt copy}}after", "in the box\nafter"),
        (r"{\listtext 1.\tab}first\par{\pntext\'b7\tab}second", "1. first\n- second"),
        (r"\{a\} b\_c\~d e\\f g\-h", "{a} b-c\u00a0d e\\f gh"),
        (r"{\v hidden}{\deleted gone}shown", "shown"),
        (r"text{\*\atnauthor Ann}{\*\annotation{\*\atnref 1}why?}", "text\n\nAnn: why?"),
        (r"{\header Letterhead\par}{\footer the end}body", "Letterhead\n\nbody\n\nthe end"),
        ("a\\\nb", "a\nb"),
    ],
)
def test_what_is_shown_and_what_is_not(rtf: str, expected: str) -> None:
    found = text_of(rf"{{\rtf1\ansi {rtf}}}".encode())
    assert found.replace("  ", " ") == expected


@pytest.mark.parametrize(
    ("rtf", "expected"),
    [
        (rb"\ansicpg1251 \'cf\'f0\'e8", "При"),
        (rb"{\fonttbl{\f0\fcharset0 T;}{\f1\fcharset128 M;}}\f1 \'93\'fa\'96\'7b\f0  \'e9", "日本 é"),
        (rb"{\fonttbl{\f1\fcharset128 M;}}\f1 \'83e", b"\x83e".decode("cp932")),
        (rb"{\fonttbl{\f2\fcharset2 Symbol;}}{\f2\'b7} one", "• one"),
        (rb"\mac \'8e", "é"),
        (rb"caf\u233? \u-10179?\u-8704?", "café 😀"),
        (rb"{\uc0 a\u8364 b}\u8364 ?c", "a€b€c"),
        (rb"{\uc2 \u8364 xxy}", "€y"),
        (rb"half \u-10179? end", "half \ufffd end"),
        (b"raw \xe9", "raw é"),
    ],
)
def test_characters(rtf: bytes, expected: str) -> None:
    assert text_of(rb"{\rtf1\ansi " + rtf + b"}") == expected


def test_tables_keep_merged_cells_under_their_headings() -> None:
    body = row(["Region", "City", "Fee"]) + row(["North", "Oslo", "10"], (r"\clvmgf", "", ""))
    body += (
        row(["", "Bergen", "12"], (r"\clvmrg", "", "")) + r"\trowd\cellx1000\cellx3000\intbl South\cell none\cell\row"
    )
    assert text_of(rf"{{\rtf1 before\par {body}\pard after}}".encode()) == (
        "before\n\nRegion: North | City: Oslo | Fee: 10\nRegion: North | City: Bergen | Fee: 12\n"
        "Region: South | City: none | Fee: none\n\nafter"
    )


def test_headings_by_style_and_by_outline(tmp_path: Path) -> None:
    styles = r"{\stylesheet{\s0 Normal;}{\s1\sbasedon0 heading 1;}{\s2 heading 2;}}"
    body = r"\pard\s1 Plan\par\pard One.\par\pard\outlinelevel1 Costs\par\pard Two."
    (tmp_path / "a.rtf").write_text(rf"{{\rtf1{styles}{{\info{{\title My \u233?l\'e9ve}}{{\author Ann}}}}{body}}}")
    (found,) = read(tmp_path / "a.rtf")
    assert found.text == "Plan\n\nOne.\n\nCosts\n\nTwo."
    assert [(heading.level, heading.title) for heading in found.headings] == [(1, "Plan"), (2, "Costs")]
    assert (found.title, found.metadata["author"]) == ("My éléve", "Ann")


def test_groups_without_end_and_with_too_many_ends() -> None:
    assert text_of(rb"{\rtf1 {{{a") == "a"
    assert text_of(rb"{\rtf1 a}}}b") == "ab"
    assert text_of(b"{" * 100_000 + rb"\rtf1 deep") == "deep"
