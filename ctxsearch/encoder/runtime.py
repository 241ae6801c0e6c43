"""The Encoder: texts to token ids, through the graph, and pooling of token states (late chunking).

One forward pass gives the token states of a context. Their mean, normalised, is the context's embedding; the mean over
each sentence's tokens, normalised, is that sentence's embedding, and has seen the whole context (late chunking,
Günther et al. 2024, arXiv:2409.04701).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice, pairwise

import numpy as np

from ctxsearch import forking, locks
from ctxsearch.encoder.graph import Graph
from ctxsearch.encoder.inference import Compiled
from ctxsearch.encoder.lexical import LexicalPart
from ctxsearch.encoder.tokens import SAFE_SPACE, Tokenizer
from ctxsearch.errors import ModelError
from ctxsearch.passport import ModelFolder, Passport, vocabulary_file
from ctxsearch.records import Context, Embeddings, FloatArray, IntArray, Question, UnderWay

_TINY = float(np.finfo(np.float32).tiny)


@dataclass
class _Asked:
    """Questions on their way to embeddings."""

    questions: Sequence[str]
    ids: list[IntArray]
    """As the model reads them."""
    cut: list[bool]
    lexical: list[FloatArray] = field(default_factory=list)
    """The lexical part of each, where the model has one; made before they are pooled."""
    made: dict[int, Question] = field(default_factory=dict)

    def embedded(self) -> list[Question]:
        """All of them, in their order."""
        return [self.made[place] for place in range(len(self.questions))]


class Encoder:
    """Embeds contexts and questions with the model of one model folder.

    May be shared between threads; calls share the cores.
    """

    def __init__(self, model: ModelFolder, *, threads: int | None = None) -> None:
        """Load the model. It is compiled when it is first used.

        Args:
            model: the model folder; no embedding is given before its checksums are verified.
            threads: CPU threads of the inference; None for as many as there are cores.

        Raises:
            ModelError: the folder cannot be used. That a file is damaged, or a graph of dynamic shapes not what its
                card says, is noticed when the first text is embedded at the latest: checksums are compared while the
                graph is compiled, and what was compiled before is not read again.
        """
        self.passport: Passport = model.passport
        self.contexts_embedded = 0
        """Contexts embedded until now, by all threads."""
        self._counting = locks.make(locks.Rank.CLOCK)
        self._context_prefix = self.passport.context_prefix
        self._question_prefix = self.passport.question_prefix
        self._model = model
        self._verified = _verified_in_background(model)
        forking.register(self)
        try:
            self._tokenizer = Tokenizer(vocabulary_file(model.path), lower_case=self.passport.lower_case)
            self._lexical = LexicalPart.load(model, self._tokenizer.size)
            self._graph = Graph(model, self._tokenizer.pad_id, threads=threads)
        except ModelError:
            self._verified.result()  # damage is said first, whatever else it led to
            raise

    def after_fork_in_child(self) -> None:
        """Verify the model again, if the thread that did so is the parent's."""
        if not self._verified.done():
            self._verified = _verified_in_background(self._model)

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.passport.dim

    @property
    def context_budget(self) -> int:
        """Tokens of its own that a context may have: the window less ``[CLS]``, ``[SEP]`` and the prefix."""
        prefix = self._tokenizer.count([self._context_prefix])[0] if self._context_prefix else 0
        return self.passport.context_window - 2 - prefix

    @property
    def busy_seconds(self) -> float:
        """Seconds in which at least one batch was in the model, until now."""
        return self._graph.clock.seconds

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, ``[CLS]`` and ``[SEP]`` not counted."""
        return self._tokenizer.count(texts)

    def embed_contexts(self, contexts: Sequence[Context]) -> Embeddings:
        """Embed contexts and their sentences.

        Contexts of like length share a batch, so give many at once; the order of the result is that of the argument.
        A context longer than the window is embedded up to where the window ends.

        Returns:
            Per context its own row and, for a model that gives token states, one for each of its sentences. A sentence
            without a token of its own has the context's embedding.
        """
        tokens = self._tokens_of(contexts)
        sentences = self.passport.output == "token_states"
        boundaries = [firsts if sentences else firsts[:0] for _, firsts in tokens]
        bounds = np.zeros(len(contexts) + 1, np.int64)
        np.cumsum([1 + len(b) for b in boundaries], out=bounds[1:])
        vectors = np.empty((bounds[-1], self.dim), np.float32)

        def pool(states: FloatArray, members: Sequence[int]) -> None:
            pooled = [self._pool(states[row], len(tokens[i][0]), boundaries[i]) for row, i in enumerate(members)]
            joined = np.concatenate(pooled)
            if self._lexical:
                lexical = self._lexical.rows([tokens[i][0] for i in members], [boundaries[i] for i in members])
                joined = self._lexical.join(joined, lexical)
            first = 0
            for i in members:
                vectors[bounds[i] : bounds[i + 1]] = joined[first : (first := first + len(boundaries[i]) + 1)]
            with self._counting:
                self.contexts_embedded += len(members)

        try:
            compiled = self._graph.for_contexts()
        finally:
            self._verified.result()
        compiled.run([ids for ids, _ in tokens], pool)
        return Embeddings(vectors, bounds)

    def rest(self) -> None:
        """Give back the memory that embedding contexts takes, some 130 MB; the next to embed some loads it again."""
        self._graph.rest()

    def embed_questions(self, questions: Sequence[str]) -> list[Question]:
        """Embed questions; what does not fit the question window is cut and said in `Question.truncated`."""
        asked = self._asked(questions)
        asked.lexical = self._lexical_rows(asked.ids)
        for compiled, places in self._alike(asked, beside=False):
            compiled.run([asked.ids[place] for place in places], partial(self._pool_questions, asked, places))
        return asked.embedded()

    def begin_questions(self, questions: Sequence[str]) -> UnderWay[list[Question]]:
        """Begin to embed questions, and leave a core to the caller where there are enough; has to be finished, once."""
        asked = self._asked(questions)
        begun = [
            compiled.begin([asked.ids[place] for place in places], partial(self._pool_questions, asked, places))
            for compiled, places in self._alike(asked, beside=True)
        ]
        asked.lexical = self._lexical_rows(asked.ids)

        def finish() -> list[Question]:
            with ExitStack() as rest:
                for one in begun:
                    rest.callback(one.finish)
            return asked.embedded()

        return UnderWay(finish, lambda: all(one.over() for one in begun))

    def _asked(self, questions: Sequence[str]) -> _Asked:
        window = self.passport.question_window
        tokens = self._tokenizer.ids([self._question_prefix + question for question in questions])
        framed = [self._tokenizer.frame(ids, window) for ids in tokens]
        return _Asked(questions, framed, [len(ids) > window - 2 for ids in tokens])

    def _alike(self, asked: _Asked, *, beside: bool) -> list[tuple[Compiled, list[int]]]:
        """The graphs that questions need, and the places of those that share one."""
        alike: dict[Compiled, list[int]] = {}
        try:
            for place, ids in enumerate(asked.ids):
                alike.setdefault(self._graph.for_question(len(ids), beside=beside), []).append(place)
        finally:
            self._verified.result()
        return list(alike.items())

    def _lexical_rows(self, ids: Sequence[IntArray]) -> list[FloatArray]:
        return [self._lexical.row(own) for own in ids] if self._lexical else []

    def _pool_questions(self, asked: _Asked, places: Sequence[int], states: FloatArray, members: Sequence[int]) -> None:
        for row, member in enumerate(members):
            place = places[member]
            joined = alone = self._pool_one(states[row], len(asked.ids[place]))
            if self._lexical:
                joined, alone = self._lexical.join_one(alone, asked.lexical[place])
            asked.made[place] = Question(asked.questions[place], joined, alone, asked.cut[place])

    def _pool_one(self, states: FloatArray, length: int) -> FloatArray:
        """What `_pool` gives for a text without sentences, within rounding, in a third of the time; shape (dim,)."""
        whole = states.astype(np.float32, copy=False)
        if self.passport.output == "token_states":
            whole = whole[0] if self.passport.pooling == "cls" else np.add.reduce(whole[:length])
        scaled: FloatArray = whole / max(float(whole @ whole) ** 0.5, _TINY)
        return scaled

    def _tokens_of(self, contexts: Sequence[Context]) -> list[tuple[IntArray, IntArray]]:
        """The token ids of each context as the model reads it, and the index of each sentence's first token.

        Sentences are tokenized one by one where white space parts them: those of other contexts have the same words.
        """
        prefix, window = self._context_prefix, self.passport.context_window
        (prefix_ids,) = self._tokenizer.ids([prefix])
        starts = [[sentence.start - context.start for sentence in context.sentences] for context in contexts]
        parted = [_are_parted(prefix, context.text, cuts) for context, cuts in zip(contexts, starts, strict=True)]
        spans = [
            list(pairwise([0, *cuts, len(context.text)])) if apart else []
            for context, cuts, apart in zip(contexts, starts, parted, strict=True)
        ]
        pieces = iter(
            self._tokenizer.ids([c.text[a:b] for c, several in zip(contexts, spans, strict=True) for a, b in several])
        )
        whole = [prefix + c.text for c, several in zip(contexts, spans, strict=True) if not several]
        others = iter(self._tokenizer.encode(whole, window) if whole else ())
        result = []
        for cuts, several in zip(starts, spans, strict=True):
            if several:
                parts = [prefix_ids, *islice(pieces, len(several))]
                ids = self._tokenizer.frame(list(chain.from_iterable(parts)), window)
                firsts = np.cumsum([len(part) for part in parts], dtype=np.int64)[1:-1] + 1
                result.append((ids, firsts.clip(max=len(ids) - 1)))
            else:
                tokens = next(others)
                result.append((tokens.ids, tokens.first_tokens([start + len(prefix) for start in cuts])))
        return result

    def _pool(self, states: FloatArray, length: int, boundaries: IntArray) -> FloatArray:
        """One text's output to unit rows.

        Args:
            states: (padded tokens, dim) token states, or (dim,) where the graph pools.
            length: tokens of the text, ``[CLS]`` and ``[SEP]`` counted.
            boundaries: index of the first token of each sentence, rising.

        Returns:
            (1 + sentences, dim): the text's embedding, then those of its sentences.
        """
        states = states.astype(np.float32, copy=False)
        if self.passport.output == "embedding":
            return unit_rows(states[np.newaxis, :])
        states = states[:length]
        whole = states[0] if self.passport.pooling == "cls" else states.mean(axis=0)
        rows = np.empty((1 + len(boundaries), states.shape[1]), np.float32)
        rows[0] = whole
        for ordinal, (start, end) in enumerate(pairwise([*boundaries.tolist(), length - 1]), start=1):
            rows[ordinal] = states[start:end].mean(axis=0) if end > start else whole
        return unit_rows(rows)


def _verified_in_background(model: ModelFolder) -> Future[None]:
    """The result of comparing a model's checksums."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="checksums")
    try:
        return thread.submit(model.verify)
    finally:
        thread.shutdown(wait=False)


def _are_parted(prefix: str, text: str, starts: Sequence[int]) -> bool:
    """Whether white space stands before each start but the text's own, so that no word reaches over one."""
    whole = prefix + text
    cuts = [start + len(prefix) for start in (0, *starts)]
    rising = all(one <= other for one, other in pairwise([*cuts, len(whole)]))
    return rising and all(cut == 0 or whole[cut - 1] in SAFE_SPACE for cut in cuts)


def unit_rows(rows: FloatArray) -> FloatArray:
    """Rows scaled to length 1; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: FloatArray = rows / np.maximum(norms, _TINY)
    return scaled
