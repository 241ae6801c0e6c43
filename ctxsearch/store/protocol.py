"""The `Store` protocol: what ingest and query need of documents, contexts and vectors that live together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ctxsearch.catalog import StoredContext
from ctxsearch.passport import Passport
from ctxsearch.records import (
    Candidate,
    Context,
    Document,
    DocumentSummary,
    FailedSource,
    Filter,
    FloatArray,
    IntArray,
    KnownDocument,
    WholeDocument,
)

if TYPE_CHECKING:
    from ctxsearch.evidence import SentenceWords


class Snapshot(Protocol):
    """One generation of a store, to read from."""

    generation: int
    passport: Passport
    """The embedding space of the vectors: a store can be taken over to another model."""

    def counts(self) -> tuple[int, int, int]:
        """Documents, contexts, sentences."""
        ...

    def search_dense(
        self, embedding: FloatArray, k: int, sentence_weight: float, where: Filter | None = None
    ) -> list[Candidate]:
        """The k contexts nearest to an embedding of shape (dim,), best first."""
        ...

    def search_lexical(self, question: str, k: int, where: Filter | None = None) -> list[Candidate]:
        """The k best contexts by BM25, best first; the question is plain text."""
        ...

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
        """Ids and scores, as `search_dense` gives them: of the k best contexts, of given ones, and maybe of others.

        Args:
            embedding: of shape (dim,).
            k: how many of the best; may be 0.
            context_ids: of the contexts given, which fit the condition.
            sentence_weight: share of the best sentence.
            where: as in `search_dense`.
            beside: whoever asks has other work meanwhile, which needs a core.
        """
        ...

    def searches_long(self) -> bool:
        """Whether a dense search takes milliseconds, so that something else is worth doing meanwhile."""
        ...

    def products(self, embedding: FloatArray, context_ids: Sequence[int]) -> tuple[FloatArray, IntArray]:
        """Cosines to the rows of contexts, each one's own and then its sentences'; and how many rows each has."""
        ...

    def ready_vectors(self) -> None:
        """Make ready what `search_dense` needs; useful while a question is being embedded."""
        ...

    def sentence_words(self, context_ids: Iterable[int]) -> dict[int, SentenceWords]:
        """Which words stand in which sentences of contexts, by id."""
        ...

    def read_ahead(self, context_ids: Sequence[int]) -> None:
        """Read contexts that `contexts` may be asked for. What cannot be read is said when it is asked for."""
        ...

    def contexts(self, context_ids: Iterable[int]) -> dict[int, StoredContext]:
        """Contexts by id, with what belongs to them."""
        ...

    def documents(self, where: Filter | None = None, *, after: int = 0) -> Iterator[DocumentSummary]:
        """Documents whose metadata fits, ids rising; only those with an id above ``after``."""
        ...

    def count_documents(self, where: Filter | None = None) -> int:
        """How many documents there are whose metadata fits."""
        ...

    def find_documents(self, name: str) -> list[int]:
        """Ids of the documents with that source, origin or key."""
        ...

    def has_document(self, document_id: int) -> bool:
        """Whether there is a document of that id."""
        ...

    def documents_of_contexts(self, context_ids: Sequence[int]) -> dict[int, int]:
        """The id of each context's document; ids of contexts that are not there are left out."""
        ...

    def document_text(self, document_id: int) -> str:
        """A document's text, letter for letter."""
        ...

    def whole_document(self, document_id: int) -> WholeDocument:
        """A document with everything that belongs to it, to be copied to another store."""
        ...

    def canaries(self) -> Mapping[str, Any] | None:
        """What `Writer.put_canaries` put."""
        ...

    def failures(self) -> list[FailedSource]:
        """Sources that could not be read, by origin."""
        ...

    def has_current_words(self) -> bool:
        """Whether `search_lexical` looks for words as this version cuts texts into them."""
        ...

    def contexts_with_vectors(self) -> int:
        """Contexts that can be found by their vectors; all of them, in a healthy store."""
        ...

    def vector_index(self) -> tuple[str, float]:
        """How dense search finds them, and its recall@10 as it was measured; ``exact`` and 1.0 if it compares all."""
        ...


class Writer(Protocol):
    """The right to write to a store. What is put between two commits becomes visible and durable at the second."""

    def content_hash(self, key: str) -> str | None:
        """Hash that was put with the document of that key; None for an unknown key."""
        ...

    def known(self, key: str) -> KnownDocument | None:
        """What is known of the document of a key."""
        ...

    def known_document(self, document_id: int) -> KnownDocument:
        """What is known of the document of an id, which is there."""
        ...

    def documents_of(self, origin: str) -> list[KnownDocument]:
        """What is known of the documents that were read from a file."""
        ...

    def matching_documents(self, where: Filter) -> list[int]:
        """Ids, rising, of the documents whose metadata fits."""
        ...

    def failures(self) -> list[FailedSource]:
        """Sources that could not be read, by origin."""
        ...

    def put_failures(self, origins: Iterable[str], failures: Iterable[FailedSource]) -> None:
        """Forget the failures of some origins and keep others; commits them, with what was put before."""
        ...

    def origins(self) -> Iterator[tuple[int, str, str]]:
        """Id, key and origin of each document that was read from a file."""
        ...

    def put_document(self, document: Document, content_hash: str) -> int:
        """Add a document, or replace the one of the same key; its contexts follow."""
        ...

    def put_facts(self, document_id: int, document: Document, content_hash: str) -> None:
        """Give a document another name, title or metadata; its text, headings and pages are what they were."""
        ...

    def put_metadata(self, document_id: int, metadata: Mapping[str, Any], content_hash: str) -> None:
        """Give a document other metadata; nothing else of it changes."""
        ...

    def put_contexts(self, document_id: int, title: str, contexts: Sequence[Context]) -> Sequence[int]:
        """Add the next contexts of a document; returns their ids. Their vectors have to follow before the commit."""
        ...

    def put_vectors(self, context_ids: Sequence[int], rows: Iterable[FloatArray]) -> None:
        """Add the vectors of contexts; ``rows`` are as `Embeddings` has them, (1 + sentences, dim) each."""
        ...

    def put_whole(self, document: WholeDocument) -> int:
        """Add a document as it was in another store, or replace the one of the same key; returns its id.

        In an empty store it keeps its ids, so that equal scores come in the same order.
        """
        ...

    def canaries(self) -> Mapping[str, Any] | None:
        """What `put_canaries` put."""
        ...

    def put_canaries(self, canaries: Mapping[str, Any]) -> None:
        """Keep the vectors of a few fixed texts, JSON-ready, to compare with later."""
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

    def roll_back(self) -> None:
        """Drop what was put since the last commit."""
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
