"""Export and import: an index as JSON Lines, with texts, metadata and vectors.

The first line names the format, the passport and how many documents follow; then a line a document, and for a long one
further lines with more of its contexts; the last line has the checksum of all lines before it, so that a file that was
cut or changed is not taken for whole. A path that ends in ``.gz`` is compressed.

The checksum says nothing about who made the file, so nothing that is read is believed before it was checked: what is
imported is what `export` could have written, and lines, values in a line and documents have a greatest size. A line is
measured before it is parsed, since JSON of 1 MB makes up to 24 MB of objects.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ctxsearch import arguments, logs
from ctxsearch.errors import ArgumentError, ModelError, PassportMismatchError, SourceError, StoreError
from ctxsearch.layout import replace_atomically, untrusted
from ctxsearch.passport import Passport
from ctxsearch.records import Heading, ImportReport, Sentence, WholeContext, WholeDocument
from ctxsearch.store import Store

KIND = "ctxsearch-export"
VERSION = 2
"""Version 1 had one line a document, however long."""

MAX_LINE_BYTES = 64 << 20
"""Length of a line; the longest that is written has the largest metadata that are taken."""

WRITTEN_BYTES = 8 << 20
"""Length from which the contexts of a document go on in a line of their own."""

MAX_VALUES = 4_000_000
"""Values in a line: up to 72 bytes each, when they are parsed."""

MAX_DOCUMENT_BYTES = 256 << 20
"""Length of the lines of one document, which is in memory as a whole; some 40,000 contexts of the model in the box."""

MAX_EXPANSION = 8
"""A document may be longer in a file of an eighth of its length: numbers of vectors hardly compress."""

MAX_DOCUMENT_CHARACTERS = 1 << 32

MAX_NAME_CHARACTERS = 1 << 20
"""Length of a source, title or heading; what a file says of its title may be long."""

MAX_ROWS = 512
"""Vectors of a context, as in a segment of the vector index."""

MAX_ID = 1 << 48
"""Highest id of a document or context: far beyond what an index gives, and far from the end of what SQLite can."""

MAX_SMALL = 1 << 31
"""Highest number of a page, level of a heading."""

MAX_LENGTH = 1.05
"""Of a vector, whose length is 1 but for rounding."""

_HASH = re.compile(r"[0-9A-Za-z+:._-]{1,200}")
_INGESTED_AT = re.compile(r"[0-9T:.+Z -]{1,40}")
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A JSON text. It never backtracks: that would take 100 bytes for each byte of it."""


def export(store: Store, path: Path) -> int:
    """Write one generation of an index to a file; returns how many documents it has.

    Raises:
        StoreError: the file cannot be written.
    """
    count = 0

    def write(partial: Path) -> None:
        nonlocal count
        with store.snapshot() as snapshot, _opened(partial, path, "wb") as file:
            documents, contexts, _ = snapshot.counts()
            digest = hashlib.sha256()
            first = {"kind": KIND, "version": VERSION, "generation": snapshot.generation, "documents": documents}
            passport = snapshot.passport.to_dict()
            _write_line(file, {**first, "contexts": contexts, "passport": passport}, digest)
            for summary in list(snapshot.documents()):
                for line in _document_lines(snapshot.whole_document(summary.document_id)):
                    _write_line(file, line, digest)
                count += 1
            _write_line(file, {"sha256": digest.hexdigest()}, digest)

    try:
        replace_atomically(path, write)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    return count


def read_passport(path: Path) -> Passport:
    """The embedding space of an export.

    Raises:
        SourceError: it is not an export.
    """
    with _opened(path, path, "rb") as file:
        return _passport(path, _Lines(path, file).first())


def import_into(store: Store, path: Path, index_name: str) -> ImportReport:
    """Take in an export, all of it or nothing; documents that are there with the same content are passed over.

    Raises:
        SourceError: the file is not a whole export.
        PassportMismatchError: it is of another model than the index.
    """
    passport = store.passport
    with _opened(path, path, "rb") as file, store.writer() as writer:
        lines = _Lines(path, file)
        said = lines.first()
        if Passport.from_dict(said["passport"]).fingerprint != passport.fingerprint:
            other = _passport(path, said).label
            raise PassportMismatchError(
                f"{path} is of the model {other}, {index_name} of {passport.label}; import it into an index of "
                "its own, and take that over with: ctxsearch reembed --model NAME"
            )
        counts = dict.fromkeys(("added", "updated", "unchanged"), 0)
        contexts = 0
        seen = _Seen()
        for document in lines.documents(passport.dim):
            seen.check(document)
            known = writer.content_hash(document.key)
            if known == document.content_hash:
                counts["unchanged"] += 1
                continue
            writer.put_whole(document)
            contexts += len(document.contexts)
            counts["added" if known is None else "updated"] += 1
        if sum(counts.values()) != said["documents"]:
            raise SourceError(str(path), "is damaged: it has another number of documents than it says; export it again")
        generation = writer.commit()
    logs.info(
        "imported %s into %s: %d documents added, %d updated", path, index_name, counts["added"], counts["updated"]
    )
    return ImportReport(index_name, generation, **counts, contexts=contexts)


