"""Markdown: the document's text is the file's, letter for letter, with its headings found by a CommonMark parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt

from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading

_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(?:[^\n]*\n){0,200}?(?:---|\.\.\.)[ \t]*(?:\r?\n|$)")
"""YAML at the start of a file, which CommonMark would take for a heading."""

_LINE_END = re.compile(r"\r\n|\r|\n")


def read(file: File) -> Iterator[Document]:
    """The file as one document. Its title is its first heading, else the file's name."""
    content = decode(read_bytes(file), file.source)
    found = headings(content)
    title = found[0].title if found else file.path.stem
    yield Document(content, file.source, title, headings=found, origin=str(file.origin))


def headings(content: str) -> tuple[Heading, ...]:
    """The headings of a Markdown text, in order; those inside quotes and lists are not sections and do not count."""
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])  # no inline parsing: only blocks are of use here
    front = _FRONT_MATTER.match(content)
    skipped = front.end() if front else 0
    starts = [skipped, *(match.end() for match in _LINE_END.finditer(content, skipped))]
    tokens = parser.parse(content[skipped:])
    return tuple(
        Heading(start=starts[token.map[0]], level=int(token.tag[1:]), title=following.content.strip())
        for token, following in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map and following.content.strip()
    )
