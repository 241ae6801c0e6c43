"""The store: catalog and vector index as one, with one commit. The only thing that ingest and query talk to.

`Store` is the seam: nothing above this room knows of files, SQL or FAISS, so that another implementation can take its
place. `LocalStore` keeps an index folder: SQLite is the authority, the vector file is derived from it.

A commit is durable when it returns; the vector file follows when the writer is done, and may be behind after a crash.
Whoever opens a store adds what is missing from the catalog, and makes the file anew if it is gone or damaged.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ctxsearch.catalog import Catalog, StoredContext, words_of
from ctxsearch.errors import StoreError
from ctxsearch.layout import LOCK_TIMEOUT_SECONDS, IndexFolder, replace_atomically
from ctxsearch.passport import Passport
from ctxsearch.records import Candidate, Context, Document, DocumentSummary, FloatArray, IntArray

if TYPE_CHECKING:
    from ctxsearch.vectors import VectorIndex

LEXICAL_WORDS = 128
"""Different words of a question that full text search looks for. Each costs a walk through its contexts."""

CONTEXTS_PER_BATCH = 2048
"""Contexts moved at a time from the catalog to the vector index."""


class Snapshot(Protocol):
    """One generation of a store, to read from."""

    generation: int

    def counts(self) -> tuple[int, int, int]:
        """Documents, contexts, sentences."""
        ...

    def search_dense(
        self, embedding: FloatArray, k: int, sentence_weight: float, where: Mapping[str, Any] | None = None
    ) -> list[Candidate]:
        """The k contexts nearest to an embedding of shape (dim,), best first."""
        ...

    def search_lexical(self, question: str, k: int, where: Mapping[str, Any] | None = None) -> list[Candidate]:
        """The k best contexts by BM25, best first; the question is plain text."""
        ...

    def score_dense(self, embedding: FloatArray, context_ids: Iterable[int], sentence_weight: float) -> list[Candidate]:
        """The dense scores of given contexts, as `search_dense` gives them."""
        ...

    def products(self, embedding: FloatArray, context_ids: Iterable[int]) -> dict[int, FloatArray]:
        """Cosines to the rows of given contexts, (1 + sentences,) each: the context's own, then its sentences'."""
        ...

    def contexts(self, context_ids: Iterable[int]) -> dict[int, StoredContext]:
        """Contexts by id, with what belongs to them."""
        ...

    def documents(self, where: Mapping[str, Any] | None = None) -> Iterator[DocumentSummary]:
        """All documents, or those whose metadata fits."""
        ...

    def find_documents(self, name: str) -> list[int]:
        """Ids of the documents with that source, origin or key."""
        ...

    def has_document(self, document_id: int) -> bool:
        """Whether there is a document of that id."""
        ...

    def document_text(self, document_id: int) -> str:
        """A document's text, letter for letter."""
        ...

    def contexts_with_vectors(self) -> int:
        """Contexts that can be found by their vectors; all of them, in a healthy store."""
        ...


class Writer(Protocol):
    """The right to write to a store. What is put between two commits becomes visible and durable at the second."""

    def content_hash(self, key: str) -> str | None:
        """Hash that was put with the document of that key; None for an unknown key."""
        ...

    def origins(self) -> Iterator[tuple[int, str, str]]:
        """Id, key and origin of each document that was read from a file."""
        ...

    def put_document(self, document: Document, content_hash: str) -> int:
        """Add a document, or replace the one of the same key; its contexts follow."""
        ...

    def put_contexts(
        self, document_id: int, title: str, contexts: Sequence[Context], rows: Sequence[FloatArray]
    ) -> None:
        """Add the next contexts of a document; ``rows`` are as `Embeddings` has them, (1 + sentences, dim) each."""
        ...

    def delete_document(self, document_id: int) -> None:
        """Remove a document and all that belongs to it."""
        ...

    def find_documents(self, name: str) -> list[int]:
        """Ids of the documents with that source, origin or key."""
        ...

    def has_document(self, document_id: int) -> bool:
        """Whether there is a document of that id."""
        ...

    def commit(self) -> int:
        """Make durable what was put since the last commit; returns the generation."""
        ...


class Store(Protocol):
    """Documents, contexts and vectors that live together."""

    @property
    def passport(self) -> Passport:
        """The embedding space of the vectors."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Read one generation, the newest."""
        ...

    def writer(self) -> AbstractContextManager[Writer]:
        """Write; one at a time. What was not committed when the block ends is dropped."""
        ...

    def close(self) -> None:
        """Let go of everything. Closing twice does no harm."""
        ...


