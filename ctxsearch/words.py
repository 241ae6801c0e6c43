"""The words of a text, as evidence counts them. Pure functions."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

_WORD = re.compile(r"\w++(?:[-'’]\w++)*+")

RULE = 1
"""Counts up whenever `words` or `numbers` finds something else in any text: numbers are stored."""

WORDS_REMEMBERED = 65_536
"""Spellings whose number is kept: it takes ten times as long to find as to remember. About 10 MB."""


def words(text: str) -> list[str]:
    """The words of a text in their order: lower-cased, without possessive or plural endings."""
    return [_word(spelling) for spelling in _WORD.findall(text)]


def numbers(text: str) -> list[int]:
    """The same, each as a number from 1 to 2**32 - 1, its CRC-32: two words have the same once in 4e9."""
    return list(map(_NUMBERS.__getitem__, _WORD.findall(text)))


def fullest(question: str, sentences: Sequence[str]) -> int:
    """Ordinal of the sentence that holds most of the question's different words, the first of several; 0 for none."""
    asked = set(numbers(question))
    held = [len(asked.intersection(numbers(sentence))) for sentence in sentences]
    return held.index(max(held)) if held else 0


def _word(spelling: str) -> str:
    word = spelling.lower().removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


class _Numbers(dict[str, int]):
    """The number of each spelling met, until they are too many."""

    def __missing__(self, spelling: str) -> int:
        if len(self) >= WORDS_REMEMBERED:
            self.clear()
        number = self[spelling] = zlib.crc32(_word(spelling).encode("utf-8", "surrogatepass")) or 1
        return number


_NUMBERS = _Numbers()
