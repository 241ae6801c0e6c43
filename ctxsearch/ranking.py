"""Ranking: the best contexts for a question, as many as are wanted; of each document the best one, where that is asked.

How many are wanted changes nothing about those that come first, so that the pages of an answer fit together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ctxsearch.records import SENTENCE_WEIGHT, Evidence, Filter, GroupBy, Mode, Question, Ranked, UnderWay
from ctxsearch.store import Snapshot

MIN_RANKED = 10
"""Hits that are scored at the least, so that the first one's score does not depend on k."""

FIRST_DEPTH = 50
"""Contexts that are ranked together at first. Up to here, hybrid search ranks the same ones whatever is wanted."""

DEEPER = 5
"""How many times as many are ranked when those were too few."""

MAX_DEPTH_A_ROUND = 1600
"""Contexts ranked in one round while documents are collected, at most."""


class Without(NamedTuple):
    """What is left out of an answer."""

    document_id: int | None = None
    context_id: int | None = None


NOTHING = Without()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to one snapshot."""

    snapshot: Snapshot
    question: str
    """Plain text."""
    embedded: UnderWay[Question] | None
    """The same, embedded; None in lexical mode."""
    mode: Mode
    where: Filter | None = None
    """Only documents with these metadata."""
    without: Without = NOTHING

    def best(self, wanted: int, group_by: GroupBy | None = None) -> list[Ranked]:
        """The best candidates, best first: as many as are wanted, or `MIN_RANKED` if that is more, as far as there are.

        Args:
            wanted: how many.
            group_by: ``document`` for the best one of each document.
        """
        wanted = max(wanted, MIN_RANKED)
        return (self._each_documents_best(wanted) if group_by else self._best(wanted))[:wanted]

    def _best(self, wanted: int) -> list[Ranked]:
        depth = min(wanted, FIRST_DEPTH)
        ranked = found = self._ranked(depth)
        depth = FIRST_DEPTH
        while len(ranked) < wanted and len(found) >= depth:
            depth *= DEEPER
            found = self._ranked(depth)
            seen = {one.candidate.context_id for one in ranked}
            ranked = ranked + [one for one in found if one.candidate.context_id not in seen]
        return ranked

    def _each_documents_best(self, wanted: int) -> list[Ranked]:
        """One context of each document. Documents that were found are left out of the next round, so that a long one
        which has the best hundreds of contexts hides no other."""
        ranked: list[Ranked] = []
        documents: dict[int, None] = {}
        depth = FIRST_DEPTH
        asked = self
        while len(ranked) < wanted:
            found = asked._ranked(depth)
            owners = self.snapshot.documents_of_contexts([one.candidate.context_id for one in found])
            for one in found:
                owner = owners[one.candidate.context_id]
                if owner not in documents:
                    documents[owner] = None
                    ranked.append(one)
            if len(found) < depth:
                break
            depth = min(2 * depth, MAX_DEPTH_A_ROUND)
            asked = replace(self, where=Filter.excluding(self.where, documents))
        return ranked

    def _ranked(self, depth: int) -> list[Ranked]:
        """So many of the best, best first, without what is to be left out."""
        left_out, where = self.without, self.where
        if left_out.document_id is not None:
            where = Filter.excluding(where, [left_out.document_id])
        if left_out.context_id is None:
            return rank(self.snapshot, self.question, self.embedded, depth, self.mode, where)
        found = rank(self.snapshot, self.question, self.embedded, depth + 1, self.mode, where)
        return [one for one in found if one.candidate.context_id != left_out.context_id][:depth]


def rank(
    snapshot: Snapshot,
    question: str,
    embedded: UnderWay[Question] | None,
    k: int,
    mode: Mode,
    where: Filter | None = None,
) -> list[Ranked]:
    """The k best candidates, best first, as far as there are any.

    Args:
        snapshot: what is searched.
        question: plain text.
        embedded: the same; None in lexical mode.
        k: how many are wanted.
        mode: how.
        where: only documents with these metadata.
    """
    if embedded is None:
        found = snapshot.search_lexical(question, k, where)
        return [Ranked(c, Evidence(c.lexical or 0.0, lexical=c.lexical or 0.0)) for c in found]
    if mode == "dense":
        snapshot.ready_vectors()
        found = snapshot.search_dense(embedded.finish().embedding, k, SENTENCE_WEIGHT, where)
        return [Ranked(c, Evidence(c.dense or 0.0, dense=c.dense or 0.0)) for c in found]
    from ctxsearch.hybrid import rank_hybrid  # here: it needs numpy, and a search by words alone does not

    return rank_hybrid(snapshot, question, embedded, k, where)
