"""Readers of documents that are no plain text, each on a small file made here: text, headings, pages, metadata."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctxsearch import contexts, readers
from ctxsearch.cli.present import place
from ctxsearch.errors import SourceError
from ctxsearch.readers import Skipped
from ctxsearch.readers.composing import table_lines
from ctxsearch.readers.kinds import KINDS
from ctxsearch.records import Document, Hit, MatchedSentence, Page, Scores
from tests.hostile import docx, paragraph, write_docx, write_pdf
from tests.pdfs import pdf

WORKER = readers.Worker()


@pytest.fixture(scope="module", autouse=True)
def worker() -> Iterator[None]:
    """One process for the readers of all tests."""
    with WORKER:
        yield


def read(path: Path, data: bytes | str | None = None) -> list[Document | SourceError | Skipped]:
    if data is not None:
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    (file,) = readers.find([str(path)]).files
    return list(readers.read(file, WORKER))


def one(path: Path, data: bytes | str | None = None) -> Document:
    (found,) = read(path, data)
    assert isinstance(found, Document), found
    return found


def headings(document: Document) -> list[tuple[int, str]]:
    for heading in document.headings:
        assert document.text[heading.start :].startswith(heading.title)
    return [(heading.level, heading.title) for heading in document.headings]


def archive(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# --- PDF ---

BODY = "The committee meets each month and decides on what was asked of it by members"


def test_pdf_pages_running_heads_hyphens_and_headings(tmp_path: Path) -> None:
    pages = []
    for number in range(1, 5):
        text = [(60, 700 - 14 * n, 10, f"{BODY} in part {number}{n} of the") for n in range(8)]
        head = [(60, 780, 10, "Annual Report 2025"), (300, 20, 10, str(number))]
        title = [(60, 740, 18, f"Chapter {'ABCD'[number - 1]} begins")]
        end = [(60, 588, 10, f"{BODY} in a long sen-"), (60, 574, 10, f"tence that ends here on {number}.")]
        pages.append([*head, *title, *text, *end])
    found = one(pdf(tmp_path / "a.pdf", pages, b"/Title(Minutes)/Author(Ann)/CreationDate(D:20240229)"))
    assert "Annual Report" not in found.text
    assert "in a long sentence that ends here on 3." in found.text
    assert headings(found) == [(1, f"Chapter {letter} begins") for letter in "ABCD"]
    assert [page.number for page in found.pages] == [1, 2, 3, 4]
    assert all(found.text[page.start :].startswith("Chapter") for page in found.pages)
    assert found.title == "Minutes"
    assert found.metadata.items() >= {"author": "Ann", "created": "2024-02-29", "pages": 4}.items()
    assert found.metadata["mime_type"] == "application/pdf"


def test_pdf_columns_drawn_row_by_row_are_read_one_after_the_other(tmp_path: Path) -> None:
    rows = [(f"left {n} words of the first column", f"right {n} words of the second") for n in "abcdefgh"]
    lines = [
        (x, 700 - 14 * n, 10, text) for n, pair in enumerate(rows) for x, text in zip((50, 320), pair, strict=True)
    ]
    text = one(pdf(tmp_path / "a.pdf", [lines])).text
    assert text.index("left h") < text.index("right a")


def test_pdf_pages_without_text_are_said(tmp_path: Path) -> None:
    scan = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>"
    fill = b"0 0 5 5 re f"
    stream = b"<</Length %d>>stream\n%s\nendstream" % (len(fill), fill)
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", scan, stream]
    write_pdf(tmp_path / "a.pdf", objects)
    (error,) = read(tmp_path / "a.pdf")
    assert isinstance(error, SourceError)
    assert error.reason.startswith("has no text: its page is a picture (a scan?)")


# --- Office ---


def test_docx_headings_lists_tables_and_notes(tmp_path: Path) -> None:
    def styled(style: str, text: str, more: str = "") -> str:
        return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{more}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'

    def row(*cells: str) -> str:
        return "<w:tr>" + "".join(f"<w:tc>{paragraph(cell.encode()).decode()}</w:tc>" for cell in cells) + "</w:tr>"

    body = (
        styled("H1", "Handbook")
        + styled("H2", "Refunds")
        + "<w:p><w:r><w:t>Who may </w:t></w:r><w:ins><w:r><w:t>approve</w:t></w:r></w:ins>"
        + "<w:del><w:r><w:delText>refuse</w:delText></w:r></w:del></w:p>"
        + "".join(styled("L", text, '<w:numPr><w:ilvl w:val="0"/></w:numPr>') for text in ("first", "second"))
        + f"<w:tbl>{row('Name', 'Limit')}{row('Ann', '500')}{row('Bob', '')}</w:tbl>"
    )
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    styles = "".join(f'<w:style w:styleId="H{n}"><w:name w:val="heading {n}"/></w:style>' for n in (1, 2))
    core = '<c xmlns:d="urn:d"><d:title>The Rules</d:title><d:creator>Ann</d:creator></c>'
    others = {
        "word/styles.xml": f'<w:styles xmlns:w="{space}">{styles}</w:styles>'.encode(),
        "docProps/core.xml": core.encode(),
        "word/footnotes.xml": b'<w:footnotes xmlns:w="%s"><w:footnote>%s</w:footnote></w:footnotes>'
        % (space.encode(), paragraph(b"A note.")),
    }
    write_docx(tmp_path / "a.docx", docx(body.encode()), **others)
    found = one(tmp_path / "a.docx")
    table = "Name: Ann | Limit: 500\nName: Bob"
    assert found.text == f"Handbook\n\nRefunds\n\nWho may approve\n\n- first\n- second\n\n{table}\n\nA note."
    assert headings(found) == [(1, "Handbook"), (2, "Refunds")]
    assert (found.title, found.metadata["author"]) == ("The Rules", "Ann")


def test_pptx_slides_are_pages_in_the_order_of_the_show(tmp_path: Path) -> None:
    def shape(role: str, text: str, y: int) -> str:
        place = f'<spPr><xfrm><off x="0" y="{y}"/></xfrm></spPr>'
        body = f"<txBody><p><r><t>{text}</t></r></p></txBody>"
        return f'<sp><nvSpPr><nvPr><ph type="{role}"/></nvPr></nvSpPr>{place}{body}</sp>'

    def slide(title: str, *texts: str) -> str:
        shapes = "".join(shape("body", text, 9_000_000 - 1_000_000 * n) for n, text in enumerate(texts))
        return f"<sld><cSld><spTree>{shapes}{shape('title', title, 99_000_000)}</spTree></cSld></sld>"

    ids = '<sldId r:id="r2"/><sldId r:id="r1"/>'
    relations = "".join(f'<Relationship Id="r{n}" Type="x/slide" Target="slides/slide{n}.xml"/>' for n in (1, 2))
    archive(
        tmp_path / "a.pptx",
        **{
            "[Content_Types].xml": "<Types/>",
            "ppt/presentation.xml": f'<presentation xmlns:r="urn:r"><sldIdLst>{ids}</sldIdLst></presentation>',
            "ppt/_rels/presentation.xml.rels": f"<Relationships>{relations}</Relationships>",
            "ppt/slides/slide1.xml": slide("Last", "the end"),
            "ppt/slides/slide2.xml": slide("First", "below", "above"),
        },
    )
    found = one(tmp_path / "a.pptx")
    assert found.text == "First\n\nabove\n\nbelow\n\nLast\n\nthe end"
    assert found.pages == (Page(0, 1), Page(found.text.index("Last"), 2))
    assert headings(found) == [(1, "First"), (1, "Last")]


def test_xlsx_sheets_are_pages_and_cells_have_their_names(tmp_path: Path) -> None:
    def sheet(*rows: list[str]) -> str:
        cells = "".join(
            f'<row r="{r}">'
            + "".join(
                f'<c r="{"ABC"[c]}{r}" t="inlineStr"><is><t>{text}</t></is></c>' for c, text in enumerate(row) if text
            )
            + "</row>"
            for r, row in enumerate(rows, start=1)
        )
        return f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    sheets = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in ((1, "Staff"), (2, "Rooms")))
    relations = "".join(
        f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in (1, 2)
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    archive(
        tmp_path / "a.xlsx",
        **{
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{sheets}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{relations}</Relationships>',
            "xl/worksheets/sheet1.xml": sheet(["Name", "Role"], ["Ann", "cook"], ["Bob", ""]),
            "xl/worksheets/sheet2.xml": sheet(["Room plan"], ["Floor", "Room"], ["2", "204"]),
        },
    )
    found = one(tmp_path / "a.xlsx")
    assert found.text == "Staff\n\nName: Ann | Role: cook\nName: Bob\n\nRooms\n\nRoom plan\n\nFloor: 2 | Room: 204"
    assert [page.number for page in found.pages] == [1, 2]
    assert headings(found) == [(1, "Staff"), (1, "Rooms")]


def test_odt_and_epub(tmp_path: Path) -> None:
    spaces = 'xmlns:o="urn:o" xmlns:t="urn:t" xmlns:b="urn:b"'
    content = (
        '<t:h t:outline-level="2">Head</t:h><t:p>a<t:s t:c="2"/>b</t:p>'
        "<t:list><t:list-item><t:p>item</t:p></t:list-item></t:list>"
    )
    odt = {
        "mimetype": "application/vnd.oasis.opendocument.text",
        "content.xml": f"<o:document {spaces}><o:body><o:text>{content}</o:text></o:body></o:document>",
    }
    found = one(archive(tmp_path / "a.odt", **odt))
    assert (found.text, headings(found)) == ("Head\n\na  b\n\n- item", [(2, "Head")])
    chapters = [f"<html><body><h1>Chapter {n}</h1><p>Text {n}.</p></body></html>" for n in (1, 2)]
    items = "".join(f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>' for n in (1, 2))
    about = '<metadata xmlns:d="urn:d"><d:title>Book</d:title><d:language>en</d:language></metadata>'
    spine = '<spine><itemref idref="c2"/><itemref idref="c1"/></spine>'
    epub = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfile full-path="b/a.opf"/></container>',
        "b/a.opf": f"<package>{about}<manifest>{items}</manifest>{spine}</package>",
        "b/c1.xhtml": chapters[0],
        "b/c2.xhtml": chapters[1],
    }
    found = one(archive(tmp_path / "a.epub", **epub))
    assert found.text == "Chapter 2\n\nText 2.\n\nChapter 1\n\nText 1."
    assert [page.number for page in found.pages] == [1, 2]
    assert (found.title, found.metadata["language"]) == ("Book", "en")


# --- mail and the rest ---


def test_mail_takes_the_plain_body_and_attached_texts(tmp_path: Path) -> None:
    mail = (
        "From: Ann <a@b>\nTo: Bob <b@b>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Mon, 05 Jan 2026 10:00:00 +0100\n"
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="m"\n\n'
        '--m\nContent-Type: multipart/alternative; boundary="x"\n\n'
        "--x\nContent-Type: text/plain\n\nplain body\n--x\nContent-Type: text/html\n\n<p>html body</p>\n--x--\n"
        '--m\nContent-Type: text/plain\nContent-Disposition: attachment; filename="n.txt"\n\nattached\n--m--\n'
    )
    found = one(tmp_path / "a.eml", mail)
    assert "plain body" in found.text
    assert "html body" not in found.text
    assert headings(found) == [(1, "Grüße"), (2, "n.txt")]
    assert found.metadata["created"] == "2026-01-05T10:00:00+01:00"
    assert found.metadata["attachments"] == ["n.txt"]


def test_mailbox_is_a_page_a_message(tmp_path: Path) -> None:
    box = "".join(f"From x Mon\nFrom: a@b\nSubject: S{n}\n\nbody {n}\n>From here\n\n" for n in (1, 2))
    found = one(tmp_path / "a.mbox", box)
    assert [page.number for page in found.pages] == [1, 2]
    assert found.text.count("\nFrom here") == 2


def test_rtf(tmp_path: Path) -> None:
    rtf = r"{\rtf1\ansi{\info{\title Plan}{\author Ann}}One \b two\b0 .\par\par Three \'e9.}"
    found = one(tmp_path / "a.doc", rtf)
    assert (found.title, found.text, found.metadata["author"]) == ("Plan", "One two.\n\nThree é.", "Ann")


def test_notebook_cells_are_pages(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "text"]},
        {"cell_type": "code", "source": "print(6*7)", "outputs": [{"text": ["42\n"]}]},
    ]
    found = one(tmp_path / "a.ipynb", json.dumps({"cells": cells, "metadata": {}}))
    assert found.text == "# Title\ntext\n\nprint(6*7)\n\n42"
    assert (found.title, found.pages[1]) == ("Title", Page(found.text.index("print"), 2))


def test_subtitles_are_what_is_said(tmp_path: Path) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i>\nthere\n\n2\n00:01:05,000 --> 00:01:06,000\nBye\n"
    assert one(tmp_path / "a.srt", srt).text == "00:00:00\n\nHello there\n\n00:01:00\n\nBye"


def test_xml_titles_are_headings_and_unknown_entities_do_no_harm(tmp_path: Path) -> None:
    xml = '<!DOCTYPE a SYSTEM "a.dtd"><a><title>On &mgr;</title><p>x<b>y</b>&unknown;&eacute;</p><r><k>v</k></r></a>'
    found = one(tmp_path / "a.xml", xml)
    assert (found.text, found.title) == ("On μ\n\nxy é\n\nk: v", "On μ")


def test_rst_and_asciidoc_headings(tmp_path: Path) -> None:
    rst = "====\nTop\n====\n\nOne\n---\n\n::\n\n  x\n\nTwo\n---\n"
    assert [(h.level, h.title) for h in one(tmp_path / "a.rst", rst).headings] == [(1, "Top"), (2, "One"), (2, "Two")]
    adoc = "= Top\n:author: Ann\n\n== One\n----\n== no\n----\n"
    found = one(tmp_path / "a.adoc", adoc)
    assert [(h.level, h.title) for h in found.headings] == [(1, "= Top"[2:]), (2, "One")]
    assert found.metadata["author"] == "Ann"


def test_csv_of_texts_is_a_document_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    (first,) = read(path, "text,source,year,code,ok\nfirst,s1,2020,007,true\n,s2,1,1,1\n")
    assert isinstance(first, Document)
    assert (first.text, first.source, first.is_record) == ("first", "s1", True)
    assert first.metadata == {"year": 2020, "code": "007", "ok": True}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_other_csv_is_a_line_a_row(tmp_path: Path, delimiter: str) -> None:
    rows = [["Name", "Town"], ["Ann", "Ulm"], ["Bob", "Bonn"]]
    found = one(tmp_path / "a.csv", "\n".join(map(delimiter.join, rows)))
    assert found.text == "Name: Ann | Town: Ulm\nName: Bob | Town: Bonn"


def test_front_matter_becomes_metadata(tmp_path: Path) -> None:
    yaml = "---\ntitle: The Plan\ntags: [a, b]\ndate: 2026-01-05\nteam: ops\n---\n\n# Head\n"
    found = one(tmp_path / "a.md", yaml)
    assert (found.title, found.text) == ("The Plan", yaml)
    assert found.metadata.items() >= {"tags": ["a", "b"], "date": "2026-01-05", "team": "ops"}.items()
    assert one(tmp_path / "b.md", '+++\nteam = "ops"\n+++\nx').metadata["team"] == "ops"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Der König von Österreich trug “größere” Hüte – naïve Gäste staunten."),
        ("cp1251", "Привет, как дела? Это простой русский текст для проверки кодировки."),
        ("shift_jis", "これは日本語のテキストです。文字コードの判定を試験します。"),
        ("gb18030", "这是一个中文文本,用于测试编码检测。我们希望结果正确。"),
        ("utf-16-le", "No mark, but every second byte is zero."),
        ("utf-16-be", "No mark, but every second byte is zero."),
    ],
)
def test_text_of_other_encodings_is_read(tmp_path: Path, encoding: str, text: str) -> None:
    assert one(tmp_path / "a.txt", text.encode(encoding)).text == text


def test_content_comes_before_suffix(tmp_path: Path) -> None:
    pdf(tmp_path / "a.txt", [[(9, 700, 10, "words in a PDF")]])
    assert one(tmp_path / "a.txt").metadata["mime_type"] == "application/pdf"
    assert one(tmp_path / "b.pdf", "<!doctype html><p>a page").metadata["mime_type"] == "text/html"
    assert one(tmp_path / "c.docx", "just text").metadata["mime_type"] == "text/plain"
    assert one(tmp_path / "d.py", "x = 1").metadata["mime_type"] == "text/x-python"


def test_old_office_files_are_named(tmp_path: Path) -> None:
    entry = "WordDocument".encode("utf-16-le").ljust(128, b"\0")
    (error,) = read(tmp_path / "a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1016) + entry)
    assert isinstance(error, SourceError)
    assert "save it as .docx" in error.reason


def test_missing_extra_is_said_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ctxsearch.readers import dispatch

    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    monkeypatch.delitem(sys.modules, "ctxsearch.readers.pdf", raising=False)
    dispatch._reader.cache_clear()
    (tmp_path / "a.pdf").write_text("%PDF-1.7")
    (file,) = readers.find([str(tmp_path / "a.pdf")]).files
    with pytest.raises(SourceError, match=r"reading a PDF file needs the extra \[documents\]: pip install"):
        list(dispatch.read_kind(file, "pdf"))


def test_table_lines() -> None:
    assert table_lines([["A", "B"], ["1", "2"], ["", "3"]]) == ["A: 1 | B: 2", "B: 3"]
    assert table_lines([["1", "2"], ["3", "4"]]) == ["1 | 2", "3 | 4"]
    assert table_lines([["", "A", "B"], ["x", "1", ""]]) == ["B", "x | A: 1"]
    assert table_lines([[" ", ""]]) == []


# --- pages of contexts and hits ---


def count_words(texts: object) -> list[int]:
    return [len(text.split()) for text in texts]  # type: ignore[attr-defined]


def test_context_ends_with_its_page() -> None:
    text = "One two three. This runs on to the next page. Four five six. Seven eight."
    runs_on = text.index("on to")
    document = Document(text, "s", pages=(Page(0, 3), Page(runs_on, 4), Page(text.index("Seven"), 6)))
    found = list(contexts.split(document, count_words, 50))
    assert "".join(context.text for context in found) == text
    assert [(context.text.strip(), context.page) for context in found] == [
        ("One two three. This runs on to the next page.", 3),
        ("Four five six.", 4),
        ("Seven eight.", 6),
    ]
    assert [context.page for context in contexts.split(Document(text, "s"), count_words, 50)] == [None]


@pytest.mark.parametrize(
    ("mime_type", "page", "line", "expected"),
    [
        ("application/pdf", 12, None, "a/report p. 12 › Part › Results"),
        (KINDS["pptx"].mime_type, 3, None, "a/report slide 3 › Part › Results"),
        (KINDS["xlsx"].mime_type, 2, None, "a/report sheet 2 › Part › Results"),
        ("text/markdown", None, 7, "a/report line 7 › Part › Results"),
        (None, None, None, "a/report › Part › Results"),
    ],
)
def test_place_of_a_hit(mime_type: str | None, page: int | None, line: int | None, expected: str) -> None:
    metadata = {"mime_type": mime_type} if mime_type else {}
    sentence = MatchedSentence(0, 1, "x")
    hit = Hit(1, 1.0, Scores(1.0, 1.0), 1, 1, "a/report", "T", metadata, page, 0, 1, "x", sentence, ("Part", "Results"))
    assert place(hit, line) == expected
