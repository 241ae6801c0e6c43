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
        """What `to_bytes` gave.

        Raises:
            ValueError: it is something else.
        """
        stored = np.frombuffer(data, _STORED)
        sentences = int(stored[0]) if len(stored) else 0
        words, starts = stored[1 + sentences :], stored[1 : 1 + sentences]
        if sentences >= len(stored) or (sentences == 0 and len(words)):
            raise ValueError("not the words of sentences")
        if sentences and (starts[0] or starts[-1] > len(words) or (starts[1:] < starts[:-1]).any()):
            raise ValueError("not the words of sentences")
        return cls(words, starts)


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


class Held(NamedTuple):
    """What of a question stands in the sentences of some candidates, those of a candidate one after another."""

    counts: IntArray
    """Sentences of each candidate."""
    things: NDArray[np.bool_]
    """Whether a sentence has each of the question's words, then whether each two neighbours in the question are near
    each other in it, shape (sentences, words + pairs)."""
    words: int
    """How many of the things are words."""

    def joined(self, other: Held) -> Held:
        """These candidates and others, of the same question."""
        if not len(other.counts):
            return self
        counts, things = (np.concatenate(parts) for parts in zip(self[:2], other[:2], strict=True))
        return Held(counts, things, self.words)

    def at(self, places: Sequence[int]) -> Held:
        """Some of the candidates, by place."""
        chosen = np.array(places, np.int64)
        counts, ends = self.counts[chosen], self.counts.cumsum()[chosen]
        lasts = counts.cumsum()
        return Held(counts, self.things[(ends - lasts).repeat(counts) + np.arange(counts.sum())], self.words)


class Sought:
    """The words of a question, to be looked for in sentences."""

    def __init__(self, question: str) -> None:
        asked = numbers(question)
        different = list(dict.fromkeys(asked))[:WORDS_ASKED]
        column = {word: place for place, word in enumerate(different)}
        neighbours = [(column[a], column[b]) for a, b in dict.fromkeys(pairwise(asked)) if a in column and b in column]
        self._words = np.array(different, np.uint32)[:, np.newaxis]
        self._one, self._other = np.array(neighbours, np.int64).reshape(-1, 2).T

    def find(self, candidates: Sequence[SentenceWords]) -> Held:
        """What of them stands in each sentence of each candidate."""
        counts = np.array([len(own.starts) for own in candidates], np.int64)
        words, pairs = len(self._words), len(self._one)
        if not counts.sum():
            return Held(counts, np.zeros((0, words + pairs), np.bool_), words)
        lengths = np.array([len(own.words) for own in candidates], np.int64)
        firsts = lengths.cumsum() - lengths + NEAR
        starts = np.concatenate([own.starts for own in candidates]) + firsts.repeat(counts)
        positions = np.concatenate([_NO_WORDS, *(own.words for own in candidates)])
        at = np.empty((words + pairs, len(positions)), np.bool_)
        held = np.equal(self._words, positions, out=at[:words])
        if pairs:
            np.logical_and(_around(held)[self._one], held[self._other], out=at[words:])
        return Held(counts, _by_sentence(at, starts), words)


def covered(held: Held) -> Covered:
    """How much of a question stands in each sentence of its candidates.

    Returns:
        A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25 (Robertson and Zaragoza
        2009), where d of the n candidates hold it: what all candidates hold tells nothing. So does a pair of
        neighbours, where d hold both within `NEAR` words in a sentence. A word that none holds takes no part in the
        shares; ``known`` tells of it.
    """
    counts, things, words = held
    firsts = (counts.cumsum() - counts)[counts > 0]
    if not len(firsts):
        return Covered(np.zeros(0), np.zeros(0), 0.0)
    frequencies = np.add.reduce(np.logical_or.reduceat(things, firsts, axis=0), axis=0)
    weights = np.log1p((len(counts) - frequencies + 0.5) / (frequencies + 0.5))
    every = float(weights[:words].sum())
    weights[:words][frequencies[:words] == 0] = 0.0
    weighed, whole = things * weights, float(weights[:words].sum())
    pairs = weighed[:, words:].sum(axis=1)
    if not whole:
        return Covered(np.zeros(len(things)), pairs, 0.0)
    return Covered(weighed[:, :words].sum(axis=1) / whole, pairs, whole / every)


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
