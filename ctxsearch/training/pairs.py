"""Questions made from plain texts, and tokens of texts with their sentence boundaries. No torch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctxsearch.contexts import sentence_spans
from ctxsearch.encoder.tokens import Tokenizer
from ctxsearch.questionset import QuestionSet
from ctxsearch.records import IntArray


def pairs_from_texts(texts: Sequence[tuple[str, str]], seed: int) -> QuestionSet:
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
    return QuestionSet("texts", tuple(contexts), tuple(titles), tuple(questions), np.array(gold, np.int64))


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
            first = tokens.first_tokens([start for start, _, _ in sentence_spans(text)])
            boundaries = np.unique(first[first < len(tokens.ids) - 1])
        result.append(TokenisedText(tokens.ids, boundaries))
    return result
