"""Hybrid ranking: candidates by meaning and by words, the best of both looked at sentence by sentence."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from ctxsearch import forking, fusion
from ctxsearch.evidence import Sought, covered
from ctxsearch.identifiers import Identifier, identifiers, shares_held
from ctxsearch.records import (
    SENTENCE_WEIGHT,
    Candidate,
    Evidence,
    Filter,
    FloatArray,
    IntArray,
    Question,
    Ranked,
    UnderWay,
    sentence_texts,
)
from ctxsearch.store import Snapshot

RERANKED = 50
"""The best of these, by dense and lexical score, are looked at sentence by sentence. With fewer, fewer answers come
first: how telling a word is, is counted among them."""

LEXICAL_DEPTH = 100
"""Candidates that the search for words brings, at the least."""

LOOKED_AHEAD = 60
"""So many of them are looked at before it is known which are among the best."""

EXACT_POINTS = 100.0
"""Points of BM25 that it is worth that a context holds all identifiers of the question to the letter: as much cosine as
lies between near misses, which are near by meaning, too."""

EXACT_PAIRS = 15.0
"""Points of idf, as neighbours have them, that it is worth that a sentence does: so it is the one that is shown."""

READ_AHEAD = 8
"""So many of them are read before it is known which are hits, if there is time: in SQuAD, 3.3 of five hits are among
them."""


def rank_hybrid(
    snapshot: Snapshot, question: str, embedded: UnderWay[Question], k: int, where: Filter | None
) -> list[Ranked]:
    """The k best candidates, best first; arguments as `ranking.rank` has them.

    The search by meaning brings no more than are looked at: one that comes after those, and holds no word, cannot be
    better by both; one that holds some has its cosine computed anyway.
    """
    looked_at = max(RERANKED, k)

    def search_dense(also: Sequence[int], *, beside: bool = False) -> tuple[IntArray, FloatArray]:
        snapshot.ready_vectors()
        return snapshot.dense_scores(
            embedded.finish().embedding, looked_at, also, SENTENCE_WEIGHT, where, beside=beside
        )

    beside = None
    if where is None and snapshot.searches_long():
        beside = _beside().submit(search_dense, (), beside=True)
    try:
        by_words = snapshot.search_lexical(question, max(LEXICAL_DEPTH, k), where)
        lexical = {c.context_id: c.lexical or 0.0 for c in by_words}
        # While the question is being embedded, its words are looked for in the candidates that there are.
        first = [*lexical][:LOOKED_AHEAD]
        sought, looked_in = Sought(question), {context_id: place for place, context_id in enumerate(first)}
        words = snapshot.sentence_words(first)
        held = sought.find([words[context_id] for context_id in looked_in])
        if not (beside.done() if beside else embedded.over()):
            snapshot.read_ahead(first[:READ_AHEAD])
    finally:
        if beside:
            beside.exception()  # waits: it reads the snapshot
    ids, scores = beside.result() if beside else search_dense([*lexical])
    asked = embedded.finish()
    if beside:
        others = [*lexical.keys() - set(ids.tolist())]
        scored = snapshot.dense_scores(asked.embedding, 0, others, SENTENCE_WEIGHT)
        ids, scores = np.concatenate([ids, scored[0]]), np.concatenate([scores, scored[1]])

    points = np.array([*map(lexical.get, ids.tolist(), repeat(0.0))])
    exact = {c.context_id: c.exact for c in by_words if c.exact}
    worth = points + EXACT_POINTS * np.array([*map(exact.get, ids.tolist(), repeat(0.0))]) if exact else points
    best = fusion.blend(ids, scores, worth, looked_at)
    first = ids[best].tolist()
    cosines, points = scores[best], points[best]
    missing = [context_id for context_id in first if context_id not in looked_in]
    looked_in |= {context_id: place for place, context_id in enumerate(missing, start=len(looked_in))}
    words = snapshot.sentence_words(missing)
    held = held.joined(sought.find([words[context_id] for context_id in missing]))
    held = held.at([looked_in[context_id] for context_id in first])
    coverage, counts = covered(held), held.counts
    products, rows = snapshot.products(asked.states, first)
    worth, pairs = points, coverage.pairs
    if sought_exactly := identifiers(question):
        in_contexts, in_sentences = _shares_held(snapshot, sought_exactly, first)
        worth, pairs = worth + EXACT_POINTS * in_contexts, pairs + EXACT_PAIRS * in_sentences
    joint = fusion.joint(products, rows, counts, coverage.shares, pairs, worth, SENTENCE_WEIGHT)
    firsts = counts.cumsum() - counts
    ranked = []
    for place in np.lexsort((ids[best], -joint.scores))[:k].tolist():
        context_id, sentence = first[place], int(joint.sentences[place])
        dense = float(cosines[place])
        evidence = Evidence(
            float(joint.scores[place]),
            dense=dense,
            lexical=float(points[place]),
            coverage=float(coverage.shares[firsts[place] + sentence]) if sentence >= 0 else 0.0,
            known=coverage.known,
        )
        found = Candidate(context_id, dense, lexical.get(context_id), sentence if sentence >= 0 else None)
        ranked.append(Ranked(found, evidence))
    return ranked


def _shares_held(
    snapshot: Snapshot, asked: Sequence[Identifier], context_ids: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of the question's identifiers each context holds, in its title, headings or text; and each sentence."""
    stored = snapshot.contexts(context_ids)
    contexts = [stored[context_id] for context_id in context_ids]
    whole = shares_held(asked, ("\n".join([one.title, *one.headings, one.text]) for one in contexts))
    sentences = (text for one in contexts for text in sentence_texts(one.text, one.start, one.sentences))
    return np.array(whole), np.array(shares_held(asked, sentences))


@functools.cache
def _beside() -> ThreadPoolExecutor:
    """Threads that search by meaning while others search for words: in a large index both take milliseconds."""
    return ThreadPoolExecutor(thread_name_prefix="meaning")


forking.reset_in_child(_beside.cache_clear)
