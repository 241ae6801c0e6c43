"""The Index that people hold: open, ingest, query, delete, status, close. Wiring only: each method calls one room."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ctxsearch.calibration import Calibration
from ctxsearch.errors import ArgumentError, DocumentNotFoundError, ModelError, ModelNotFoundError, PassportMismatchError
from ctxsearch.layout import FORMAT_VERSION, IndexFolder
from ctxsearch.passport import ModelFolder, find_model
from ctxsearch.records import Answer, Document, DocumentSummary, IndexStatus, IngestReport, Mode
from ctxsearch.store import LocalStore

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder
    from ctxsearch.ingest import ProgressListener


def open(
    path: str | os.PathLike[str],
    *,
    create: bool = True,
    model: str | os.PathLike[str] | None = None,
    read_only: bool = False,
) -> Index:
    """Open an index folder.

    Args:
        path: the folder.
        create: make an index if there is none; with ``read_only`` none is made.
        model: name or folder of the model; None for the index's own, or the default for a new index.
        read_only: refuse to change anything.

    Raises:
        IndexNotFoundError: there is no index, and none was to be made.
        NotAnIndexError: the folder is of something else.
        PassportMismatchError: the index was made with another model than the one named.
        ModelError: the model cannot be used.
        StoreError: the index cannot be used.
    """
    folder = IndexFolder(Path(path))
    if read_only or not create:
        folder.require()
    named = find_model(model) if model is not None else None
    if folder.exists():
        store = LocalStore(folder)
    else:
        named = named or find_model()
        named.verify()  # before an index is made that nothing could fill
        store = LocalStore.create(folder, named.passport, named.path.absolute())
    try:
        if named and named.passport.fingerprint != store.passport.fingerprint:
            raise PassportMismatchError(
                f"{folder.root} was made with the model {store.passport.label}, not with {named.passport.label}; "
                "leave out the model, or make an index of its own for this one"
            )
    except PassportMismatchError:
        store.close()
        raise
    return Index(folder, store, named, read_only)


class Index:
    """An open index. Made by `ctxsearch.open`; a context manager that closes itself. Threads may share one."""

    def __init__(self, folder: IndexFolder, store: LocalStore, model: ModelFolder | None, read_only: bool) -> None:
        self._folder = folder
        self._store = store
        self._model = model
        self._read_only = read_only
        self._encoder: Encoder | None = None
        self._loading = threading.Lock()

    @property
    def path(self) -> Path:
        """The index folder."""
        return self._folder.root

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
        on_progress: ProgressListener | None = None,
    ) -> IngestReport:
        """Add and update documents from files and folders; what is unchanged is skipped.

        Args:
            paths: a path or several; ``-`` is standard input.
            glob: of the files in folders, only those whose name or path below the folder fits.
            ignore: leave out what ``.gitignore`` and ``.ctxignore`` name.
            metadata: added to every document's own.
            prune: remove documents that are gone from the paths.
            on_progress: told after each commit.

        Returns:
            What was done. Sources that could not be read are listed in it.

        Raises:
            StoreError: nothing can be written.
        """
        from ctxsearch.ingest import ingest_paths

        self._require_writable()
        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        return ingest_paths(
            self._store,
            self._get_encoder,
            str(self.path),
            [os.fspath(path) for path in several],
            glob=glob,
            ignore=ignore,
            metadata=metadata,
            prune=prune,
            on_progress=on_progress,
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
            where: only documents with these metadata, as in ``{"team": "ops"}``.
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

        return answer(
            self._store,
            self._get_encoder,
            questions,
            k=k,
            mode=mode,
            where=where,
            min_score=min_score,
            calibration=self._calibration(mode),
        )

    def documents(self, where: Mapping[str, Any] | None = None) -> list[DocumentSummary]:
        """The documents of the index, in the order in which they came."""
        with self._store.snapshot() as snapshot:
            return list(snapshot.documents(where))

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
            generation = snapshot.generation
        problems = []
        if held != contexts:
            problems.append(f"the catalog has {contexts} contexts, the vector index {held}")
        try:
            self._find_model()
        except (ModelError, PassportMismatchError) as error:
            problems.append(str(error))
        return IndexStatus(
            index=str(self.path),
            format=FORMAT_VERSION,
            generation=generation,
            documents=documents,
            contexts=contexts,
            sentences=sentences,
            bytes=self._store.bytes_on_disk(),
            vector_index="exact",
            recall=1.0,
            passport=self._store.passport.to_dict(),
            healthy=not problems,
            problems=tuple(problems),
        )

    def verify(self) -> list[str]:
        """Check everything: the catalog, its full text, and every vector. Returns what is wrong; empty for nothing."""
        self._require_writable()
        return self._store.verify()

    def compact(self) -> None:
        """Give back the space of what was deleted."""
        self._require_writable()
        self._store.compact()

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

    def _find_model(self) -> ModelFolder:
        """The model of this index: the one named, else by the passport's name, else where it was."""
        wanted = self._store.passport
        if self._model is None:
            found: list[ModelFolder] = []
            for place in (wanted.name, self._store.model_path):
                try:
                    found.append(find_model(place))
                except ModelNotFoundError:
                    continue
            if not found:
                raise ModelNotFoundError(
                    f"{self.path} was made with the model {wanted.label}, which is not here; "
                    "name its folder with --model, or install it"
                )
            fitting = [model for model in found if model.passport.fingerprint == wanted.fingerprint]
            if not fitting:
                raise PassportMismatchError(
                    f"{self.path} was made with the model {wanted.label}; the one of that name here is "
                    f"{found[0].passport.label}: name the right folder with --model, or make the index anew"
                )
            self._model = fitting[0]
        return self._model

    def _calibration(self, mode: Mode) -> Calibration | None:
        """What makes scores of that mode probabilities, from the model's card; None where it has nothing."""
        try:
            card = self._find_model().card
        except (ModelError, PassportMismatchError):
            return None  # a lexical query needs no model
        calibrations = card.get("calibrations")
        return Calibration.from_dict(calibrations.get(mode, {})) if isinstance(calibrations, dict) else None

    def _get_encoder(self) -> Encoder:
        with self._loading:
            if self._encoder is None:
                from ctxsearch.encoder import Encoder

                self._encoder = Encoder(self._find_model())
            return self._encoder
