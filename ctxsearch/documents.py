"""Documents by name and by condition: read one, read all of them in turn, remove some, change their metadata.

A document is named by its source, by the path of the file that it came from, or by its id.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ctxsearch import arguments, logs
from ctxsearch.errors import ArgumentError, DocumentNotFoundError
from ctxsearch.records import Filter, Missing, StoredDocument
from ctxsearch.store import Store

Source: TypeAlias = str | os.PathLike[str]
Named: TypeAlias = Source | int
"""A document by its source or by its id."""

DOCUMENTS_PER_PAGE = 1000
CHARACTERS_PER_PAGE = 2_000_000
"""What `iterate` holds in memory at a time; a document that is longer is a page by itself."""

MOST_NAMED = 5
"""Documents that a message lists."""

MAX_NAME_SHOWN = 200
"""Characters of a name in a message."""


class Finder(Protocol):
    """What documents are looked up in: a snapshot or a writer."""

    def find_documents(self, name: str) -> list[int]:
        """Ids of the documents with that source, origin or key."""
        ...

    def has_document(self, document_id: int) -> bool:
        """Whether there is a document of that id."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The documents that a caller means: those that are named, or those that fit a condition."""

    named: tuple[Named, ...] = ()
    where: Filter | None = None


def select(
    documents: Named | Iterable[Named] | Mapping[str, Any] | None = None,
    *,
    source: Source | Iterable[Source] | None = None,
    document_id: int | Iterable[int] | None = None,
    where: Mapping[str, Any] | None = None,
    missing: Missing = "error",
) -> Selection:
    """The documents that a caller means. Exactly one argument says which.

    Args:
        documents: a source or an id, several of them, or a condition.
        source: a source, or several.
        document_id: an id, or several.
        where: a condition.
        missing: as in `Filter`.

    Raises:
        ArgumentError: none or several were given; one is of another type; the condition is empty.
    """
    given = [one for one in (documents, source, document_id, where) if one is not None]
    if len(given) != 1:
        raise ArgumentError("name a document by its source or by its id, or documents by a condition: by one of them")
    if isinstance(documents, Mapping):
        where, documents = documents, None
    wanted = arguments.filter_of(where, missing)
    if where is not None:
        if wanted is None:
            raise ArgumentError(
                'where is empty, and all documents fit it; if you mean them all: {"source": {"$exists": True}}'
            )
        return Selection(where=wanted)
    if source is not None:
        return Selection(tuple(_source(one) for one in _several(source)))
    if document_id is not None:
        return Selection(tuple(identifier(one) for one in _several(document_id)))
    return Selection(tuple(_source_or_id(one) for one in _several(documents)))


