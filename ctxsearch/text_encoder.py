"""Texts to embeddings, without an index: the `Encoder` that the package offers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ctxsearch import arguments
from ctxsearch.encoder import Encoder as ModelEncoder
from ctxsearch.errors import ArgumentError
from ctxsearch.passport import Passport, find_model
from ctxsearch.records import Context, FloatArray

if TYPE_CHECKING:
    from collections.abc import Sequence


class Encoder:
    """Embeds texts with a model; threads, and indexes, may share one (``ctxsearch.open(path, encoder=…)``).

    Embeddings of two encoders can be compared where their `fingerprint` is the same.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> None:
        """Load a model. It is compiled when it is first used, or taken from a cache.

        Args:
            model: its name or its folder; None for the model in the box.
            threads: CPU threads; None for as many as there are cores.

        Raises:
            ModelNotFoundError: there is no such model.
            ModelError: it cannot be used. That a file is damaged is noticed when the first text is embedded at the
                latest.
            ArgumentError: ``threads`` is less than 1.
        """
        if threads is not None:
            threads = arguments.integer(threads, "threads", least=1)
        self._model = find_model(model)
        self._encoder = ModelEncoder(self._model, threads=threads)

    def __repr__(self) -> str:
        return f"<ctxsearch.Encoder {self._passport.label}, {self.dim} dimensions>"

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._passport.name

    @property
    def fingerprint(self) -> str:
        """SHA-256, as hex, of everything that decides an embedding: the identity of the embedding space."""
        return self._passport.fingerprint

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._passport.dim

    @property
    def context_window(self) -> int:
        """Tokens of a context that are read, ``[CLS]`` and ``[SEP]`` counted."""
        return self._passport.context_window

    @property
    def question_window(self) -> int:
        """Tokens of a question that are read, ``[CLS]`` and ``[SEP]`` counted."""
        return self._passport.question_window

    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        """Tokens of each text, ``[CLS]`` and ``[SEP]`` not counted.

        Raises:
            ArgumentError: the texts are no texts.
        """
        return self._encoder.count_tokens(checked_texts(texts))

    def embed_questions(self, questions: Iterable[str]) -> FloatArray:
        """Embeddings of questions.

        Args:
            questions: texts; of each, as much is read as fits the question window.

        Returns:
            Unit rows, float32 of shape (questions, dim).

        Raises:
            ArgumentError: the questions are no texts.
            ModelError: the model cannot be used.
        """
        return embed_questions(self._encoder, questions)

    def embed_contexts(self, texts: Iterable[str]) -> FloatArray:
        """Embeddings of passages that questions may be about. Many at once are quicker than one by one.

        Args:
            texts: texts; of each, as much is read as fits the context window.

        Returns:
            Unit rows, float32 of shape (texts, dim).

        Raises:
            ArgumentError: the texts are no texts.
            ModelError: the model cannot be used.
        """
        return embed_contexts(self._encoder, texts)

    @property
    def _passport(self) -> Passport:
        return self._encoder.passport


def embed_questions(encoder: ModelEncoder, questions: Iterable[str]) -> FloatArray:
    """As `Encoder.embed_questions`."""
    texts = checked_texts(questions)
    rows = np.empty((len(texts), encoder.passport.dim), np.float32)
    for row, question in zip(rows, encoder.embed_questions(texts) if texts else (), strict=True):
        row[:] = question.embedding
    return rows


def embed_contexts(encoder: ModelEncoder, texts: Iterable[str]) -> FloatArray:
    """As `Encoder.embed_contexts`."""
    contexts = [Context(0, len(text), text, tokens=0) for text in checked_texts(texts)]
    if not contexts:
        return np.empty((0, encoder.passport.dim), np.float32)
    embedded = encoder.embed_contexts(contexts)
    own: FloatArray = embedded.vectors[embedded.bounds[:-1]]  # without sentences, each has one row
    return own


def checked_texts(texts: Iterable[str]) -> Sequence[str]:
    """Texts as a tokenizer takes them; half a surrogate pair becomes a question mark.

    Raises:
        ArgumentError: they are one text, or something else.
    """
    found = arguments.several(texts, "texts", "several texts, as in ['…', '…']")
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise ArgumentError(f"texts[{place}] is {arguments.described(text)}; expected a text (str)")
    return [text.encode("utf-8", "replace").decode() for text in found]
