"""A Document becomes Contexts with sentence spans. Pure: no file, no model; what counts tokens is passed in.

The invariants, whatever the text:

- the contexts of a document tile its text: ``"".join(c.text for c in contexts) == document.text``;
- the sentences of a context tile the context;
- no context has more tokens than the budget;
- a sentence that begins on another page than the context is not in it.

A context begins at a heading, and otherwise where a paragraph, else a sentence, begins; within a sentence only where
that sentence alone is too long.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias

import sentencex

from ctxsearch import abbreviations
from ctxsearch.records import Context, Document, Heading, Page, Sentence

TokenCounter: TypeAlias = Callable[[Sequence[str]], list[int]]
"""Tokens of each text, the frame of ``[CLS]`` and ``[SEP]`` not counted."""

LANGUAGE = "en"
"""Whose abbreviations do not end a sentence. sentencex knows the stops and quotes of other scripts all the same."""

SENTENCES_PER_COUNT = 4096
"""Sentences whose tokens are counted in one call: bounds the memory that a large document takes."""

_PARAGRAPH_END = re.compile(r"(?:\r\n|\r|\n)[ \t]*(?:(?:\r\n|\r|\n)[ \t]*)+")
_LINE_THAT_STANDS_ALONE = re.compile(
    r"(?:\r\n|\r|\n)(?=[ \t]*(?:[-*+•‣–] |\d{1,3}[.)] |\||#{1,6} |```)|[^\r\n]{1,200} \| )"  # list item, table row, …
    r"|^#{1,6} [^\r\n]*(?:\r\n|\r|\n)",  # the line below a Markdown heading
    re.MULTILINE,
)
MAX_CHARACTERS_PER_TOKEN = 32
"""A context has at most so many characters for each token of its budget. Words are shorter; what is longer (encoded
data, a run of dashes) is one unknown token to the model, and would make contexts that nobody can read."""

_ITEM_MARK = re.compile(r"\(?\d{1,3}[.)]|[-*+•‣–]")

_SAFE_SPACE = " \t\r\n"
"""White space at which every BERT tokenizer separates words, so that tokens on both sides simply add up."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A span that is kept whole: a sentence, or a piece of one that alone is too long."""

    start: int
    end: int
    tokens: int
    opens_paragraph: bool


class _Pages:
    """Which page an offset stands on."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._starts = [page.start for page in pages]
        self._numbers = [page.number for page in pages]

    def number_at(self, offset: int) -> int | None:
        """Number of the page, None for a text without pages. What stands before the first belongs to it."""
        return self._numbers[max(0, bisect_right(self._starts, offset) - 1)] if self._numbers else None

    def differ(self, one: int, other: int) -> bool:
        """Whether two offsets, the second not before the first, stand on different pages."""
        return bool(self._starts) and self.number_at(one) != self.number_at(other)


def split(document: Document, count_tokens: TokenCounter, budget: int) -> Iterator[Context]:
    """Cut a document into contexts, in order.

    Args:
        document: its headings must be in order of their offsets.
        count_tokens: counts tokens as the model's tokenizer does.
        budget: most tokens of a context, ``[CLS]`` and ``[SEP]`` not counted; at least 8.

    Yields:
        Contexts that tile the text. None for an empty text.
    """
    if budget < 8:
        raise ValueError(f"a budget of {budget} tokens is too small to cut text for")
    pages = _Pages(document.pages)
    for start, end, titles in _sections(document):
        units = _units(document.text, start, end, count_tokens, budget)
        for group in _groups(units, budget, pages):
            for context in _contexts(document.text, group, titles, count_tokens, budget):
                yield replace(context, page=page) if (page := pages.number_at(context.start)) else context


def sentence_spans(text: str) -> list[tuple[int, int, bool]]:
    """Sentences of a text as (start, end, opens a paragraph): they tile it, and only an empty text has none.

    List items, table rows and headings are sentences of their own; white space belongs to the sentence before it.
    """
    paragraphs = {0, *(match.end() for match in _PARAGRAPH_END.finditer(text))}
    lines = {match.end() for match in _LINE_THAT_STANDS_ALONE.finditer(text)}
    starts = sorted(start for start in paragraphs | lines if start < len(text))
    spans: list[tuple[int, int, bool]] = []
    for block_start, block_end in pairwise([*starts, len(text)]):
        block = text[block_start:block_end]
        opens = block_start in paragraphs
        offset = block_start
        # Without the white space at its end, of which sentencex 1.0.32 may lose some; that goes to the last sentence.
        sentences = sentencex.segment(LANGUAGE, block.rstrip()) or [block]
        if sum(map(len, sentences)) != len(block.rstrip()):
            sentences = [block]  # a segmenter that loses characters is not to be believed
        sentences = abbreviations.mended(sentences)
        for number, sentence in enumerate(sentences, start=1):
            end = offset + len(sentence) if number < len(sentences) else block_end
            bare = sentence.strip()
            if (
                spans
                and spans[-1][1] == offset > block_start
                and _ITEM_MARK.fullmatch(text[spans[-1][0] : offset].strip())
            ):
                start, _, was_opening = spans.pop()  # "1." is no sentence: it goes with what it numbers
                spans.append((start, end, was_opening))
            elif not bare and spans:
                start, _, was_opening = spans.pop()
                spans.append((start, end, was_opening))
            else:
                spans.append((offset, end, opens))
                opens = False
            offset = end
    return spans


def _sections(document: Document) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Spans from heading to heading, with the titles they stand under; they tile the text.

    A heading directly below another stays with it: no span is a heading alone, but perhaps the last.
    """
    text = document.text
    if not text:
        return
    path: list[Heading] = []
    start = body_start = 0
    for heading in document.headings:
        if not body_start <= heading.start < len(text):
            continue  # out of order, or outside of the text
        if text[body_start : heading.start].strip():
            yield start, heading.start, tuple(above.title for above in path)
            start = heading.start
        path = [above for above in path if above.level < heading.level] + [heading]
        line_end = text.find("\n", heading.start)
        body_start = len(text) if line_end < 0 else line_end + 1
    yield start, len(text), tuple(above.title for above in path)


