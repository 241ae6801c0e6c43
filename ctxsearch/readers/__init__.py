"""Files become Documents; one module a family of formats, chosen by content and suffix.

    walk.py       paths -> files, links and ignored files left out
    decoding.py   bytes -> text
    text.py       plain text, and whatever else reads as text
    markdown.py   Markdown: its text as it stands, with its headings
    html.py       HTML: the text of the page without navigation
    jsonl.py      JSON Lines: a document a line

A reader is a function from a file to documents, raising `SourceError` for what it cannot read. To add a format, write
such a function and name its suffixes in `READERS`. This room knows nothing of models, indexes or the command line.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ctxsearch.errors import SourceError
from ctxsearch.readers import html, jsonl, markdown, text
from ctxsearch.readers.decoding import SNIFFED_BYTES, decode, looks_binary, open_binary
from ctxsearch.readers.walk import File, Skipped, find_files
from ctxsearch.records import Document

Reader: TypeAlias = Callable[[File], Iterator[Document | SourceError]]

STANDARD_INPUT = "-"

READERS: dict[str, Reader] = {
    ".txt": text.read,
    ".text": text.read,
    ".md": markdown.read,
    ".markdown": markdown.read,
    ".html": html.read,
    ".htm": html.read,
    ".xhtml": html.read,
    ".jsonl": jsonl.read,
    ".ndjson": jsonl.read,
}
"""Readers by suffix; a file of another suffix is read as text if it is text."""

_HTML_STARTS = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the paths of an ingest lead to, found before anything is read."""

    files: tuple[File, ...]
    skipped: tuple[Skipped, ...]
    missing: tuple[SourceError, ...]

    @property
    def bytes(self) -> int:
        """Size of all files, for the progress bar."""
        return sum(file.size for file in self.files)


def find(paths: Sequence[str], glob: str | None = None) -> Sources:
    """The files that the paths lead to, each once, in a fixed order.

    Args:
        paths: files and folders; ``-`` is left to `read_standard_input`.
        glob: keep only files whose name or path below the folder fits, as in ``*.md``.
    """
    files: dict[Path, File] = {}
    skipped: list[Skipped] = []
    missing: list[SourceError] = []
    for path in paths:
        for found in find_files(path, glob):
            if isinstance(found, File):
                files.setdefault(found.origin, found)
            elif isinstance(found, Skipped):
                skipped.append(found)
            else:
                missing.append(found)
    return Sources(tuple(files.values()), tuple(skipped), tuple(missing))


def read(file: File) -> Iterator[Document | SourceError | Skipped]:
    """The documents of one file, and what could not be read of it. Never raises for the state of a file."""
    try:
        suffix = file.path.suffix.lower()
        if suffix == ".gz":
            suffix = file.path.with_suffix("").suffix.lower()
        reader = READERS.get(suffix)
        with open_binary(file) as stream:
            head = stream.read(SNIFFED_BYTES)
        if reader is None and looks_binary(head):
            kind = f"no reader for {suffix} files" if suffix else "binary, and without a suffix that names its kind"
            yield SourceError(file.source, kind) if file.named else Skipped(file.source, kind)
            return
        if reader in (None, text.read) and head.lstrip().lower().startswith(_HTML_STARTS):
            reader = html.read
        yield from (reader or text.read)(file)
    except SourceError as error:
        yield error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        yield SourceError(file.source, f"not a whole gzip file: {error}")
    except OSError as error:
        yield SourceError(file.source, f"cannot be read: {error.strerror or error}")


def read_standard_input() -> Document:
    """Standard input as one document of plain text, named by its content so that two inputs do not replace each other.

    Raises:
        SourceError: it is not text.
    """
    data = sys.stdin.buffer.read()
    content = decode(data, "standard input")
    return Document(
        content, source=f"stdin:{hashlib.sha256(data).hexdigest()[:12]}", title=text.title_of(content, "stdin")
    )


__all__ = ["READERS", "STANDARD_INPUT", "File", "Skipped", "Sources", "find", "read", "read_standard_input"]
