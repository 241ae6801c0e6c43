"""Word documents: numbers of paragraphs, tables, fields, headers, boxes, and documents inside of documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctxsearch.readers.numbering import formatted
from tests.office import cell, paragraph, read, table, text, word


def level(number: int, form: str, shown: str, more: str = "") -> str:
    settings = f'<w:start w:val="1"/><w:numFmt w:val="{form}"/>{more}<w:lvlText w:val="{shown}"/>'
    return f'<w:lvl w:ilvl="{number}">{settings}</w:lvl>'


def in_list(list_id: int, number: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{number}"/><w:numId w:val="{list_id}"/></w:numPr>'


def numbering(*levels: str, lists: str = '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>') -> str:
    return f'<w:abstractNum w:abstractNumId="0">{"".join(levels)}</w:abstractNum>{lists}'


def test_numbers_are_counted_level_by_level(tmp_path: Path) -> None:
    part = numbering(level(0, "decimal", "%1."), level(1, "decimal", "%1.%2"), level(2, "lowerLetter", "(%3)"))
    body = "".join(
        paragraph(name, in_list(1, depth)) for name, depth in zip("ABCDEFG", (0, 1, 2, 2, 1, 0, 1), strict=True)
    )
    path = word(tmp_path / "a.docx", body, {"numbering.xml": part})
    assert text(path) == "1. A\n1.1 B\n(a) C\n(b) D\n1.2 E\n2. F\n2.1 G"


def test_list_that_starts_anew_and_list_that_goes_on(tmp_path: Path) -> None:
    anew = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    lists = "".join(
        f'<w:num w:numId="{n}"><w:abstractNumId w:val="0"/>{more}</w:num>' for n, more in ((1, ""), (2, anew), (3, ""))
    )
    body = "".join(paragraph(name, in_list(n)) for name, n in zip("ABCDE", (1, 1, 2, 2, 3), strict=True))
    path = word(tmp_path / "a.docx", body, {"numbering.xml": numbering(level(0, "decimal", "%1)"), lists=lists)})
    assert text(path) == "1) A\n2) B\n5) C\n6) D\n7) E"


def test_number_of_a_style_and_of_one_based_on_it(tmp_path: Path) -> None:
    styles = (
        '<w:style w:styleId="H1"><w:name w:val="heading 1"/>'
        '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:styleId="H1b"><w:name w:val="Other"/><w:basedOn w:val="H1"/></w:style>'
    )
    part = numbering(level(0, "upperRoman", "Article %1", '<w:pStyle w:val="H1"/>'))
    body = "".join(
        paragraph(name, f'<w:pStyle w:val="{style}"/>') for name, style in (("Scope", "H1"), ("Term", "H1b"))
    )
    body += paragraph("No number", '<w:pStyle w:val="H1"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    (found,) = read(word(tmp_path / "a.docx", body, {"numbering.xml": part, "styles.xml": styles}))
    assert found.text == "Article I Scope\n\nArticle II Term\n\nNo number"
    assert [heading.title for heading in found.headings] == ["Article I Scope", "Article II Term", "No number"]


def test_bullets_are_dashes_and_levels_can_be_kept_from_restarting(tmp_path: Path) -> None:
    part = numbering(level(0, "bullet", ""), level(1, "decimal", "%2.", '<w:lvlRestart w:val="0"/>'))
    body = "".join(paragraph(name, in_list(1, depth)) for name, depth in zip("ABCD", (0, 1, 0, 1), strict=True))
    assert text(word(tmp_path / "a.docx", body, {"numbering.xml": part})) == "- A\n1. B\n- C\n2. D"


def test_legal_numbering_shows_all_levels_as_figures(tmp_path: Path) -> None:
    part = numbering(level(0, "upperRoman", "%1"), level(1, "decimal", "%1.%2", "<w:isLgl/>"))
    body = paragraph("A", in_list(1)) + paragraph("B", in_list(1, 1))
    assert text(word(tmp_path / "a.docx", body, {"numbering.xml": part})) == "I A\n1.1 B"


@pytest.mark.parametrize(
    ("number", "form", "expected"),
    [
        (4, "lowerRoman", "iv"),
        (1999, "upperRoman", "MCMXCIX"),
        (28, "lowerLetter", "bb"),
        (3, "upperLetter", "C"),
        (7, "decimalZero", "07"),
        (12, "ordinal", "12th"),
        (22, "ordinal", "22nd"),
        (21, "cardinalText", "Twenty-one"),
        (3, "ordinalText", "Third"),
        (40, "ordinalText", "Fortieth"),
        (5, "a form nobody knows", "5"),
    ],
)
def test_forms_of_numbers(number: int, form: str, expected: str) -> None:
    assert formatted(number, form) == expected


def test_merged_and_left_out_cells_keep_their_columns(tmp_path: Path) -> None:
    head = ["Region", "City", "Fee"]
    vertical = [cell("North", '<w:vMerge w:val="restart"/>'), "Oslo", "10"], [cell("", "<w:vMerge/>"), "Bergen", "12"]
    assert text(word(tmp_path / "a.docx", table(head, *vertical))) == (
        "Region: North | City: Oslo | Fee: 10\nRegion: North | City: Bergen | Fee: 12"
    )
    before = '<w:trPr><w:gridBefore w:val="1"/></w:trPr>' + cell("Rome") + cell("7")
    assert text(word(tmp_path / "b.docx", table(head, ["North", "Oslo", "10"], before))).endswith("City: Rome | Fee: 7")
    wide = [cell("South"), cell("none", '<w:gridSpan w:val="2"/>')]
    assert text(word(tmp_path / "c.docx", table(head, ["North", "Oslo", "10"], wide))).endswith(
        "Region: South | City: none | Fee: none"
    )
    old = [cell("East", '<w:hMerge w:val="restart"/>'), cell("", "<w:hMerge/>"), "3"]
    assert text(word(tmp_path / "d.docx", table(head, ["North", "Oslo", "10"], old))).endswith(
        "Region: East | City: East | Fee: 3"
    )


def test_row_that_is_marked_or_bold_names_the_columns(tmp_path: Path) -> None:
    marked = "<w:trPr><w:tblHeader/></w:trPr>" + cell("10") + cell("20")
    assert text(word(tmp_path / "a.docx", table(marked, ["1", "2"]))) == "10: 1 | 20: 2"
    bold = [cell(paragraph(f"<w:r><w:rPr><w:b/></w:rPr><w:t>{name}</w:t></w:r>")) for name in ("10", "20")]
    assert text(word(tmp_path / "b.docx", table(bold, ["1", "2"]))) == "10: 1 | 20: 2"


def test_headings_and_tables_in_cells(tmp_path: Path) -> None:
    styles = '<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
    heading = cell(paragraph("Warranty", '<w:pStyle w:val="H1"/>') + paragraph("Two years."))
    (found,) = read(word(tmp_path / "a.docx", table([heading, "beside"]), {"styles.xml": styles}))
    assert found.text == "Warranty\n\nTwo years.\n\nbeside"
    assert [each.title for each in found.headings] == ["Warranty"]
    inner = cell(table(["Size", "Price"], ["2", "30"], ["3", "40"]) + paragraph("net"))
    nested = table(["Item", "Prices"], ["Pump", inner], ["Seal", "none"])
    assert text(word(tmp_path / "b.docx", nested)) == (
        "Item: Pump | Prices: Size: 2 | Price: 30; Size: 3 | Price: 40 net\nItem: Seal | Prices: none"
    )


def field(instruction: str, result: str | None) -> str:
    middle = "" if result is None else f'<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{result}</w:t></w:r>'
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f"<w:r><w:instrText>{instruction}</w:instrText></w:r>{middle}"
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def test_fields_show_their_results(tmp_path: Path) -> None:
    runs = "<w:r><w:t>See </w:t></w:r>" + field(" REF x ", "Table 4") + "<w:r><w:t>, </w:t></w:r>"
    runs += field(" MACROBUTTON NoMacro [your name]", None)
    nested = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> IF </w:instrText></w:r>'
        + field(" MERGEFIELD town ", "Ulm")
        + '<w:r><w:instrText> = "Ulm" "yes" "no"</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>'
        '<w:r><w:t> yes</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    assert text(word(tmp_path / "a.docx", paragraph(runs + nested))) == "See Table 4, [your name] yes"


def test_form_controls_show_what_was_chosen(tmp_path: Path) -> None:
    def control(data: str) -> str:
        return (
            f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{data}</w:ffData></w:fldChar></w:r>'
            '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
        )

    menu = '<w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="blue"/></w:ddList>'
    ticked = "<w:checkBox><w:checked/></w:checkBox>"
    empty = '<w:checkBox><w:default w:val="0"/></w:checkBox>'
    body = "".join(paragraph(control(data) + "<w:r><w:t> x</w:t></w:r>") for data in (menu, ticked, empty))
    assert text(word(tmp_path / "a.docx", body)) == "blue x\n\n☒ x\n\n☐ x"


def test_headers_and_footers_stand_once_without_page_numbers(tmp_path: Path) -> None:
    number = paragraph("<w:r><w:t>Page </w:t></w:r>" + field(" PAGE ", "3"))
    parts: dict[str, str | bytes] = {
        "header1.xml": paragraph("Quillworks Ltd") + paragraph("Contract 77-A"),
        "header2.xml": paragraph("Quillworks Ltd"),
        "footer1.xml": paragraph("Confidential") + number,
        "header3.xml": paragraph("shown nowhere"),
    }
    related = {f"r{n}": ("header", f"header{n}.xml") for n in (1, 2, 3)} | {"r4": ("footer", "footer1.xml")}
    sections = "".join(
        f'<w:sectPr><w:headerReference r:id="r{n}"/><w:footerReference r:id="r4"/></w:sectPr>' for n in (1, 2)
    )
    path = word(tmp_path / "a.docx", paragraph("The body.") + sections, parts, related)
    assert text(path) == "Quillworks Ltd\nContract 77-A\n\nThe body.\n\nConfidential"


def test_text_boxes_stand_once(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{paragraph('in the box')}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    body = paragraph(f"<w:r><w:t>before</w:t>{both}</w:r>")
    assert text(word(tmp_path / "a.docx", body)) == "before\n\nin the box"
    old = f"<mc:AlternateContent><mc:Choice/><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    assert text(word(tmp_path / "b.docx", paragraph(f"<w:r>{old}</w:r>"))) == "in the box"
    boxed = paragraph(f"<w:r><w:t>x</w:t>{both}</w:r>")
    assert text(word(tmp_path / "c.docx", table(["A", "B"], [cell(boxed), "2"]))) == "A: x in the box | B: 2"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.html",
            "<html><head><meta charset=utf-8></head><p>The dam is säfe.</p></html>",
            "The dam is säfe.",
        ),
        ("a.txt", "The dam is säfe.\nIt holds.", "The dam is säfe.\nIt holds."),
        ("a.rtf", r"{\rtf1 The dam is s\'e4fe.\par}", "The dam is säfe."),
        (
            "a.mht",
            "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
            "<p>The dam is s=C3=A4fe.</p>",
            "The dam is säfe.",
        ),
    ],
)
def test_documents_inside_are_read(tmp_path: Path, name: str, content: str, expected: str) -> None:
    body = paragraph("Cover.") + '<w:altChunk r:id="r1"/>' + paragraph("End.")
    path = word(tmp_path / "a.docx", body, {name: content.encode()}, {"r1": ("aFChunk", name)})
    assert text(path) == f"Cover.\n\n{expected}\n\nEnd."


def test_word_documents_inside_are_read_to_some_depth(tmp_path: Path) -> None:
    inner = word(tmp_path / "inner.docx", paragraph("innermost"))
    for number in range(5):
        parts: dict[str, str | bytes] = {"part.docx": inner.read_bytes()}
        body = paragraph(f"level {number}") + '<w:altChunk r:id="r1"/>'
        inner = word(tmp_path / f"{number}.docx", body, parts, {"r1": ("aFChunk", "part.docx")})
    assert text(inner) == "level 4\n\nlevel 3\n\nlevel 2\n\nlevel 1"


def test_charts_and_diagrams_are_read(tmp_path: Path) -> None:
    def cached(name: str, *values: str) -> str:
        points = "".join(f'<pt idx="{n}"><v>{value}</v></pt>' for n, value in enumerate(values))
        return f"<{name}><strRef><strCache>{points}</strCache></strRef></{name}>"

    title = "<title><tx><rich><p><r><t>Fees by year</t></r></p></rich></tx></title>"
    series = f"<ser>{cached('tx', 'North')}{cached('cat', '2021', '2022')}{cached('val', '10', '12')}</ser>"
    label = "<dLbls><dLbl><tx><rich><p><r><t>record</t></r></p></rich></tx></dLbl></dLbls>"
    chart = f"<chartSpace><chart>{title}<plotArea><barChart>{series}{label}</barChart></plotArea></chart></chartSpace>"
    boxes = "".join(f"<pt><t><p><r><t>{name}</t></r></p></t></pt>" for name in ("Plan", "Build"))
    diagram = f"<dataModel><ptLst>{boxes}</ptLst></dataModel>"
    body = paragraph('<w:r><w:drawing><c:chart xmlns:c="urn:c" r:id="r1"/></w:drawing></w:r>')
    body += paragraph('<w:r><w:drawing><d:relIds xmlns:d="urn:d" r:dm="r2"/></w:drawing></w:r>')
    related = {"r1": ("chart", "chart1.bin"), "r2": ("diagramData", "data1.bin")}
    path = word(tmp_path / "a.docx", body, {"chart1.bin": chart, "data1.bin": diagram}, related)
    assert text(path) == "Fees by year\n\n2021 | North: 10\n2022 | North: 12\n\nrecord\n\nPlan\nBuild"


def test_deleted_rows_and_paragraphs_are_not_there(tmp_path: Path) -> None:
    gone = "<w:trPr><w:del/></w:trPr>" + cell("<w:p><w:del><w:r><w:delText>x</w:delText></w:r></w:del></w:p>")
    part = numbering(level(0, "decimal", "%1."))
    removed = paragraph("<w:del><w:r><w:delText>B</w:delText></w:r></w:del>", in_list(1) + "<w:rPr><w:del/></w:rPr>")
    body = paragraph("A", in_list(1)) + removed + paragraph("C", in_list(1)) + table(["N", "M"], gone, ["1", "2"])
    assert text(word(tmp_path / "a.docx", body, {"numbering.xml": part})) == "1. A\n2. C\n\nN: 1 | M: 2"
