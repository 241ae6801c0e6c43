"""The Index that people hold: open, ingest, query, delete, status, close. Wiring only: each method calls one room."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ctxsearch import store as stores
from ctxsearch.calibration import Calibration
from ctxsearch.errors import (
    ArgumentError,
    CtxsearchError,
    DocumentNotFoundError,
    ModelError,
    ModelNotFoundError,
    PassportMismatchError,
)
from ctxsearch.layout import LOCK_TIMEOUT_SECONDS, IndexFolder
from ctxsearch.passport import ModelFolder, Passport, find_model
from ctxsearch.records import (
    Answer,
    Document,
    DocumentSummary,
    FailedSource,
    ImportReport,
    IndexStatus,
    IngestReport,
    Mode,
    ReembedReport,
    RepairReport,
    UnderWay,
)
from ctxsearch.store import LocalStore, Snapshot, Writer

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder
    from ctxsearch.ingest import ProgressListener
    from ctxsearch.query import Embed


def open(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    model: str | os.PathLike[str] | None = None,
    read_only: bool = False,
    lock_timeout: float | None = None,
    recall: float | None = None,
) -> Index:
    """Open an index folder.

    Args:
        path: the folder.
        create: make an index if there is none; with ``read_only`` none is made.
        model: name or folder of the model; None for the index's own, or the default for a new index.
        read_only: refuse to change anything.
        lock_timeout: seconds to wait for another process that writes; None for $CTXSEARCH_LOCK_TIMEOUT, or 30.
        recall: in a large index, the share of the ten best contexts that is found by meaning, on average; 1.0 searches
            exactly. None for 0.99.

    Raises:
        IndexNotFoundError: there is no index, and none was to be made.
        NotAnIndexError: the folder is of something else.
        PassportMismatchError: the index was made with another model than the one named.
        ModelError: the model cannot be used.
        StoreError: the index cannot be used.
        ArgumentError: ``recall`` is not above 0 and up to 1.
    """
    if recall is not None and not 0.0 < recall <= 1.0:
        raise ArgumentError(f"recall is {recall!r}; it is a share, above 0 and up to 1, as in 0.99")
    folder = IndexFolder(Path(path))
    timeout = _lock_timeout(lock_timeout)
    if read_only or not create:
        folder.require()
    named = find_model(model) if model is not None else None
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
            f"take the index over to this one with: ctxsearch reembed --model {model} --index {folder.root}"
        )
    if recall is not None:
        store.recall = recall
    return Index(folder, store, named, read_only)


def _lock_timeout(seconds: float | None) -> float:
    said = os.environ.get("CTXSEARCH_LOCK_TIMEOUT")
    if seconds is None and said is not None:
        try:
            seconds = float(said)
        except ValueError as error:
            raise ArgumentError(f"CTXSEARCH_LOCK_TIMEOUT is {said!r}; expected seconds") from error
    return LOCK_TIMEOUT_SECONDS if seconds is None else seconds


class Index:
    """An open index. Made by `ctxsearch.open`; a context manager that closes itself. Threads may share one."""

    def __init__(self, folder: IndexFolder, store: LocalStore, model: ModelFolder | None, read_only: bool) -> None:
        self._folder = folder
        self._store = store
        self._models = {model.passport.fingerprint: model} if model else {}
        self._read_only = read_only
        self._encoder: Encoder | None = None
        self._loading = threading.Lock()

    @property
    def path(self) -> Path:
        """The index folder."""
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
        on_progress: ProgressListener | None = None,
    ) -> IngestReport:
        """Add and update documents from files and folders; what is unchanged is skipped.

        Args:
            paths: a path or several; ``-`` is standard input.
            glob: of the files in folders, only those whose name or path below the folder fits.
            ignore: leave out what ``.gitignore`` and ``.ctxignore`` name.
            metadata: added to every document's own.
            prune: remove documents that are gone from the paths.
            retry: try again files that failed before and did not change since.
            on_progress: told after each commit.

        Returns:
            What was done. Sources that could not be read are listed in it.

        Raises:
            StoreError: nothing can be written.
        """
        from ctxsearch.ingest import ingest_paths

        self._require_writable()
        return ingest_paths(
            self._store,
            self._get_encoder,
            str(self.path),
            _paths(paths),
            glob=glob,
            ignore=ignore,
            metadata=metadata,
            prune=prune,
            retry=retry,
            on_progress=on_progress,
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
        from ctxsearch.watch import watch

        self._require_writable()
        return watch(
            self._store,
            self._get_encoder,
            str(self.path),
            _paths(paths),
            stop=stop,
            glob=glob,
            ignore=ignore,
            metadata=metadata,
            prune=prune,
            retry=retry,
            on_progress=on_progress,
            on_problem=on_problem,
        )

    def add(self, documents: Iterable[Document]) -> IngestReport:
        """Add and update documents made in Python; one of a source that is there replaces it."""
        from ctxsearch.ingest import ingest_documents

        self._require_writable()
        return ingest_documents(self._store, self._get_encoder, str(self.path), documents)

    def delete(self, *, source: str | os.PathLike[str] | None = None, document_id: int | None = None) -> int:
        """Remove documents; returns how many.

        Args:
            source: a document's source, or the path of a file: then all documents that came from it.
            document_id: as `Hit.document_id`.

        Raises:
            DocumentNotFoundError: there is none.
            ArgumentError: neither or both were given.
        """
        self._require_writable()
        with self._store.writer() as writer:
            ids = self._find(writer.find_documents, writer.has_document, source, document_id)
            for found in ids:
                writer.delete_document(found)
            writer.commit()
        return len(ids)

    # The way out

    def query(
        self,
        question: str,
        k: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
    ) -> Answer:
        """The k contexts that answer a question best.

        Args:
            question: plain text. By meaning, its first 32 tokens count; `Answer.truncated` says if there were more.
            k: most hits.
            mode: ``hybrid``, ``dense`` (by meaning) or ``lexical`` (by words).
            where: only documents whose metadata fit, as in ``{"team": "ops"}`` or ``{"size": {"$gt": 1000}}``; the
                operators are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $glob, and $and and $or join conditions.
                ``source``, ``title`` and ``path`` are keys of every document.
            min_score: leaves out hits whose `Hit.score`, the probability that they answer, is less; 0 to 1.

        Raises:
            ArgumentError: the question is empty, or another argument is of no use.
            PassportMismatchError: the index was made with a model that is not the one here.
        """
        return self.query_many([question], k, mode, where, min_score)[0]

    def query_many(
        self,
        questions: Sequence[str],
        k: int = 5,
        mode: Mode = "hybrid",
        where: Mapping[str, Any] | None = None,
        min_score: float | None = None,
    ) -> list[Answer]:
        """Answer several questions, embedded together; as `query` otherwise."""
        from ctxsearch.query import answer

        while True:
            store = _OneSpace(self._store)
            model = self._model_of_before() or self._model_or_why_not()
            try:
                return answer(
                    store,
                    partial(self._embedder, store, model),
                    questions,
                    k=k,
                    mode=mode,
                    where=where,
                    min_score=min_score,
                    calibration=_calibration(model, mode),
                    aside=self._encoder is None,  # a model that is loaded is quicker than a thread
                )
            except _SpaceChangedError:
                continue  # another model took over between the question's embedding and the search

    def documents(self, where: Mapping[str, Any] | None = None) -> list[DocumentSummary]:
        """The documents of the index, in the order in which they came."""
        with self._store.snapshot() as snapshot:
            return list(snapshot.documents(where))

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
        with self._store.snapshot() as snapshot:
            ids = self._find(snapshot.find_documents, snapshot.has_document, source, document_id)
            if len(ids) > 1:
                raise DocumentNotFoundError(
                    f"{source} holds {len(ids)} documents; name one by its own source (ctxsearch list shows them)"
                )
            return snapshot.document_text(ids[0])

    # Care

    def status(self) -> IndexStatus:
        """What the index holds and whether it is in order, without reading all of it."""
        with self._store.snapshot() as snapshot:
            documents, contexts, sentences = snapshot.counts()
            held = snapshot.contexts_with_vectors()
            kind, recall = snapshot.vector_index()
            generation = snapshot.generation
            failed = len(snapshot.failures())
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

    def backup(self, destination: str | os.PathLike[str]) -> None:
        """Copy the newest generation to a new folder, while others may write. Copy it back to restore it.

        Raises:
            ArgumentError: the destination is there already.
            StoreError: it cannot be written.
        """
        stores.back_up(self._store, Path(destination))

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write the newest generation to a JSON Lines file, compressed if its name ends in ``.gz``.

        Returns:
            How many documents it has.
        """
        from ctxsearch import exchange

        return exchange.export(self._store, Path(path))

    @classmethod
    def import_(cls, source: str | os.PathLike[str], path: str | os.PathLike[str]) -> ImportReport:
        """Take an export into the index at a path, made if there is none; nothing is embedded.

        Raises:
            SourceError: the file is not a whole export.
            PassportMismatchError: the index is of another model.
        """
        from ctxsearch import exchange

        folder = IndexFolder(Path(path))
        passport = exchange.read_passport(Path(source))
        timeout = _lock_timeout(None)
        store = LocalStore(folder, timeout) if folder.exists() else LocalStore.create(folder, passport, "", timeout)
        try:
            return exchange.import_into(store, Path(source), str(folder.root))
        finally:
            store.close()

    @classmethod
    def repair(cls, path: str | os.PathLike[str]) -> RepairReport:
        """Make anew what is derived in an index folder; save what can be read of a damaged catalog.

        Raises:
            IndexNotFoundError: there is no index.
            DamagedIndexError: nothing can be saved.
        """
        return stores.repair(IndexFolder(Path(path)), _lock_timeout(None))

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

    def _find(self, find: Any, has: Any, source: str | os.PathLike[str] | None, document_id: int | None) -> list[int]:
        if (source is None) == (document_id is None):
            raise ArgumentError("name a document by its source or by its id")
        if source is None:
            ids = [document_id] if document_id is not None and has(document_id) else []
        else:
            name = os.fspath(source)
            spellings = dict.fromkeys((name, Path(name).as_posix(), str(Path(name).resolve())))
            ids = next((found for spelling in spellings if (found := find(spelling))), [])
        if not ids:
            raise DocumentNotFoundError(
                f"no document {source if source is not None else document_id} in {self.path}; "
                "ctxsearch list shows those that are there"
            )
        return ids

    def _require_writable(self) -> None:
        if self._read_only:
            raise ArgumentError(f"{self.path} was opened with read_only=True")

    def _find_model(self, wanted: Passport, path: str) -> ModelFolder:
        """The model of an embedding space: one that was named, else by the passport's name, else where it was."""
        if wanted.fingerprint not in self._models:
            found: list[ModelFolder] = []
            for place in (wanted.name, path):
                try:
                    found.append(find_model(place))
                except ModelNotFoundError:
                    continue
            if not found:
                raise ModelNotFoundError(
                    f"{self.path} was made with the model {wanted.label}, which is not here; name its folder with "
                    f"--model, install it, or take another: ctxsearch reembed --model NAME --index {self.path}"
                )
            fitting = [model for model in found if model.passport.fingerprint == wanted.fingerprint]
            if not fitting:
                raise PassportMismatchError(
                    f"{self.path} was made with the model {wanted.label}; the one of that name here is "
                    f"{found[0].passport.label}: name the right folder with --model, or take the index over with: "
                    f"ctxsearch reembed --model {found[0].passport.name} --index {self.path}"
                )
            self._models[wanted.fingerprint] = fitting[0]
        return self._models[wanted.fingerprint]

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
        return self._encoder_of(self._find_model(*self._store.space()))

    def _embedder(self, space: _OneSpace, model: ModelFolder | CtxsearchError, beside: bool) -> Embed:
        """What begins to embed questions for one call. It asks nothing of the store, which the call reads meanwhile.

        Args:
            space: told of the model.
            model: finds the encoder; or the error that says why there is none.
            beside: whether the call has something else to do meanwhile. Otherwise they are embedded when they are
                asked for, by the thread that asks: to wake another, and to be woken, takes a tenth of a millisecond.
        """
        if isinstance(model, CtxsearchError):
            raise model
        space.enter(model.passport)
        if beside:
            return lambda questions: self._encoder_of(model).begin_questions(questions)
        return lambda questions: UnderWay(lambda: self._encoder_of(model).embed_questions(questions))

    def _encoder_of(self, model: ModelFolder) -> Encoder:
        with self._loading:
            if self._encoder is None or self._encoder.passport.fingerprint != model.passport.fingerprint:
                from ctxsearch.encoder import Encoder

                self._encoder = Encoder(model)
            return self._encoder


def _paths(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    return [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]


def _calibration(model: ModelFolder | CtxsearchError, mode: Mode) -> Calibration | None:
    """What makes scores of that mode probabilities, from the model's card; None where it has nothing."""
    calibrations = None if isinstance(model, CtxsearchError) else model.card.get("calibrations")
    return Calibration.from_dict(calibrations.get(mode, {})) if isinstance(calibrations, dict) else None


class _SpaceChangedError(Exception):
    """The store went over to another model in the middle of a call."""


class _OneSpace:
    """A store as one call sees it: the embeddings of its questions and its snapshots are of one space."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._space: str | None = None

    def enter(self, space: Passport) -> None:
        """Say in which space the questions are embedded; before the first snapshot."""
        self._space = space.fingerprint

    @property
    def passport(self) -> Passport:
        return self._store.passport

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._store.snapshot() as snapshot:
            if self._space not in (None, snapshot.passport.fingerprint):
                raise _SpaceChangedError
            yield snapshot

    def writer(self) -> AbstractContextManager[Writer]:
        return self._store.writer()

    def close(self) -> None:
        self._store.close()
