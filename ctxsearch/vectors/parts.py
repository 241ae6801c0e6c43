"""A segment as it is searched: what is removed from it, what may be found in it, and the scores of all of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.codes import Codes
from ctxsearch.vectors.lists import Lists
from ctxsearch.vectors.scanning import Block, Groups, Selection, decoded
from ctxsearch.vectors.scores import Scored
from ctxsearch.vectors.segments import Segment

SCANNED_BYTES = 32 << 20
"""A segment up to this size is scanned in memory, and all of it checked when it is attached. Others have lists."""

BLOCK_ROWS = 1 << 14
"""Rows of a file that are scanned at a time, about."""

CODED_ROWS = 2048
"""Rows of a segment in memory from which on they have codes: fewer are multiplied as fast."""


def is_scanned(segment: Segment) -> bool:
    """Whether a segment is small enough to be scanned in memory."""
    return segment.bytes <= SCANNED_BYTES


class _Last(NamedTuple):
    """The scores of all contexts that were made last."""

    vector: FloatArray
    sentence_weight: float
    scored: Scored


class Part:
    """A segment, what is removed from it, and how it is searched."""

    def __init__(self, segment: Segment, lists: Lists | None = None) -> None:
        self.segment = segment
        self.lists = lists
        self.live: NDArray[np.bool_] | None = None
        """Which contexts are not removed; None for all. Replaced, never changed."""
        self.checked = segment.in_memory
        """Whether all of the rows are known to be what was written."""
        self._block: Block | None = None
        self._codes: Codes | None = None
        self._groups: Groups | None = None
        self._searches = 0
        self._last: _Last | None = None
        self._allowed: tuple[IntArray, NDArray[np.bool_]] | None = None
        self._selection: tuple[NDArray[np.bool_], Selection] | None = None

    def places(self, context_ids: IntArray) -> IntArray:
        """The places of contexts that are here and not removed."""
        places = self.segment.places_of(context_ids)
        return places if self.live is None else places[self.live[places]]

    def remove(self, places: IntArray) -> None:
        """Remove contexts by place."""
        if len(places):
            live = np.ones(len(self.segment), np.bool_) if self.live is None else self.live.copy()
            live[places] = False
            self.live, self._allowed = live, None

    def live_places(self) -> IntArray:
        """The places of the contexts that are not removed."""
        return np.arange(len(self.segment)) if self.live is None else np.flatnonzero(self.live)

    def chosen(self, allowed: IntArray | None) -> NDArray[np.bool_] | None:
        """Which contexts may be found; None for all. The last answer is kept, since the same is often asked again."""
        if allowed is None:
            return self.live
        if self._allowed is None or self._allowed[0] is not allowed:
            mask = np.zeros(len(self.segment), np.bool_)
            mask[self.places(allowed)] = True
            self._allowed = allowed, mask
        return self._allowed[1]

    def selection(self, chosen: NDArray[np.bool_]) -> Selection:
        """The rows of the contexts that may be found. The last answer is kept."""
        if self._selection is None or self._selection[0] is not chosen:
            self._selection = chosen, Selection(np.repeat(chosen, self.segment.counts))
        return self._selection[1]

    def ready(self) -> None:
        """Make ready what `scores` needs."""
        if self._block is None and self._groups is None and is_scanned(self.segment):
            self._block = Block(self.segment.rows)
            self.segment.keep(self._block.rows)

    def codes(self) -> Codes | None:
        """Codes of all rows, for a segment that is scanned in memory, from the second search on.

        To make them takes as long as some hundred searches by them save, and who asks one question waits for nothing.
        """
        self._searches += 1
        if self._codes is None and self._searches > 1 and self.is_coded:
            self.ready()
            rows = self.segment.rows
            self._codes = Codes.flat(decoded(rows))
            self._groups = Groups(rows, self.segment.starts)
            self.segment.keep(None)
            self._block = None
        return self._codes

    @property
    def is_coded(self) -> bool:
        """Whether codes are made for more than one search."""
        return is_scanned(self.segment) and self.segment.row_count >= CODED_ROWS

    @functools.cached_property
    def owners(self) -> NDArray[np.int32]:
        """The place of the context that each row belongs to."""
        return np.repeat(np.arange(len(self.segment), dtype=np.int32), self.segment.counts)

    def products(self, places: IntArray, vector: FloatArray) -> FloatArray | None:
        """Products of the rows of contexts, one after another; None where there are no codes."""
        return self._groups.products(vector, places) if self._groups else None

    def scores(self, vector: FloatArray, sentence_weight: float) -> Iterator[tuple[int, Scored]]:
        """All contexts, those that are removed too, with their scores: the place of the first, and a block of them.

        What is scanned in memory comes in one block.
        """
        self.ready()
        if self._block or self._groups:
            scored = self.known_scores(vector, sentence_weight)
            if scored is None:
                all_places = np.arange(len(self.segment))
                products = self._block.products(vector) if self._block else self.products(all_places, vector)
                assert products is not None
                scored = Scored.of(self.segment.context_ids, self.segment.starts, products, sentence_weight)
                self._last = _Last(vector, sentence_weight, scored)
            yield 0, scored
            return
        starts, first = self.segment.starts, 0
        while first < len(self.segment):
            last = int(np.searchsorted(starts, starts[first] + BLOCK_ROWS, side="right")) - 1
            rows = self.segment.block(int(starts[first]), int(starts[last]))
            ids, own = self.segment.context_ids[first:last], starts[first : last + 1] - starts[first]
            yield first, Scored.of(ids, own, Block(rows).products(vector), sentence_weight)
            first = last

    def known_scores(self, vector: FloatArray, sentence_weight: float) -> Scored | None:
        """The scores of all contexts, where they were made for the same question last; None where not."""
        last = self._last
        if last is None or last.sentence_weight != sentence_weight or not np.array_equal(last.vector, vector):
            return None
        return last.scored
