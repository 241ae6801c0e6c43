"""Plain text, and whatever else reads as text: the document's text is the file's, letter for letter."""

from __future__ import annotations

from collections.abc import Iterator

from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

MAX_TITLE_CHARACTERS = 100


def read(file: File) -> Iterator[Document]:
    """The file as one document. Its title is its first line where that stands apart, else the file's name."""
    decoded = decode(read_bytes(file), file.source)
    title = title_of(decoded.text, file.path.stem)
    yield Document(decoded.text, file.source, title, decoded.metadata, origin=str(file.origin))


def title_of(content: str, otherwise: str) -> str:
    """The first line of a text, if it is short and a blank line follows; else ``otherwise``."""
    lines = content.lstrip()[: 2 * MAX_TITLE_CHARACTERS].splitlines()
    if len(lines) > 1 and len(lines[0]) <= MAX_TITLE_CHARACTERS and not lines[1].strip():
        return lines[0].strip()
    return otherwise
