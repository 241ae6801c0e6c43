"""Sheets: merged cells, several tables on one, comments, text boxes, charts, formulas, marked headings."""

from __future__ import annotations

from pathlib import Path

from ctxsearch.readers.composing import Composer
from ctxsearch.readers.sheetblocks import Heads, SheetCell, put_sheet
from tests.office import archive, relations, text, workbook


def shown(rows: dict[int, str], heads: list[Heads] | None = None) -> str:
    """The text of a sheet whose rows are given with commas between the cells."""
    cells = [SheetCell(n, c, text) for n, row in rows.items() for c, text in enumerate(row.split(",")) if text]
    composer = Composer()
    put_sheet(composer, cells, heads or ())
    return composer.text()


def test_blocks_are_cut_at_empty_rows_and_titles_stand_apart() -> None:
    assert shown({0: "Rooms", 1: "Floor,Room", 2: "2,204", 5: "Note"}) == "Rooms\n\nFloor: 2 | Room: 204\n\nNote"
    assert shown({0: ",Rooms,", 1: "Floor,Room,Beds", 2: "2,204,3"}) == "Rooms\n\nFloor: 2 | Room: 204 | Beds: 3"


def test_tables_side_by_side_are_cut_apart_where_their_rows_differ() -> None:
    rows = {0: "A,B,", 1: "1,2,,C,D", 2: "3,4,,5,6", 3: ",,,7,8"}
    assert shown(rows) == "A: 1 | B: 2\nA: 3 | B: 4\n\nC: 5 | D: 6\nC: 7 | D: 8"
    assert shown({0: "A,B,,C", 1: "1,2,,3", 2: "4,5,,6"}) == "A: 1 | B: 2 | C: 3\nA: 4 | B: 5 | C: 6"


def test_tables_that_touch_at_a_corner_are_cut_apart() -> None:
    rows = {0: "A,B", 1: "1,2", 2: ",,C,D", 3: ",,3,4"}
    assert shown(rows) == "A: 1 | B: 2\n\nC: 3 | D: 4"


def test_numbers_of_rows_beside_an_empty_column_stay_with_their_rows() -> None:
    rows = {0: "Power system", 1: "1,,Voltage,kV,130", 2: "2,,Frequency,Hz,50"}
    assert shown(rows).splitlines()[-2:] == ["1 | Voltage | kV | 130", "2 | Frequency | Hz | 50"]


def test_row_that_the_file_marks_names_the_columns() -> None:
    rows = {0: "10,20", 1: "1,2"}
    assert shown(rows) == "10 | 20\n1 | 2"
    assert shown(rows, [Heads(0, 0, 1)]) == "10: 1 | 20: 2"
    assert shown(rows, [Heads(0, 0, 0)]) == "10 | 20\n1 | 2"


def test_merged_cells_of_xlsx_stand_in_each_row(tmp_path: Path) -> None:
    rows = [["Region", "Sales", ""], ["", "2021", "2022"], ["North", "10", "12"], ["", "11", "13"]]
    path = workbook(tmp_path / "a.xlsx", {"S": rows}, merged={"S": ["A1:A2", "B1:C1", "A3:A4"]})
    assert text(path) == (
        "S\n\nRegion: North | Sales 2021: 10 | Sales 2022: 12\nRegion: North | Sales 2021: 11 | Sales 2022: 13"
    )


def test_parts_of_xlsx_beside_the_cells(tmp_path: Path) -> None:
    rows = [["Item", "Fee"], ["Pump", ""], ["Seal", "5"]]
    formulas = '<c r="B2"><f>SUM(B3:B9)*2</f><v></v></c>'
    sheet_relations = relations(
        {
            "r1": ("comments", "../comments1.xml"),
            "r2": ("threadedComment", "../threadedComments/t1.xml"),
            "r3": ("drawing", "../drawings/d1.xml"),
        }
    )
    box = "<sp><txBody><p><r><t>The valve opens left.</t></r></p></txBody></sp>"
    chart = "<chartSpace><chart><title><tx><rich><p><r><t>Sales</t></r></p></rich></tx></title></chart></chartSpace>"
    path = workbook(
        tmp_path / "a.xlsx",
        {"S": rows},
        more={"S": '<headerFooter><oddHeader>&amp;C&amp;"Arial"Secret plans&amp;R&amp;P</oddHeader></headerFooter>'},
        cells={"S": {"B2": formulas}},
        parts={
            "xl/worksheets/_rels/sheet1.xml.rels": sheet_relations,
            "xl/comments1.xml": '<comments><commentList><comment ref="A2"><text><r><t>Seen </t></r><r><t>by Ann</t></r>'
            '</text></comment><comment ref="B2"><text><t>[Threaded comment] x</t></text></comment>'
            "</commentList></comments>",
            "xl/threadedComments/t1.xml": '<ThreadedComments><threadedComment ref="B2" personId="p">'
            "<text>Why?</text></threadedComment></ThreadedComments>",
            "xl/persons/person.xml": '<personList><person id="p" displayName="Bob"/></personList>',
            "xl/drawings/d1.xml": f'<wsDr xmlns:r="urn:r">{box}<graphicFrame><chart r:id="c"/></graphicFrame></wsDr>',
            "xl/drawings/_rels/d1.xml.rels": relations({"c": ("chart", "../charts/c1.xml")}),
            "xl/charts/c1.xml": chart,
        },
    )
    assert text(path) == (
        "S\n\nSecret plans\n\nItem: Pump | Fee: =SUM(B3:B9)*2\nItem: Seal | Fee: 5\n\n"
        "Comment on B2 by Bob: Why?\nComment on A2: Seen by Ann\n\nThe valve opens left.\n\nSales"
    )


