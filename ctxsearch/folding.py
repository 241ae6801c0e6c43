"""Spellings that search takes for the same: Unicode's NFKC casefold, and a little more. Pure functions.

Texts are shown letter for letter; what is made here is only compared. Two levels:

- `literal` keeps case and accents. It composes (NFC and NFD become equal), replaces compatibility characters
  (ligatures, full-width letters, superscripts) and removes default-ignorable ones (soft hyphen, zero-width space).
- `fold` also removes case, accents, Hebrew points and Arabic vowel signs, writes digits in ASCII, and takes letters for
  one that are typed for each other, as Lucene's ICUFoldingFilter and its normalisation for Arabic and Persian do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import pairwise

from ctxsearch.patterns import lazy

_PLAIN = lazy(
    "[\0-\x7f\xa0-\xa9\xab\xac\xae-\xb1\xb4\xb6-\xb8\xbb\xbf-\xc5\xc7-\xcf\xd1-\xd6\xd9-\xdd\xe0-\xe5\xe7-\xef"
    "\xd1\xf1-\xf6\xf9-\xfd\xff\u0100-\u010f\u0112-\u0125\u0128-\u0130\u0134-\u0137\u0139-\u013e\u0143-\u0148"
    "\u014c-\u0151\u0154-\u0165\u0168-\u017e\u2012-\u2026\u2030-\u203b\u20a0-\u20a7\u20a9-\u20b9\u2122]*+"
)
"""Text of ASCII, accented Latin letters and usual punctuation: cut into words, each word folds on its own."""

_IGNORABLE = lazy(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point, DerivedCoreProperties.txt of Unicode 15."""

_SUPERSCRIPT = "\u2070\xb9\xb2\xb3\u2074-\u2079"
_APART = lazy(f"(?:(?<=\\d)|(?<=\\w\\w\\w))(?=[{_SUPERSCRIPT}])|(?<=\\w)(?=[\xbc-\xbe\u2150-\u215e\u2189])")
"""Before a footnote's number, an exponent of a number, and the fraction of a mixed number; not in "m\xb2"."""

_SIGNS = str.maketrans({"\u2122": " ", "\u2120": " ", "\u2116": " No "})
"""Signs that NFKC would make letters of the word beside them."""

_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032\u05f3", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u05f4", '"')
)

_ONE_FOR_ANOTHER = {
    # Cyrillic
    "ё": "е", "ѐ": "е", "ѝ": "и",
    # Arabic and Persian
    "آ": "ا", "أ": "ا", "إ": "ا", "ٱ": "ا", "ى": "ي",
    "ی": "ي", "ئ": "ي", "ؤ": "و", "ة": "ه", "ہ": "ه", "ک": "ك", "ـ": "",
    # Latin letters that no accent makes of others
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th",
    # Hyphens and apostrophes inside words
    "\u2010": "-", "\u2011": "-", "\u2019": "'", "\u02bc": "'", "\u05f3": "'", "\u05f4": '"',
}  # fmt: skip

_DROPPED_MARKS = ("COMBINING", "HEBREW", "ARABIC", "SYRIAC", "DEVANAGARI SIGN NUKTA")
"""How the names of marks begin that change no word. Vowel signs of other scripts are letters of the word."""

_HEBREW_MARK = lazy("(?<=[\u0591-\u05ea])[\"'\u05f3\u05f4](?=[\u05d0-\u05ea])")
"""Gershayim in an abbreviation and geresh in a loan word, also as they are typed."""


def is_plain(text: str) -> bool:
    """Whether a text holds only ASCII, accented Latin letters and usual punctuation."""
    return text.isascii() or _PLAIN.fullmatch(text) is not None


def composed(text: str) -> str:
    """A text in NFKC, without default-ignorable characters."""
    if text.isascii():
        return text
    text = _APART.sub(" ", _IGNORABLE.sub("", text)).translate(_SIGNS)
    return unicodedata.normalize("NFKC", text)


def literal(text: str) -> str:
    """A text as it is compared letter for letter: composed, dashes and quotation marks as they are typed."""
    return text if text.isascii() else composed(text).translate(_TYPOGRAPHY)


