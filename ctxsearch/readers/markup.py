"""reStructuredText and AsciiDoc: the file's text, letter for letter, with the headings that its lines mark.

Headings are looked for line by line, so that any text is read in linear time; directives are not run and nothing is
included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.kinds import suffix_of
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+")
_RST_FIELD = re.compile(r":(\w[\w -]{0,40}):[ \t]+(\S.*)")
_ADOC_HEADING = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*)")
_ADOC_ATTRIBUTE = re.compile(r":([\w-]{1,40}):[ \t]+(\S.*)")
_ADOC_FENCE = re.compile(r"(-{4,}|\.{4,}|/{4,}|\+{4,}|_{4,}|={4,}|\*{4,}|```)\s*$")
_ADOC_NESTING = ("=", "*", "_")
"""Blocks in which headings may stand; in the others there is only text."""

_KNOWN = {"author": "author", "authors": "author", "date": "date", "language": "language", "lang": "language"}


def read(file: File) -> Iterator[Document]:
    """The file as one document. Its title is its first heading, else the file's name."""
    decoded = decode(read_bytes(file), file.source)
    content = decoded.text
    is_rst = suffix_of(file) == ".rst"
    found = rst_headings(content) if is_rst else asciidoc_headings(content)
    title = found[0].title if found else file.path.stem
    metadata = _metadata(content, _RST_FIELD if is_rst else _ADOC_ATTRIBUTE)
    yield Document(content, file.source, title, metadata | decoded.metadata, found, str(file.origin))


def rst_headings(content: str) -> tuple[Heading, ...]:
    """Titles underlined, perhaps overlined too, with punctuation; levels in the order in which the styles come."""
    found: list[Heading] = []
    styles: list[tuple[str, bool]] = []
    lines = [(match.start(), match[0].rstrip()) for match in _LINE.finditer(content)]
    number = 0
    while number + 1 < len(lines):
        start, line = lines[number]
        below = lines[number + 1][1]
        over = False
        if _ADORNMENT.fullmatch(line) and number + 2 < len(lines) and lines[number + 2][1] == line and below.strip():
            over, title, mark = True, below.strip(), line
        else:
            title, mark = line, below
        before = lines[number - 1][1] if number else ""
        fits = _ADORNMENT.fullmatch(mark) and len(mark) >= min(len(title), 4) and (over or not before.strip())
        if fits and title and not _ADORNMENT.fullmatch(title) and (over or not line[0].isspace()):
            style = (mark[0], over)
            if style not in styles:
                styles.append(style)
            found.append(Heading(start, styles.index(style) + 1, title))
            number += 3 if over else 2
        else:
            number += 1
    return tuple(found)


def asciidoc_headings(content: str) -> tuple[Heading, ...]:
    """Lines that begin with ``=`` (or ``#``), outside of listings and comments."""
    found = []
    fence = ""
    for match in _LINE.finditer(content):
        line = match[0].rstrip()
        if fence:
            fence = "" if line == fence else fence
        elif _ADOC_FENCE.fullmatch(line) and not line.startswith(_ADOC_NESTING):
            fence = line
        elif heading := _ADOC_HEADING.fullmatch(line):
            found.append(Heading(match.start(), len(heading[1]), heading[2].strip()))
    return tuple(found)


def _metadata(content: str, field: re.Pattern[str]) -> dict[str, Any]:
    """What the head of the file says of itself, in the words that metadata have for it."""
    metadata = {}
    for line in content[:4000].splitlines():
        if (match := field.fullmatch(line.rstrip())) and (key := _KNOWN.get(match[1].lower())):
            metadata[key] = match[2].strip()
    return metadata
