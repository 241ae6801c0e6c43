"""OpenDocument texts and presentations, read from their XML: headings, paragraphs, lists, tables, notes.

A page is a slide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.packages import Package, opened
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local, parse
from ctxsearch.records import Document

_LEFT_OUT = frozenset(
    "tracked-changes sequence-decls forms annotation-end bookmark settings user-field-decls variable-decls".split()
)
_PROPERTIES = {
    "title": "title",
    "initial-creator": "author",
    "creator": "author",
    "creation-date": "created",
    "language": "language",
    "subject": "subject",
}
MOST_REPEATED = 100
"""Columns and spaces that stand for several are taken for no more than this."""


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    composer = Composer()
    with opened(file) as package:
        root = parse(package.read("content.xml"), file.source)
        metadata = _properties(package, file.source)
    body = next(descendants(root, "body"), root)
    for office in body:
        slides = list(children(office, "page"))
        for number, slide in enumerate(slides, start=1):
            composer.page(number)
            _put_slide(composer, slide)
        if not slides:
            _put(composer, office)
    title = str(metadata.pop("title", ""))
    yield composer.document(file, title, metadata)


def _properties(package: Package, source: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "meta.xml" in package.names:
        for node in parse(package.read("meta.xml"), source).iter():
            key, value = _PROPERTIES.get(local(node.tag)), (node.text or "").strip()
            if key and value:
                found.setdefault(key, value)
    return found


def _put_slide(composer: Composer, slide: Element) -> None:
    """A slide: its title first."""
    frames = list(slide)
    for frame in frames:
        if attribute(frame, "class") == "title":
            composer.heading(" ".join(filter(None, map(_text, descendants(frame, "p")))), 1)
    for frame in frames:
        if local(frame.tag) == "notes":
            notes = [_text(node) for node in descendants(frame, "p")]
            composer.block("Notes: " + "\n".join(notes) if any(notes) else "")
        elif attribute(frame, "class") != "title":
            _put(composer, frame)


def _put(composer: Composer, parent: Element) -> None:
    for node in parent:
        name = local(node.tag)
        if name == "h":
            level = attribute(node, "outline-level")
            composer.heading(_text(node), int(level) if level.isascii() and level.isdigit() and len(level) < 3 else 1)
        elif name == "p":
            composer.block(_text(node))
            for box in descendants(node, "text-box"):
                _put(composer, box)
        elif name == "list":
            composer.block("\n".join(_items(node)))
        elif name == "table":
            _put_table(composer, node)
        elif name not in _LEFT_OUT:
            _put(composer, node)


def _items(parent: Element) -> Iterator[str]:
    for item in parent:
        for node in item:
            if local(node.tag) == "list":
                yield from _items(node)
            elif text := _text(node):
                yield f"- {text}"


def _put_table(composer: Composer, table: Element) -> None:
    rows = []
    for row in descendants(table, "table-row"):
        cells: list[str] = []
        for cell in row:
            if local(cell.tag) in ("table-cell", "covered-table-cell"):
                times = attribute(cell, "number-columns-repeated")
                text = one_line(" ".join(map(_text, descendants(cell, "p"))))
                cells += [text] * (min(int(times), MOST_REPEATED) if times.isascii() and times.isdigit() else 1)
        rows.append(cells)
    composer.table(rows)


def _text(paragraph: Element) -> str:
    """The text of a paragraph without that of boxes in it; a note stands where it is referred to."""
    parts = [paragraph.text or ""]
    for node in paragraph:
        name = local(node.tag)
        if name == "s":
            count = attribute(node, "c")
            parts.append(" " * (min(int(count), MOST_REPEATED) if count.isascii() and count.isdigit() else 1))
        elif name == "tab":
            parts.append("\t")
        elif name == "line-break":
            parts.append("\n")
        elif name == "note":
            body = child(node, "note-body")
            inner = " ".join(map(_text, descendants(body, "p"))) if body is not None else ""
            parts.append(f" ({inner})" if inner else "")
        elif name == "annotation":
            parts.append(f" ({' '.join(map(_text, children(node, 'p')))})")
        elif name not in _LEFT_OUT and name not in ("text-box", "object"):
            parts.append(_text(node))
        parts.append(node.tail or "")
    return "".join(parts).strip() if local(paragraph.tag) in ("p", "h") else "".join(parts)
