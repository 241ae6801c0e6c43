"""A segment as it is searched: what is removed from it, what may be found in it, and the scores of all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.vectors.lists import Lists
from ctxsearch.vectors.scanning import Block, Selection
from ctxsearch.vectors.scores import Scored
from ctxsearch.vectors.segments import Segment

SCANNED_BYTES = 32 << 20
"""A segment up to this size is scanned in memory, and all of it checked when it is attached. Others have lists."""

BLOCK_ROWS = 1 << 14
"""Rows of a file that are scanned at a time, about."""


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
            self._selection = chosen, Selection.of(chosen, self.segment.counts)
        return self._selection[1]

    def ready(self) -> None:
        """Make ready what `scores` needs."""
        if self._block is None and is_scanned(self.segment):
            self._block = Block(self.segment.block(0, len(self.segment.rows)))
            self.segment.keep(self._block.rows)

    def scores(self, vector: FloatArray, sentence_weight: float) -> Iterator[tuple[int, Scored]]:
        """All contexts, those that are removed too, with their scores: the place of the first, and a block of them.

        What is scanned in memory comes in one block.
        """
        self.ready()
        if self._block is not None:
            scored = self.known_scores(vector, sentence_weight)
            if scored is None:
                products = self._block.products(vector)
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
