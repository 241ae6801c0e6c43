"""The way out: question -> embedding -> candidates -> fusion -> hits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from ctxsearch.calibration import Calibration
from ctxsearch.catalog import StoredContext, words_of
from ctxsearch.errors import ArgumentError
from ctxsearch.records import (
    MODES,
    SENTENCE_WEIGHT,
    Answer,
    Candidate,
    Evidence,
    Filter,
    Hit,
    MatchedSentence,
    Milliseconds,
    Mode,
    Question,
    Ranked,
    Scores,
    UnderWay,
    sentence_texts,
)
from ctxsearch.store import LEXICAL_WORDS, Snapshot, Store
from ctxsearch.words import fullest

Embed: TypeAlias = Callable[[Sequence[str]], UnderWay[list[Question]]]
"""Begins to embed questions."""

LEAST_RANKED = 10
"""Hits that are scored at the least, so that the first one's score does not depend on k."""


def answer(
    store: Store,
    embedder: Callable[[bool], Embed],
    questions: Sequence[str],
    *,
    k: int,
    mode: Mode,
    where: Filter | None = None,
    min_score: float | None = None,
    calibration: Calibration | None = None,
    aside: bool = False,
) -> list[Answer]:
    """Answer questions, each on the newest generation.

    Args:
        store: what is searched.
        embedder: finds the model and gives what embeds questions with it, told whether there is other work meanwhile;
            not called in lexical mode.
        questions: plain text; no character in them is an operator.
        k: most hits of an answer.
        mode: ``dense`` by meaning, ``lexical`` by words, ``hybrid`` by both.
        where: only documents with these metadata.
        min_score: leaves out hits below this probability.
        calibration: of the mode, makes scores probabilities; without one they only rank.
        aside: questions are embedded in a thread of their own, where the model may be loaded while words are searched
            for.

    Raises:
        ArgumentError: a question without a word, ``k`` below 1, ``min_score`` not from 0 to 1 or without a calibration,
            an unknown mode or condition.
    """
    if mode not in MODES:
        raise ArgumentError(f"no mode {mode!r}; there are {', '.join(MODES)}")
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ArgumentError(f"k is {k!r}; ask for at least 1 hit")
    if min_score is not None:
        if isinstance(min_score, bool) or not isinstance(min_score, int | float) or not 0.0 <= min_score <= 1.0:
            raise ArgumentError(f"min_score is {min_score!r}; it is a probability, from 0 to 1")
        if calibration is None:
            raise ArgumentError(
                f"the model of this index has no calibration for {mode} mode, so its scores are no probabilities; "
                "leave out min_score, or see ctxsearch model calibrate --help"
            )
    for question in questions:
        if not question.strip():
            raise ArgumentError(
                'the question is empty; ask for something, as in: ctxsearch query "who may approve a refund?"'
            )
    # Half a surrogate pair (bytes of a command line that are not UTF-8) is no text that a model or SQLite takes.
    questions = [question.encode("utf-8", "replace").decode() for question in questions]
    embeddings = _Embeddings(embedder(mode == "hybrid"), questions, aside=aside) if mode != "lexical" else None
    try:
        return [
            _answer(store, question, place, embeddings, k, mode, where, min_score, calibration)
            for place, question in enumerate(questions)
        ]
    finally:
        if embeddings:
            embeddings.wait()


