"""The words of a text, as evidence counts them. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")

WORDS_REMEMBERED = 65_536
"""Spellings whose word is kept: it takes ten times as long to find as to remember. About 10 MB."""


def words(text: str) -> list[str]:
    """The words of a text in their order: lower-cased, without possessive or plural endings."""
    return list(map(_REMEMBERED.__getitem__, _WORD.findall(text)))


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


class _Remembered(dict[str, str]):
    """The word of each spelling met, until they are too many."""

    def __missing__(self, spelling: str) -> str:
        if len(self) >= WORDS_REMEMBERED:
            self.clear()
        word = self[spelling] = _word(spelling)
        return word


_REMEMBERED = _Remembered()