class _Seen:
    """What a file has had so far: keys and ids are given once."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._documents: set[int] = set()
        self._contexts: set[int] = set()

    def check(self, document: WholeDocument) -> None:
        """Note a document.

        Raises:
            SourceError: another one had its key or an id.
        """
        ids = {context.context_id for context in document.contexts}
        if document.key in self._keys or document.document_id in self._documents or self._contexts & ids:
            raise SourceError(arguments.shown(document.source), "stands twice in the export, or shares an id in it")
        self._keys.add(document.key)
        self._documents.add(document.document_id)
        self._contexts |= ids


class _Lines:
    """The lines of an export, each checked."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._lines = _lines(path, file)
        self._digest = hashlib.sha256()
        self._number = 0
        self._longest = max(MAX_DOCUMENT_BYTES, MAX_EXPANSION * path.stat().st_size)

    def first(self) -> dict[str, Any]:
        """What the first line says; its passport was checked."""
        line, values = self._next()
        _passport(self._path, values)
        self._digest.update(line)
        return values

    def documents(self, dim: int) -> Iterator[WholeDocument]:
        """The documents; when they end, the checksum was that of all lines.

        Raises:
            SourceError: a line is not what an export has, or the file is not whole.
        """
        begun: dict[str, Any] | None = None
        number = size = 0
        while True:
            line, values = self._next()
            if begun is not None and "more" not in values:
                yield _document(self._path, number, begun, dim)
                begun = None
            if "sha256" in values:
                if values["sha256"] != self._digest.hexdigest():
                    raise SourceError(str(self._path), "is damaged: it is not what was exported; export it again")
                return
            self._digest.update(line)
            size = len(line) if "more" not in values else size + len(line)
            if size > self._longest:
                raise self._error(f"is longer than {self._longest:,} bytes, with the lines of its document before")
            try:
                found = [_context(context, dim) for context in values["more" if begun is not None else "contexts"]]
            except (KeyError, TypeError, ValueError, AttributeError, ArgumentError) as error:
                raise self._error(f"is not a document of an export: {_reason(error)}") from error
            if begun is None:
                begun, number = {**values, "contexts": found}, self._number
            else:
                begun["contexts"] += found

    def _next(self) -> tuple[bytes, dict[str, Any]]:
        line = next(self._lines, None)
        self._number += 1
        if line is None:
            if self._number == 1:
                raise self._error("is not a line of an export")
            raise SourceError(str(self._path), "is cut short: its last line is missing; export it again")
        return line, _parsed(self._path, self._number, line)

    def _error(self, what: str) -> SourceError:
        return SourceError(f"{self._path}:{self._number}", what)


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _document_lines(document: WholeDocument) -> Iterator[dict[str, Any]]:
    """A document in one line, or in several: contexts after `WRITTEN_BYTES` go on in the next."""
    headings = document.headings
    values: dict[str, Any] = {
        "id": document.document_id,
        "key": document.key,
        "source": document.source,
        "origin": document.origin,
        "title": document.title,
        "metadata": dict(document.metadata),
        "content_hash": document.content_hash,
        "headings": None if headings is None else [[h.start, h.level, h.title] for h in headings],
        "ingested_at": document.ingested_at,
    }
    contexts: list[dict[str, Any]] = []
    size = 0
    name = "contexts"
    for context in document.contexts:
        if size > WRITTEN_BYTES:
            yield {**values, name: contexts}
            values, name, contexts, size = {}, "more", [], 0
        contexts.append(_context_values(context))
        size += len(contexts[-1]["vectors"]) + len(context.text)
    yield {**values, name: contexts}


def _context_values(context: WholeContext) -> dict[str, Any]:
    return {
        "id": context.context_id,
        "start": context.start,
        "end": context.end,
        "page": context.page,
        "tokens": context.tokens,
        "headings": list(context.headings),
        "text": context.text,
        "sentences": [list(sentence) for sentence in context.sentences],
        "vectors": base64.b64encode(context.rows.astype("<f2").tobytes()).decode(),
    }


def _document(path: Path, number: int, line: Mapping[str, Any], dim: int) -> WholeDocument:
    """A document from its lines, every part checked; its contexts were."""
    try:
        contexts: tuple[WholeContext, ...] = tuple(line["contexts"])
        end = 0
        for context in contexts:
            if context.start != end:
                raise ValueError("its contexts do not tile its text")
            end = context.end
        if not 0 < end <= MAX_DOCUMENT_CHARACTERS:
            raise ValueError(f"its text has {end:,} characters; expected 1 to {MAX_DOCUMENT_CHARACTERS:,}")
        document = WholeDocument(
            document_id=_whole(line["id"], MAX_ID),
            key=_name(line["key"]),
            source=_name(line["source"]),
            origin=_name(line["origin"]),
            title=_name(line["title"]),
            metadata=arguments.json_object(line["metadata"], "metadata"),
            content_hash=_matching(_HASH, line["content_hash"]),
            headings=_headings(line["headings"], end),
            ingested_at=_matching(_INGESTED_AT, line["ingested_at"]),
            contexts=contexts,
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArgumentError) as error:
        raise SourceError(f"{path}:{number}", f"is not a document of an export: {_reason(error)}") from error
    return document


