"""The things that pass from room to room: frozen, typed, without I/O.

Offsets are character offsets (Python ``str`` indices), half-open, into the text of a document. Embeddings are
unit-length float32 rows. Nothing here knows files, SQL, FAISS or a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar, overload

from ctxsearch import plain

if TYPE_CHECKING:  # numpy takes 0.1 s to import, and a lexical query needs none
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")

Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")

Missing: TypeAlias = Literal["error", "ignore"]
"""What becomes of a condition on a key, or a kind of value, that no document has: an error, or it fits no document."""

GroupBy: TypeAlias = Literal["document"]
"""What an answer has one hit of."""

SENTENCE_WEIGHT = 0.8
"""Share of the best sentence in a dense score; the rest is the context's own."""

EXACT = "exact"
"""How vectors are searched where all are compared; otherwise it is said in the words of FAISS."""

FloatArray: TypeAlias = "NDArray[np.float32]"
IntArray: TypeAlias = "NDArray[np.int64]"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a document's text: it opens a section that runs to the next heading of its level or above."""

    start: int
    """Offset of the first character of the heading's line."""
    level: int
    """1 for the outermost."""
    title: str


class Page(NamedTuple):
    """Where a page begins in a document's text. Slides, sheets and messages of a mailbox are pages, too."""

    start: int
    """Offset of the page's first character."""
    number: int
    """As people count: the first is 1."""


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that a user ingests: a file, or a record of a file.

    ``source`` names it towards people (a path or a URI) and is what `Hit.source` shows. ``origin`` is the absolute path
    of the file it was read from, or empty; a document that is a whole file is identified by it, so that one file
    reached by two spellings of its path is one document.
    """

    text: str
    source: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    headings: tuple[Heading, ...] = ()
    origin: str = ""
    is_record: bool = False
    """True when several documents come from ``origin``, as the lines of a JSONL file do."""
    pages: tuple[Page, ...] = ()
    """Where pages begin, offsets rising; empty for a text without pages. A page without text is not in it."""
    vectors: ArrayLike | Sequence[ArrayLike] | None = field(default=None, repr=False)
    """Embeddings in the index's space, in place of those that the model would make: of shape (dim,) for a document that
    is one context; otherwise one array a context, of shape (dim,) or, with one more row for each of its sentences,
    (1 + sentences, dim), as `DocumentContext.vectors` are. They are scaled to unit length and kept as float16.
    `Index.reembed` replaces them."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        return _same_fields(self, other)

    @property
    def key(self) -> str:
        """The identity of the document in an index: ingesting the same key again replaces the document."""
        return self.source if self.is_record or not self.origin else self.origin


class Sentence(NamedTuple):
    """A span inside one context. A tuple, since an ingest makes millions."""

    start: int
    end: int


def sentence_texts(text: str, start: int, sentences: Iterable[Sentence]) -> list[str]:
    """The texts of a context's sentences, given its own and where it starts in the document."""
    return [text[sentence.start - start : sentence.end - start] for sentence in sentences]


@dataclass(frozen=True, slots=True)
class Context:
    """A span of one document that fits the model's context window; what a query returns.

    The contexts of a document tile its text: each starts where the one before it ends. The sentences of a context tile
    the context in the same way, so leading and trailing whitespace belongs to some sentence.
    """

    start: int
    end: int
    text: str
    tokens: int
    """Tokens of the text, without ``[CLS]`` and ``[SEP]``."""
    headings: tuple[str, ...] = ()
    """Titles of the sections that the context stands in, outermost first."""
    sentences: tuple[Sentence, ...] = ()
    page: int | None = None
    """Number of the page on which the context stands. Only its last sentence may run on to the next."""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Embeddings of a sequence of contexts.

    ``vectors`` is float32 of shape (rows, dim), unit rows. ``bounds`` is int64 of shape (contexts + 1,): rows
    ``bounds[i]:bounds[i + 1]`` belong to context ``i``; the first is the context's own embedding, the others those of
    its sentences, in order. A model with only a pooled output gives one row a context.
    """

    vectors: FloatArray
    bounds: IntArray

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, i: int) -> FloatArray:
        """The rows of context ``i``, shape (1 + sentences, dim)."""
        return self.vectors[self.bounds[i] : self.bounds[i + 1]]


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on the metadata of documents; `catalog.conditions` says what may stand in one, and
    `arguments.filter_of` makes one of what a caller asks for."""

    where: Mapping[str, Any]
    missing: Missing = "error"
    without: frozenset[int] = frozenset()
    """Ids of documents that do not fit, whatever their metadata."""

    @staticmethod
    def excluding(wanted: Filter | None, document_ids: Iterable[int]) -> Filter:
        """A filter that some documents do not fit, and others as they did before."""
        base = wanted or Filter({})
        return replace(base, without=base.without | frozenset(document_ids))


