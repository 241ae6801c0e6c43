"""What a paragraph of a Word document shows: text, results of fields, symbols, form controls.

A field has an instruction and, mostly, a result that Word kept; only the result is shown. A field may go on into the
next paragraphs, as a table of contents does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ctxsearch.readers import formulas
from ctxsearch.readers.composing import alternative
from ctxsearch.readers.xmltree import attribute, child, children, descendants, local

LEFT_OUT = frozenset(("del", "moveFrom", "pPr", "rPr", "Fallback", "fldData", "sdtPr", "sectPr", "delText", "rt"))
"""Elements below which nothing is shown; text in ``Fallback`` is there for older versions of Word, as a copy."""
_SPACES = re.compile(r" {2,}")
_SHOWS_ARGUMENT = re.compile(r"\s*(?:MACROBUTTON|GOTOBUTTON)\s+\S+\s+(.*)", re.IGNORECASE | re.DOTALL)
_PAGE_FIELD = re.compile(r"\s*(?:PAGE|NUMPAGES|SECTIONPAGES)\b", re.IGNORECASE)
_PAGE_NUMBER = "\x00"
_SYMBOLS = {
    "F06F": "☐", "F071": "☐", "F0A8": "☐", "F0FD": "☒", "F0FE": "☒", "F0FC": "✓", "F0FB": "✗", "F0B7": "•",
    "F0A7": "•", "F0E0": "→", "F0DF": "←", "F0B0": "°", "F0B1": "±", "F0B4": "×", "F06D": "μ", "F061": "α",
    "F062": "β",
}  # fmt: skip
"""Letters of the fonts Symbol and Wingdings by their codes."""


def is_on(mark: Element | None) -> bool:
    """Whether a switch such as ``w:b`` is there and not turned off."""
    return mark is not None and attribute(mark, "val") not in ("0", "false", "off", "none")


@dataclass(slots=True)
class Found:
    """What a paragraph holds."""

    text: str = ""
    boxes: list[Element] = field(default_factory=list)
    """Contents of text boxes."""
    drawings: list[str] = field(default_factory=list)
    """Relations of charts and diagrams."""


@dataclass(slots=True)
class _Field:
    instruction: str = ""
    in_result: bool = False
    is_empty: bool = True
    choice: str = ""


class ParagraphReader:
    """Reads paragraphs in the order of the document."""

    def __init__(self) -> None:
        self.in_header = False
        """Whether numbers of pages are to be left out."""
        self._fields: list[_Field] = []
        self._page_lines: set[str] = set()

    def read(self, paragraph: Element) -> Found:
        """What one paragraph shows."""
        found = Found()
        parts: list[str] = []
        self._fields = [open_field for open_field in self._fields if open_field.in_result]
        pending = list(reversed(paragraph))
        while pending:
            node = pending.pop()
            name = local(node.tag)
            match name:
                case "t" | "noBreakHyphen" | "tab" | "ptab" | "br" | "cr" | "sym" | "softHyphen":
                    self._put(parts, _character(node, name))
                case "instrText":
                    if self._fields:
                        self._fields[-1].instruction += node.text or ""
                case "fldChar":
                    self._field(parts, node)
                case "fldSimple":
                    self._simple_field(parts, node, pending)
                case "txbxContent":
                    found.boxes.append(node)
                case "chart" | "relIds":
                    found.drawings.append(attribute(node, "id") if name == "chart" else attribute(node, "dm"))
                case "oMath":
                    self._put(parts, f" {formulas.of_word(node)} ")
                case "docPr" | "shape" | "textpath":
                    self._alternative(parts, node, name)
                    pending.extend(reversed(node))
                case "r" if _is_exponent(node):
                    self._put(parts, formulas.RAISED)
                    pending.extend(reversed(node))
                case "AlternateContent":
                    pending.extend(reversed(_chosen(node)))
                case _ if name not in LEFT_OUT:
                    pending.extend(reversed(node))
        found.text = _SPACES.sub(" ", formulas.exponents("".join(parts)))
        if _PAGE_NUMBER in found.text:
            found.text = _SPACES.sub(" ", found.text.replace(_PAGE_NUMBER, "")).strip()
            self._page_lines.add(found.text)
        return found

    def is_page_number(self, line: str, words: int) -> bool:
        """Whether a line of a header held the number of the page and few words more."""
        return line in self._page_lines and len(re.findall(r"\w+", line)) <= words

    def _put(self, parts: list[str], text: str) -> None:
        if all(open_field.in_result for open_field in self._fields):
            if self.in_header and any(_PAGE_FIELD.match(open_field.instruction) for open_field in self._fields):
                text = _PAGE_NUMBER
            parts.append(text)
            if self._fields and text.strip():
                self._fields[-1].is_empty = False

    def _alternative(self, parts: list[str], node: Element, name: str) -> None:
        """What a picture shows, in words; or the letters of WordArt."""
        words = {"docPr": "descr", "shape": "alt", "textpath": "string"}[name]
        if not self.in_header and (text := alternative(attribute(node, words))):
            self._put(parts, f" {text} ")

    def _field(self, parts: list[str], node: Element) -> None:
        match attribute(node, "fldCharType"):
            case "begin":
                self._fields.append(_Field(choice=_choice(node)))
            case "separate" if self._fields:
                self._fields[-1].in_result = True
            case "end" if self._fields:
                ended = self._fields.pop()
                shown = _SHOWS_ARGUMENT.match(ended.instruction)
                text = ended.choice or (shown[1] if shown else "")
                if self.in_header and _PAGE_FIELD.match(ended.instruction):
                    text = _PAGE_NUMBER
                if ended.is_empty and text:
                    self._put(parts, text.strip())

    def _simple_field(self, parts: list[str], node: Element, pending: list[Element]) -> None:
        instruction = attribute(node, "instr")
        shown = _SHOWS_ARGUMENT.match(instruction)
        if self.in_header and _PAGE_FIELD.match(instruction):
            self._put(parts, _PAGE_NUMBER)
        elif shown and not any(True for _ in descendants(node, "t")):
            self._put(parts, shown[1].strip())
        else:
            pending.extend(reversed(node))


def _is_exponent(run: Element) -> bool:
    settings = child(run, "rPr")
    raised = child(settings, "vertAlign") if settings is not None else None
    if raised is None or attribute(raised, "val") != "superscript":
        return False
    return formulas.EXPONENT.fullmatch("".join(node.text or "" for node in children(run, "t"))) is not None


def _character(node: Element, name: str) -> str:
    match name:
        case "t":
            return node.text or ""
        case "noBreakHyphen":
            return "-"
        case "softHyphen":
            return ""
        case "tab" | "ptab":
            return "\t"
        case "sym":
            return _SYMBOLS.get(attribute(node, "char").upper(), " ")
    return "\n"


def _chosen(node: Element) -> Element:
    """What is shown of alternatives: the first, if it holds something that is read, else the last."""
    choice, fallback = child(node, "Choice"), child(node, "Fallback")
    if choice is not None and (fallback is None or any(True for _ in _contents(choice))):
        return choice
    return fallback if fallback is not None else node


def _contents(node: Element) -> list[Element]:
    wanted = ("t", "txbxContent", "chart", "relIds", "sym")
    return [inner for inner in node.iter() if local(inner.tag) in wanted or attribute(inner, "descr")]


def _choice(node: Element) -> str:
    """What a form control of the old kind shows: a box to tick, or the item that is chosen."""
    for data in descendants(node, "ffData"):
        box, menu = child(data, "checkBox"), child(data, "ddList")
        if box is not None:
            checked, default = child(box, "checked"), child(box, "default")
            return "☒" if is_on(checked if checked is not None else default) else "☐"
        if menu is not None:
            items = [attribute(entry, "val") for entry in descendants(menu, "listEntry")]
            result = child(menu, "result")
            number = attribute(result, "val") if result is not None else "0"
            return items[int(number)] if number.isdigit() and int(number) < len(items) else ""
    return ""
