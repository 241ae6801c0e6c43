"""Office files made for tests: the parts that matter, and no more."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from ctxsearch import readers
from ctxsearch.errors import SourceError
from ctxsearch.readers import Skipped
from ctxsearch.records import Document

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def read(path: Path, worker: readers.Worker | None = None) -> list[Document | SourceError | Skipped]:
    """What is read of a file."""
    (file,) = readers.find([str(path)]).files
    return list(readers.read(file, worker))


def text(path: Path, worker: readers.Worker | None = None) -> str:
    """The text of a file that is one document."""
    (found,) = read(path, worker)
    assert isinstance(found, Document), found
    return found.text


def archive(path: Path, members: dict[str, str | bytes]) -> Path:
    """A zip archive of these members."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def relations(targets: dict[str, tuple[str, str]]) -> str:
    """A part of relations: id -> (kind, target)."""
    inner = "".join(
        f'<Relationship Id="{identity}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for identity, (kind, target) in targets.items()
    )
    return f"<Relationships>{inner}</Relationships>"


def word(
    path: Path,
    body: str,
    parts: dict[str, str | bytes] | None = None,
    related: dict[str, tuple[str, str]] | None = None,
) -> Path:
    """A Word document.

    Args:
        path: where it is written.
        body: what stands in ``w:body``; ``w`` and ``r`` are declared.
        parts: other parts by name below ``word/``; an XML part is wrapped in an element that declares the prefixes.
        related: relations of the main part: id -> (kind, target).
    """
    members: dict[str, str | bytes] = {"[Content_Types].xml": "<Types/>"}
    members["word/document.xml"] = _declared("document", f"<w:body>{body}</w:body>")
    members["word/_rels/document.xml.rels"] = relations(related or {})
    for name, content in (parts or {}).items():
        is_xml = isinstance(content, str) and name.endswith(".xml")
        members[f"word/{name}"] = _declared(name.removesuffix(".xml"), content) if is_xml else content
    return archive(path, members)


def _declared(name: str, content: object) -> str:
    return f'<w:{name} xmlns:w="{WORD}" xmlns:r="{RELATIONS}" xmlns:v="urn:v" xmlns:mc="urn:mc">{content}</w:{name}>'


def paragraph(content: str, settings: str = "") -> str:
    """A paragraph of a Word document; its text, or its runs."""
    runs = content if content.startswith("<") else f"<w:r><w:t>{content}</w:t></w:r>"
    return f"<w:p><w:pPr>{settings}</w:pPr>{runs}</w:p>"


def table(*rows: str | list[str]) -> str:
    """A table of a Word document: rows of texts, or of what `cell` made."""
    shown = (row if isinstance(row, str) else "".join(c if c.startswith("<") else cell(c) for c in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in shown) + "</w:tbl>"


def cell(content: str, settings: str = "") -> str:
    """A cell; its text, or its blocks."""
    return f"<w:tc><w:tcPr>{settings}</w:tcPr>{content if content.startswith('<') else paragraph(content)}</w:tc>"


@pytest.fixture(scope="module")
def worker() -> Iterator[readers.Worker]:
    """One process for the readers of a module's tests."""
    with readers.Worker() as worker:
        yield worker


def letters(column: int) -> str:
    """The name of a column of a sheet, counted from 0."""
    head, last = divmod(column, 26)
    return (letters(head - 1) if head else "") + chr(ord("A") + last)


def workbook(
    path: Path,
    sheets: dict[str, list[list[str]]],
    merged: dict[str, list[str]] | None = None,
    more: dict[str, str] | None = None,
    cells: dict[str, dict[str, str]] | None = None,
    parts: dict[str, str | bytes] | None = None,
) -> Path:
    """An Excel file.

    Args:
        path: where it is written.
        sheets: texts of cells by the sheet's name.
        merged: references of merged cells by sheet.
        more: what else stands in a sheet's part, at its end.
        cells: cells given as XML, by sheet and reference.
        parts: other parts by name.
    """
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    sheet_names = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, start=1))
    targets = {f"r{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)}
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}"/></Types>',
        "_rels/.rels": _in_package(relations({"r": ("officeDocument", "xl/workbook.xml")}), package),
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{RELATIONS}"><sheets>{sheet_names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _in_package(relations(targets), package),
        **(parts or {}),
    }
    for number, (name, rows) in enumerate(sheets.items(), start=1):
        given = (cells or {}).get(name, {})
        shown = ""
        for r, row in enumerate(rows, start=1):
            inner = ""
            for c, content in enumerate(row):
                place = f"{letters(c)}{r}"
                if place in given:
                    inner += given[place]
                elif content:
                    inner += f'<c r="{place}" t="inlineStr"><is><t>{escape(content)}</t></is></c>'
            shown += f'<row r="{r}">{inner}</row>'
        references = "".join(f'<mergeCell ref="{reference}"/>' for reference in (merged or {}).get(name, []))
        merges = f"<mergeCells>{references}</mergeCells>" if references else ""
        end = merges + (more or {}).get(name, "")
        members[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{space}"><sheetData>{shown}</sheetData>{end}</worksheet>'
        )
    return archive(path, members)


def _in_package(part: str, package: str) -> str:
    return part.replace("<Relationships>", f'<Relationships xmlns="{package}/relationships">')
