"""Variants of documents that were once read wrongly: other formats with the same faults, and parts that are damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctxsearch.errors import SourceError
from ctxsearch.readers import rtf
from ctxsearch.records import Document
from tests.office import archive, read, text

SPACES = "office text table draw svg xlink style presentation form".split()
DECLARED = " ".join(f'xmlns:{name}="urn:{name}"' for name in SPACES)


def open_document(path: Path, body: str, kind: str = "text", styles: str = "", mime_type: str = "") -> Path:
    content = (
        f"<office:document-content {DECLARED}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    named = mime_type or f"application/vnd.oasis.opendocument.{kind}"
    return archive(path, {"mimetype": named, "content.xml": content})


def frame(x: str, y: str, words: str) -> str:
    return f'<draw:frame svg:x="{x}" svg:y="{y}"><draw:text-box><text:p>{words}</text:p></draw:text-box></draw:frame>'


def cells(*contents: str) -> str:
    shown = "".join(f"<table:table-cell>{content}</table:table-cell>" for content in contents)
    return f"<table:table-row>{shown}</table:table-row>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<text:p>10<text:span text:style-name="T1">6</text:span> cells</text:p>', "10^6 cells"),
        ('<text:p>the 1<text:span text:style-name="T1">st</text:span></text:p>', "the 1st"),
        ("<text:p>A<draw:frame><svg:desc>A red pump</svg:desc></draw:frame></text:p>", "A\n\nA red pump"),
        (
            '<office:forms><form:form><form:text form:id="c1" form:current-value="Ann Quillworth"/>'
            '<form:checkbox form:id="c2" form:current-state="checked" form:label="I agree"/></form:form></office:forms>'
            '<text:p>Name: <draw:control draw:control="c1"/></text:p>'
            '<text:p><draw:control draw:control="c2"/></text:p>',
            "Name:  Ann Quillworth\n\n☒ I agree",
        ),
        (
            f"<table:table>{cells('<text:h>Warranty</text:h><text:p>Two years.</text:p>')}</table:table>",
            "Warranty\n\nTwo years.",
        ),
    ],
)
def test_open_document_texts(tmp_path: Path, body: str, expected: str) -> None:
    raised = '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
    assert text(open_document(tmp_path / "a.odt", body, styles=raised)) == expected


def test_boxes_of_open_document_slides_are_read_from_the_top(tmp_path: Path) -> None:
    boxes = frame("1cm", "10cm", "Below") + frame("9in", "50mm", "Right") + frame("1cm", "5.1cm", "Left")
    path = open_document(tmp_path / "a.odp", f"<draw:page>{boxes}</draw:page>", "presentation")
    assert text(path) == "Left\n\nRight\n\nBelow"


@pytest.mark.parametrize("kind", ["text-template", "text-master", "text-web", "graphics", "presentation-template"])
def test_templates_and_drawings_are_read(tmp_path: Path, kind: str) -> None:
    body = f"<draw:page>{frame('1cm', '1cm', 'Words')}</draw:page>" if kind[0] != "t" else "<text:p>Words</text:p>"
    office = {"graphics": "drawing", "presentation-template": "presentation"}.get(kind, "text")
    path = open_document(tmp_path / "a.ott", body, office, mime_type=f"application/vnd.oasis.opendocument.{kind}")
    assert text(path) == "Words"


def test_flat_open_document(tmp_path: Path) -> None:
    path = tmp_path / "a.fodt"
    path.write_text(
        f'<?xml version="1.0"?><office:document {DECLARED} office:mimetype="application/vnd.oasis.opendocument.text">'
        "<office:body><office:text><text:h>Pumps</text:h><text:p>Two  <text:s/>left.</text:p>"
        "</office:text></office:body></office:document>"
    )
    (found,) = read(path)
    assert isinstance(found, Document)
    assert (found.text.split(), found.title) == (["Pumps", "Two", "left."], "Pumps")


def test_tables_of_xml_count_spans(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        "<d><table><title>Fees</title><tgroup><colspec colname='a'/><colspec colname='b'/><colspec colname='c'/>"
        "<thead><row><entry>Region</entry><entry>City</entry><entry>Fee</entry></row></thead><tbody>"
        "<row><entry morerows='1'>North</entry><entry>Oslo</entry><entry>10</entry></row>"
        "<row><entry>Bergen</entry><entry>12</entry></row></tbody></tgroup></table>"
        "<table><tr><th rowspan='2'>Year</th><th colspan='2'>Sales</th></tr><tr><th>North</th><th>South</th></tr>"
        "<tr><td>2021</td><td>1</td><td>2</td></tr></table></d>"
    )
    assert text(path) == (
        "Fees\n\nRegion: North | City: Oslo | Fee: 10\nRegion: North | City: Bergen | Fee: 12\n\n"
        "Year: 2021 | Sales North: 1 | Sales South: 2"
    )


@pytest.mark.parametrize(
    "markup",
    [
        "<log><entry>The pump leaks.</entry><entry>Seal &amp; hose",
        "<log><entry>The <b>pump</b> leaks.</entry><entry>Seal &amp; hose</log>",
        "<log><entry>The pump leaks.</entry></log><entry>Seal & hose</entry>",
    ],
)
def test_xml_that_is_not_well_formed_keeps_its_text(tmp_path: Path, markup: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(markup)
    (found,) = read(path)
    assert isinstance(found, Document)
    assert found.text == "The pump leaks.\n\nSeal & hose"
    assert found.metadata["markup_errors"] == 1


def test_a_chapter_that_is_damaged_costs_itself(tmp_path: Path) -> None:
    items = "".join(f'<item id="{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in "ab")
    references = '<itemref idref="a"/><itemref idref="b"/>'
    members: dict[str, str | bytes] = {
        "META-INF/container.xml": '<container><rootfile full-path="a.opf"/></container>',
        "a.opf": f"<package><manifest>{items}</manifest><spine>{references}</spine></package>",
        "a.xhtml": "<p>First chapter</p>",
        "b.xhtml": "<p>Second chapter</p>",
    }
    path = archive(tmp_path / "a.epub", {"mimetype": "application/epub+zip", **members})
    path.write_bytes(path.read_bytes().replace(b"<p>First", b"<p>Fxrst", 1))
    assert text(path) == "[a.xhtml cannot be read]\n\nSecond chapter"


def test_a_slide_that_is_damaged_costs_itself(tmp_path: Path) -> None:
    slide = "<sld><cSld><spTree><sp><txBody><p><r><t>{}</t></r></p></txBody></sp></spTree></cSld></sld>"
    parts: dict[str, str | bytes] = {"[Content_Types].xml": "<Types/>"}
    parts |= {"ppt/slides/slide1.xml": "<sld><cSld>", "ppt/slides/slide2.xml": slide.format("Second")}
    assert text(archive(tmp_path / "a.pptx", parts)) == "[slide 1 cannot be read]\n\nSecond"
    (error,) = read(archive(tmp_path / "b.pptx", {**parts, "ppt/slides/slide2.xml": "<"}))
    assert isinstance(error, SourceError)
    assert "is not well-formed XML" in error.reason


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (r"{\rtf1 10{\super 6} cells}", "10^6 cells"),
        (r"{\rtf1 the 1{\super st} of May}", "the 1st of May"),
        (r"{\rtf1 10\super -3\nosupersub  m}", "10^-3 m"),
    ],
)
def test_exponents_of_rtf(markup: str, expected: str) -> None:
    assert rtf.text_of(markup.encode()) == expected


def test_a_web_archive_is_read_as_its_page(tmp_path: Path) -> None:
    path = tmp_path / "a.mhtml"
    path.write_text(
        "From: <Saved by a browser>\nSubject: Pumps\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=x\n\n"
        "--x\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n"
        "<p>Saved pa=\nge text.</p>\n--x--\n"
    )
    assert "Saved page text." in text(path)


def test_errors_in_a_notebook_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    output = '{"output_type": "error", "ename": "ValueError", "evalue": "no pump 7"}'
    path.write_text(
        f'{{"cells": [{{"cell_type": "code", "source": "run()", "outputs": [{output}]}}], "metadata": {{}}}}'
    )
    assert text(path) == "run()\n\nValueError: no pump 7"


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["Index/Document.iwa"], "a document of Pages, Numbers or Keynote, which is not read; export it as PDF"),
        (["[Content_Types].xml", "visio/document.xml"], "a document of Visio, which is not read; export it as PDF"),
        (["META-INF/MANIFEST.MF", "A.class"], "a zip archive without a document or text in it"),
        (["letters/a.txt"], "a zip archive and not a document; unpack it and ingest the folder"),
    ],
)
def test_archives_are_told_apart(tmp_path: Path, names: list[str], reason: str) -> None:
    (error,) = read(archive(tmp_path / "a.bin", dict.fromkeys(names, "x")))
    assert isinstance(error, SourceError)
    assert error.reason.startswith(reason)


def test_a_damaged_office_file_says_what_helps(tmp_path: Path) -> None:
    cut = archive(tmp_path / "a.docx", {"[Content_Types].xml": "<Types/>", "word/document.xml": "<w:document><w:p>"})
    (error,) = read(cut)
    assert isinstance(error, SourceError)
    assert error.reason.startswith("is damaged: a part of it is not well-formed XML")
    assert error.reason.endswith("open it in the program that made it, and save it again")
    cut.write_bytes(cut.read_bytes()[:60])
    (error,) = read(cut)
    assert isinstance(error, SourceError)
    assert error.reason.endswith("; copy it again")
