"""Excel files of all ages, the cells by calamine. A page a sheet, its name as a heading.

    sheetblocks.py  the tables of a sheet
    xlsxparts.py    comments, text boxes, charts, headings and formulas of XLSX, which calamine does not give

A merged cell stands in each row that it spans. A formula of which the file keeps no value is shown itself.
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
from ctxsearch.readers.sheetblocks import SheetCell, put_sheet
from ctxsearch.readers.walk import File
from ctxsearch.readers.xlsxparts import Extras, Workbook
from ctxsearch.records import Document


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    data = read_bytes(file)
    composer = Composer()
    metadata: dict[str, Any] = {}
    if data.startswith(b"PK"):
        with opened(file) as package:
            package.check()
            metadata = properties(package, file.source)
            _put_sheets(composer, _opened(data, file), Workbook(package, file.source))
    else:
        _put_sheets(composer, _opened(data, file), None)
    yield composer.document(file, str(metadata.pop("title", "")) or file.path.stem, metadata)


def _opened(data: bytes, file: File) -> python_calamine.CalamineWorkbook:
    try:
        return python_calamine.load_workbook(io.BytesIO(data))
    except python_calamine.PasswordError as error:
        raise SourceError(file.source, "is encrypted; save it without a password") from error
    except python_calamine.CalamineError as error:
        raise SourceError(file.source, f"is damaged: {error}") from error


def _put_sheets(composer: Composer, values: python_calamine.CalamineWorkbook, parts: Workbook | None) -> None:
    for number, name in enumerate(values.sheet_names):
        extras = parts.extras(number) if parts else Extras()
        try:
            cells = _cells(values.get_sheet_by_name(name), extras)
        except python_calamine.CalamineError:  # a sheet that is a chart
            cells = []
        composer.page(number + 1)
        sheet = Composer()
        sheet.block("\n".join(extras.sides))
        put_sheet(sheet, cells, extras.heads)
        sheet.block("\n".join(extras.comments))
        if parts:
            parts.put_drawings(sheet, extras.drawings)
        if not sheet.is_empty():
            composer.heading(name, 1)
            composer.insert(sheet.text())


def _cells(sheet: python_calamine.CalamineSheet, extras: Extras) -> list[SheetCell]:
    """The cells that hold something, without those that merged cells cover."""
    top, left = sheet.start or (0, 0)
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    covered: set[tuple[int, int]] = set()
    for (row, column), (last_row, last_column) in sheet.merged_cell_ranges or ():
        spans[row, column] = last_column - column + 1, last_row - row + 1
    texts: dict[tuple[int, int], str] = dict(extras.formulas)
    for row, values in enumerate(sheet.to_python(skip_empty_area=True), start=top):
        for column, value in enumerate(values, start=left):
            if text := _text(value):
                texts[row, column] = text
    texts.update(extras.shown)
    for place, (columns, rows) in spans.items():
        if place in texts and (columns * rows) <= len(texts) * 16 + 4096:
            covered.update((place[0] + r, place[1] + c) for r in range(rows) for c in range(columns) if r or c)
    return [
        SheetCell(*place, texts[place], *spans.get(place, (1, 1))) for place in sorted(texts) if place not in covered
    ]


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
