"""Export and import: an index as JSON Lines, with texts, metadata and vectors.

The first line names the format, the passport and how many documents follow; then a line a document; the last line has
the checksum of all lines before it, so that a file that was cut or changed is not taken for whole. A path that ends in
``.gz`` is compressed. Nothing that is read is run, and nothing is believed before it was checked.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ctxsearch import logs
from ctxsearch.errors import ModelError, PassportMismatchError, SourceError, StoreError
from ctxsearch.layout import replace_atomically
from ctxsearch.passport import Passport
from ctxsearch.records import Heading, ImportReport, Sentence, WholeContext, WholeDocument
from ctxsearch.store import Store

KIND = "ctxsearch-export"
VERSION = 1


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
                _write_line(file, _document_line(snapshot.whole_document(summary.document_id)), digest)
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
        return _passport(path, _parsed(path, 1, next(_lines(path, file), b"")))


def import_into(store: Store, path: Path, index_name: str) -> ImportReport:
    """Take in an export, all of it or nothing; documents that are there with the same content are passed over.

    Raises:
        SourceError: the file is not a whole export.
        PassportMismatchError: it is of another model than the index.
    """
    added = updated = unchanged = contexts = 0
    with _opened(path, path, "rb") as file, store.writer() as writer:
        digest = hashlib.sha256()
        expected: int | None = None
        passport = store.passport
        for number, line in enumerate(_lines(path, file), start=1):
            values = _parsed(path, number, line)
            if expected is None:
                said = _passport(path, values)
                if said.fingerprint != passport.fingerprint:
                    raise PassportMismatchError(
                        f"{path} is of the model {said.label}, {index_name} of {passport.label}; import it into an "
                        "index of its own, and take that over with: ctxsearch reembed --model NAME"
                    )
                expected = values["documents"]
            elif "sha256" in values:
                if values["sha256"] != digest.hexdigest() or added + updated + unchanged != expected:
                    raise SourceError(str(path), "is damaged: it is not what was exported; export it again")
                generation = writer.commit()
                logs.info("imported %s into %s: %d documents added, %d updated", path, index_name, added, updated)
                return ImportReport(index_name, generation, added, updated, unchanged, contexts)
            else:
                document = _document(path, number, values, passport.dim)
                known = writer.content_hash(document.key)
                if known == document.content_hash:
                    unchanged += 1
                else:
                    writer.put_whole(document)
                    contexts += len(document.contexts)
                    added, updated = added + (known is None), updated + (known is not None)
            digest.update(line)
    raise SourceError(str(path), "is cut short: its last line is missing; export it again")


def _document_line(document: WholeDocument) -> dict[str, Any]:
    headings = document.headings
    return {
        "id": document.document_id,
        "key": document.key,
        "source": document.source,
        "origin": document.origin,
        "title": document.title,
        "metadata": dict(document.metadata),
        "content_hash": document.content_hash,
        "headings": None if headings is None else [[h.start, h.level, h.title] for h in headings],
        "ingested_at": document.ingested_at,
        "contexts": [
            {
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
            for context in document.contexts
        ],
    }


def _document(path: Path, number: int, line: Mapping[str, Any], dim: int) -> WholeDocument:
    """A document from its line, every part checked."""
    try:
        contexts = tuple(_context(values, dim) for values in line["contexts"])
        headings = line["headings"]
        document = WholeDocument(
            document_id=_whole(line["id"]),
            key=_text(line["key"]),
            source=_text(line["source"]),
            origin=_text(line["origin"]),
            title=_text(line["title"]),
            metadata={_text(key): value for key, value in dict(line["metadata"]).items()},
            content_hash=_text(line["content_hash"]),
            headings=None
            if headings is None
            else tuple(Heading(_whole(start), _whole(level), _text(title)) for start, level, title in headings),
            ingested_at=_text(line["ingested_at"]),
            contexts=contexts,
        )
        json.dumps(document.metadata, ensure_ascii=False).encode()
        end = 0
        for context in contexts:
            if context.start != end or context.end - context.start != len(context.text):
                raise ValueError("its contexts do not tile its text")
            end = context.end
        if not contexts:
            raise ValueError("it has no contexts")
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise SourceError(f"{path}:{number}", f"is not a document of an export: {error}") from error
    return document


def _context(values: Mapping[str, Any], dim: int) -> WholeContext:
    sentences = tuple(Sentence(_whole(start), _whole(end)) for start, end in values["sentences"])
    rows = np.frombuffer(base64.b64decode(values["vectors"], validate=True), "<f2").reshape(-1, dim)
    start, end = _whole(values["start"]), _whole(values["end"])
    edges = [start, *(sentence.end for sentence in sentences)], [*(sentence.start for sentence in sentences), end]
    if sentences and edges[0] != edges[1]:
        raise ValueError("the sentences of a context do not tile it")
    if len(rows) not in (1, 1 + len(sentences)) or not np.isfinite(rows).all():
        raise ValueError("a context has vectors of another number or kind")
    return WholeContext(
        context_id=_whole(values["id"]),
        start=start,
        end=end,
        page=None if values["page"] is None else _whole(values["page"]),
        tokens=_whole(values["tokens"]),
        headings=tuple(_text(title) for title in values["headings"]),
        text=_text(values["text"]),
        sentences=sentences,
        rows=rows,
    )


def _passport(path: Path, line: Mapping[str, Any]) -> Passport:
    if line.get("kind") != KIND:
        raise SourceError(str(path), "is not an export; ctxsearch export makes one, ctxsearch ingest reads documents")
    if line.get("version") != VERSION:
        raise SourceError(
            str(path), f"has export format {line.get('version')}, this ctxsearch reads {VERSION}; install a newer one"
        )
    try:
        _whole(line["documents"])
        return Passport.from_dict(line["passport"])
    except (KeyError, TypeError, ValueError, ModelError) as error:
        raise SourceError(str(path), f"is not a whole export: {error}") from error


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError(f"{value!r} is no whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    value.encode()
    return value


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise SourceError(f"{path}:{number}", "is not a line of an export")
    return values


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from file
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
        file = path.open(mode)
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
