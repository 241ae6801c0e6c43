"""What a workbook holds beside the values of its cells: comments, text boxes, charts, headings, formulas.

The cells themselves are read by calamine (`sheets`), which gives none of these.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ctxsearch.readers import charts
from ctxsearch.readers.composing import Composer, alternative, one_line
from ctxsearch.readers.ooxml import related
from ctxsearch.readers.packages import Package
from ctxsearch.readers.sheetblocks import Heads
from ctxsearch.readers.xmltree import attribute, child, descendants, local, parse, text_of

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
_FORMULA_ALONE = re.compile(
    rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3}\d{1,7})"[^>]*>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>([^<]*)</(?:\w+:)?f>)'
    rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_FILTER = re.compile(rb'<(?:\w+:)?autoFilter\s[^>]*?\bref="([A-Z$]{1,6}\d{1,7}:[A-Z$]{1,6}\d{1,7})"')
_VALUE = re.compile(
    rb"<(?:\w+:)?c\s([^>]*)(?<!/)>\s*(?:<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*)?<(?:\w+:)?v>([^<]*)<"
)
_ATTRIBUTE = re.compile(r'\b([a-z]+)="([^"]*)"')
_PERCENT = re.compile(r'^(?:[^;"\\]|\\.|"[^"]*")*?%')
_ZEROS = re.compile(r"0{2,20}")
_FIGURES = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][-+]?\d{1,3})?")
_SIDES = re.compile(rb"<(?:\w+:)?(?:odd|even|first)(?:Header|Footer)>([^<]*)<")
_SIDE_CODE = re.compile(r'&(?:"[^"]*"|\d+|K[0-9A-F]{6}|[A-Z&])')
_MAX_LOOKED_THROUGH = 64 * 1024 * 1024
"""Bytes of a sheet that are looked through for formulas; larger ones are data of a program, which keeps values."""
_THREADED = "[Threaded comment]"


@dataclass(slots=True)
class Extras:
    """What one sheet holds beside values."""

    formulas: dict[tuple[int, int], str] = field(default_factory=dict)
    """By row and column, from 0: those without a kept value."""
    shown: dict[tuple[int, int], str] = field(default_factory=dict)
    """By row and column, from 0: percentages, numbers with zeros before them, errors, as the sheet shows them."""
    heads: list[Heads] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)
    """Headers and footers that are printed."""
    drawings: list[str] = field(default_factory=list)
    """Names of parts with text boxes and charts."""


class Workbook:
    """The parts of a workbook."""

    def __init__(self, package: Package, source: str) -> None:
        self._package = package
        self._source = source
        self._sheets: list[str] = []
        self._formats = self._shown_otherwise()
        main = "xl/workbook.xml"
        if main in package.names:
            relations = related(package, main, source)
            for node in descendants(parse(package.read(main), source), "sheet"):
                key = next((value for name, value in node.attrib.items() if name.startswith("{")), "")
                self._sheets.append(relations.get(key, ("", ""))[1])

    def _shown_otherwise(self) -> dict[str, int]:
        """Styles of cells that show other figures than are kept: how many digits at least, or 0 for percentages."""
        if "xl/styles.xml" not in self._package.names:
            return {}
        root = parse(self._package.read("xl/styles.xml"), self._source)
        codes = {"9": "0%", "10": "0.00%"}
        codes |= {attribute(node, "numFmtId"): attribute(node, "formatCode") for node in descendants(root, "numFmt")}
        found: dict[str, int] = {}
        for styles in descendants(root, "cellXfs"):
            for number, style in enumerate(styles):
                code = codes.get(attribute(style, "numFmtId"), "")
                if _PERCENT.search(code):
                    found[str(number)] = 0
                elif _ZEROS.fullmatch(code):
                    found[str(number)] = len(code)
        return found

    def extras(self, number: int) -> Extras:
        """What the sheet of this number, from 0, holds beside values."""
        found = Extras()
        name = self._sheets[number] if number < len(self._sheets) else ""
        if name not in self._package.names:
            return found
        if self._package.size(name) <= _MAX_LOOKED_THROUGH:
            self._look_through(self._package.read(name), found)
        legacy: list[str] = []
        for kind, target in related(self._package, name, self._source).values():
            if target not in self._package.names:
                continue
            if kind == "table":
                table = parse(self._package.read(target), self._source)
                if attribute(table, "headerRowCount") != "0":
                    found.heads += _heads(attribute(table, "ref"))
            elif kind == "comments":
                legacy += self._comments(target)
            elif kind == "threadedComment":
                found.comments += self._threaded(target)
            elif kind == "drawing":
                found.drawings.append(target)
        found.comments += legacy
        return found

    def put_drawings(self, composer: Composer, names: list[str]) -> None:
        """The text boxes, diagrams and charts of drawings."""
        for name in names:
            relations = related(self._package, name, self._source)
            for node in _shapes(parse(self._package.read(name), self._source)):
                if local(node.tag) == "txBody":
                    composer.block("\n".join(charts.paragraphs(node)))
                    continue
                if local(node.tag) == "cNvPr":
                    composer.block(alternative(attribute(node, "descr")))
                    continue
                key = attribute(node, "dm") if local(node.tag) == "relIds" else attribute(node, "id")
                kind, target = relations.get(key, ("", ""))
                if target in self._package.names and kind in ("chart", "chartEx", "diagramData"):
                    put = charts.put_diagram if kind == "diagramData" else charts.put_chart
                    put(composer, parse(self._package.read(target), self._source))

    def _look_through(self, sheet: bytes, found: Extras) -> None:
        for match in _FORMULA_ALONE.finditer(sheet):
            formula = html.unescape((match[2] or b"").decode("utf-8", "replace")).strip()
            if place := _place(match[1].decode("ascii")):
                found.formulas[place] = f"={formula}" if formula else "(a formula without a kept value)"
        for match in _VALUE.finditer(sheet) if self._formats or b't="e"' in sheet else ():
            attributes = dict(_ATTRIBUTE.findall(match[1].decode("utf-8", "replace")))
            value = html.unescape(match[2].decode("utf-8", "replace")).strip()
            shown = _shown(value, attributes.get("t", "n"), self._formats.get(attributes.get("s", "")))
            if shown and (place := _place(attributes.get("r", ""))):
                found.shown[place] = shown
        for match in _FILTER.finditer(sheet):
            found.heads += _heads(match[1].decode("ascii"))
        for match in _SIDES.finditer(sheet):
            text = one_line(_SIDE_CODE.sub(" ", html.unescape(match[1].decode("utf-8", "replace"))))
            if re.search(r"[^\W\d]{2}", text) and text not in found.sides:
                found.sides.append(text)

    def _comments(self, name: str) -> list[str]:
        found = []
        for comment in descendants(parse(self._package.read(name), self._source), "comment"):
            runs = (text_of(node) for node in descendants(comment, "t"))
            text = one_line("".join(runs))
            if text and not text.startswith(_THREADED):  # which repeats what stands in a part of its own
                found.append(f"Comment on {attribute(comment, 'ref')}: {text}")
        return found

    def _threaded(self, name: str) -> list[str]:
        people = {
            attribute(person, "id"): attribute(person, "displayName")
            for part in self._package.names
            if part.startswith("xl/persons/") and part.endswith(".xml")
            for person in descendants(parse(self._package.read(part), self._source), "person")
        }
        found = []
        for comment in descendants(parse(self._package.read(name), self._source), "threadedComment"):
            text = one_line(text_of(child(comment, "text")))
            author = people.get(attribute(comment, "personId"), "")
            if text:
                found.append(f"Comment on {attribute(comment, 'ref')}{f' by {author}' if author else ''}: {text}")
        return found


def _shown(value: str, kind: str, digits: int | None) -> str:
    """What a cell shows, if it is an error, a percentage, or a number with zeros before it; else ""."""
    if kind == "e":
        return value
    if kind != "n" or digits is None or not _FIGURES.fullmatch(value):
        return ""
    if not digits:
        return f"{100 * float(value):.15g}%"
    return value.zfill(digits) if value.isdigit() else ""


def _shapes(root: Element) -> Iterator[Element]:
    """Text boxes, pictures and references to charts, in order; of alternatives the first that has some."""
    for node in root:
        name = local(node.tag)
        if name in ("txBody", "chart", "relIds", "cNvPr"):
            yield node
        elif name == "AlternateContent":
            yield from next((found for inner in node if (found := list(_shapes(inner)))), [])
        else:
            yield from _shapes(node)


def _place(reference: str) -> tuple[int, int] | None:
    """Row and column, from 0, of a reference such as B4."""
    match = _REFERENCE.fullmatch(reference)
    if not match:
        return None
    column = 0
    for letter in match[1]:
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1


def _heads(reference: str) -> list[Heads]:
    """The first row of a range such as A1:D5."""
    first, _, last = reference.partition(":")
    start, end = _place(first), _place(last)
    return [Heads(start[0], start[1], end[1])] if start and end else []
