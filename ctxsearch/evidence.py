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

_NO_WORDS = np.zeros(NEAR, np.uint32)

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

    counts: IntArray
    """Sentences of each candidate."""
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


def covered(question: str, candidates: Sequence[SentenceWords]) -> Covered:
    """How much of a question stands in each sentence of its candidates.

    Returns:
        A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25 (Robertson and Zaragoza
        2009), where d of the n candidates hold it: what all candidates hold tells nothing. So does a pair of
        neighbours, where d hold both within `NEAR` words in a sentence. A word that none holds takes no part in the
        shares; ``known`` tells of it.
    """
    counts = np.array([len(own.starts) for own in candidates], np.int64)
    firsts = (counts.cumsum() - counts)[counts > 0]
    if not len(firsts):
        return Covered(counts, np.zeros(0), np.zeros(0), 0.0)
    things, words = _held(question, candidates, counts)
    frequencies = np.add.reduce(np.logical_or.reduceat(things, firsts, axis=0), axis=0)
    weights = np.log1p((len(counts) - frequencies + 0.5) / (frequencies + 0.5))
    every = float(weights[:words].sum())
    weights[:words][frequencies[:words] == 0] = 0.0
    weighed, whole = things * weights, float(weights[:words].sum())
    pairs = weighed[:, words:].sum(axis=1)
    if not whole:
        return Covered(counts, np.zeros(len(things)), pairs, 0.0)
    return Covered(counts, weighed[:, :words].sum(axis=1) / whole, pairs, whole / every)


def _held(question: str, candidates: Sequence[SentenceWords], counts: IntArray) -> tuple[NDArray[np.bool_], int]:
    """Which sentences have each of a question's words, then in which each two neighbours in the question are near each
    other, shape (sentences, words + pairs); and how many of these columns are words.

    Args:
        counts: sentences of each candidate, at least one in all.
    """
    asked = numbers(question)
    different = list(dict.fromkeys(asked))[:WORDS_ASKED]
    column = {word: place for place, word in enumerate(different)}
    neighbours = [(column[a], column[b]) for a, b in dict.fromkeys(pairwise(asked)) if a in column and b in column]
    lengths = np.array([len(own.words) for own in candidates], np.int64)
    firsts = lengths.cumsum() - lengths + NEAR
    starts = np.concatenate([own.starts for own in candidates]) + firsts.repeat(counts)
    positions = np.concatenate([_NO_WORDS, *(own.words for own in candidates)])
    at = np.empty((len(different) + len(neighbours), len(positions)), np.bool_)
    words = np.equal(np.array(different, np.uint32)[:, np.newaxis], positions, out=at[: len(different)])
    if neighbours:
        one, other = np.array(neighbours).T
        np.logical_and(_around(words)[one], words[other], out=at[len(different) :])
    return _by_sentence(at, starts), len(different)


def _around(at: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a thing is near a position, before or behind it: `NEAR` is 4, so two and two positions are joined, twice.

    Args:
        at: whether a thing is at a position, shape (things, positions); at the first `NEAR` there is none.
    """
    two = at.copy()
    two[:, :-1] |= at[:, 1:]
    four = two.copy()
    four[:, :-2] |= two[:, 2:]  # each position and the three that follow
    around = np.zeros_like(at)
    around[:, :-1] = four[:, 1:]
    around[:, NEAR:] |= four[:, :-NEAR]
    return around


def _by_sentence(at: NDArray[np.bool_], starts: IntArray) -> NDArray[np.bool_]:
    """Which sentences hold which of several things, shape (sentences, things).

    Args:
        at: whether a thing is at a position, shape (things, positions).
        starts: position of each sentence's first word.
    """
    thing, position = np.divmod(np.flatnonzero(at), at.shape[1])  # nonzero() takes five times as long
    found = np.zeros((len(starts), len(at)), np.bool_)
    found[np.searchsorted(starts, position, side="right") - 1, thing] = True
    return found
