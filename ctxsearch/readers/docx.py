"""Word documents, read from their XML: paragraphs with their numbers, tables, text boxes, fields, headers, notes.

    numbering.py  the number that stands before a paragraph
    charts.py     charts and diagrams
    wordtext.py   what a paragraph shows: fields, symbols, form controls

Both kinds of OOXML (transitional and strict) are read, since only local names count. Deleted text of tracked changes is
left out. Headers come first and footers last, each once. Word keeps no pages: they are made when it is printed, so a
hit names the heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ctxsearch.errors import SourceError
from ctxsearch.readers import charts, chunks
from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.grid import Grid
from ctxsearch.readers.numbering import BULLET, Numbering
from ctxsearch.readers.ooxml import properties, related
from ctxsearch.readers.packages import Package, opened
from ctxsearch.readers.walk import File
from ctxsearch.readers.wordtext import LEFT_OUT, Found, ParagraphReader, is_on
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local, parse
from ctxsearch.records import Document

MAIN = "word/document.xml"
_HEADING_STYLE = re.compile(r"heading ?([1-9])", re.IGNORECASE)
_NOTES = (("footnotes", "footnote"), ("endnotes", "endnote"), ("comments", "comment"))
_MAX_SPAN = 1000
_FEW_WORDS = 2
"""A line of a header that has a page number and no more words than this is a page number."""


def read(file: File) -> Iterator[Document]:
    """The file as one document, notes and comments at its end.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    with opened(file) as package:
        composer = Composer()
        put_package(composer, package, file.source)
        metadata = properties(package, file.source)
    title = str(metadata.pop("title", ""))
    yield composer.document(file, title, metadata)


def put_package(composer: Composer, package: Package, source: str, depth: int = 0) -> None:
    """All text of a Word document.

    Args:
        composer: what it is added to.
        package: the document.
        source: how a message names it.
        depth: how many documents deep it stands.

    Raises:
        SourceError: it is damaged or encrypted.
    """
    main = MAIN if MAIN in package.names else _main_of(package)
    root = parse(package.read(main), source)
    relations = related(package, main, source)
    styles = _part(package, "styles", relations, source)
    numbering = _part(package, "numbering", relations, source)
    reading = _Reading(composer, package, source, relations, _heading_levels(styles), Numbering(numbering, styles))
    reading.depth = depth
    sides = _headers_and_footers(root, package, source, relations)
    for side in sides["headerReference"]:
        reading.header(side)
    body = child(root, "body")
    reading.blocks(body if body is not None else root)
    for side in sides["footerReference"]:
        reading.header(side)
    for kind, tag in _NOTES:
        notes = _part(package, kind, relations, source)
        if notes is not None:
            reading.notes(notes, tag)


def _main_of(package: Package) -> str:
    """The main part of a document that does not keep it where all others do."""
    names = sorted(name for name in package.names if re.fullmatch(r"word/document\d*\.xml", name))
    return names[0] if names else MAIN


def _part(package: Package, kind: str, relations: dict[str, tuple[str, str]], source: str) -> Element | None:
    """The root of a part that there is one of: by relation, else by its usual name."""
    name = next((target for its_kind, target in relations.values() if its_kind == kind), f"word/{kind}.xml")
    name = name if name in package.names else f"word/{kind}.xml"
    return parse(package.read(name), source) if name in package.names else None


def _headers_and_footers(
    root: Element, package: Package, source: str, relations: dict[str, tuple[str, str]]
) -> dict[str, list[Element]]:
    """The headers and the footers that sections show, each part once."""
    names: dict[str, list[str]] = {"headerReference": [], "footerReference": []}
    for section in descendants(root, "sectPr"):
        for node in section:
            _, target = relations.get(attribute(node, "id"), ("", ""))
            if local(node.tag) in names and target in package.names and target not in names[local(node.tag)]:
                names[local(node.tag)].append(target)
    return {kind: [parse(package.read(name), source) for name in targets] for kind, targets in names.items()}


