"""The way in: sources -> documents -> contexts -> embeddings -> store.

Everything is streamed: documents are read one by one, their contexts gathered into windows, and while two windows are
with the encoder the next is read and cut and the one before is written. What is reported is committed.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ctxsearch import canaries, contexts, readers
from ctxsearch.errors import SourceError
from ctxsearch.records import Context, Document, DocumentCounts, Embeddings, Failure, IngestReport
from ctxsearch.store import Store, Writer

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder

CONTEXTS_PER_WINDOW = 1024
"""Contexts that are sorted by length and embedded together. Of 512, two of a hundred tokens more would be padding."""

WINDOWS_EMBEDDED = 2
"""Windows with the encoder at once: when the last batches of one leave a core free, it begins with the next."""

UNBROKEN_CHARACTERS = 1000
"""A run of so many characters without a space is no word of any script that a WordPiece model reads."""

_UNBROKEN = re.compile(rf"[^\s⺀-￿]{{{UNBROKEN_CHARACTERS},}}")  # scripts from U+2E80 on write without spaces
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an ingest stands. Counts are of what is committed."""

    documents: int
    contexts: int
    bytes_read: int
    bytes_total: int
    source: str
    """The document read last."""


ProgressListener: TypeAlias = Callable[[Progress], None]


def ingest_paths(
    store: Store,
    encoder: Callable[[], Encoder],
    index_name: str,
    paths: Sequence[str],
    *,
    glob: str | None = None,
    ignore: bool = True,
    metadata: Mapping[str, Any] | None = None,
    prune: bool = False,
    on_progress: ProgressListener | None = None,
) -> IngestReport:
    """Add and update what the paths lead to.

    Args:
        store: where it goes.
        encoder: gives the encoder; called when there is something to embed.
        index_name: how the report names the index.
        paths: files and folders; ``-`` is standard input.
        glob: of the files in folders, only those that fit.
        ignore: leave out what ``.gitignore`` and ``.ctxignore`` name.
        metadata: added to that of every document.
        prune: remove documents whose file is gone from the folders among the paths, and records gone from their file.
        on_progress: told after each commit.

    Returns:
        What was done. Sources that could not be read are in it; they stop nothing.
    """
    sources = readers.find([path for path in paths if path != readers.STANDARD_INPUT], glob, ignore)
    with store.writer() as writer:
        run = _Run(writer, encoder, dict(metadata or {}), sources.bytes, on_progress)
        for missing in sources.missing:
            run.fail(missing.source, missing.reason)
        run.skipped.extend(Failure(*skip) for skip in sources.skipped)
        with readers.Worker() as worker:
            run.take(_read(sources, readers.STANDARD_INPUT in paths, run, worker))
        if prune:
            _prune(run, sources, [path for path in paths if path != readers.STANDARD_INPUT], glob)
        run.finish()
    return run.report(index_name)


def ingest_documents(
    store: Store, encoder: Callable[[], Encoder], index_name: str, documents: Iterable[Document]
) -> IngestReport:
    """Add and update documents that were made elsewhere; as `ingest_paths` otherwise."""
    with store.writer() as writer:
        run = _Run(writer, encoder, {}, 0, None)
        run.take(documents)
        run.finish()
    return run.report(index_name)


@dataclass(slots=True)
class _Part:
    """Contexts of one document that share a window; all of them, unless the document is longer than that."""

    document: Document
    content_hash: str
    updates: bool
    first: bool
    last: bool = False
    contexts: list[Context] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Tally:
    """What was embedded and written, up to some point."""

    added: int = 0
    updated: int = 0
    contexts: int = 0
    sentences: int = 0
    tokens: int = 0