def identifier(value: Any, name: str = "document_id") -> int:
    """An id as SQLite takes it.

    Raises:
        ArgumentError: it is no whole number.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ArgumentError(f"{name} is {arguments.described(value)}; expected a whole number (int)")
    return int(value)


def _several(given: Any) -> list[Any]:
    return list(given) if arguments.is_several(given) and not isinstance(given, os.PathLike) else [given]


def _source(value: Any) -> Source:
    if not isinstance(value, str | os.PathLike):
        raise ArgumentError(f"source is {arguments.described(value)}; expected a text or a path")
    return value


def _source_or_id(value: Any) -> Named:
    if isinstance(value, str | os.PathLike):
        return value
    return identifier(value)


def find(finder: Finder, named: Iterable[Named], index_name: str) -> list[int]:
    """Ids of the documents that are named, each once.

    Raises:
        DocumentNotFoundError: there is no document of one of the names.
    """
    found: dict[int, None] = {}
    lacking: list[str] = []
    for one in named:
        ids = _ids_of(finder, one)
        found |= dict.fromkeys(ids)
        if not ids:
            lacking.append(one[:MAX_NAME_SHOWN] if isinstance(one, str) else arguments.shown(one))
    if lacking:
        listed = ", ".join(lacking[:MOST_NAMED]) + (", …" if len(lacking) > MOST_NAMED else "")
        raise DocumentNotFoundError(f"no document {listed} in {index_name}; ctxsearch list shows those that are there")
    return list(found)


def _ids_of(finder: Finder, named: Named) -> list[int]:
    if isinstance(named, int):
        return [named] if 0 <= named <= arguments.MAX_ROW_ID and finder.has_document(named) else []
    name = os.fspath(named)
    spellings = [name, Path(name).as_posix()]
    with suppress(OSError, ValueError, RuntimeError):  # a NUL, or links that lead to one another
        spellings.append(str(Path(name).resolve()))
    for spelling in dict.fromkeys(spellings):
        with suppress(UnicodeEncodeError):  # the catalog has no name that is not UTF-8
            spelling.encode()
            if ids := finder.find_documents(spelling):
                return ids
    return []


def get(store: Store, selection: Selection, index_name: str, *, vectors: bool) -> StoredDocument:
    """The one document that is named.

    Raises:
        DocumentNotFoundError: there is none, or several documents came from the file that is named.
    """
    with store.snapshot() as snapshot:
        ids = find(snapshot, selection.named, index_name)
        return StoredDocument.of(snapshot.whole_document(only(ids, selection.named)), vectors=vectors)


def only(ids: Sequence[int], named: Sequence[Named]) -> int:
    """The one id that was found.

    Raises:
        DocumentNotFoundError: they are several.
        ArgumentError: several were named, or none.
    """
    if len(named) != 1:
        raise ArgumentError(f"{len(named)} documents were named; name one")
    if len(ids) > 1:
        raise DocumentNotFoundError(
            f"{named[0]} holds {len(ids)} documents; name one by its own source (ctxsearch list shows them)"
        )
    return ids[0]


def contains(store: Store, named: object) -> bool:
    """Whether there is a document of a source or an id."""
    if isinstance(named, bool) or not isinstance(named, str | os.PathLike | Integral):
        return False
    with store.snapshot() as snapshot:
        return bool(_ids_of(snapshot, _source_or_id(named)))


def count(store: Store, where: Filter | None) -> int:
    """How many documents there are whose metadata fits."""
    with store.snapshot() as snapshot:
        return snapshot.count_documents(where)


def iterate(store: Store, where: Filter | None, after: int | None, *, vectors: bool) -> Iterator[StoredDocument]:
    """Documents whose metadata fits, ids rising, read page by page; each page is of one generation.

    The first page is read at once, so that a condition of no use is refused where it is given.

    Raises:
        ArgumentError: ``after`` is no id, or the condition is of no use.
    """
    reached = 0 if after is None else max(0, min(identifier(after, "after"), arguments.MAX_ROW_ID))
    first = _page(store, where, reached, vectors=vectors)
    # A key that all documents have lost meanwhile is no mistake of the caller's.
    later = None if where is None else Filter(where.where, "ignore")

    def documents() -> Iterator[StoredDocument]:
        page = first
        while page:
            yield from page
            page = _page(store, later, page[-1].document_id, vectors=vectors)

    return documents()


def _page(store: Store, where: Filter | None, after: int, *, vectors: bool) -> list[StoredDocument]:
    with store.snapshot() as snapshot:
        ids: list[int] = []
        characters = 0
        for summary in snapshot.documents(where, after=after):
            characters += summary.characters
            if ids and characters > CHARACTERS_PER_PAGE:
                break
            ids.append(summary.document_id)
            if len(ids) == DOCUMENTS_PER_PAGE:
                break
        return [StoredDocument.of(snapshot.whole_document(one), vectors=vectors) for one in ids]


def delete(store: Store, selection: Selection, index_name: str) -> int:
    """Remove documents in one commit; returns how many.

    Raises:
        DocumentNotFoundError: one that is named is not there; then nothing is removed.
    """
    with store.writer() as writer:
        if selection.where is not None:
            ids = writer.matching_documents(selection.where)
        else:
            ids = find(writer, selection.named, index_name)
        for document_id in ids:
            writer.delete_document(document_id)
        if ids:
            writer.commit()
    logs.info("deleted %d documents from %s", len(ids), index_name)
    return len(ids)


def update_metadata(store: Store, selection: Selection, changes: Mapping[str, Any], index_name: str) -> int:
    """Change the metadata of documents in one commit; returns how many documents were meant.

    Args:
        changes: values by key; None removes a key.

    Raises:
        DocumentNotFoundError: one that is named is not there; then nothing is changed.
        ArgumentError: the changes are no metadata.
    """
    from ctxsearch.admission import edited_hash  # here: it imports the readers, which takes 30 ms

    changes = arguments.json_object(changes, "metadata")
    with store.writer() as writer:
        if selection.where is not None:
            ids = writer.matching_documents(selection.where)
        else:
            ids = find(writer, selection.named, index_name)
        changed = False
        for document_id in ids:
            known = writer.known_document(document_id)
            both = {**known.metadata, **changes}
            merged = {key: value for key, value in both.items() if value is not None or key not in changes}
            if merged != known.metadata:
                writer.put_metadata(document_id, merged, edited_hash(known.content_hash, merged))
                changed = True
        if changed:
            writer.commit()
    logs.info("changed metadata of %d documents in %s", len(ids), index_name)
    return len(ids)
