"""The way in: sources -> documents -> contexts -> embeddings -> store.

Everything is streamed: documents are read one by one, their contexts gathered into windows, and while two windows are
with the encoder the next is read and cut and the texts of the first are written, then its vectors. What is reported is
committed.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ctxsearch import admission, arguments, canaries, contexts, logs, readers
from ctxsearch.admission import differs_in_facts, edited_hash, hash_content, source_hash, unusable
from ctxsearch.errors import ArgumentError, SourceError
from ctxsearch.estimate import Estimate
from ctxsearch.history import History
from ctxsearch.records import (
    Context,
    Document,
    DocumentCounts,
    Embeddings,
    Failure,
    FloatArray,
    IngestReport,
    KnownDocument,
)
from ctxsearch.seen import Seen
from ctxsearch.store import Store, Writer

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder

CONTEXTS_PER_WINDOW = 1024
"""Contexts that are sorted by length and embedded together. Of 512, two of a hundred tokens more would be padding."""

CONTEXTS_OF_FIRST_WINDOW = 128
"""The first window is small, so that the encoder need not wait for long."""

CONTEXTS_PER_STOPPABLE_WINDOW = 256
"""Where a caller may stop the run, since that waits for the windows that are with the encoder: some seconds, not ten.
One in twenty tokens more is padding."""

WINDOWS_EMBEDDED = 2
"""Windows with the encoder at once: when the last batches of one leave a core free, it begins with the next."""

TURN_SECONDS, INSTANT_SECONDS = 0.002, 0.00005
"""After how long the thread that reads and cuts gives way to the encoder's, and for how long."""

TOLD_SECONDS = 0.1
"""How often a listener is told at most of what is read."""

RESTING_CONTEXTS = 4 * CONTEXTS_PER_WINDOW
"""Contexts of a run from which on the encoder gives its memory back before vector files are made."""


