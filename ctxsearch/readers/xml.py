"""XML of any kind: its text, with headings where elements are called so.

Nothing is known of the vocabulary. An element that mixes text with elements is a paragraph; one whose children hold
only plain text is a line, ``name: value | name: value``; ``title``, ``heading`` and their like are headings, nested as
their sections are. Tables of HTML and CALS are tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ctxsearch.errors import SourceError
from ctxsearch.readers.composing import Composer, is_east_asian, one_line
from ctxsearch.readers.decoding import read_bytes
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, local, parse, text_of
from ctxsearch.records import Document

_HEADINGS = frozenset(("title", "heading", "head", "subtitle", "invention-title", "title-of-invention"))
_ROWS = frozenset(("row", "tr"))
_CELLS = frozenset(("entry", "td", "th", "cell"))
_TABLES = frozenset(("tgroup", "table"))
_DEEPEST = 6
_LONG_CHARACTERS = 200


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is not well-formed, or has no text.
    """
    root = parse(read_bytes(file), file.source)
    for ruby in [node for node in root.iter() if local(node.tag) == "ruby"]:
        _put_readings_last(ruby)
    composer = Composer()
    _put(composer, root, 1)
    if composer.is_empty():
        raise SourceError(file.source, "has no text: its elements have only attributes")
    title = next((one_line(text_of(node)) for node in root.iter() if local(node.tag) in _HEADINGS), "")
    language = attribute(root, "lang")
    yield composer.document(file, title[:200], {"language": language})


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
        rows = [inner for inner in node.iter() if local(inner.tag) in _ROWS]
        composer.table([[one_line(text_of(cell)) for cell in row if local(cell.tag) in _CELLS] for row in rows])
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
