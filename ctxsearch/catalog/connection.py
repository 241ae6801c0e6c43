"""A connection to a catalog: opening, transactions, facts, and errors of SQLite as errors of ours."""

from __future__ import annotations

import base64
import functools
import json
import os
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ctxsearch import arguments, forking, resources, terms
from ctxsearch.errors import DamagedIndexError, ModelError, NotAnIndexError, StoreError
from ctxsearch.layout import (
    FORMAT_VERSION,
    IndexFolder,
    NotRegularFileError,
    check_seal,
    is_sealed,
    opened,
    remove_seal,
    seal,
    step,
    untrusted,
)
from ctxsearch.passport import Passport

APPLICATION_ID = 0x43545853
"""Marks a SQLite file as a catalog: "CTXS"."""

CHECKPOINT_MILLISECONDS = 1000
"""How long moving the log into the file waits for readers in the middle of a snapshot. It can as well be done later."""

MAX_GENERATION = 2**53
"""Far beyond any number of commits, and exact in JSON everywhere."""

_REFUSALS = ("SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_MISUSE", "SQLITE_NOLFS")
"""Begins of SQLite's error codes that tell of what it was given, not of the file."""

MAX_VALUE_BYTES = 256 << 20
"""Length of a value in SQLite; the largest are metadata of some ten million characters."""

MAX_CANARIES, MAX_CANARY_BYTES = 100, 10_000

OF_VALUES = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)
"""What Python raises for values of another type or range."""

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound="Connection")

SEARCHED = f"searched_{terms.RULE}"
"""The table of what full-text search has instead of texts; see schema.py."""

WORD_INSTANCES = "CREATE VIRTUAL TABLE temp.word_instances USING fts5vocab(main, contexts_fts, instance)"
"""Where words stand, for bm25.py. Made at once: what is made in the transactions that read is gone afterwards."""


