"""What full-text search indexes of a text, and looks for in a question. Pure functions.

FTS5 cuts text into runs of letters and digits, which suits English and nothing else; a tokenizer of our own cannot be
given to it from Python. So it gets another text to index, where the one that is shown would not do: folded, a space
between words of scripts that write none, and with a term for what its tokenizer would lose, such as the ``++`` of C++.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ctxsearch import folding
from ctxsearch.patterns import lazy

RULE = 1
"""Version of `search_text`. Bump when its output changes for any text: what it gives is stored."""

MIN_JOINED_DIGITS, MAX_JOINED = 9, 40
"""Digits of a number in groups, at the least, that is one term as well; characters of such a term, at the most."""

_WORDS = lazy(r"\w+")

_SYMBOLS = 0xE000
"""Symbols are letters to FTS5 in Unicode's private use area: each is moved up there by so much."""

_SYMBOL_WORD = lazy(
    r"(?<![\w@#$~+./:\\-])[.@#$~-]{1,2}[A-Za-z]\w*+"  # .NET, @user, #tag, $PATH, --help
    r"|(?<!\w)[A-Za-z]\w{0,15}+(?:\+\+|[+#](?![\w+#]))"  # C++, C#
)

_NO_SYMBOL = str.maketrans("", "", " ,;:!?'\"")
"""Punctuation that is in no term, taken away from most questions to leave letters alone."""

_GROUPED_NUMBER = lazy(
    r"(?<!\w)[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?!\w)"  # an IBAN, ISO 13616
    r"|(?<!\w)\+?\(?\d++\)?(?:[ ./()-]{1,2}\d++\)?)+(?!\w)"  # a telephone or card number
)


def search_text(text: str) -> str:
    """What full-text search indexes for a text: the very same, for ordinary English."""
    extra = _whole_terms(text)
    if not folding.is_plain(text):
        text = _spaced(text)
    return f"{text} {' '.join(extra)}" if extra else text


def asked_terms(question: str) -> list[str]:
    """The different terms that a question looks for, each one token of FTS5 or a phrase, without operators."""
    words = _WORDS.findall(question.lower()) if folding.is_plain(question) else list(_asked_words(question))
    return list(dict.fromkeys([*words, *_whole_terms(question)]))


def words_of(question: str) -> list[str]:
    """The same for a catalog whose full-text search has texts as they are shown: words, lower-cased."""
    return list(dict.fromkeys(word.lower() for word in _WORDS.findall(question)))


def phrase(text: str) -> str:
    """What stands where a text is indexed, as FTS5 takes it between quotation marks."""
    return text if folding.is_plain(text) else _spaced(text)


def grouped_numbers(text: str) -> Iterator[tuple[str, str]]:
    """Telephone, card and account numbers in groups: as written, and as one term, folded.

    Args:
        text: as `folding.literal` gives it.
    """
    for match in _GROUPED_NUMBER.finditer(text):
        joined = "".join(_WORDS.findall(match[0])).lower()
        digits = sum(c.isdigit() for c in joined)
        if joined != match[0].lower() and digits >= MIN_JOINED_DIGITS and len(joined) <= MAX_JOINED:
            yield match[0], joined


def _whole_terms(text: str) -> list[str]:
    """Terms for words that their symbols tell from others ("C++" is not "C"), and for numbers in groups."""
    text = folding.literal(text)
    if text.translate(_NO_SYMBOL).isalpha():
        return []
    symbolic = (
        "".join(c if c.isalnum() else chr(_SYMBOLS + ord(c)) for c in match[0].lower())
        for match in _SYMBOL_WORD.finditer(text)
    )
    return [*symbolic, *(joined for _, joined in grouped_numbers(text))]


def _spaced(text: str) -> str:
    return folding.split_spaceless(folding.word_characters(folding.fold(text)), folding.letters_and_bigrams)


def _asked_words(question: str) -> Iterator[str]:
    for word in re.split(r"[\s'-]+", folding.word_characters(folding.fold(question))):
        for run in folding.by_script(word):
            yield from folding.bigrams(run) if folding.is_spaceless(run) else [run]
