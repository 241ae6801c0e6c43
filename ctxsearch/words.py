"""The words of a text, as evidence counts them. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w++(?:[-'’]\w++)*+")

WORDS_REMEMBERED = 65_536
"""Spellings whose word is kept: it takes ten times as long to find as to remember. About 15 MB."""


def words(text: str) -> list[str]:
    """The words of a text in their order: lower-cased, without possessive or plural endings."""
    return [_REMEMBERED[spelling][0] for spelling in _WORD.findall(text)]


def numbers(text: str) -> list[int]:
    """The same, each as the number that Python hashes it to in this process."""
    return [_REMEMBERED[spelling][1] for spelling in _WORD.findall(text)]


def fullest(question: str, sentences: Sequence[str]) -> int:
    """Ordinal of the sentence that holds most of the question's different words, the first of several; 0 for none."""
    asked = set(words(question))
    held = [len(asked.intersection(words(sentence))) for sentence in sentences]
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


class _Remembered(dict[str, tuple[str, int]]):
    """The word of each spelling met, and its number, until they are too many."""

    def __missing__(self, spelling: str) -> tuple[str, int]:
        if len(self) >= WORDS_REMEMBERED:
            self.clear()
        word = _word(spelling)
        both = self[spelling] = word, hash(word)
        return both


_REMEMBERED = _Remembered()