def fold(text: str) -> str:
    """A text as words of it are compared."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", composed(text).casefold()).translate(_FOLDED)
    return _HEBREW_MARK.sub("", folded)


class _Folded(dict[int, str]):
    """What a casefolded character becomes; found out when it is first met."""

    def __missing__(self, code: int) -> str:
        found = self[code] = _folded(chr(code))
        return found


def _folded(character: str) -> str:
    if character in _ONE_FOR_ANOTHER:
        return _ONE_FOR_ANOTHER[character]
    category = unicodedata.category(character)
    if category[0] == "M":
        return "" if unicodedata.name(character, "").startswith(_DROPPED_MARKS) else character
    if category == "Nd":
        return str(unicodedata.decimal(character))
    base = unicodedata.normalize("NFD", character)[0]
    if category[0] == "L" and unicodedata.name(base, "").startswith(("LATIN", "GREEK")):
        return _ONE_FOR_ANOTHER.get(base, base)
    return character


_FOLDED = _Folded()


# Scripts that are written without spaces

SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\u1b00-\u1b7f"  # South-East Asia
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u318f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua9ff\uaa60-\uaadf\uac00-\ud7ff\uf900-\ufaff"
    "\U00017000-\U00018cff\U0001b000-\U0001b2ff\U00020000-\U0003ffff"
)
"""Ranges, for a class of a regular expression, of letters whose words no space parts: Han, kana, Thai, Lao, Khmer,
Burmese and others. Hangul is among them, since its particles are written onto the word."""

_SPACELESS_RUN = lazy(f"[{SPACELESS}]+")

_BY_SCRIPT = lazy(f"[{SPACELESS}]+|[^{SPACELESS}]+")

_EXTENDS = lazy("[\u1160-\u11ff\uff9e\uff9f]")
"""Vowels and final consonants of Hangul and half-width sound marks, which NFKC composes with what stands before."""


class _WordCharacters(dict[int, str]):
    """What belongs to a word stays; a space takes the place of anything else."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        belongs = character in "_-'" or unicodedata.category(character)[0] in "LMN"
        found = self[code] = character if belongs else " "
        return found


_WORD_CHARACTERS = _WordCharacters()


def word_characters(folded: str) -> str:
    """A folded text with spaces for all that belongs to no word, but for ``-`` and ``'``."""
    return folded.translate(_WORD_CHARACTERS)


def word_characters_with_places(text: str) -> tuple[str, list[tuple[int, int]]]:
    """`word_characters` of a text, with start and end of what each of them stands for in the text."""
    found, places = "", list[tuple[int, int]]()
    apart = {match.start() for match in _APART.finditer(text)}
    dropped = {match.start() for match in _HEBREW_MARK.finditer(text)}
    for start, end in cluster_spans(text):
        if start in dropped:
            continue
        letters = " " * (start in apart) + word_characters(fold(text[start:end]))
        found += letters
        places += [(start, end)] * len(letters)
    return found, places


def is_word_character(character: str) -> bool:
    """Whether a character is a letter, mark, digit or low line."""
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def is_spaceless(word: str) -> bool:
    """Whether a word is of a script without spaces, by its first letter."""
    return _SPACELESS_RUN.match(word) is not None


def by_script(word: str) -> list[str]:
    """A word cut where a script without spaces begins or ends."""
    return _BY_SCRIPT.findall(word)


def split_spaceless(text: str, tokens: Callable[[str], list[str]]) -> str:
    """A text with tokens, spaces around them, for each run of letters of a script without spaces."""
    return _SPACELESS_RUN.sub(lambda match: f" {' '.join(tokens(match[0]))} ", text)


def clusters(run: str) -> list[str]:
    """The letters of a run, each with the marks that stand on it."""
    return [run[start:end] for start, end in cluster_spans(run)]


def cluster_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each character of a text with what follows that is no character of its own."""
    starts = [place for place, character in enumerate(text) if place == 0 or not _extends(character)]
    return list(pairwise([*starts, len(text)]))


def bigrams(run: str) -> list[str]:
    """The pairs of neighbouring letters of a run; the letter itself where there is one."""
    letters = clusters(run)
    return [a + b for a, b in pairwise(letters)] or letters


def letters_and_bigrams(run: str) -> list[str]:
    """Each letter of a run, followed by its pair with the next."""
    letters = clusters(run)
    found = [token for a, b in pairwise(letters) for token in (a, a + b)]
    return [*found, *letters[-1:]]


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character)[0] == "M"
        or _IGNORABLE.match(character) is not None
        or _EXTENDS.match(character) is not None
    )