def _units(text: str, start: int, end: int, count_tokens: TokenCounter, budget: int) -> Iterator[_Unit]:
    """The sentences of a span with their tokens counted; those too long for the budget in pieces."""
    spans = sentence_spans(text[start:end])
    for first in range(0, len(spans), SENTENCES_PER_COUNT):
        some = spans[first : first + SENTENCES_PER_COUNT]
        too_long = MAX_CHARACTERS_PER_TOKEN * budget
        counts = count_tokens([text[start + s : start + e] if e - s <= too_long else "" for s, e, _ in some])
        for (s, e, opens), tokens in zip(some, counts, strict=True):
            if tokens <= budget and e - s <= too_long:
                yield _Unit(start + s, start + e, tokens, opens)
                continue
            for piece_start, piece_end, piece_tokens in _pieces(text, start + s, start + e, count_tokens, budget):
                yield _Unit(piece_start, piece_end, piece_tokens, opens)
                opens = False


def _pieces(text: str, start: int, end: int, count_tokens: TokenCounter, budget: int) -> Iterator[tuple[int, int, int]]:
    """Cut a span that is too long into pieces that fit, at white space where there is some."""
    while start < end:
        # A token is seldom longer than eight characters and never shorter than a part of one: begin with a generous
        # guess and halve it until it fits. One character always fits, since the budget is at least eight tokens.
        length = min(end - start, 8 * budget)
        while True:
            cut = _cut_near(text, start, start + length) if start + length < end else end
            tokens = count_tokens([text[start:cut]])[0]
            if tokens <= budget or cut - start == 1:
                break
            length = max(1, min(length // 2, cut - start - 1))
        yield start, cut, tokens
        start = cut


def _cut_near(text: str, start: int, limit: int) -> int:
    """The end of the last white space in the second half of a span, else the span's end."""
    for cut in range(limit, start + (limit - start) // 2, -1):
        if text[cut - 1] in _SAFE_SPACE:
            return cut
    return limit


def _groups(units: Iterator[_Unit], budget: int, pages: _Pages) -> Iterator[list[_Unit]]:
    """Units put together as long as they fit. Where the next one does not, the group ends at the last paragraph's
    start in its second half, else right there; where a page ends, it ends too."""
    group: list[_Unit] = []
    total = 0
    most_characters = MAX_CHARACTERS_PER_TOKEN * budget
    for unit in units:
        if group and unit.tokens == 0:  # nothing the model can see: no sentence of its own
            last = group[-1]
            group[-1] = _Unit(last.start, unit.end, last.tokens, last.opens_paragraph)
            continue
        if group and pages.differ(group[0].start, unit.start):
            yield group
            group, total = [], 0
        while group and (total + unit.tokens > budget or unit.end - group[0].start > most_characters):
            cut = len(group) if unit.opens_paragraph else _paragraph_cut(group, total)
            yield group[:cut]
            group = group[cut:]
            total = sum(kept.tokens for kept in group)
        group.append(unit)
        total += unit.tokens
    if group:
        yield group


def _paragraph_cut(group: list[_Unit], total: int) -> int:
    kept = total
    for index in range(len(group) - 1, 0, -1):
        kept -= group[index].tokens
        if kept < total / 2:
            break
        if group[index].opens_paragraph:
            return index
    return len(group)


def _contexts(
    text: str, group: list[_Unit], titles: tuple[str, ...], count_tokens: TokenCounter, budget: int
) -> Iterator[Context]:
    """The context of a group; two, if its tokens do not simply add up and the sum is over the budget."""
    start, end = group[0].start, group[-1].end
    content = text[start:end]
    tokens = sum(unit.tokens for unit in group)
    if any(text[unit.end - 1] not in _SAFE_SPACE for unit in group[:-1]):
        tokens = count_tokens([content])[0]
        if tokens > budget and len(group) > 1:
            half = len(group) // 2
            yield from _contexts(text, group[:half], titles, count_tokens, budget)
            yield from _contexts(text, group[half:], titles, count_tokens, budget)
            return
    yield Context(
        start=start,
        end=end,
        text=content,
        tokens=tokens,
        headings=titles,
        sentences=tuple(Sentence(unit.start, unit.end) for unit in group),
    )
