"""A catalog beside the current one, made whole and then pointed to: compaction, repair, backup, migration.

Whoever calls these holds the writer's lock, but for `back_up`, which only reads.
"""

from __future__ import annotations

import os
import secrets
import shutil
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ctxsearch.catalog import OF_VALUES, Catalog, make
from ctxsearch.errors import ArgumentError, DamagedIndexError, NotAnIndexError, StoreError
from ctxsearch.layout import IndexFolder, Pointer, step, sync_file, sync_folder, untrusted
from ctxsearch.passport import Passport
from ctxsearch.records import FailedSource, RepairReport, WholeDocument
from ctxsearch.store.publishing import Publisher


def open_catalog(folder: IndexFolder, pointer: Pointer, number: int, *, read_only: bool) -> Catalog:
    """Open a catalog that a pointer names.

    Raises:
        DamagedIndexError: it is missing, damaged, or that of another index.
        StoreError: it cannot be opened.
    """
    catalog = Catalog(folder.catalog(number), read_only=read_only)
    try:
        if number and catalog.fact("index") != pointer.index:
            raise folder.damage(f"{catalog.path.name} is that of another index")
    except StoreError:
        catalog.close()
        raise
    return catalog


def facts_of(index: str, passport: Passport, model_path: str) -> dict[str, Any]:
    """What an empty catalog knows."""
    return {
        "index": index,
        "generation": 0,
        "floor": 0,
        "passport": passport.to_dict(),
        "model_path": model_path,
    }


def flip(folder: IndexFolder, pointer: Pointer) -> None:
    """Point to another catalog: what readers see from now on."""
    folder.write_pointer(pointer)
    step("pointer: flipped")


def compact(folder: IndexFolder, pointer: Pointer) -> None:
    """Copy what is there, and nothing of what was deleted, to a new catalog; then remove all other files.

    It changes no answer: words for full-text search stay those that the catalog has.
    """
    number = folder.new_number()
    source = open_catalog(folder, pointer, pointer.catalog, read_only=True)
    try:
        with source.snapshot():
            _copy(source, folder, number, source.facts(), pointer.index)
    finally:
        source.close()
    current = Pointer(pointer.index, number)
    flip(folder, current)
    folder.remove_leftovers(current, all_former=True)


def reindex(folder: IndexFolder, pointer: Pointer) -> None:
    """Copy what is there to a new catalog whose full-text search has the words of this version."""
    number = folder.new_number()
    source = open_catalog(folder, pointer, pointer.catalog, read_only=True)
    try:
        with source.snapshot():
            _copy(source, folder, number, source.facts(), pointer.index, new_words=True)
    finally:
        source.close()
    current = replace(pointer, catalog=number)
    flip(folder, current)
    folder.remove_leftovers(current)


def migrate(folder: IndexFolder, pointer: Pointer) -> Pointer:
    """Make a catalog of this format from an older one, which stays until `compact` as the backup."""
    number = folder.new_number()
    current = Pointer(uuid.uuid4().hex, number)
    source = open_catalog(folder, pointer, pointer.catalog, read_only=True)
    try:
        with source.snapshot():
            _copy(source, folder, number, source.facts(), current.index)
    finally:
        source.close()
    flip(folder, current)
    return current