Stage: TypeAlias = Literal["reading", "embedding", "indexing"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an ingest stands. Counts are of what is written, which is committed when its last document is whole."""

    documents: int
    contexts: int
    bytes_read: int
    bytes_total: int
    source: str
    """What is being read or written."""
    contexts_expected: int = 0
    """Contexts of the whole run: those that were cut, and an estimate of those in files that were not read."""
    is_estimate: bool = False
    """Whether there are files that were not read."""
    stage: Stage = "reading"
    """What is done now; ``indexing`` when all is embedded, and the index is written."""
    contexts_embedded: Callable[[], int] = field(default=lambda: 0, compare=False, repr=False)
    """Contexts embedded so far. May be called at any time and from any thread: it counts on while a window is with the
    encoder."""


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
    retry: bool = False,
    convert: Mapping[str, readers.Command] | None = None,
    on_progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
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
        retry: try again what failed before and did not change since.
        convert: commands by suffix for files that are not read as they are.
        on_progress: told several times a second while documents are read, and after each commit.
        stop: ends the run at the next window when it is set; what was committed stays, and nothing is removed.

    Returns:
        What was done. Sources that could not be read are in it; they stop nothing.
    """
    named = [path for path in paths if path != readers.STANDARD_INPUT]
    base = readers.working_directory()
    sources = readers.find(named, glob, ignore, base=base, convert=convert)
    covers = coverage(sources, named, glob, base)

    @functools.cache
    def found() -> frozenset[str]:
        return frozenset(str(file.origin) for file in sources.files)

    def is_gone(origin: str) -> bool:
        return origin not in found() and covers(origin)

    with store.writer() as writer:
        gone = filter(is_gone, dict.fromkeys(origin for _, _, origin in writer.origins())) if prune else ()
        history = History(writer, gone, retry=retry)
        run = _Run(writer, encoder, dict(metadata or {}), sources.bytes, on_progress, history, stop)
        with run.stopping():
            run.read(sources, standard_input=readers.STANDARD_INPUT in paths)
            if prune:
                run.prune((held for held in list(writer.origins()) if covers(held[2])), is_gone)
            run.finish()
            history.keep(sources.files, is_gone)
    return run.report(index_name)


def ingest_changes(
    store: Store,
    encoder: Callable[[], Encoder],
    index_name: str,
    sources: readers.Sources,
    gone: Collection[str],
    *,
    metadata: Mapping[str, Any] | None = None,
    prune: bool = False,
) -> IngestReport:
    """Take in what has changed since the paths were ingested.

    Args:
        sources: files that are new or changed.
        gone: origins whose files are no more. A document of one that comes again in the sources is moved there.
        prune: remove the other documents of those, and records gone from their file.
    """
    with store.writer() as writer:
        history = History(writer, gone, retry=False)
        run = _Run(writer, encoder, dict(metadata or {}), sources.bytes, None, history)
        run.read(sources)
        if prune:
            origins = [*gone, *(str(file.origin) for file in sources.files)]
            held = ((one.document_id, one.key, one.origin) for o in origins for one in writer.documents_of(o))
            run.prune(list(held), gone.__contains__)
        run.finish()
        history.keep(sources.files, gone.__contains__)
    return run.report(index_name)


def ingest_documents(
    store: Store,
    encoder: Callable[[], Encoder],
    index_name: str,
    documents: Iterable[Document],
    *,
    on_progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
) -> IngestReport:
    """Add and update documents that were made elsewhere; as `ingest_paths` otherwise.

    Raises:
        ArgumentError: a document is not valid. Those before it are in and committed; it and those after it are not.
    """
    with store.writer() as writer:
        run = _Run(writer, encoder, {}, 0, on_progress, None, stop)
        with run.stopping():
            run.take(admission.checked(documents, store.passport.dim))
            run.finish()
    if run.refusal:
        raise run.refusal
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
    rows: list[FloatArray] | None = None
    """The vectors that the document brings for these contexts; None for those that are to be embedded."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """What was embedded and written, up to some point."""

    added: int = 0
    updated: int = 0
    contexts: int = 0
    sentences: int = 0
    tokens: int = 0
    restated: int = 0
    moved: int = 0
    deleted: int = 0


class _StoppedError(Exception):
    """The caller has set the event that ends the run."""


class _Run:
    """One ingest, from the first document to the report."""

    def __init__(
        self,
        writer: Writer,
        encoder: Callable[[], Encoder],
        metadata: dict[str, Any],
        bytes_total: int,
        on_progress: ProgressListener | None,
        history: History | None,
        stop: threading.Event | None = None,
    ) -> None:
        self.writer = writer
        self.failures: list[Failure] = []
        self.skipped: list[Failure] = []
        self.incomplete: set[str] = set()
        """Origins of which something could not be read, so that what is not seen there need not be gone."""
        self.seen = Seen()
        self.bytes_read = 0
        self.refusal: ArgumentError | None = None
        """Why the run ended before its last document: one was not valid."""
        self._get_encoder = canaries.guarded(writer, encoder)
        self._history = history
        self._metadata = metadata
        self._bytes_total = bytes_total
        self._on_progress = on_progress
        self._stop = stop
        self._started = time.perf_counter()
        self._embedding: Encoder | None = None
        self._gives_way = 0.0
        self._busy_before = 0.0
        self._embedded_before = 0
        self._put = self._committed = _Tally()
        self._unchanged = self._generation = 0
        self._document_id = 0
        self._source = ""
        self._stage: Stage = "reading"
        self._told = 0.0
        self._cut_contexts = 0
        self._estimate = Estimate(())
        self._current: tuple[readers.File, int] | None = None  # the file that is read, and the contexts cut before it

    def fail(self, source: str, reason: str, origin: str = "", *, whole: bool = True) -> None:
        """Note a source that did not go in; the whole of its file, or a part."""
        failure = Failure(source, reason)
        self.failures.append(failure)
        if origin:
            self.incomplete.add(origin)
            if self._history:
                self._history.note(failure, origin, whole=whole)

    def read(self, sources: readers.Sources, *, standard_input: bool = False) -> None:
        """Take in what sources lead to."""
        for missing in sources.missing:
            there = os.path.lexists(missing.source)  # a name that leads nowhere is not kept as a failure
            self.fail(missing.source, missing.reason, str(Path(missing.source).absolute()) if there else "")
        self.skipped.extend(Failure(*skip) for skip in sources.skipped)
        self._estimate = Estimate((file.path.name, file.size) for file in sources.files)
        with readers.Worker() as worker:
            self.take(_read(sources, standard_input, self, worker))

    def begin(self, file: readers.File) -> None:
        """A file is going to be read."""
        self._current = (file, self._cut_contexts)
        self._source, self._stage = file.source, "reading"
        self._tell(at_once=False)

    def end(self, file: readers.File) -> None:
        """A file was read, and its documents are cut."""
        before = self._current[1] if self._current else self._cut_contexts
        self._current = None
        self._estimate.took(file.path.name, file.size, self._cut_contexts - before)

    def failed_before(self, file: readers.File) -> bool:
        """Whether a file failed and is as it was then; notes that it is in the way still."""
        failure = self._history.failure(file) if self._history else None
        if failure is None:
            return False
        self.fail(*failure, str(file.origin))
        self.bytes_read += file.size
        self._estimate.took(file.path.name, file.size, 0)
        return True

    def prune(self, held: Iterable[tuple[int, str, str]], is_gone: Callable[[str], bool]) -> None:
        """Delete the documents whose file is gone, and those gone from a file that was read whole.

        Args:
            held: id, key and origin of the documents that are to be looked at.
            is_gone: whether the file of an origin is gone.
        """
        for document_id, key, origin in held:
            if key not in self.seen and (is_gone(origin) or origin not in self.incomplete):
                self.writer.delete_document(document_id)
                self._put = replace(self._put, deleted=self._put.deleted + 1)

    def take(self, documents: Iterable[Document]) -> None:
        """Embed and write documents: one window is written and the next prepared while others are embedded."""
        with ThreadPoolExecutor(WINDOWS_EMBEDDED, thread_name_prefix="encoder") as pool:
            pending: deque[tuple[list[_Part], Future[Embeddings] | None]] = deque()
            try:
                for window in self._windows(documents):
                    self._go_on()
                    batch = [context for part in window if part.rows is None for context in part.contexts]
                    pending.append((window, pool.submit(self._encoder().embed_contexts, batch) if batch else None))
                    if len(pending) > WINDOWS_EMBEDDED:
                        self._write(*pending.popleft())
                while pending:
                    self._go_on()
                    self._write(*pending.popleft())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self._tell()

    def finish(self) -> None:
        """Commit what is left."""
        self._stage = "indexing"
        self._tell()
        self._commit()
        if self._embedding and self._committed.contexts >= RESTING_CONTEXTS:
            self._embedding.rest()

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """End the block where the run was stopped; what was put and not committed is dropped."""
        try:
            yield
        except _StoppedError:
            self.writer.roll_back()
            self._put = self._committed
            self._commit()

    def _commit(self) -> None:
        self._generation = self.writer.commit()
        self._committed = self._put
        logs.debug("committed generation %d: %d contexts so far", self._generation, self._committed.contexts)

    def _go_on(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise _StoppedError

    def report(self, index_name: str) -> IngestReport:
        """Say what was done, and how long it took, the vector index included: ask when the writer is done."""
        seconds = time.perf_counter() - self._started
        busy = self._embedding.busy_seconds - self._busy_before if self._embedding else 0.0
        done = self._committed
        logs.info(
            "ingested into %s: %d documents added, %d updated, %d unchanged, %d failed; %d contexts in %.1f s",
            index_name,
            done.added,
            done.updated + done.restated,
            self._unchanged,
            len(self.failures),
            done.contexts,
            seconds,
        )
        return IngestReport(
            index=index_name,
            generation=self._generation,
            documents=DocumentCounts(
                added=done.added,
                updated=done.updated + done.restated,
                unchanged=self._unchanged,
                deleted=done.deleted,
                failed=len(self.failures),
                moved=done.moved,
            ),
            contexts=done.contexts,
            sentences=done.sentences,
            tokens=done.tokens,
            seconds=seconds,
            encoder_busy=min(1.0, busy / seconds) if seconds > 0 else 0.0,
            failures=tuple(self.failures),
            skipped=tuple(self.skipped),
            failed_before=frozenset(self._history.before if self._history else ()),
        )

    def _encoder(self) -> Encoder:
        """The encoder, the same for the whole run: while we write, no other model takes over."""
        if self._embedding is None:
            self._embedding = self._get_encoder()
            self._busy_before = self._embedding.busy_seconds
            self._embedded_before = self._embedding.contexts_embedded
        return self._embedding

    def _windows(self, documents: Iterable[Document]) -> Iterator[list[_Part]]:
        window: list[_Part] = []
        whole = CONTEXTS_PER_WINDOW if self._stop is None else min(CONTEXTS_PER_WINDOW, CONTEXTS_PER_STOPPABLE_WINDOW)
        size, most = 0, min(CONTEXTS_OF_FIRST_WINDOW, whole)
        try:
            for document in documents:
                self._give_way()
                self._go_on()
                part = self._admit(document)
                if part is None:
                    continue
                for context, rows in self._cut(part.document):
                    if size == most:
                        yield window
                        window, size, most = [], 0, whole
                        if part.contexts:
                            part = replace(part, first=False, contexts=[], rows=None)
                    if not part.contexts:
                        window.append(part)
                    part.contexts.append(context)
                    if rows is not None:
                        part.rows = part.rows or []
                        part.rows.append(rows)
                    size += 1
                    self._cut_contexts += 1
                part.last = True
                self._tell(at_once=False)
        except ArgumentError as error:
            if self._history is not None:  # files are not refused: what is wrong with one is its failure
                raise
            self.refusal = error  # what came before the document goes in
        if window:
            yield window

    def _cut(self, document: Document) -> Iterator[tuple[Context, FloatArray | None]]:
        """The contexts of a document, each with the vectors that the document brings for it."""
        encoder = self._encoder()
        cut = contexts.split(document, encoder.count_tokens, encoder.context_budget)
        if document.vectors is None:
            yield from ((context, None) for context in cut)
            return
        from ctxsearch.embeddings import of_contexts

        several = list(cut)
        try:
            given = of_contexts(document, several)
        except ArgumentError as error:
            raise ArgumentError(f"document {arguments.shown(document.source)}: {error}") from error
        yield from zip(several, given, strict=True)

    def _give_way(self) -> None:
        """Let the encoder's threads have the interpreter. Who lets go of it for moments, as each call of SQLite does,
        has it again before another thread is awake, so that these would wait until a window is cut."""
        now = time.perf_counter()
        if now >= self._gives_way:
            time.sleep(INSTANT_SECONDS)
            self._gives_way = time.perf_counter() + TURN_SECONDS

    def _admit(self, document: Document) -> _Part | None:
        """Decide what becomes of a document: the first part of it, or None if there is nothing to do."""
        if reason := unusable(document):
            self.fail(document.source, reason, document.origin, whole=not document.is_record)
            return None
        if self._metadata:
            document = replace(document, metadata={**document.metadata, **self._metadata})
        content_hash = hash_content(document)
        repeated = self.seen.meet(document.key, content_hash)
        if repeated is False:
            why = "came a second time in this run, with other content"
            self.fail(document.source, why, document.origin, whole=not document.is_record)
            return None
        known = None if repeated else self.writer.known(document.key)
        if repeated or (known and source_hash(known.content_hash) == content_hash):
            if known and self._put_unchanged(document, content_hash, known):
                self._put = replace(self._put, restated=self._put.restated + 1)
            else:
                self._unchanged += 1
            self._tell()
            return None
        if self._restate(document, content_hash, known):
            self._tell()
            return None
        return _Part(document, content_hash, updates=known is not None, first=True)

    def _put_unchanged(self, document: Document, content_hash: str, known: KnownDocument) -> bool:
        """Note what may be new of a document that came again as it was, and return whether its metadata is.

        Metadata that were changed in the index stay as long as the file does; a document that is given replaces them.
        """
        edited = known.content_hash != content_hash
        if edited and self._history is None:
            self.writer.put_facts(known.document_id, document, content_hash)
            return True
        modified = document.metadata.get(readers.MODIFIED)
        if (known.origin, known.metadata.get(readers.MODIFIED)) != (document.origin, modified):
            if edited:
                metadata = {**known.metadata, **({readers.MODIFIED: modified} if modified is not None else {})}
                document, content_hash = replace(document, metadata=metadata), edited_hash(content_hash, metadata)
            self.writer.put_facts(known.document_id, document, content_hash)
        return False

    def _restate(self, document: Document, content_hash: str, known: KnownDocument | None) -> bool:
        """Give a document that is in the store its new name, title or metadata, if that is all that is new."""
        gone = self._history.documents_gone(len(document.text)) if self._history else ()
        for other in (*([known] if known else []), *gone):
            if not differs_in_facts(document, other):
                continue
            if other is known:
                self._put = replace(self._put, restated=self._put.restated + 1)
            else:
                if known:
                    self.writer.delete_document(known.document_id)
                if self._history:
                    self._history.moved(other)
                self._put = replace(self._put, moved=self._put.moved + 1)
            self.writer.put_facts(other.document_id, document, content_hash)
            return True
        return False

    def _write(self, window: list[_Part], embedded: Future[Embeddings] | None) -> None:
        """Write texts while they are embedded, and then their vectors."""
        context_ids: list[int] = []
        for part in window:
            if part.first:
                self._document_id = self.writer.put_document(part.document, part.content_hash)
            context_ids += self.writer.put_contexts(self._document_id, part.document.title, part.contexts)
        self._source, self._stage = window[-1].document.source, "embedding"
        self._tell()
        embeddings = embedded.result() if embedded else None
        self.writer.put_vectors(context_ids, _rows_of(window, embeddings))
        for part in window:
            put = self._put
            self._put = replace(
                put,
                added=put.added + (part.last and not part.updates),
                updated=put.updated + (part.last and part.updates),
                contexts=put.contexts + len(part.contexts),
                sentences=put.sentences + sum(len(context.sentences) for context in part.contexts),
                tokens=put.tokens + sum(context.tokens for context in part.contexts),
            )
        if window[-1].last:  # a document is committed whole
            self._commit()
        self._tell()

    def _tell(self, *, at_once: bool = True) -> None:
        """Tell the listener where things stand; unless ``at_once``, only if it was not told just now."""
        if not self._on_progress:
            return
        now = time.perf_counter()
        if not at_once and now - self._told < TOLD_SECONDS:
            return
        self._told = now
        left = self._estimate.left()
        if self._current:
            file, before = self._current
            left -= min(self._estimate.of(file.path.name, file.size), self._cut_contexts - before)
        progress = Progress(
            documents=self._put.added + self._put.updated + self._unchanged,
            contexts=self._put.contexts,
            bytes_read=self.bytes_read,
            bytes_total=self._bytes_total,
            source=self._source,
            contexts_expected=self._cut_contexts + max(0, round(left)),
            is_estimate=self.bytes_read < self._bytes_total,
            stage=self._stage,
            contexts_embedded=self._contexts_embedded,
        )
        self._on_progress(progress)

    def _contexts_embedded(self) -> int:
        """Contexts embedded in this run until now; those that came with their vectors count when they are written."""
        encoder = self._embedding
        return max(self._put.contexts, encoder.contexts_embedded - self._embedded_before if encoder else 0)


def _rows_of(window: Sequence[_Part], embeddings: Embeddings | None) -> Iterator[FloatArray]:
    """The vectors of each context of a window."""
    embedded = iter(() if embeddings is None else (embeddings[i] for i in range(len(embeddings))))
    for part in window:
        yield from part.rows if part.rows is not None else islice(embedded, len(part.contexts))


def _read(sources: readers.Sources, standard_input: bool, run: _Run, worker: readers.Worker) -> Iterator[Document]:
    """Documents of all sources; what cannot be read is noted."""
    if standard_input:
        try:
            yield readers.read_standard_input()
        except SourceError as error:
            run.fail(error.source, error.reason)
    files = (file for file in sources.files if not run.failed_before(file))
    for file, items in readers.read_each(files, worker):
        read_before = run.bytes_read
        run.begin(file)
        for item in items:
            if isinstance(item, Document):
                if item.is_record:
                    run.bytes_read = min(run.bytes_read + len(item.text), read_before + file.size)
                try:
                    yield admission.valid_of_file(item)
                except ArgumentError as error:
                    run.fail(item.source, unusable(item) or str(error), str(file.origin), whole=not item.is_record)
            elif isinstance(item, SourceError):
                run.fail(item.source, item.reason, str(file.origin), whole=item.source == file.source)
            else:
                run.skipped.append(Failure(*item))
        run.bytes_read = read_before + file.size
        run.end(file)


def coverage(sources: readers.Sources, paths: Sequence[str], glob: str | None, base: Path) -> Callable[[str], bool]:
    """Whether a file of an origin would have been met on the paths, were it there.

    What is below a path that cannot be read now would not. Relative paths start from ``base``.
    """
    unread = [
        Path(os.path.realpath(base / one.source)) for one in sources.missing if os.path.lexists(base / one.source)
    ]
    roots = [Path(os.path.realpath(base / path)) for path in paths if os.path.exists(base / path)]

    def covers(origin: str) -> bool:
        path = Path(origin)
        root = next((root for root in roots if path == root or root in path.parents), None)
        if root is None or any(part == path or part in path.parents for part in unread):
            return False
        return not glob or path == root or fnmatch(path.name, glob) or fnmatch(path.relative_to(root).as_posix(), glob)

    return covers
