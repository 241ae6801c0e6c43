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
    """How much of a question stands in one sentence."""

    share: float
    """Of the weight of the question's words, 0 to 1."""
    sentence: int
    """Ordinal of the sentence that holds the most, the first of several."""


def words(text: str) -> set[str]:
    """The different words of a text: lower-cased, without possessive or plural endings."""
    return {_singular(word.lower()) for word in _WORD.findall(text)}


def sentence_coverage(question: str, candidates: Mapping[int, Sequence[str]]) -> dict[int, Coverage]:
    """For each candidate, the share of the question that stands in its best sentence.

    Args:
        question: plain text.
        candidates: sentences by context.

    Returns:
        Coverage by context. A word weighs ln(1 + (n - d + 0.5) / (d + 0.5)), the inverse document frequency of BM25
        (Robertson and Zaragoza 2009), where d of the n candidates hold it: what all candidates hold tells nothing.
    """
    asked = words(question)
    held = {context: [words(sentence) & asked for sentence in own] for context, own in candidates.items()}
    weights: dict[str, float] = {}
    for word in asked:
        frequency = sum(any(word in found for found in own) for own in held.values())
        if frequency:
            weights[word] = math.log(1.0 + (len(held) - frequency + 0.5) / (frequency + 0.5))
    whole = math.fsum(weights.values())
    coverage: dict[int, Coverage] = {}
    for context, own in held.items():
        shares = [math.fsum(weights[word] for word in found) / whole if whole else 0.0 for found in own]
        best = max(range(len(shares)), key=lambda ordinal: (shares[ordinal], -ordinal), default=0)
        coverage[context] = Coverage(shares[best] if shares else 0.0, best)
    return coverage


def _singular(word: str) -> str:
    word = word.removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
