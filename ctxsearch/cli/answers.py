"""Answers as a person reads them: rank, score, place, and the context around the matched sentence.

A terminal gets them wrapped to its width, with colours, a bar for the score, and places that a click opens; a pipe gets
the same without those, the matched sentence between » and «. Which of the two, `terminal` says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ctxsearch.cli import terminal
from ctxsearch.cli.present import place
from ctxsearch.readers.kinds import CODE, LINED
from ctxsearch.records import Answer, Hit
from ctxsearch.words import spans, words

if TYPE_CHECKING:
    from ctxsearch.index import Index

EXCERPT_CHARACTERS = 420
"""Of a context, around the matched sentence, which is never cut: five lines of 80 columns."""

INDENT = 4
BAR_CELLS = 8
NARROW = 60
"""Columns below which there is no bar."""

SENTENCE, WORD = 1, 2
"""Marks of a character: in the matched sentence, in a word of the question."""

_STYLES = {0: "", SENTENCE: "bold", WORD: "yellow", SENTENCE | WORD: "bold yellow"}


class Piece(NamedTuple):
    """Characters that look alike."""

    text: str
    style: str = ""
    """As rich names it."""


def show(found: Answer, index: Index, *, title: bool = False, full: bool = False, plain: bool = False) -> None:
    """Print an answer.

    Args:
        found: the answer.
        index: where it comes from; asked for the lines of texts.
        title: with the question above it.
        full: whole contexts, not excerpts.
        plain: as for a pipe, on a terminal too.
    """
    writer = _Writer(plain)
    asked = _question_words(found.question)
    if title:
        writer.line([Piece(terminal.clean(found.question), "bold")], "")
        writer.blank()
    barred = all(0.0 <= hit.score <= 1.0 for hit in found)
    for hit in found:
        writer.head(hit, place(hit, line_of(hit, index)), barred)
        for line in _lines(hit, asked if writer.styled else None, full):
            writer.line(line)
        writer.blank()


def sources(found: Sequence[Answer]) -> Iterator[str]:
    """The sources of all hits, best first, each once."""
    yield from dict.fromkeys(hit.source for answer in found for hit in answer)


def line_of(hit: Hit, index: Index) -> int | None:
    """Number of the line on which the matched sentence begins, where the text is the file's own."""
    if hit.metadata.get("mime_type") not in LINED:
        return None
    return index.text(document_id=hit.document_id).count("\n", 0, hit.sentence.start) + 1


# What is shown of a context


def _lines(hit: Hit, asked: frozenset[str] | None, full: bool) -> list[list[Piece]]:
    """The lines of a hit's text, not wrapped: the whole context, or as much as fits around the matched sentence.

    Args:
        asked: stems of the words to mark; None for a text without styles, where » and « mark the sentence alone.
    """
    start, end = hit.sentence.start - hit.start, hit.sentence.end - hit.start
    first, last = (0, len(hit.text)) if full else _excerpt(hit.text, start, end)
    cut = first > 0
    if not full:
        first = _after_heading(hit, first, start)
    text = hit.text[first:last]
    if hit.metadata.get("mime_type") not in _CODE:
        text = _reflowed(text)
    start, end = start - first, end - first
    if asked is None:
        text = f"{text[:start]}»{text[start:end]}«{text[end:]}"
        marks = bytes(len(text))
    else:
        marks = _marks(text, start, end, asked)
    lines = []
    position = 0
    for line in text.split("\n"):
        marked = zip(line, marks[position : position + len(line)], strict=True)
        runs = [(mark, "".join(c for c, _ in group)) for mark, group in groupby(marked, key=lambda one: one[1])]
        position += len(line) + 1
        if line.strip():
            lines.append([Piece(terminal.clean(run), _STYLES[mark]) for mark, run in runs])
    if lines and cut:
        lines[0].insert(0, Piece("… "))
    if lines and last < len(hit.text.rstrip()):
        lines[-1].append(Piece(" …"))
    return lines


def _marks(text: str, start: int, end: int, asked: frozenset[str]) -> bytes:
    """For each character, whether it stands in the sentence ``text[start:end]`` and in a word that was asked for."""
    marks = bytearray(len(text))
    marks[start:end] = bytes([SENTENCE]) * (end - start)
    for first, last, word in spans(text):
        if _stem(word) in asked:
            for position in range(first, last):
                marks[position] |= WORD
    return bytes(marks)


