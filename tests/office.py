"""Office files made for tests: the parts that matter, and no more."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

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
