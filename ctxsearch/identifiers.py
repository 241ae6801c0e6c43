"""Identifiers of a question, and how exactly a text holds them. Pure functions.

Words say nothing about order and punctuation: "v1.3.2" has the words of "v1.2.3". Where a question holds a version
number, a path, a part number, a name with an accent or a run of Chinese, it counts as evidence that a text holds it to
the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ctxsearch import folding
from ctxsearch.patterns import lazy
from ctxsearch.terms import MAX_JOINED, MIN_JOINED_DIGITS, grouped_numbers, phrase
from ctxsearch.words import words

MAX_IDENTIFIERS = 16
"""Of a question, the first ones."""

MAX_RUN = 12
"""Letters of a run without spaces up to which it is looked for as a whole: a longer one is a sentence."""

MIN_JOINED = 4
"""Letters and digits of an identifier, at the least, that is looked for with other separators too."""

GROUPED_BY_FOUR = 12
"""Characters from which a number may be written in groups of four."""

MAX_WORDS = 8
"""Words of a question up to which all of it may be one name: "ISO 9001 Part 2"."""

CODE, SPELLING, WHOLE, TERM = 1.0, 0.5, 0.5, 0.25
"""What it counts to hold an identifier of several words or with symbols; a word that another spelling would match, too;
beside these, all of a short question as it is written; one word of letters and digits, which is found by itself."""

EXACT, CASELESS, JOINED, INNER = 1.0, 0.9, 0.8, 0.5
"""How well a text holds an identifier: to the letter; in another case; with other separators; in a longer one."""

_OPENING, _CLOSING = "([{<\"'`«»,;", ".,;:!?…)]}>\"'`«»"

_ORDINARY = lazy(
    r"(?:[A-Za-z]\.)+[A-Za-z]?"  # U.S., e.g.
    r"|[^\W\d_]+(?:['-][^\W\d_]+)*"  # words, well-known, don't
    r"|\d{1,8}(?:st|nd|rd|th|s)?(?:-[^\W\d_]+)*"  # 19th, 1960s, 20-year-old
    r"|[$]?\d{1,8}%?"
    r"|\W+"
)
"""What is no identifier, whatever its punctuation."""

_NUMBERED = lazy(r"(?<!\w)[A-Z]{2,6} \d\w*(?![\w.-]*\w)")
"""A standard, a form or a law by its number: RFC 7231."""

_CAMEL = lazy(r"[^\W\d_][a-z]*[a-z][A-Z]")
_JOINERS = "._-/\\:@+#~=&%$?"
"""What joins parts of an identifier, so that one that goes on behind it is another."""

JOINED_BY = 4
"""Characters beside an identifier that are looked at."""


class Identifier(NamedTuple):
    """Something of a question that a text holds or does not."""

    text: str
    """As `folding.literal` gives it."""
    caseless: str
    weight: float
    bounded: bool
    """Whether it begins and ends where a word does; not in scripts without spaces."""
    joined: re.Pattern[str] | None
    """The same with other separators, caseless."""
    phrases: tuple[str, ...]
    """What FTS5 may find it by, between quotation marks."""
    size: float = 1.0
    """Share of the question's words that are in it."""


class Literal(NamedTuple):
    """A text to look in."""

    text: str
    caseless: str


def literal(text: str) -> Literal:
    """A text as identifiers are looked for in it."""
    compared = folding.literal(text)
    return Literal(compared, compared.casefold())


def identifiers(question: str) -> list[Identifier]:
    """The identifiers of a question, each once."""
    question = folding.literal(question).strip()
    if _is_ordinary(question):
        return []
    found = list({one.text: one for one in _identifiers(question)}.values())[:MAX_IDENTIFIERS]
    parts = len(question.split())
    named = found or any(character.isdigit() for character in question)
    if named and 1 < parts <= MAX_WORDS and question[-1] != "?" and question not in [one.text for one in found]:
        found.append(_identifier(question, WHOLE, ""))
    every = max(1, len(words(question)))
    return [one._replace(size=len(words(one.text)) / every) for one in found]


def _is_ordinary(question: str) -> bool:
    """Whether all of a question is evidently English words, as of most: no pattern needs to be compiled for it."""
    if not question.isascii():
        return False
    bare = (word.rstrip(".,;:!?") for word in question.split())
    return all(word.isalpha() and (len(word) == 1 or word[1:].islower() or word.isupper()) for word in bare)


def held(one: Identifier, where: Literal) -> float:
    """How well a text holds an identifier, 0 to 1."""
    best = _held(one.text, where.text, one.bounded) * EXACT
    if best < EXACT:
        best = max(best, _held(one.caseless, where.caseless, one.bounded) * CASELESS)
    if best < JOINED and one.joined and one.joined.search(where.caseless):
        best = JOINED
    return best


