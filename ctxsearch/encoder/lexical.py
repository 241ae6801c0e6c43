"""The lexical part of an embedding: which tokens a text has, in few dimensions. Pure numpy.

A mean of token states says what a text is about and blurs which words it has. So a model folder may have a
``lexical.npy``, a weight for each token of the vocabulary, and each embedding gets a second part: the sum over the
text's different tokens of weight times a fixed vector of random signs, scaled to unit length. By the lemma of Johnson
and Lindenstrauss the inner product of two such sums is about the weighted count of the tokens they share (random
indexing: Kanerva, Kristofersson and Holst 2000). Weights are BM25's idf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctxsearch.errors import ModelError
from ctxsearch.passport import LEXICAL, ModelFolder
from ctxsearch.records import FloatArray, IntArray

SEED = b"ctxsearch: signs of tokens, 1"

_TINY = float(np.finfo(np.float32).tiny)


class LexicalPart:
    """Makes the lexical part of embeddings. Safe to share between threads: nothing in it changes."""

    def __init__(self, weights: NDArray[np.floating], dim: int, share: float) -> None:
        """
        Args:
            weights: of each token of the vocabulary, not negative.
            dim: dimensions of the part, a multiple of 8.
            share: what its cosine counts where that of the token states counts 1.
        """
        self.dim = dim
        self.share = share
        self.stored = np.asarray(weights, np.float16)
        """As ``lexical.npy`` has them."""
        self._weights = self.stored.astype(np.float32)
        signs = hashlib.shake_128(SEED).digest(len(weights) * dim // 8)
        self._signs = np.frombuffer(signs, np.uint8).reshape(len(weights), dim // 8)
        self.scale = np.sqrt(np.array([1.0, share], np.float32) / np.float32(1.0 + share))
        """Lengths of the two parts of an embedding."""

    @classmethod
    def load(cls, model: ModelFolder, vocabulary: int) -> LexicalPart | None:
        """Of a model folder; None if it has none.

        Args:
            model: the folder.
            vocabulary: tokens of its tokenizer.

        Raises:
            ModelError: its file is of no use.
        """
        if not model.passport.lexical_dim:
            return None
        weights = _read_weights(model.path / LEXICAL)
        if len(weights) < vocabulary:
            raise ModelError(f"{model.path / LEXICAL} has weights of {len(weights)} tokens; there are {vocabulary}")
        return cls(weights, model.passport.lexical_dim, model.passport.lexical_weight)

    def row(self, ids: IntArray) -> FloatArray:
        """The part alone, of one text: what `rows` gives, within rounding, in a quarter of the time; shape (dim,)."""
        tokens = sorted(set(ids[1:-1].tolist()))
        weights = self._weights[tokens]
        signed = (2.0 * weights) @ np.unpackbits(self._signs[tokens], axis=1) - weights.sum()
        row: FloatArray = signed / max(float(signed @ signed) ** 0.5, _TINY)
        return row

    def rows(self, ids: Sequence[IntArray], boundaries: Sequence[IntArray]) -> FloatArray:
        """The part alone, of texts and their sentences.

        Args:
            ids: of each text the token ids, ``[CLS] … [SEP]``.
            boundaries: of each text the index of the first token of each sentence, rising.

        Returns:
            Unit rows, float32 of shape (texts + sentences, dim): each text followed by its sentences. A sentence
            without a token has the row of its text; a text without any has zeros.
        """
        tokens: list[IntArray] = []
        sizes: list[int] = []
        whole: list[int] = []
        for own, starts in zip(ids, boundaries, strict=True):
            whole += [len(sizes)] * (1 + len(starts))
            tokens.append(own[1:-1])
            sizes.append(len(own) - 2)
            for start, end in pairwise([*starts.tolist(), len(own) - 1]):
                tokens.append(own[start:end])
                sizes.append(max(0, end - start))
        row = np.repeat(np.arange(len(sizes)), sizes)
        vocabulary = len(self._weights)
        present = np.unique(row * vocabulary + np.concatenate(tokens))
        row, token = np.divmod(present, vocabulary)
        # Twice the sum over set bits, less the sum over all: what signs of 1 and -1 give.
        weights = self._weights[token][:, np.newaxis]
        signed = np.unpackbits(self._signs[token], axis=1) * (2.0 * weights) - weights
        filled, first = np.unique(row, return_index=True)
        rows = np.zeros((len(sizes), self.dim), np.float32)
        if len(filled):
            rows[filled] = np.add.reduceat(signed, first, axis=0)
        empty = np.array(sizes) == 0
        rows[empty] = rows[np.array(whole)[empty]]
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        scaled: FloatArray = rows / np.maximum(norms, _TINY)
        return scaled

    def join(self, states: FloatArray, lexical: FloatArray) -> FloatArray:
        """Both parts as unit rows, (rows, dim of states + dim); cosines add up by their shares.

        Args:
            states: unit rows of pooled token states.
            lexical: as `rows` gives them. Where a row is zero, the other part stands alone.
        """
        joined = np.concatenate([states * self.scale[0], lexical * self.scale[1]], axis=1)
        alone = ~lexical.any(axis=1)
        joined[alone, : states.shape[1]] = states[alone]
        return joined

    def join_one(self, states: FloatArray, lexical: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What `join` gives for one text; and a row whose inner products with joined ones are the cosines of the token
        states alone. Both have the shape (dim of states + dim,).

        Args:
            states: unit row of pooled token states, shape (dim of states,).
            lexical: as `row` gives it.
        """
        own, part = self.scale if lexical.any() else (np.float32(1.0), np.float32(0.0))
        alone = np.zeros(len(states) + self.dim, np.float32)
        alone[: len(states)] = states / self.scale[0]
        return np.concatenate([states * own, lexical * part]), alone


def token_weights(texts: Sequence[IntArray], vocabulary: int) -> NDArray[np.float16]:
    """BM25's idf of each token over texts: ``log(1 + (N - n + 0.5) / (n + 0.5))`` (Robertson and Zaragoza 2009).

    Args:
        texts: token ids of each, ``[CLS] … [SEP]``.
        vocabulary: how many tokens there are.
    """
    held = np.zeros(vocabulary)
    for ids in texts:
        held[np.unique(ids[1:-1])] += 1.0
    return np.log1p((len(texts) - held + 0.5) / (held + 0.5)).astype(np.float16)


def _read_weights(path: Path) -> NDArray[np.float16]:
    """Read a ``lexical.npy``.

    Raises:
        ModelError: it is something else.
    """
    try:
        # Mapped, so that no memory is taken for what the header says, but for what the file has.
        weights: NDArray[np.float16] = np.array(np.load(path, allow_pickle=False, mmap_mode="r"))
    except Exception as error:  # numpy parses the header as Python, which raises much
        raise ModelError(f"{path} cannot be read as weights of tokens: {error}") from error
    if weights.ndim != 1 or weights.dtype != np.float16 or not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ModelError(f"{path} does not hold weights of tokens")
    return weights
