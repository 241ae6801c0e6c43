"""Looking after a catalog: checking all of it, copying it, and reading what is left of a damaged one."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ctxsearch.catalog.connection import APPLICATION_ID, MAX_GENERATION, translating
from ctxsearch.catalog.failures import Failures
from ctxsearch.catalog.schema import FULL_TEXT_TOKENIZER, TEXT_TOKENIZER
from ctxsearch.catalog.writing import Writing
from ctxsearch.errors import DamagedIndexError, StoreError
from ctxsearch.layout import FORMAT_VERSION, check_seal
from ctxsearch.records import FailedSource, WholeDocument

ROWS_PER_READ = 256
"""Rows that are read at a time from a table that may be damaged, before they are tried one by one."""

PAGE_BYTES = 4096
"""SQLite's default, which catalogs have."""

MOST_FINDINGS = 5
"""Findings of one kind that are listed one by one."""


MAX_MISSED = 200_000
"""Ids in a row at which a damaged table gives nothing, after which it is taken to have ended."""

UNNAMED = "documents that left no name: the pages that had them are lost"
"""What repair says is lost where it cannot know what was there."""


@dataclass(slots=True)
class _Troubles:
    """Whether a walk through a table met what it could not read."""

    met: bool = False


class Care(Writing, Failures):
    """Checks and copies."""

    def check(self, dim: int) -> Iterator[str]:
        """What is wrong with the catalog. Reads all of it, and needs no right to write.

        Args:
            dim: length of a vector.
        """
        try:
            if not check_seal(self.path):
                yield "it is not what was written: its checksum does not fit"
            yield from (
                row[0] for row in self._db.execute(f"PRAGMA integrity_check({MOST_FINDINGS})") if row[0] != "ok"
            )
            yield from (f"a row of {row[0]} belongs to nothing" for row in self._db.execute("PRAGMA foreign_key_check"))
            yield from self._check_rows(dim)
            yield from self._check_full_text()
            yield from self.check_values()
            yield from self.check_words()
        except (sqlite3.Error, OSError) as error:
            yield str(error)

    def _check_rows(self, dim: int) -> Iterator[str]:
        seen = 0
        for (document_id,) in self._db.execute("SELECT id FROM documents").fetchall():
            try:
                document = self.whole_document(document_id, dim)
            except DamagedIndexError:
                yield f"document {document_id} is damaged, or a part of it"
                continue
            seen += len(document.contexts)
            for context in document.contexts:
                ends = [context.start, *(sentence.end for sentence in context.sentences)]
                starts = [*(sentence.start for sentence in context.sentences), context.end]
                if context.sentences and ends != starts:
                    yield f"the sentences of context {context.context_id} do not tile it"
                if len(context.rows) not in (1, 1 + len(context.sentences)):
                    yield f"context {context.context_id} has {len(context.rows)} vectors"
        if seen != self.counts()[1]:
            yield f"{self.counts()[1]} contexts are there, {seen} belong to whole documents"

    def _check_full_text(self) -> Iterator[str]:
        """Compare full text search, word by word, with one that is made of the texts now, in a temporary file."""
        texts, tokenizer = "contexts", TEXT_TOKENIZER
        if self.searches_folded:
            texts, tokenizer = "searched", FULL_TEXT_TOKENIZER
        statements = (
            f"CREATE TEMP VIEW checked_texts AS SELECT id, title, headings, text FROM main.{texts}",
            "CREATE VIRTUAL TABLE temp.checked_fts USING fts5 (title, headings, text, "
            f"content='checked_texts', content_rowid='id', tokenize='{tokenizer}')",
            "INSERT INTO temp.checked_fts (checked_fts) VALUES ('rebuild')",
            "CREATE VIRTUAL TABLE temp.words_there USING fts5vocab ('main', 'contexts_fts', 'instance')",
            "CREATE VIRTUAL TABLE temp.words_wanted USING fts5vocab ('temp', 'checked_fts', 'instance')",
        )
        in_transaction = self._db.in_transaction
        if not in_transaction:
            self._db.execute("BEGIN")
        self._db.execute("SAVEPOINT checking")
        try:
            for statement in statements:
                self._db.execute(statement)
            there, wanted = (
                self._db.execute(f"SELECT term, doc, col, offset FROM temp.words_{which}")
                for which in ("there", "wanted")
            )
            for one, other in zip_longest(there, wanted):
                if one != other:
                    yield f"full text search does not fit the texts, first at the word {(other or one)[0]!r}"
                    break
            there.close()
            wanted.close()
        finally:
            self._db.execute("ROLLBACK TO checking")
            self._db.execute("RELEASE checking")
            if not in_transaction:
                self._db.rollback()

    def copy_to(self, path: Path) -> None:
        """Copy one generation to a new file, without the free pages; writers may go on.

        Raises:
            StoreError: it cannot be written, or what is read is damaged.
        """
        try:
            path.touch(mode=0o666, exist_ok=False)
            self._db.execute("VACUUM INTO ?", [str(path)])
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            raise StoreError(f"cannot write {path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise self._folder.damage(f"{self.path.name} is damaged: {error}") from error
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error

    # What is left of a damaged catalog

    def salvage(self, dim: int) -> Iterator[WholeDocument | str]:
        """The documents that are whole, ids rising; for one that is not, its name.

        Where a page of the table is lost, the index by source and the contexts tell of documents that were there. If
        neither the table nor the index can be read to the end, there may have been others: `UNNAMED` says so, last.
        """
        by_source, by_id, others = _Troubles(), _Troubles(), _Troubles()
        by_source_query = "SELECT id, source FROM documents INDEXED BY documents_source WHERE id > ?"
        names = dict(self._readable(by_source_query, by_source))
        ids = {*names, *(row[0] for row in self._readable("SELECT id FROM documents NOT INDEXED WHERE id > ?", by_id))}
        contexts: dict[int, list[int]] = {}
        contexts_query = "SELECT id, document_id FROM contexts NOT INDEXED WHERE id > ?"
        for context_id, document_id in self._readable(contexts_query, others):
            contexts.setdefault(document_id, []).append(context_id)
        ids |= set(contexts)
        for document_id in sorted(found for found in ids if isinstance(found, int)):
            try:
                document = self.whole_document(document_id, dim, contexts.get(document_id, []))
            except (StoreError, ValueError, TypeError, OverflowError, IndexError):
                name = names.get(document_id)
                yield name if isinstance(name, str) else f"document {document_id}"
            else:
                yield document
        if by_source.met and by_id.met:
            yield UNNAMED

    @staticmethod
    def mend_header(path: Path) -> None:
        """Write what every catalog has in its first 100 bytes over those of a damaged copy.

        Where the end was cut off, pages of zeros take its place: SQLite does not open a file that is too short.
        The layout is that of "The Database Header" in SQLite's file format, https://www.sqlite.org/fileformat.html.
        """
        pages = path.stat().st_size // PAGE_BYTES
        with path.open("rb+") as file:
            said = int.from_bytes(file.read(32)[28:], "big")
            if pages < said <= 1000 * (pages + 1):
                pages = said
            file.truncate(pages * PAGE_BYTES)
            for offset, content in (
                (0, b"SQLite format 3\0" + struct.pack(">HBBBBBB", PAGE_BYTES, 2, 2, 0, 64, 32, 32)),
                (28, struct.pack(">I", pages)),
                (44, struct.pack(">I", 4)),  # schema format
                (56, struct.pack(">I", 1)),  # UTF-8
                (60, struct.pack(">I", FORMAT_VERSION)),
                (68, struct.pack(">I", APPLICATION_ID)),
            ):
                file.seek(offset)
                file.write(content)

    def _readable(self, query: str, troubles: _Troubles | None = None) -> Iterator[tuple[Any, ...]]:
        """Rows of a table in the order of their ids, those left out that cannot be read.

        Args:
            query: selects the id first, and ends with ``id > ?``.
            troubles: told when something cannot be read.
        """
        try:
            (last,) = self._db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()
        except sqlite3.Error:
            last = 0
        try:
            last = max(last or 0, self._db.execute("SELECT max(id) FROM contexts").fetchone()[0] or 0)
        except sqlite3.Error:
            last = max(last or 0, 100_000)
        at, missed = 0, 0
        while at <= last and missed < MAX_MISSED:  # an id that a stranger made up would be counted to for ever
            try:
                rows = self._db.execute(f"{query} ORDER BY id LIMIT {ROWS_PER_READ}", [at]).fetchall()
                if not rows:
                    return
            except sqlite3.Error:
                if troubles:
                    troubles.met = True
                rows = [*self._one_by_one(query, at)]
                yield from rows
                at += ROWS_PER_READ
                missed = 0 if rows else missed + ROWS_PER_READ
                continue
            yield from rows
            at, missed = max(rows[-1][0], at + 1), 0  # in a damaged tree ids need not rise

    def _one_by_one(self, query: str, after: int) -> Iterator[tuple[Any, ...]]:
        for row_id in range(after + 1, after + ROWS_PER_READ + 1):
            try:
                yield from self._db.execute(query.replace("id > ?", "id = ?"), [row_id]).fetchall()
            except sqlite3.Error:
                continue

    def highest_generation(self) -> int:
        """The highest generation that a row of a damaged catalog tells of."""
        found = (row[1] for row in self._readable("SELECT id, generation FROM contexts WHERE id > ?"))
        return max((one for one in found if type(one) is int and one < MAX_GENERATION), default=0)

    def highest_ids(self) -> dict[str, int]:
        """The highest ids that a damaged catalog tells of, by table."""
        try:
            return self.sequences()
        except StoreError:
            return {
                table: max((row[0] for row in self._readable(f"SELECT id FROM {table} WHERE id > ?")), default=0)
                for table in ("documents", "contexts")
            }

    # Filling a new one

    @translating
    def fill(
        self,
        documents: Iterable[WholeDocument],
        generation: int,
        sequences: Mapping[str, int],
        failures: Iterable[FailedSource],
    ) -> None:
        """Take in what another catalog has, documents with the ids that they had, in a file that nobody knows yet.

        There is no log meanwhile, and nothing is durable before the caller syncs the file.
        """
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("BEGIN")
        for document in documents:
            self.put_whole(document, generation)
        self.raise_sequences(sequences)
        self.put_failures((), failures)
        self._db.execute("INSERT INTO contexts_fts (contexts_fts) VALUES ('optimize')")
        self._db.execute("COMMIT")
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA journal_mode = WAL")
