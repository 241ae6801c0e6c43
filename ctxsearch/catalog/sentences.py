"""The words of contexts' sentences, for ranking: derived from texts, and stored, since finding them takes ten times as
long as reading them.

    words_<rule>    a row a context: `SentenceWords` as bytes, with a checksum; the number is `words.RULE`

The table is made at the first write to a catalog that has none of this rule. Who only reads such a catalog finds the
words in the texts, and so does anybody where a row is missing or damaged. What was read last is kept: a context never
changes and its id is never given again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ctxsearch.catalog.connection import translating
from ctxsearch.catalog.rows import Rows
from ctxsearch.catalog.schema import WORDS, WORDS_TABLE
from ctxsearch.catalog.vectors import chunks, data_checksum
from ctxsearch.errors import DamagedIndexError

if TYPE_CHECKING:
    from ctxsearch.evidence import SentenceWords

CONTEXTS_KEPT = 16_384
"""Contexts whose words are kept; about 1 kB each."""


class Sentences(Rows):
    """Sentences as ranking wants them."""

    def __init__(self, path: Path, *, read_only: bool, damaged: bool = False) -> None:
        super().__init__(path, read_only=read_only, damaged=damaged)
        self._words: dict[int, SentenceWords] = {}

    @translating
    def sentence_words(self, context_ids: Iterable[int]) -> dict[int, SentenceWords]:
        """The words of contexts, by sentence; ids that are not there are left out.

        Raises:
            DamagedIndexError: a context whose words are not stored is not what was written.
        """
        wanted = list(context_ids)
        kept = self._words
        found = {context_id: kept[context_id] for context_id in wanted if context_id in kept}
        missing = [context_id for context_id in wanted if context_id not in found]
        if missing:
            new = self._stored_words(missing)
            if len(new) < len(missing):
                new |= self._made_words([context_id for context_id in missing if context_id not in new])
            found |= new
            kept |= new
            while len(kept) > CONTEXTS_KEPT:
                del kept[next(iter(kept))]
        return found

    def _stored_words(self, context_ids: Sequence[int]) -> dict[int, SentenceWords]:
        """Those that are in the table, and whole."""
        if not self._has_words():
            return {}
        from ctxsearch.evidence import SentenceWords  # here: it needs numpy, and reading a catalog does not

        found = {}
        for some in chunks(context_ids):
            query = f"SELECT context_id, data, checksum FROM {WORDS} WHERE context_id IN ({','.join('?' * len(some))})"
            for context_id, data, written in self._db.execute(query, some):
                if isinstance(data, bytes) and written == data_checksum(context_id, data):
                    with suppress(ValueError):  # else they are found in the text
                        found[context_id] = SentenceWords.from_bytes(data)
        return found

    def _made_words(self, context_ids: Sequence[int]) -> dict[int, SentenceWords]:
        """The same, found in the texts."""
        from ctxsearch.evidence import sentence_words

        return {context_id: sentence_words(sentences) for context_id, sentences in self.sentences(context_ids)}

    def _has_words(self) -> bool:
        return self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [WORDS]).fetchone() is not None

    # Writing

    def begin(self, *, advance: bool = True) -> int:
        generation = super().begin(advance=advance)
        with self.translated():
            if not self._has_words():
                self._make_table()
        return generation

    def _make_table(self) -> None:
        """Make the table for contexts that are there, in the place of one of another rule."""
        of_others = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'words_[0-9]*'"
        for (name,) in self._db.execute(of_others).fetchall():
            self._db.execute(f'DROP TABLE "{name}"')
        self._db.execute(WORDS_TABLE)
        for some in chunks([row[0] for row in self._db.execute("SELECT id FROM contexts")]):
            try:
                self._put_words([*self.sentences(some)])
            except DamagedIndexError:  # which other checks tell of
                for context_id in some:
                    with suppress(DamagedIndexError):
                        self._put_words([*self.sentences([context_id])])

    def _put_words(self, texts: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Store the words of contexts, given the texts of their sentences."""
        from ctxsearch.evidence import sentence_words

        rows = ((context_id, sentence_words(sentences).to_bytes()) for context_id, sentences in texts)
        self._db.executemany(
            f"INSERT INTO {WORDS} VALUES (?, ?, ?)",
            ((context_id, data, data_checksum(context_id, data)) for context_id, data in rows),
        )

    def check_words(self) -> Iterator[str]:
        """Compare the table with the texts; a catalog that has none yet lacks nothing."""
        if not self._has_words():
            return
        for some in chunks([row[0] for row in self._db.execute("SELECT id FROM contexts")]):
            stored = self._stored_words(some)
            with suppress(DamagedIndexError):
                for context_id, made in self._made_words(some).items():
                    if context_id not in stored or stored[context_id].to_bytes() != made.to_bytes():
                        yield f"the words stored of context {context_id} are not those of its text"
                        return
