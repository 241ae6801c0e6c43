"""HTML: the text of a page as a reader sees it, without navigation, with its headings.

Blocks are set apart by blank lines, list items begin with "- ". The rows of a table are lines; see `grid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ctxsearch.errors import SourceError
from ctxsearch.readers import htmltables
from ctxsearch.readers.charsets import codec_of
from ctxsearch.readers.composing import one_line
from ctxsearch.readers.decoding import SNIFFED_BYTES, Decoded, decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading

_LEFT_OUT = frozenset(
    """
    script style template noscript nav footer aside form svg iframe object head button select dialog annotation
    """.split()
)
_BLOCKS = frozenset(
    """
    address article blockquote body dd div dl dt figcaption figure header hr main ol p pre section table td th ul
    caption h1 h2 h3 h4 h5 h6
    """.split()
)
_LEFT_OUT_ROLES = frozenset(
    "navigation banner contentinfo search complementary dialog alertdialog menu toolbar".split()
)
_LEFT_OUT_CLASSES = frozenset(
    """
    navbox navbar breadcrumb breadcrumbs pagination mw-editsection mw-jump-link noprint cookie-banner cookie-notice
    skip-link
    """.split()
)
_LINES = frozenset(("li", "tr", "br"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACE = re.compile(r"\s+")
_META = {
    "author": "author",
    "dc.creator": "author",
    "date": "created",
    "dc.date": "created",
    "article:published_time": "created",
}
_XML_DECLARATION = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_.:\-]{1,40})["']""")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:\-]{1,40})""", re.IGNORECASE)


def read(file: File) -> Iterator[Document]:
    """The page as one document. Its title is the ``<title>``, else the first heading, else the file's name.

    Raises:
        SourceError: the page has no text.
    """
    markup = decoded(read_bytes(file), file.source)
    page = parse(markup.text, file.source)
    if not page.text:
        raise SourceError(file.source, "the page has no text")
    heading = page.headings[0].title if page.headings else ""
    yield Document(
        page.text,
        file.source,
        page.title or heading or file.path.stem,
        page.metadata | markup.metadata,
        page.headings,
        str(file.origin),
    )


class Html(NamedTuple):
    """What an HTML text says."""

    text: str
    headings: tuple[Heading, ...]
    title: str
    """That of its ``<title>``; "" without one."""
    metadata: dict[str, str]
    """Author, dates and language, where it states them."""


MOST_NESTED = 100_000
"""The time that lexbor takes grows with the square of the depth to which tags are nested; for so many, some seconds."""

MAX_NESTED_TABLES = 10
"""Tables in tables deeper than this are taken for the layout of a page."""

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NOT_NESTED = frozenset(
    "p li dt dd tr td th thead tbody tfoot option optgroup html head body area base br col embed hr img input link "
    "meta param source track wbr".split()
)
"""Tags that may be left open without anything being nested in them."""


def parse(markup: str, source: str) -> Html:
    """Read an HTML text: a page, a chapter, the body of a mail.

    Raises:
        SourceError: its tags are nested too deeply.
    """
    if _is_nested_too_deeply(markup):
        raise SourceError(source, f"its tags are nested more than {MOST_NESTED:,} deep")
    tree = LexborHTMLParser(markup)
    main = _main(tree)
    text = _Text()
    if main is not None:
        text.walk(main)
        if not text.headings and not text.finish():
            text = _Text(_LEFT_OUT - {"form"})  # there are frameworks that put a whole page into a form
            text.walk(main)
    title = tree.css_first("title")
    return Html(
        text.finish(),
        tuple(text.headings),
        _SPACE.sub(" ", title.text()).strip() if title else "",
        _metadata(tree),
    )


def _is_nested_too_deeply(markup: str) -> bool:
    """Whether more tags are open at one place than lexbor should be given."""
    if markup.count("<") <= MOST_NESTED:
        return False
    depth = 0
    for tag in _TAG.finditer(markup):
        if tag[2].lower() not in _NOT_NESTED:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            if depth > MOST_NESTED:
                return True
    return False


def _main(tree: LexborHTMLParser) -> LexborNode | None:
    """The part of a page that is the page: ``<main>`` or what plays its role, else the body."""
    for selector in ("main", "[role=main]"):
        found = tree.css(selector)
        if len(found) == 1 and found[0].text(strip=True):
            return found[0]
    return tree.body


def _metadata(tree: LexborHTMLParser) -> dict[str, str]:
    stated: dict[str, str] = {}
    root = tree.css_first("html")
    if root is not None and (language := root.attributes.get("lang") or root.attributes.get("xml:lang")):
        stated["language"] = language
    for node in tree.css("meta"):
        name = (node.attributes.get("name") or node.attributes.get("property") or "").lower()
        content = _SPACE.sub(" ", node.attributes.get("content") or "").strip()
        if content and (key := _META.get(name)):
            stated.setdefault(key, content)
    return stated


def decoded(data: bytes, source: str, charset: str | None = None) -> Decoded:
    """The markup of a page: in the encoding that its mark, its bytes, or a declaration says.

    Args:
        data: its bytes.
        source: how a message names it.
        charset: what the mail or archive that holds the page calls its encoding.

    Raises:
        SourceError: it is not text.
    """
    if charset:
        return decode(data, source, charset)
    head = data[:SNIFFED_BYTES]
    match = _XML_DECLARATION.match(head) or _CHARSET.search(head)
    declared = match[1].decode("ascii") if match else None
    if (codec_of(declared) or "").startswith(("utf-16", "utf-32")) and b"\0" not in head:
        declared = None  # a page whose declaration can be read byte by byte is not what it says
    return decode(data, source, declared)


def _is_beside_the_page(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element says of itself that it is hidden, or navigation and the like."""
    if not attributes:
        return False
    if "hidden" in attributes or attributes.get("role") in _LEFT_OUT_ROLES:
        return True
    return not _LEFT_OUT_CLASSES.isdisjoint((attributes.get("class") or "").split())


