"""Word documents, read from their XML: paragraphs, headings, lists, tables, text boxes, equations, notes, comments.

Both kinds of OOXML (transitional and strict) are read, since only local names count. Deleted text of tracked changes is
left out. Word keeps no pages: they are made when it is printed, so a hit names the heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.ooxml import properties
from ctxsearch.readers.packages import Package, opened
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local, parse
from ctxsearch.records import Document

MAIN = "word/document.xml"
_LEFT_OUT = frozenset(("del", "moveFrom", "instrText", "pPr", "rPr", "Fallback", "fldData", "sdtPr"))
_HEADING_STYLE = re.compile(r"heading ?([1-9])", re.IGNORECASE)
_SPACES = re.compile(r" {2,}")
_NOTES = (("word/footnotes.xml", "footnote"), ("word/endnotes.xml", "endnote"), ("word/comments.xml", "comment"))


def read(file: File) -> Iterator[Document]:
    """The file as one document, notes and comments at its end.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    with opened(file) as package:
        main = MAIN if MAIN in package.names else _main_of(package)
        root = parse(package.read(main), file.source)
        reading = _Reading(_heading_levels(package, file.source))
        body = child(root, "body")
        reading.blocks(body if body is not None else root)
        for name, tag in _NOTES:
            if name in package.names:
                reading.notes(parse(package.read(name), file.source), tag)
        metadata = properties(package, file.source)
    title = str(metadata.pop("title", ""))
    yield reading.composer.document(file, title, metadata)


def _main_of(package: Package) -> str:
    """The main part of a document that does not keep it where all others do."""
    names = sorted(name for name in package.names if re.fullmatch(r"word/document\d*\.xml", name))
    return names[0] if names else MAIN


def _heading_levels(package: Package, source: str) -> dict[str, int]:
    """Outline level by style id: of styles called "heading n" or that state one, and of those based on them."""
    if "word/styles.xml" not in package.names:
        return {}
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    for style in descendants(parse(package.read("word/styles.xml"), source), "style"):
        identity = attribute(style, "styleId")
        name = child(style, "name")
        called = attribute(name, "val") if name is not None else ""
        base = child(style, "basedOn")
        outline = next((attribute(node, "val") for node in descendants(style, "outlineLvl")), "")
        if match := _HEADING_STYLE.fullmatch(called.strip()):
            levels[identity] = int(match[1])
        elif called.lower() == "title":
            levels[identity] = 1
        elif outline.isdigit() and int(outline) < 9:
            levels[identity] = int(outline) + 1
        elif base is not None:
            based[identity] = attribute(base, "val")
    for identity in based:
        above, steps = identity, 0
        while above in based and steps < 20:
            above, steps = based[above], steps + 1
        if above in levels:
            levels[identity] = levels[above]
    return levels


class _Reading:
    def __init__(self, levels: dict[str, int]) -> None:
        self.composer = Composer()
        self._levels = levels
        self._in_list = False

    def blocks(self, parent: Element) -> None:
        """Paragraphs and tables below a node, in order."""
        for node in parent:
            name = local(node.tag)
            if name == "p":
                self._paragraph(node)
            elif name == "tbl":
                self._in_list = False
                self._table(node)
            elif name not in _LEFT_OUT:
                self.blocks(node)

    def notes(self, root: Element, tag: str) -> None:
        """Footnotes, endnotes or comments, a line each."""
        for note in children(root, tag):
            text = one_line(" ".join(_text(paragraph) for paragraph in descendants(note, "p")))
            author = attribute(note, "author")
            if text:
                self.composer.block(f"Comment by {author}: {text}" if tag == "comment" and author else text)

    def _paragraph(self, node: Element) -> None:
        settings = child(node, "pPr")
        text = _text(node).strip()
        boxes = list(descendants(node, "txbxContent"))
        level = self._level(settings)
        is_item = settings is not None and child(settings, "numPr") is not None
        if text and level:
            self.composer.heading(text, level)
        elif text and is_item:
            (self.composer.line if self._in_list else self.composer.block)(f"- {text}")
        elif text:
            self.composer.block(text)
        if text:
            self._in_list = is_item and not level
        for box in _outermost(node, boxes):
            self.blocks(box)

    def _level(self, settings: Element | None) -> int:
        if settings is None:
            return 0
        outline, style = child(settings, "outlineLvl"), child(settings, "pStyle")
        if outline is not None and attribute(outline, "val").isdigit() and int(attribute(outline, "val")) < 9:
            return int(attribute(outline, "val")) + 1
        return self._levels.get(attribute(style, "val"), 0) if style is not None else 0

    def _table(self, table: Element) -> None:
        rows = []
        for row in _rows(table):
            cells: list[str] = []
            for cell in descendants_until(row, "tc", "tbl"):
                cells.append(_cell_text(cell))
                span = next((attribute(node, "val") for node in descendants(cell, "gridSpan")), "1")
                cells += [""] * (min(int(span), 100) - 1 if span.isdigit() else 0)
            rows.append(cells)
        self.composer.table(rows)


def _rows(table: Element) -> Iterator[Element]:
    return descendants_until(table, "tr", "tbl")


def descendants_until(node: Element, name: str, border: str) -> Iterator[Element]:
    """Descendants of that local name that are not below another of that name or below ``border``."""
    for inner in node:
        tag = local(inner.tag)
        if tag == name:
            yield inner
        elif tag != border and tag not in _LEFT_OUT:
            yield from descendants_until(inner, name, border)


def _cell_text(cell: Element) -> str:
    return one_line(" ".join(_text(paragraph) for paragraph in descendants(cell, "p")))


def _outermost(node: Element, boxes: list[Element]) -> list[Element]:
    """Text boxes once: Word keeps each in two spellings, and the older one stands in ``Fallback``."""
    if not boxes:
        return []
    fallback = {id(box) for old in descendants(node, "Fallback") for box in descendants(old, "txbxContent")}
    kept = [box for box in boxes if id(box) not in fallback] or boxes[:1]
    nested = {id(inner) for box in kept for inner in descendants(box, "txbxContent") if inner is not box}
    return [box for box in kept if id(box) not in nested]


def _text(paragraph: Element) -> str:
    """The text of a paragraph without that of boxes in it."""
    parts: list[str] = []
    pending = list(reversed(paragraph))
    while pending:
        node = pending.pop()
        name = local(node.tag)
        if name == "t":
            parts.append(node.text or "")
        elif name in ("tab", "ptab"):
            parts.append("\t")
        elif name in ("br", "cr"):
            parts.append("\n")
        elif name == "noBreakHyphen":
            parts.append("-")
        elif name == "sym":
            parts.append(" ")
        elif name == "oMath":
            parts.append(" ")
            pending.extend(reversed(node))
        elif name not in _LEFT_OUT and name != "txbxContent":
            pending.extend(reversed(node))
    return _SPACES.sub(" ", "".join(parts))
