"""Whether a hyphen at the end of a line belongs to the word ("long-term") or divides it ("govern-ment").

The document itself is asked first: a word that stands elsewhere in it is written so here, too. Then a list of English
words: two words that make none together keep their hyphen. In other languages halves are hardly ever English words, so
they are joined.
"""

from __future__ import annotations

import functools
import gzip
import re
from collections.abc import Iterable
from importlib import resources

_COMPOUND = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")
_WORD = re.compile(r"[^\W\d_]+")
_ENDINGS = frozenset(
    """
    able ably age aged al ally ance ances ant ants ary ate ated ates ation ations ed ence ences ent ents er ers ery es
    est ful fully hood ible ibly ic ical ify ing ings ion ions ise ised ish ism ist ists ity ive ized ize less ling ly
    man ment ments ness or ors ory ous ship ships sion some son ster tion tions ty ure ures ward wards
    """.split()
)
"""Second halves that are endings, though some are words."""
_BEGINNINGS = frozenset(
    """
    ad al com con de dis en ex fore im in inter mis ob out over per pre pro re sub super sur trans un under up
    """.split()
)
"""First halves that are beginnings of words, though some are words."""
_ALWAYS = frozenset(("self", "quasi"))
"""First halves that keep their hyphen before any word."""


class Hyphens:
    """Decides for the words of one document."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Take note of the words.

        Args:
            texts: lines, without hyphens at their ends.
        """
        self._compounds: set[str] = set()
        self._words: set[str] = set()
        for text in texts:
            if "-" in text:
                self._compounds.update(match.lower() for match in _COMPOUND.findall(text))
            self._words.update(match.lower() for match in _WORD.findall(text))

    def belongs(self, before: str, after: str) -> bool:
        """Whether the hyphen between two halves of a word belongs to it."""
        before, after = before.lower(), after.lower()
        if f"{before}-{after}" in self._compounds:
            return True
        joined = before + after
        if joined in self._words and joined not in (before, after):
            return False
        if after in _ENDINGS or before in _BEGINNINGS:
            return before in _ALWAYS and after not in ("ish", "less")
        words = _words()
        return joined not in words and after in words and (before in words or before in _ALWAYS)


@functools.cache
def _words() -> frozenset[str]:
    """Frequent English words: the whole words of BERT's uncased vocabulary."""
    packed = resources.files(__package__).joinpath("words.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode("ascii").split())
