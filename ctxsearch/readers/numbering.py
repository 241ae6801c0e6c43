"""Numbers of paragraphs as Word shows them: "Section 2.", "1.2.3", "(a)", and dashes for bullets.

A paragraph names a list (``numId``) and a level, itself or by its style. The list leads to an abstract definition,
whose levels say how to count and what to write; the levels of one abstract definition are counted together, unless a
list starts its own. ECMA-376 part 1, section 17.9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from ctxsearch.readers.xmltree import attribute, child, children, descendants

LEVELS = 9
BULLET = "-"
_PLACEHOLDER = re.compile(r"%([1-9])")
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Level:
    start: int = 1
    form: str = "decimal"
    text: str = ""
    restart: int | None = None
    """Restarts after this level and those above it, counted from 1; never for 0; None for any above."""
    legal: bool = False
    style: str = ""


@dataclass(slots=True)
class _List:
    abstract: str
    levels: dict[int, _Level]
    starts: dict[int, int]
    """Levels that this list starts anew, at its first use."""
    started: set[int] = field(default_factory=set)


class Numbering:
    """Counts the paragraphs of a document; ask for each of them in order."""

    def __init__(self, numbering: Element | None, styles: Element | None) -> None:
        """Take the definitions.

        Args:
            numbering: root of ``numbering.xml``.
            styles: root of ``styles.xml``.
        """
        self._style_numbers = _numbers_of_styles(styles)
        self._lists = _lists(numbering, self._style_numbers)
        self._counts: dict[str, list[int | None]] = {}

    def label(self, settings: Element | None, style: str) -> str | None:
        """What stands before a paragraph: `BULLET`, a number, "" for nothing; None if it is in no list.

        Args:
            settings: its ``pPr``.
            style: the id of its style.
        """
        number = child(settings, "numPr") if settings is not None else None
        list_id, level = _reference(number)
        inherited = self._style_numbers.get(style)
        if list_id is None and inherited:
            list_id = inherited[0]
            if level is None:
                level = self._level_of_style(list_id, style) if inherited[1] is None else inherited[1]
        if list_id is None:
            return None if number is None else BULLET
        if list_id == "0":  # taken out of the list that its style puts it in
            return None
        return self._count(list_id, min(max(level or 0, 0), LEVELS - 1))

    def _level_of_style(self, list_id: str, style: str) -> int | None:
        levels = self._lists[list_id].levels if list_id in self._lists else {}
        return next((number for number, level in levels.items() if level.style == style), None)

    def _count(self, list_id: str, number: int) -> str:
        found = self._lists.get(list_id)
        if found is None or number not in found.levels:
            return BULLET
        level = found.levels[number]
        counts = self._counts.setdefault(found.abstract, [None] * LEVELS)
        if number in found.starts and number not in found.started:
            found.started.add(number)
            counts[number] = None
            start = found.starts[number]
        else:
            start = level.start
        counts[number] = start if counts[number] is None else (counts[number] or 0) + 1
        for deeper in range(number + 1, LEVELS):
            restart = found.levels[deeper].restart if deeper in found.levels else None
            if restart is None or number < restart:
                counts[deeper] = None
        if level.form == "bullet":
            return BULLET
        return _PLACEHOLDER.sub(lambda match: self._shown(found, counts, int(match[1]) - 1, level), level.text).strip()

    @staticmethod
    def _shown(found: _List, counts: list[int | None], number: int, level: _Level) -> str:
        its_level = found.levels.get(number, _Level())
        count = counts[number]
        form = "decimal" if level.legal else its_level.form
        return formatted(its_level.start if count is None else count, form)


def formatted(number: int, form: str) -> str:
    """A number as a format of Word (``w:numFmt``) writes it; plainly in one that is not known."""
    match form:
        case "none" | "bullet":
            return ""
        case "decimalZero":
            return f"{number:02}"
        case "upperRoman" | "lowerRoman" if 0 < number < 4000:
            return _roman(number).upper() if form == "upperRoman" else _roman(number)
        case "upperLetter" | "lowerLetter" if 0 < number < 2000:
            letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
            return letter.upper() if form == "upperLetter" else letter
        case "ordinal":
            suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
            return f"{number}{suffix}"
        case "cardinalText" if 0 <= number < 100:
            return _in_words(number).capitalize()
        case "ordinalText" if 0 <= number < 100:
            return _ordinal(number).capitalize()
    return str(number)


def _roman(number: int) -> str:
    written = ""
    for value, letters in _ROMAN:
        times, number = divmod(number, value)
        written += letters * times
    return written


def _in_words(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def _ordinal(number: int) -> str:
    head, dash, last = _in_words(number).rpartition("-")
    if last in _ORDINALS:
        return head + dash + _ORDINALS[last]
    return head + dash + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def _reference(number: Element | None) -> tuple[str | None, int | None]:
    """The list and the level that a ``numPr`` names."""
    if number is None:
        return None, None
    list_id, level = child(number, "numId"), child(number, "ilvl")
    return (attribute(list_id, "val") if list_id is not None else None), _integer(level, None)


def _integer(node: Element | None, default: int | None) -> int | None:
    value = attribute(node, "val") if node is not None else ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else default


def _numbers_of_styles(styles: Element | None) -> dict[str, tuple[str, int | None]]:
    """List and level by style id, of styles based on others too."""
    stated: dict[str, tuple[str | None, int | None]] = {}
    based: dict[str, str] = {}
    for style in children(styles, "style") if styles is not None else ():
        identity = attribute(style, "styleId")
        base, settings = child(style, "basedOn"), child(style, "pPr")
        stated[identity] = _reference(child(settings, "numPr") if settings is not None else None)
        if base is not None:
            based[identity] = attribute(base, "val")
    found: dict[str, tuple[str, int | None]] = {}
    for identity in stated:
        level: int | None = None
        above, steps = identity, 0
        while above in stated and steps < 20:
            list_id, its_level = stated[above]
            level = its_level if level is None else level
            if list_id is not None:
                found[identity] = list_id, level
                break
            above, steps = based.get(above, ""), steps + 1
    return found


def _lists(root: Element | None, style_numbers: dict[str, tuple[str, int | None]]) -> dict[str, _List]:
    if root is None:
        return {}
    abstracts = {attribute(node, "abstractNumId"): node for node in children(root, "abstractNum")}
    numbers = {attribute(node, "numId"): node for node in children(root, "num")}
    found = {}
    for identity, node in numbers.items():
        reference = child(node, "abstractNumId")
        abstract = attribute(reference, "val") if reference is not None else ""
        abstract = _followed(abstract, abstracts, numbers, style_numbers)
        levels = _levels(abstracts[abstract]) if abstract in abstracts else {}
        starts = {}
        for override in children(node, "lvlOverride"):
            levels |= _levels(override)
            start = _integer(child(override, "startOverride"), None)
            level = attribute(override, "ilvl")
            if start is not None and level.isascii() and level.isdigit() and int(level) < LEVELS:
                starts[int(level)] = start
                levels[int(level)] = replace(levels.get(int(level), _Level()), start=start)
        found[identity] = _List(abstract, levels, starts)
    return found


def _followed(
    abstract: str,
    abstracts: dict[str, Element],
    numbers: dict[str, Element],
    style_numbers: dict[str, tuple[str, int | None]],
) -> str:
    """The abstract definition that one refers to by the name of a style, if it does."""
    node = abstracts.get(abstract)
    link = child(node, "numStyleLink") if node is not None else None
    if link is None:
        return abstract
    target = numbers.get(style_numbers.get(attribute(link, "val"), ("", None))[0])
    reference = child(target, "abstractNumId") if target is not None else None
    return attribute(reference, "val") if reference is not None else abstract


def _levels(parent: Element) -> dict[int, _Level]:
    """The levels that an abstract definition, or a list that differs from it, states."""
    found = {}
    for node in children(parent, "lvl"):
        number = attribute(node, "ilvl")
        if not (number.isascii() and number.isdigit() and int(number) < LEVELS):
            continue
        text, style = child(node, "lvlText"), child(node, "pStyle")
        form = next(descendants(node, "numFmt"), None)  # forms of Word's own, such as "001", stand below alternatives
        found[int(number)] = _Level(
            _integer(child(node, "start"), 1) or 0,
            attribute(form, "val") if form is not None else "decimal",
            attribute(text, "val") if text is not None else "",
            _integer(child(node, "lvlRestart"), None),
            child(node, "isLgl") is not None,
            attribute(style, "val") if style is not None else "",
        )
    return found
