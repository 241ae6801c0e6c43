"""Jupyter notebooks: Markdown cells with their headings, code cells, and the text that code printed. A cell is a
page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import Composer
from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.markdown import headings
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

MAX_OUTPUT_CHARACTERS = 10_000
"""Of what one cell printed: a log is not what people look for in a notebook."""


def read(file: File) -> Iterator[Document]:
    """The notebook as one document.

    Raises:
        SourceError: it is no notebook, or is empty.
    """
    decoded = decode(read_bytes(file), file.source)
    try:
        notebook = json.loads(decoded.text)
    except ValueError as error:
        raise SourceError(file.source, f"is not a notebook: {error}") from error
    if not isinstance(notebook, dict):
        raise SourceError(file.source, "is not a notebook: no object at its top")
    cells = notebook.get("cells")
    if cells is None and isinstance(sheets := notebook.get("worksheets"), list):  # before version 4
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in sheet.get("cells", ())]
    if not isinstance(cells, list):
        raise SourceError(file.source, "is not a notebook: it has no cells")
    composer = Composer()
    for number, cell in enumerate(cells, start=1):
        if isinstance(cell, dict):
            composer.page(number)
            _put(composer, cell)
    yield composer.document(file, metadata=_metadata(notebook) | decoded.metadata)


def _put(composer: Composer, cell: dict[str, Any]) -> None:
    text = _text(cell.get("source", cell.get("input")))
    if cell.get("cell_type") == "markdown":
        bare = text.strip("\r\n")
        composer.insert(bare, headings(bare))
        return
    if cell.get("cell_type") == "heading":  # before version 4
        level = cell.get("level")
        composer.heading(text, level if isinstance(level, int) and 0 < level < 7 else 1)
        return
    composer.block(text.strip("\r\n"))
    for output in cell.get("outputs") or ():
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        if output.get("output_type") in ("error", "pyerr"):
            composer.block(f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}")
            continue
        shown = output.get("text") or (data.get("text/plain") if isinstance(data, dict) else None)
        composer.block(_text(shown)[:MAX_OUTPUT_CHARACTERS])


def _text(source: Any) -> str:
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _metadata(notebook: dict[str, Any]) -> dict[str, Any]:
    found = notebook.get("metadata")
    if not isinstance(found, dict):
        return {}
    authors = found.get("authors")
    names = [author.get("name") for author in authors if isinstance(author, dict)] if isinstance(authors, list) else []
    return {"author": ", ".join(name for name in names if isinstance(name, str))}
