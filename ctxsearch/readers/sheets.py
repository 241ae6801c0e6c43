"""Spreadsheets, by calamine: Excel of all ages and OpenDocument. A page a sheet, its name as a heading.

The rows of a block of cells are lines; where its first row names the columns, a cell reads ``name: value``. Empty rows
end a block.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from typing import Any

import python_calamine

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import Composer
from ctxsearch.readers.decoding import read_bytes
from ctxsearch.readers.ooxml import properties
from ctxsearch.readers.packages import opened
from ctxsearch.readers.walk import File
from ctxsearch.records import Document


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    data = read_bytes(file)
    metadata: dict[str, Any] = {}
    if data.startswith(b"PK"):
        with opened(file) as package:
            package.check()
            metadata = properties(package, file.source)
    try:
        workbook = python_calamine.load_workbook(io.BytesIO(data))
    except python_calamine.PasswordError as error:
        raise SourceError(file.source, "is encrypted; save it without a password") from error
    except python_calamine.CalamineError as error:
        raise SourceError(file.source, f"is damaged: {error}") from error
    composer = Composer()
    for number, name in enumerate(workbook.sheet_names, start=1):
        try:
            rows = workbook.get_sheet_by_name(name).to_python(skip_empty_area=True)
        except python_calamine.CalamineError:
            continue  # a sheet that is a chart
        composer.page(number)
        _put(composer, name, rows)
    yield composer.document(file, str(metadata.pop("title", "")) or file.path.stem, metadata)


def _put(composer: Composer, name: str, rows: list[list[Any]]) -> None:
    block: list[list[str]] = []
    blocks = [block]
    for row in rows:
        cells = [_text(cell) for cell in row]
        if any(cells):
            block.append(cells)
        elif block:
            block = []
            blocks.append(block)
    if any(blocks):
        composer.heading(name, 1)
    for block in filter(None, blocks):
        _put_block(composer, block)


def _put_block(composer: Composer, block: list[list[str]]) -> None:
    """A block of rows; lines of one cell at its top are its title."""
    used = [column for column in range(max(map(len, block))) if any(row[column] for row in block if column < len(row))]
    trimmed = [[row[column] if column < len(row) else "" for column in used] for row in block]
    while len(trimmed) > 1 and sum(map(bool, trimmed[0])) == 1 and len(used) > 1:
        composer.block(next(filter(None, trimmed.pop(0))))
    composer.table(trimmed)


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return f"{value:.15g}"
        case datetime.datetime():
            return value.isoformat(" ") if value.time() != datetime.time() else value.date().isoformat()
        case datetime.date() | datetime.time():
            return value.isoformat()
    return str(value).strip()
