"""The words of a text, as evidence counts them. Pure functions."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from ctxsearch import folding
from ctxsearch.patterns import lazy

_WORD = lazy(r"\w++(?:[-'’]\w++)*+")

_LETTER = f"[^\\s'{folding.SPACELESS}-]"
_FOLDED_WORD = lazy(f"{_LETTER}++(?:[-']{_LETTER}++)*+|[{folding.SPACELESS}]+")
"""The same in what `folding.word_characters` gives: marks, which ``\\w`` leaves out, belong to words."""

_RUN, _FOLDED_RUN = lazy(r"\w+"), lazy(f"{_LETTER}+|[{folding.SPACELESS}]+")

RULE = 2
"""Tokenizer version. Bump when the output of `words` or `numbers` changes for any text: numbers are stored.

1: a word was a run of letters and digits as it is written. 2: words fold, and scripts without spaces are cut in pairs.
"""

WORDS_REMEMBERED = 65_536
"""Spellings whose number is kept: it takes ten times as long to find as to remember. About 10 MB."""


def words(text: str) -> list[str]:
    """The words of a text in their order: folded, without possessive or plural endings.

    Of scripts without spaces, each pair of neighbouring letters is a word.
    """
    return [_word(spelling) for spelling in _spellings(text)]


def numbers(text: str) -> list[int]:
    """The same, each as a number from 1 to 2**32 - 1, its CRC-32: two words have the same once in 4e9."""
    return list(map(_NUMBERS.__getitem__, _spellings(text)))


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Where runs of letters and digits stand in a text, to be marked: start, end, and the run, folded.

    Of scripts without spaces there is one for each pair of neighbouring letters; they overlap.
    """
    if folding.is_plain(text):
        yield from ((*match.span(), folding.fold(match[0])) for match in _RUN.finditer(text))
        return
    folded, places = folding.word_characters_with_places(text)
    for match in _FOLDED_RUN.finditer(folded):
        at, run = match.start(), match[0]
        if not folding.is_spaceless(run):
            yield places[at][0], places[match.end() - 1][1], run
            continue
        for letter, pair in zip(folding.clusters(run), folding.bigrams(run), strict=False):
            yield places[at][0], places[at + len(pair) - 1][1], pair
            at += len(letter)


def fullest(question: str, sentences: Sequence[str], exact: Sequence[float] = ()) -> int:
    """Ordinal of the sentence that holds most of the question's different words, the first of several; 0 for none.

    Args:
        question: plain text.
        sentences: to choose from.
        exact: how well each holds the question's identifiers, if it has any; that counts first.
    """
    asked = set(numbers(question))
    counts = [len(asked.intersection(numbers(sentence))) for sentence in sentences]
    held = list(zip(exact or [0.0] * len(counts), counts, strict=True))
    return held.index(max(held)) if held else 0


def _spellings(text: str) -> list[str]:
    """The words of a text as they are written, or folded already."""
    if folding.is_plain(text):
        return _WORD.findall(text)
    found: list[str] = []
    for word in _FOLDED_WORD.findall(folding.word_characters(folding.fold(text))):
        if folding.is_spaceless(word):
            found += folding.bigrams(word)
        else:
            found.append(word)
    return found


def _word(spelling: str) -> str:
    word = folding.fold(spelling).removesuffix("'s")
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
