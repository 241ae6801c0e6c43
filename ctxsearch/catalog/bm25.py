"""What a word adds to the BM25 scores of contexts, from FTS5's own tables: for catalogs in which many hold it.

FTS5's bm25() looks up the length of each context anew, which takes most of its 2 microseconds. Here lengths are kept:
reading where a word stands, 0.2 microseconds, is what is left. The formula and its constants are those of bm25()
(Robertson and Zaragoza 2009; sqlite.org/fts5.html, "The bm25() function"), and so are the scores, within rounding.
"""

from __future__ import annotations

import json
import math
import sqlite3
import weakref
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.catalog.schema import FULL_TEXT_TOKENIZER
from ctxsearch.records import IntArray

K1, B = 1.2, 0.75

LEAST_IDF = 1e-6
"""What bm25() gives a word that half of the contexts hold."""

MOST_IDS = 1 << 27
"""Lengths are kept by id, 4 bytes each; where ids are higher, they are not."""


class WordScores(NamedTuple):
    """The contexts that hold a word."""

    context_ids: IntArray
    """Rising."""
    scores: NDArray[np.float64]


class Bm25:
    """The words of one generation."""

    def __init__(self, db: sqlite3.Connection, last: int, title_weight: float) -> None:
        """
        Args:
            db: the catalog, opened for reading.
            last: the highest id of a context.
            title_weight: what a word in the title counts where one in the headings or the text counts 1.
        """
        self._db = db
        self._title_weight = title_weight
        self._lengths = np.zeros(last + 1, np.int32)
        """Words of contexts by id; 0 where they were not asked for."""
        averages = db.execute("SELECT block FROM contexts_fts_data WHERE id = 1").fetchone()
        self._contexts, *words = _varints(averages[0] if averages else b"") or [0]
        if not self._contexts or not sum(words):
            raise sqlite3.DatabaseError("full text search has lost how many contexts there are")
        self._mean = sum(words) / self._contexts
        self._known = _Known()
        self._stemmer = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._stemmer.execute(f"CREATE VIRTUAL TABLE words USING fts5(word, tokenize = '{FULL_TEXT_TOKENIZER}')")
        weakref.finalize(self, self._stemmer.close)
        self._stemmer.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(words, row)")

    def of(self, word: str) -> WordScores | None:
        """What a word adds to the score of each context that holds it; None for what FTS5 takes for several words."""
        stem = self._stem(word)
        if stem is None:
            return None
        # One string of numbers: row by row takes more than twice as long, and asks for the interpreter each time.
        query = "SELECT group_concat(doc), group_concat(col = 'title') FROM word_instances WHERE term = ?"
        places, in_title = self._db.execute(query, [stem]).fetchone()
        if places is None:
            return WordScores(np.empty(0, np.int64), np.empty(0))
        each = np.fromstring(places, np.int64, sep=",")
        firsts = np.flatnonzero(np.diff(each, prepend=-1))
        weights = np.where(np.fromstring(in_title, np.int64, sep=","), self._title_weight, 1.0)
        ids, times = each[firsts], np.add.reduceat(weights, firsts)
        idf = math.log((max(0, self._contexts - len(ids)) + 0.5) / (len(ids) + 0.5))
        length = 1.0 - B + B * self._lengths_of(ids) / self._mean
        return WordScores(ids, (idf if idf > 0.0 else LEAST_IDF) * times * (K1 + 1.0) / (times + K1 * length))

    def _stem(self, word: str) -> str | None:
        self._stemmer.execute("REPLACE INTO words (rowid, word) VALUES (1, ?)", [word])
        found = self._stemmer.execute("SELECT term, cnt FROM stems").fetchall()
        return found[0][0] if len(found) == 1 and found[0][1] == 1 else None

    def _lengths_of(self, ids: IntArray) -> NDArray[np.int32]:
        if ids[-1] >= len(self._lengths):
            raise sqlite3.DatabaseError("full text search has lost track: it holds contexts that are gone")
        missing = ids[self._lengths[ids] == 0]
        if len(missing):
            query = (
                "SELECT group_concat(hex(sz)) FROM json_each(?) asked "
                "CROSS JOIN contexts_fts_docsize sizes ON sizes.id = asked.value"
            )
            (sizes,) = self._db.execute(query, [json.dumps(missing.tolist())]).fetchone()
            found = [self._known[size] for size in (sizes or "").split(",")]
            if len(found) != len(missing):
                raise sqlite3.DatabaseError("full text search has lost lengths of contexts")
            self._lengths[missing] = found
        return self._lengths[ids]


class _Known(dict[str, int]):
    """The words of a context, from those of its columns in hexadecimal digits: many contexts have the same."""

    def __missing__(self, sizes: str) -> int:
        number = self[sizes] = sum(_varints(bytes.fromhex(sizes)))
        return number


def _varints(content: bytes) -> list[int]:
    """Numbers as SQLite writes them: 7 bits a byte, the highest first, all but the last with bit 7 set."""
    numbers, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    return numbers
