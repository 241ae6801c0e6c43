"""The way out: question -> embedding -> candidates -> fusion -> hits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ctxsearch import fusion
from ctxsearch.catalog import StoredContext, words_of
from ctxsearch.errors import ArgumentError
from ctxsearch.evidence import sentence_coverage
from ctxsearch.records import (
    MODES,
    Answer,
    Candidate,
    Hit,
    MatchedSentence,
    Milliseconds,
    Mode,
    Question,
    Scores,
)
from ctxsearch.store import LEXICAL_WORDS, Snapshot, Store

if TYPE_CHECKING:
    from ctxsearch.encoder import Encoder

SENTENCE_WEIGHT = 0.85
"""Share of the best sentence in a dense score; the rest is the context's own."""

RERANKED = 50
"""The best of these, by dense and lexical score, are looked at sentence by sentence."""

HYBRID_DEPTH = 100
"""Candidates that each way of searching brings to a hybrid query, at the least."""


def answer(
    store: Store,
    encoder: Callable[[], Encoder],
    questions: Sequence[str],
    *,
    k: int,
    mode: Mode,
    where: Mapping[str, Any] | None = None,
) -> list[Answer]:
    """Answer questions, each on the newest generation.

    Args:
        store: what is searched.
        encoder: gives the encoder; not called in lexical mode.
        questions: plain text; no character in them is an operator.
        k: most hits of an answer.
        mode: ``dense`` by meaning, ``lexical`` by words, ``hybrid`` by both.
        where: only documents with these metadata.

    Raises:
        ArgumentError: a question without a word, ``k`` below 1, an unknown mode or condition.
    """
    if mode not in MODES:
        raise ArgumentError(f"no mode {mode!r}; there are {', '.join(MODES)}")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ArgumentError(f"k is {k!r}; ask for at least 1 hit")
    for question in questions:
        if not question.strip():
            raise ArgumentError(
                'the question is empty; ask for something, as in: ctxsearch query "who may approve a refund?"'
            )
    # Half a surrogate pair (bytes of a command line that are not UTF-8) is no text that a model or SQLite takes.
    questions = [question.encode("utf-8", "replace").decode() for question in questions]
    started = time.perf_counter()
    asked: list[Question | None] = [None] * len(questions)
    if mode != "lexical":
        asked = [*encoder().embed_questions(questions)]
    embed = (time.perf_counter() - started) * 1000.0 / max(1, len(questions))
    answers = []
    for question, embedded in zip(questions, asked, strict=True):
        started = time.perf_counter()
        with store.snapshot() as snapshot:
            ranked = _search(snapshot, question, embedded, k, mode, where)
            stored = snapshot.contexts(candidate.context_id for candidate, _ in ranked)
            hits = tuple(
                _hit(rank, score, candidate, stored[candidate.context_id], question)
                for rank, (candidate, score) in enumerate(ranked, start=1)
            )
            generation = snapshot.generation
        search = (time.perf_counter() - started) * 1000.0
        answers.append(
            Answer(
                question=question,
                hits=hits,
                mode=mode,
                generation=generation,
                truncated=embedded.truncated if embedded else len(words_of(question)) > LEXICAL_WORDS,
                milliseconds=Milliseconds(embed=embed, search=search, total=embed + search),
            )
        )
    return answers


def _search(
    snapshot: Snapshot,
    question: str,
    embedded: Question | None,
    k: int,
    mode: Mode,
    where: Mapping[str, Any] | None,
) -> list[tuple[Candidate, float]]:
    """The k best candidates with their scores, best first."""
    if embedded is None:
        found = snapshot.search_lexical(question, k, where)
        return [(candidate, candidate.lexical or 0.0) for candidate in found]
    if mode == "dense":
        found = snapshot.search_dense(embedded.embedding, k, SENTENCE_WEIGHT, where)
        return [(candidate, candidate.dense or 0.0) for candidate in found]
    depth = max(HYBRID_DEPTH, k)
    dense = {c.context_id: c for c in snapshot.search_dense(embedded.embedding, depth, SENTENCE_WEIGHT, where)}
    lexical = {c.context_id: c.lexical or 0.0 for c in snapshot.search_lexical(question, depth, where)}
    others = [context_id for context_id in lexical if context_id not in dense]
    dense |= {c.context_id: c for c in snapshot.score_dense(embedded.embedding, others, SENTENCE_WEIGHT)}
    cosines = {context_id: c.dense or 0.0 for context_id, c in dense.items()}
    first = [context_id for context_id, _ in fusion.blend(cosines, lexical)[: max(RERANKED, k)]]
    stored = snapshot.contexts(first)
    coverage = sentence_coverage(question, {context_id: _sentences(stored[context_id]) for context_id in first})
    ranked = fusion.blend(
        {context_id: cosines[context_id] for context_id in first},
        lexical,
        {context_id: covered.share for context_id, covered in coverage.items()},
    )
    return [(replace(dense[context_id], lexical=lexical.get(context_id)), score) for context_id, score in ranked[:k]]


def _hit(rank: int, score: float, candidate: Candidate, stored: StoredContext, question: str) -> Hit:
    ordinal = candidate.sentence
    if ordinal is None:
        ordinal = sentence_coverage(question, {0: _sentences(stored)})[0].sentence
    span = stored.sentences[ordinal]
    whole = stored.text[span.start - stored.start : span.end - stored.start]
    shown = whole.strip()
    start = span.start + whole.find(shown)
    return Hit(
        rank=rank,
        score=score,
        scores=Scores(dense=candidate.dense, lexical=candidate.lexical),
        document_id=stored.document_id,
        context_id=stored.context_id,
        source=stored.source,
        title=stored.title,
        metadata=stored.metadata,
        page=stored.page,
        start=stored.start,
        end=stored.end,
        text=stored.text,
        sentence=MatchedSentence(start=start, end=start + len(shown), text=shown),
        headings=stored.headings,
    )


def _sentences(stored: StoredContext) -> list[str]:
    return [stored.text[span.start - stored.start : span.end - stored.start] for span in stored.sentences]
