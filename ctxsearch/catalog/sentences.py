"""The words of contexts' sentences, for ranking; those that were found last are kept.

A context never changes and its id is never given again, so what is kept holds for as long as the catalog is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ctxsearch.catalog.connection import translating
from ctxsearch.catalog.rows import Rows

if TYPE_CHECKING:
    from ctxsearch.evidence import SentenceWords

CONTEXTS_KEPT = 16_384
"""Contexts whose words are kept; about 1.5 kB each. Without it, half of a hybrid query is finding words again."""


class Sentences(Rows):
    """Sentences as ranking wants them."""

    def __init__(self, path: Path, *, read_only: bool, damaged: bool = False) -> None:
        super().__init__(path, read_only=read_only, damaged=damaged)
        self._words: dict[int, SentenceWords] = {}

    @translating
    def sentence_words(self, context_ids: Iterable[int]) -> dict[int, SentenceWords]:
        """The words of contexts, by sentence; ids that are not there are left out.

        Raises:
            DamagedIndexError: a row is not what was written.
        """
        wanted = list(context_ids)
        kept = self._words
        found = {context_id: kept[context_id] for context_id in wanted if context_id in kept}
        missing = [context_id for context_id in wanted if context_id not in found]
        if missing:
            from ctxsearch.evidence import sentence_words  # here: it needs numpy, and reading a catalog does not

            for context_id, sentences in self.sentences(missing):
                found[context_id] = kept[context_id] = sentence_words(sentences)
            while len(kept) > CONTEXTS_KEPT:
                del kept[next(iter(kept))]
        return found
