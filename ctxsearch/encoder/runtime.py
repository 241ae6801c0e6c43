"""The Encoder: OpenVINO inference over batches of like length, and pooling of token states (late chunking).

One forward pass gives the token states of a context. Their mean, normalised, is the context's embedding; the mean over
each sentence's tokens, normalised, is that sentence's embedding, and has seen the whole context (late chunking,
Günther et al. 2024, arXiv:2409.04701).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from ctxsearch.encoder.tokens import TokenIds, Tokenizer
from ctxsearch.errors import ModelError
from ctxsearch.passport import GRAPH, TOKENIZER, ModelFolder, Passport
from ctxsearch.records import Context, Embeddings, FloatArray, IntArray, Question

TOKENS_PER_BATCH = 4096
"""Padded tokens of one inference. Larger batches gave no more speed on two cores and cost memory."""

INFERENCES_IN_FLIGHT = 2
"""One runs while the results of another are pooled."""

SHAPES_REMEMBERED = "64"
"""Batch shapes for which OpenVINO keeps its kernels and buffers. Its own default of 5000 made an ingest of 10,033
documents take 1.06 GB for no more speed: nearly every batch is of another shape."""

LENGTH_STEP = 16
"""Batches are padded to a multiple of this. Fewer shapes make fewer kernels: 5 % faster than padding to the longest
text alone, and a quarter less memory."""

PAD_ID = 0
"""Padding is masked, so any valid id serves; BERT's ``[PAD]`` is 0."""


