"""What the words of one sentence say for a context: whole words, and those that stand close together. Pure functions.

BM25 counts words anywhere in a context, and takes "fourth-largest" for "largest". Here a hyphenated compound is a word
of its own, only what stands in the same sentence counts together, and neighbours in the question that are near each
other there count once more, as in the sequential dependence model (Metzler and Croft 2005). benchmarks/QUALITY.md has
what it gave.

Where a context's words stand does not depend on the question, so it is made ready once, as `SentenceWords`, and may be
kept.
"""

from __future__ import annotations

import functools
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")

NEAR = 4
"""Words are near each other when at most this many positions lie from one to the other."""

WORDS_REMEMBERED = 65_536
"""Spellings whose word is kept: it takes ten times as long to find as to remember. About 10 MB."""


class SentenceWords(NamedTuple):
    """Which words of a context stand where in which of its sentences."""

    starts: tuple[int, ...]
    """Position of each sentence's first word. Between sentences `NEAR` positions are empty."""
    places: Mapping[str, Sequence[int]]
    """For each word its positions, rising."""


class Coverage(NamedTuple):
    """How much of a question stands in each sentence of a context."""

    shares: tuple[float, ...]
    """For each sentence, of the weight of the question's words, 0 to 1."""
    pairs: tuple[float, ...]
    """For each sentence, the weight of the question's neighbours that stand near each other in it, 0 or more."""

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


def words(text: str) -> list[str]:
    """The words of a text in their order: lower-cased, without possessive or plural endings."""
    return [_REMEMBERED[spelling] for spelling in _WORD.findall(text)]


def sentence_words(sentences: Iterable[str]) -> SentenceWords:
    """The words of a context, by sentence."""
    starts: list[int] = []
    places: dict[str, list[int]] = {}
    end = 0
    for sentence in sentences:
        starts.append(end)
        found = words(sentence)
        for position, word in enumerate(found, start=end):
            if word in places:
                places[word].append(position)
            else:
                places[word] = [position]
        end += len(found) + NEAR
    return SentenceWords(tuple(starts), places)


def sentence_coverage(question: str, candidates: Mapping[int, SentenceWords]) -> Covered:
    """For each candidate, what of the question stands in each of its sentences.

    Args:
        question: plain text.
        candidates: words by context.

    Returns:
        Coverage by context. A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25
        (Robertson and Zaragoza 2009), where d of the n candidates hold it: what all candidates hold tells nothing. So
        does a pair of neighbours, where d hold both within `NEAR` words in a sentence. A word that none holds takes no
        part in the shares; ``known`` tells of it.
    """
    asked = words(question)
    several = list(candidates.values())
    columns: dict[str, list[Sequence[int]]] = {}
    weights: list[float] = []
    unknown = 0.0
    # Which of the words a sentence holds, as a number: few sets of words occur, so few sums have to be made.
    sets = [[0] * len(own.starts) for own in several]
    for word in dict.fromkeys(asked):
        column = [own.places.get(word, ()) for own in several]
        frequency = len(column) - column.count(())
        weight = _weight(frequency, len(several))
        if not frequency:
            unknown += weight
            continue
        bit = 1 << len(weights)
        columns[word] = column
        weights.append(weight)
        for own, own_sets, positions in zip(several, sets, column, strict=True):
            for position in positions:
                own_sets[bisect_right(own.starts, position) - 1] |= bit
    whole = math.fsum(weights)
    shares = {0: 0.0}
    for own_sets in sets:
        for one in own_sets:
            if one not in shares:
                shares[one] = math.fsum([weights[place] for place in _ordinals(one)]) / whole
    pairs = _pairs(asked, columns, several)
    contexts = {
        context: Coverage(tuple([shares[one] for one in own_sets]), tuple(own_pairs))
        for context, own_sets, own_pairs in zip(candidates, sets, pairs, strict=True)
    }
    return Covered(contexts, whole / (whole + unknown) if whole else 0.0)


def _weight(frequency: int, candidates: int) -> float:
    return math.log(1.0 + (candidates - frequency + 0.5) / (frequency + 0.5))


def _pairs(
    asked: Sequence[str], columns: Mapping[str, Sequence[Sequence[int]]], several: Sequence[SentenceWords]
) -> list[list[float]]:
    """For each sentence of each candidate, the weight of the neighbours that are near each other in it.

    Args:
        asked: the question's words.
        columns: for each that is held, its positions, by candidate.
        several: the candidates.
    """
    found = [[0.0] * len(own.starts) for own in several]
    for one, other in dict.fromkeys(pairwise(asked)):
        if one not in columns or other not in columns:
            continue
        near = [
            (candidate, positions)
            for candidate, (a, b) in enumerate(zip(columns[one], columns[other], strict=True))
            if a and b and (positions := _near(a, b))
        ]
        weight = _weight(len(near), len(several))
        for candidate, positions in near:
            starts = several[candidate].starts
            for sentence in {bisect_right(starts, position) - 1 for position in positions}:
                found[candidate][sentence] += weight
    return found


def _near(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """The positions of a word that have another within `NEAR` of them, before or after."""
    return [there for there in other for here in one if 0 < abs(there - here) <= NEAR]


@functools.lru_cache(WORDS_REMEMBERED)
def _ordinals(bits: int) -> tuple[int, ...]:
    """Which bits are set, rising."""
    return tuple([place for place in range(bits.bit_length()) if bits >> place & 1])


def _word(spelling: str) -> str:
    word = spelling.lower().removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


class _Remembered(dict[str, str]):
    """The word of each spelling met, until they are too many."""

    def __missing__(self, spelling: str) -> str:
        if len(self) >= WORDS_REMEMBERED:
            self.clear()
        word = self[spelling] = _word(spelling)
        return word


_REMEMBERED = _Remembered()
