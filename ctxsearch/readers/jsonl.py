"""JSON Lines: a document a line, ``{"text": …, "source": …, "title": …, "metadata": {…}}``, all but ``text`` optional.

Other keys become metadata, too; what ``metadata`` itself says comes first. A file none of whose first lines has a
``text`` is one document: its values are read as those of a JSON file are. One message names the lines that cannot be
read; the others go in. Records are read as a stream, so the size of their file does not matter.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import Composer
from ctxsearch.readers.decoding import MAX_BYTES, SNIFFED_BYTES, decode, open_binary, wide_encoding
from ctxsearch.readers.json import put_value
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

MAX_LINE_BYTES = 64 * 1024 * 1024
LINES_LOOKED_AT = 1000
"""Lines that tell whether a file holds records; if none of them is JSON, the file is given up."""
MAX_BYTES_LOOKED_AT = 16 * 1024 * 1024

_OWN = frozenset(("text", "source", "title", "metadata"))


class _BadLineError(Exception):
    """A line that cannot be read, and why."""


def read(file: File) -> Iterator[Document | SourceError]:
    """The records of a file, or the file as one document.

    Raises:
        SourceError: it is empty, none of its first lines is JSON, or a line is too long.
    """
    bad = _BadLines(file)
    values = bad.without(_lines(file))
    first: list[_Value] = []
    length = 0
    for value in itertools.islice(values, LINES_LOOKED_AT):
        first.append(value)
        length += value.length
        if _is_record(value.content) or length > MAX_BYTES_LOOKED_AT:
            break
    following = itertools.chain(first, values)
    if any(_is_record(value.content) for value in first):
        for value in following:
            try:
                if document := _document(value, file):
                    yield document
            except _BadLineError as error:
                bad.note(value.number, str(error))
    elif first:
        yield _whole(following, file)
    elif not bad.numbers:
        raise SourceError(file.source, "is empty")
    if unread := bad.error():
        yield unread


class _Value:
    """What one line says."""

    __slots__ = ("content", "errors", "length", "number")

    def __init__(self, number: int, line: bytes, place: str) -> None:
        decoded = decode(line, place, "utf-8")
        self.number = number
        self.length = len(line)
        self.errors = decoded.metadata
        self.content: Any = json.loads(decoded.text, parse_constant=str)  # NaN, which JSON does not have


class _BadLines:
    """Lines of a file that cannot be read, for one message."""

    MOST_NAMED = 10

    def __init__(self, file: File) -> None:
        self.numbers: list[int] = []
        self._file = file
        self._reason = ""
        self._count = 0

    def note(self, number: int, reason: str) -> None:
        """A line cannot be read."""
        self._reason = self._reason or reason
        self._count += 1
        if len(self.numbers) < self.MOST_NAMED + 2:
            self.numbers.append(number)

    def without(self, lines: Iterator[tuple[int, bytes]]) -> Iterator[_Value]:
        """The values of the lines that are JSON.

        Raises:
            SourceError: none of the first is.
        """
        good = False
        for number, line in lines:
            if not line.strip():
                continue
            try:
                yield _Value(number, line, f"{self._file.source}:{number}")
                good = True
            except SourceError as error:
                self.note(number, error.reason)
            except (ValueError, RecursionError):
                self.note(number, "is not a line of JSON")
            if not good and self._count == LINES_LOOKED_AT:
                raise SourceError(
                    self._file.source, f"is not JSON Lines: none of its first {self._count:,} lines is JSON"
                )

    def error(self) -> SourceError | None:
        """What is to be said: the first bad line and why, and which others there are."""
        if not self._count:
            return None
        first, *others = self.numbers
        reason = self._reason
        if others:
            named = ", ".join(map(str, others[: self.MOST_NAMED])) + (", …" if len(others) > self.MOST_NAMED else "")
            reason += f"; {self._count - 1:,} more {'line' if len(others) == 1 else 'lines'} cannot be read: {named}"
        return SourceError(f"{self._file.source}:{first}", reason)


def _lines(file: File) -> Iterator[tuple[int, bytes]]:
    try:
        with open_binary(file) as stream:
            for number, line in enumerate(_encoded_lines(stream), start=1):
                if len(line) > MAX_LINE_BYTES:
                    raise SourceError(
                        file.source, f"line {number} is longer than {MAX_LINE_BYTES // 2**20} MB; the rest is not read"
                    )
                yield number, line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceError(file.source, f"not a whole gzip file: {error}") from error


def _encoded_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of a file; those of one in UTF-16 or UTF-32, whose line ends are several bytes, in UTF-8."""
    encoding = wide_encoding(stream.read(SNIFFED_BYTES))
    stream.seek(0)
    if encoding is None:
        while line := stream.readline(MAX_LINE_BYTES + 1):
            yield line
    else:
        text = io.TextIOWrapper(stream, encoding, errors="replace", newline="\n")
        try:
            while characters := text.readline(MAX_LINE_BYTES + 1):
                yield characters.encode()
        finally:
            text.detach()  # the stream is closed by whoever opened it


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def _document(value: _Value, file: File) -> Document | None:
    """The document of a line; None for a record whose text is empty.

    A line that has no text of its own, in a file of records, is read as a value of a JSON file is.

    Raises:
        _BadLineError: it is no record.
    """
    record: dict[str, Any] = value.content if isinstance(value.content, dict) else {}
    text = record.get("text", value.content)
    if text is None or (isinstance(text, str) and not text.strip()):
        return None
    place = f"{file.source}:{value.number}"
    source, title = _string(record, "source"), _string(record, "title")
    metadata = record.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise _BadLineError("its metadata is not a JSON object")
    if not isinstance(text, str):
        composer = Composer()
        put_value(composer, value.content)
        if composer.is_empty():
            return None
        text = composer.document(file).text
    return Document(
        text,
        source=source or place,
        title=title or source,
        metadata={key: inner for key, inner in record.items() if key not in _OWN} | metadata | value.errors,
        origin=str(file.origin),
        is_record=True,
    )


def _string(record: dict[str, Any], key: str) -> str:
    value = record.get(key) or ""
    if not isinstance(value, str):
        raise _BadLineError(f"its {key} is not a string")
    return value


def _whole(values: Iterator[_Value], file: File) -> Document:
    """All values as one document.

    Raises:
        SourceError: they are too many.
    """
    contents: list[Any] = []
    length = errors = 0
    for value in values:
        contents.append(value.content)
        length += value.length
        errors += len(value.errors)
        if length > MAX_BYTES:
            raise SourceError(file.source, f"larger than {MAX_BYTES // 2**20} MB, the most for one document; split it")
    composer = Composer()
    put_value(composer, contents)
    return composer.document(file, file.path.stem, {"encoding_errors": errors} if errors else {})
