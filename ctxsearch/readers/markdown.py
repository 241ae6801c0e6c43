"""Markdown: the document's text is the file's, letter for letter, with its headings found by a CommonMark parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from markdown_it import MarkdownIt

from ctxsearch.readers import frontmatter
from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading

_LINE_END = re.compile(r"\r\n|\r|\n")


def read(file: File) -> Iterator[Document]:
    """The file as one document. Its title is that of its front matter, else its first heading, else the file's name."""
    decoded = decode(read_bytes(file), file.source)
    content = decoded.text
    metadata, start = frontmatter.split(content)
    found = headings(content, start)
    named = metadata.pop("title", None)
    title = named if isinstance(named, str) and named.strip() else found[0].title if found else file.path.stem
    yield Document(content, file.source, title, metadata | decoded.metadata, found, str(file.origin))


def headings(content: str, skipped: int = 0) -> tuple[Heading, ...]:
    """The headings of a Markdown text, in order; those inside quotes and lists are not sections and do not count.

    Args:
        skipped: where the text begins, after its front matter, which CommonMark would take for a heading.
    """
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])  # no inline parsing: only blocks are of use here
    starts = [skipped, *(match.end() for match in _LINE_END.finditer(content, skipped))]
    tokens = parser.parse(content[skipped:])
    return tuple(
        Heading(start=starts[token.map[0]], level=int(token.tag[1:]), title=following.content.strip())
        for token, following in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0 and token.map and following.content.strip()
    )
