"""Question sets: paragraphs, and questions that they answer. Read from files, split by article; for training and for
measuring alike.

Three kinds of files are read, each packed with gzip or not: JSON in SQuAD v1.1 format; JSON Lines of paragraphs with
their questions; JSON Lines of questions and the source that answers each in an index that is there.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ctxsearch.errors import SourceError
from ctxsearch.records import IntArray

HELD_OUT_PERCENT = 30
"""Share of the titled articles that training never sees."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Paragraphs, and questions that they answer."""

    name: str
    paragraphs: tuple[str, ...]
    titles: tuple[str, ...]
    """For each paragraph its article, or empty where that is not known."""
    questions: tuple[str, ...]
    gold: IntArray
    """For each question the number of its paragraph, int64 of shape (questions,)."""
    answers: tuple[tuple[str, ...], ...] = ()
    """For each question the texts that answer it; empty where the set has none."""

    @property
    def digest(self) -> str:
        """SHA-256 of paragraphs, questions and what answers what, as hex."""
        said = json.dumps([self.paragraphs, self.questions, self.gold.tolist()], ensure_ascii=False)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    def select(self, keep: Sequence[bool]) -> QuestionSet:
        """The paragraphs that ``keep`` says, with their questions."""
        kept = np.asarray(keep, bool)
        number = np.cumsum(kept) - 1
        asked = kept[self.gold]
        return QuestionSet(
            self.name,
            tuple(text for text, wanted in zip(self.paragraphs, kept, strict=True) if wanted),
            tuple(title for title, wanted in zip(self.titles, kept, strict=True) if wanted),
            tuple(question for question, wanted in zip(self.questions, asked, strict=True) if wanted),
            number[self.gold[asked]].astype(np.int64),
            tuple(own for own, wanted in zip(self.answers, asked, strict=False) if wanted),
        )

    def ask_only(self, keep: Sequence[bool]) -> QuestionSet:
        """All paragraphs, and of the questions those whose paragraph ``keep`` says."""
        asked = np.asarray(keep, bool)[self.gold]
        return QuestionSet(
            self.name,
            self.paragraphs,
            self.titles,
            tuple(question for question, wanted in zip(self.questions, asked, strict=True) if wanted),
            self.gold[asked],
            tuple(own for own, wanted in zip(self.answers, asked, strict=False) if wanted),
        )

    def ask_held_out(self) -> QuestionSet:
        """All paragraphs, and the questions about the held-out articles.

        Raises:
            SourceError: there are none.
        """
        asked = self.ask_only(held_out(self.titles, self.paragraphs))
        if not asked.questions:
            raise SourceError(self.name, "has no questions about articles that training leaves out")
        return asked

    def __add__(self, other: QuestionSet) -> QuestionSet:
        return QuestionSet(
            f"{self.name}, {other.name}",
            self.paragraphs + other.paragraphs,
            self.titles + other.titles,
            self.questions + other.questions,
            np.concatenate([self.gold, other.gold + len(self.paragraphs)]),
        )


class SourceQuestion(NamedTuple):
    """A question, and the source that answers it in an index."""

    question: str
    source: str


def read_questions(path: Path) -> QuestionSet:
    """Read paragraphs with their questions.

    JSON in SQuAD v1.1 format, or JSON Lines with ``{"question", "context"}`` or ``{"context", "qas": [{"question"}]}``
    a line, each with an optional ``title``. The same paragraph twice is one in JSON Lines, and two in SQuAD format.

    Raises:
        SourceError: the file cannot be read, or is something else.
    """
    text = _text(path)
    paragraphs: list[str] = []
    titles: list[str] = []
    questions: list[str] = []
    gold: list[int] = []
    answers: list[tuple[str, ...]] = []
    numbers: dict[str, int] = {}
    try:
        for fresh, paragraph in _paragraphs(text):
            context = str(paragraph["context"])
            number = len(paragraphs) if fresh else numbers.setdefault(context, len(paragraphs))
            if number == len(paragraphs):
                paragraphs.append(context)
                titles.append(str(paragraph.get("title") or "").replace("_", " "))
            for asked in paragraph.get("qas", [paragraph]):
                if question := str(asked["question"]).strip():
                    questions.append(question)
                    gold.append(number)
                    answers.append(tuple(str(answer["text"]) for answer in asked.get("answers", ())))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            str(path), 'is neither in SQuAD format nor JSON Lines of {"question": …, "context": …}'
        ) from error
    if not questions:
        raise SourceError(str(path), "has no questions")
    return QuestionSet(
        path.name,
        tuple(paragraphs),
        tuple(titles),
        tuple(questions),
        np.array(gold, np.int64),
        tuple(answers) if any(answers) else (),
    )


def read_source_questions(path: Path) -> list[SourceQuestion]:
    """Read JSON Lines of ``{"question", "source"}``; empty if the file is of another kind.

    Raises:
        SourceError: the file cannot be read.
    """
    found = []
    for line in _text(path).splitlines():
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                return []
            if not isinstance(row, dict) or not {"question", "source"} <= row.keys() or "context" in row:
                return []
            found.append(SourceQuestion(str(row["question"]).strip(), str(row["source"])))
    return found


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceError(str(path), f"cannot be read: {reason}") from error
    except ValueError as error:
        raise SourceError(str(path), "is not UTF-8 text") from error


def _paragraphs(text: str) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Whether a paragraph is one of its own whatever its text, and the paragraph."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and "data" in whole:
        for article in whole["data"]:
            for paragraph in article["paragraphs"]:
                yield True, {**paragraph, "title": article.get("title")}
    else:
        for line in text.splitlines():
            if line.strip():
                yield False, json.loads(line)


def held_out(titles: Sequence[str], paragraphs: Sequence[str]) -> list[bool]:
    """Which paragraphs training must not see: those of the held-out articles.

    A titled article is held out when the SHA-256 of its title, as a number modulo 100, is below `HELD_OUT_PERCENT`; so
    the split does not depend on what else is read. Paragraphs without a title are trained on; if none has one, each is
    an article of its own.
    """
    names = titles if any(titles) else paragraphs
    return [bool(name) and _number(name) % 100 < HELD_OUT_PERCENT for name in names]


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
