"""Full stops that end no sentence, and some that do: what a segmenter of sentences does not know of abbreviations.

Lists are short on purpose: titles, references to numbered things, units, and what stands between two clauses, in
English, German and French. A word that is an abbreviation only before a number ("no. 7") ends a sentence before
anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

_NEVER_LAST = frozenset(
    """
    mr mrs ms mx dr drs prof hr frl hrn messrs mme mlle mmes st ste sgt capt lt cmdr maj rev hon gov sen
    vs viz cf vgl approx appx ca circa bzw resp sog incl inkl einschl excl exkl ggf evtl bspw insb insbes usf zzgl
    e.g i.e z.b d.h u.a u.ä o.ä i.d.r m.e s.o s.u v.a p.ex c.-à-d p.e eds hrsg mgr mag dipl ing
    """.split()
)
"""Something always follows these: a name, or what they compare, restrict or explain."""
_BEFORE_NUMBERS = frozenset(
    """
    no nos nr nrn num p pp s ss fig figs abb tab tabs sec secs sect sects ch chap chaps kap vol vols bd bde eq eqs gl
    art arts para paras par pars abs ziff rn rz anm fn app apps anh cl lit ref refs ex exs tel ext fax est max min env
    aufl jan feb mar apr jun jul aug sep sept oct okt nov dec dez janv févr avr juil déc ver v ed pl col cols str lfd
    """.split()
)
"""Abbreviations before a number, and in a sentence that goes on."""
_IN_A_SENTENCE = frozenset(
    """
    inc ltd co corp llc plc gmbh dept depts univ assn bros etc al ff f jr sr ph.d m.d b.a m.a u.s u.k e.v usw u.s.w
    a.m p.m a.d b.c op ed cit ibid ing dgl
    """.split()
)
"""Abbreviations that may end a sentence, but not before a small letter."""
_NUMBERED = frozenset("fig figs abb tab sec sect ch chap kap vol bd eq art app anh no nr cl lit ex".split())
"""Those that stand before letters and Roman numerals, too."""

_LAST_WORD = re.compile(r"([^\s()\[\]\"'“”„«»‘’,;:/–—]+)\.\s*$")
_NUMBER = re.compile(r"[(\[]?[§#+±<>≤≥~]?\s?\d")
_SMALL = re.compile(r"[(\[\"'“„«]?[a-zà-öø-ÿ]")
_LABEL = re.compile(r"(?:[A-Z]|[IVXLC]+)(?:[.\-]?\d[\d.]*)?(?![\w'’])")
_GERMAN_DAY = re.compile(
    r"\b(?:am|ab|bis|dem|den|der|des|seit|und|vom|zum|\d{1,2}\.[ –-]{1,3})\s?\d{1,2}\.\s*$", re.IGNORECASE
)
_GERMAN_MONTH = re.compile(r"(?:Jan|Feb|März|Mrz|April|Apr|Mai|Juni|Juli|Jun|Jul|Aug|Sep|Okt|Nov|Dez)")
_END = re.compile(
    r"(?<![\w.])[Nn]o\.\s+(?=[A-Z][a-z]+\b|I\b)"  # "The answer is no. Payment is due."
    r"|(?<=\d)\s?(?:m|g|l|t|h|s)\.\s+(?=[A-Z][a-z]+\b)"  # "It is 3.5 m. See the plan."
)


def mended(sentences: Iterable[str]) -> list[str]:
    """The sentences of a text, joined where an abbreviation cut them, and cut where a word or a unit looked like one.

    Args:
        sentences: those of a segmenter, which tile a text; so do those returned.
    """
    joined: list[str] = []
    for sentence in sentences:
        if joined and ends_with_abbreviation(joined[-1], sentence):
            joined[-1] += sentence
        else:
            joined.append(sentence)
    return [part for sentence in joined for part in _cut(sentence)]


def ends_with_abbreviation(before: str, after: str) -> bool:
    """Whether a text ends with an abbreviation, and not with a sentence.

    Args:
        before: the text, white space at its end included.
        after: what follows it.
    """
    match = _LAST_WORD.search(before[-80:])
    if not match:
        return False
    word, after = match[1].lower(), after.lstrip()[:40]
    if word in _NEVER_LAST:
        return True
    if word in _BEFORE_NUMBERS:
        if _NUMBER.match(after) or _SMALL.match(after):
            return True
        return word in _NUMBERED and _LABEL.match(after) is not None
    if word in _IN_A_SENTENCE:
        return _SMALL.match(after) is not None
    return bool(_GERMAN_DAY.search(before[-40:]) and _GERMAN_MONTH.match(after))


def _cut(sentence: str) -> list[str]:
    ends = [match.end() for match in _END.finditer(sentence)]
    return [sentence[start:end] for start, end in pairwise([0, *ends, len(sentence)])] if ends else [sentence]