class _Run:
    """One ingest, from the first document to the report."""

    def __init__(
        self,
        writer: Writer,
        encoder: Callable[[], Encoder],
        metadata: dict[str, Any],
        bytes_total: int,
        on_progress: ProgressListener | None,
    ) -> None:
        self.writer = writer
        self.failures: list[Failure] = []
        self.skipped: list[Failure] = []
        self.incomplete: set[str] = set()
        """Origins of which something could not be read, so that what is not seen there need not be gone."""
        self.seen: dict[int, int] = {}
        """Short hash of each key met -> short hash of its content."""
        self.bytes_read = 0
        self._get_encoder = canaries.guarded(writer, encoder)
        self._metadata = metadata
        self._bytes_total = bytes_total
        self._on_progress = on_progress
        self._started = time.perf_counter()
        self._embedding: Encoder | None = None
        self._busy_before = 0.0
        self._put = self._committed = _Tally()
        self._unchanged = self._deleted = self._generation = 0
        self._document_id = 0
        self._source = ""

    def fail(self, source: str, reason: str, origin: str = "") -> None:
        """Note a source that did not go in."""
        self.failures.append(Failure(source, reason))
        if origin:
            self.incomplete.add(origin)

    def take(self, documents: Iterable[Document]) -> None:
        """Embed and write documents: one window is written and the next prepared while others are embedded."""
        with ThreadPoolExecutor(WINDOWS_EMBEDDED, thread_name_prefix="encoder") as pool:
            pending: deque[tuple[list[_Part], Future[Embeddings]]] = deque()
            try:
                for window in self._windows(documents):
                    batch = [context for part in window for context in part.contexts]
                    pending.append((window, pool.submit(self._encoder().embed_contexts, batch)))
                    if len(pending) > WINDOWS_EMBEDDED:
                        self._write(*pending.popleft())
                while pending:
                    self._write(*pending.popleft())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self._tell()

    def delete(self, document_id: int) -> None:
        """Remove a document that is gone."""
        self.writer.delete_document(document_id)
        self._deleted += 1

    def finish(self) -> None:
        """Commit what is left."""
        self._generation = self.writer.commit()

    def report(self, index_name: str) -> IngestReport:
        """Say what was done, and how long it took, the vector index included: ask when the writer is done."""
        seconds = time.perf_counter() - self._started
        busy = self._embedding.busy_seconds - self._busy_before if self._embedding else 0.0
        return IngestReport(
            index=index_name,
            generation=self._generation,
            documents=DocumentCounts(
                added=self._committed.added,
                updated=self._committed.updated,
                unchanged=self._unchanged,
                deleted=self._deleted,
                failed=len(self.failures),
            ),
            contexts=self._committed.contexts,
            sentences=self._committed.sentences,
            tokens=self._committed.tokens,
            seconds=seconds,
            encoder_busy=min(1.0, busy / seconds) if seconds > 0 else 0.0,
            failures=tuple(self.failures),
            skipped=tuple(self.skipped),
        )

    def _encoder(self) -> Encoder:
        """The encoder, the same for the whole run: while we write, no other model takes over."""
        if self._embedding is None:
            self._embedding = self._get_encoder()
            self._busy_before = self._embedding.busy_seconds
        return self._embedding

    def _windows(self, documents: Iterable[Document]) -> Iterator[list[_Part]]:
        window: list[_Part] = []
        size = 0
        for document in documents:
            part = self._admit(document)
            if part is None:
                continue
            encoder = self._encoder()
            for context in contexts.split(part.document, encoder.count_tokens, encoder.context_budget):
                if size == CONTEXTS_PER_WINDOW:
                    yield window
                    window, size = [], 0
                    if part.contexts:
                        part = replace(part, first=False, contexts=[])
                if not part.contexts:
                    window.append(part)
                part.contexts.append(context)
                size += 1
            part.last = True
        if window:
            yield window

    def _admit(self, document: Document) -> _Part | None:
        """Decide what becomes of a document: the first part of it, or None if there is nothing to do."""
        if reason := unusable(document):
            self.fail(document.source, reason, document.origin)
            return None
        if self._metadata:
            document = replace(document, metadata={**document.metadata, **self._metadata})
        try:
            content_hash = hash_content(document)
        except (TypeError, ValueError):
            self.fail(document.source, "its metadata cannot be written as JSON", document.origin)
            return None
        key, short = _short(document.key), _short(content_hash)
        if self.seen.get(key, short) != short:
            self.fail(document.source, "came a second time in this run, with other content", document.origin)
            return None
        repeated = key in self.seen
        self.seen[key] = short
        known = self.writer.content_hash(document.key)
        if repeated or known == content_hash:
            self._unchanged += 1
            self._tell()
            return None
        return _Part(document, content_hash, updates=known is not None, first=True)

    def _write(self, window: list[_Part], future: Future[Embeddings]) -> None:
        embeddings = future.result()
        row = 0
        for part in window:
            if part.first:
                self._document_id = self.writer.put_document(part.document, part.content_hash)
            rows = [embeddings[i] for i in range(row, row + len(part.contexts))]
            row += len(part.contexts)
            self.writer.put_contexts(self._document_id, part.document.title, part.contexts, rows)
            put = self._put
            self._put = replace(
                put,
                added=put.added + (part.last and not part.updates),
                updated=put.updated + (part.last and part.updates),
                contexts=put.contexts + len(part.contexts),
                sentences=put.sentences + sum(len(context.sentences) for context in part.contexts),
                tokens=put.tokens + sum(context.tokens for context in part.contexts),
            )
        if not window[-1].last:
            return  # a document is committed whole
        self.writer.commit()
        self._committed = self._put
        self._source = window[-1].document.source
        self._tell()

    def _tell(self) -> None:
        if self._on_progress:
            done = self._committed.added + self._committed.updated + self._unchanged
            self._on_progress(
                Progress(done, self._committed.contexts, self.bytes_read, self._bytes_total, self._source)
            )


