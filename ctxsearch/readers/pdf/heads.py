"""The headings of a PDF, which does not say what they are.

A heading is what the outline names; where there is none, a short line in larger or bolder letters than the rest.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from ctxsearch.readers.pdf.lines import Line

LARGER = 1.12
"""A heading's letters are so much larger than the text's."""
BOLDER = 150
LONGEST_HEADING = 150
MOST_HEADINGS = 0.25
"""Where more of the lines look like headings, nothing is to be told from their size: a poster, a drawing."""
LEAST_CHARACTERS = 300
"""In a text shorter than this nothing is to be told either."""

_NUMBERED = re.compile(
    r"(?:(?:chapter|section|part|appendix)\s+)?(\d{1,2}(?:\.\d{1,2}){0,4}|[A-Z](?:\.\d{1,2})+)\.?\s+\S", re.I
)
_WORD = re.compile(r"[^\W\d_]{3}|[\u2e80-\uffdc]")
_NO_WORD = re.compile(r"[\W\d_]+")


def find_headings(pages: Sequence[list[Line]], outline: Sequence[tuple[int, int, str]]) -> dict[int, int]:
    """Levels of the lines that are headings, by the lines' ids.

    Args:
        outline: the bookmarks: index of the page, level, title.
    """
    found = _by_outline(pages, outline)
    return found if len(found) >= 3 else _by_size(pages)


def _by_outline(pages: Sequence[list[Line]], outline: Sequence[tuple[int, int, str]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for index, level, title in outline:
        wanted = _letters(title)
        if not wanted or not 0 <= index < len(pages):
            continue
        for line, below in zip(pages[index], [*pages[index][1:], None], strict=True):
            letters = _letters(line.text)
            if id(line) in found or not letters:
                continue
            if letters == wanted:
                found[id(line)] = level
                break
            if below is not None and letters + _letters(below.text) == wanted:
                found[id(line)] = found[id(below)] = level
                break
    return found


def _letters(text: str) -> str:
    return _NO_WORD.sub("", text).lower()


def _by_size(pages: Sequence[list[Line]]) -> dict[int, int]:
    lines = [line for page in pages for line in page]
    sizes: Counter[float] = Counter()
    weights: dict[float, Counter[int]] = defaultdict(Counter)
    for line in lines:
        sizes[_rounded(line.size)] += len(line.text)
        weights[_rounded(line.size)][line.weight] += len(line.text)
    if sum(sizes.values()) < LEAST_CHARACTERS:
        return {}
    body = sizes.most_common(1)[0][0]
    weight = weights[body].most_common(1)[0][0]
    chosen: list[tuple[Line, bool]] = []
    for line in lines:
        if line.group:
            continue
        larger = line.size >= LARGER * body
        bolder = line.weight >= weight + BOLDER and line.size >= 0.95 * body and not larger
        letters = _letters(line.text)
        if not (larger or bolder) or len(line.text) > LONGEST_HEADING or not _WORD.search(line.text):
            continue
        if 2 * len(letters) < len(line.text):  # figures, signs
            continue
        if bolder and (len(line.text) > 90 or line.text.endswith((".", ",", ";"))):
            continue
        chosen.append((line, larger))
    if len(chosen) > MOST_HEADINGS * len(lines):
        return {}
    ranks = sorted({_rounded(line.size) for line, larger in chosen if larger}, reverse=True)[:4]
    found = {}
    for line, larger in chosen:
        level = (
            next((n for n, size in enumerate(ranks, start=1) if line.size >= size - 0.3), len(ranks)) if larger else 0
        )
        level = level or len(ranks) + 1
        if numbered := _NUMBERED.match(line.text):
            level = max(1, numbered[1].count(".") + 1 + (level > 1 and len(ranks) > 1 and ranks[0] > 1.3 * body))
        found[id(line)] = min(level, 6)
    return found


def title_of(page: Sequence[Line]) -> str:
    """What stands on the first page in the largest letters, if they are much larger than most and in few lines."""
    if len(page) < 5:
        return ""
    sizes: Counter[float] = Counter()
    for line in page:
        sizes[_rounded(line.size)] += len(line.text)
    largest = max(line.size for line in page)
    lines = [line.text for line in page if line.size > largest - 0.5]
    title = " ".join(lines)
    fits = largest >= 1.2 * sizes.most_common(1)[0][0] and len(lines) <= 4 and 5 <= len(title) <= 200
    return title if fits and 2 * len(_letters(title)) > len(title) else ""


def _rounded(size: float) -> float:
    return round(2 * size) / 2
