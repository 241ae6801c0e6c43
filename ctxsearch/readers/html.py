"""HTML: the text of a page as a reader sees it, without navigation, with its headings.

Blocks are set apart by blank lines, list items begin with "- ". The rows of a table are lines; see `grid`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ctxsearch.errors import SourceError
from ctxsearch.readers import formulas, htmlcontent, htmltables, xhtml, xmltree
from ctxsearch.readers.charsets import codec_of
from ctxsearch.readers.composing import one_line
from ctxsearch.readers.decoding import SNIFFED_BYTES, Decoded, decode, read_bytes
from ctxsearch.readers.htmlcontent import Attributes, Rules
from ctxsearch.readers.numbering import formatted
from ctxsearch.readers.walk import File
from ctxsearch.records import Document, Heading

_BLOCKS = frozenset(
    """
    address article aside audio blockquote body canvas caption center dd details dialog dir div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend listing main menu nav noscript ol p pre
    search section select summary table td th ul video xmp
    """.split()
)
_APART = frozenset("area button iframe input label marquee meter mtd object output progress svg textarea".split())
"""Elements in a line that no word runs through."""
_LINES = frozenset("br li option tr mtr".split())
_PREFORMATTED = frozenset("listing pre xmp".split())
_SVG_TEXTS = frozenset("title desc text tspan textpath foreignobject".split())
_SHADOW_ROOT = re.compile(r"<template(?=\s[^<>]{0,400}?\bshadowroot(?:mode)?\s*=)", re.IGNORECASE)
MAX_FRAMES_DEEP = 3
"""Pages written inside of others, in ``<iframe srcdoc>``, are read to this depth."""
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
        raise SourceError(
            file.source,
            "the page only shows others in frames; ingest those"
            if _FRAME.search(markup.text)
            else "the page has no text of its own; perhaps scripts write it: save it from a browser",
        )
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
"""A page whose tags are nested deeper is refused."""

DEEPEST_PARSED = 5_000
"""Tags nested deeper are left out before lexbor sees them: its time grows with the square of the depth."""

MAX_NESTED_TABLES = 10
"""Tables in tables deeper than this are taken for the layout of a page."""

_FRAME = re.compile(r"<i?frame\s", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*>?")
_NOT_NESTED = frozenset(
    "p li dt dd tr td th thead tbody tfoot option optgroup html head body area base br col embed hr img input link "
    "meta param source track wbr script style textarea title iframe noembed noframes noscript xmp".split()
)
"""Tags that may be left open without anything being nested in them, and those that hold no tags."""


def parse(markup: str, source: str, *, whole: bool = False, depth: int = 0) -> Html:
    """Read an HTML text: a page, a chapter, the body of a mail.

    Args:
        markup: the text.
        source: how a message names it.
        whole: all of it is content, as of a chapter or a mail; else navigation, sidebars and the like are taken off.
        depth: how many pages deep it is written inside of others.

    Raises:
        SourceError: its tags are nested too deeply.
    """
    markup = _without_deepest_tags(markup, source)
    tree = LexborHTMLParser(_SHADOW_ROOT.sub("<shadow-root", xhtml.as_html(markup)))
    if tree.body is None and (without_frames := tree.css_first("noframes")) is not None:
        tree = LexborHTMLParser(without_frames.text())
    text = _text_of_page(tree, whole=whole, depth=depth)
    titles = (node for node in tree.css("title") if node.parent is None or node.parent.tag != "svg")
    title = next(titles, None)
    return Html(
        text.finish(),
        tuple(text.headings),
        one_line(title.text()) if title else "",
        _metadata(tree),
    )


MIN_MAIN_SHARE = 0.2
"""A ``<main>`` with a smaller share of a page's text is not what the page is about."""


def _text_of_page(tree: LexborHTMLParser, *, whole: bool, depth: int) -> _Text:
    """The text of the main part of a page; of all of it where that has hardly any."""
    body = tree.body
    if body is None:
        return _Text(Rules(tree, whole=whole))
    rules = Rules(tree, whole=whole, depth=depth)
    main, text = _main(tree), _Text(rules)
    text.walk(body)
    if main is not None:
        main_text = _Text(rules)
        main_text.walk(main)
        if main_text.length >= MIN_MAIN_SHARE * text.length:
            text = main_text
    if not text.length:
        text = _Text(Rules(tree, whole=True, menus=True, depth=depth))
        text.walk(body)
    return text


