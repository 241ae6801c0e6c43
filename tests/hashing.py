"""A model whose vectors are a hash of the text, so that anybody can say which vector belongs to which text.

What the tests of storage need of an encoder: nothing is learnt from it about meaning, and it is made in no time, which
matters where hundreds of processes are started to be killed. The model folders are real but for the graph.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

import ctxsearch
from ctxsearch.passport import CARD, GRAPH, TOKENIZER, WEIGHTS, ModelFolder, Passport, checksums
from ctxsearch.records import Context, Embeddings, FloatArray, Question, UnderWay


def make_model(home: Path, name: str, *, dim: int = 16, window: int = 40) -> ModelFolder:
    """A model folder for a `HashEncoder`."""
    folder = home / name
    folder.mkdir(parents=True)
    for file in (GRAPH, WEIGHTS, TOKENIZER):
        (folder / file).write_text(f"{file} of {name}")
    weights, vocabulary = checksums(folder)
    passport = Passport(
        name=name,
        dim=dim,
        context_window=window,
        question_window=16,
        pooling="mean",
        output="token_states",
        inputs=("input_ids",),
        precision="float32",
        lower_case=False,
        weights_sha256=weights,
        vocabulary_sha256=vocabulary,
    )
    (folder / CARD).write_text(json.dumps(passport.to_dict()))
    return ModelFolder.load(folder)


class HashEncoder:
    """Embeds texts by their hash; a token is a word."""

    def __init__(self, model: ModelFolder) -> None:
        self.passport = model.passport
        self.dim = model.passport.dim
        self.context_budget = model.passport.context_window - 2
        self.busy_seconds = 0.0
        self.contexts_embedded = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def vector(self, text: str) -> FloatArray:
        """The unit vector of a text, float32 of shape (dim,)."""
        seed = hashlib.blake2b((self.passport.fingerprint + text).encode(), digest_size=8).digest()
        vector = np.random.default_rng(int.from_bytes(seed, "big")).standard_normal(self.dim).astype(np.float32)
        return vector / np.linalg.norm(vector)

    def rows(self, text: str, sentences: Sequence[str]) -> FloatArray:
        """What a context's vectors are: float32 of shape (1 + sentences, dim)."""
        return np.stack([self.vector(part) for part in (text, *sentences)])

    def embed_contexts(self, contexts: Sequence[Context]) -> Embeddings:
        self.contexts_embedded += len(contexts)
        rows = [self.rows(c.text, [c.text[s.start - c.start : s.end - c.start] for s in c.sentences]) for c in contexts]
        return Embeddings(np.concatenate(rows), np.cumsum([0, *map(len, rows)]).astype(np.int64))

    def embed_questions(self, questions: Sequence[str]) -> list[Question]:
        return [Question(text, self.vector(text), self.vector(text), False) for text in questions]

    def rest(self) -> None:
        """There is no memory to give back."""

    def begin_questions(self, questions: Sequence[str]) -> UnderWay[list[Question]]:
        return UnderWay(partial(self.embed_questions, questions))


def install() -> None:
    """Let every Index of this process use `HashEncoder` for the models of `make_model`, and leave others alone."""
    from ctxsearch.index import Index

    real = Index._encoder_of

    def encoder_of(self: ctxsearch.Index, model: ModelFolder) -> object:
        return HashEncoder(model) if model.passport.inputs == ("input_ids",) else real(self, model)

    if real.__name__ != encoder_of.__name__:
        Index._encoder_of = encoder_of  # type: ignore[assignment,method-assign]


def misfits(index: ctxsearch.Index) -> list[str]:
    """Contexts of an index whose vectors are not those of their texts."""
    encoder = HashEncoder(index._find_model(*index._store.space()))
    found = []
    with index._store.snapshot() as snapshot:
        vectors = snapshot.vectors()
        for summary in list(snapshot.documents()):
            for c in snapshot.whole_document(summary.document_id).contexts:
                sentences = [c.text[s.start - c.start : s.end - c.start] for s in c.sentences]
                expected = encoder.rows(c.text, sentences).astype(np.float16).astype(np.float32)
                if not np.array_equal(expected, vectors.rows(c.context_id)):
                    found.append(f"{summary.source}: context {c.context_id}")
    return found
