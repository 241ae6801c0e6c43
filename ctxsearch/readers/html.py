"""HTML: the text of a page as a reader sees it, without navigation, with its headings.

Blocks are set apart by blank lines, list items begin with "- ", the cells of a table row are joined by " | ".
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ctxsearch.errors import SourceError
from ctxsearch.readers.decoding import SNIFFED_BYTES, decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading

_LEFT_OUT = frozenset(
    """
    script style template noscript nav footer aside form svg math iframe object head button select dialog
    """.split()
)
_BLOCKS = frozenset(
    """
    address article blockquote body dd div dl dt figcaption figure header hr main ol p pre section table ul caption
    h1 h2 h3 h4 h5 h6
    """.split()
)
_LINES = frozenset(("li", "tr", "br"))
_CELLS = frozenset(("td", "th"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACE = re.compile(r"\s+")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_\-]{1,40})""", re.IGNORECASE)


def read(file: File) -> Iterator[Document]:
    """The page as one document. Its title is the ``<title>``, else the first heading, else the file's name.

    Raises:
        SourceError: the page has no text.
    """
    data = read_bytes(file)
    tree = LexborHTMLParser(decode(data, file.source, _declared_encoding(data)))
    main = tree.css_first("main") or tree.body
    text = _Text()
    if main is not None:
        text.walk(main)
    content = text.finish()
    if not content:
        raise SourceError(file.source, "the page has no text")
    heading = text.headings[0].title if text.headings else ""
    title_node = tree.css_first("title")
    title = _SPACE.sub(" ", title_node.text()).strip() if title_node else ""
    yield Document(
        content, file.source, title or heading or file.path.stem, headings=tuple(text.headings), origin=str(file.origin)
    )


def _declared_encoding(data: bytes) -> str | None:
    match = _CHARSET.search(data, 0, SNIFFED_BYTES)
    if not match:
        return None
    try:
        name = codecs.lookup(match[1].decode("ascii")).name
    except LookupError:
        return None
    if not _is_text_codec(name) or name.startswith(("utf-16", "utf-32")):
        return "utf-8"  # a page whose <meta> can be read byte by byte is not what it says
    return "cp1252" if name in ("iso8859-1", "ascii") else name  # as browsers do, by the WHATWG Encoding standard


def _is_text_codec(name: str) -> bool:
    """Whether a codec decodes text; Python has others, such as hex."""
    try:
        return b"abc".decode(name) == "abc"
    except (LookupError, ValueError, TypeError):
        return False


class _Text:
    """Text put together while a tree is walked; white space is settled when the next word comes."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""
        self._bulleted = False  # the dash of a list item was put, its first word not yet
        self._level = 0  # of the heading that is open
        self._heading: tuple[int, int] | None = None  # its offset and the index of its first part, once it has one
        self._preformatted = 0
        self._cells = 0  # how many cells deep
        self._column = 0

    def walk(self, root: LexborNode) -> None:
        """Add the text below a node. A loop, not a recursion: pages nest as deep as they like."""
        stack: list[tuple[LexborNode, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            tag = node.tag or ""
            if leaving:
                self._leave(tag)
                continue
            if tag == "-text":
                self._add(node.text_content or "")
                continue
            if tag in _LEFT_OUT or tag.startswith("-") or "hidden" in node.attributes:
                continue
            self._enter(tag)
            stack.append((node, True))
            children = []
            child = node.child
            while child is not None:
                children.append((child, False))
                child = child.next
            stack.extend(reversed(children))

    def finish(self) -> str:
        """All text so far."""
        return "".join(self._parts)

    def _enter(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._widen("\n\n")
        elif tag in _LINES:
            self._widen("\n")
        if tag == "li":
            self._put("- ")
            self._bulleted = True
        elif tag == "tr":
            self._column = 0
        elif tag in _CELLS:
            if self._column:
                self._gap = " | "
            self._column += 1
            self._cells += 1
        elif tag == "pre":
            self._preformatted += 1
        if level := _HEADINGS.get(tag):
            self._level, self._heading = level, None

    def _leave(self, tag: str) -> None:
        if tag in _HEADINGS and self._level:
            if self._heading:
                start, first = self._heading
                self.headings.append(Heading(start, self._level, "".join(self._parts[first:]).strip()))
            self._level, self._heading = 0, None
        elif tag == "pre":
            self._preformatted -= 1
            self._gap = ""  # line ends inside, not asked for from outside
        elif tag in _CELLS:
            self._cells -= 1
            self._widen(" ")
        if tag in _BLOCKS:
            self._widen("\n\n")
        elif tag in _LINES:
            self._bulleted = False
            self._widen("\n")

    def _add(self, text: str) -> None:
        if self._preformatted:
            self._add_preformatted(text)
            return
        if text[:1].isspace():
            self._widen(" ")
        if words := _SPACE.sub(" ", text).strip():
            self._put(words)
            if text[-1:].isspace():
                self._widen(" ")

    def _add_preformatted(self, text: str) -> None:
        words = text.strip()
        if not words:
            self._gap += "" if self._gap == "\n\n" else text
            return
        before = text[: len(text) - len(text.lstrip())]
        if self._gap == "\n\n":  # the block begins here: its indentation counts, its empty lines do not
            words = before.rpartition("\n")[2] + words
        else:
            self._gap += before
        self._put(words)
        self._gap = text[len(text.rstrip()) :]

    def _widen(self, gap: str) -> None:
        """Ask for at least this much white space before the next word; a cell stays on its line."""
        if self._bulleted:
            return
        if self._cells:
            gap = " "
        if gap.count("\n") > self._gap.count("\n") or not self._gap:
            self._gap = gap

    def _put(self, text: str) -> None:
        if self._parts and self._gap:
            self._parts.append(self._gap)
            self._length += len(self._gap)
        self._gap = ""
        self._bulleted = False
        if self._level and self._heading is None:
            self._heading = (self._length, len(self._parts))
        self._parts.append(text)
        self._length += len(text)
