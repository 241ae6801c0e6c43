"""How good is it: top-k accuracy and mean reciprocal rank over question sets, through the code that users run.

`seed_protocol` measures a model as the card of bert-small-uncased-whole-word-masking-squad-emb-int8-0001 does: one
vector a context, exact search over all. `system_protocol` measures the product: paragraphs are documents of an index.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ctxsearch import index as indexes
from ctxsearch.encoder import Encoder
from ctxsearch.errors import SourceError
from ctxsearch.passport import ModelFolder
from ctxsearch.records import Context, Document, Mode

CUTOFFS = (1, 5, 10, 20)
QUESTIONS_PER_BATCH = 512
DEPTH = 50
"""Hits of a question that are looked at; a rank beyond counts as not found."""


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions, and for each the paragraph that answers it."""

    name: str
    paragraphs: tuple[str, ...]
    titles: tuple[str, ...]
    questions: tuple[str, ...]
    answers: tuple[int, ...]
    """For each question the number of its paragraph."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy in percent: a question counts at k when its paragraph is among the first k."""

    dataset: str
    protocol: str
    mode: str
    questions: int
    contexts: int
    top: dict[int, float]
    mrr: float
    """Mean of 1 / rank, 0 to 1."""
    seconds: float


def read_squad(path: Path) -> QuestionSet:
    """Read a file in SQuAD v1.1 format, packed with gzip or not.

    Raises:
        SourceError: it is something else.
    """
    try:
        data = path.read_bytes()
        content = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
        paragraphs: list[str] = []
        titles: list[str] = []
        questions: list[str] = []
        answers: list[int] = []
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    questions.append(str(asked["question"]).strip())
                    answers.append(len(paragraphs))
                paragraphs.append(str(paragraph["context"]))
                titles.append(str(article.get("title", "")).replace("_", " "))
    except OSError as error:
        raise SourceError(str(path), f"cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(str(path), "is not a question set in SQuAD format") from error
    if not questions:
        raise SourceError(str(path), "has no questions")
    return QuestionSet(path.name, tuple(paragraphs), tuple(titles), tuple(questions), tuple(answers))


def seed_protocol(model: ModelFolder, questions: QuestionSet) -> Evaluation:
    """One vector a paragraph, its end cut at the context window; each question against all, by exact search."""
    started = time.perf_counter()
    encoder = Encoder(model)
    contexts = [Context(0, len(text), text, 0) for text in questions.paragraphs]
    embedded = encoder.embed_contexts(contexts)
    matrix = embedded.vectors[embedded.bounds[:-1]]
    asked = np.stack([question.embedding for question in encoder.embed_questions(questions.questions)])
    gold = np.array(questions.answers)
    ranks: list[int] = []
    for first in range(0, len(asked), QUESTIONS_PER_BATCH):
        batch = slice(first, first + QUESTIONS_PER_BATCH)
        # Unit vectors: descending inner product is ascending L2 distance, since |q - c|² = 2 - 2 q·c.
        products = asked[batch] @ matrix.T
        own = products[np.arange(len(products)), gold[batch]]
        ranks += (1 + (products > own[:, np.newaxis]).sum(axis=1)).tolist()
    return _evaluation(questions, "seed", "dense", len(contexts), ranks, time.perf_counter() - started)


def system_protocol(
    model: ModelFolder, questions: QuestionSet, mode: Mode, on_progress: Callable[[int, int], None] | None = None
) -> Evaluation:
    """Paragraphs as documents of a temporary index, asked through `Index.query_many`.

    A question's rank is that of its document among the different documents of the answer.
    """
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="ctxsearch-eval-") as folder,
        indexes.open(Path(folder) / "index", model=model.path) as index,
    ):
        index.add(
            Document(text, source=f"paragraph:{number}", title=title)
            for number, (text, title) in enumerate(zip(questions.paragraphs, questions.titles, strict=True))
        )
        contexts = index.status().contexts
        ranks: list[int] = []
        for first in range(0, len(questions.questions), QUESTIONS_PER_BATCH):
            batch = questions.questions[first : first + QUESTIONS_PER_BATCH]
            for answer in index.query_many(batch, DEPTH, mode):
                found = list(dict.fromkeys(hit.source for hit in answer))
                wanted = f"paragraph:{questions.answers[len(ranks)]}"
                ranks.append(found.index(wanted) + 1 if wanted in found else 0)
            if on_progress:
                on_progress(len(ranks), len(questions.questions))
    return _evaluation(questions, "system", mode, contexts, ranks, time.perf_counter() - started)


def _evaluation(
    questions: QuestionSet, protocol: str, mode: str, contexts: int, ranks: Sequence[int], seconds: float
) -> Evaluation:
    return Evaluation(
        dataset=questions.name,
        protocol=protocol,
        mode=mode,
        questions=len(ranks),
        contexts=contexts,
        top={k: top_k(ranks, k) for k in CUTOFFS},
        mrr=mean_reciprocal_rank(ranks),
        seconds=seconds,
    )


def top_k(ranks: Sequence[int], k: int) -> float:
    """Percent of ranks from 1 to k; rank 0 is for what was not found."""
    return 100.0 * sum(1 <= rank <= k for rank in ranks) / len(ranks) if ranks else 0.0


def mean_reciprocal_rank(ranks: Sequence[int]) -> float:
    """Mean of 1 / rank, where rank 0 (not found) counts as 0."""
    return sum(1.0 / rank for rank in ranks if rank) / len(ranks) if ranks else 0.0
