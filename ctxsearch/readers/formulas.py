"""Formulas in one line, as people type them: ``(a+b)/2``, ``10^6``, ``√x``. Office Math (OMML) and MathML.

Written one after the other, the parts of a formula are another one: a half would be twelve.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from ctxsearch.readers.xmltree import attribute, child, children, local

MAX_DEPTH = 60
"""Parts nested deeper than this are written one after the other."""
EXPONENT = re.compile(r"[-+−–]?\d{1,3}")
"""A superscript that would be read as a part of the number before it."""
RAISED = "\x01"
"""Stands before figures that are set higher, in text that was taken from XML, which never holds it; see `exponents`."""
_AFTER_FIGURE = re.compile(rf"(?<=\d){RAISED}")
_SIMPLE = re.compile(r"\w+(?:[.,]\w+)*|\(.*\)|.", re.DOTALL)
_WORD_AT_END, _WORD_AT_START = re.compile(r"\w\Z"), re.compile(r"\w")
_LEFT_OUT = frozenset(("annotation", "annotation-xml", "ctrlPr", "rPr"))


def exponents(text: str) -> str:
    """A text with ``^`` for each mark `RAISED` that follows a figure, and without the others: 10^6 is not 106."""
    return _AFTER_FIGURE.sub("^", text).replace(RAISED, "") if RAISED in text else text


def of_word(node: Element, depth: int = 0) -> str:
    """A formula of Word, PowerPoint or Excel: an ``m:oMath`` or a part of one."""
    if depth > MAX_DEPTH:
        return "".join(inner.text or "" for inner in node.iter() if local(inner.tag) == "t")

    def part(name: str) -> str:
        inner = child(node, name)
        return of_word(inner, depth + 1) if inner is not None else ""

    def setting(name: str, default: str) -> str:
        settings = next((inner for inner in node if local(inner.tag).endswith("Pr")), None)
        found = child(settings, name) if settings is not None else None
        return attribute(found, "val") if found is not None else default

    match local(node.tag):
        case "t":
            return node.text or ""
        case "f":
            return "/".join(filter(None, (_grouped(part("num")), _grouped(part("den")))))
        case "sSup" | "sSub" | "sSubSup":
            return _with_scripts(_grouped(part("e")), part("sub"), part("sup"))
        case "sPre":
            return _with_scripts("", part("sub"), part("sup")) + part("e")
        case "rad":
            degree = part("deg")
            return f"{degree}√{_grouped(part('e'))}" if degree else f"√{_grouped(part('e'))}"
        case "nary":
            return f"{_with_scripts(setting('chr', '∫'), part('sub'), part('sup'))} {part('e')}"
        case "limLow" | "limUpp":
            return _with_scripts(part("e"), part("lim"), "")
        case "func":
            return f"{part('fName')} {part('e')}"
        case "d":
            inner = setting("sepChr", "|").join(of_word(e, depth + 1) for e in children(node, "e"))
            return f"{setting('begChr', '(')}{inner}{setting('endChr', ')')}"
        case "m":
            rows = (" ".join(of_word(e, depth + 1) for e in children(row, "e")) for row in children(node, "mr"))
            return "; ".join(rows)
        case "eqArr":
            return "; ".join(of_word(e, depth + 1) for e in children(node, "e"))
        case name if name.endswith("Pr"):
            return ""
    return _joined([of_word(inner, depth + 1) for inner in node])


def of_mathml(node: Element, depth: int = 0) -> str:
    """A formula in MathML: a ``math`` or a part of one."""
    name = local(node.tag)
    if name in _LEFT_OUT:
        return ""
    if depth > MAX_DEPTH or not len(node):
        return " ".join("".join(node.itertext()).split())
    inner = [of_mathml(part, depth + 1) for part in node]
    match name, len(inner):
        case "mfrac", 2:
            return f"{_grouped(inner[0])}/{_grouped(inner[1])}"
        case "msup", 2:
            return _with_scripts(_grouped(inner[0]), "", inner[1])
        case "msub" | "munder", 2:
            return _with_scripts(_grouped(inner[0]), inner[1], "")
        case "msubsup" | "munderover", 3:
            return _with_scripts(_grouped(inner[0]), inner[1], inner[2])
        case "msqrt", _:
            return f"√{_grouped(_joined(inner))}"
        case "mroot", 2:
            return f"{inner[1]}√{_grouped(inner[0])}"
        case "mtable", _:
            return "; ".join(inner)
        case "mtr", _:
            return " ".join(inner)
        case "mfenced", _:
            return f"({','.join(inner)})"
    return _joined(inner)


def _grouped(part: str) -> str:
    part = part.strip()
    return part if not part or _SIMPLE.fullmatch(part) else f"({part})"


def _with_scripts(base: str, below: str, above: str) -> str:
    return base + (f"_{_grouped(below)}" if below else "") + (f"^{_grouped(above)}" if above else "")


def _joined(parts: list[str]) -> str:
    """Parts one after the other; words among them do not run together."""
    written = ""
    for part in filter(None, parts):
        runs_on = _WORD_AT_END.search(written) and _WORD_AT_START.match(part) and len(part) > 1 and len(written) > 1
        written += f" {part}" if runs_on and not (written[-1].isdigit() and part[0].isdigit()) else part
    return written
