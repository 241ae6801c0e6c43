"""PowerPoint files, read from their XML: a page a slide, its title as a heading, then what it says from top to bottom.

Tables, the texts of charts and diagrams, comments and the speaker's notes are read, too. What the footer of each slide
says stands once, at the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ctxsearch.errors import SourceError
from ctxsearch.readers import charts
from ctxsearch.readers.composing import Composer, alternative, one_line
from ctxsearch.readers.grid import Grid
from ctxsearch.readers.numbering import formatted
from ctxsearch.readers.ooxml import properties, related
from ctxsearch.readers.packages import Package, opened
from ctxsearch.readers.walk import File
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local, parse
from ctxsearch.records import Document

MAIN = "ppt/presentation.xml"
_SHAPES = frozenset(("sp", "graphicFrame", "grpSp", "pic", "cxnSp"))
_TITLES = frozenset(("title", "ctrTitle"))
_LEFT_OUT = frozenset(("sldNum", "dt", "sldImg"))
"""Placeholders of numbers, dates and pictures."""
_REPEATED = frozenset(("ftr", "hdr"))
"""Placeholders that say the same on each slide."""
_AUTO_NUMBERS = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}
_AUTO_NUMBER = re.compile(r"(arabic|alphaLc|alphaUc|romanLc|romanUc)(Period|ParenR|ParenBoth|Plain)")
_AROUND_NUMBERS = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Plain": "{}"}


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it is damaged, encrypted, or has no text.
    """
    composer = Composer()
    footers: set[str] = set()
    broken: list[SourceError] = []
    with opened(file) as package:
        for number, part in enumerate(_slides(package, file.source), start=1):
            if part in package.names:
                composer.page(number)
                try:
                    _put_slide(composer, package, part, file.source, footers)
                except SourceError as error:
                    broken.append(error)
                    composer.block(f"[slide {number} cannot be read]")
        if broken and len(broken) == number:
            raise broken[0]
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


def _put_slide(composer: Composer, package: Package, part: str, source: str, footers: set[str]) -> None:
    relations = related(package, part, source)
    root = parse(package.read(part), source)
    tree = next(descendants(root, "spTree"), None)
    for shape in _shapes(tree) if tree is not None else ():
        _put_shape(composer, shape, footers)
    for kind, name in relations.values():
        if name not in package.names:
            continue
        if kind in ("chart", "chartEx"):
            charts.put_chart(composer, parse(package.read(name), source))
        elif kind == "diagramData":
            charts.put_diagram(composer, parse(package.read(name), source))
        elif kind == "notesSlide":
            _put_notes(composer, parse(package.read(name), source))
        elif kind == "comments":
            for comment in descendants(parse(package.read(name), source), "cm"):
                texts = [node.text or "" for node in descendants(comment, "text")] or _paragraphs(comment)
                composer.block("Comment: " + one_line(" ".join(texts)) if any(texts) else "")


def _shapes(tree: Element) -> Iterator[Element]:
    """Shapes in reading order; those of a group stay together."""
    for shape in sorted(_children(tree), key=_rank):
        if local(shape.tag) == "grpSp":
            yield from _shapes(shape)
        else:
            yield shape


def _children(tree: Element) -> Iterator[Element]:
    for node in tree:
        name = local(node.tag)
        if name == "AlternateContent":
            found = next((shapes for inner in node if (shapes := list(_children(inner)))), [])
            yield from found
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


def _put_shape(composer: Composer, shape: Element, footers: set[str]) -> None:
    role = _placeholder(shape)
    if role in _LEFT_OUT:
        return
    tables = list(descendants(shape, "tbl"))
    for table in tables:
        composer.table(_grid(table))
    if tables:
        return
    lines = _paragraphs(shape)
    if not lines and (words := alternative(attribute(next(descendants(shape, "cNvPr"), shape), "descr"))):
        lines = [words]
    if role in _REPEATED:
        lines = [line for line in lines if line not in footers]
        footers.update(lines)
    if role in _TITLES:
        composer.heading(" ".join(lines), 1)
    else:
        composer.block("\n".join(lines))


def _grid(table: Element) -> Grid:
    grid = Grid()
    for row in children(table, "tr"):
        grid.row()
        for cell in children(row, "tc"):
            if _is_on(cell, "vMerge"):
                grid.extend()
            elif not _is_on(cell, "hMerge"):
                grid.cell(" ".join(_paragraphs(cell)), _number(cell, "gridSpan"), _number(cell, "rowSpan"))
    return grid


def _is_on(node: Element, name: str) -> bool:
    return attribute(node, name) in ("1", "true")


def _number(node: Element, name: str) -> int:
    value = attribute(node, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 1


def _paragraphs(node: Element) -> list[str]:
    """The paragraphs of a shape: with their numbers, those with a level below the first as list items."""
    lines = []
    counts: dict[int, int] = {}
    for paragraph in descendants(node, "p"):
        text = charts.text_of_paragraph(paragraph)
        settings = child(paragraph, "pPr")
        level = _number(settings, "lvl") if settings is not None and attribute(settings, "lvl") else 0
        numbered = child(settings, "buAutoNum") if settings is not None else None
        counts = {deep: count for deep, count in counts.items() if deep < level or (deep == level and text)}
        if not text:
            continue
        if numbered is None:
            counts.pop(level, None)
            lines.append(f"- {text}" if level else text)
            continue
        counts[level] = counts[level] + 1 if level in counts else _number(numbered, "startAt")
        form = _AUTO_NUMBER.fullmatch(attribute(numbered, "type"))
        number = formatted(counts[level], _AUTO_NUMBERS[form[1]] if form else "decimal")
        lines.append(f"{_AROUND_NUMBERS[form[2] if form else 'Period'].format(number)} {text}")
    return lines


def _put_notes(composer: Composer, root: Element) -> None:
    for shape in descendants(root, "sp"):
        if _placeholder(shape) == "body" and (lines := _paragraphs(shape)):
            composer.block("Notes: " + "\n".join(lines))
