"""HTML: the text of a page as a reader sees it, without navigation, with its headings.

Blocks are set apart by blank lines, list items begin with "- ". The rows of a table are lines, their cells joined by
" | "; a cell whose column or row has a name reads ``name: value``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ctxsearch.errors import SourceError
from ctxsearch.readers.decoding import SNIFFED_BYTES, decode, read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading

_LEFT_OUT = frozenset(
    """
    script style template noscript nav footer aside form svg iframe object head button select dialog annotation
    """.split()
)
_BLOCKS = frozenset(
    """
    address article blockquote body dd div dl dt figcaption figure header hr main ol p pre section table ul caption
    h1 h2 h3 h4 h5 h6
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
_CELLS = frozenset(("td", "th"))
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACE = re.compile(r"\s+")
_META = {
    "author": "author",
    "dc.creator": "author",
    "date": "created",
    "dc.date": "created",
    "article:published_time": "created",
}
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_\-]{1,40})""", re.IGNORECASE)


def read(file: File) -> Iterator[Document]:
    """The page as one document. Its title is the ``<title>``, else the first heading, else the file's name.

    Raises:
        SourceError: the page has no text.
    """
    data = read_bytes(file)
    page = parse(decode(data, file.source, _declared_encoding(data)), file.source)
    if not page.text:
        raise SourceError(file.source, "the page has no text")
    heading = page.headings[0].title if page.headings else ""
    yield Document(
        page.text,
        file.source,
        page.title or heading or file.path.stem,
        page.metadata,
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


class _Header(NamedTuple):
    """The row that names a table's columns."""

    row: int
    """The id of its node; -1 if there is none."""
    names: tuple[str, ...]


def _header_of(table: LexborNode) -> _Header:
    """The first row of a table if all its cells are ``<th>``, each is over one column, and rows follow."""
    rows: list[LexborNode] = []
    pending = [table]
    while pending and len(rows) < 2:
        node = pending.pop()
        if node.tag == "tr":
            rows.append(node)
            continue
        if node is table or node.tag in ("thead", "tbody"):
            pending.extend(reversed(list(node.iter())))
    cells = [cell for cell in rows[0].iter() if cell.tag in _CELLS] if len(rows) == 2 else []
    names = tuple(_SPACE.sub(" ", cell.text()).strip().rstrip(":") for cell in cells)
    spanning = any({"colspan", "rowspan"} & cell.attributes.keys() for cell in cells)
    if len(cells) < 2 or spanning or not all(cell.tag == "th" for cell in cells) or not any(names):
        return _Header(-1, ())
    return _Header(rows[0].mem_id, names)


def _is_beside_the_page(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element says of itself that it is hidden, or navigation and the like."""
    if not attributes:
        return False
    if "hidden" in attributes or attributes.get("role") in _LEFT_OUT_ROLES:
        return True
    return not _LEFT_OUT_CLASSES.isdisjoint((attributes.get("class") or "").split())


class _Text:
    """Text put together while a tree is walked; white space is settled when the next word comes."""

    def __init__(self, left_out: frozenset[str] = _LEFT_OUT) -> None:
        self.headings: list[Heading] = []
        self._left_out = left_out
        self._tables: list[_Header] = []
        self._label = ""  # the name of the cell that was entered, its first word not yet put
        self._row_is_named = False
        self._page_heads = 0  # how many <header> deep
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
            if tag in self._left_out or tag.startswith("-") or _is_beside_the_page(node.attributes):
                continue
            if tag in ("ul", "ol") and self._page_heads:
                continue  # what a page's head lists is menus
            if tag == "table":
                self._tables.append(_header_of(node))
            elif tag == "tr" and self._tables and self._tables[-1].row == node.mem_id:
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
        elif tag == "tr":
            self._column = 0
            self._row_is_named = False
        elif tag in _CELLS:
            names = self._tables[-1].names if self._tables else ()
            if self._column:
                is_named = self._row_is_named and self._column == 1 and tag == "td"
                named_itself = bool(self._parts) and self._parts[-1].endswith(":")
                self._gap = " " if named_itself else ": " if is_named else " | "
            self._row_is_named = tag == "th" and not names and not self._column
            self._label = names[self._column] if self._column < len(names) else ""
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
            self._label = ""
            self._widen(" ")
        elif tag == "table" and self._tables:
            self._tables.pop()
        elif tag == "header":
            self._page_heads -= 1
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
        if self._label:
            text, self._label = f"{self._label}: {text}", ""
        if self._parts and self._gap:
            self._parts.append(self._gap)
            self._length += len(self._gap)
        self._gap = ""
        self._bulleted = False
        if self._level and self._heading is None:
            self._heading = (self._length, len(self._parts))
        self._parts.append(text)
        self._length += len(text)
