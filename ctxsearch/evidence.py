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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    places: Mapping[str, int]
    """For each word its positions: bit i is set for position i."""


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
    return list(map(_word, _WORD.findall(text)))


def sentence_words(sentences: Iterable[str]) -> SentenceWords:
    """The words of a context, by sentence."""
    starts: list[int] = []
    places: dict[str, int] = {}
    end = 0
    for sentence in sentences:
        starts.append(end)
        found = words(sentence)
        for position, word in enumerate(found, start=end):
            places[word] = places.get(word, 0) | 1 << position
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
    weights: dict[str, float] = {}
    unknown = 0.0
    for word in dict.fromkeys(asked):
        frequency = sum(word in own.places for own in candidates.values())
        weight = _weight(frequency, len(candidates))
        if frequency:
            weights[word] = weight
        else:
            unknown += weight
    whole = math.fsum(weights.values())
    pairs: dict[int, list[float]] = {context: [0.0] * len(own.starts) for context, own in candidates.items()}
    for pair in dict.fromkeys(pairwise(asked)):
        near = {context: bits for context, own in candidates.items() if (bits := _near(own.places, *pair))}
        weight = _weight(len(near), len(candidates))
        for context, bits in near.items():
            for sentence in _sentences_of(bits, candidates[context].starts):
                pairs[context][sentence] += weight
    contexts = {
        context: Coverage(_shares(own, weights, whole), tuple(pairs[context])) for context, own in candidates.items()
    }
    return Covered(contexts, whole / (whole + unknown) if whole else 0.0)


def _weight(frequency: int, candidates: int) -> float:
    return math.log(1.0 + (candidates - frequency + 0.5) / (frequency + 0.5))


def _shares(own: SentenceWords, weights: Mapping[str, float], whole: float) -> tuple[float, ...]:
    found: Sequence[list[float]] = [[] for _ in own.starts]
    for word, weight in weights.items():
        for sentence in _sentences_of(own.places.get(word, 0), own.starts):
            found[sentence].append(weight)
    return tuple([math.fsum(several) / whole if several else 0.0 for several in found])


def _near(places: Mapping[str, int], one: str, other: str) -> int:
    """The positions of a word that have another within `NEAR` of them, before or after."""
    if one not in places or other not in places:
        return 0
    reached = places[one]
    reached |= reached << 1
    reached |= reached << 2
    return places[other] & (reached << 1 | reached >> NEAR)


def _sentences_of(bits: int, starts: Sequence[int]) -> Iterator[int]:
    """The ordinals of the sentences in which positions stand, rising."""
    while bits:
        sentence = bisect_right(starts, (bits & -bits).bit_length() - 1) - 1
        yield sentence
        if sentence + 1 == len(starts):
            return
        bits = bits >> starts[sentence + 1] << starts[sentence + 1]


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