class LocalStore:
    """A store in an index folder. Threads may share it; their reads take turns."""

    def __init__(self, folder: IndexFolder) -> None:
        """Open a store that is there.

        Raises:
            StoreError: it is not there, or cannot be used.
        """
        folder.require()
        self._folder = folder
        self._catalog = Catalog(folder.catalog, read_only=True)
        self.passport = Passport.from_dict(self._catalog.passport())
        self.model_path = Path(self._catalog.model_path())
        self._vectors: VectorIndex | None = None
        self._vectors_generation = 0
        self._turn = threading.RLock()
        self._writing = threading.Lock()

    @classmethod
    def create(cls, folder: IndexFolder, passport: Passport, model_path: Path) -> LocalStore:
        """Make an empty store, or open the one that another process made in the meantime."""
        folder.create()
        with folder.writer_lock():
            if not folder.catalog.is_file():
                Catalog.create(folder.catalog, passport.to_dict(), str(model_path)).close()
        return cls(folder)

    def close(self) -> None:
        with self._turn:
            self._catalog.close()
            self._vectors = None

    # Reading

    @contextmanager
    def snapshot(self) -> Iterator[LocalSnapshot]:
        with self._turn:
            manifest = self._manifest()  # before the snapshot begins, so that the file is never younger than it
            with self._catalog.snapshot() as generation:
                yield LocalSnapshot(self, self._catalog, generation, manifest)

    def vectors_at(self, generation: int, manifest: Mapping[str, Any]) -> VectorIndex:
        """The vector index of a snapshot.

        Args:
            generation: the snapshot's.
            manifest: of a vector file no younger than the snapshot, as read before it began.
        """
        published = manifest.get("generation", 0)
        behind = self._vectors_generation < generation
        # Without a manifest nobody knows which notes about removed contexts are gone: begin anew from the catalog.
        if self._vectors is None or published > self._vectors_generation or (behind and not manifest):
            self._vectors, self._vectors_generation = self._read_vectors(manifest)
        if self._vectors_generation < generation:
            _catch_up(self._vectors, self._catalog, self._vectors_generation)
            self._vectors_generation = generation
        return self._vectors

    def bytes_on_disk(self) -> dict[str, int]:
        """Bytes of the catalog (with its log) and of the vector file."""
        catalog = self._folder.catalog
        files = {
            "catalog": [catalog, catalog.with_name(catalog.name + "-wal")],
            "vectors": [self._folder.vectors_manifest, *self._folder.vector_files()],
        }
        return {name: sum(p.stat().st_size for p in paths if p.is_file()) for name, paths in files.items()}

    def verify(self) -> list[str]:
        """What is wrong: the catalog's file, its links, its full text, and each vector against the vector index."""
        with self.writer():  # nothing changes meanwhile, and the vector file is brought up to date after
            checked = Catalog(self._folder.catalog, read_only=False)
            try:
                found = checked.check()
            finally:
                checked.close()
        with self.snapshot() as snapshot:
            vectors = self.vectors_at(snapshot.generation, self._manifest())
            held = set(vectors.context_ids().tolist())
            for stored in self._catalog.vectors_since(0, self.passport.dim):
                held.discard(stored.context_id)
                if not np.array_equal(vectors.rows(stored.context_id), stored.rows.astype(np.float32)):
                    found.append(f"the vector index has other vectors for context {stored.context_id}")
            found += [f"the vector index has context {context_id}, the catalog has not" for context_id in sorted(held)]
        return found

    def compact(self) -> None:
        """Give back the space of what was deleted."""
        with self.writer():
            catalog = Catalog(self._folder.catalog, read_only=False)
            try:
                catalog.shrink()
            finally:
                catalog.close()

    def _manifest(self) -> dict[str, Any]:
        """What is said of the current vector file; empty if there is none."""
        try:
            manifest = json.loads(self._folder.vectors_manifest.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        fits = isinstance(manifest, dict) and manifest.get("passport") == self.passport.fingerprint
        return manifest if fits and isinstance(manifest.get("generation"), int) else {}

    def _read_vectors(self, manifest: Mapping[str, Any]) -> tuple[VectorIndex, int]:
        """The vector file and its generation; an empty index of generation 0 if there is no usable file."""
        from ctxsearch.vectors import VectorFileError, VectorIndex  # here, since FAISS takes 0.1 s to import

        if manifest:
            path = self._folder.vectors(manifest["generation"])
            try:
                with path.open("rb") as file:
                    checksum = hashlib.file_digest(file, "sha256").hexdigest()
                if checksum == manifest.get("sha256"):
                    return VectorIndex.read(path, self.passport.dim), manifest["generation"]
            except (OSError, VectorFileError):
                pass
        return VectorIndex(self.passport.dim), 0

    # Writing

    @contextmanager
    def writer(self, timeout: float = LOCK_TIMEOUT_SECONDS) -> Iterator[LocalWriter]:
        with self._writing, self._folder.writer_lock(timeout):
            catalog = Catalog(self._folder.catalog, read_only=False)
            try:
                try:
                    yield LocalWriter(catalog, self._manifest().get("generation", 0))
                finally:
                    catalog.roll_back()
                self._publish(catalog)
                catalog.truncate_log()
            finally:
                catalog.close()

    def _publish(self, catalog: Catalog) -> None:
        """Bring the vector file up to the catalog's generation."""
        manifest = self._manifest()
        generation = catalog.generation()
        if manifest.get("generation") == generation:
            return
        vectors, held = self._read_vectors(manifest)
        with catalog.snapshot():
            _catch_up(vectors, catalog, held)
        path = self._folder.vectors(generation)
        try:
            replace_atomically(path, vectors.write)
            with path.open("rb") as file:
                checksum = hashlib.file_digest(file, "sha256").hexdigest()
            said = {"generation": generation, "passport": self.passport.fingerprint, "sha256": checksum}
            replace_atomically(self._folder.vectors_manifest, lambda p: _write_json(p, said))
            for other in self._folder.vector_files():
                if other != path:
                    other.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"everything is in the catalog, but the vector file {path} cannot be written "
                f"({error.strerror or error}); it is made at the next ingest, queries work without it"
            ) from error


