"""Pairs of questions and contexts to train on: read from files or made from plain texts, split by article. No torch."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctxsearch.contexts import sentence_spans
from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.errors import SourceError
from ctxsearch.records import IntArray

HELD_OUT_PERCENT = 30
"""Share of the articles that training never sees."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Contexts, and questions that they answer."""

    contexts: tuple[str, ...]
    titles: tuple[str, ...]
    """For each context its article, or empty where that is not known."""
    questions: tuple[str, ...]
    gold: IntArray
    """For each question the number of its context, int64 of shape (questions,)."""

    def select(self, keep: Sequence[bool]) -> Pairs:
        """The contexts that ``keep`` says, with their questions."""
        kept = np.asarray(keep, bool)
        number = np.cumsum(kept) - 1
        asked = kept[self.gold]
        return Pairs(
            tuple(text for text, wanted in zip(self.contexts, kept, strict=True) if wanted),
            tuple(title for title, wanted in zip(self.titles, kept, strict=True) if wanted),
            tuple(question for question, wanted in zip(self.questions, asked, strict=True) if wanted),
            number[self.gold[asked]].astype(np.int64),
        )

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(
            self.contexts + other.contexts,
            self.titles + other.titles,
            self.questions + other.questions,
            np.concatenate([self.gold, other.gold + len(self.contexts)]),
        )


def read_pairs(paths: Iterable[Path]) -> Pairs:
    """Read question sets; the same context in several places is one.

    A file is JSON in SQuAD format, or JSONL with ``{"question", "context"}`` or ``{"context", "qas": [{"question"}]}``
    a line, each with an optional ``title``; packed with gzip or not.

    Raises:
        SourceError: a file cannot be read, or is something else.
    """
    contexts: dict[str, int] = {}
    titles: list[str] = []
    questions: list[str] = []
    gold: list[int] = []
    for path in paths:
        before = len(questions)
        try:
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
            for title, context, question in _triples(text):
                number = contexts.setdefault(context, len(contexts))
                if number == len(titles):
                    titles.append(title)
                questions.append(question)
                gold.append(number)
        except OSError as error:
            raise SourceError(str(path), f"cannot be read: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError(
                str(path), 'is neither in SQuAD format nor JSON Lines of {"question": …, "context": …}'
            ) from error
        if len(questions) == before:
            raise SourceError(str(path), "has no questions")
    return Pairs(tuple(contexts), tuple(titles), tuple(questions), np.array(gold, np.int64))


def _triples(text: str) -> Iterator[tuple[str, str, str]]:
    """(title, context, question) of each question."""
    paragraphs: Iterator[dict[str, Any]]
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and "data" in whole:
        paragraphs = ({**p, "title": article.get("title")} for article in whole["data"] for p in article["paragraphs"])
    else:
        paragraphs = (json.loads(line) for line in text.splitlines() if line.strip())
    for paragraph in paragraphs:
        title = str(paragraph.get("title") or "").replace("_", " ")
        asked = paragraph["qas"] if "qas" in paragraph else [paragraph]
        for one in asked:
            question = str(one["question"]).strip()
            if question:
                yield title, str(paragraph["context"]), question


def pairs_from_texts(texts: Sequence[tuple[str, str]], seed: int) -> Pairs:
    """Questions without a writer: a text's title, and one sentence of it, both to be answered by the text.

    The sentence is taken out of the text it has to find, else matching the same words would be all there is to learn:
    the inverse cloze task of Lee, Chang and Toutanova 2019 (arXiv:1906.00300).

    Args:
        texts: (title, text) of each.
        seed: of the choice of sentences.
    """
    draw = random.Random(seed)
    contexts: list[str] = []
    titles: list[str] = []
    questions: list[str] = []
    gold: list[int] = []
    for title, text in texts:
        spans = [(start, end) for start, end, _ in sentence_spans(text) if end - start > 40]
        context = text
        if len(spans) > 2:
            start, end = draw.choice(spans[1:])
            questions.append(text[start:end].strip())
            gold.append(len(contexts))
            context = text[:start] + text[end:]
        if title:
            questions.append(title)
            gold.append(len(contexts))
        contexts.append(context)
        titles.append(title)
    return Pairs(tuple(contexts), tuple(titles), tuple(questions), np.array(gold, np.int64))


def hold_out(pairs: Pairs) -> tuple[Pairs, Pairs]:
    """Split by article: (to train on, held out).

    A titled article is held out when the SHA-256 of its title, as a number modulo 100, is below `HELD_OUT_PERCENT`; so
    the split does not depend on what else is read. Contexts without a title are trained on; if no context has one,
    each is an article of its own.
    """
    titled = any(pairs.titles)
    names = pairs.titles if titled else pairs.contexts
    out = [bool(name) and _number(name) % 100 < HELD_OUT_PERCENT for name in names]
    return pairs.select([not held for held in out]), pairs.select(out)


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class TokenisedText:
    """A text as the model reads it, ``[CLS] … [SEP]``.

    ``boundaries`` holds the index of the first token of each sentence, int64 of shape (sentences,); empty for a
    question.
    """

    ids: IntArray
    boundaries: IntArray


def tokenise(texts: Sequence[str], tokenizer: Tokenizer, window: int, *, sentences: bool) -> list[TokenisedText]:
    """Tokens of each text, cut at the window, with the sentence boundaries that ingest would find."""
    result = []
    nothing = np.empty(0, np.int64)
    for text, tokens in zip(texts, tokenizer.encode(texts, window), strict=True):
        boundaries = nothing
        if sentences:
            offsets = np.array([start for start, _, _ in sentence_spans(text)], np.int64)
            first = np.searchsorted(tokens.starts[:-1], offsets, side="left").clip(1)
            boundaries = np.unique(first[first < len(tokens.ids) - 1])
        result.append(TokenisedText(tokens.ids, boundaries))
    return result