def shares_held(asked: Sequence[Identifier], texts: Iterable[str]) -> list[float]:
    """How much of several identifiers each of some texts holds; nothing where there are no identifiers."""
    if not asked:
        return []
    return [share(asked, [held(one, text) for one in asked]) for text in map(literal, texts)]


def share(asked: Sequence[Identifier], shares: Sequence[float]) -> float:
    """How much of a question a text holds to the letter, given how well it holds each of its identifiers; 0 to 1.5."""
    return sum(one.weight * one.size * value for one, value in zip(asked, shares, strict=True))


def _held(text: str, where: str, bounded: bool) -> float:
    best, at = 0.0, where.find(text)
    while at >= 0 and best < 1.0:
        end = at + len(text)
        best = max(best, _fits(where, at, end) if bounded else 1.0)
        at = where.find(text, at + 1)
    return best


def _fits(where: str, start: int, end: int) -> float:
    """1 if an identifier begins and ends at these places, `INNER` if it is part of a longer one, 0 inside a word."""
    before, behind = where[max(0, start - JOINED_BY) : start][::-1], where[end : end + JOINED_BY]
    return min(_ends(where[start], before, "vV"), _ends(where[end - 1], behind, ""))


def _ends(edge: str, others: str, prefixes: str) -> float:
    """How well an identifier ends at a character, given those that follow it, in the direction that is looked in."""
    if not others:
        return 1.0
    if folding.is_word_character(others[0]):
        if folding.is_spaceless(edge) or folding.is_spaceless(others[0]):
            return 1.0
        inside = folding.is_word_character(edge) and not (edge.isdigit() and others[0] in prefixes)
        return 0.0 if inside else INNER
    beyond = others.lstrip(_JOINERS)
    joined = len(beyond) < len(others) and beyond != "" and folding.is_word_character(beyond[0])
    grouped = edge.isdigit() and others[0] == "," and others[1:2].isdigit()
    return INNER if joined or grouped or (others[0] == edge and edge in _JOINERS) else 1.0


def _identifiers(question: str) -> Iterator[Identifier]:
    rest = question
    for written, joined in grouped_numbers(question):
        rest = rest.replace(written, " ")
        yield _identifier(written, CODE, joined)
    for match in _NUMBERED.finditer(rest):
        yield _identifier(match[0], CODE, _joined(match[0]))
    for word in _NUMBERED.sub(" ", rest).split():
        for run in folding.by_script(word):
            if folding.is_spaceless(run):
                if 2 <= len(folding.clusters(run)) <= MAX_RUN:
                    yield Identifier(run, run, CODE, False, None, (phrase(run),))
                continue
            text = _trimmed(run)
            if _is_code(text):
                yield _identifier(text, TERM if text.isalnum() else CODE, _joined(text))
            elif not text.isascii() or _CAMEL.match(text):
                yield _identifier(text, SPELLING, "")


def _identifier(text: str, weight: float, joined: str) -> Identifier:
    phrases = [phrase(text)] if len(re.findall(r"[^\W_]+", text)) > 1 else []
    pattern = None
    if joined:
        pattern = re.compile(rf"(?<!\w){'[ ./()-]{0,2}'.join(joined)}(?!\w)")
        phrases.append(joined)
        if joined == text.lower():
            phrases.append(" ".join(re.findall(r"\d+|[^\W\d_]+", joined)))
        if len(joined) >= GROUPED_BY_FOUR:
            phrases.append(" ".join(re.findall("..?.?.?", joined)))
    return Identifier(text, text.casefold(), weight, True, pattern, tuple(dict.fromkeys(phrases)))


def _trimmed(word: str) -> str:
    """A word without the punctuation of its sentence."""
    word = word.lstrip(_OPENING)
    bare = word.rstrip(_CLOSING)
    if bare.startswith("*"):  # emphasis in Markdown
        bare = bare.strip("*").rstrip(_CLOSING)
    return bare.rstrip("([{<").removesuffix("'s") or word


def _is_code(text: str) -> bool:
    letters = all(folding.is_word_character(c) and not c.isdigit() and c != "_" for c in text)
    return not letters and _ORDINARY.fullmatch(text) is None


def _joined(text: str) -> str:
    """An identifier without its separators, caseless, if others may stand there; otherwise nothing."""
    joined = re.sub("[-/ ]", "", text.lower())
    if joined.isalnum() and not joined.isdigit() and not joined.isalpha():
        return joined if MIN_JOINED <= len(joined) <= MAX_JOINED else ""
    digits = re.sub("[-+./()]", "", text)
    return digits if digits.isdigit() and MIN_JOINED_DIGITS <= len(digits) <= MAX_JOINED else ""