def _heading_levels(styles: Element | None) -> dict[str, int]:
    """Outline level by style id: of styles called "heading n" or that state one, and of those based on them."""
    if styles is None:
        return {}
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    for style in descendants(styles, "style"):
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
    def __init__(
        self,
        composer: Composer,
        package: Package,
        source: str,
        relations: dict[str, tuple[str, str]],
        levels: dict[str, int],
        numbering: Numbering,
    ) -> None:
        self.depth = 0
        self._composer = composer
        self._package = package
        self._source = source
        self._relations = relations
        self._levels = levels
        self._numbering = numbering
        self._text = ParagraphReader()
        self._in_list = False
        self._initial = ""
        """A letter that is set large at the left of the next paragraph."""
        self._seen: set[str] = set()
        """Lines of headers and footers that were put: sections repeat them."""

    def blocks(self, parent: Element) -> None:
        """Paragraphs and tables below a node, in order."""
        for node in parent:
            name = local(node.tag)
            if name == "p":
                self._paragraph(node)
            elif name == "tbl":
                self._in_list = False
                self._table(node)
            elif name == "altChunk":
                self._in_list = False
                self._chunk(node)
            elif name not in LEFT_OUT:
                self.blocks(node)

    def header(self, root: Element) -> None:
        """A header or a footer: what others said before is left out, and so are page numbers."""
        composer, self._composer = self._composer, Composer()
        self._text.in_header = True
        self.blocks(root)
        self._text.in_header = self._in_list = False
        lines, self._composer = self._composer.text().splitlines(), composer
        marks = [attribute(node, "string") for node in descendants(root, "textpath")]
        new = [line for line in dict.fromkeys([*marks, *lines]) if line.strip() and line not in self._seen]
        self._seen.update(new)
        composer.block("\n".join(line for line in new if not self._text.is_page_number(line, _FEW_WORDS)))

    def notes(self, root: Element, tag: str) -> None:
        """Footnotes, endnotes or comments, a block each."""
        for note in children(root, tag):
            text = one_line(" ".join(self._lines(note)))
            author = attribute(note, "author")
            if text:
                self._composer.block(f"Comment by {author}: {text}" if tag == "comment" and author else text)

    def _paragraph(self, node: Element) -> None:
        found = self._text.read(node)
        settings = child(node, "pPr")
        frame = child(settings, "framePr") if settings is not None else None
        if frame is not None and attribute(frame, "dropCap") in ("drop", "margin") and len(found.text.strip()) < 4:
            self._initial += found.text.strip()
            return
        if self._initial and found.text.strip():
            found.text, self._initial = self._initial + found.text, ""
        text, label, level = self._shown(node, found)
        if text and level:
            self._composer.heading(text, level)
        elif text and label is not None:
            (self._composer.line if self._in_list else self._composer.block)(text)
        elif text:
            self._composer.block(text)
        if text:
            self._in_list = label is not None and not level
        for box in found.boxes:
            self._in_list = False
            self.blocks(box)
        for drawing in found.drawings:
            self._drawing(drawing)

    def _shown(self, node: Element, found: Found) -> tuple[str, str | None, int]:
        """A paragraph's text with its number, that number or None, and its level as a heading."""
        settings = child(node, "pPr")
        style = child(settings, "pStyle") if settings is not None else None
        style_id = attribute(style, "val") if style is not None else ""
        text = found.text.strip()
        if not text and settings is not None and any(local(mark.tag) == "del" for mark in settings.iter()):
            return "", None, 0  # a paragraph that was deleted is not counted
        label = self._numbering.label(settings, style_id)
        level = self._level(settings, style_id)
        shown = label if label != BULLET or not level else ""
        return (f"{shown} {text}" if shown and text else text), label, level

    def _level(self, settings: Element | None, style: str) -> int:
        outline = child(settings, "outlineLvl") if settings is not None else None
        if outline is not None and attribute(outline, "val").isdigit():
            level = int(attribute(outline, "val")) + 1
            return level if level < 10 else 0
        return self._levels.get(style, 0)

    def _lines(self, parent: Element) -> list[str]:
        """The paragraphs and tables below a node as lines."""
        lines = []
        for node in parent:
            name = local(node.tag)
            if name == "p":
                found = self._text.read(node)
                lines.append(self._shown(node, found)[0])
                for box in found.boxes:
                    lines += self._lines(box)
            elif name == "tbl":
                lines.append("; ".join(self._grid(node).lines()))
            elif name not in LEFT_OUT:
                lines += self._lines(node)
        return [line for line in lines if line]

    def _table(self, table: Element) -> None:
        if self._places_blocks(table):
            for row in _rows(table):
                for cell in descendants_until(row, "tc", "tbl"):
                    self._in_list = False
                    self.blocks(cell)
        else:
            self._composer.table(self._grid(table))

    def _places_blocks(self, table: Element) -> bool:
        """Whether a table only places blocks: it has one column, or cells with headings or tables of their own."""
        rows = [list(descendants_until(row, "tc", "tbl")) for row in _rows(table)]
        if all(len(cells) < 2 for cells in rows):
            return True
        if len(rows) == 1:
            return any(not self._is_one_line(cell) or self._has_heading(cell) for cell in rows[0])
        if all(map(self._is_one_line, rows[0])):
            rows = rows[1:]  # headings of columns are often styled as headings
        return any(self._has_heading(cell) for row in rows for cell in row)

    @staticmethod
    def _is_one_line(cell: Element) -> bool:
        return sum(local(block.tag) in ("p", "tbl", "sdt") for block in cell) <= 1

    def _has_heading(self, cell: Element) -> bool:
        for paragraph in children(cell, "p"):
            settings = child(paragraph, "pPr")
            style = child(settings, "pStyle") if settings is not None else None
            if self._level(settings, attribute(style, "val") if style is not None else ""):
                return any(node.text for node in descendants(paragraph, "t"))
        return False

    def _grid(self, table: Element) -> Grid:
        grid = Grid()
        rows = list(_rows(table))
        named_by_bold = len(rows) > 1 and _is_bold(rows[0]) and not _is_bold(rows[1])
        for number, row in enumerate(rows):
            settings = child(row, "trPr")
            if settings is not None and child(settings, "del") is not None:
                continue
            mark = child(settings, "tblHeader") if settings is not None else None
            grid.row(heading=is_on(mark) or (number == 0 and named_by_bold))
            grid.skip(_span(settings, "gridBefore", 0))
            for cell in descendants_until(row, "tc", "tbl"):
                self._cell(grid, cell)
        return grid

    def _cell(self, grid: Grid, cell: Element) -> None:
        settings = child(cell, "tcPr")
        columns = _span(settings, "gridSpan", 1)
        lines = self._lines(cell)
        for merge in ("vMerge", "hMerge"):
            node = child(settings, merge) if settings is not None else None
            if node is not None and attribute(node, "val") != "restart":
                if merge == "vMerge":
                    grid.extend(columns)
                else:
                    grid.widen(columns)
                return
        grid.cell(" ".join(lines), columns)

    def _chunk(self, node: Element) -> None:
        """A document in another format that Word shows in this place."""
        _, name = self._relations.get(attribute(node, "id"), ("", ""))
        if name in self._package.names:
            try:
                chunks.put(self._composer, self._package.read(name), name, self._source, self.depth)
            except SourceError:
                self._composer.block(f"[{name.rpartition('/')[2]} cannot be read]")

    def _drawing(self, identity: str) -> None:
        kind, name = self._relations.get(identity, ("", ""))
        if name in self._package.names and kind in ("chart", "chartEx", "diagramData"):
            put = charts.put_diagram if kind == "diagramData" else charts.put_chart
            put(self._composer, parse(self._package.read(name), self._source))


def _rows(table: Element) -> Iterator[Element]:
    return descendants_until(table, "tr", "tbl")


def _span(settings: Element | None, name: str, default: int) -> int:
    node = child(settings, name) if settings is not None else None
    value = attribute(node, "val") if node is not None else ""
    return min(int(value), _MAX_SPAN) if value.isascii() and value.isdigit() and len(value) < 10 else default


def _is_bold(row: Element) -> bool:
    """Whether all text of a row is bold."""
    runs = [run for run in descendants(row, "r") if any((node.text or "").strip() for node in children(run, "t"))]
    marks = [child(settings, "b") if (settings := child(run, "rPr")) is not None else None for run in runs]
    return bool(runs) and all(map(is_on, marks))


def descendants_until(node: Element, name: str, border: str) -> Iterator[Element]:
    """Descendants of that local name that are not below another of that name or below ``border``."""
    for inner in node:
        tag = local(inner.tag)
        if tag == name:
            yield inner
        elif tag != border and tag not in LEFT_OUT:
            yield from descendants_until(inner, name, border)