def translating(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R]:
    """Errors of SQLite inside the method leave it as errors of ours."""

    @functools.wraps(method)
    def translated(self: C, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.translated():
            return method(self, *args, **kwargs)

    return translated


class Connection:
    """An open catalog, its transactions and facts. One thread at a time; the store sees to that."""

    def __init__(self, path: Path, *, read_only: bool, damaged: bool = False) -> None:
        """Open a catalog that is there.

        Args:
            path: the file.
            read_only: nothing is going to be written.
            damaged: open what can be opened, to save what can be read.

        Raises:
            DamagedIndexError: the file is not a database, or is damaged.
            NotAnIndexError: it is a database of something else.
            IndexFormatError: a newer ctxsearch made it.
            StoreError: it cannot be opened.
        """
        self.path = path
        self._folder = IndexFolder(path.parent)
        self._require_files(written=not read_only)
        self._read_only = read_only
        try:
            if not damaged and not check_seal(path):
                raise self._folder.damage(f"{path.name} is damaged: it is not what was written")
            self.file = opened.connect(path)
            self._disconnect = weakref.finalize(self, opened.disconnect, self.file)
        except FileNotFoundError as error:
            raise self._folder.damage(f"{path.name} is missing") from error
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror}") from error
        try:
            with self.translated():
                self._db, self.unchanging = _connect(path, read_only)
                application, self.format = (
                    self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
                )
        except BaseException:
            self._disconnect()
            raise
        if application != APPLICATION_ID:
            self.close()
            raise NotAnIndexError(f"{path} is a database of something else; name another folder with --index")
        if self.format > FORMAT_VERSION:
            self.close()
            raise self._folder.too_new(self.format)
        try:
            with self.translated():
                self._require_schema(damaged)
        except BaseException:
            self.close()
            raise

    def _require_schema(self, damaged: bool) -> None:
        """Raise for tables that are none, and for triggers and views that ctxsearch did not make.

        A view without an end in the place of a table would be read for ever, and a trigger would write what it likes.

        Args:
            damaged: only tables are read, and nothing is written.
        """
        from ctxsearch.catalog.schema import COLUMNS, is_known

        self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        for kind, name, sql in self._db.execute("SELECT type, name, sql FROM sqlite_master"):
            is_table = kind == "table" and str(sql).startswith("CREATE TABLE ")
            if name in COLUMNS and not is_table:
                raise self.damage(f"{name} is not a table")
            if kind in ("view", "trigger") and not damaged and not is_known(str(sql)):
                raise self.damage(f"it has a {kind} that ctxsearch did not make")

    def _misfit(self) -> str | None:
        """The first table that has a value of another type than ctxsearch writes; None if none has."""
        from ctxsearch.catalog.schema import COLUMNS

        for table, types in COLUMNS.items():
            there = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
            others = " OR ".join(f"typeof(\"{name}\") != '{kind}'" for name, kind in types.items() if name in there)
            if others and self._db.execute(f"SELECT 1 FROM {table} WHERE {others} LIMIT 1").fetchone():
                return table
        return None

    def _require_files(self, *, written: bool) -> None:
        """Raise unless the files that SQLite is about to open, by their paths, are files of their own.

        SQLite follows links. It writes to the log and its index even for a reader.

        Raises:
            DamagedIndexError: there is a link, a folder or a device in the place of one.
            StoreError: one that is to be written has a second name.
        """
        for suffix in ("", "-wal", "-shm", "-journal"):
            file = self.path.with_name(self.path.name + suffix)
            try:
                untrusted.check_file(file, written=written or bool(suffix))
            except NotRegularFileError as error:
                if error.strerror == untrusted.SHARED:
                    raise StoreError(f"{file} cannot be written to: {error.strerror}") from error
                raise self._folder.damage(f"{file.name} cannot be used: {error.strerror}") from error
            except OSError as error:
                raise StoreError(f"{file} cannot be read: {error.strerror}") from error

    def damage(self, what: str) -> DamagedIndexError:
        """The error that says what is damaged in this catalog."""
        return self._folder.damage(f"{self.path.name}: {what}")

    def _damaged(self, what: str, row_id: int) -> DamagedIndexError:
        return self.damage(f"{what} {arguments.shown(row_id)} is damaged")

    def _metadata(self, document_id: int, text: str) -> dict[str, Any]:
        """Metadata as they are stored."""
        try:
            found = untrusted.parse_json(text)
        except ValueError as error:
            raise self._damaged("document", document_id) from error
        if not isinstance(found, dict):
            raise self._damaged("document", document_id)
        return found

    def close(self) -> None:
        """Close the database. Closing twice does no harm."""
        self._db.close()
        self._disconnect()

    def abandon(self) -> None:
        """Leave the connection open for ever: it is of the process that this one was forked from."""
        forking.abandon(self)

    @functools.cached_property
    def searches_folded(self) -> bool:
        """Whether full-text search has texts as `terms.search_text` gives them; else it has them as they are shown.

        It stays so for the life of the file: catalogs from before there were such texts are made anew by `reindex`.
        """
        with self.translated():
            found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [SEARCHED]).fetchone()
        return found is not None

    # Transactions

    @contextmanager
    def snapshot(self) -> Iterator[int]:
        """Read one generation, whatever writers do meanwhile; yields it. May be nested."""
        with self.translated():
            if self._db.in_transaction:
                yield self.generation()
                return
            self._db.execute("BEGIN")
            try:
                yield self.generation()
            finally:
                self._db.rollback()

    @translating
    def begin(self, *, advance: bool = True) -> int:
        """Begin to write the next generation; returns its number. Nobody sees it before `commit`.

        Args:
            advance: False to write what changes no answer, and stay in the generation.
        """
        try:
            remove_seal(self.path)
        except OSError as error:
            raise StoreError(f"{self.path.parent} cannot be written to: {error.strerror}") from error
        self._db.execute("BEGIN IMMEDIATE")
        generation = self.generation()
        if advance:
            generation += 1
            self.set_fact("generation", generation)
        step("write: begun")
        return generation

    def commit(self) -> None:
        """Make durable what was written since `begin`: synchronous=FULL syncs the write-ahead log."""
        step("write: put")
        with self.translated():
            try:
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise
        step("write: committed")

    @translating
    def roll_back(self) -> None:
        """Drop what was written since `begin`, if anything."""
        self._db.rollback()

    def settle(self) -> None:
        """Move the write-ahead log into the file, as far as readers let it, and seal the file if all of it is in.

        Nothing depends on it: what was committed is durable in the log, so a failure is left for the next time.
        """
        if is_sealed(self.path):
            return
        with suppress(sqlite3.Error, OSError):
            self._db.execute(f"PRAGMA busy_timeout = {CHECKPOINT_MILLISECONDS}")
            busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            step("log: emptied")
            if not busy:
                seal(self.path)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of SQLite inside the block leave it as errors of ours.

        So do those that values of another type cause, if there are some; other errors are not of the catalog.
        """
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _translate(error, self.path, self._folder) from error
        except MemoryError as error:
            if not resources.has_plenty():
                raise
            raise self.damage("it claims more than fits into memory") from error
        except OF_VALUES as error:
            try:
                table = self._misfit()
            except sqlite3.ProgrammingError:  # the connection was closed
                raise error from None
            except sqlite3.DatabaseError as broken:
                raise _translate(broken, self.path, self._folder) from error
            if table is None:
                raise
            raise self.damage(f"{table} has a value of another type than was written") from error

    # Facts

    def generation(self) -> int:
        """The generation that is read."""
        generation = self._required("generation")
        if type(generation) is not int or not 0 <= generation <= MAX_GENERATION:
            raise self.damage(f"its generation is {arguments.shown(generation)}")
        return generation

    def floor(self) -> int | None:
        """The generation from which on removed contexts are noted; None where that is not known."""
        floor = self.fact("floor")
        return floor if type(floor) is int and 0 <= floor <= MAX_GENERATION else None

    def passport(self) -> dict[str, Any]:
        """The passport that the index was made with, as `Passport.from_dict` takes it."""
        passport = self._required("passport")
        try:
            return Passport.from_dict(passport).to_dict()
        except ModelError as error:
            raise self.damage(str(error)) from error

    def model_path(self) -> str:
        """Where the model was when the index was made."""
        path = self._required("model_path")
        if not isinstance(path, str) or "\0" in path:
            raise self.damage(f"the place of its model is {arguments.shown(path)}")
        return path

    def canaries(self) -> dict[str, Any] | None:
        """Vectors of fixed texts, as `canaries` keeps them; None if there are none yet.

        Raises:
            DamagedIndexError: they are something else.
        """
        kept = self.fact("canaries")
        if kept is None:
            return None
        size = 4 * int(self.passport()["dim"])
        try:
            texts, vectors, noted = kept["texts"], kept["vectors"], kept["noted"]
            sound = all(isinstance(one, str) and one for one in [kept["runtime"], *(note["runtime"] for note in noted)])
            sound &= all(isinstance(text, str) and 0 < len(text.encode()) <= MAX_CANARY_BYTES for text in texts)
            sound &= all(len(base64.b64decode(vector, validate=True)) == size for vector in vectors)
            sound &= 0 < len(texts) == len(vectors) <= MAX_CANARIES
        except (TypeError, LookupError, ValueError):
            sound = False
        if not sound:
            raise self.damage("it has lost its canaries")
        found: dict[str, Any] = kept
        return found

    @translating
    def counts(self) -> tuple[int, int, int]:
        """Documents, contexts and sentences."""
        documents, contexts, sentences = (
            int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            for table in ("documents", "contexts", "sentences")
        )
        return documents, contexts, sentences

    @translating
    def fact(self, key: str) -> Any:
        """A fact about the index; None for one that is not known."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
        try:
            return untrusted.parse_json(row[0]) if row else None
        except (ValueError, TypeError) as error:
            raise self.damage(f"it has lost its {key}") from error

    @translating
    def facts(self, *, readable: bool = False) -> dict[str, Any]:
        """All facts about the index.

        Args:
            readable: leave out those that are damaged.
        """
        found = {}
        for key, value in self._db.execute("SELECT key, value FROM meta"):
            try:
                found[key] = untrusted.parse_json(value)
            except (ValueError, TypeError) as error:
                if not readable:
                    raise self.damage(f"it has lost its {key}") from error
        return found

    @translating
    def set_fact(self, key: str, value: Any) -> None:
        """Write a fact, between `begin` and `commit`."""
        self._db.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [key, json.dumps(value)],
        )

    def _required(self, key: str) -> Any:
        found = self.fact(key)
        if found is None:
            raise self.damage(f"it has lost its {key}")
        return found


