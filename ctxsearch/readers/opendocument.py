"""OpenDocument texts, presentations and sheets, read from their XML.

    odflists.py     numbers of headings and list items
    sheetblocks.py  the tables of a sheet

Headers come first and footers last, each once. Notes and comments stand where they are referred to. A page is a slide
or a sheet; texts have none until they are printed.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

from ctxsearch.readers import formulas
from ctxsearch.readers.composing import Composer, alternative, one_line
from ctxsearch.readers.grid import Grid
from ctxsearch.readers.numbering import BULLET
from ctxsearch.readers.odflists import LEVELS, List, ListStyles
from ctxsearch.readers.packages import Package, opened
from ctxsearch.readers.sheetblocks import SheetCell, put_sheet
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local, parse
from ctxsearch.records import Document

_LEFT_OUT = frozenset(
    """
    tracked-changes sequence-decls forms annotation-end bookmark settings user-field-decls variable-decls ruby-text
    page-number calculation-settings named-expressions database-ranges content-validations
    """.split()
)
_BOXES = frozenset(
    """
    text-box custom-shape rect ellipse circle line polyline polygon path connector caption object g frame
    """.split()
)
"""Drawings, which may hold paragraphs of their own."""
_CELLS = frozenset(("table-cell", "covered-table-cell"))
_PROPERTIES = {
    "title": "title",
    "initial-creator": "author",
    "creator": "author",
    "creation-date": "created",
    "language": "language",
    "subject": "subject",
}
_CENTIMETRES = {"cm": 1.0, "mm": 0.1, "in": 2.54, "pt": 0.0353, "pc": 0.423, "px": 0.0265}
_LENGTH = re.compile(r"(-?\d{1,6}(?:\.\d{0,9})?)(cm|mm|in|pt|pc|px)")
MAX_REPEATED = 1000
"""Columns, rows and spaces that stand for several are taken for no more than this."""
MAX_ROWS = 1_048_576
_FEW_WORDS = 2
"""A line of a header that has a page number and no more words than this is a page number."""


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    with opened(file) as package:
        root = parse(package.read("content.xml"), file.source)
        styles = parse(package.read("styles.xml"), file.source) if "styles.xml" in package.names else None
        meta = parse(package.read("meta.xml"), file.source) if "meta.xml" in package.names else None
        yield _document(file, root, styles, meta, package)


def read_flat(file: File, root: Element) -> Document:
    """A file that is one XML document (``.fodt``, ``.fods``, ``.fodp``), whose root is ``office:document``.

    Raises:
        SourceError: it has no text.
    """
    return _document(file, root, root, child(root, "meta"), None)


def _document(
    file: File, root: Element, styles: Element | None, meta: Element | None, package: Package | None
) -> Document:
    composer = Composer()
    metadata = _properties(meta)
    _mark_exponents(root, styles)
    _put_controls(root)
    reading = _Reading(composer, package, file.source, ListStyles(styles, root))
    for office in next(descendants(root, "body"), root):
        kind = local(office.tag)
        if kind == "presentation":
            for number, slide in enumerate(children(office, "page"), start=1):
                composer.page(number)
                reading.slide(slide)
        elif kind == "spreadsheet":
            for number, table in enumerate(children(office, "table"), start=1):
                composer.page(number)
                reading.sheet(table)
        else:
            headers, footers = _headers_and_footers(root, styles)
            reading.sides(headers)
            reading.blocks(office)
            reading.sides(footers)
    title = str(metadata.pop("title", ""))
    return composer.document(file, title, metadata)


def _properties(meta: Element | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in meta.iter() if meta is not None else ():
        key, value = _PROPERTIES.get(local(node.tag)), (node.text or "").strip()
        if key and value:
            found.setdefault(key, value)
    return found


def _headers_and_footers(root: Element, styles: Element | None) -> tuple[list[Element], list[Element]]:
    """Those of the page styles that are used: the standard one, and those that a paragraph or a table names."""
    used = {attribute(style, "master-page-name") for style in descendants(root, "style")}
    headers: list[Element] = []
    footers: list[Element] = []
    pages = list(descendants(styles, "master-page")) if styles is not None else []
    for number, page in enumerate(pages):
        name = attribute(page, "name")
        if number and name != "Standard" and name not in used:
            continue
        for side in page:
            kind = local(side.tag)
            if attribute(side, "display") != "false" and kind.startswith(("header", "footer")):
                (headers if kind.startswith("header") else footers).append(side)
    return headers, footers


def _mark_exponents(root: Element, styles: Element | None) -> None:
    """Put `formulas.RAISED` before figures that are set higher, as a style says."""
    raised = {
        attribute(style, "name")
        for tree in (root, styles)
        if tree is not None
        for style in descendants(tree, "style")
        if any(attribute(node, "text-position").startswith(("super", *"123456789")) for node in style)
    }
    for span in descendants(root, "span") if raised else ():
        if attribute(span, "style-name") in raised and formulas.EXPONENT.fullmatch("".join(span.itertext())):
            span.text = formulas.RAISED + (span.text or "")


def _put_controls(root: Element) -> None:
    """Put what was typed into the controls of a form where the form shows them."""
    values: dict[str, str] = {}
    for form in descendants(root, "forms"):
        for control in form.iter():
            if text := _value_of_control(control):
                values[attribute(control, "id")] = text
    for control in descendants(root, "control"):
        if value := values.get(attribute(control, "control")):
            control.tag, control.text = "span", f" {value} "


def _value_of_control(control: Element) -> str:
    kind = local(control.tag)
    if kind in ("checkbox", "radio"):
        state = attribute(control, "current-state") or attribute(control, "state")
        ticked = state == "checked" or attribute(control, "current-selected") == "true"
        return f"{'☒' if ticked else '☐'} {attribute(control, 'label')}".strip()
    if kind in ("text", "textarea", "formatted-text", "number", "date", "time", "combobox"):
        return attribute(control, "current-value") or attribute(control, "value")
    if kind == "listbox":
        chosen = (option for option in children(control, "option") if attribute(option, "current-selected") == "true")
        return ", ".join(attribute(option, "label") for option in chosen)
    return attribute(control, "label") if kind in ("button", "fixed-text", "frame") else ""


def _rank(frame: Element) -> tuple[int, float, float]:
    """Drawings of a slide from top to bottom and left to right, heights in steps of a centimetre; the rest last."""
    x, y = _LENGTH.fullmatch(attribute(frame, "x")), _LENGTH.fullmatch(attribute(frame, "y"))
    if local(frame.tag) in ("notes", "annotation"):
        return (2, 0, 0)
    if x is None or y is None:
        return (1, 0, 0)
    return (1, float(y[1]) * _CENTIMETRES[y[2]] // 1, float(x[1]) * _CENTIMETRES[x[2]])


class _Reading:
    def __init__(self, composer: Composer, package: Package | None, source: str, lists: ListStyles) -> None:
        self._composer = composer
        self._package = package
        self._source = source
        self._lists = lists
        self._objects: set[str] = set()
        """Parts of charts that were read: one in itself would have no end."""

    def blocks(self, parent: Element) -> None:
        """Headings, paragraphs, lists, tables and drawings below a node, in order."""
        for node in parent:
            self._block(node)

    def slide(self, slide: Element) -> None:
        """A slide: its title first."""
        frames = sorted(slide, key=_rank)
        for frame in frames:
            if attribute(frame, "class") == "title":
                self._composer.heading(" ".join(filter(None, map(_text, descendants(frame, "p")))), 1)
        for frame in frames:
            if local(frame.tag) == "notes":
                notes = [_text(node) for node in descendants(frame, "p")]
                self._composer.block("Notes: " + "\n".join(notes) if any(notes) else "")
            elif attribute(frame, "class") != "title":
                self._block(frame)

    def sheet(self, table: Element) -> None:
        """A sheet: its name as a heading, its tables, what is drawn on it."""
        composer, self._composer = self._composer, Composer()
        put_sheet(self._composer, list(_sheet_cells(table)))
        for cell in descendants(table, "table-cell"):
            for drawing in cell:
                if local(drawing.tag) in _BOXES:
                    self._block(drawing)
        for shapes in children(table, "shapes"):
            self.blocks(shapes)
        sheet, self._composer = self._composer, composer
        if not sheet.is_empty():
            composer.heading(attribute(table, "name"), 1)
            composer.insert(sheet.text())

    def sides(self, nodes: list[Element]) -> None:
        """Headers or footers: each line once, page numbers left out."""
        composer, self._composer = self._composer, Composer()
        lines: dict[str, None] = {}
        for side in nodes:
            for paragraph in descendants(side, "p"):
                text = one_line(_text(paragraph))
                numbered = any(True for _ in descendants(paragraph, "page-number"))
                if text and not (numbered and len(re.findall(r"\w+", text)) <= _FEW_WORDS):
                    lines[text] = None
        self._composer = composer
        composer.block("\n".join(lines))

    def _block(self, node: Element) -> None:
        name = local(node.tag)
        if name == "h":
            self._heading(node)
        elif name == "p":
            self._composer.block(_text(node))
            self._drawings(node)
        elif name == "list":
            self._list(node, self._lists.begin(node, attribute(node, "style-name")), 0, True)
        elif name == "table":
            self._table(node)
        elif name in ("title", "desc"):
            self._composer.block(alternative(_text(node)))
        elif name == "object":
            self._object(attribute(node, "href"))
        elif name not in _LEFT_OUT:
            self.blocks(node)

    def _heading(self, node: Element, label: str = "") -> None:
        level = _integer(node, "outline-level", 1)
        number = label or self._lists.heading(node, level - 1)
        text = one_line(_text(node))
        self._composer.heading(f"{number} {text}" if number and text else text, level)
        self._drawings(node)

    def _list(self, parent: Element, of: List, depth: int, first: bool) -> bool:
        """The items of a list; what is no paragraph stands between them as it is.

        Args:
            parent: the list.
            of: what it is counted in.
            depth: how many lists deep it stands.
            first: whether the next line begins a block; this is returned, too.
        """
        for item in parent:
            if local(item.tag) not in ("list-item", "list-header"):
                continue
            has_label = local(item.tag) == "list-item" and any(local(node.tag) in ("p", "h") for node in item)
            label = self._lists.label(of, min(depth, LEVELS - 1), item) if has_label else ""
            for node in item:
                name = local(node.tag)
                if name == "list":
                    style = attribute(node, "style-name")
                    inner = of if style in ("", of.style) else self._lists.begin(node, style)
                    first = self._list(node, inner, depth + 1, first)
                elif name == "h":
                    self._heading(node, "" if label == BULLET else label)
                    label, first = "", True
                elif name == "p":
                    if text := _text(node):
                        (self._composer.block if first else self._composer.line)(f"{label} {text}".strip())
                        label, first = "", False
                    self._drawings(node)
                else:
                    self._block(node)
                    first = True
        return first

    def _drawings(self, paragraph: Element) -> None:
        """The texts of what is drawn in a paragraph."""
        for node in paragraph:
            if local(node.tag) in _BOXES:
                self._block(node)
            elif local(node.tag) not in ("note", "annotation", *_LEFT_OUT):
                self._drawings(node)

    def _object(self, reference: str) -> None:
        """A chart that is kept in a part of its own."""
        name = posixpath.join(posixpath.normpath(reference), "content.xml") if reference else ""
        if self._package is not None and name in self._package.names and name not in self._objects:
            self._objects.add(name)
            root = parse(self._package.read(name), self._source)
            if local(root.tag) == "math":
                self._composer.block(formulas.of_mathml(root))
            for chart in descendants(root, "chart"):
                for node in descendants(chart, "title"):
                    self.blocks(node)
                for node in descendants(chart, "table"):
                    self._composer.table(self._grid(node))

    def _table(self, table: Element) -> None:
        if not _places_blocks(table):
            self._composer.table(self._grid(table))
            return
        for row, _ in _rows(table):
            for cell in children(row, "table-cell"):
                self.blocks(cell)

    def _grid(self, table: Element) -> Grid:
        grid = Grid()
        for row, is_head in _rows(table):
            grid.row(heading=is_head)
            for cell in row:
                if local(cell.tag) == "covered-table-cell":
                    continue
                for _ in range(min(_integer(cell, "number-columns-repeated", 1), MAX_REPEATED)):
                    columns, rows = _spans(cell)
                    grid.cell(self._cell_text(cell), columns, rows)
        return grid

    def _cell_text(self, cell: Element) -> str:
        """What a cell says; the rows of a table in it are set apart."""
        parts = []
        for node in cell:
            if local(node.tag) == "table":
                parts.append("; ".join(self._grid(node).lines()))
                continue
            composer, self._composer = self._composer, Composer()
            self._block(node)
            inner, self._composer = self._composer, composer
            parts.append(inner.text())
        return " ".join(filter(None, parts))


def _places_blocks(table: Element) -> bool:
    """Whether a table only places blocks: it has one column, or cells with headings of their own."""
    rows = [list(children(row, "table-cell")) for row, _ in _rows(table)]
    if all(len(cells) < 2 for cells in rows):
        return True
    if len(rows) > 1 and all(len(cell) <= 1 for cell in rows[0]):
        rows = rows[1:]  # headings of columns are often styled as headings
    return any(local(block.tag) == "h" and _text(block) for cells in rows for cell in cells for block in cell)


def _rows(table: Element, is_head: bool = False) -> Iterator[tuple[Element, bool]]:
    """The rows of a table, and whether they are marked as its head; not those of tables in its cells."""
    for node in table:
        name = local(node.tag)
        if name == "table-row":
            yield node, is_head
        elif name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(node, is_head or name == "table-header-rows")


def _sheet_cells(table: Element) -> Iterator[SheetCell]:
    """The cells of a sheet that hold something, with their comments."""
    number = 0
    for row, _ in _rows(table):
        cells: list[tuple[int, str, int, int]] = []
        column = 0
        for cell in row:
            if local(cell.tag) not in _CELLS:
                continue
            repeated = _integer(cell, "number-columns-repeated", 1)
            text = one_line(_value(cell))
            if text and local(cell.tag) == "table-cell":
                spans = _spans(cell)
                cells += [(column + n, text, *spans) for n in range(min(repeated, MAX_REPEATED))]
            column += repeated
        repeated = _integer(row, "number-rows-repeated", 1)
        for below in range(min(repeated, MAX_REPEATED) if cells else 0):
            for column, text, columns, rows in cells:
                yield SheetCell(number + below, column, text, columns, rows)
        number += repeated
        if number > MAX_ROWS:
            return


def _value(cell: Element) -> str:
    """What a cell shows, with its comment; its formula, if no value is kept."""
    shown = " ".join(filter(None, map(_text, children(cell, "p"))))
    if not shown:
        names = ("string-value", "date-value", "time-value", "boolean-value", "value")
        shown = next(filter(None, (attribute(cell, name) for name in names)), "")
    if not shown and (formula := attribute(cell, "formula")):
        shown = re.sub(r"^(?:\w+:)?=", "=", formula)
    comments = [" ".join(map(_text, children(note, "p"))) for note in children(cell, "annotation")]
    return " ".join([shown, *(f"({comment})" for comment in comments if comment)])


def _spans(cell: Element) -> tuple[int, int]:
    """Columns and rows that a cell spans."""
    return _integer(cell, "number-columns-spanned", 1), _integer(cell, "number-rows-spanned", 1)


def _integer(node: Element, name: str, default: int) -> int:
    value = attribute(node, name)
    return max(1, int(value)) if value.isascii() and value.isdigit() and len(value) < 8 else default


def _text(paragraph: Element) -> str:
    """The text of a paragraph without that of drawings in it; a note stands where it is referred to."""
    parts = [paragraph.text or ""]
    for node in paragraph:
        name = local(node.tag)
        if name == "s":
            parts.append(" " * min(_integer(node, "c", 1), MAX_REPEATED))
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
        elif name not in _LEFT_OUT and name not in _BOXES:
            parts.append(_text(node))
        parts.append(node.tail or "")
    text = "".join(parts)
    return formulas.exponents(text).strip() if local(paragraph.tag) in ("p", "h") else text
