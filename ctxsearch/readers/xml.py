"""XML of any kind: its text, with headings where elements are called so.

Nothing is known of the vocabulary. An element that mixes text with elements is a paragraph; one whose children hold
only plain text is a line, ``name: value | name: value``; ``title``, ``heading`` and their like are headings, nested as
their sections are. Tables of HTML and CALS are tables.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ctxsearch.errors import SourceError
from ctxsearch.readers import opendocument
from ctxsearch.readers.composing import Composer, is_east_asian, one_line
from ctxsearch.readers.decoding import decode, read_bytes
from ctxsearch.readers.grid import Grid
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, local, parse, text_of
from ctxsearch.records import Document

_HEADINGS = frozenset(
    ("title", "article-title", "heading", "head", "subtitle", "invention-title", "title-of-invention")
)
_ROWS = frozenset(("row", "tr"))
_CELLS = frozenset(("entry", "td", "th", "cell"))
_GROUPS = frozenset(("thead", "tbody", "tfoot", "tgroup"))
_TABLES = frozenset(("tgroup", "table"))
_DEEPEST = 6
_LONG_CHARACTERS = 200
_MARKUP = re.compile(r"<!--.*?-->|<\?.*?\?>|<![A-Za-z][^>]*>|<!\[CDATA\[|\]\]>", re.DOTALL)
_INLINE_TAG = re.compile(r"</?(?:a|b|i|u|s|em|strong|span|sup|sub|small|italic|bold|emph|code|tt|xref)(?:\s[^<>]*)?>")
_ANY_TAG = re.compile(r"</?[A-Za-z_:][^<>]{0,10000}>|<[A-Za-z_/][^<>]{0,10000}\Z")


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is not well-formed, or has no text.
    """
    data = read_bytes(file)
    try:
        root = parse(data, file.source)
    except SourceError:
        if b"<!ENTITY" in data or not (text := _without_tags(data, file.source)):
            raise
        yield text.document(file, metadata={"markup_errors": 1})
        return
    if local(root.tag) == "document" and "opendocument" in attribute(root, "mimetype"):
        yield opendocument.read_flat(file, root)
        return
    for ruby in [node for node in root.iter() if local(node.tag) == "ruby"]:
        _put_readings_last(ruby)
    composer = Composer()
    _put(composer, root, 1)
    if composer.is_empty():
        raise SourceError(file.source, "has no text: its elements have only attributes")
    title = next((one_line(text_of(node)) for node in root.iter() if local(node.tag) in _HEADINGS), "")
    language = attribute(root, "lang")
    yield composer.document(file, title[:200], {"language": language})


def _without_tags(data: bytes, source: str) -> Composer | None:
    """The text of a file that is not well-formed: cut off, or with a tag or a sign too many. None if it has none."""
    composer = Composer()
    text = _MARKUP.sub("\n", decode(data, source).text)
    for line in _ANY_TAG.sub("\n", _INLINE_TAG.sub("", text)).splitlines():
        composer.block(one_line(html.unescape(line)))
    return None if composer.is_empty() else composer


def _put(composer: Composer, node: Element, level: int) -> None:
    name = local(node.tag)
    if not name:
        return
    if name in _HEADINGS and len(title := one_line(text_of(node))) <= _LONG_CHARACTERS:
        stated = attribute(node, "level") or attribute(node, "lvl")
        depth = int(stated) if stated.isascii() and stated.isdigit() and 0 < int(stated) < 10 else level
        composer.heading(title, min(depth, _DEEPEST))
        return
    if name in _TABLES and any(local(inner.tag) in _ROWS for inner in node.iter()):
        _put_table(composer, node, level)
        return
    children = [inner for inner in node if local(inner.tag)]
    if not children or _is_mixed(node):
        composer.block(one_line(text_of(node)))
        return
    line: list[str] = []
    for inner in children:
        value = one_line(inner.text or "")
        if len(inner) == 0 and local(inner.tag) not in _HEADINGS and len(value) <= _LONG_CHARACTERS:
            if value:
                line.append(value if local(inner.tag) in ("p", "text") else f"{local(inner.tag)}: {value}")
            continue
        _end(composer, line)
        _put(composer, inner, level + (local(node.tag) in ("section", "sec", "sect", "chapter", "div")))
    _end(composer, line)


def _put_table(composer: Composer, table: Element, level: int) -> None:
    """A table of HTML or CALS: what stands around its rows, then the rows with their spans counted."""
    grid = Grid()
    columns: dict[str, int] = {}
    for node in _outside_of_rows(table):
        if local(node.tag) == "colspec":
            number = attribute(node, "colnum")
            columns[attribute(node, "colname")] = int(number) - 1 if _is_count(number) else len(columns)
        elif node.text or len(node):
            _put(composer, node, level)
    for group, row in _rows(table):
        grid.row(heading=group == "thead")
        for cell in row:
            if local(cell.tag) in _CELLS:
                first, last = columns.get(attribute(cell, "namest")), columns.get(attribute(cell, "nameend"))
                spanned = last - first + 1 if first is not None and last is not None else _count(cell, "colspan", 1)
                rows = _count(cell, "morerows", 0) + 1 if attribute(cell, "morerows") else _count(cell, "rowspan", 1)
                grid.cell(one_line(text_of(cell)), max(1, spanned), rows, heading=local(cell.tag) == "th")
    composer.table(grid)


def _rows(node: Element, group: str = "") -> Iterator[tuple[str, Element]]:
    """The rows of a table, not those of tables in its cells, each with the name of the group that it stands in."""
    for inner in node:
        name = local(inner.tag)
        if name in _ROWS:
            yield group, inner
        elif name not in _CELLS:
            yield from _rows(inner, name if name in ("thead", "tfoot") else group)


def _outside_of_rows(node: Element) -> Iterator[Element]:
    """The parts of a table that hold no row: titles, captions, notes, descriptions of columns."""
    for inner in node:
        name = local(inner.tag)
        if name in _GROUPS:
            yield from _outside_of_rows(inner)
        elif name not in _ROWS and name:
            yield inner


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdigit() and 0 < len(value) < 5


def _count(node: Element, name: str, default: int) -> int:
    value = attribute(node, name)
    return int(value) if _is_count(value) else default


def _put_readings_last(ruby: Element) -> None:
    """Let annotations not cut words: how characters are read is left out, words come after those they explain."""
    base = [ruby.text or ""]
    readings = []
    for node in ruby:
        if local(node.tag) in ("rt", "rtc"):
            readings.append(one_line(text_of(node)))
        elif local(node.tag) != "rp":
            base.append(text_of(node))
        base.append(node.tail or "")
    words = "".join(base)
    tail = ruby.tail
    ruby.clear()
    ruby.text = words if is_east_asian(words) else f"{words} ({' '.join(readings)})"
    ruby.tail = tail


def _end(composer: Composer, line: list[str]) -> None:
    composer.block(" | ".join(line))
    line.clear()


def _is_mixed(node: Element) -> bool:
    """Whether text stands between a node's children."""
    return bool((node.text or "").strip()) or any((inner.tail or "").strip() for inner in node)
