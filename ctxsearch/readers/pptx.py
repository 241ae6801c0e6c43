"""PowerPoint files, read from their XML: a page a slide, its title as a heading, then what it says from top to bottom.

Tables, the texts of charts and diagrams, comments and the speaker's notes are read, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.ooxml import properties, related
from ctxsearch.readers.packages import Package, opened
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local, parse
from ctxsearch.records import Document

MAIN = "ppt/presentation.xml"
_SHAPES = frozenset(("sp", "graphicFrame", "grpSp", "pic", "cxnSp"))
_TITLES = frozenset(("title", "ctrTitle"))
_UNSAID = frozenset(("sldNum", "dt", "ftr", "hdr", "sldImg"))
"""Placeholders that repeat on each slide."""


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    composer = Composer()
    with opened(file) as package:
        for number, part in enumerate(_slides(package, file.source), start=1):
            if part in package.names:
                composer.page(number)
                _put_slide(composer, package, part, file.source)
        metadata = properties(package, file.source)
    title = str(metadata.pop("title", ""))
    if title.lower() == "powerpoint presentation":  # what PowerPoint calls all files that nobody named
        title = ""
    yield composer.document(file, title, metadata)


def _slides(package: Package, source: str) -> list[str]:
    """Parts of the slides in the order of the show."""
    relations = related(package, MAIN, source)
    if MAIN in package.names:
        root = parse(package.read(MAIN), source)
        ids = [_relation(node) for node in descendants(root, "sldId")]
        return [relations[identity][1] for identity in ids if identity in relations]
    return sorted(
        (name for name in package.names if re.fullmatch(r"ppt/slides/slide\d+\.xml", name)),
        key=lambda name: int(re.sub(r"\D", "", name)),
    )


def _relation(node: Element) -> str:
    """The relation id of a node; its own number is called id, too."""
    return next((value for key, value in node.attrib.items() if key.startswith("{") and local(key) == "id"), "")


def _put_slide(composer: Composer, package: Package, part: str, source: str) -> None:
    relations = related(package, part, source)
    root = parse(package.read(part), source)
    tree = next(descendants(root, "spTree"), None)
    shapes = sorted(_shapes(tree), key=_rank) if tree is not None else []
    for shape in shapes:
        _put_shape(composer, shape)
    for kind, name in relations.values():
        if name not in package.names:
            continue
        if kind == "chart":
            _put_chart(composer, parse(package.read(name), source))
        elif kind == "diagramData":
            for point in descendants(parse(package.read(name), source), "pt"):
                composer.block("\n".join(_paragraphs(point)))
        elif kind == "notesSlide":
            _put_notes(composer, parse(package.read(name), source))
        elif kind == "comments":
            for comment in descendants(parse(package.read(name), source), "cm"):
                texts = [node.text or "" for node in descendants(comment, "text")] or _paragraphs(comment)
                composer.block("Comment: " + one_line(" ".join(texts)) if any(texts) else "")


def _shapes(tree: Element) -> Iterator[Element]:
    """Shapes, those in groups too."""
    for node in tree:
        name = local(node.tag)
        if name in ("grpSp", "AlternateContent", "Choice"):
            yield from _shapes(node)
        elif name in _SHAPES:
            yield node


def _rank(shape: Element) -> tuple[int, int, int]:
    """The title first, then from top to bottom and left to right, as far as the slide says where shapes are.

    Heights are compared in steps of a centimetre, so that boxes side by side are read from the left.
    """
    if _placeholder(shape) in _TITLES:
        return (0, 0, 0)
    offset = next(descendants(shape, "off"), None)
    x, y = (attribute(offset, "x"), attribute(offset, "y")) if offset is not None else ("", "")
    if not re.fullmatch(r"-?\d{1,12}", x) or not re.fullmatch(r"-?\d{1,12}", y):
        return (1, 0, 0)  # where the layout puts it: the body, which the show puts below the title
    return (1, int(y) // 360_000, int(x))


def _placeholder(shape: Element) -> str:
    node = next(descendants(shape, "ph"), None)
    return attribute(node, "type") or "body" if node is not None else ""


def _put_shape(composer: Composer, shape: Element) -> None:
    role = _placeholder(shape)
    if role in _UNSAID:
        return
    tables = list(descendants(shape, "tbl"))
    for table in tables:
        composer.table(
            [[one_line(" ".join(_paragraphs(cell))) for cell in children(row, "tc")] for row in children(table, "tr")]
        )
    if tables:
        return
    lines = _paragraphs(shape)
    if role in _TITLES:
        composer.heading(" ".join(lines), 1)
    else:
        composer.block("\n".join(lines))


def _paragraphs(node: Element) -> list[str]:
    """The paragraphs of a shape, one with a level below the first as a list item."""
    lines = []
    for paragraph in descendants(node, "p"):
        parts = []
        for inner in paragraph.iter():
            name = local(inner.tag)
            if name == "t":
                parts.append(inner.text or "")
            elif name in ("br", "tab"):
                parts.append(" ")
        text = one_line("".join(parts))
        settings = child(paragraph, "pPr")
        deeper = settings is not None and attribute(settings, "lvl") not in ("", "0")
        if text:
            lines.append(f"- {text}" if deeper else text)
    return lines


def _put_notes(composer: Composer, root: Element) -> None:
    for shape in descendants(root, "sp"):
        if _placeholder(shape) == "body" and (lines := _paragraphs(shape)):
            composer.block("Notes: " + "\n".join(lines))


def _put_chart(composer: Composer, root: Element) -> None:
    """A chart's title and axes, and its figures as a table: a row a category, a column a series."""
    for title in descendants(root, "title"):
        composer.block(" ".join(_paragraphs(title)))
    names = [""]
    columns: list[list[str]] = []
    categories: list[str] = []
    for series in descendants(root, "ser"):
        names.append(" ".join(_cached(child(series, "tx"))))
        categories = categories or _cached(child(series, "cat")) or _cached(child(series, "xVal"))
        columns.append(_cached(child(series, "val")) or _cached(child(series, "yVal")))
    height = max(map(len, [categories, *columns]), default=0)
    cells = [[column[row] if row < len(column) else "" for column in [categories, *columns]] for row in range(height)]
    if cells:
        composer.table([names, *cells], header=True)


def _cached(node: Element | None) -> list[str]:
    """The values that the file keeps of a chart's data."""
    if node is None:
        return []
    return [one_line(value.text or "") for point in descendants(node, "pt") for value in descendants(point, "v")]
