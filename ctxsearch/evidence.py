"""What the words of one sentence say for a context: whole words, close together. Pure functions.

BM25 counts words anywhere in a context, and takes "fourth-largest" for "largest". Here a hyphenated compound is a word
of its own, and only what stands in the same sentence counts together. benchmarks/QUALITY.md has what it gave.

A context's words do not depend on the question, so they are made ready once, as `SentenceWords`, and may be kept.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")

WORDS_REMEMBERED = 65_536
"""Spellings whose word is kept: it takes ten times as long to find as to remember. About 10 MB."""


class SentenceWords(NamedTuple):
    """Which words of a context stand in which of its sentences."""

    sentences: int
    """How many there are."""
    held: Mapping[str, int]
    """For each word the sentences that hold it: bit i is set for the sentence of ordinal i."""


class Coverage(NamedTuple):
    """How much of a question stands in each sentence of a context."""

    shares: tuple[float, ...]
    """For each sentence, of the weight of the question's words, 0 to 1."""

    @property
    def share(self) -> float:
        """Of the sentence that holds the most; 0 without sentences."""
        return max(self.shares, default=0.0)

    @property
    def sentence(self) -> int:
        """Ordinal of the sentence that holds the most, the first of several."""
        return max(range(len(self.shares)), key=lambda ordinal: (self.shares[ordinal], -ordinal), default=0)


class Covered(NamedTuple):
    """What the words of a question say of its candidates."""

    contexts: dict[int, Coverage]
    known: float
    """Share of the question's words, by weight, that any candidate holds, 0 to 1."""


def words(text: str) -> set[str]:
    """The different words of a text: lower-cased, without possessive or plural endings."""
    return set(map(_word, _WORD.findall(text)))


def sentence_words(sentences: Iterable[str]) -> SentenceWords:
    """The words of a context, by sentence."""
    held: dict[str, int] = {}
    bit = 1
    for sentence in sentences:
        for word in words(sentence):
            held[word] = held.get(word, 0) | bit
        bit <<= 1
    return SentenceWords(bit.bit_length() - 1, held)


def sentence_coverage(question: str, candidates: Mapping[int, SentenceWords]) -> Covered:
    """For each candidate, the share of the question that stands in each of its sentences.

    Args:
        question: plain text.
        candidates: words by context.

    Returns:
        Coverage by context. A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25
        (Robertson and Zaragoza 2009), where d of the n candidates hold it: what all candidates hold tells nothing. A
        word that none holds takes no part in the shares; ``known`` tells of it.
    """
    asked = words(question)
    held = [own.held for own in candidates.values()]
    columns: dict[str, list[int]] = {}
    weights: list[float] = []
    unknown = 0.0
    for word in asked:
        column = [own.get(word, 0) for own in held]
        frequency = len(column) - column.count(0)
        weight = math.log(1.0 + (len(candidates) - frequency + 0.5) / (frequency + 0.5))
        if frequency:
            columns[word] = column
            weights.append(weight)
        else:
            unknown += weight
    whole = math.fsum(weights)
    # Which of the words a sentence holds, as a number: few sets of words occur, so few sums have to be made.
    sets = [[0] * own.sentences for own in candidates.values()]
    for place, column in enumerate(columns.values()):
        for own_sets, bits in zip(sets, column, strict=True):
            for ordinal in _ordinals(bits):
                own_sets[ordinal] |= 1 << place
    shares = {0: 0.0}
    for several in sets:
        for one in several:
            if one not in shares:
                shares[one] = math.fsum([weights[place] for place in _ordinals(one)]) / whole
    contexts = {
        context: Coverage(tuple([shares[one] for one in several]))
        for context, several in zip(candidates, sets, strict=True)
    }
    return Covered(contexts, whole / (whole + unknown) if whole else 0.0)


@functools.lru_cache(WORDS_REMEMBERED)
def _ordinals(bits: int) -> tuple[int, ...]:
    """Which bits are set, rising."""
    return tuple([place for place in range(bits.bit_length()) if bits >> place & 1])


@functools.lru_cache(WORDS_REMEMBERED)
def _word(spelling: str) -> str:
    word = spelling.lower().removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
