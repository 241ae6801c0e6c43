"""RTF: paragraphs, headings, tables, headers, notes, comments, and what the file says of itself.

    rtftokens.py  bytes -> groups, control words and text

A group may begin with a destination, which says what its text is for. Text of destinations that are not shown, and of
those that are not known and marked as optional (``\\*``), is passed over. Rich Text Format Specification 1.9.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ctxsearch.readers.composing import Composer, one_line
from ctxsearch.readers.decoding import read_bytes
from ctxsearch.readers.formulas import EXPONENT
from ctxsearch.readers.grid import Grid
from ctxsearch.readers.rtftokens import CHARSETS, Control, Decoder, code_page, tokens
from ctxsearch.readers.walk import File
from ctxsearch.records import Document

_HIDDEN = frozenset(
    """
    fonttbl colortbl stylesheet info pict objdata objclass objname objalias themedata colorschememapping listtable
    listoverridetable rsidtbl generator datastore latentstyles fldinst bkmkstart bkmkend pntxta pntxtb pn pnseclvl
    nonshppict shprslt sp sn sv xe tc rxe filetbl revtbl userprops xmlnstbl wgrffmtfilter mmathPr mmathPict ftnsep
    ftnsepc ftncn aftnsep aftnsepc aftncn atnid atnref atrfstart atrfend atndate atnparent atntime htmltag mhtmltag
    background template operator formfield datafield docvar private picprop blipuid falt panose nesttableprops
    listname listpicture xform protusertbl passwordhash
    """.split()
)
_SHOWN_THOUGH_OPTIONAL = frozenset(
    """
    shpinst shptxt shppict footnote annotation atnauthor ud fldrslt objattph result cs ds ts hl listtext pntext
    revised header footer do dptxbxtext mmath moMath moMathPara
    """.split()
)
_HEADERS = frozenset(("header", "headerl", "headerr", "headerf"))
_FOOTERS = frozenset(("footer", "footerl", "footerr", "footerf"))
_SIGNS = {
    "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•",
    "tab": "\t", "line": "\n", "lbr": "\n", "softline": "\n", "emspace": " ", "enspace": " ", "qmspace": " ",
    "~": "\u00a0", "_": "-", "zwj": "\u200d", "zwnj": "\u200c",
}  # fmt: skip
_HEADING_STYLE = re.compile(r"\\s(\d+)(?![0-9])[^{};]*(?:\{[^{}]*\}[^{};]*)*?\s(?:heading|Heading) ?([1-9]);")
_INFO = re.compile(r"\{\\(title|author)\s+((?:[^{}\\]|\\'[0-9a-fA-F]{2}|\\u-?\d+ ?\??){1,500})\}")
_CREATED = re.compile(r"\{\\creatim\\yr(\d{4})\\mo(\d{1,2})\\dy(\d{1,2})")
_STATED_BYTES = 64 * 1024
"""Title, author and styles stand in so many bytes at the beginning."""
_NEAR = 30
"""Edges of cells nearer than this, in twentieths of a point, are one."""


def read(file: File) -> Iterator[Document]:
    """The file as one document.

    Raises:
        SourceError: it has no text.
    """
    data = read_bytes(file)
    composer = Composer()
    _put(composer, data)
    head = data[:_STATED_BYTES].decode("cp1252", "replace")
    stated = {name: _plain(text) for name, text in _INFO.findall(head)}
    metadata = {"author": stated.get("author", "")}
    if found := _CREATED.search(head):
        metadata["created"] = f"{found[1]}-{int(found[2]):02}-{int(found[3]):02}"
    yield composer.document(file, stated.get("title", ""), metadata)


def text_of(data: bytes) -> str:
    """All text of an RTF document."""
    composer = Composer()
    _put(composer, data)
    return composer.text()


def _plain(markup: str) -> str:
    return one_line(text_of(rb"{\rtf1 %s}" % markup.encode("cp1252", "replace")))


def _put(composer: Composer, data: bytes) -> None:
    styles = dict(_HEADING_STYLE.findall(data[:_STATED_BYTES].decode("cp1252", "replace")))
    flows = _Reading({int(style): int(level) for style, level in styles.items()}).read(data)
    for name in ("header", "body", "footer", "footnote", "annotation"):
        flows[name].put(composer)


@dataclass(slots=True)
class _State:
    """What holds inside of a group."""

    hidden: bool = False
    flow: str = "body"
    page: int = 0
    """Code page of the font; 0 for that of the document."""
    skipped_after_unicode: int = 1
    is_symbol: bool = False
    destination: str = ""


@dataclass(slots=True)
class _Row:
    cells: list[str]
    edges: list[tuple[int, frozenset[str]]]
    heading: bool


@dataclass(slots=True)
class _Flow:
    """A text that grows: that of the body, the headers, the notes."""

    blocks: list[tuple[int, str] | list[_Row]] = field(default_factory=list)
    """Paragraphs with their level as headings, and tables."""
    parts: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    edges: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)
    level: int = 0
    style_level: int = 0
    in_table: bool = False
    is_heading_row: bool = False
    label_at: int = 0
    """The part at which the number or bullet of a list item begins."""

    def end_label(self) -> None:
        """The number of a list item is whole: a bullet of any form becomes a dash."""
        label = "".join(self.parts[self.label_at :]).strip()
        is_bullet = len(label) == 1 and (not label.isalnum() or label == "o")
        self.parts[self.label_at :] = ["- " if is_bullet else f"{label} "] if label else []

    def end_paragraph(self) -> None:
        if self.in_table:
            self.parts.append("\n")
            return
        text = "".join(self.parts).strip()
        self.parts.clear()
        self.blocks.append((self.level or self.style_level, text) if text else (0, ""))

    def end_cell(self) -> None:
        self.cells.append(one_line("".join(self.parts)))
        self.parts.clear()

    def end_row(self) -> None:
        if self.parts and "".join(self.parts).strip():
            self.end_cell()
        if not self.cells:
            return
        row = _Row(self.cells, list(self.edges), self.is_heading_row)
        if self.blocks and isinstance(self.blocks[-1], list):
            self.blocks[-1].append(row)
        else:
            self.blocks.append([row])
        self.cells = []
        self.in_table = False

    def put(self, composer: Composer) -> None:
        """Add all of it to a document; lines that follow each other stay together until an empty one."""
        if self.cells:
            self.end_row()
        self.in_table = False
        self.end_paragraph()
        starts_block = True
        for block in self.blocks:
            if isinstance(block, list):
                composer.table(_grid(block))
                starts_block = True
            elif not block[1]:
                starts_block = True
            elif block[0]:
                composer.heading(block[1], block[0])
                starts_block = True
            else:
                (composer.block if starts_block else composer.line)(block[1])
                starts_block = False


def _grid(rows: list[_Row]) -> Grid:
    """Rows whose cells are told by where they end: one that reaches over edges of other rows spans columns."""
    ends: list[int] = []
    for end in sorted({edge for row in rows for edge, _ in row.edges}):
        if not ends or end - ends[-1] > _NEAR:
            ends.append(end)
    grid = Grid()
    for row in rows:
        grid.row(heading=row.heading)
        column = 0
        for number, text in enumerate(row.cells):
            edge, marks = row.edges[number] if number < len(row.edges) else (None, frozenset())
            last = next((n for n, end in enumerate(ends) if edge is not None and end >= edge - _NEAR), column)
            columns = max(1, last - column + 1)
            if "clvmrg" in marks:
                grid.extend(columns)
            elif "clmrg" in marks:
                grid.widen(columns)
            else:
                grid.cell(text, columns)
            column += columns
    return grid


class _Reading:
    def __init__(self, styles: dict[int, int]) -> None:
        self._styles = styles
        self._flows = {name: _Flow() for name in ("body", "header", "footer", "footnote", "annotation")}
        self._state = _State()
        self._stack: list[_State] = []
        self._decoder = Decoder()
        self._fonts: dict[int, tuple[int, bool]] = {}
        self._font = 0
        self._begins = False  # nothing but \* stood in the group so far
        self._optional = False
        self._skip = 0
        self._raised = False  # what comes next is set higher

    def read(self, data: bytes) -> dict[str, _Flow]:
        """The flows of a document."""
        for token in tokens(data):
            if token == b"{":
                self._flush()
                self._stack.append(self._state)
                self._state = replace(self._state, destination="")
                self._begins, self._optional, self._skip = True, False, 0
            elif token == b"}":
                self._flush()
                self._end_group()
            elif isinstance(token, Control):
                self._control(token)
            else:
                self._text(token)
        self._flush()
        return self._flows

    def _end_group(self) -> None:
        ended = self._state
        if ended.destination in ("footnote", "annotation") or ended.destination in _HEADERS | _FOOTERS:
            self._flows[ended.flow].end_paragraph()
        elif ended.destination in ("listtext", "pntext") and not ended.hidden:
            self._flows[ended.flow].end_label()
        elif ended.destination in ("shptxt", "dptxbxtext", "atnauthor") and not ended.hidden:
            self._flows[ended.flow].parts.append(": " if ended.destination == "atnauthor" else " ")
        if self._stack:
            self._state = self._stack.pop()
        self._begins, self._optional, self._skip = False, False, 0

    def _text(self, text: bytes) -> None:
        while self._skip and text:
            text, self._skip = text[1:], self._skip - 1
        if text:
            self._begins = False
            if not self._state.hidden:
                self._decoder.add(text, self._state.page, self._state.is_symbol)

    def _control(self, control: Control) -> None:
        name, number = control
        if name == "*":
            self._optional = self._begins
            return
        if self._begins:
            self._begins = False
            if self._destination(name):
                return
        if self._skip and name == "'":
            self._skip -= 1
            return
        if name == "'":
            if not self._state.hidden and number is not None:
                self._decoder.add(bytes((number,)), self._state.page, self._state.is_symbol)
        elif name == "u" and number is not None:
            if not self._state.hidden:
                self._decoder.add_unit(number)
            self._skip = self._state.skipped_after_unicode
        elif self._skip and name in _SIGNS:
            self._skip -= 1
        else:
            self._flush()
            self._skip = 0
            self._word(name, number)

    def _destination(self, name: str) -> bool:
        """Take note of what a group is for, if its first control word says so; whether nothing else is to be done."""
        state = self._state
        if name in _HIDDEN or (self._optional and name not in _SHOWN_THOUGH_OPTIONAL):
            state.hidden, state.destination = True, name
            return True
        if name in ("footnote", "annotation") or name in _HEADERS | _FOOTERS:
            self._flush()
            flow = "header" if name in _HEADERS else "footer" if name in _FOOTERS else name
            state.flow, state.destination = flow, name
            return True
        if name == "ud":
            state.hidden, state.destination = False, name
            return True
        if name == "upr":  # what follows is for readers that know no Unicode, until \ud
            state.hidden = True
            return True
        if name in ("shptxt", "dptxbxtext", "atnauthor", "listtext", "pntext"):
            self._flush()
            state.destination = name
            self._flows[state.flow].label_at = len(self._flows[state.flow].parts)
            if name == "atnauthor":
                state.flow = "annotation"
            return True
        return self._optional

    def _word(self, name: str, number: int | None) -> None:
        state = self._state
        flow = self._flows[state.flow]
        match name:
            case "f" if number is not None:
                self._font = number
                state.page, state.is_symbol = self._fonts.get(number, (0, False))
            case "fcharset" if number is not None:
                self._fonts[self._font] = CHARSETS.get(number, 0), number == 2
            case "cpg" if number is not None and self._font in self._fonts:
                self._fonts[self._font] = number, False
            case "ansicpg" if number:
                self._decoder.default = code_page(number)
            case "mac" | "pc" | "pca":
                self._decoder.default = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[name]
            case "plain":
                state.page, state.is_symbol = 0, False
            case "uc" if number is not None:
                state.skipped_after_unicode = max(0, number)
            case "v" | "deleted" | "htmlrtf":
                if number == 0 and state.destination == name:
                    state.hidden, state.destination = False, ""
                elif number != 0 and not state.hidden:
                    state.hidden, state.destination = True, name
        if state.hidden:
            return
        match name:
            case "super" | "up":
                self._raised = number != 0
            case "par" | "sect" | "page":
                flow.end_paragraph()
            case "pard":
                flow.level = flow.style_level = 0
                flow.in_table = False
            case "intbl":
                flow.in_table = True
            case "s" if number is not None:
                flow.style_level = self._styles.get(number, 0)
            case "outlinelevel" if number is not None:
                flow.level = number + 1 if number < 9 else 0
            case "trowd":
                flow.edges, flow.marks, flow.is_heading_row = [], set(), False
            case "trhdr":
                flow.is_heading_row = True
            case "clvmrg" | "clmrg" | "clvmgf" | "clmgf":
                flow.marks.add(name)
            case "cellx" if number is not None:
                flow.edges.append((number, frozenset(flow.marks)))
                flow.marks = set()
            case "cell":
                flow.end_cell()
            case "row":
                flow.end_row()
            case "nestcell":
                flow.parts.append(" | ")
            case "nestrow":
                flow.parts.append("; ")
            case _ if name in _SIGNS:
                flow.parts.append(_SIGNS[name])

    def _flush(self) -> None:
        if text := self._decoder.take():
            parts = self._flows[self._state.flow].parts
            if self._raised and parts and parts[-1][-1:].isdigit() and EXPONENT.fullmatch(text):
                parts.append("^")  # ten to the sixth is not 106
            parts.append(text)
            self._raised = False