SPACES = (
    'xmlns:office="urn:o" xmlns:text="urn:t" xmlns:table="urn:b" xmlns:style="urn:s" xmlns:draw="urn:d" '
    'xmlns:xlink="urn:x"'
)


def opendocument(path: Path, kind: str, body: str, styles: str = "", automatic: str = "") -> Path:
    mime = {"text": "text", "spreadsheet": "spreadsheet", "presentation": "presentation"}[kind]
    return archive(
        path,
        {
            "mimetype": f"application/vnd.oasis.opendocument.{mime}",
            "content.xml": f"<office:content {SPACES}>{automatic}<office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:content>",
            "styles.xml": f"<office:styles {SPACES}>{styles}</office:styles>",
        },
    )


def test_ods_merged_cells_comments_and_formulas(tmp_path: Path) -> None:
    def cell(content: str, more: str = "") -> str:
        return f"<table:table-cell {more}><text:p>{content}</text:p></table:table-cell>"

    spanned = 'table:number-rows-spanned="2"'
    covered = "<table:covered-table-cell/>"
    annotation = "<office:annotation><text:p>a guess</text:p></office:annotation>"
    note = f"<table:table-cell>{annotation}<text:p>12</text:p></table:table-cell>"
    body = (
        '<table:table table:name="S">'
        f"<table:table-row>{cell('Region')}{cell('City')}{cell('Fee')}</table:table-row>"
        f"<table:table-row>{cell('North', spanned)}{cell('Oslo')}{note}</table:table-row>"
        f'<table:table-row>{covered}{cell("Bergen")}<table:table-cell table:formula="of:=[.C2]*2"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="1024"/>'
        "</table:table-row></table:table>"
    )
    assert text(opendocument(tmp_path / "a.ods", "spreadsheet", body)) == (
        "S\n\nRegion: North | City: Oslo | Fee: 12 (a guess)\nRegion: North | City: Bergen | Fee: =[.C2]*2"
    )


def test_odt_numbers_headers_and_drawings(tmp_path: Path) -> None:
    styles = (
        '<text:outline-style><text:outline-level-style text:level="1" style:num-format="1" style:num-suffix="."/>'
        '<text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>'
        '<style:master-page style:name="Standard"><style:header><text:p>Quillworks Ltd</text:p></style:header>'
        "<style:footer><text:p>Page <text:page-number>3</text:page-number></text:p></style:footer></style:master-page>"
        '<style:master-page style:name="Unused"><style:header><text:p>nobody sees this</text:p></style:header>'
        "</style:master-page>"
    )
    automatic = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="a" '
        'style:num-prefix="(" style:num-suffix=")"/><text:list-level-style-bullet text:level="2"/></text:list-style>'
    )
    deep = "<text:list><text:list-item><text:p>deep</text:p></text:list-item></text:list>"
    items = f"<text:list-item><text:p>one</text:p>{deep}"
    body = (
        '<text:h text:outline-level="1">Scope</text:h><text:h text:outline-level="2">Pumps</text:h>'
        f'<text:list text:style-name="L">{items}</text:list-item><text:list-item><text:p>two</text:p></text:list-item>'
        '</text:list><text:h text:outline-level="1">Term</text:h>'
        "<text:p>before<draw:custom-shape><text:p>in the box</text:p></draw:custom-shape> after</text:p>"
        '<text:list text:style-name="L" text:continue-numbering="true"><text:list-item><text:p>three</text:p>'
        "</text:list-item></text:list>"
    )
    assert text(opendocument(tmp_path / "a.odt", "text", body, styles, automatic)) == (
        "Quillworks Ltd\n\n1. Scope\n\n1.1 Pumps\n\n(a) one\n- deep\n(b) two\n\n2. Term\n\n"
        "before after\n\nin the box\n\n(c) three"
    )


def test_percentages_zip_codes_and_errors_are_shown_as_in_the_sheet(tmp_path: Path) -> None:
    styles = (
        '<styleSheet><numFmts><numFmt numFmtId="170" formatCode="00000"/><numFmt numFmtId="171" formatCode="0.0%"/>'
        '</numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="170"/><xf numFmtId="171"/><xf numFmtId="9"/></cellXfs>'
        "</styleSheet>"
    )
    row = {
        "A2": '<c r="A2" s="1"><v>1067</v></c>',
        "B2": '<c r="B2" s="2"><f>A2/1</f><v>0.125</v></c>',
        "C2": '<c r="C2" s="3"><v>0.07</v></c>',
        "D2": '<c r="D2" t="e"><v>#DIV/0!</v></c>',
        "E2": '<c r="E2" s="0"><v>0.5</v></c>',
    }
    path = workbook(
        tmp_path / "a.xlsx",
        {"S": [["Code", "Share", "Tax", "Rest", "Half"], ["x"] * 5]},
        cells={"S": row},
        parts={"xl/styles.xml": styles},
    )
    assert text(path) == "S\n\nCode: 01067 | Share: 12.5% | Tax: 7% | Rest: #DIV/0! | Half: 0.5"
