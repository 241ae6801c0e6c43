"""What the words of one sentence say for a context: whole words, and those that stand close together. Pure functions.

BM25 counts words anywhere in a context, and takes "fourth-largest" for "largest". Here a hyphenated compound is a word
of its own, only what stands in the same sentence counts together, and neighbours in the question that are near each
other there count once more, as in the sequential dependence model (Metzler and Croft 2005). benchmarks/QUALITY.md has
what it gave.

Where a context's words stand does not depend on the question, so it is found once, as `SentenceWords`, and stored. A
word is a number there, so that all candidates are compared with a question at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ctxsearch.records import IntArray
from ctxsearch.words import numbers

NEAR = 4
"""Words are near each other when at most this many positions lie from one to the other."""

WORDS_ASKED = 128
"""Different words of a question that are looked for, the first ones."""

_BETWEEN = [0] * NEAR

_STORED = np.dtype("<u4")


class SentenceWords(NamedTuple):
    """Which words of a context stand where in which of its sentences."""

    words: NDArray[np.uint32]
    """The word at each position, as `numbers` gives them. `NEAR` zeros follow each sentence."""
    starts: NDArray[np.uint32]
    """Position of each sentence's first word."""

    def to_bytes(self) -> bytes:
        """Little-endian numbers of four bytes: how many sentences there are, their starts, the words."""
        parts = np.array([len(self.starts)]), self.starts, self.words
        return b"".join(part.astype(_STORED, copy=False).tobytes() for part in parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> SentenceWords:
        """What `to_bytes` gave."""
        stored = np.frombuffer(data, _STORED)
        sentences = int(stored[0])
        return cls(stored[1 + sentences :], stored[1 : 1 + sentences])


class Covered(NamedTuple):
    """How much of a question stands in the sentences of its candidates."""

    shares: NDArray[np.float64]
    """For each sentence, those of a candidate one after another: of the weight of the question's words, 0 to 1."""
    pairs: NDArray[np.float64]
    """For each sentence, the weight of the question's neighbours that stand near each other in it, 0 or more."""
    known: float
    """Share of the question's words, by weight, that any candidate holds, 0 to 1."""


def sentence_words(sentences: Iterable[str]) -> SentenceWords:
    """The words of a context, by sentence."""
    found: list[int] = []
    starts: list[int] = []
    for sentence in sentences:
        starts.append(len(found))
        found += numbers(sentence)
        found += _BETWEEN
    return SentenceWords(np.array(found, np.uint32), np.array(starts, np.uint32))


def sentence_coverage(question: str, candidates: Sequence[SentenceWords]) -> Covered:
    """What of the question stands in each sentence of each candidate.

    Args:
        question: plain text.
        candidates: their words.

    Returns:
        A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25 (Robertson and Zaragoza
        2009), where d of the n candidates hold it: what all candidates hold tells nothing. So does a pair of
        neighbours, where d hold both within `NEAR` words in a sentence. A word that none holds takes no part in the
        shares; ``known`` tells of it.
    """
    asked = numbers(question)
    different = list(dict.fromkeys(asked))[:WORDS_ASKED]
    column = {word: place for place, word in enumerate(different)}
    neighbours = [(a, b) for a, b in dict.fromkeys(pairwise(asked)) if a in column and b in column]
    sentences = np.array([len(own.starts) for own in candidates], np.int64)
    if not sentences.sum():
        return Covered(np.zeros(0), np.zeros(0), 0.0)
    lengths = np.array([len(own.words) for own in candidates], np.int64)
    starts = np.concatenate([own.starts for own in candidates]) + np.repeat(np.cumsum(lengths) - lengths, sentences)
    owners = np.repeat(np.arange(len(candidates)), sentences)

    at = np.array(different, np.uint32)[:, np.newaxis] == np.concatenate([own.words for own in candidates])
    single = _Held.of(at, starts, owners, len(candidates))
    around = np.zeros_like(at)
    for distance in range(1, NEAR + 1):
        around[:, distance:] |= at[:, :-distance]
        around[:, :-distance] |= at[:, distance:]
    one, other = np.array([[column[a], column[b]] for a, b in neighbours], np.int64).reshape(-1, 2).T
    paired = _Held.of(around[one] & at[other], starts, owners, len(candidates))

    weights = np.where(single.frequencies, single.weights, 0.0)
    whole, unknown = weights.sum(), (single.weights - weights).sum()
    shares = (single.sentences * weights).sum(axis=1) / whole if whole else np.zeros(len(starts))
    pairs = (paired.sentences * paired.weights).sum(axis=1)
    return Covered(shares, pairs, float(whole / (whole + unknown)) if whole else 0.0)


class _Held(NamedTuple):
    """Which sentences hold which of several things."""

    sentences: NDArray[np.bool_]
    """Shape (sentences, things)."""
    frequencies: IntArray
    """How many candidates hold each."""
    weights: NDArray[np.float64]
    """What each counts."""

    @classmethod
    def of(cls, at: NDArray[np.bool_], starts: IntArray, owners: IntArray, candidates: int) -> _Held:
        """
        Args:
            at: whether a thing is at a position, shape (things, positions).
            starts: position of each sentence's first word.
            owners: the candidate whose sentence it is.
            candidates: how many there are.
        """
        thing, position = np.divmod(np.flatnonzero(at), at.shape[1])  # nonzero() takes five times as long
        sentence = np.searchsorted(starts, position, side="right") - 1
        in_sentence = np.zeros((len(starts), len(at)), np.bool_)
        in_sentence[sentence, thing] = True
        in_candidate = np.zeros((candidates, len(at)), np.bool_)
        in_candidate[owners[sentence], thing] = True
        frequencies = in_candidate.sum(axis=0)
        return cls(in_sentence, frequencies, np.log1p((candidates - frequencies + 0.5) / (frequencies + 0.5)))
