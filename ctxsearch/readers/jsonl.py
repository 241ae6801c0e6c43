"""JSON Lines: a document a line, ``{"text": …, "source": …, "title": …, "metadata": {…}}``, all but ``text`` optional.

Other keys become metadata, too; what ``metadata`` itself says comes first.
The file is read as a stream, so its size does not matter.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

from ctxsearch.errors import SourceError
from ctxsearch.readers.decoding import decode, open_binary
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

MAX_LINE_BYTES = 64 * 1024 * 1024
MAX_BAD_LINES = 1000
"""A file whose first so many lines are all of no use is given up: it is something else."""

_OWN = frozenset(("text", "source", "title", "metadata"))


def read(file: File) -> Iterator[Document | SourceError]:
    """The records of a file. A line that is not a record is said, and the others go in."""
    good = bad = 0
    for number, line in _lines(file):
        if not line.strip():
            continue
        try:
            yield _document(line, file, number)
            good += 1
        except SourceError as error:
            yield error
            bad += 1
            if bad == MAX_BAD_LINES and not good:
                raise SourceError(file.source, f"given up: none of its first {bad} lines is a record") from error
    if not good and not bad:
        raise SourceError(file.source, "is empty")


def _lines(file: File) -> Iterator[tuple[int, bytes]]:
    try:
        with open_binary(file) as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise SourceError(
                        file.source, f"line {number} is longer than {MAX_LINE_BYTES // 2**20} MB; the rest is not read"
                    )
                yield number, line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(file.source, f"not a whole gzip file: {error}") from error


def _document(line: bytes, file: File, number: int) -> Document:
    place = f"{file.source}:{number}"
    try:
        record = json.loads(decode(line, place, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise SourceError(place, "is not a line of JSON") from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise SourceError(place, 'is not a record: it needs a text, as in {"text": "…", "source": "…"}')
    source, title = _string(record, "source", place), _string(record, "title", place)
    metadata = record.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise SourceError(place, "its metadata is not a JSON object")
    return Document(
        record["text"],
        source=source or place,
        title=title or source,
        metadata={key: value for key, value in record.items() if key not in _OWN} | metadata,
        origin=str(file.origin),
        is_record=True,
    )


def _string(record: dict[str, Any], key: str, place: str) -> str:
    value = record.get(key) or ""
    if not isinstance(value, str):
        raise SourceError(place, f"its {key} is not a string")
    return value
