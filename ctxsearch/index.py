"""The Index that people hold: open, ingest, query, delete, status, close. Wiring only: each method calls one room."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ctxsearch import arguments, asynchronous, consent, forking, locks, logs, resources
from ctxsearch import documents as stored
from ctxsearch import store as stores
from ctxsearch.documents import Named, Source, identifier, select
from ctxsearch.errors import (
    ArgumentError,
    CtxsearchError,
    ModelError,
    PassportMismatchError,
    StoreError,
)
from ctxsearch.layout import LOCK_TIMEOUT_SECONDS, IndexFolder
from ctxsearch.passport import ModelFolder, Passport, find_model
from ctxsearch.records import (
    Answer,
    Document,
    DocumentSummary,
    FailedSource,
    FloatArray,
    GroupBy,
    ImportReport,
    IndexStatus,
    IngestReport,
    Missing,
    Mode,
    ReembedReport,
    RepairReport,
    StoredDocument,
    UnderWay,
)
from ctxsearch.spaces import OneSpace, SpaceChangedError, calibration_of, look_for_model
from ctxsearch.store import LocalStore

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ctxsearch import text_encoder
    from ctxsearch.encoder import Encoder
    from ctxsearch.ingest import ProgressListener
    from ctxsearch.query import Embed


def open(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    model: str | os.PathLike[str] | None = None,
    read_only: bool = False,
    encoder: text_encoder.Encoder | None = None,
    lock_timeout: float | None = None,
    recall: float | None = None,
) -> Index:
    """Open an index folder.

    Args:
        path: the folder.
        create: make an index if there is none; with ``read_only`` none is made.
        model: name or folder of the model; None for the index's own, or the default for a new index. A text without a
            separator is a name, looked for among the user's models and the one in the package. A folder that is named
            here is remembered: until then an index cannot have it loaded by saying that its model is there.
        read_only: refuse to change anything.
        encoder: a `ctxsearch.Encoder` in place of a model, so that several indexes share one that is loaded.
        lock_timeout: seconds to wait for another process that writes; None for $CTXSEARCH_LOCK_TIMEOUT, or 30.
        recall: in a large index, the share of the ten best contexts that is found by meaning, on average; 1.0 searches
            exactly. None for 0.99.

    Raises:
        IndexNotFoundError: there is no index, and none was to be made.
        NotAnIndexError: the folder is of something else.
        PassportMismatchError: the index was made with another model than the one named.
        ModelError: the model cannot be used.
        StoreError: the index cannot be used.
        ArgumentError: an argument is of another type, or out of range.
    """
    create, read_only = arguments.flag(create, "create"), arguments.flag(read_only, "read_only")
    if recall is not None:
        recall = arguments.real(recall, "recall")
        if not 0.0 < recall <= 1.0:
            raise ArgumentError(f"recall is {recall!r}; it is a share, above 0 and up to 1, as in 0.99")
    folder = IndexFolder(_absolute(path))
    timeout = _lock_timeout(lock_timeout)
    if read_only or not create:
        folder.require()
    named = _named_model(model, encoder)
    if named:  # before the index names it: a kill in between must not make the user's own model a stranger's
        consent.confirm(named.path, named.passport.fingerprint)
    if folder.exists():
        store = LocalStore(folder, timeout)
    else:
        named = named or find_model()
        named.verify()  # before an index is made that nothing could fill
        store = LocalStore.create(folder, named.passport, str(named.path.absolute()), timeout)
    if named and named.passport.fingerprint != store.passport.fingerprint:
        label = store.passport.label
        store.close()
        raise PassportMismatchError(
            f"{folder.root} was made with the model {label}, not with {named.passport.label}; leave out the model, or "
            f"take the index over to this one with: ctxsearch reembed --model {named.path} --index {folder.root}"
        )
    if recall is not None:
        store.recall = recall
    return Index(folder, store, named, read_only, None if encoder is None else encoder._encoder)


def _named_model(model: str | os.PathLike[str] | None, encoder: text_encoder.Encoder | None) -> ModelFolder | None:
    """The model that a caller names, if any."""
    if encoder is None:
        return find_model(model) if model is not None else None
    if model is not None:
        raise ArgumentError("open takes a model or an encoder, which has its own model; not both")
    from ctxsearch.text_encoder import Encoder as TextEncoder

    if not isinstance(encoder, TextEncoder):
        raise ArgumentError(f"encoder is {arguments.described(encoder)}; expected a ctxsearch.Encoder")
    return encoder._model


def _reopen(path: str, model: str | None, read_only: bool, lock_timeout: float, recall: float) -> Index:
    return open(path, create=False, model=model, read_only=read_only, lock_timeout=lock_timeout, recall=recall)


def _absolute(path: str | os.PathLike[str]) -> Path:
    """A path that goes on to name the same folder when the process changes its working directory."""
    named = arguments.path(path, "path")
    try:
        return Path(os.path.abspath(named))
    except FileNotFoundError as error:
        raise StoreError(f"{named}: the working directory was removed; name an absolute path") from error


def _lock_timeout(seconds: float | None) -> float:
    name, found = "lock_timeout", seconds
    if seconds is None and (said := os.environ.get("CTXSEARCH_LOCK_TIMEOUT")) is not None:
        name = "CTXSEARCH_LOCK_TIMEOUT"
        try:
            found = float(said)
        except ValueError as error:
            raise ArgumentError(f"{name} is {said!r}; expected seconds") from error
    if found is None:
        return LOCK_TIMEOUT_SECONDS
    found = arguments.real(found, name)
    if found < 0:
        raise ArgumentError(f"{name} is {found!r}; expected seconds, 0 or more")
    return found


class Index:
    """An open index. Made by `ctxsearch.open`; a context manager that closes itself. Threads may share one."""

    def __init__(
        self,
        folder: IndexFolder,
        store: LocalStore,
        model: ModelFolder | None,
        read_only: bool,
        encoder: Encoder | None = None,
    ) -> None:
        self._folder = folder
        self._store = store
        self._named = model
        self._models = {model.passport.fingerprint: model} if model else {}
        self._read_only = read_only
        self._encoder = encoder
        self._loading = locks.make(locks.Rank.ENCODER)
        self._background = asynchronous.Background()
        forking.register(self)
        logs.info("opened %s, of the model %s", self.path, store.last_space().label)

    def after_fork_in_child(self) -> None:
        """Threads of the parent may hold the lock, and its other threads are not here."""
        self._loading = locks.make(locks.Rank.ENCODER)
        self._background = asynchronous.Background()

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process, as a worker of `multiprocessing`, it is opened anew."""
        model = str(self._named.path) if self._named else None
        return _reopen, (str(self.path), model, self._read_only, self._store.lock_timeout, self._store.recall)

    @property
    def path(self) -> Path:
        """The index folder, as an absolute path."""
        return self._folder.root

    @property
    def model(self) -> ModelFolder:
        """The model that the index was made with.

        Raises:
            ModelError: it is not here, or cannot be used.
            PassportMismatchError: the one of that name here is another.
        """
        return self._find_model(*self._store.space())

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the index. Closing twice does no harm."""
        logs.debug("closed %s", self.path)
        self._store.close()
        self._encoder = None

    # The way in

    def ingest(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        glob: str | None = None,
        ignore: bool = True,
        metadata: Mapping[str, Any] | None = None,
        prune: bool = False,
        retry: bool = False,
        convert: Mapping[str, str | Sequence[str]] | None = None,
        on_progress: ProgressListener | None = None,
        stop: threading.Event | None = None,
    ) -> IngestReport:
        """Add and update documents from files and folders; what is unchanged is skipped.

        Args:
            paths: a path or several; ``-`` is standard input.
            glob: of the files in folders, only those whose name or path below the folder fits.
            ignore: leave out what ``.gitignore`` and ``.ctxignore`` name.
            metadata: added to every document's own.
            prune: remove documents that are gone from the paths.
            retry: try again files that failed before and did not change since.
            convert: commands by suffix that turn a file which cannot be read into one that can, such as ``{"doc":
                "antiword {}"}``. ``{}`` stands for the file, ``{folder}`` for a folder into which the command writes
                one file; without a folder, what it prints is read. They run without a shell, for a minute at most.
            on_progress: told several times a second while documents are read, and after each commit, in the thread that
                ingests.
            stop: ends it at the next window when it is set: what was committed stays, and nothing is removed.

        Returns:
            What was done. Sources that could not be read are listed in it.

        Raises:
            ArgumentError: a command of ``convert`` that cannot be run.
            StoreError: nothing can be written.
        """
        self._require_writable()
        self._require_resources()
        from ctxsearch.ingest import ingest_paths
        from ctxsearch.readers import commands

        return ingest_paths(
            self._store,
            self._get_encoder,
            str(self.path),
            arguments.paths(paths, "paths"),
            glob=_glob(glob),
            ignore=arguments.flag(ignore, "ignore"),
            metadata=_metadata(metadata),
            prune=arguments.flag(prune, "prune"),
            retry=arguments.flag(retry, "retry"),
            convert=commands(convert or {}),
            on_progress=on_progress,
            stop=stop,
        )

    def watch(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        stop: threading.Event,
        glob: str | None = None,
        ignore: bool = True,
        metadata: Mapping[str, Any] | None = None,
        prune: bool = False,
        retry: bool = False,
        convert: Mapping[str, str | Sequence[str]] | None = None,
        on_progress: ProgressListener | None = None,
        on_problem: Callable[[str], None] = lambda problem: None,
    ) -> Iterator[IngestReport]:
        """Ingest files and folders, and then what changes in them; yields a report for each round of changes.

        A file that was renamed is embedded no second time. Others may query and write between the rounds.

        Args:
            stop: ends it when set, after the round that it is in.
            on_problem: told in a line what keeps it from working as it should.

            The others are those of `ingest`.
        """
        self._require_writable()
        self._require_resources()
        from ctxsearch.readers import commands
        from ctxsearch.watch import watch

        return watch(
            self._store,
            self._get_encoder,
            str(self.path),
            arguments.paths(paths, "paths"),
            stop=stop,
            glob=_glob(glob),
            ignore=arguments.flag(ignore, "ignore"),
            metadata=_metadata(metadata),
            prune=arguments.flag(prune, "prune"),
            retry=arguments.flag(retry, "retry"),
            convert=commands(convert or {}),
            on_progress=on_progress,
            on_problem=on_problem,
        )

    def add(
        self,
        documents: Iterable[Document],
        *,
        on_progress: ProgressListener | None = None,
        stop: threading.Event | None = None,
    ) -> IngestReport:
        """Add documents made in Python, or replace those that are there: an upsert.

        `Document.source` is the key. A source that is new is added. One that is there is replaced as a whole: text,
        title and metadata are what the new document says, keys that it lacks are gone, and the id stays. Where only
        title or metadata are new nothing is embedded; where nothing is new nothing is written.

        Args:
            documents: any iterable; it is read once, as far as there is room, and never held as a whole. Values of
                metadata become what JSON has: dates and times ISO 8601 texts, UUIDs and paths texts, members of
                enumerations their values, sets and tuples lists, NumPy scalars numbers; a Decimal becomes a number
                where that is exact, else a text. A path as ``source`` is taken as its text.
            on_progress: told several times a second while documents are read, and after each commit, in the thread that
                adds.
            stop: ends it at the next window when it is set: what was committed stays.

        Returns:
            What was done. Documents that cannot be searched, since they have no word or their source came before with
            other content, are in `IngestReport.failures`, and stop nothing.

        Raises:
            ArgumentError: a field of a document is of another type, out of range, or cannot be stored, or its vectors
                are of another shape; the message names the document and the field. The documents before it are in and
                committed; it and those after it are not.
            StoreError: nothing can be written.
        """
        self._require_writable()
        self._require_resources()
        from ctxsearch.ingest import ingest_documents

        return ingest_documents(
            self._store, self._get_encoder, str(self.path), documents, on_progress=on_progress, stop=stop
        )

    def delete(
        self,
        documents: Named | Iterable[Named] | None = None,
        *,
        source: Source | Iterable[Source] | None = None,
        document_id: int | Iterable[int] | None = None,
        where: Mapping[str, Any] | None = None,
        missing: Missing = "error",
    ) -> int:
        """Remove documents, in one commit; returns how many. One argument says which.

        Args:
            documents: a source or an id, or several.
            source: a document's source, or the path of a file: then all documents that came from it; or several.
            document_id: as `Hit.document_id`; or several.
            where: a condition on metadata, as in `query`; it may fit no document.
            missing: as in `query`.

        Raises:
            DocumentNotFoundError: one that is named is not there; then nothing is removed.
            ArgumentError: none or several arguments were given, or the condition is empty or of no use.
        """
        self._require_writable()
        which = select(documents, source=source, document_id=document_id, where=where, missing=missing)
        return stored.delete(self._store, which, str(self.path))

    def update_metadata(
        self,
        documents: Named | Iterable[Named] | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        source: Source | Iterable[Source] | None = None,
        document_id: int | Iterable[int] | None = None,
        where: Mapping[str, Any] | None = None,
        missing: Missing = "error",
    ) -> int:
        """Change metadata of documents, in one commit; nothing is embedded again.

        The changes stay when a file is ingested again as it was. When the file has changed or was renamed, or a
        document of that source is added, its metadata are what the new one says.

        Args:
            documents: a source or an id, or several, or a condition on metadata, as in `query`.
            metadata: values by key, merged into those that are there; a value of None removes the key. A key with a dot
                is that key, not one of an object: objects are replaced as a whole.
            source, document_id, where, missing: in place of ``documents``, as in `delete`.

        Returns:
            How many documents were found.

        Raises:
            DocumentNotFoundError: one that is named is not there; then nothing is changed.
            ArgumentError: none or several documents arguments were given, the condition is empty or of no use, or the
                metadata cannot be kept.
        """
        self._require_writable()
        if metadata is None and isinstance(documents, Mapping):  # update_metadata({…}, document_id=5)
            documents, metadata = None, documents
        if metadata is None:
            raise ArgumentError("update_metadata takes the values to change, as in {'reviewed': True}")
        which = select(documents, source=source, document_id=document_id, where=where, missing=missing)
        return stored.update_metadata(self._store, which, metadata, str(self.path))

    # The way out

    def query(
        self,
        question: str | None = None,
        k: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
        *,
        offset: int = 0,
        group_by: GroupBy | None = None,
        vector: ArrayLike | None = None,
        missing: Missing = "error",
    ) -> Answer:
        """The k contexts that answer a question best.

        Args:
            question: plain text. By meaning, its first 32 tokens count; `Answer.truncated` says if there were more.
            k: most hits.
            mode: ``hybrid``, ``dense`` (by meaning) or ``lexical`` (by words).
            where: only documents whose metadata fit, as in ``{"team": "ops"}`` or ``{"size": {"$gt": 1000}}``; the
                operators are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $glob, $contains, $exists and $not; $and, $or
                and $not join conditions. A dot leads into an object: ``author.name``. ``source``, ``title`` and
                ``path`` are keys of every document.
            min_score: leaves out hits whose `Hit.score`, the probability that they answer, is less; 0 to 1.
            offset: hits passed over: the next page has ``offset=k``, and its first hit the rank ``offset + 1``.
            group_by: ``"document"`` for one hit of each document, its best; still k of them where there are so many.
            vector: in place of a question, an embedding of shape (dim,) in the index's space, of any length but 0. The
                search is dense, and the model is not needed.
            missing: what becomes of a condition on a key, or a kind of value, that no document has: ``"error"``, or
                with ``"ignore"`` it fits no document, and its opposite all of them.

        Raises:
            ArgumentError: the question is empty, or another argument is of no use.
            PassportMismatchError: the index was made with a model that is not the one here.
        """
        mode = arguments.mode(mode)
        if vector is not None:
            if question is not None or mode == "lexical":
                raise ArgumentError("query takes a question or a vector; a vector is searched for in dense mode")
            return self._nearest(vector, k, where, min_score, offset, group_by, missing)
        if question is None:
            raise ArgumentError("question is None; query takes a question, or a vector")
        (found,) = self.query_many(
            [arguments.question(question, "question")],
            k,
            mode,
            where,
            min_score,
            offset=offset,
            group_by=group_by,
            missing=missing,
        )
        return found

    def query_many(
        self,
        questions: Iterable[str],
        k: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
        *,
        offset: int = 0,
        group_by: GroupBy | None = None,
        missing: Missing = "error",
    ) -> list[Answer]:
        """Answer several questions, from any iterable of texts, embedded together; as `query` otherwise."""
        from ctxsearch.query import Search, answer

        asked, mode = arguments.questions(questions, "questions"), arguments.mode(mode)
        wanted = arguments.filter_of(where, missing)
        while True:
            store = OneSpace(self._store)
            model = self._model_of_before() or self._model_or_why_not()
            search = Search(k, mode, wanted, min_score, offset, group_by, calibration_of(model, mode))
            try:
                return answer(
                    store,
                    partial(self._embedder, store, model),
                    asked,
                    search,
                    aside=self._encoder is None,  # a model that is loaded is quicker than a thread
                    index_name=str(self.path),
                )
            except SpaceChangedError:
                continue  # another model took over between the question's embedding and the search

    def _nearest(
        self,
        vector: ArrayLike,
        k: int,
        where: Mapping[str, Any] | None,
        min_score: float | None,
        offset: int,
        group_by: GroupBy | None,
        missing: Missing,
    ) -> Answer:
        from ctxsearch.embeddings import unit_vector
        from ctxsearch.query import Search, nearest

        wanted = arguments.filter_of(where, missing)
        while True:
            store = OneSpace(self._store)
            space = store.passport
            store.enter(space)
            calibration = calibration_of(self._model_or_why_not(), "dense")
            search = Search(k, "dense", wanted, min_score, offset, group_by, calibration)
            try:
                return nearest(store, unit_vector(vector, space.dim), search, index_name=str(self.path))
            except SpaceChangedError:
                continue

    def more_like(
        self,
        document: Named | None = None,
        k: int = 5,
        *,
        source: Source | None = None,
        document_id: int | None = None,
        context_id: int | None = None,
        where: Mapping[str, Any] | None = None,
        offset: int = 0,
        group_by: GroupBy | None = None,
        missing: Missing = "error",
    ) -> Answer:
        """The contexts that are nearest in meaning to a document or to a context, itself left out.

        A document is searched for by the mean of its contexts' embeddings, and no context of its own is a hit. Scores
        are cosine similarities, -1 to 1, and the answer has an empty question. The model is not needed.

        Args:
            document: its source or its id.
            k: most hits.
            source, document_id: in place of ``document``, as in `get`.
            context_id: in place of a document, a context, as `Hit.context_id`.
            where, offset, group_by, missing: as in `query`.

        Raises:
            DocumentNotFoundError: there is no such document or context.
            ArgumentError: none or several were named, or another argument is of no use.
        """
        from ctxsearch import similar
        from ctxsearch.query import Search

        search = Search(k, "dense", arguments.filter_of(where, missing), offset=offset, group_by=group_by)
        if context_id is not None:
            if (document, source, document_id) != (None, None, None):
                raise ArgumentError("more_like takes a document or a context_id, not both")
            return similar.like_context(self._store, identifier(context_id, "context_id"), search, str(self.path))
        which = select(document, source=source, document_id=document_id)
        return similar.like_document(self._store, which, search, str(self.path))

    def get(
        self,
        document: Named | None = None,
        *,
        source: Source | None = None,
        document_id: int | None = None,
        vectors: bool = False,
    ) -> StoredDocument:
        """A document with its text, metadata and contexts. One argument names it.

        Args:
            document: its source or its id.
            source: its source, or the path of the file that it came from.
            document_id: as `Hit.document_id`.
            vectors: give each context its embeddings, float32 of shape (1 + sentences, dim).

        Raises:
            DocumentNotFoundError: there is none, or several came from the file.
            ArgumentError: none or several arguments were given.
        """
        vectors = arguments.flag(vectors, "vectors")
        which = select(document, source=source, document_id=document_id)
        return stored.get(self._store, which, str(self.path), vectors=vectors)

    def iterate(
        self,
        where: Mapping[str, Any] | None = None,
        after: int | None = None,
        *,
        missing: Missing = "error",
        vectors: bool = False,
    ) -> Iterator[StoredDocument]:
        """All documents, or those whose metadata fit, in the order of their ids; read page by page, never all at once.

        Each page is of one generation. Others may write between pages: what is deleted before its page is read does not
        come, and what is added comes at the end.

        Args:
            where: a condition on metadata, as in `query`.
            after: only documents with a higher id: the ``document_id`` of the last one that was seen.
            missing: as in `query`.
            vectors: as in `get`.

        Raises:
            ArgumentError: the condition is of no use, or ``after`` is no id.
        """
        return stored.iterate(
            self._store, arguments.filter_of(where, missing), after, vectors=arguments.flag(vectors, "vectors")
        )

    def count(self, where: Mapping[str, Any] | None = None, *, missing: Missing = "error") -> int:
        """How many documents there are, or how many have metadata that fit a condition, as in `query`."""
        return stored.count(self._store, arguments.filter_of(where, missing))

    def __len__(self) -> int:
        """How many documents there are."""
        return self.count()

    def __bool__(self) -> bool:
        """True, with or without documents: an index is a place, and ``if index:`` asks whether there is one."""
        return True

    def __contains__(self, document: object) -> bool:
        """Whether there is a document of a source, of the path of a file, or of an id."""
        return stored.contains(self._store, document)

    def documents(self, where: Mapping[str, Any] | None = None, *, missing: Missing = "error") -> list[DocumentSummary]:
        """The documents of the index without their texts, in the order in which they came; `iterate` has the texts."""
        with self._store.snapshot() as snapshot:
            return list(snapshot.documents(arguments.filter_of(where, missing)))

    def failures(self) -> list[FailedSource]:
        """Sources that could not be read, by the path of their file, until they change, succeed or are gone."""
        with self._store.snapshot() as snapshot:
            return snapshot.failures()

    def text(self, *, source: str | os.PathLike[str] | None = None, document_id: int | None = None) -> str:
        """A document's text, letter for letter: what offsets of hits point into.

        Raises:
            DocumentNotFoundError: there is none, or more than one of that source.
            ArgumentError: neither or both were given.
        """
        which = select(source=source, document_id=document_id)
        with self._store.snapshot() as snapshot:
            ids = stored.find(snapshot, which.named, str(self.path))
            return snapshot.document_text(stored.only(ids, which.named))

    # For asyncio

    aingest = asynchronous.writing(ingest, stops=True)
    aadd = asynchronous.writing(add, stops=True)
    adelete = asynchronous.writing(delete)
    aupdate_metadata = asynchronous.writing(update_metadata)
    aquery = asynchronous.reading(query)
    aquery_many = asynchronous.reading(query_many)
    amore_like = asynchronous.reading(more_like)
    aget = asynchronous.reading(get)
    acount = asynchronous.reading(count)

    # Embeddings

    def embed_questions(self, questions: Iterable[str]) -> FloatArray:
        """Embeddings of questions in the index's space, as `query` takes them for ``vector``.

        Args:
            questions: texts; of each, as much is read as fits the model's question window.

        Returns:
            Unit rows, float32 of shape (questions, dim).

        Raises:
            ArgumentError: the questions are no texts.
            ModelError: the index's model is not here, or cannot be used.
        """
        from ctxsearch import text_encoder

        return text_encoder.embed_questions(self._get_encoder(), questions)

    def embed_contexts(self, texts: Iterable[str]) -> FloatArray:
        """Embeddings of passages in the index's space, as `Document.vectors` takes them.

        Args:
            texts: texts; of each, as much is read as fits the model's context window.

        Returns:
            Unit rows, float32 of shape (texts, dim).

        Raises:
            ArgumentError: the texts are no texts.
            ModelError: the index's model is not here, or cannot be used.
        """
        from ctxsearch import text_encoder

        return text_encoder.embed_contexts(self._get_encoder(), texts)

    # Care

    def status(self) -> IndexStatus:
        """What the index holds and whether it is in order, without reading all of it."""
        with self._store.snapshot() as snapshot:
            documents, contexts, sentences = snapshot.counts()
            held = snapshot.contexts_with_vectors()
            kind, recall = snapshot.vector_index()
            generation = snapshot.generation
            failed = len(snapshot.failures())
            current = snapshot.has_current_words()
        problems = []
        if held != contexts:
            problems.append(f"the catalog has {contexts} contexts, the vector index {held}")
        try:
            self._find_model(*self._store.space())
        except (ModelError, PassportMismatchError) as error:
            problems.append(str(error))
        return IndexStatus(
            index=str(self.path),
            format=self._store.format,
            generation=generation,
            documents=documents,
            contexts=contexts,
            sentences=sentences,
            bytes=self._store.bytes_on_disk(),
            vector_index=kind,
            recall=recall,
            passport=self._store.passport.to_dict(),
            healthy=not problems,
            problems=tuple(problems),
            failed=failed,
            words="current" if current else "older",
        )

    def verify(self) -> list[str]:
        """Check everything: the catalog, its full text, every vector, and the model. Returns what is wrong.

        Changes nothing, and keeps nobody from writing.
        """
        from ctxsearch import canaries

        found = stores.verify(self._store)
        try:
            with self._store.snapshot() as snapshot:
                kept = snapshot.canaries()
            if kept is not None:
                likeness = canaries.compare(kept, self._get_encoder())
                if likeness < canaries.CLOSE:
                    found.append(f"the model gives other vectors here than where the index was made: {likeness:.3f}")
        except (ModelError, PassportMismatchError) as error:
            found.append(str(error))
        return found

    def compact(self) -> None:
        """Give back the space of what was deleted; nothing of it stays in any file. Former models go as well."""
        self._require_writable()
        stores.compact(self._store)
        logs.info("compacted %s", self.path)

    def reindex(self) -> None:
        """Make full-text search anew, by the words of this version; `IndexStatus.words` says whether it is of use.

        Nothing is embedded again. Other processes go on meanwhile, and find the old words until it is done.
        """
        self._require_writable()
        stores.reindex(self._store)

    def backup(self, destination: str | os.PathLike[str]) -> None:
        """Copy the newest generation to a new folder, while others may write. Copy it back to restore it.

        Raises:
            ArgumentError: the destination is there already.
            StoreError: it cannot be written.
        """
        stores.back_up(self._store, Path(arguments.path(destination, "destination")))

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write the newest generation to a JSON Lines file, compressed if its name ends in ``.gz``.

        Returns:
            How many documents it has.
        """
        from ctxsearch import exchange

        with stores.separate(self._store) as own:
            return exchange.export(own, Path(arguments.path(path, "path")))

    @classmethod
    def import_(
        cls,
        source: str | os.PathLike[str],
        path: str | os.PathLike[str],
        *,
        model: str | os.PathLike[str] | None = None,
    ) -> ImportReport:
        """Take an export into the index at a path, made if there is none; nothing is embedded.

        Args:
            source: the file.
            path: the index folder. A new one is removed again if the import fails.
            model: name or folder of the model that the export was made with, for an index that is made. It is needed
                where the model is not among the user's, and not before something is asked or added.

        Raises:
            SourceError: the file is not a whole export.
            PassportMismatchError: the index, or the model named, is another than that of the export.
        """
        from ctxsearch import exchange

        file = Path(arguments.path(source, "source"))
        folder = IndexFolder(_absolute(path))
        named = find_model(model) if model is not None else None
        passport = exchange.read_passport(file)
        if named and named.passport.fingerprint != passport.fingerprint:
            raise PassportMismatchError(f"{file} is of the model {passport.label}, not of {named.passport.label}")
        timeout = _lock_timeout(None)
        with stores.opened_or_made(folder, passport, str(named.path.absolute()) if named else "", timeout) as store:
            report = exchange.import_into(store, file, str(folder.root))
        if named:
            consent.confirm(named.path, named.passport.fingerprint)
        return report

    @classmethod
    def repair(cls, path: str | os.PathLike[str]) -> RepairReport:
        """Make anew what is derived in an index folder; save what can be read of a damaged catalog.

        Raises:
            IndexNotFoundError: there is no index.
            DamagedIndexError: nothing can be saved.
        """
        return stores.repair(IndexFolder(_absolute(path)), _lock_timeout(None))

    def reembed(self, model: str | os.PathLike[str]) -> ReembedReport:
        """Take the index over to another model. Readers go on with the old one until all is embedded.

        A run that was killed goes on where it was. `rollback` goes back, until `compact`.

        Raises:
            ModelError: the model cannot be used.
            ArgumentError: the index is of that model already.
        """
        from ctxsearch.reembed import bring_up_to_date

        self._require_writable()
        wanted = find_model(model)
        wanted.verify()
        consent.confirm(wanted.path, wanted.passport.fingerprint)
        with stores.successor(self._store, wanted.passport, str(wanted.path.absolute())) as successor:
            return bring_up_to_date(successor, lambda: self._encoder_of(wanted), str(self.path))

    def rollback(self) -> ReembedReport:
        """Go back to the model before the last `reembed`; what was ingested since is embedded with it.

        Raises:
            IndexNotFoundError: there is none to go back to.
        """
        from ctxsearch.reembed import bring_up_to_date

        self._require_writable()
        with stores.former(self._store) as successor:

            def encoder() -> Encoder:
                return self._encoder_of(self._find_model(successor.passport, successor.model_path))

            return bring_up_to_date(successor, encoder, str(self.path))

    def _require_writable(self) -> None:
        if self._read_only:
            raise ArgumentError(f"{self.path} was opened with read_only=True")

    def _require_resources(self) -> None:
        """Before what needs a model imports a library that ends the process where it gets no memory or threads."""
        if self._encoder is None:
            resources.require_for_model()

    def _find_model(self, wanted: Passport, path: str) -> ModelFolder:
        """The model of an embedding space: one that was named, else by the passport's name, else where it was."""
        known = self._models.get(wanted.fingerprint)
        if known is None:
            known = self._models[wanted.fingerprint] = look_for_model(wanted, path, self.path)
        return known

    def _model_of_before(self) -> ModelFolder | None:
        """The model of the last call, if it is loaded and no other is known to have taken over; snapshots tell of one.

        So a question is on its way to its embedding before the disk is looked at.
        """
        encoder, wanted = self._encoder, self._store.last_space().fingerprint
        return self._models.get(wanted) if encoder and encoder.passport.fingerprint == wanted else None

    def _model_or_why_not(self) -> ModelFolder | CtxsearchError:
        """The model of the newest generation's space; the error is for those who need one, which words do not."""
        try:
            return self._find_model(*self._store.space())
        except (ModelError, PassportMismatchError) as error:
            return error

    def _get_encoder(self) -> Encoder:
        """The encoder of the newest generation's space."""
        self._require_resources()
        return self._encoder_of(self._find_model(*self._store.space()))

    def _embedder(self, space: OneSpace, model: ModelFolder | CtxsearchError, beside: bool) -> Embed:
        """What begins to embed questions for one call. It asks nothing of the store, which the call reads meanwhile.

        Args:
            space: told of the model.
            model: finds the encoder; or the error that says why there is none.
            beside: whether the call has something else to do meanwhile. Otherwise they are embedded when they are
                asked for, by the thread that asks: to wake another, and to be woken, takes a tenth of a millisecond.
        """
        if isinstance(model, CtxsearchError):
            raise model
        self._require_resources()
        space.enter(model.passport)
        if beside:
            return lambda questions: self._encoder_of(model).begin_questions(questions)
        return lambda questions: UnderWay(lambda: self._encoder_of(model).embed_questions(questions))

    def _encoder_of(self, model: ModelFolder) -> Encoder:
        with self._loading:
            if self._encoder is None or self._encoder.passport.fingerprint != model.passport.fingerprint:
                from ctxsearch.encoder import Encoder

                started = time.perf_counter()
                self._encoder = Encoder(model)
                logs.info("loaded the model %s in %.2f s", model.passport.label, time.perf_counter() - started)
            return self._encoder


def _glob(glob: str | None) -> str | None:
    return None if glob is None else arguments.name_of(glob, "glob")


def _metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if metadata is None else arguments.json_object(metadata, "metadata")
