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


class Held(NamedTuple):
    """What of a question stands in the sentences of some candidates, those of a candidate one after another."""

    counts: IntArray
    """Sentences of each candidate."""
    words: NDArray[np.bool_]
    """Whether a sentence has a word, shape (sentences, words)."""
    pairs: NDArray[np.bool_]
    """Whether neighbours in the question are near each other in a sentence, shape (sentences, pairs)."""

    def joined(self, other: Held) -> Held:
        """These candidates and others."""
        return Held(*(np.concatenate(parts) for parts in zip(self, other, strict=True)))

    def at(self, places: Sequence[int]) -> Held:
        """Some of the candidates, by place."""
        counts = self.counts[places]
        ends = np.cumsum(counts)
        firsts = (np.cumsum(self.counts) - self.counts)[places]
        rows = np.repeat(firsts - ends + counts, counts) + np.arange(counts.sum())
        return Held(counts, self.words[rows], self.pairs[rows])


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
        if not counts.sum():
            return Held(counts, *(np.zeros((0, len(of)), np.bool_) for of in (self._words, self._one)))
        lengths = np.array([len(own.words) for own in candidates], np.int64)
        starts = np.concatenate([own.starts for own in candidates]) + np.repeat(np.cumsum(lengths) - lengths, counts)
        at = self._words == np.concatenate([own.words for own in candidates])
        around = np.zeros_like(at)
        for distance in range(1, NEAR + 1):
            around[:, distance:] |= at[:, :-distance]
            around[:, :-distance] |= at[:, distance:]
        paired = around[self._one] & at[self._other]
        return Held(counts, _by_sentence(at, starts), _by_sentence(paired, starts))


def covered(held: Held) -> Covered:
    """How much of a question stands in each sentence of its candidates.

    Returns:
        A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25 (Robertson and Zaragoza
        2009), where d of the n candidates hold it: what all candidates hold tells nothing. So does a pair of
        neighbours, where d hold both within `NEAR` words in a sentence. A word that none holds takes no part in the
        shares; ``known`` tells of it.
    """
    candidates = len(held.counts)
    firsts = (np.cumsum(held.counts) - held.counts)[held.counts > 0]
    if not len(firsts):
        return Covered(np.zeros(0), np.zeros(0), 0.0)
    (frequencies, single), (_, paired) = (_weights(of, firsts, candidates) for of in (held.words, held.pairs))
    weights = np.where(frequencies, single, 0.0)
    whole, unknown = weights.sum(), (single - weights).sum()
    shares = (held.words * weights).sum(axis=1) / whole if whole else np.zeros(len(held.words))
    return Covered(shares, (held.pairs * paired).sum(axis=1), float(whole / (whole + unknown)) if whole else 0.0)


def _weights(held: NDArray[np.bool_], firsts: IntArray, candidates: int) -> tuple[IntArray, NDArray[np.float64]]:
    """How many candidates hold each thing, and what it counts; ``firsts`` is where those with sentences begin."""
    frequencies = np.add.reduce(np.logical_or.reduceat(held, firsts, axis=0), axis=0)
    return frequencies, np.log1p((candidates - frequencies + 0.5) / (frequencies + 0.5))


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