def _without_deepest_tags(markup: str, source: str) -> str:
    """The text without the tags that are nested too deeply for lexbor; what stands between them stays.

    Raises:
        SourceError: they are nested more than `MOST_NESTED` deep.
    """
    if markup.count("<") <= DEEPEST_PARSED:
        return markup
    kept: list[str] = []
    depth = end = 0
    for tag in _TAG.finditer(markup):
        if tag[2].lower() in _NOT_NESTED:
            continue
        depth += -1 if tag[1] else 1
        if depth > MOST_NESTED:
            raise SourceError(source, f"its tags are nested more than {MOST_NESTED:,} deep")
        if depth >= DEEPEST_PARSED + bool(not tag[1]):
            kept += markup[end : tag.start()], " "
            end = tag.end()
        depth = max(0, depth)
    return "".join(kept) + markup[end:]


def _main(tree: LexborHTMLParser) -> LexborNode | None:
    """The part of a page that is the page: ``<main>`` or what plays its role; None if it has none, or several."""
    for selector in ("main", "[role=main]"):
        found = tree.css(selector)
        if len(found) == 1:
            return found[0]
    return None


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


class _Text:
    """Text put together while a tree is walked; white space is settled when the next word comes."""

    def __init__(self, rules: Rules, in_tables: int = 0) -> None:
        self.headings: list[Heading] = []
        self.length = 0
        self._rules = rules
        self._in_tables = in_tables  # how many tables of data deep
        self._inside = in_tables  # how many elements deep that hold the main content
        self._scoped = 0  # how many elements deep whose header and footer are their own
        self._page_heads = 0  # how many <header> of the page deep
        self._pictures = 0  # how many <svg> deep
        self._parts: list[str] = []
        self._gap = ""
        self._lists: list[tuple[int, int, str]] = []  # of each list that is open: next number, step, form
        self._bulleted = False  # the dash of a list item was put, its first word not yet
        self._level = 0  # of the heading that is open
        self._heading: tuple[int, int] | None = None  # its offset and the index of its first part, once it has one
        self._preformatted = 0

    def walk(self, root: LexborNode) -> None:
        """Add the text below a node. A loop, not a recursion: pages nest as deep as they like."""
        self._inside += root.tag not in ("body", "td", "th") or self._rules.whole
        stack: list[tuple[LexborNode, Attributes | None]] = [(root, None)]  # with attributes: it is left
        while stack:
            node, entered = stack.pop()
            tag = node.tag or ""
            if entered is not None:
                self._leave(node, tag, entered)
                continue
            if tag == "-text":
                if not self._pictures or (node.parent is not None and node.parent.tag in _SVG_TEXTS):
                    self._add(node.text_content or "")
                continue
            if tag.startswith("-"):
                continue
            attributes = node.attributes
            if self._rules.is_left_out(node, tag, attributes, self._inside > 0, self._scoped > 0):
                continue
            if tag == "iframe":
                self._add_frame(attributes.get("srcdoc") or "")
                continue
            if tag == "math":
                self._add_formula(node, attributes)
                continue
            if words := htmlcontent.alternative(node, tag, attributes):
                self._add_alternative(words)
            if self._is_menu(tag) or (tag in ("rt", "rp", "rtc") and self._add_reading(node, tag)):
                continue
            if tag == "table" and self._in_tables < MAX_NESTED_TABLES and htmltables.is_data(node):
                self._add_table(node)
                continue
            self._enter(node, tag, attributes)
            stack.append((node, attributes))
            children: list[tuple[LexborNode, None]] = []
            child = node.child
            while child is not None:
                children.append((child, None))
                child = child.next
            stack.extend(reversed(children))

    def finish(self) -> str:
        """All text so far."""
        return "".join(self._parts)

    def _is_menu(self, tag: str) -> bool:
        """Whether an element is a list in the head of the page."""
        return tag in ("ul", "ol") and self._page_heads > 0 and not self._inside and not self._rules.whole

    def _enter(self, node: LexborNode, tag: str, attributes: Attributes) -> None:
        self._set_apart(node, tag, attributes, node.prev)
        if tag in htmlcontent.CONTENT:
            self._inside += 1
        elif tag in htmlcontent.SCOPES:
            self._scoped += 1
        elif tag == "header":
            self._page_heads += not self._scoped
        elif tag == "svg":
            self._pictures += 1
        if tag in htmlcontent.LISTS:
            self._lists.append(htmlcontent.numbers_of_list(node, tag, attributes))
        elif tag == "li":
            self._put(self._marker(attributes))
            self._bulleted = True
        elif tag == "sup" and self._parts and not self._gap and self._parts[-1][-1:].isdigit():
            if htmlcontent.is_exponent(node):  # ten to the sixth is not 106
                self._put("^")
        elif tag in _PREFORMATTED:
            self._preformatted += 1
        if level := self._level_of(tag, attributes):
            self._level, self._heading = level, None

    def _leave(self, node: LexborNode, tag: str, attributes: Attributes) -> None:
        if self._level and self._level_of(tag, attributes):
            if self._heading:
                start, first = self._heading
                self.headings.append(Heading(start, self._level, "".join(self._parts[first:]).strip()))
            self._level, self._heading = 0, None
        elif tag in _PREFORMATTED:
            self._preformatted -= 1
            self._gap = ""  # line ends inside, not asked for from outside
        elif tag in htmlcontent.LISTS:
            self._lists.pop()
        elif tag == "svg":
            self._pictures -= 1
        elif tag in htmlcontent.CONTENT:
            self._inside -= 1
        elif tag in htmlcontent.SCOPES:
            self._scoped -= 1
        elif tag == "header":
            self._page_heads -= not self._scoped
        if tag in _LINES:
            self._bulleted = False
        self._set_apart(node, tag, attributes, node.next)

    def _set_apart(self, node: LexborNode, tag: str, attributes: Attributes, neighbour: LexborNode | None) -> None:
        """Ask for the white space that stands between an element and its neighbour on one side."""
        if tag in _BLOCKS or htmlcontent.is_block(attributes):
            self._widen("\n\n")
        elif tag in _LINES:
            self._widen("\n")
        elif (gap := htmlcontent.APART_BY_ROLE.get(attributes.get("role") or "")) and not self._bulleted:
            self._widen(gap)
        elif (
            tag in _APART
            or (self._pictures and tag in _SVG_TEXTS)
            or (tag == "sup" and htmlcontent.is_mark_of_note(node))
            or (tag == "a" and htmlcontent.refers_to_note(attributes))
            or htmlcontent.is_for_screen_readers(attributes)
            or (("-" in tag or tag in ("a", "time")) and htmlcontent.stands_beside_another(tag, neighbour))
        ):
            self._widen(" ")

    @staticmethod
    def _level_of(tag: str, attributes: Attributes) -> int:
        """The level of a heading, by its tag or its role; 0 for what is none."""
        if attributes and attributes.get("role") == "heading":
            return min(6, max(1, htmlcontent.integer(attributes.get("aria-level"), 2)))
        return _HEADINGS.get(tag, 0)

    def _marker(self, attributes: Attributes) -> str:
        """What stands before an item of a list: its number, or a dash."""
        if not self._lists:
            return "- "
        number, step, form = self._lists[-1]
        number = htmlcontent.integer(attributes.get("value"), number)
        self._lists[-1] = number + step, step, form
        return f"{formatted(number, form)}. " if form else "- "

    def _add_frame(self, markup: str) -> None:
        """A page that is written inside of this one."""
        if markup and self._rules.depth < MAX_FRAMES_DEEP:
            inner = parse(markup, "", whole=True, depth=self._rules.depth + 1)
            self._widen("\n\n")
            if inner.text:
                self._put(inner.text)
                start = self.length - len(inner.text)
                self.headings += [replace(heading, start=start + heading.start) for heading in inner.headings]
            self._widen("\n\n")

    def _add_formula(self, node: LexborNode, attributes: Attributes) -> None:
        try:
            words = formulas.of_mathml(xmltree.parse((node.html or "").encode(), ""))
        except SourceError:
            words = one_line(node.text())
        self._gap = self._gap or (" " if attributes.get("display") == "block" else "")
        if words := words.strip() or one_line(attributes.get("alttext") or ""):
            self._put(words)

    def _add_alternative(self, words: str) -> None:
        """Words for a picture. A sign, as an emoji is, may be a part of a word."""
        if self._parts and self._parts[-1] == words:
            return
        is_sign = not any(map(str.isalnum, words))
        if not is_sign:
            self._widen(" ")
        self._put(words)
        if not is_sign:
            self._widen(" ")

    def _add_reading(self, node: LexborNode, tag: str) -> bool:
        """Whether an element is the annotation of a ruby: how its characters are read, or words that come after it."""
        ruby = node.parent
        while ruby is not None and ruby.tag in ("rtc", "rb"):
            ruby = ruby.parent
        if ruby is None or ruby.tag != "ruby":
            return False
        words = one_line(node.text())
        if tag != "rp" and words and not htmlcontent.ruby_is_pronunciation(ruby):
            self._widen(" ")
            self._put(f"({words})")
        return True

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
        text = _Text(self._rules, self._in_tables + 1)
        text.walk(cell)
        return one_line(text.finish())

    def _is_shown(self, node: LexborNode) -> bool:
        return not self._rules.is_left_out(node, node.tag or "", node.attributes, True, True)

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
            self.length += len(self._gap)
        self._gap = ""
        self._bulleted = False
        if self._level and self._heading is None:
            self._heading = (self.length, len(self._parts))
        self._parts.append(text)
        self.length += len(text)
