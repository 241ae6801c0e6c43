"""CSV and TSV: a document a row where rows are texts with columns for it, else the table as one document.

A file whose header names a column ``text`` holds records, as JSON Lines does: ``source`` and ``title`` are taken as
such, the other columns become metadata. Any other file is one document, a line a row, each cell with its column's name;
titles and notes above the header are lines of their own. A first line ``sep=;`` names the delimiter, as Excel reads it.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import one_line
from ctxsearch.readers.decoding import ENCODING_ERRORS, decode, read_bytes
from ctxsearch.readers.grid import lines_of
from ctxsearch.readers.kinds import suffix_of
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

MAX_COLUMNS = 4096
_SNIFFED_CHARACTERS = 64 * 1024
_DELIMITERS = ",;\t|"
_STATED_DELIMITER = re.compile(r"\ufeff?\"?sep=(.)\"?[;,\t|]*\r?\n", re.IGNORECASE)
_TEXT = "text"

csv.field_size_limit(64 * 1024 * 1024)


def read(file: File) -> Iterator[Document | SourceError]:
    """The rows of a file; one that is not a record is said, and the others go in.

    Raises:
        SourceError: it is empty, or no table.
    """
    decoded = decode(read_bytes(file), file.source)
    content = decoded.text
    stated = _STATED_DELIMITER.match(content)
    if stated:
        content = content[stated.end() :]
        delimiter = stated[1]
    else:
        delimiter = "\t" if suffix_of(file) in (".tsv", ".tab") else _delimiter(content[:_SNIFFED_CHARACTERS])
    rows = _rows(content, delimiter, file)
    _, first = next(rows, (0, []))
    if not first:
        raise SourceError(file.source, "is empty")
    names = [one_line(name) for name in first]
    if _TEXT in (name.lower() for name in names):
        yield from _records(rows, names, file)
    else:
        lines = lines_of(itertools.chain([first], (row for _, row in rows)))
        yield Document("\n".join(lines), file.source, file.path.stem, decoded.metadata, origin=str(file.origin))


def value_of(cell: str) -> str | int | float | bool:
    """A cell as the number or truth that it reads as, so that filters can compare it; else as it is.

    Digits that begin with 0 (a postcode, a part's number) are a name, not a number.
    """
    bare = cell.strip()
    if bare in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return bare.lower() == "true"
    digits = bare.removeprefix("-")
    if (
        not digits[:1].isdigit()
        or not digits.isascii()
        or len(digits) > 15
        or (digits[0] == "0" and digits[1:2].isdigit())
    ):
        return cell
    for number in (int, float):
        try:
            return number(bare) if "_" not in bare else cell
        except ValueError:
            continue
    return cell


def _rows(content: str, delimiter: str, file: File) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with the number of the line on which each ends."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise SourceError(file.source, f"line {reader.line_num} has {len(row):,} columns; no table")
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise SourceError(file.source, f"line {reader.line_num} is no CSV: {error}") from error


def _delimiter(sample: str) -> str:
    """The sign that cuts most of the first lines into the same number of cells."""

    def score(delimiter: str) -> tuple[int, int]:
        counts = []
        try:
            for row in itertools.islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), 50):
                counts.append(len(row))
        except csv.Error:
            return 0, 0
        wide = [count for count in counts if count > 1]
        return (max(map(wide.count, wide)), max(wide)) if wide else (0, 0)

    return max(_DELIMITERS, key=score)


def _records(rows: Iterable[tuple[int, list[str]]], names: list[str], file: File) -> Iterator[Document | SourceError]:
    lowered = [name.lower() for name in names]
    too_long: list[int] = []
    read = False
    for line, row in rows:
        place = f"{file.source}:{line}"
        cells = dict(zip(lowered, row, strict=False))
        if any(cell.strip() for cell in row[len(names) :]):
            too_long.append(line)
            continue
        metadata: dict[str, Any] = {
            name: value_of(cell)
            for name, cell in zip(names, row, strict=False)
            if name and cell.strip() and name.lower() not in (_TEXT, "source", "title")
        }
        text = cells.get(_TEXT, "")
        if not text.strip():
            continue  # an empty cell is no fault: there is nothing to search in it
        if "\ufffd" in text:
            metadata[ENCODING_ERRORS] = text.count("\ufffd")
        read = True
        source, title = cells.get("source", "").strip(), one_line(cells.get("title", ""))
        yield Document(text, source or place, title or source, metadata, (), str(file.origin), is_record=True)
    if too_long:
        reason = f"has more columns than the header, which has {len(names)}; is a cell with a separator not quoted?"
        if others := too_long[1:]:
            named = ", ".join(map(str, others[:10])) + (", …" if len(others) > 10 else "")
            reason += (
                f" So has line {named}" if len(others) == 1 else f" So have lines {named} ({len(others):,} in all)"
            )
        yield SourceError(f"{file.source}:{too_long[0]}", reason)
    elif not read:
        raise SourceError(file.source, f"has no text: its column {_TEXT} is empty in every row")