def _excerpt(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the excerpt around the sentence ``text[start:end]`` begins and ends: at words, as much before as after."""
    room = max(0, EXCERPT_CHARACTERS - (end - start))
    before, after = start, max(0, len(text.rstrip()) - end)
    left = min(before, max(room // 2, room - after))
    right = min(after, room - left)
    first, last = start - left, end + right
    if first > 0:
        window = text[first : min(start, first + _LONGEST_WORD)]
        cut = re.search(r"\n", window) or re.search(r"\s", window)
        first = first + cut.end() if cut else first
    if last < end + after:
        cut = re.search(r"\s\S*$", text[max(end, last - _LONGEST_WORD) : last])
        last = max(end, last - _LONGEST_WORD) + cut.start() if cut else last
    return first, last


def _after_heading(hit: Hit, first: int, start: int) -> int:
    """Where the excerpt begins without the heading that stands in the hit's place already, and without a table's rule.

    Args:
        first: where the excerpt begins so far.
        start: where the matched sentence begins; nothing of that is left out.
    """
    line = re.compile(r"\s*(.*)\n\s*").match(hit.text, first)
    if line is None or line.end() > start:
        return first
    title = line[1].strip(" #=*\t")
    known = title in (hit.title, *hit.headings[-1:]) if title else True
    return line.end() if known or not re.search(r"\w", title) else first


_LONGEST_WORD = 40
_FULL_LINE = 45
"""Characters from which a line that ends was wrapped by its writer, not ended."""

_OWN_LINE = re.compile(r"\s|[-*+•>#|=~`]|\d+[.)]\s|[A-Za-z][.)]\s|$")


def _reflowed(text: str) -> str:
    """The text with spaces for the newlines inside of paragraphs; of the same length."""
    lines = text.split("\n")
    joined = lines[0]
    for before, line in pairwise(lines):
        flows = len(before.rstrip()) >= _FULL_LINE and not _OWN_LINE.match(line) and before[:1] not in "#|"
        joined += (" " if flows else "\n") + line
    return joined


_CODE = frozenset(CODE.values())

# The question's words

_ENDING = re.compile(r"(?:ations?|ions?|ings?|ed|als?|ers?|e|ly|ments?)$")
_LEAST_STEM = 3
_FUNCTION_WORDS = frozenset(
    """
    a about after all am an and any are as at be been before being between both but by can could did do does for
    from had has have he her here him his how i if in into is it its just may me might mine more most much must my
    no nor not of off on or our out over own shall she should so some such than that the their them then there
    these they this those to too under up us very was we were what when where which while who whom whose why
    will with would you your
    """.split()
)


def _question_words(question: str) -> frozenset[str]:
    """What is marked: the question's words but those that stand in every text."""
    return frozenset(_stem(word) for _, _, word in spans(question) if word not in _FUNCTION_WORDS)


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    """What "approve", "approved" and "approval" share. It only marks words; it finds none.

    Args:
        word: as `spans` gives it.
    """
    (singular,) = words(word) or {word}
    stem = _ENDING.sub("", singular)
    stem = stem if len(stem) >= _LEAST_STEM else singular
    return stem[:-1] if len(stem) > _LEAST_STEM and stem[-1] == stem[-2] else stem


# Writing


class _Writer:
    """Lines to standard output, as what is there can show them."""

    def __init__(self, plain: bool) -> None:
        self.styled = terminal.is_styled(sys.stdout) and not plain
        self.linked = terminal.has_links(sys.stdout) and not plain
        self.columns = terminal.width(sys.stdout)
        self._wrapped = min(self.columns, terminal.WIDEST)
        # A pipe need not wait for rich.
        self._console = terminal.console(plain=plain) if self.styled or sys.stdout.isatty() else None

    def head(self, hit: Hit, where: str, barred: bool) -> None:
        """Rank, score and place of a hit."""
        pieces = [Piece(str(hit.rank), "bold"), Piece(f"  {hit.score:.3f}  ")]
        if barred and self.styled and self.columns >= NARROW:
            bar = _bar(hit.score)
            pieces += [Piece(bar, "green"), Piece("━" * (BAR_CELLS - len(bar)), "bright_black"), Piece("  ")]
        ends = len(terminal.clean(hit.source))
        name, titles = where[:ends], where[ends:]
        target = _target(hit.source) if self.linked else None
        pieces += [Piece(name, f"bold cyan link {target}" if target else "bold cyan"), Piece(titles, "cyan")]
        if self._console is None:
            terminal.say("".join(piece.text for piece in pieces))  # one line, so that it can be searched for
        else:
            self.line(pieces, "")

    def line(self, pieces: Sequence[Piece], indent: str = " " * INDENT) -> None:
        """A line of text, wrapped and indented; no indent before the first line of an outdented one."""
        columns = self._wrapped - INDENT
        if self._console is None:
            for line in terminal.wrapped("".join(piece.text for piece in pieces), columns):
                terminal.say(indent + line)
            return
        from rich.text import Text

        cleaned = (piece._replace(text=terminal.clean(piece.text)) for piece in pieces)
        lines = Text.assemble(*cleaned).wrap(self._console, max(1, columns), overflow="fold")
        for number, wrapped in enumerate(lines):
            wrapped.rstrip()
            self._console.print(Text(" " * INDENT if number else indent) + wrapped, soft_wrap=True)

    @staticmethod
    def blank() -> None:
        terminal.say("")


def _bar(score: float) -> str:
    """A bar as long as the score, in halves of a cell."""
    halves = round(score * BAR_CELLS * 2)
    return "━" * (halves // 2) + "╸" * (halves % 2)


def _target(source: str) -> str | None:
    """What a click on a place opens: the file if it is there, or the address that the source is."""
    if re.match(r"https?://[!-~]+$", source):
        return source
    path = Path(source)
    try:
        return path.resolve().as_uri() if path.is_file() else None
    except (OSError, ValueError):
        return None
