"""How many contexts files will come to, before they are read: by their sizes, and by what others came to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

PRIOR_BYTES = 64 * 1024
"""A guess counts as much as so many bytes that were read of a suffix."""

TEXT_BYTES, MARKUP_BYTES, PACKED_BYTES = 1_500, 6_000, 20_000
"""Bytes for each context of a text, of a page, and of what holds pictures and is packed."""

_MARKUP = frozenset(".html .htm .xhtml .xml .ipynb .eml .mbox .json .rtf".split())
_PACKED = frozenset(".pdf .docx .pptx .xlsx .xls .odt .odp .ods .epub .msg .doc .ppt .gz".split())
_TEXTS = frozenset(".txt .text .md .markdown .rst .adoc .asciidoc .csv .tsv .jsonl .ndjson .vtt .srt .log .py".split())


class Estimate:
    """The contexts of some files, refined with each that is read."""

    def __init__(self, files: Iterable[tuple[str, int]]) -> None:
        """Begin with a guess.

        Args:
            files: name and size in bytes of each file.
        """
        self._left: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._contexts: Counter[str] = Counter()
        for name, size in files:
            self._left[_suffix(name)] += size

    def took(self, name: str, size: int, contexts: int) -> None:
        """A file was read, or passed over, and came to so many contexts."""
        suffix = _suffix(name)
        self._left[suffix] -= size
        self._bytes[suffix] += size
        self._contexts[suffix] += contexts

    def of(self, name: str, size: int) -> float:
        """Contexts that a file of a name and size will come to."""
        return size * self._rate(_suffix(name))

    def left(self) -> float:
        """Contexts of all files that were not read."""
        return sum(size * self._rate(suffix) for suffix, size in self._left.items() if size > 0)

    def _rate(self, suffix: str) -> float:
        """Contexts for each byte."""
        guess = PRIOR_BYTES * _guess(suffix)
        return (self._contexts[suffix] + guess) / (self._bytes[suffix] + PRIOR_BYTES)


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _guess(suffix: str) -> float:
    if suffix in _TEXTS:
        return 1 / TEXT_BYTES
    if suffix in _MARKUP:
        return 1 / MARKUP_BYTES
    return 1 / PACKED_BYTES if suffix in _PACKED else 0.0