@dataclass(frozen=True, slots=True)
class WholeContext:
    """A context with everything that belongs to it, as it is copied from one store to another."""

    context_id: int
    start: int
    end: int
    page: int | None
    tokens: int
    headings: tuple[str, ...]
    text: str
    sentences: tuple[Sentence, ...]
    rows: NDArray[np.float16]
    """Its vectors as they are kept: (1 + sentences, dim), or (1, dim) for a model that gives one a context."""

    @classmethod
    def of(cls, context: Context, context_id: int, rows: NDArray[np.floating]) -> WholeContext:
        """A context that was embedded; its rows are rounded to what is kept."""
        return cls(
            context_id=context_id,
            start=context.start,
            end=context.end,
            page=context.page,
            tokens=context.tokens,
            headings=context.headings,
            text=context.text,
            sentences=context.sentences,
            rows=rows.astype("<f2"),
        )


@dataclass(frozen=True, slots=True)
class WholeDocument:
    """A document with everything that belongs to it, as it is copied from one store to another."""

    document_id: int
    key: str
    source: str
    origin: str
    title: str
    metadata: Mapping[str, Any]
    content_hash: str
    headings: tuple[Heading, ...] | None
    """None where they were not kept: format 1 had only those of the contexts."""
    ingested_at: str
    contexts: tuple[WholeContext, ...]

    @property
    def text(self) -> str:
        """The document's text: its contexts tile it."""
        return "".join(context.text for context in self.contexts)

    @property
    def pages(self) -> tuple[Page, ...]:
        """Where pages begin: a context ends where its page ends, so each page begins with a context."""
        pages: list[Page] = []
        before = None
        for context in self.contexts:
            if context.page is not None and context.page != before:
                pages.append(Page(context.start, context.page))
            before = context.page
        return tuple(pages)


@dataclass(frozen=True, slots=True)
class DocumentContext:
    """A context of a `StoredDocument`."""

    context_id: int
    start: int
    """Offset of its first character in the document's text."""
    end: int
    text: str
    headings: tuple[str, ...]
    """Titles of the sections that the context stands in, outermost first."""
    page: int | None
    """Number of the page on which the context stands; None for a text without pages."""
    sentences: tuple[Sentence, ...]
    """Spans of its sentences, as offsets into the document's text."""
    tokens: int
    """Tokens of the text, without ``[CLS]`` and ``[SEP]``."""
    vectors: FloatArray | None = field(default=None, hash=False, repr=False)
    """Unit rows, float32 of shape (1 + sentences, dim): its own embedding and those of its sentences, or (1, dim) where
    it has no others. None unless they were asked for."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DocumentContext):
            return NotImplemented
        return _same_fields(self, other)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values; ``vectors`` are among them where they were asked for."""
        found: dict[str, Any] = plain.values(self)
        if self.vectors is None:
            del found["vectors"]
        return found


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as an index holds it."""

    document_id: int
    source: str
    title: str
    text: str
    """All of it, letter for letter; offsets of hits point into it."""
    metadata: Mapping[str, Any]
    headings: tuple[Heading, ...]
    pages: tuple[Page, ...]
    origin: str
    """The absolute path of the file it was read from, or empty."""
    ingested_at: str
    """UTC, ISO 8601."""
    contexts: tuple[DocumentContext, ...]
    """They tile the text."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {**plain.values(self), "contexts": [context.to_dict() for context in self.contexts]}

    @classmethod
    def of(cls, whole: WholeDocument, *, vectors: bool) -> StoredDocument:
        """What a caller sees of a document.

        Args:
            whole: the document.
            vectors: whether its contexts have their vectors.
        """
        return cls(
            document_id=whole.document_id,
            source=whole.source,
            title=whole.title,
            text=whole.text,
            metadata=whole.metadata,
            headings=whole.headings or (),
            pages=whole.pages,
            origin=whole.origin,
            ingested_at=whole.ingested_at,
            contexts=tuple(
                DocumentContext(
                    context_id=context.context_id,
                    start=context.start,
                    end=context.end,
                    text=context.text,
                    headings=context.headings,
                    page=context.page,
                    sentences=context.sentences,
                    tokens=context.tokens,
                    vectors=context.rows.astype("<f4") if vectors else None,
                )
                for context in whole.contexts
            ),
        )


def _same_fields(one: Any, other: Any) -> bool:
    """Whether two records of one class are equal; arrays are, where they have the same shape and values."""
    names = one.__dataclass_fields__
    return all(_without_arrays(getattr(one, name)) == _without_arrays(getattr(other, name)) for name in names)