class Encoder:
    """Embeds contexts and questions with the model of one model folder.

    May be shared between threads; calls take turns.
    """

    def __init__(self, model: ModelFolder, *, threads: int | None = None) -> None:
        """Load and compile the model.

        Args:
            model: the model folder; its checksums are verified.
            threads: CPU threads of the inference; None for as many as there are cores.

        Raises:
            ModelError: the folder is damaged or the graph is not what its card says.
        """
        model.verify()
        self.passport: Passport = model.passport
        self._tokenizer = Tokenizer(model.path / TOKENIZER)
        self._inputs = model.passport.inputs
        self._context_prefix = self.passport.context_prefix
        self._question_prefix = self.passport.question_prefix
        options: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": "1"}
        options["CPU_RUNTIME_CACHE_CAPACITY"] = SHAPES_REMEMBERED
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        if self.passport.precision == "float32":
            # A float32 build is a reference: no CPU may round it to bfloat16 behind our back.
            options["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            self._compiled = openvino.Core().compile_model(str(model.path / GRAPH), "CPU", options)
            names = {name for port in self._compiled.inputs for name in port.get_names()}
        except RuntimeError as error:
            raise ModelError(f"{model.path / GRAPH} cannot be run: {_first_line(error)}") from error
        if names != set(self._inputs):
            raise ModelError(
                f"{model.path / GRAPH} takes {', '.join(sorted(names))}; "
                f"the card says {', '.join(sorted(self._inputs))}"
            )
        self._queue = openvino.AsyncInferQueue(self._compiled, INFERENCES_IN_FLIGHT)
        self._turn = threading.Lock()

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.passport.dim

    @property
    def context_budget(self) -> int:
        """Tokens of its own that a context may have: the window less ``[CLS]``, ``[SEP]`` and the prefix."""
        prefix = self._tokenizer.count([self._context_prefix])[0] if self._context_prefix else 0
        return self.passport.context_window - 2 - prefix

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
        prefix = self._context_prefix
        tokens = self._tokenizer.encode([prefix + c.text for c in contexts], self.passport.context_window)
        sentences = self.passport.output == "token_states"
        boundaries = [
            _sentence_boundaries(context, ids, len(prefix)) if sentences else np.empty(0, np.int64)
            for context, ids in zip(contexts, tokens, strict=True)
        ]
        bounds = np.zeros(len(contexts) + 1, np.int64)
        np.cumsum([1 + len(b) for b in boundaries], out=bounds[1:])
        vectors = np.empty((bounds[-1], self.dim), np.float32)

        def pool(states: FloatArray, members: Sequence[int]) -> None:
            for row, i in enumerate(members):
                rows = vectors[bounds[i] : bounds[i + 1]]
                rows[:] = self._pool(states[row], len(tokens[i].ids), boundaries[i])

        self._infer(tokens, pool)
        return Embeddings(vectors, bounds)

    def embed_questions(self, questions: Sequence[str]) -> list[Question]:
        """Embed questions; what does not fit the question window is cut and said in `Question.truncated`."""
        tokens = self._tokenizer.encode(
            [self._question_prefix + question for question in questions], self.passport.question_window
        )
        vectors = np.empty((len(questions), self.dim), np.float32)
        nothing = np.empty(0, np.int64)

        def pool(states: FloatArray, members: Sequence[int]) -> None:
            for row, i in enumerate(members):
                vectors[i] = self._pool(states[row], len(tokens[i].ids), nothing)[0]

        self._infer(tokens, pool)
        return [Question(question, vectors[i], tokens[i].truncated) for i, question in enumerate(questions)]

    def _infer(self, tokens: Sequence[TokenIds], pool: Callable[[FloatArray, Sequence[int]], None]) -> None:
        """Run the model over all texts; hand each batch's output and the indices of its texts to ``pool``."""
        failures: list[BaseException] = []

        def done(request: Any, members: Sequence[int]) -> None:
            try:
                pool(request.output_tensors[0].data, members)
            except BaseException as error:  # an exception may not leave a callback from C++
                failures.append(error)

        with self._turn:
            self._queue.set_callback(done)
            try:
                for members in batches_by_length([len(t.ids) for t in tokens], TOKENS_PER_BATCH):
                    self._queue.start_async(self._feed([tokens[i].ids for i in members]), members)
            finally:
                self._queue.wait_all()
        if failures:
            raise failures[0]

    def _feed(self, ids: Sequence[IntArray]) -> dict[str, NDArray[np.int64]]:
        longest = -(-max(len(row) for row in ids) // LENGTH_STEP) * LENGTH_STEP
        shape = (len(ids), longest)
        input_ids = np.full(shape, PAD_ID, np.int64)
        attention_mask = np.zeros(shape, np.int64)
        for i, row in enumerate(ids):
            input_ids[i, : len(row)] = row
            attention_mask[i, : len(row)] = 1
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros(shape, np.int64)
        if "position_ids" in self._inputs:
            feed["position_ids"] = np.broadcast_to(np.arange(longest, dtype=np.int64), shape).copy()
        return {name: feed[name] for name in self._inputs}

    def _pool(self, states: FloatArray, length: int, boundaries: IntArray) -> FloatArray:
        """One text's output to unit rows.

        Args:
            states: (padded tokens, dim) token states, or (dim,) where the graph pools.
            length: tokens of the text, ``[CLS]`` and ``[SEP]`` counted.
            boundaries: index of the first token of each sentence, rising.

        Returns:
            (1 + sentences, dim): the text's embedding, then those of its sentences.
        """
        if self.passport.output == "embedding":
            return unit_rows(states[np.newaxis, :])
        states = states[:length]
        whole = states[0] if self.passport.pooling == "cls" else states.mean(axis=0)
        rows = np.empty((1 + len(boundaries), states.shape[1]), np.float32)
        rows[0] = whole
        for ordinal, (start, end) in enumerate(pairwise([*boundaries.tolist(), length - 1]), start=1):
            rows[ordinal] = states[start:end].mean(axis=0) if end > start else whole
        return unit_rows(rows)


def _sentence_boundaries(context: Context, tokens: TokenIds, shift: int) -> IntArray:
    """Index of the first token of each sentence of a context, int64 of shape (sentences,).

    Args:
        shift: characters that stand before the context's text in what was tokenised.
    """
    offsets = [sentence.start - context.start + shift for sentence in context.sentences]
    return np.searchsorted(tokens.starts[:-1], np.array(offsets, np.int64), side="left").clip(1)


def batches_by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices of ``lengths`` in batches of like length, longest first.

    A padded batch has at most ``budget`` tokens, or one member.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    first = 0
    while first < len(order):
        padded = -(-max(1, lengths[order[first]]) // LENGTH_STEP) * LENGTH_STEP
        size = max(1, budget // padded)
        yield order[first : first + size]
        first += size


def unit_rows(rows: FloatArray) -> FloatArray:
    """Rows scaled to length 1; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: FloatArray = rows / np.maximum(norms, np.finfo(np.float32).tiny)
    return scaled


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
