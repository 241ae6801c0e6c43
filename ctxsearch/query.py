"""The way out: question -> embedding -> candidates -> fusion -> hits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from ctxsearch import arguments, logs, ranking
from ctxsearch.calibration import Calibration
from ctxsearch.catalog import StoredContext
from ctxsearch.errors import ArgumentError
from ctxsearch.identifiers import identifiers, shares_held
from ctxsearch.records import (
    Answer,
    Candidate,
    Filter,
    FloatArray,
    GroupBy,
    Hit,
    MatchedSentence,
    Milliseconds,
    Mode,
    Question,
    Scores,
    UnderWay,
    sentence_texts,
)
from ctxsearch.store import LEXICAL_WORDS, Store
from ctxsearch.terms import asked_terms
from ctxsearch.words import fullest

Embed: TypeAlias = Callable[[Sequence[str]], UnderWay[list[Question]]]
"""Begins to embed questions."""

SEARCHED_CHARACTERS = 5_000
"""Characters of a question whose words are looked for: 800 words of English. More of them are looked at for the longest
questions only, which would take seconds."""


@dataclass(frozen=True, slots=True)
class Search:
    """How an index is searched."""

    k: int = 5
    """Most hits of an answer."""
    mode: Mode = "hybrid"
    """``dense`` by meaning, ``lexical`` by words, ``hybrid`` by both."""
    where: Filter | None = None
    """Only documents with these metadata."""
    min_score: float | None = None
    """Leaves out hits below this probability."""
    offset: int = 0
    """Hits passed over at the beginning."""
    group_by: GroupBy | None = None
    """``document``: of each document its best hit alone."""
    calibration: Calibration | None = None
    """Of the mode, makes scores probabilities; without one they only rank."""

    def checked(self) -> Search:
        """The same, every value in its type.

        Raises:
            ArgumentError: an unknown mode or grouping, ``k`` below 1, ``offset`` below 0, ``min_score`` not from 0 to 1
                or without a calibration.
        """
        mode = arguments.mode(self.mode)
        if self.group_by is not None and (not isinstance(self.group_by, str) or self.group_by != "document"):
            raise ArgumentError(f"group_by is {arguments.shown(self.group_by)}; expected 'document' or None")
        score = None
        if self.min_score is not None:
            score = arguments.real(self.min_score, "min_score")
            if not 0.0 <= score <= 1.0:
                raise ArgumentError(f"min_score is {score!r}; it is a probability, from 0 to 1")
            if self.calibration is None:
                raise ArgumentError(
                    f"the model of this index has no calibration for {self.mode} mode, so its scores are no "
                    "probabilities; leave out min_score, or see ctxsearch model calibrate --help"
                )
        return replace(
            self,
            k=arguments.integer(self.k, "k", least=1),
            mode=mode,
            min_score=score,
            offset=arguments.integer(self.offset, "offset"),
        )


def answer(
    store: Store,
    embedder: Callable[[bool], Embed],
    questions: Sequence[str],
    search: Search,
    *,
    aside: bool = False,
    index_name: str = "",
) -> list[Answer]:
    """Answer questions, each on the newest generation.

    Args:
        store: what is searched.
        embedder: finds the model and gives what embeds questions with it, told whether there is other work meanwhile;
            not called in lexical mode.
        questions: plain text; no character in them is an operator.
        search: how.
        aside: questions are embedded in a thread of their own, where the model may be loaded while words are searched
            for.
        index_name: how the answers name the index.

    Raises:
        ArgumentError: a question without a word, or a search of no use.
    """
    search = search.checked()
    for question in questions:
        if not question.strip():
            raise ArgumentError(
                'the question is empty; ask for something, as in: ctxsearch query "who may approve a refund?"'
            )
    # Half a surrogate pair (bytes of a command line that are not UTF-8) is no text that a model or SQLite takes.
    questions = [question.encode("utf-8", "replace").decode() for question in questions]
    lexical = search.mode == "lexical"
    embeddings = None if lexical else _Embeddings(embedder(search.mode == "hybrid"), questions, aside=aside)
    try:
        if embeddings and not aside and (search.mode == "dense" or len(questions) > 1):
            embeddings.wait()  # while others search; with one hybrid question, its own search goes on meanwhile
        return [
            _answer(store, question, place, embeddings, search, index_name) for place, question in enumerate(questions)
        ]
    finally:
        if embeddings:
            embeddings.wait()


def nearest(
    store: Store,
    vector: FloatArray,
    search: Search,
    *,
    index_name: str = "",
    without: ranking.Without = ranking.NOTHING,
) -> Answer:
    """What stands nearest to an embedding, by dense search; the answer has an empty question.

    Args:
        store: what is searched.
        vector: a unit vector, float32 of shape (dim,), of the store's embedding space.
        search: how; its mode is ``dense``.
        index_name: how the answer names the index.
        without: what is left out.

    Raises:
        ArgumentError: a search of no use.
    """
    search = search.checked()
    question = Question("", vector, vector, truncated=False)
    embeddings = _Embeddings(lambda _: UnderWay(lambda: [question]), [""], aside=False)
    return _answer(store, "", 0, embeddings, search, index_name, without)


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
        self.waited = time.perf_counter() - started
        """Seconds in which nothing else was done, so far."""

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
        self.waited += time.perf_counter() - started

    def _run(self) -> None:
        try:
            self._embedded = (self._begun or self._embed(self._questions)).finish()
        except BaseException as error:  # raised again where an embedding is asked for
            self._error = error

    @property
    def milliseconds_each(self) -> float:
        """The share of one question in what was waited."""
        return 1000.0 * self.waited / len(self._questions)


def _answer(
    store: Store,
    question: str,
    place: int,
    embeddings: _Embeddings | None,
    search: Search,
    index_name: str,
    without: ranking.Without = ranking.NOTHING,
) -> Answer:
    started, waited_before = time.perf_counter(), embeddings.waited if embeddings else 0.0
    with store.snapshot() as snapshot:
        embedded = UnderWay(partial(embeddings.__getitem__, place), embeddings.over) if embeddings else None
        words = _beginning(question)
        asked = ranking.Asked(snapshot, words, embedded, search.mode, search.where, without)
        ranked = asked.best(search.offset + search.k, search.group_by)
        scores = [one.evidence.score for one in ranked]
        if search.calibration:
            scores = search.calibration.probabilities([one.evidence for one in ranked])
        wanted = slice(search.offset, search.offset + search.k)
        best = [
            (one.candidate, score)
            for one, score in zip(ranked[wanted], scores[wanted], strict=True)
            if search.min_score is None or score >= search.min_score
        ]
        stored = snapshot.contexts(candidate.context_id for candidate, _ in best)
        hits = tuple(
            _hit(number, score, candidate, stored[candidate.context_id], words)
            for number, (candidate, score) in enumerate(best, start=search.offset + 1)
        )
        generation = snapshot.generation
    if embeddings:
        truncated = embeddings[place].truncated
    else:
        truncated = words != question.strip() or len(asked_terms(words)) > LEXICAL_WORDS
    searched, embed = time.perf_counter() - started, 0.0
    if embeddings:
        searched -= embeddings.waited - waited_before
        embed = embeddings.milliseconds_each
    searched *= 1000.0
    total = embed + searched
    logs.debug("query %r, %s mode: %d hits in %.1f ms", question, search.mode, len(hits), total)
    if total >= logs.SLOW_MILLISECONDS:
        logs.info("slow query of %s, %s mode: %.0f ms, of them %.0f embedding", index_name, search.mode, total, embed)
    return Answer(
        question=question,
        hits=hits,
        mode=search.mode,
        generation=generation,
        truncated=truncated,
        evidence=tuple(one.evidence for one in ranked),
        milliseconds=Milliseconds(embed=embed, search=searched, total=total),
        index_path=index_name,
    )


def _beginning(question: str) -> str:
    """What of a question words are looked for in: whole words, as far as they are in its first characters."""
    question = question.strip()
    if len(question) <= SEARCHED_CHARACTERS:
        return question
    return question[: SEARCHED_CHARACTERS + 1].rsplit(None, 1)[0][:SEARCHED_CHARACTERS]


def _hit(rank: int, score: float, candidate: Candidate, stored: StoredContext, question: str) -> Hit:
    ordinal = candidate.sentence
    if ordinal is None:
        sentences = sentence_texts(stored.text, stored.start, stored.sentences)
        ordinal = fullest(question, sentences, shares_held(identifiers(question), sentences))
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