def _connect(path: Path, read_only: bool) -> tuple[sqlite3.Connection, bool]:
    """Open a connection that may pass between threads and leaves transactions to us; also whether it takes the file as
    unchanging."""
    unchanging = False
    if read_only:
        db, unchanging = _connect_read_only(path)
    else:
        db = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    if not read_only:
        db.execute("PRAGMA synchronous = FULL")
    else:
        db.execute("PRAGMA trusted_schema = OFF")  # FTS5 in triggers needs it, so who writes has to do with less
        db.execute(WORD_INSTANCES)
    db.execute("PRAGMA foreign_keys = ON")
    return db, unchanging


def _connect_read_only(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open for reading only; in a folder that cannot be written, too.

    SQLite cannot read a write-ahead log without writing to the folder. Where the folder is read-only there is no writer
    either, so the file may be taken as unchanging.
    """
    uri = path.absolute().as_uri()
    connection = sqlite3.connect(
        f"{uri}?mode=ro", uri=True, timeout=30.0, isolation_level=None, check_same_thread=False
    )
    unchanging = False
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
            raise
        unchanging = True
        connection = sqlite3.connect(
            f"{uri}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
        )
    return connection, unchanging


def _translate(error: sqlite3.DatabaseError, path: Path, folder: IndexFolder) -> StoreError:
    text = str(error)
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return StoreError(
            f"no space left, or the disk failed, while writing to {path.parent}: {text}; "
            "the index is as it was after the last commit: make space and do it again"
        )
    if code.startswith("SQLITE_READONLY"):
        return StoreError(f"{path.parent} cannot be written to: {text}")
    if code.startswith("SQLITE_CANTOPEN"):
        return StoreError(f"{path} cannot be opened: {text}")
    if code.startswith(_REFUSALS) or not code:
        return StoreError(
            f"{path.parent}: SQLite refused what was to be written or asked: {text}; nothing was changed, and the "
            "index is not damaged by it"
        )
    if code.startswith("SQLITE_BUSY"):
        return StoreError(f"{path} is in use by another program: {text}")
    return folder.damage(f"{path.name} is damaged: {text}")