class LocalSnapshot:
    """One generation of a `LocalStore`. Valid inside the block that made it."""

    def __init__(self, store: LocalStore, catalog: Catalog, generation: int, manifest: Mapping[str, Any]) -> None:
        self.generation = generation
        self._manifest = manifest
        self._store = store
        self._catalog = catalog
        self.counts = catalog.counts
        self.contexts = catalog.contexts
        self.documents = catalog.documents
        self.find_documents = catalog.find_documents
        self.has_document = catalog.has_document
        self.document_text = catalog.document_text

    def search_dense(
        self, embedding: FloatArray, k: int, sentence_weight: float, where: Mapping[str, Any] | None = None
    ) -> list[Candidate]:
        allowed: IntArray | None = self._catalog.matching_contexts(where) if where else None
        found = self._vectors().search(embedding, k, sentence_weight, allowed)
        return [Candidate(item.context_id, dense=item.score, sentence=item.sentence) for item in found]

    def score_dense(self, embedding: FloatArray, context_ids: Iterable[int], sentence_weight: float) -> list[Candidate]:
        vectors = self._vectors()
        scored = (vectors.score(embedding, context_id, sentence_weight) for context_id in context_ids)
        return [Candidate(item.context_id, dense=item.score, sentence=item.sentence) for item in scored]

    def products(self, embedding: FloatArray, context_ids: Iterable[int]) -> dict[int, FloatArray]:
        vectors = self._vectors()
        return {context_id: vectors.products(embedding, context_id) for context_id in context_ids}

    def search_lexical(self, question: str, k: int, where: Mapping[str, Any] | None = None) -> list[Candidate]:
        found = self._catalog.search_text(words_of(question)[:LEXICAL_WORDS], k, where)
        return [Candidate(context_id, lexical=score) for context_id, score in found]

    def contexts_with_vectors(self) -> int:
        return len(self._vectors().context_ids())

    def _vectors(self) -> VectorIndex:
        return self._store.vectors_at(self.generation, self._manifest)


class LocalWriter:
    """Writes to a `LocalStore`."""

    def __init__(self, catalog: Catalog, published: int) -> None:
        self._catalog = catalog
        self._published = published
        self._generation: int | None = None
        self.content_hash = catalog.content_hash
        self.origins = catalog.origins
        self.find_documents = catalog.find_documents
        self.has_document = catalog.has_document

    def put_document(self, document: Document, content_hash: str) -> int:
        return self._catalog.put_document(document, content_hash, self._begin())

    def put_contexts(
        self, document_id: int, title: str, contexts: Sequence[Context], rows: Sequence[FloatArray]
    ) -> None:
        self._catalog.put_contexts(document_id, title, contexts, rows, self._begin())

    def delete_document(self, document_id: int) -> None:
        self._catalog.delete_document(document_id, self._begin())

    def commit(self) -> int:
        if self._generation is not None:
            self._catalog.commit()
            self._generation = None
        return self._catalog.generation()

    def _begin(self) -> int:
        if self._generation is None:
            self._generation = self._catalog.begin()
            self._catalog.forget_removed(self._published)
        return self._generation


def _catch_up(vectors: VectorIndex, catalog: Catalog, held: int) -> None:
    """Take a vector index from the generation that it holds to the one that the catalog is read at."""
    removed = catalog.removed_since(held)
    if len(removed) and len(vectors):
        vectors.remove(removed)
    ids: list[int] = []
    rows: list[Any] = []
    for stored in catalog.vectors_since(held, vectors.dim):
        ids.append(stored.context_id)
        rows.append(stored.rows)
        if len(ids) == CONTEXTS_PER_BATCH:
            vectors.add(ids, rows)
            ids, rows = [], []
    vectors.add(ids, rows)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")
