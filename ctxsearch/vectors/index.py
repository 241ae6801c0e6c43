"""`VectorIndex`: segments without what was removed from them, and one list of scores over them all.

Segments in files are never changed: what is removed is masked, what is added is a segment in memory. Scores are always
computed from the rows themselves, whose checksums are compared when they are read from a file; rows that are not
what was written are taken from the authority instead. So a damaged file costs time, and never an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import EXACT, FloatArray, IntArray
from ctxsearch.vectors import codes
from ctxsearch.vectors.codes import ESTIMATES_OFF, ESTIMATES_SELDOM_OFF, Codes, Found
from ctxsearch.vectors.depth import RECALL_AT, Level
from ctxsearch.vectors.lists import Lists
from ctxsearch.vectors.parts import Part, is_scanned
from ctxsearch.vectors.scanning import decoded, products_of
from ctxsearch.vectors.scores import NOTHING, ContextScore, Scored
from ctxsearch.vectors.segments import Gathered, Rows, Segment, VectorFileError, check_shape

CODES_A_ROW = 60
"""Codes that are looked at in the time in which a row of a context that is scored whole is read, checked and scored."""

SCANNED_A_ROW = 10
"""Rows that are scanned in that time."""

ROWS_A_HIT = 4
"""Rows to score for each context that is wanted above `RECALL_AT`."""

FIRST_ROWS, ROWS_A_CONTEXT = 20, 8
"""Rows by their codes that are looked at where all have codes, and more for each context that is wanted: for nine
questions of ten in SQuAD that is enough, for the others there are twice as many."""

RECALL_OF_CODES = 0.9999
"""Measured where all rows have codes: of 1,000 questions of SQuAD dev, the ten best were all found, of the fifty best
4 in 50,000 were missed."""

CONTEXTS_A_HIT = 16
"""Contexts for each that is wanted, from which on codes save time: among fewer, most have to be scored anyway."""

_NONE = np.empty(0, np.int64)


class _Asked(NamedTuple):
    """What is searched for; as `VectorIndex.scores` takes it."""

    vector: FloatArray
    k: int
    weight: float
    allowed: IntArray | None
    recall: float
    beside: bool = False


class VectorIndex:
    """Rows of contexts, searched. Not to be changed or searched by two threads at once."""

    def __init__(self, dim: int, authority: Callable[[Sequence[int]], dict[int, Rows]] | None = None) -> None:
        """An empty index.

        Args:
            dim: length of a vector.
            authority: gives the rows of contexts by id, where those of a file are damaged; contexts that are gone are
                left out.
        """
        self.dim = dim
        self._authority = authority
        self._parts: list[Part] = []
        self._mended: Part | None = None
        """Contexts whose rows in a file are damaged, with rows of the authority."""
        self.last = -1
        """The highest id that was ever added; -1 for none."""

    def attach(self, segment: Segment, lists: Lists | None = None) -> None:
        """Add a segment whose contexts come after those that are there.

        Raises:
            VectorFileError: they do not, or rows of a segment that is to be scanned are damaged.
        """
        if not len(segment):
            return
        if segment.context_ids[0] <= self.last:
            raise VectorFileError("segments overlap")
        part = Part(segment, lists)
        if is_scanned(segment):
            if len(segment.damaged()):
                raise VectorFileError("rows are damaged")
            part.checked = True
        self._parts.append(part)
        self.last = int(segment.context_ids[-1])

    def ready(self) -> None:
        """Import FAISS and make ready what a search needs, ahead of the first one."""
        from ctxsearch.vectors.library import faiss  # noqa: F401

        for part in self._parts:
            part.ready()

    def __len__(self) -> int:
        """Rows."""
        return sum(int(part.segment.counts[part.live_places()].sum()) for part in self._all())

    def contexts(self) -> int:
        """How many contexts there are."""
        return sum(len(p.segment) if p.live is None else int(np.count_nonzero(p.live)) for p in self._all())

    def contexts_in_memory(self) -> int:
        """How many of them are in no file."""
        return sum(len(part.segment) for part in self._parts if part.segment.in_memory)

    def context_ids(self) -> IntArray:
        """Ids of the contexts, rising."""
        several = [part.segment.context_ids[part.live_places()] for part in self._all()]
        return np.sort(np.concatenate([np.empty(0, np.int64), *several]))

    def lists(self) -> list[Lists]:
        """Those of the segments that have some, the largest first."""
        return sorted((part.lists for part in self._parts if part.lists), key=lambda lists: -lists.rows)

    def kind(self, recall: float) -> tuple[str, float]:
        """How most of the rows are searched for a recall, and the least recall that was measured in a segment."""
        used = [(lists, level) for lists in self.lists() if (level := lists.levels.level(recall)) and recall < 1.0]
        if used:
            return used[0][0].kind, min(level.recall for _, level in used)
        if recall < 1.0 and any(part.is_coded for part in self._parts):
            return codes.kind(self.dim), RECALL_OF_CODES
        return EXACT, 1.0

    def _all(self) -> list[Part]:
        return [*self._parts, *([self._mended] if self._mended else [])]

    def add(self, context_ids: Sequence[int], rows: Sequence[NDArray[np.floating]]) -> None:
        """Add contexts, ids rising and above those that are there.

        Args:
            context_ids: ids of the contexts.
            rows: for each, its rows, shape (1 + sentences, dim).

        Raises:
            ValueError: an id is not above those before it, or rows are of another shape.
        """
        if not context_ids:
            return
        ids, counts = np.array(context_ids, np.int64), np.array([len(own) for own in rows], np.int64)
        check_shape(ids, counts, np.concatenate(rows), self.dim, self.last)
        segment = Segment.of(self.dim, ids, counts, [own.astype(np.float16) for own in rows])
        while self._parts and self._parts[-1].segment.in_memory:  # joined, so that there are few of them
            before = self._parts[-1]
            if before.segment.row_count > 2 * segment.row_count:
                break
            segment = self._joined(before, segment)
            self._parts.pop()
        self._parts.append(Part(segment))
        self.last = int(context_ids[-1])

    def _joined(self, before: Part, after: Segment) -> Segment:
        places = before.live_places()
        kept = before.segment.gather(places)
        ids = np.concatenate([before.segment.context_ids[places], after.context_ids])
        counts = np.concatenate([np.diff(kept.starts), after.counts])
        return Segment.of(self.dim, ids, counts, [kept.rows, after.rows])

    def remove(self, context_ids: IntArray) -> None:
        """Remove contexts; those that are not there are passed over."""
        for part in self._all():
            part.remove(part.places(context_ids))

    # Reading

    def rows(self, context_id: int) -> FloatArray:
        """The rows of a context, float32 of shape (1 + sentences, dim); (0, dim) for one that is not there."""
        found = self.stored([context_id])
        return decoded(found[context_id]) if found else np.empty((0, self.dim), np.float32)

    def stored(self, context_ids: Sequence[int]) -> dict[int, Rows]:
        """The rows of contexts by id, as they are kept; those that are not there are left out."""
        found: dict[int, Rows] = {}
        wanted = np.unique(np.array(context_ids, np.int64))
        for part in self._each():
            places, gathered = self._gather(part, part.places(wanted))
            several = np.split(gathered.rows, gathered.starts[1:-1]) if len(places) else []
            found.update(zip(part.segment.context_ids[places].tolist(), several, strict=True))
        return found

    def products(self, vector: FloatArray, context_ids: Sequence[int]) -> tuple[FloatArray, IntArray]:
        """Inner products with the rows of contexts, one context after another, and how many rows each has.

        Raises:
            KeyError: a context is not there.
        """
        wanted = np.array(context_ids, np.int64)
        if len(self._parts) == 1 and not self._mended:  # as is usual: they come in the order in which they are wanted
            places = self._parts[0].places(wanted)
            own = self._parts[0].products(places, vector) if len(places) == len(wanted) else None
            if own is not None:
                return own, self._parts[0].segment.counts_of(places)
        rising = np.unique(wanted)
        ids, counts, products = [_NONE], [_NONE], [np.empty(0, np.float32)]
        for part in self._each():
            places = part.places(rising)
            own = part.products(places, vector)
            if own is None:
                places, gathered = self._gather(part, places)
                own = products_of(gathered.rows, vector)
            ids.append(part.segment.context_ids[places])
            counts.append(part.segment.counts_of(places))
            products.append(own)
        found, held, together = np.concatenate(ids), np.concatenate(counts), np.concatenate(products)
        order = np.argsort(found)
        at = np.searchsorted(found, wanted, sorter=order)
        if np.any(at == len(found)) or np.any(found[order[at]] != wanted):
            raise KeyError(f"of contexts {wanted.tolist()} some are not there")
        at = order[at]
        lengths, firsts = held[at], (np.cumsum(held) - held)[at]
        ends = np.cumsum(lengths)
        return together[np.repeat(firsts - ends + lengths, lengths) + np.arange(lengths.sum())], lengths

    def _each(self) -> Iterator[Part]:
        """The segments, then what of them was mended, which may be while they are gone through."""
        yield from self._parts
        if self._mended:
            yield self._mended

    def _gather(self, part: Part, places: IntArray) -> tuple[IntArray, Gathered]:
        """The rows of contexts, and their places without those whose rows are damaged: these are mended."""
        gathered = part.segment.gather(places)
        if len(gathered.damaged):
            self._mend(part, places[gathered.damaged])
            places = np.delete(places, gathered.damaged)
            gathered = part.segment.gather(places)
        return places, gathered

    def _mend(self, part: Part, places: IntArray) -> None:
        """Take the rows of contexts from the authority from now on."""
        if not len(places):
            return
        if self._authority is None:
            raise VectorFileError("rows are damaged")
        mended = self._authority(part.segment.context_ids[places].tolist())
        part.remove(places)
        if self._mended and self._mended.live_places().size:
            kept = self._mended.segment.gather(self._mended.live_places())
            ids = self._mended.segment.context_ids[self._mended.live_places()].tolist()
            mended.update(zip(ids, np.split(kept.rows, kept.starts[1:-1]), strict=True))
        rows = [mended[context_id] for context_id in sorted(mended)]
        counts = np.array([len(own) for own in rows], np.int64)
        self._mended = Part(Segment.of(self.dim, np.array(sorted(mended), np.int64), counts, rows))

    # Searching

    def search(
        self,
        vector: FloatArray,
        k: int,
        sentence_weight: float,
        allowed: IntArray | None = None,
        recall: float = 1.0,
    ) -> list[ContextScore]:
        """The k best contexts, best first; equal scores in the order of ids.

        Args:
            vector: float32 of shape (dim,).
            k: most contexts to return; fewer come back when fewer are there.
            sentence_weight: 0 to 1, what the best sentence counts; the rest is the context's own row.
            allowed: ids, rising, of the contexts that may be returned; None for all. Not to be changed afterwards.
            recall: the share of the ten best that is found where codes are looked at, on average; 1.0 for no codes.

        Returns:
            Contexts, scored as `scores` does; with a recall of 1.0, exactly what scoring all would give.
        """
        asked, scored = _Asked(vector, k, sentence_weight, allowed, recall), NOTHING
        for part in self._each():
            scored = scored.joined(self._search_part(part, asked, _NONE))
        return scored.best(k).listed()

    def scores(
        self,
        vector: FloatArray,
        k: int,
        context_ids: Sequence[int],
        sentence_weight: float,
        allowed: IntArray | None = None,
        recall: float = 1.0,
        *,
        beside: bool = False,
    ) -> tuple[IntArray, FloatArray]:
        """Ids and scores of the k best contexts, as `search` finds them, of given ones, and of what else was scored.

        Args:
            context_ids: contexts to score besides, different ones; those that are not there are left out.
            beside: whoever asks has other work meanwhile, which needs a core.
            vector, k, sentence_weight, allowed, recall: as in `search`; k may be 0.
        """
        wanted = np.sort(np.array(context_ids, np.int64))
        asked, scored = _Asked(vector, k, sentence_weight, allowed, recall, beside), NOTHING
        for part in self._each():
            also = part.places(wanted)
            scored = scored.joined(self._search_part(part, asked, also) if k else self._score(part, also, asked))
        return scored.context_ids, scored.scores

    def _search_part(self, part: Part, asked: _Asked, also: IntArray) -> Scored:
        """The k best contexts at the least, and those at the places ``also``."""
        level = part.lists.levels.level(asked.recall) if part.lists and asked.recall < 1.0 else None
        if level is not None:
            try:
                return self._besides(self._search_lists(part, asked, level), part, also, asked)
            except VectorFileError:  # FAISS cannot read them
                part.lists = None
        if asked.recall < 1.0 and part.is_coded and asked.k * CONTEXTS_A_HIT <= len(part.segment):
            coded = part.codes()
            if coded is not None:
                return self._search_codes(part, coded, asked, also)
        return self._besides(self._scan(part, asked), part, also, asked)

    def _besides(self, found: Scored, part: Part, also: IntArray, asked: _Asked) -> Scored:
        """What was found, and the contexts at other places."""
        also = also[~np.isin(part.segment.context_ids[also], found.context_ids)]
        return found.joined(self._score(part, also, asked)) if len(also) else found

    def _search_codes(self, part: Part, coded: Codes, asked: _Asked, also: IntArray) -> Scored:
        """Score the contexts that can, by the codes of all rows, be among the k best, and those at other places."""
        k, chosen = asked.k, part.chosen(asked.allowed)
        selection = None if chosen is None else part.selection(chosen)
        query = np.ascontiguousarray(asked.vector, np.float32)
        rows, most = FIRST_ROWS + ROWS_A_CONTEXT * k, part.segment.row_count
        while True:
            found = coded.search(query, min(rows, most), chosen=selection)
            there = np.zeros(len(part.segment), np.bool_)
            there[part.owners[found.positions[found.positions >= 0]]] = True
            there[also] = True
            scored = self._score(part, np.flatnonzero(there), asked)
            # A blend is at most the larger of its parts, so no other context is better than its best row can be. The
            # estimate of a row that is not there is lower than any.
            others = found.estimates[-1] + ESTIMATES_SELDOM_OFF / np.sqrt(self.dim)
            if rows >= most or (len(scored.scores) >= k and others < np.partition(scored.scores, -k)[-k]):
                return scored
            rows *= 2

    def _search_lists(self, part: Part, asked: _Asked, level: Level) -> Scored:
        """Search the lists; deeper, where they do not give k contexts."""
        assert part.lists is not None
        k, chosen = asked.k, part.chosen(asked.allowed)
        contexts = len(part.segment) if chosen is None else int(np.count_nonzero(chosen))
        probes, rows = level.among(contexts / len(part.segment))
        selection = None
        if chosen is not None:
            selection = part.selection(chosen)
            codes = min(probes, part.lists.count) * part.segment.row_count / part.lists.count
            if selection.rows * CODES_A_ROW <= codes:
                return self._score(part, np.flatnonzero(chosen), asked).best(k)
        rows += ROWS_A_HIT * max(0, k - RECALL_AT)
        while True:
            found = part.lists.search(asked.vector, rows, probes, selection, beside=asked.beside)
            scored = self._score_best(part, found, asked)
            if len(scored.scores) >= min(k, contexts) or probes >= part.lists.count:
                return scored
            probes, rows = 4 * probes, 4 * rows

    def _score_best(self, part: Part, found: Found, asked: _Asked) -> Scored:
        """The k best contexts of those that rows belong to; places of rows that are not there are passed over.

        Contexts are scored in the order of their best row, as codes estimate it. A blend is at most the larger of its
        two parts, so after the first ones only those are left whose row can still be better than the k-th best score.
        """
        k = asked.k
        places, firsts = np.unique(part.segment.contexts_in_order(found.positions), return_index=True)
        order = np.argsort(firsts[places >= 0])
        places, firsts = places[places >= 0][order], firsts[places >= 0][order]
        first = 2 * k + 32
        scored = self._score(part, np.sort(places[:first]), asked).best(k)
        if len(places) > first:
            most = found.estimates[firsts[first:]] + ESTIMATES_OFF / np.sqrt(self.dim)
            least = scored.scores[-1] if len(scored.scores) == k else -np.inf
            rest = np.sort(places[first:][most > least])
            scored = scored.joined(self._score(part, rest, asked)).best(k)
        return scored

    def _scan(self, part: Part, asked: _Asked) -> Scored:
        """Exact search."""
        if not part.checked:
            self._mend(part, part.places(part.segment.context_ids[part.segment.damaged()]))
            part.checked = True
        chosen = part.chosen(asked.allowed)
        if chosen is not None and part.selection(chosen).rows * SCANNED_A_ROW <= part.segment.row_count:
            return self._score(part, np.flatnonzero(chosen), asked).best(asked.k)
        best = NOTHING
        for first, scored in part.scores(asked.vector, asked.weight):
            some = scored if chosen is None else scored.at(chosen[first : first + len(scored.scores)])
            best = best.joined(some).best(asked.k)
        return best

    def _score(self, part: Part, places: IntArray, asked: _Asked) -> Scored:
        """Score contexts of a part; those whose rows are damaged go over to the mended ones."""
        known = part.known_scores(asked.vector, asked.weight)
        if known is not None:
            return known.at(places)
        products = part.products(places, asked.vector)
        if products is not None:
            starts = part.segment.starts_among(places)
            return Scored.of(part.segment.context_ids[places], starts, products, asked.weight)
        places, gathered = self._gather(part, places)
        products = products_of(gathered.rows, asked.vector)
        return Scored.of(part.segment.context_ids[places], gathered.starts, products, asked.weight)