class _Text:
    """Text put together while a tree is walked; white space is settled when the next word comes."""

    def __init__(self, left_out: frozenset[str] = _LEFT_OUT, in_tables: int = 0) -> None:
        self.headings: list[Heading] = []
        self._left_out = left_out
        self._in_tables = in_tables  # how many tables of data deep
        self._page_heads = 0  # how many <header> deep
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""
        self._bulleted = False  # the dash of a list item was put, its first word not yet
        self._level = 0  # of the heading that is open
        self._heading: tuple[int, int] | None = None  # its offset and the index of its first part, once it has one
        self._preformatted = 0

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
            if tag in self._left_out or tag.startswith("-") or _is_beside_the_page(node.attributes):
                continue
            if tag in ("ul", "ol") and self._page_heads:
                continue  # what a page's head lists is menus
            if tag == "table" and self._in_tables < MAX_NESTED_TABLES and htmltables.is_data(node):
                self._add_table(node)
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
        if tag == "header":
            self._page_heads += 1
        elif tag == "li":
            self._put("- ")
            self._bulleted = True
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
        elif tag == "header":
            self._page_heads -= 1
        if tag in _BLOCKS:
            self._widen("\n\n")
        elif tag in _LINES:
            self._bulleted = False
            self._widen("\n")

    def _add_table(self, table: LexborNode) -> None:
        """A table of data; one in the cell of another stands in that cell's line."""
        for caption in htmltables.captions(table):
            self._widen("\n\n")
            if words := self._text_of(caption):
                self._put(words)
        grid = htmltables.grid_of(table, self._text_of, self._is_shown)
        lines = grid.lines(guess=False)
        self._widen("\n\n")
        if lines:
            self._put(("; " if self._in_tables else "\n").join(lines))
        self._widen("\n\n")

    def _text_of(self, cell: LexborNode) -> str:
        text = _Text(self._left_out, self._in_tables + 1)
        text.walk(cell)
        return one_line(text.finish())

    def _is_shown(self, node: LexborNode) -> bool:
        return not _is_beside_the_page(node.attributes)

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
        """Ask for at least this much white space before the next word."""
        if self._bulleted:
            return
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
