"""Numbers of headings and list items in OpenDocument files, as an office program shows them.

A list names a style, whose levels say how to count and what to write around the number. OpenDocument 1.3, part 3,
sections 5.3 (lists) and 16.30 (their styles).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from ctxsearch.readers.numbering import BULLET, formatted
from ctxsearch.readers.xmltree import attribute, descendants, local

LEVELS = 10
_FORMS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}


@dataclass(frozen=True, slots=True)
class _Level:
    form: str = ""
    """A format of numbers; "" for none, `BULLET`."""
    before: str = ""
    after: str = ""
    start: int = 1
    shown: int = 1
    """How many levels are shown, from this one up."""


@dataclass(slots=True)
class List:
    """A list that is being counted."""

    style: str
    counts: list[int] = field(default_factory=lambda: [0] * LEVELS)


class ListStyles:
    """The list styles of a document, and the numbers of its headings."""

    def __init__(self, *roots: Element | None) -> None:
        """Take the styles of ``styles.xml`` and ``content.xml``."""
        self._styles: dict[str, dict[int, _Level]] = {}
        self._outline: dict[int, _Level] = {}
        self._headings = List("")
        self._last: dict[str, List] = {}
        for root in roots:
            if root is None:
                continue
            for style in descendants(root, "list-style"):
                self._styles[attribute(style, "name")] = _levels(style)
            for style in descendants(root, "outline-style"):
                self._outline = _levels(style)

    def begin(self, node: Element, style: str) -> List:
        """A list that begins, or goes on with the counts of the last of its style."""
        last = self._last.get(style)
        goes_on = attribute(node, "continue-numbering") == "true" or attribute(node, "continue-list")
        self._last[style] = found = last if last and goes_on else List(style)
        return found

    def label(self, of: List, depth: int, item: Element) -> str:
        """What stands before an item; it is counted.

        Args:
            of: its list.
            depth: of the item, from 0.
            item: its node, which may say with what number it starts.
        """
        levels = self._styles.get(of.style, {})
        level = levels.get(depth)
        if level is None or level.form == BULLET:
            return BULLET
        return _counted(levels, of.counts, depth, _start(item, "start-value"))

    def heading(self, node: Element, depth: int) -> str:
        """What stands before a heading at a level from 0; it is counted, if headings are."""
        if attribute(node, "is-list-header") == "true" or depth not in self._outline:
            return ""
        return _counted(self._outline, self._headings.counts, depth, _start(node, "start-value"))


def _counted(levels: dict[int, _Level], counts: list[int], depth: int, start: int | None) -> str:
    level = levels[depth]
    if start is not None:
        counts[depth] = start
    else:
        counts[depth] = counts[depth] + 1 if counts[depth] else level.start
    for deeper in range(depth + 1, LEVELS):
        counts[deeper] = 0
    if not level.form:
        return ""
    numbers = []
    for number in range(max(0, depth - level.shown + 1), depth + 1):
        its_level = levels.get(number, _Level())
        if its_level.form and its_level.form != BULLET:
            numbers.append(formatted(counts[number] or its_level.start, its_level.form))
    return f"{level.before}{'.'.join(numbers)}{level.after}".strip()


def _levels(style: Element) -> dict[int, _Level]:
    found = {}
    for node in style:
        number = _start(node, "level")
        name = local(node.tag)
        if number is None or not 0 < number <= LEVELS:
            continue
        if name in ("list-level-style-bullet", "list-level-style-image"):
            found[number - 1] = _Level(BULLET)
        elif name in ("list-level-style-number", "outline-level-style"):
            found[number - 1] = _Level(
                _FORMS.get(attribute(node, "num-format"), ""),
                attribute(node, "num-prefix"),
                attribute(node, "num-suffix"),
                _start(node, "start-value") or 1,
                _start(node, "display-levels") or 1,
            )
    return found


def _start(node: Element, name: str) -> int | None:
    value = attribute(node, name)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 9 else None
