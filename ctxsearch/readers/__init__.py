"""Files become Documents; one module a family of formats, chosen by content first and suffix second.

    walk.py         paths -> files, links and ignored files left out
    kinds.py        what a file is, and which module reads it
    dispatch.py     the reader of each kind, imported when it is needed
    worker.py       a process of its own for parsers, with limits
    convert.py      commands of the user's for files that are not read as they are
    decoding.py     bytes -> text
    charsets.py     names of encodings -> codecs
    cleaning.py     half characters and embedded data taken out of a document
    composing.py    a text put together from blocks, headings, pages and tables
    frontmatter.py  the metadata at the top of a text
    packages.py     zip and OLE containers, members read within limits
    xmltree.py      XML -> a tree, nothing loaded from outside
    ooxml.py        what the parts of Office Open XML share
    grid.py         tables: where cells stand, their headings, their rows as lines; columns.py finds headings
    formulas.py     formulas in one line, exponents
    charts.py       charts and diagrams of Office files
    numbering.py    numbers of paragraphs in Word documents; wordtext.py and chunks.py are parts of docx.py
    htmltables.py   tables of HTML; rtftokens.py is a part of rtf.py

    text, markdown, markup, html, xml, tables, json, jsonl, notebook, subtitles, mail, outlook, rtf, docx, pptx, sheets,
    opendocument, epub, pdf    the readers

A reader is a function ``read`` from a file to documents, raising `SourceError` for what it cannot read. To add a
format, write a module with such a function and name it in ``kinds.KINDS``. This room knows nothing of models, indexes
or the command line.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import mimetypes
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ctxsearch import __version__
from ctxsearch.errors import SourceError
from ctxsearch.readers import dispatch, text
from ctxsearch.readers.convert import commands, converted
from ctxsearch.readers.decoding import SNIFFED_BYTES, decode, looks_binary, open_binary, wide_encoding
from ctxsearch.readers.kinds import kind_of, must_be_isolated, suffix_of
from ctxsearch.readers.walk import IGNORE_FILES, Command, File, Skipped, Within, find_files, working_directory
from ctxsearch.readers.worker import Limits, Worker
from ctxsearch.records import Document

STANDARD_INPUT = "-"

MODIFIED = "modified"
"""The metadata that says when a file was written. It alone may change while the document is the same."""


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


@functools.cache
def _libraries() -> str:
    """Which readers there are: a file that one of them failed at may be read by another."""
    there = [name for name in ("pypdfium2", "python_calamine", "oxmsg") if importlib.util.find_spec(name)]
    return " ".join((__version__, *there))


def signature(file: File) -> str:
    """What tells, without reading a file, that it would be read as it was before."""
    return f"{file.signature} {_libraries()}"


def find(
    paths: Sequence[str],
    glob: str | None = None,
    ignore: bool = True,
    within: Within | None = None,
    base: Path | None = None,
    convert: Mapping[str, Command] | None = None,
) -> Sources:
    """The files that the paths lead to, each once, in a fixed order.

    Args:
        paths: files and folders; ``-`` is left to `read_standard_input`.
        glob: keep only files whose name or path below the folder fits, as in ``*.md``.
        ignore: leave out what ``.gitignore`` and ``.ctxignore`` name.
        within: look only there.
        base: the absolute path of the folder that relative paths start from; None for the working directory of now.
        convert: commands by suffix, from `convert.commands`.
    """
    base = base or working_directory()
    files: dict[Path, File] = {}
    skipped: list[Skipped] = []
    missing: list[SourceError] = []
    for path in paths:
        for found in find_files(path, base, glob, ignore, within):
            if isinstance(found, File):
                command = convert.get(found.path.suffix.lower()) if convert else None
                files.setdefault(found.origin, replace(found, command=command) if command else found)
            elif isinstance(found, Skipped):
                skipped.append(found)
            else:
                missing.append(found)
    return Sources(tuple(files.values()), tuple(skipped), tuple(missing))


AHEAD = 16
"""Files that are looked at, and that the worker is told of, before their turn. Requests must fit into a pipe."""


def read_each(files: Iterable[File], worker: Worker) -> Iterator[tuple[File, Iterator[dispatch.Item]]]:
    """Each file with what `read` says of it, to be read in turn; parsers run ahead of the caller."""
    waiting: deque[tuple[File, str | dispatch.Item]] = deque()
    with worker.another() as second:
        for file in files:
            kind = _kind(file)
            waiting.append((file, kind))
            if isinstance(kind, str) and must_be_isolated(kind, file):
                worker.ahead(file, kind)
            if len(waiting) == AHEAD:
                first, its_kind = waiting.popleft()
                yield first, _items_or_converted(first, its_kind, worker, second)
        for first, its_kind in waiting:
            yield first, _items_or_converted(first, its_kind, worker, second)


def read(file: File, worker: Worker | None = None) -> Iterator[dispatch.Item]:
    """The documents of one file, and what could not be read of it. Never raises for the state of a file.

    The metadata of a document that is a whole file has the file's ``mime_type``, ``size`` and ``modified``, and what
    the file says of itself.

    Args:
        file: the file.
        worker: the process that parsers run in; without one, a process is started for this file if it needs one.
    """
    with nullcontext(worker) if worker else Worker() as reading:
        yield from _items_or_converted(file, _kind(file), reading, reading)


def _kind(file: File) -> str | dispatch.Item:
    """The kind of a file, or why it is not read."""
    try:
        with open_binary(file) as stream:
            head = stream.read(SNIFFED_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        return SourceError(file.source, f"not a whole gzip file: {error}")
    except OSError as error:
        return SourceError(file.source, f"cannot be read: {error.strerror or error}")
    if not head:
        return SourceError(file.source, "is empty")
    wide = wide_encoding(head)
    kind = kind_of(file, head.decode(wide, "ignore").encode() if wide else head)
    if kind is None and looks_binary(head):
        suffix = suffix_of(file)
        reason = f"no reader for {suffix} files" if suffix else "binary, and without a suffix that names its kind"
        return SourceError(file.source, reason) if file.named else Skipped(file.source, reason)
    return kind or "text"


def _items_or_converted(
    file: File, kind: str | dispatch.Item, worker: Worker, second: Worker
) -> Iterator[dispatch.Item]:
    """What is read of a file; of what its command makes of it, if it has one and no document is found as it is.

    Args:
        second: reads what the command made, while the other worker is ahead with the next files.
    """
    if not file.command or not file.size:
        yield from _items(file, kind, worker)
        return
    before: list[dispatch.Item] = []
    items = _items(file, kind, worker)
    for item in items:
        before.append(item)
        if isinstance(item, Document):
            yield from before
            yield from items
            return
    try:
        with converted(file, worker.limits) as result:
            yield from (_of_original(item, file) for item in _items(result, _kind(result), second))
    except SourceError as error:
        yield error


def _of_original(item: dispatch.Item, file: File) -> dispatch.Item:
    """A document with the size of the file that it was made from, and its MIME type, where the suffix tells one."""
    if not isinstance(item, Document) or item.is_record:
        return item
    mime_type, _ = mimetypes.guess_type(file.path.name)
    facts = {"size": file.size, **({"mime_type": mime_type} if mime_type else {})}
    return replace(item, metadata={**item.metadata, **facts})


def _items(file: File, kind: str | dispatch.Item, worker: Worker) -> Iterator[dispatch.Item]:
    if not isinstance(kind, str):
        yield kind
        return
    try:
        read_kind = worker.read if must_be_isolated(kind, file) else dispatch.read_kind
        for item in read_kind(file, kind):
            yield _with_facts(item, file)
    except SourceError as error:
        yield error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        yield SourceError(file.source, f"not a whole gzip file: {error}")
    except RecursionError:
        yield SourceError(file.source, "is nested too deeply to be read")
    except MemoryError:
        yield SourceError(file.source, "there is not enough memory to read it")
    except OSError as error:
        yield SourceError(file.source, f"cannot be read: {error.strerror or error}")


def _with_facts(item: dispatch.Item, file: File) -> dispatch.Item:
    """A document with what the file system knows of its file."""
    if not isinstance(item, Document) or item.is_record:
        return item
    modified = datetime.fromtimestamp(file.modified, UTC).isoformat(timespec="seconds")
    return replace(item, metadata={"size": file.size, MODIFIED: modified, **item.metadata})


def read_standard_input() -> Document:
    """Standard input as one document of plain text, named by its content so that two inputs do not replace each other.

    Raises:
        SourceError: it is not text.
    """
    data = sys.stdin.buffer.read()
    decoded = decode(data, "standard input")
    source = f"stdin:{hashlib.sha256(data).hexdigest()[:12]}"
    return Document(decoded.text, source, text.title_of(decoded.text, "stdin"), decoded.metadata)


__all__ = [
    "IGNORE_FILES",
    "MODIFIED",
    "STANDARD_INPUT",
    "Command",
    "File",
    "Limits",
    "Skipped",
    "Sources",
    "Within",
    "Worker",
    "commands",
    "find",
    "read",
    "read_each",
    "read_standard_input",
    "signature",
    "working_directory",
]
