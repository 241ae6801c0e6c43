"""Which wrong contexts are the hard ones for a question: by BM25, and by a model's own errors. No torch.

BM25 here counts WordPiece tokens, which every context and question has already. Robertson and Zaragoza 2009, k1 = 1.2,
b = 0.75, as SQLite's FTS5 has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ctxsearch.records import FloatArray, IntArray
from ctxsearch.training.pairs import TokenisedText

K1, B = 1.2, 0.75

QUESTIONS_PER_BLOCK = 512


class Bm25:
    """BM25 of questions against contexts, by number."""

    def __init__(self, contexts: Sequence[TokenisedText], questions: Sequence[TokenisedText]) -> None:
        from scipy import sparse

        vocabulary = 1 + max(int(text.ids.max()) for text in (*contexts, *questions))
        counts = _counts(contexts, vocabulary)
        lengths = np.asarray(counts.sum(axis=1)).ravel()
        held = np.asarray((counts > 0).sum(axis=0)).ravel()
        idf = np.log1p((len(contexts) - held + 0.5) / (held + 0.5))
        norm = K1 * (1.0 - B + B * lengths / max(1.0, float(lengths.mean())))
        rows = np.repeat(np.arange(len(contexts)), np.diff(counts.indptr))
        weights = counts.data * (K1 + 1.0) / (counts.data + norm[rows]) * idf[counts.indices]
        self._contexts = sparse.csr_matrix((weights.astype(np.float32), counts.indices, counts.indptr), counts.shape)
        self._questions = (_counts(questions, vocabulary) > 0).astype(np.float32).tocsr()

    def scores(self, questions: IntArray, contexts: IntArray | None = None) -> FloatArray:
        """Float32 of shape (questions, contexts); all contexts for None."""
        against = self._contexts if contexts is None else self._contexts[contexts]
        scores: FloatArray = (self._questions[questions] @ against.T).toarray()
        return scores


def _counts(texts: Sequence[TokenisedText], vocabulary: int) -> Any:
    """Tokens of each text, ``[CLS]`` and ``[SEP]`` left out: a sparse matrix of shape (texts, vocabulary)."""
    from scipy import sparse

    inner = [text.ids[1:-1] for text in texts]
    rows = np.repeat(np.arange(len(texts)), [len(ids) for ids in inner])
    columns = np.concatenate(inner) if inner else np.empty(0, np.int64)
    counted = sparse.coo_matrix((np.ones(len(columns), np.float32), (rows, columns)), (len(texts), vocabulary)).tocsr()
    counted.sum_duplicates()
    return counted


def hard_neighbours(
    dense: Any, bm25: Bm25, gold: IntArray, contexts: int, *, lexical_weight: float, per_question: int, neighbours: int
) -> IntArray:
    """For each context the others that its questions are most often confused with.

    Args:
        dense: gives the cosine scores of a range of questions against all contexts, float32 (questions, contexts).
        bm25: the same questions and contexts.
        gold: the context of each question, int64 of shape (questions,).
        contexts: how many there are.
        lexical_weight: what a point of BM25 is worth in cosine similarity.
        per_question: wrong contexts of a question that count.
        neighbours: how many of a context are kept.

    Returns:
        int64 of shape (contexts, neighbours), the hardest first, filled up with -1.
    """
    confused: list[dict[int, float]] = [{} for _ in range(contexts)]
    for first in range(0, len(gold), QUESTIONS_PER_BLOCK):
        asked = np.arange(first, min(first + QUESTIONS_PER_BLOCK, len(gold)))
        scores = dense(asked) + lexical_weight * bm25.scores(asked)
        own = scores[np.arange(len(asked)), gold[asked]].copy()
        scores[np.arange(len(asked)), gold[asked]] = -np.inf
        count = min(per_question, contexts - 1)
        if count < 1:
            continue
        best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        for row, number in enumerate(asked):
            mine = confused[gold[number]]
            for other in best[row]:
                mine[int(other)] = mine.get(int(other), 0.0) + float(np.exp(10.0 * (scores[row, other] - own[row])))
    result = np.full((contexts, neighbours), -1, np.int64)
    for context, found in enumerate(confused):
        ordered = sorted(found, key=lambda other: (-found[other], other))[:neighbours]
        result[context, : len(ordered)] = ordered
    return result