def unusable(document: Document) -> str | None:
    """Why a text cannot be searched, in a user's words; None if it can."""
    text = document.text
    if not text.strip():
        return "has no text"
    if found := _SURROGATE.search(text):
        return f"has half a character (an unpaired surrogate) at character {found.start()}"
    unbroken = sum(len(match.group()) for match in _UNBROKEN.finditer(text))
    if 2 * unbroken > len(text):
        return f"has no words: {unbroken:,} of its {len(text):,} characters stand in runs without a space"
    if not document.source.strip():
        return "has no source to name it by"
    if _SURROGATE.search(document.source + document.origin):
        return "has a name that is not UTF-8; rename it"
    return None


def hash_content(document: Document) -> str:
    """SHA-256 over all of a document that reaches the index, but for the time when its file was written: a file that
    was touched holds what it held.

    Raises:
        TypeError, ValueError: the metadata is not JSON.
    """
    headings = [[heading.start, heading.level, heading.title] for heading in document.headings]
    metadata = {key: value for key, value in document.metadata.items() if key != readers.MODIFIED}
    parts: list[Any] = [document.title, metadata, headings, *([document.pages] if document.pages else [])]
    rest = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(f"{rest}\0{document.text}".encode()).hexdigest()


def _short(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _read(sources: readers.Sources, standard_input: bool, run: _Run, worker: readers.Worker) -> Iterator[Document]:
    """Documents of all sources; what cannot be read is noted."""
    if standard_input:
        try:
            yield readers.read_standard_input()
        except SourceError as error:
            run.fail(error.source, error.reason)
    for file, items in readers.read_each(sources.files, worker):
        read_before = run.bytes_read
        for item in items:
            if isinstance(item, Document):
                if item.is_record:
                    run.bytes_read = min(run.bytes_read + len(item.text), read_before + file.size)
                yield item
            elif isinstance(item, SourceError):
                run.fail(item.source, item.reason, str(file.origin))
            else:
                run.skipped.append(Failure(*item))
        run.bytes_read = read_before + file.size


def _prune(run: _Run, sources: readers.Sources, paths: Sequence[str], glob: str | None) -> None:
    """Delete documents that came from below the paths and are there no more.

    Not touched: what is below a path that cannot be read now, and records of a file that could not be read whole.
    """
    unread = [Path(missing.source).resolve() for missing in sources.missing]
    roots = [Path(path).resolve() for path in paths if Path(path).exists()]
    found = {str(file.origin) for file in sources.files}
    for document_id, key, origin in list(run.writer.origins()):
        path = Path(origin)
        root = next((root for root in roots if path == root or root in path.parents), None)
        if root is None or any(part == path or part in path.parents for part in unread):
            continue
        if glob and path != root and not (fnmatch(path.name, glob) or fnmatch(path.relative_to(root).as_posix(), glob)):
            continue
        gone = origin not in found
        gone_from_file = origin not in run.incomplete and _short(key) not in run.seen
        if gone or gone_from_file:
            run.delete(document_id)