class _Embeddings:
    """The embeddings of questions: under way from the beginning, beside whatever their asker does."""

    def __init__(self, embed: Embed, questions: Sequence[str], *, aside: bool) -> None:
        self._questions = questions
        self._embed = embed
        self._begun: UnderWay[list[Question]] | None = None
        self._embedded: list[Question] = []
        self._error: BaseException | None = None
        started = time.perf_counter()
        self._thread = threading.Thread(target=self._run, name="embedding") if aside else None
        if self._thread:
            self._thread.start()
        else:
            self._begun = embed(questions)
        self._done = False
        self._waited = time.perf_counter() - started

    def __getitem__(self, place: int) -> Question:
        self.wait()
        if self._error is not None:
            raise self._error
        return self._embedded[place]

    def over(self) -> bool:
        """Whether there is nothing to wait for."""
        if self._thread:
            return not self._thread.is_alive()
        return self._done or self._begun is None or self._begun.over()

    def wait(self) -> None:
        """Wait until they are made, well or not."""
        if self._done:
            return
        started = time.perf_counter()
        if self._thread:
            self._thread.join()
        else:
            self._run()
        self._done = True
        self._waited += time.perf_counter() - started

    def _run(self) -> None:
        try:
            self._embedded = (self._begun or self._embed(self._questions)).finish()
        except BaseException as error:  # raised again where an embedding is asked for
            self._error = error

    @property
    def milliseconds(self) -> tuple[float, float]:
        """What was waited for all of them, and the share of one."""
        waited = 1000.0 * self._waited
        return waited, waited / len(self._questions)


def _answer(
    store: Store,
    question: str,
    place: int,
    embeddings: _Embeddings | None,
    k: int,
    mode: Mode,
    where: Filter | None,
    min_score: float | None,
    calibration: Calibration | None,
) -> Answer:
    started = time.perf_counter()
    with store.snapshot() as snapshot:
        embedded = UnderWay(partial(embeddings.__getitem__, place), embeddings.over) if embeddings else None
        ranked = rank(snapshot, question, embedded, k, mode, where)
        scores = [one.evidence.score for one in ranked]
        if calibration:
            scores = calibration.probabilities([one.evidence for one in ranked])
        best = [
            (one.candidate, score)
            for one, score in zip(ranked[:k], scores, strict=False)
            if min_score is None or score >= min_score
        ]
        stored = snapshot.contexts(candidate.context_id for candidate, _ in best)
        hits = tuple(
            _hit(number, score, candidate, stored[candidate.context_id], question)
            for number, (candidate, score) in enumerate(best, start=1)
        )
        generation = snapshot.generation
    truncated = embeddings[place].truncated if embeddings else len(words_of(question)) > LEXICAL_WORDS
    search, embed = 1000.0 * (time.perf_counter() - started), 0.0
    if embeddings:
        waited, embed = embeddings.milliseconds
        search -= waited if place == 0 else 0.0
    return Answer(
        question=question,
        hits=hits,
        mode=mode,
        generation=generation,
        truncated=truncated,
        evidence=tuple(one.evidence for one in ranked),
        milliseconds=Milliseconds(embed=embed, search=search, total=embed + search),
    )


def rank(
    snapshot: Snapshot,
    question: str,
    embedded: UnderWay[Question] | None,
    k: int,
    mode: Mode,
    where: Filter | None = None,
) -> list[Ranked]:
    """The best candidates, best first: k, or `LEAST_RANKED` if that is more, as far as there are any.

    Args:
        snapshot: what is searched.
        question: plain text.
        embedded: the same; None in lexical mode.
        k: how many are wanted.
        mode: how.
        where: only documents with these metadata.
    """
    k = max(k, LEAST_RANKED)
    if embedded is None:
        found = snapshot.search_lexical(question, k, where)
        return [Ranked(c, Evidence(c.lexical or 0.0, lexical=c.lexical or 0.0)) for c in found]
    if mode == "dense":
        snapshot.ready_vectors()
        found = snapshot.search_dense(embedded.finish().embedding, k, SENTENCE_WEIGHT, where)
        return [Ranked(c, Evidence(c.dense or 0.0, dense=c.dense or 0.0)) for c in found]
    from ctxsearch.hybrid import rank_hybrid  # here: it needs numpy, and a search by words alone does not

    return rank_hybrid(snapshot, question, embedded, k, where)


def _hit(rank: int, score: float, candidate: Candidate, stored: StoredContext, question: str) -> Hit:
    ordinal = candidate.sentence
    if ordinal is None:
        ordinal = fullest(question, sentence_texts(stored.text, stored.start, stored.sentences))
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
