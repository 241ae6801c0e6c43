"""`LocalStore`: a store in an index folder. SQLite is the authority, the vector files are derived from it.

A commit is durable when it returns; the vector files follow when the writer is done, and may be behind after a crash.
At each snapshot the store looks at the pointer, and moves over when another catalog took the place of the one it reads.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ctxsearch import forking, locks
from ctxsearch.catalog import MAX_TERMS, Catalog, StoredContext
from ctxsearch.errors import IndexBusyError, StoreError
from ctxsearch.layout import FORMAT_VERSION, LOCK_TIMEOUT_SECONDS, IndexFolder, Pointer, opened, step
from ctxsearch.passport import Passport
from ctxsearch.records import Candidate, Context, Document, FailedSource, Filter, FloatArray, IntArray, WholeDocument
from ctxsearch.store import beside
from ctxsearch.store.following import Follower
from ctxsearch.store.publishing import Publisher

if TYPE_CHECKING:
    from ctxsearch.evidence import SentenceWords
    from ctxsearch.vectors import VectorIndex

T = TypeVar("T")

LEXICAL_WORDS = MAX_TERMS
"""Different words of a question that a search by words looks for."""

MOVES = 100
"""Times that a reader tries to open the current catalog while others take its place."""


FORK_SECONDS = 2.0
"""How long a fork waits for a write, and for a query, to end, so that the child can use the index."""

RECALL = 0.99
"""Share of the ten best contexts that dense search finds at least, on average, in an index of any size."""


class LocalStore:
    """A store in an index folder. Threads may share it; their reads take turns."""

    def __init__(self, folder: IndexFolder, lock_timeout: float = LOCK_TIMEOUT_SECONDS, recall: float = RECALL) -> None:
        """Open a store that is there.

        Args:
            folder: the index folder.
            lock_timeout: seconds that a writer waits for another.
            recall: share of the ten best contexts that dense search finds at least, on average; 1.0 for exact search.

        Raises:
            StoreError: it is not there, or cannot be used.
        """
        self.folder = folder
        self.lock_timeout = lock_timeout
        self.recall = recall
        self._turn = locks.make(locks.Rank.READ, owner=self, reentrant=True)
        self._writing = locks.make(locks.Rank.WRITE, owner=self)
        self._writer_thread: int | None = None
        self._reader_thread: int | None = None
        self._snapshots = 0
        self._resumed: threading.Event | None = None
        self._closed = False
        self._no_writer = self._no_reader = False  # in a fork: that nobody writes, that nobody reads
        self._catalog: Catalog | None = None
        self._follower: Follower | None = None
        self._followed: opened.FileKey | None = None
        self._pointer = Pointer("", 0)
        self._pointer_file: tuple[int, ...] | None = None
        self._move_over()
        forking.register(self)

    @classmethod
    def create(
        cls,
        folder: IndexFolder,
        passport: Passport,
        model_path: str,
        lock_timeout: float = LOCK_TIMEOUT_SECONDS,
    ) -> LocalStore:
        """Make an empty store, or open the one that another process made in the meantime."""
        folder.create()
        with folder.writer_lock(lock_timeout):
            if not folder.exists():
                _create(folder, passport, model_path)
        return cls(folder, lock_timeout)

    def close(self) -> None:
        with self._turn:
            self._closed = True
            if self._catalog is not None:
                self._catalog.close()
            if self._follower is not None:
                self._follower.close()
            self._catalog = self._follower = None

    def before_fork(self) -> None:
        """Wait for a write and a query to end, and close the connection, which may not cross a fork.

        It is opened again when it is next needed.
        """
        self._resumed = threading.Event()  # otherwise threads that ask again and again would leave it no turn
        writes_here = self._writer_thread == threading.get_ident()
        self._no_writer = not writes_here and self._writing.acquire(timeout=FORK_SECONDS)
        self._no_reader = self._turn.acquire(timeout=FORK_SECONDS)
        if self._no_reader and self._catalog is not None and not self._snapshots:
            self._catalog.close()
            self._catalog = None

    def after_fork_in_parent(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.set()
        if self._no_reader:
            self._turn.release()
        if self._no_writer:
            self._writing.release()

    def after_fork_in_child(self) -> None:
        if self._catalog is not None:
            self._catalog.abandon()  # `layout.opened` says why it cannot be opened here
            self._catalog = None
        if not self._no_reader:  # a thread of the parent was using it
            forking.abandon(self._follower)
            self._follower = None
        self._snapshots, self._writer_thread, self._reader_thread, self._resumed = 0, None, None, None
        self._turn = locks.make(locks.Rank.READ, owner=self, reentrant=True)
        self._writing = locks.make(locks.Rank.WRITE, owner=self)

    @property
    def catalog(self) -> Catalog:
        """The catalog of the newest generation, open for reading; not to be shared between threads."""
        return self._move_over()

    @property
    def passport(self) -> Passport:
        """The embedding space of the newest generation."""
        with self._turn:
            self._move_over()
            return self._passport

    def space(self) -> tuple[Passport, str]:
        """The embedding space of the newest generation, and where its model was."""
        with self._turn:
            self._move_over()
            return self._passport, self._model_path

    def last_space(self) -> Passport:
        """The embedding space of the generation that was looked at last: the newest, nearly always."""
        return self._passport

    @property
    def number(self) -> int:
        """Number of the catalog of the newest generation."""
        with self._turn:
            self._move_over()
            return self._pointer.catalog

    @property
    def format(self) -> int:
        """Version of the format that the folder has now."""
        with self._turn:
            self._move_over()
            return self._pointer.format

    def _let_fork_pass(self) -> None:
        """Wait for a fork that waits for this store to be at rest."""
        forking.be_told_first()
        resumed = self._resumed
        if resumed is not None:
            resumed.wait(2 * FORK_SECONDS)

    # Reading

    @contextmanager
    def snapshot(self) -> Iterator[LocalSnapshot]:
        if self._reader_thread != threading.get_ident():
            self._let_fork_pass()
        with self._turn:
            catalog = self._move_over()
            self._snapshots += 1
            self._reader_thread = threading.get_ident()
            try:
                assert self._follower is not None
                with catalog.snapshot() as generation:
                    yield LocalSnapshot(catalog, self._passport, self._follower, generation, self.recall)
            finally:
                self._snapshots -= 1
                if not self._snapshots:
                    self._reader_thread = None

    def _move_over(self) -> Catalog:
        """The current catalog, opened if it is not the one that is open. Stays within a snapshot."""
        if self._closed:
            raise self._closed_error()
        if self._catalog is not None and self._snapshots:
            return self._catalog
        for _ in range(MOVES):
            # A file that takes the place of another has other times, and another number: so it need not be read again.
            file = self.folder.pointer_file()
            if self._catalog is not None and not self._catalog.unchanging and file and file == self._pointer_file:
                return self._catalog
            pointer = self._read_pointer()
            if self._catalog is not None and pointer == self._pointer and self._is_open(pointer.catalog):
                self._pointer_file = file
                return self._catalog
            try:
                catalog = beside.open_catalog(self.folder, pointer, pointer.catalog, read_only=True)
            except StoreError:
                if self.folder.read_pointer() != pointer:
                    continue  # it was taken away while it was opened
                raise
            if self.folder.read_pointer() != pointer:
                catalog.close()  # its log may have been taken away while it was opened
                continue
            self._adopt(catalog, pointer)
            return catalog
        raise StoreError(f"{self.folder.root} changes faster than it can be opened; try again")

    def _is_open(self, number: int) -> bool:
        """Whether the catalog of that number is the open one. A folder that was put back from a backup has another."""
        current = self._catalog
        return (
            current is not None
            and not current.unchanging
            and opened.key_of(self.folder.catalog(number)) == current.file
        )

    def _read_pointer(self) -> Pointer:
        pointer = self.folder.read_pointer()
        if self._pointer.index and pointer.index != self._pointer.index:
            raise StoreError(
                f"{self.folder.root} holds another index than the one that was opened: the folder was replaced; "
                "open it again"
            )
        return pointer

    def _closed_error(self) -> StoreError:
        return StoreError(f"the index {self.folder.root} was closed; open it again")

    def _adopt(self, catalog: Catalog, pointer: Pointer) -> None:
        with catalog.snapshot():
            passport, self._model_path = Passport.from_dict(catalog.passport()), catalog.model_path()
        if self._follower is None or catalog.file != self._followed:
            if self._follower is not None:
                self._follower.close()
            self._follower, self._followed = Follower(self.folder, pointer.catalog, passport.dim), catalog.file
        if self._catalog is not None:
            self._catalog.close()
        self._catalog, self._pointer, self._passport = catalog, pointer, passport

    def bytes_on_disk(self) -> dict[str, int]:
        """Bytes of the catalog (with its log) and of the vector files."""
        number = self.folder.read_pointer().catalog
        catalog = self.folder.catalog(number)
        files = {
            "catalog": [catalog, catalog.with_name(catalog.name + "-wal")],
            "vectors": self.folder.vector_files(number),
        }
        return {name: sum(p.stat().st_size for p in paths if p.is_file()) for name, paths in files.items()}

    # Writing

    @contextmanager
    def writer(self) -> Iterator[LocalWriter]:
        with self.locked() as pointer:
            catalog = beside.open_catalog(self.folder, pointer, pointer.catalog, read_only=False)
            try:
                dim = Passport.from_dict(catalog.passport()).dim
                try:
                    yield LocalWriter(catalog)
                finally:
                    catalog.roll_back()
                Publisher(self.folder, pointer.catalog, dim).publish(catalog)
                catalog.settle()
            finally:
                catalog.close()

    @contextmanager
    def locked(self) -> Iterator[Pointer]:
        """Hold the right to write; an index of an older format becomes one of this format first.

        Raises:
            IndexBusyError: another process writes, or this call is made in the middle of one that does.
            StoreError: the store was closed, or the folder is not the one that was opened.
        """
        if self._writer_thread == threading.get_ident():
            raise IndexBusyError(
                f"{self.folder.root} is being written by the call that this one is made in (from its documents or its "
                "on_progress); make it when that call has returned"
            )
        self._let_fork_pass()
        with self._writing:
            self._writer_thread = threading.get_ident()
            try:
                self.folder.require()
                with self.folder.writer_lock(self.lock_timeout):
                    yield self._pointer_to_write()
            finally:
                self._writer_thread = None

    def _pointer_to_write(self) -> Pointer:
        if self._closed:
            raise self._closed_error()
        pointer = self._read_pointer()
        self.folder.remove_leftovers(pointer)
        if pointer.format < FORMAT_VERSION:
            pointer = beside.migrate(self.folder, pointer)
        return pointer


def _create(folder: IndexFolder, passport: Passport, model_path: str) -> None:
    """Make an empty index. A crash while it is made leaves nothing that is in the way."""
    path = folder.catalog(1)
    if path.is_file():  # from a process that was killed here
        left = Catalog(path, read_only=True)
        try:
            index, generation = left.fact("index"), left.generation()
            fits = Passport.from_dict(left.passport()).fingerprint == passport.fingerprint
        finally:
            left.close()
        if generation:
            raise folder.damage("index.json is missing")
        if fits:
            folder.write_pointer(Pointer(index, 1))
            return
        folder.remove_leftovers(Pointer("", 0))
    index = uuid.uuid4().hex
    beside.make_empty(folder, 1, beside.facts_of(index, passport, model_path))
    step("create: catalog made")
    folder.write_pointer(Pointer(index, 1))
    step("create: pointer written")


class LocalSnapshot:
    """One generation of a `LocalStore`. Valid inside the block that made it."""

    def __init__(
        self,
        catalog: Catalog,
        passport: Passport,
        follower: Follower,
        generation: int,
        recall: float,
    ) -> None:
        self.generation = generation
        self._ahead: dict[int, StoredContext] = {}
        self._recall = recall
        self.passport = passport
        self._follower = follower
        self._catalog = catalog
        self.counts = catalog.counts
        self.documents = catalog.documents
        self.count_documents = catalog.count_documents
        self.find_documents = catalog.find_documents
        self.has_document = catalog.has_document
        self.documents_of_contexts = catalog.documents_of_contexts
        self.document_text = catalog.document_text
        self.failures = catalog.failures

    def contexts(self, context_ids: Iterable[int]) -> dict[int, StoredContext]:
        wanted = set(context_ids)
        ahead = {context_id: self._ahead[context_id] for context_id in wanted & self._ahead.keys()}
        return ahead | self._complete(wanted - ahead.keys(), self._catalog.contexts)

    def read_ahead(self, context_ids: Sequence[int]) -> None:
        with suppress(StoreError):
            self._ahead = self._catalog.contexts(context_ids)

    def sentence_words(self, context_ids: Iterable[int]) -> dict[int, SentenceWords]:
        return self._complete(set(context_ids), self._catalog.sentence_words)

    def _complete(self, wanted: set[int], read: Callable[[Iterable[int]], dict[int, T]]) -> dict[int, T]:
        found = read(wanted)
        if len(found) < len(wanted):
            raise self._catalog.damage(f"contexts are missing, first {min(wanted - set(found))}")
        return found

    def whole_document(self, document_id: int) -> WholeDocument:
        return self._catalog.whole_document(document_id, self.passport.dim)

    def canaries(self) -> Mapping[str, Any] | None:
        return self._catalog.canaries()

    def search_dense(
        self, embedding: FloatArray, k: int, sentence_weight: float, where: Filter | None = None
    ) -> list[Candidate]:
        allowed = self._catalog.matching_contexts(where) if where else None
        found = self.vectors().search(embedding, k, sentence_weight, allowed, self._recall)
        return [Candidate(item.context_id, dense=item.score, sentence=item.sentence) for item in found]

    def dense_scores(
        self,
        embedding: FloatArray,
        k: int,
        context_ids: Sequence[int],
        sentence_weight: float,
        where: Filter | None = None,
        *,
        beside: bool = False,
    ) -> tuple[IntArray, FloatArray]:
        allowed = self._catalog.matching_contexts(where) if where else None
        return self.vectors().scores(embedding, k, context_ids, sentence_weight, allowed, self._recall, beside=beside)

    def searches_long(self) -> bool:
        return bool(self.vectors().lists())

    def products(self, embedding: FloatArray, context_ids: Sequence[int]) -> tuple[FloatArray, IntArray]:
        return self.vectors().products(embedding, context_ids)

    def search_lexical(self, question: str, k: int, where: Filter | None = None) -> list[Candidate]:
        return self._catalog.search_question(question, k, where)

    def has_current_words(self) -> bool:
        return self._catalog.searches_folded

    def contexts_with_vectors(self) -> int:
        return self.vectors().contexts()

    def vector_index(self) -> tuple[str, float]:
        return self.vectors().kind(self._recall)

    def ready_vectors(self) -> None:
        self.vectors().ready()

    def vectors(self) -> VectorIndex:
        """The vector index of this generation."""
        return self._follower.at(self._catalog, self.generation)


class LocalWriter:
    """Writes to a `LocalStore`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._generation: int | None = None
        self._keep_ids = not catalog.sequences()
        self.content_hash = catalog.content_hash
        self.known = catalog.known
        self.known_document = catalog.known_document
        self.documents_of = catalog.documents_of
        self.failures = catalog.failures
        self.origins = catalog.origins
        self.find_documents = catalog.find_documents
        self.has_document = catalog.has_document

    def put_document(self, document: Document, content_hash: str) -> int:
        return self._catalog.put_document(document, content_hash, self._begin())

    def put_contexts(self, document_id: int, title: str, contexts: Sequence[Context]) -> Sequence[int]:
        return self._catalog.put_contexts(document_id, title, contexts, self._begin())

    def put_vectors(self, context_ids: Sequence[int], rows: Iterable[FloatArray]) -> None:
        self._begin()
        self._catalog.put_vectors(context_ids, rows)

    def put_whole(self, document: WholeDocument) -> int:
        keep = self._keep_ids
        return self._catalog.put_whole(document, self._begin(), keep_id=keep, keep_context_ids=keep)

    def put_facts(self, document_id: int, document: Document, content_hash: str) -> None:
        self._catalog.put_facts(document_id, document, content_hash, self._begin())

    def put_metadata(self, document_id: int, metadata: Mapping[str, Any], content_hash: str) -> None:
        self._catalog.put_metadata(document_id, metadata, content_hash, self._begin())

    def matching_documents(self, where: Filter) -> list[int]:
        self._begin()  # makes the table of values where there is none
        return self._catalog.matching_documents(where)

    def put_failures(self, origins: Iterable[str], failures: Iterable[FailedSource]) -> None:
        self.commit()
        self._catalog.begin(advance=False)
        self._catalog.put_failures(origins, failures)
        self._catalog.commit()

    def delete_document(self, document_id: int) -> None:
        self._catalog.delete_document(document_id, self._begin())

    def canaries(self) -> Mapping[str, Any] | None:
        return self._catalog.canaries()

    def put_canaries(self, canaries: Mapping[str, Any]) -> None:
        self._begin()
        self._catalog.set_fact("canaries", dict(canaries))

    def roll_back(self) -> None:
        self._catalog.roll_back()
        self._generation = None

    def commit(self) -> int:
        if self._generation is not None:
            self._catalog.commit()
            self._generation = None
        return self._catalog.generation()

    def _begin(self) -> int:
        if self._generation is None:
            self._generation = self._catalog.begin()
        return self._generation