def _headings(said: Any, end: int) -> tuple[Heading, ...] | None:
    if said is None:
        return None
    found = tuple(Heading(_whole(start, end), _whole(level, MAX_SMALL), _name(title)) for start, level, title in said)
    if any(after.start < before.start for before, after in pairwise(found)):
        raise ValueError("its headings are out of order")
    return found


def _context(values: Mapping[str, Any], dim: int) -> WholeContext:
    sentences = tuple(Sentence(_whole(start), _whole(end)) for start, end in values["sentences"])
    start, end = _whole(values["start"]), _whole(values["end"])
    text = arguments.text(values["text"], "the text of a context")
    if end - start != len(text) or not text:
        raise ValueError("a context has a text of another length")
    edges = [start, *(sentence.end for sentence in sentences)], [*(sentence.start for sentence in sentences), end]
    if not sentences or edges[0] != edges[1] or any(last < first for first, last in sentences):
        raise ValueError("the sentences of a context do not tile it")
    rows = np.frombuffer(base64.b64decode(values["vectors"], validate=True), "<f2").reshape(-1, dim)
    if len(rows) not in (1, 1 + len(sentences)) or len(rows) > MAX_ROWS:
        raise ValueError("a context has another number of vectors")
    lengths = np.linalg.norm(rows.astype(np.float32), axis=1)
    if not (lengths <= MAX_LENGTH).all():  # nor is NaN
        raise ValueError("a context has vectors whose length is not 1")
    return WholeContext(
        context_id=_whole(values["id"], MAX_ID),
        start=start,
        end=end,
        page=None if values["page"] is None else _whole(values["page"], MAX_SMALL),
        tokens=_whole(values["tokens"], MAX_DOCUMENT_CHARACTERS),
        headings=tuple(_name(title) for title in values["headings"]),
        text=text,
        sentences=sentences,
        rows=rows,
    )


def _passport(path: Path, line: Mapping[str, Any]) -> Passport:
    if line.get("kind") != KIND:
        raise SourceError(str(path), "is not an export; ctxsearch export makes one, ctxsearch ingest reads documents")
    version = line.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise SourceError(
            str(path),
            f"has export format {arguments.shown(version)}, this ctxsearch reads up to {VERSION}; install a newer one",
        )
    try:
        _whole(line["documents"])
        return Passport.from_dict(line["passport"])
    except (KeyError, TypeError, ValueError, ModelError) as error:
        raise SourceError(str(path), f"is not a whole export: {_reason(error)}") from error


def _whole(value: Any, most: int = (1 << 53) - 1) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{arguments.shown(value)} is no whole number of 0 to {most}")
    return value


def _name(value: Any) -> str:
    return arguments.text(value, "a name", longest=MAX_NAME_CHARACTERS)


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{arguments.shown(value)} is neither a checksum nor a time")
    return value


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    rest = _TEXT.sub(b"", line)
    if sum(map(rest.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise SourceError(f"{path}:{number}", f"has more than {MAX_VALUES:,} values; no line of an export has")
    try:
        values = untrusted.parse_json(line)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise SourceError(f"{path}:{number}", "is not a line of an export")
    return values


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    number = 0
    try:
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise SourceError(
                    f"{path}:{number}", f"is longer than {MAX_LINE_BYTES:,} bytes; export it again with this version"
                )
            yield line
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise SourceError(str(path), f"cannot be read to its end: {error}") from error


def _write_line(file: BinaryIO, values: Mapping[str, Any], digest: Any) -> None:
    line = json.dumps(values, ensure_ascii=False).encode() + b"\n"
    digest.update(line)
    file.write(line)


@contextmanager
def _opened(path: Path, named: Path, mode: str) -> Iterator[BinaryIO]:
    """A file to read or write, compressed if its name says so."""
    try:
        # An export is a file: a FIFO or a device would be waited for, or never end. A link to one is the user's.
        file = path.open(mode) if mode == "wb" else untrusted.open_to_read(path.resolve())
    except OSError as error:
        if mode == "wb":
            raise
        raise SourceError(str(named), f"cannot be read: {error.strerror}") from error
    with file:
        if named.suffix != ".gz":
            yield cast(BinaryIO, file)
            return
        with gzip.GzipFile(fileobj=file, mode=mode, filename="", mtime=0) as unpacked:
            yield cast(BinaryIO, unpacked)
