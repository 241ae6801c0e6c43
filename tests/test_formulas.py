"""Formulas and exponents in one line: a half is not 12, ten to the sixth is not 106. Pictures say what they show."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from ctxsearch.readers import formulas
from tests.office import archive, paragraph, text, word, workbook

R = "<m:r><m:t>{}</m:t></m:r>"
HALF = f"<m:f><m:num>{R.format('1')}</m:num><m:den>{R.format('2')}</m:den></m:f>"


def office_math(inner: str) -> str:
    return formulas.of_word(ElementTree.fromstring(f'<m:oMath xmlns:m="m">{inner}</m:oMath>'))


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (HALF, "1/2"),
        (f"<m:f><m:num>{R.format('a+b')}</m:num><m:den>{R.format('2')}</m:den></m:f>", "(a+b)/2"),
        (f"<m:sSup><m:e>{R.format('10')}</m:e><m:sup>{R.format('6')}</m:sup></m:sSup>", "10^6"),
        (f"<m:sSub><m:e>{R.format('x')}</m:e><m:sub>{R.format('1')}</m:sub></m:sSub>", "x_1"),
        (f"<m:rad><m:radPr/><m:deg/><m:e>{R.format('a+b')}</m:e></m:rad>", "√(a+b)"),
        (f"<m:d><m:e>{R.format('a')}</m:e></m:d>", "(a)"),
        (
            f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{R.format("i=1")}</m:sub><m:sup>{R.format("n")}'
            f"</m:sup><m:e>{R.format('i')}</m:e></m:nary>",
            "∑_(i=1)^n i",
        ),
        (f"<m:func><m:fName>{R.format('sin')}</m:fName><m:e>{R.format('x')}</m:e></m:func>", "sin x"),
        ("<m:f><m:num>" * 200 + R.format("1") + "</m:num></m:f>" * 200, "1"),
    ],
)
def test_office_math(inner: str, expected: str) -> None:
    assert office_math(inner) == expected


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mn>2</mn></mfrac>", "(a+b)/2"),
        ("<msup><mn>10</mn><mrow><mo>-</mo><mn>3</mn></mrow></msup>", "10^(-3)"),
        ("<msqrt><mi>x</mi></msqrt><mo>=</mo><msubsup><mi>y</mi><mn>1</mn><mn>2</mn></msubsup>", "√x=y_1^2"),
        ("<mi>sin</mi><mi>alpha</mi>", "sin alpha"),
        ("<semantics><mi>x</mi><annotation>X</annotation></semantics>", "x"),
    ],
)
def test_mathml(inner: str, expected: str) -> None:
    assert formulas.of_mathml(ElementTree.fromstring(f"<math>{inner}</math>")) == expected


def run(content: str, settings: str = "") -> str:
    return f'<w:r><w:rPr>{settings}</w:rPr><w:t xml:space="preserve">{content}</w:t></w:r>'


RAISED = '<w:vertAlign w:val="superscript"/>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (paragraph(run("10") + run("6", RAISED) + run(" cells")), "10^6 cells"),
        (paragraph(run("on the 1") + run("st", RAISED) + run(" of May")), "on the 1st of May"),
        (paragraph(run("in m") + run("2", RAISED)), "in m2"),
        (paragraph(run("Let x=") + f'<m:oMath xmlns:m="m">{HALF}</m:oMath>'), "Let x= 1/2"),
        (paragraph("T", '<w:framePr w:dropCap="drop"/>') + paragraph("he pump is old."), "The pump is old."),
        (
            paragraph('<w:r><w:drawing><docPr name="Picture 1" descr="A red pump"/></w:drawing></w:r>' + run("Old.")),
            "A red pump Old.",
        ),
        (paragraph('<w:r><w:pict><v:shape alt="A red pump"/></w:pict></w:r>'), "A red pump"),
        (paragraph('<w:r><w:drawing><docPr descr="scan-12.png"/></w:drawing></w:r>' + run("A")), "A"),
        (paragraph('<w:r><w:pict><v:shape><v:textpath string="DRAFT 7"/></v:shape></w:pict></w:r>'), "DRAFT 7"),
    ],
)
def test_word_documents(tmp_path: Path, body: str, expected: str) -> None:
    assert text(word(tmp_path / "a.docx", body)) == expected


def test_slides(tmp_path: Path) -> None:
    shapes = (
        '<sp><txBody><p><r><t>10</t></r><r><rPr baseline="30000"/><t>6</t></r><r><t> cells</t></r></p></txBody></sp>'
        '<pic><nvPicPr><cNvPr id="2" name="Picture 1" descr="A red pump"/></nvPicPr></pic>'
        f'<sp><txBody><p><m:oMath xmlns:m="m">{HALF}</m:oMath></p></txBody></sp>'
    )
    slide = f"<sld><cSld><spTree>{shapes}</spTree></cSld></sld>"
    path = archive(tmp_path / "a.pptx", {"[Content_Types].xml": "<Types/>", "ppt/slides/slide1.xml": slide})
    assert text(path) == "10^6 cells\n\nA red pump\n\n1/2"


def test_pictures_of_a_sheet(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        {"S": [["Pumps"]]},
        parts={
            "xl/worksheets/_rels/sheet1.xml.rels": '<Relationships><Relationship Id="d" Type="x/drawing" '
            'Target="../drawings/drawing1.xml"/></Relationships>',
            "xl/drawings/drawing1.xml": '<d><pic><nvPicPr><cNvPr descr="A red pump"/></nvPicPr></pic></d>',
        },
    )
    assert text(path) == "S\n\nPumps\n\nA red pump"
