"""What the words of one sentence say for a context: whole words, close together. Pure functions.

BM25 counts words anywhere in a context, and takes "fourth-largest" for "largest". Here a hyphenated compound is a word
of its own, and only what stands in the same sentence counts together. benchmarks/QUALITY.md has what it gave.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


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
    return {_singular(word.lower()) for word in _WORD.findall(text)}


def sentence_coverage(question: str, candidates: Mapping[int, Sequence[str]]) -> Covered:
    """For each candidate, the share of the question that stands in each of its sentences.

    Args:
        question: plain text.
        candidates: sentences by context.

    Returns:
        Coverage by context. A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25
        (Robertson and Zaragoza 2009), where d of the n candidates hold it: what all candidates hold tells nothing. A
        word that none holds takes no part in the shares; ``known`` tells of it.
    """
    asked = words(question)
    held = {context: [words(sentence) & asked for sentence in own] for context, own in candidates.items()}
    weights: dict[str, float] = {}
    unknown = 0.0
    for word in asked:
        frequency = sum(any(word in found for found in own) for own in held.values())
        weight = math.log(1.0 + (len(held) - frequency + 0.5) / (frequency + 0.5))
        if frequency:
            weights[word] = weight
        else:
            unknown += weight
    whole = math.fsum(weights.values())
    contexts = {
        context: Coverage(tuple(math.fsum(weights[word] for word in found) / whole if whole else 0.0 for found in own))
        for context, own in held.items()
    }
    return Covered(contexts, whole / (whole + unknown) if whole else 0.0)


def _singular(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