def _without_arrays(value: Any) -> Any:
    """A value that ``==`` can compare: lists in the place of arrays."""
    if isinstance(value, list | tuple):
        return [_without_arrays(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the model saw it: its embedding of shape (dim,), and whether its end was cut off."""

    text: str
    embedding: FloatArray
    states: FloatArray
    """The same without its lexical part, of shape (dim,): inner products with embeddings are the cosines of their token
    states. Hybrid search counts words by itself, and exactly."""
    truncated: bool


class UnderWay(NamedTuple, Generic[T]):
    """What is made while whoever asked for it does something else."""

    finish: Callable[[], T]
    """Waits for it, and gives it."""
    over: Callable[[], bool] = lambda: True
    """Whether there is nothing to wait for: it is made, or nothing is done before `finish` is called."""


class Candidate(NamedTuple):
    """A context that one way of searching found, before fusion.

    ``dense`` and ``lexical`` are higher for better, and None where that way of searching did not score the context.
    ``sentence`` is the ordinal of the best sentence, or None where no sentence was scored. ``exact`` is how much of the
    question's identifiers the context holds to the letter, 0 to 1.
    """

    context_id: int
    dense: float | None = None
    lexical: float | None = None
    sentence: int | None = None
    exact: float = 0.0


class Scores(NamedTuple):
    """The raw scores behind a hit's score; None where the mode did not use that one."""

    dense: float | None
    """Cosine similarity, -1 to 1: the best sentence blended with the context."""
    lexical: float | None
    """BM25, 0 and up."""


class Evidence(NamedTuple):
    """What is known of one hit. What a mode does not use is 0."""

    score: float
    """By which it was ranked."""
    dense: float = 0.0
    """Cosine similarity."""
    lexical: float = 0.0
    """BM25."""
    coverage: float = 0.0
    """Share of the question's words in the matched sentence, by weight."""
    known: float = 0.0
    """Share of the question's words that any candidate has."""


class Ranked(NamedTuple):
    """A candidate in its place."""

    candidate: Candidate
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class MatchedSentence:
    """The sentence of a hit that matched best."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One context in an answer."""

    rank: int
    score: float
    scores: Scores
    document_id: int
    context_id: int
    source: str
    title: str
    metadata: Mapping[str, Any]
    page: int | None
    start: int
    end: int
    text: str
    sentence: MatchedSentence
    headings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values: a hit of ``ctxsearch query --json``."""
        return {
            "rank": self.rank,
            "score": self.score,
            "scores": plain.values(self.scores),
            "document_id": self.document_id,
            "context_id": self.context_id,
            "source": self.source,
            "title": self.title,
            "metadata": plain.values(self.metadata),
            "page": self.page,
            "headings": list(self.headings),
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "sentence": plain.values(self.sentence),
        }

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        return plain.table("", _HIT_COLUMNS, [self._cells()])

    def _cells(self) -> list[str]:
        """HTML for `_HIT_COLUMNS`."""
        page = "" if self.page is None else f" p. {self.page}"
        excerpt = plain.marked(self.text, self.sentence.start - self.start, self.sentence.end - self.start)
        return [str(self.rank), f"{self.score:.3f}", plain.escaped(f"{self.source}{page}"), excerpt]


_HIT_COLUMNS = ("rank", "score", "source", "text")


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """Where the time of a query went."""

    embed: float
    """Waiting for the embedding, beyond the search for words that went on meanwhile."""
    search: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer(Sequence[Hit]):
    """The hits of one question, best first, and what is to be known about them."""

    question: str
    hits: tuple[Hit, ...]
    mode: Mode
    generation: int
    truncated: bool
    """True when the question's end, beyond the model's window or (lexical) 128 words, was not searched."""
    milliseconds: Milliseconds
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    """What the scores were made of, best first: from the first hit, whatever the offset, to some after the last."""
    index_path: str = ""
    """The folder of the index."""

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values: what ``ctxsearch query --json`` prints."""
        return {
            "question": self.question,
            "index": self.index_path,
            "generation": self.generation,
            "mode": self.mode,
            "truncated": self.truncated,
            "hits": [hit.to_dict() for hit in self.hits],
            "milliseconds": {name: round(value, 3) for name, value in plain.values(self.milliseconds).items()},
        }

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        return plain.table(self.question, _HIT_COLUMNS, [hit._cells() for hit in self.hits])


class Spelled(str):
    """A value of a condition as it was spelled on a command line: the text, and the number or truth it reads as."""


class Failure(NamedTuple):
    """A source that did not go in, and why."""

    source: str
    error: str


class FailedSource(NamedTuple):
    """A failure as an index keeps it, until the file changes or is gone."""

    source: str
    """As the user spelled it; of a record, with its place in the file."""
    error: str
    origin: str
    """The absolute path of the file."""
    signature: str
    """What the file looked like when it failed; empty where that cannot be told, and it is tried again each time."""
    failed_at: str
    """UTC, ISO 8601."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values: a source of ``ctxsearch list --failed --json``."""
        return {name: getattr(self, name) for name in ("source", "error", "origin", "failed_at")}


class KnownDocument(NamedTuple):
    """What a store knows of a document without its text."""

    document_id: int
    key: str
    source: str
    origin: str
    title: str
    metadata: Mapping[str, Any]
    content_hash: str
    characters: int


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """What an ingest did to documents."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: int = 0
    moved: int = 0
    """Documents whose file was renamed; nothing was embedded for them."""


_MAX_SHOWN = 20
"""Failures that a notebook shows one by one."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did. ``contexts``, ``sentences`` and ``tokens`` count what was embedded in this run."""

    index: str
    generation: int
    documents: DocumentCounts
    contexts: int
    sentences: int
    tokens: int
    seconds: float
    encoder_busy: float = 0.0
    """Share of the seconds in which the encoder had something to do, 0 to 1."""
    failures: tuple[Failure, ...] = ()
    skipped: tuple[Failure, ...] = ()
    """Files met in a folder that are of no kind that can be read. No failures, but not passed over in silence."""
    failed_before: frozenset[Failure] = frozenset()
    """Those of the failures that the index knew, of files that did not change since; they were not tried again."""

    @property
    def contexts_per_second(self) -> float:
        return self.contexts / self.seconds if self.seconds > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values: what ``ctxsearch ingest --json`` prints."""
        counts = plain.values(self.documents)
        moved = counts.pop("moved")
        return {
            "index": self.index,
            "generation": self.generation,
            "documents": counts,
            "contexts": self.contexts,
            "sentences": self.sentences,
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
            "contexts_per_second": round(self.contexts_per_second, 1),
            "encoder_busy": round(self.encoder_busy, 3),
            "failures": plain.values(self.failures),
            "failed_before": len(self.failed_before),
            "moved": moved,
            "skipped": plain.values(self.skipped),
        }

    def _repr_html_(self) -> str:
        """How a notebook shows it: what was done, and the first sources that did not go in."""
        done = plain.values(self.documents).items()
        rows = [[plain.escaped(name), f"{count:,}"] for name, count in done if count or name in ("added", "unchanged")]
        rows += [["contexts", f"{self.contexts:,}"], ["seconds", f"{self.seconds:.1f}"]]
        shown = plain.table(self.index, ("", ""), rows)
        if self.failures:
            failed = [[*map(plain.escaped, failure)] for failure in self.failures[:_MAX_SHOWN]]
            more = len(self.failures) - len(failed)
            shown += plain.table(f"failed, and {more:,} more" if more else "failed", ("source", "why"), failed)
        return shown


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What an index holds and whether it is in order."""

    index: str
    format: int
    generation: int
    documents: int
    contexts: int
    sentences: int
    bytes: Mapping[str, int]
    """Bytes on disk: ``catalog`` (with its write-ahead log) and ``vectors``."""
    vector_index: str
    recall: float
    """Recall@10 of the vector index against exact search; 1.0 for exact search."""
    passport: Mapping[str, Any]
    healthy: bool
    problems: tuple[str, ...] = ()
    failed: int = 0
    """Sources that could not be read; `Index.failures` has them."""
    words: str = "current"
    """``current``; or ``older`` if full-text search has the words of an older version, until `Index.reindex`."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values: what ``ctxsearch status --json`` prints."""
        found: dict[str, Any] = plain.values(self)
        return found


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did."""

    index: str
    generation: int
    documents: int
    """Documents that are whole now."""
    lost: tuple[str, ...]
    """Documents that could not be saved, by their source where it could be read."""
    repaired: tuple[str, ...]
    """What was made anew."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        found: dict[str, Any] = plain.values(self)
        return found


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """What a change of models did."""

    index: str
    generation: int
    model: str
    documents: int
    """Documents in the index now."""
    embedded: int
    """Documents that were embedded in this run; the others were there from a run before."""
    contexts: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        found: dict[str, Any] = plain.values(self)
        return found


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did."""

    index: str
    generation: int
    added: int
    updated: int
    unchanged: int
    contexts: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        found: dict[str, Any] = plain.values(self)
        return found


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A document as `list` shows it."""

    document_id: int
    source: str
    title: str
    metadata: Mapping[str, Any]
    contexts: int
    characters: int
    ingested_at: str
    """UTC, ISO 8601."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values: a document of ``ctxsearch list --json``."""
        found: dict[str, Any] = plain.values(self)
        return found