def back_up(folder: IndexFolder, catalog: Catalog, destination: Path) -> None:
    """Copy one generation to a new folder, while others may write.

    Args:
        folder: the index folder.
        catalog: its current catalog, no snapshot open.
        destination: the folder to make.

    Raises:
        ArgumentError: the destination is there already.
        StoreError: it cannot be written.
    """
    if destination.exists():
        raise ArgumentError(f"{destination} exists already; name a folder that does not")
    partial = destination.with_name(f".{destination.name}.{secrets.token_hex(8)}.partial")
    try:
        partial.mkdir(parents=True)
        copy = IndexFolder(partial)
        pointer = Pointer(catalog.fact("index") or "", 1 if catalog.format > 1 else 0)
        catalog.copy_to(copy.catalog(pointer.catalog))
        step("backup: copied")
        if pointer.catalog:
            _finish(copy, pointer.catalog)
            copy.write_pointer(pointer)
        for path in partial.iterdir():
            sync_file(path)
        sync_folder(partial)
        partial.replace(destination)
        sync_folder(destination.parent)
    except OSError as error:
        raise StoreError(f"cannot write {destination}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    step("backup: renamed")


def repair(folder: IndexFolder) -> RepairReport:
    """Make anew what can be made anew; save what can be read of a damaged catalog.

    Raises:
        StoreError: nothing can be saved.
    """
    repaired: list[str] = []
    try:
        pointer = folder.read_pointer()
    except DamagedIndexError:
        pointer = _guess(folder)
        repaired.append("index.json")
    number = pointer.catalog
    if not folder.catalog(number).is_file():
        raise _hopeless(folder, f"{folder.catalog(number).name} is missing")
    problems, index = _problems(folder, number)
    if index is not None and index != pointer.index:
        raise _hopeless(folder, f"{folder.catalog(number).name} is that of another index")
    lost: list[str] = []
    if problems or number == 0:
        number = folder.new_number()
        lost = _save(folder, pointer, number)
        damaged = folder.catalog(pointer.catalog)
        pointer = replace(
            pointer, index=pointer.index or uuid.uuid4().hex, catalog=number, format=Pointer("", 0).format
        )
        repaired.append("the catalog")
        flip(folder, pointer)
        if damaged.is_file() and damaged != folder.catalog(0):
            damaged.replace(folder.damaged(number))
    else:
        catalog = Catalog(folder.catalog(number), read_only=False)
        try:
            publisher = Publisher(folder, number, Passport.from_dict(catalog.passport()).dim)
            if not publisher.is_whole(catalog):
                repaired.append("the vector files")
            publisher.publish(catalog, check=True)
            catalog.settle()
        finally:
            catalog.close()
        if "index.json" in repaired:
            flip(folder, pointer)
    folder.remove_leftovers(pointer)
    saved = Catalog(folder.catalog(number), read_only=True)
    try:
        with saved.snapshot() as generation:
            documents = saved.counts()[0]
    finally:
        saved.close()
    return RepairReport(str(folder.root), generation, documents, tuple(lost), tuple(repaired))


def _problems(folder: IndexFolder, number: int) -> tuple[list[str], str | None]:
    """What is wrong with a catalog, and to which index it belongs, as far as it can be read."""
    try:
        catalog = Catalog(folder.catalog(number), read_only=True)
    except DamagedIndexError as error:
        return [str(error)], None
    try:
        index = catalog.fact("index")
        return [*catalog.check(Passport.from_dict(catalog.passport()).dim)], index
    except StoreError as error:
        return [str(error)], None
    finally:
        catalog.close()


def _save(folder: IndexFolder, pointer: Pointer, number: int) -> list[str]:
    """Copy what is whole in a damaged catalog to a new one; returns the names of what is not."""
    lost: list[str] = []
    source: Catalog | None = None
    damaged = folder.catalog(pointer.catalog)
    copy = folder.root / f".{damaged.name}.damaged.partial"
    try:
        for log in ("", "-wal"):
            copy.with_name(copy.name + log).unlink(missing_ok=True)
            if damaged.with_name(damaged.name + log).is_file():
                _copy_file(damaged.with_name(damaged.name + log), copy.with_name(copy.name + log))
        if pointer.catalog:
            Catalog.mend_header(copy)
        source = Catalog(copy, read_only=True, damaged=True)
        facts = source.facts(readable=True)
        dim = Passport.from_dict(source.passport()).dim
        index = pointer.index or uuid.uuid4().hex

        def whole() -> Iterable[WholeDocument]:
            assert source is not None
            for item in source.salvage(dim):
                if isinstance(item, str):
                    lost.append(item)
                else:
                    yield item

        generation = max(source.generation(), source.highest_generation()) + 1
        sequences = source.highest_ids()
        failures: list[FailedSource] = []
        searched = True
        with suppress(StoreError):
            failures, searched = source.failures(), source.searches_folded
        facts = {**facts, "index": index, "generation": generation}
        _fill(folder, number, facts, whole(), sequences, failures, searched=searched)
    except (DamagedIndexError, NotAnIndexError, *OF_VALUES) as error:
        cause = error.__cause__ or error
        raise _hopeless(folder, f"{damaged.name} is damaged beyond reading ({cause})") from error
    except OSError as error:
        raise StoreError(f"cannot write to {folder.root}: {error.strerror}") from error
    finally:
        if source is not None:
            source.close()
        for log in ("", "-wal", "-shm", "-journal"):
            with suppress(OSError):
                copy.with_name(copy.name + log).unlink(missing_ok=True)
    return lost


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file; no link is followed on either side.

    Raises:
        OSError: it cannot be read, or written.
    """
    with untrusted.open_to_read(source) as read, os.fdopen(untrusted.create(target), "wb") as written:
        shutil.copyfileobj(read, written)


def _guess(folder: IndexFolder) -> Pointer:
    """A pointer for a folder that has lost it: the whole catalog of the highest generation."""
    best: tuple[int, Pointer] | None = None
    numbers = folder.numbers()
    for number in numbers:
        if number == 0 and len(numbers) > 1:
            continue
        with suppress(StoreError):
            catalog = Catalog(folder.catalog(number), read_only=True, damaged=True)
            try:
                generation = catalog.generation()
                if not catalog.fact("unfinished") and (best is None or generation > best[0]):
                    best = generation, Pointer(catalog.fact("index") or "", number)
            finally:
                catalog.close()
    if best is None:
        raise _hopeless(folder, "no catalog can be opened")
    return best[1]


def _hopeless(folder: IndexFolder, what: str) -> StoreError:
    return DamagedIndexError(
        f"{folder.root}: {what}; nothing can be saved: copy back a folder that ctxsearch backup made, "
        "or remove this one and ingest again"
    )


# Making catalogs


def _copy(
    source: Catalog,
    folder: IndexFolder,
    number: int,
    facts: Mapping[str, Any],
    index: str,
    *,
    new_words: bool = False,
) -> None:
    """Copy all that a catalog holds, each row checked, to a new one."""
    dim = Passport.from_dict(facts["passport"]).dim
    documents = (source.whole_document(document_id, dim) for document_id, _, _ in source.identities())
    facts, searched = {**facts, "index": index}, new_words or source.searches_folded
    copied = _fill(folder, number, facts, documents, source.sequences(), source.failures(), searched=searched)
    if copied != source.counts():
        raise folder.damage(
            f"{source.path.name} has {source.counts()} documents, contexts, sentences, {copied} of them whole"
        )


def make_empty(folder: IndexFolder, number: int, facts: Mapping[str, Any]) -> None:
    """Make a catalog without documents; nobody knows it before it is pointed to."""
    path = folder.catalog(number)
    partial = path.with_name(f".{path.name}.partial")
    try:
        make(partial, facts)
        partial.replace(path)
        sync_folder(folder.root)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}; the index is as it was") from error


def _fill(
    folder: IndexFolder,
    number: int,
    facts: Mapping[str, Any],
    documents: Iterable[WholeDocument],
    sequences: Mapping[str, int],
    failures: Iterable[FailedSource],
    *,
    searched: bool,
) -> tuple[int, int, int]:
    """Make a catalog with its vector files; nobody knows it before it is pointed to. Returns what it counts."""
    path = folder.catalog(number)
    partial = path.with_name(f".{path.name}.partial")
    facts = {key: value for key, value in facts.items() if key not in ("segments", "vectors")} | {
        "floor": facts["generation"]
    }
    try:
        make(partial, facts, searched=searched)
        catalog = Catalog(partial, read_only=False)
        try:
            catalog.fill(documents, facts["generation"], sequences, failures)
            counts = catalog.counts()
        finally:
            catalog.close()
        sync_file(partial)
        step("catalog: copied")
        partial.replace(path)
        sync_folder(folder.root)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}; the index is as it was") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    step("catalog: renamed")
    _finish(folder, number)
    return counts


def _finish(folder: IndexFolder, number: int) -> None:
    """Give a new catalog its vector files and its seal."""
    catalog = Catalog(folder.catalog(number), read_only=False)
    try:
        Publisher(folder, number, Passport.from_dict(catalog.passport()).dim).publish(catalog)
        catalog.settle()
    finally:
        catalog.close()
