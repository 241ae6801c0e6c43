"""What words add to the BM25 scores of contexts, from FTS5's own tables.

FTS5's bm25() looks up the length of each context anew, which takes most of its 2 microseconds. Here lengths are kept:
reading where a word stands, 0.2 microseconds, is what is left. The formula and its constants are those of bm25()
(Robertson and Zaragoza 2009; sqlite.org/fts5.html, "The bm25() function"), and so are the scores, within rounding.
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from itertools import pairwise
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

WORDS_AT_ONCE = 16
"""That FTS5 is asked for together."""


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
        if not self._contexts:
            raise sqlite3.DatabaseError("full text search has lost how many contexts there are")
        self._mean = sum(words) / self._contexts
        self._known = _Known()
        self._stemmer = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._stemmer.execute(f"CREATE VIRTUAL TABLE words USING fts5(word, tokenize = '{FULL_TEXT_TOKENIZER}')")
        weakref.finalize(self, self._stemmer.close)
        self._stemmer.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(words, instance)")

    def of(self, words: Sequence[str]) -> list[WordScores | None]:
        """What each word adds to the score of each context that holds it; None for what FTS5 takes for several words.

        Several words at once take half the time of one after another.
        """
        stems = list(self._stems(words))
        different = list(dict.fromkeys(stem for stem in stems if stem is not None))
        known: dict[str | None, WordScores] = dict(zip(different, self._scores(different), strict=True))
        return [known.get(stem) for stem in stems]

    def _scores(self, stems: Sequence[str]) -> list[WordScores]:
        # One string of numbers: row by row takes more than twice as long, and asks for the interpreter each time. Where
        # a word stands in a title the number is negative.
        query = "SELECT group_concat(iif(col = 'title', -doc, doc)) FROM word_instances WHERE term = ?"
        said = [self._db.execute(query, [stem]).fetchone()[0] or "" for stem in stems]
        places = np.fromstring(",".join(filter(None, said)), np.int64, sep=",")
        each = abs(places)
        if not len(each):
            return [WordScores(np.empty(0, np.int64), np.empty(0))] * len(stems)
        if not self._mean or each.max() >= len(self._lengths):
            raise sqlite3.DatabaseError("full text search has lost track: it holds contexts that are gone")
        instances = [text.count(",") + 1 if text else 0 for text in said]
        each += (np.arange(len(stems)) * len(self._lengths)).repeat(instances)  # so each stem has ids of its own
        firsts = np.flatnonzero(each != np.concatenate([[-1], each[:-1]]))
        stem, ids = np.divmod(each[firsts], len(self._lengths))
        times = np.add.reduceat(np.where(places < 0, self._title_weight, 1.0), firsts)
        held = np.bincount(stem, minlength=len(stems))
        idf = np.log((np.maximum(self._contexts - held, 0) + 0.5) / (held + 0.5))
        idf[idf <= 0.0] = LEAST_IDF
        length = 1.0 - B + B * self._lengths_of(ids) / self._mean
        scores = idf[stem] * times * (K1 + 1.0) / (times + K1 * length)
        return [WordScores(ids[a:b], scores[a:b]) for a, b in pairwise([0, *held.cumsum().tolist()])]

    def _stems(self, words: Sequence[str]) -> Iterator[str | None]:
        """What FTS5's tokenizer makes of each word; None where it is not one word."""
        for first in range(0, len(words), WORDS_AT_ONCE):
            some = words[first : first + WORDS_AT_ONCE]
            stems: list[list[str]] = [[] for _ in some]
            rows = ", ".join(f"({row}, ?)" for row in range(len(some)))
            self._stemmer.execute("BEGIN")
            try:
                self._stemmer.execute(f"INSERT INTO words (rowid, word) VALUES {rows}", some)
                for stem, row in self._stemmer.execute("SELECT term, doc FROM stems"):
                    stems[row].append(stem)
            finally:
                self._stemmer.rollback()
            yield from (own[0] if len(own) == 1 else None for own in stems)

    def _lengths_of(self, ids: IntArray) -> NDArray[np.int32]:
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
