"""Hybrid ranking: candidates by meaning and by words, the best of both looked at sentence by sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ctxsearch import fusion
from ctxsearch.evidence import sentence_coverage
from ctxsearch.records import EXACT, SENTENCE_WEIGHT, Candidate, Evidence, Question, Ranked
from ctxsearch.store import Snapshot

RERANKED = 50
"""The best of these, by dense and lexical score, are looked at sentence by sentence."""

DEPTH = 100
"""Candidates that the search for words brings, at the least."""


def rank_hybrid(
    snapshot: Snapshot, question: str, embedded: Callable[[], Question], k: int, where: Mapping[str, Any] | None
) -> list[Ranked]:
    """The k best candidates, best first; arguments as `query.rank` has them.

    The search by meaning brings no more than are looked at: one that comes after those, and holds no word, cannot be
    better by both; one that holds some has its cosine computed anyway.
    """
    looked_at = max(RERANKED, k)

    def search_dense() -> list[Candidate]:
        snapshot.ready_vectors()
        return snapshot.search_dense(embedded().embedding, looked_at, SENTENCE_WEIGHT, where)

    beside = None
    if where is None and snapshot.vector_index()[0] != EXACT:
        beside = _beside().submit(search_dense)
    try:
        lexical = {c.context_id: c.lexical or 0.0 for c in snapshot.search_lexical(question, max(DEPTH, k), where)}
    finally:
        if beside:
            beside.exception()  # waits: it reads the snapshot
    cosines = {c.context_id: c.dense or 0.0 for c in (beside.result() if beside else search_dense())}
    asked = embedded()
    others = [context_id for context_id in lexical if context_id not in cosines]
    scored = snapshot.score_dense(asked.embedding, others, SENTENCE_WEIGHT)
    cosines |= {c.context_id: c.dense or 0.0 for c in scored}

    first = [context_id for context_id, _ in fusion.blend(cosines, lexical)[:looked_at]]
    words = snapshot.sentence_words(first)
    candidates = [words[context_id] for context_id in first]
    covered = sentence_coverage(question, candidates)
    counts = np.array([len(own.starts) for own in candidates], np.int64)
    points = np.array([lexical.get(context_id, 0.0) for context_id in first])
    products = snapshot.products(asked.states, first)
    joint = fusion.joint(products, counts, covered.shares, covered.pairs, points, SENTENCE_WEIGHT)
    ends = np.cumsum(counts)
    ranked = []
    for place in np.lexsort((np.array(first), -joint.scores))[:k].tolist():
        context_id, sentence = first[place], int(joint.sentences[place])
        evidence = Evidence(
            float(joint.scores[place]),
            dense=cosines[context_id],
            lexical=lexical.get(context_id, 0.0),
            coverage=float(covered.shares[ends[place] - counts[place] + sentence]) if sentence >= 0 else 0.0,
            known=covered.known,
        )
        found = Candidate(context_id, cosines[context_id], lexical.get(context_id), sentence if sentence >= 0 else None)
        ranked.append(Ranked(found, evidence))
    return ranked


@functools.cache
def _beside() -> ThreadPoolExecutor:
    """Threads that search by meaning while others search for words: in a large index both take milliseconds."""
    return ThreadPoolExecutor(thread_name_prefix="meaning")
