"""How good is it: accuracy over question sets, through the code that users run.

`seed_protocol` measures a model as the card of bert-small-uncased-whole-word-masking-squad-emb-int8-0001 does: one
vector a context, exact search over all. `system_protocol` measures the product: paragraphs are documents of an index.
`index_protocol` asks an index that is there. `calibrate` learns what a score is worth and `measure_trust` measures it,
with articles taken out.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctxsearch import index as indexes
from ctxsearch.calibration import Calibration, features, fit
from ctxsearch.encoder import Encoder
from ctxsearch.passport import ModelFolder
from ctxsearch.questionset import QuestionSet, SourceQuestion, held_out
from ctxsearch.records import Answer, Context, Document, Mode

CUTOFFS = (1, 5, 10, 20)
QUESTIONS_PER_BATCH = 256
DEPTH = 50
"""Hits of a question that are looked at; a rank beyond counts as not found."""

RESAMPLES = 1000
"""Of the questions, for a bootstrap confidence interval."""

ProgressListener = Callable[[int, int], None]
"""Told how many questions of how many are answered."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    question: str
    expected: str
    """Source of the document that answers it."""
    rank: int
    """Of that document among the different documents of the answer, from 1; 0 if it is not there."""
    found: str
    """Source of the first hit, or empty."""
    score: float
    """Of the first hit, or 0."""
    sentence: str
    """The matched sentence of the first hit."""
    holds_answer: bool | None
    """Whether that sentence holds one of the question's answers; None where none are known."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Accuracy in percent: a question counts at k when its document is among the first k."""

    dataset: str
    protocol: str
    mode: str
    questions: int
    contexts: int
    top: dict[int, float]
    mrr: float
    """Mean of 1 / rank, 0 to 1."""
    ndcg10: float
    """Mean of 1 / log2(1 + rank) up to rank 10: normalised discounted cumulative gain with one right document."""
    answer_in_sentence: float | None
    """Percent of questions whose first hit's matched sentence holds one of the answers; None where none are known."""
    seconds: float
    intervals: dict[str, tuple[float, float]]
    """95 % bootstrap confidence intervals of ``top1``, ``top5`` and ``mrr``, over the questions."""
    outcomes: tuple[Outcome, ...] = field(default=(), repr=False)
    """Each question's, in order; empty for the seed protocol."""


def seed_protocol(
    model: ModelFolder, questions: QuestionSet, on_progress: ProgressListener | None = None
) -> Evaluation:
    """One vector a paragraph, its end cut at the context window; each question against all, by exact search."""
    started = time.perf_counter()
    encoder = Encoder(model)
    contexts = [Context(0, len(text), text, 0) for text in questions.paragraphs]
    embedded = encoder.embed_contexts(contexts)
    matrix = embedded.vectors[embedded.bounds[:-1]]
    asked = np.stack([question.embedding for question in encoder.embed_questions(questions.questions)])
    ranks: list[int] = []
    for first in range(0, len(asked), QUESTIONS_PER_BATCH):
        batch = slice(first, first + QUESTIONS_PER_BATCH)
        # Unit vectors: descending inner product is ascending L2 distance, since |q - c|² = 2 - 2 q·c.
        products = asked[batch] @ matrix.T
        own = products[np.arange(len(products)), questions.gold[batch]]
        ranks += (1 + (products > own[:, np.newaxis]).sum(axis=1)).tolist()
        if on_progress:
            on_progress(len(ranks), len(asked))
    return _evaluation(questions.name, "seed", "dense", len(contexts), ranks, time.perf_counter() - started)


def system_protocol(
    model: ModelFolder,
    questions: QuestionSet,
    modes: Sequence[Mode],
    on_progress: ProgressListener | None = None,
) -> list[Evaluation]:
    """Paragraphs as documents of a temporary index, asked through `Index.query_many` in each of the modes.

    A question's rank is that of its document among the different documents of the answer. The seconds of the first
    evaluation have the ingest in them.
    """
    asked = [SourceQuestion(q, f"paragraph:{n}") for q, n in zip(questions.questions, questions.gold, strict=True)]
    started = time.perf_counter()
    with paragraphs_index(model, questions) as index:
        evaluations = []
        for mode in modes:
            evaluations.append(
                _ask(index, questions.name, "system", asked, questions.answers, mode, started, on_progress)
            )
            started = time.perf_counter()
    return evaluations


def index_protocol(
    index: indexes.Index,
    name: str,
    questions: Sequence[SourceQuestion],
    modes: Sequence[Mode],
    on_progress: ProgressListener | None = None,
) -> list[Evaluation]:
    """Questions of an index that is there; a source fits when it is that of a document, or the end of one's path."""
    return [_ask(index, name, "index", questions, (), mode, time.perf_counter(), on_progress) for mode in modes]


@contextmanager
def paragraphs_index(
    model: ModelFolder, questions: QuestionSet, keep: Sequence[bool] | None = None
) -> Iterator[indexes.Index]:
    """A temporary index of the paragraphs, ``paragraph:N`` each; only those that ``keep`` says."""
    with (
        tempfile.TemporaryDirectory(prefix="ctxsearch-eval-") as folder,
        indexes.open(Path(folder) / "index", model=model.path) as index,
    ):
        index.add(
            Document(text, source=f"paragraph:{number}", title=title)
            for number, (text, title) in enumerate(zip(questions.paragraphs, questions.titles, strict=True))
            if keep is None or keep[number]
        )
        yield index


def _ask(
    index: indexes.Index,
    name: str,
    protocol: str,
    asked: Sequence[SourceQuestion],
    answers: Sequence[Sequence[str]],
    mode: Mode,
    started: float,
    on_progress: ProgressListener | None,
) -> Evaluation:
    outcomes: list[Outcome] = []
    for first in range(0, len(asked), QUESTIONS_PER_BATCH):
        batch = asked[first : first + QUESTIONS_PER_BATCH]
        given = index.query_many([one.question for one in batch], DEPTH, mode)
        for one, answer in zip(batch, given, strict=True):
            outcomes.append(_outcome(one, answer, answers[len(outcomes)] if answers else None))
        if on_progress:
            on_progress(len(outcomes), len(asked))
    return _evaluation(
        name,
        protocol,
        mode,
        index.status().contexts,
        [outcome.rank for outcome in outcomes],
        time.perf_counter() - started,
        outcomes,
    )


def _outcome(asked: SourceQuestion, answer: Answer, gold: Sequence[str] | None) -> Outcome:
    found = list(dict.fromkeys(hit.source for hit in answer))
    fits = [source == asked.source or source.endswith("/" + asked.source) for source in found]
    first = answer[0] if answer else None
    sentence = first.sentence.text if first else ""
    return Outcome(
        question=asked.question,
        expected=asked.source,
        rank=fits.index(True) + 1 if True in fits else 0,
        found=first.source if first else "",
        score=first.score if first else 0.0,
        sentence=sentence,
        holds_answer=None if gold is None else any(text in sentence for text in gold),
    )


def _evaluation(
    dataset: str,
    protocol: str,
    mode: str,
    contexts: int,
    ranks: Sequence[int],
    seconds: float,
    outcomes: Sequence[Outcome] = (),
) -> Evaluation:
    held = [outcome.holds_answer for outcome in outcomes if outcome.holds_answer is not None]
    return Evaluation(
        dataset=dataset,
        protocol=protocol,
        mode=mode,
        questions=len(ranks),
        contexts=contexts,
        top={k: top_k(ranks, k) for k in CUTOFFS},
        mrr=mean_reciprocal_rank(ranks),
        ndcg10=ndcg_at_k(ranks, 10),
        answer_in_sentence=100.0 * sum(held) / len(held) if held else None,
        seconds=seconds,
        intervals=_intervals(ranks),
        outcomes=tuple(outcomes),
    )


def top_k(ranks: Sequence[int], k: int) -> float:
    """Percent of ranks from 1 to k; rank 0 is for what was not found."""
    return 100.0 * sum(1 <= rank <= k for rank in ranks) / len(ranks) if ranks else 0.0


def mean_reciprocal_rank(ranks: Sequence[int]) -> float:
    """Mean of 1 / rank, where rank 0 (not found) counts as 0."""
    return sum(1.0 / rank for rank in ranks if rank) / len(ranks) if ranks else 0.0


def ndcg_at_k(ranks: Sequence[int], k: int) -> float:
    """Mean of 1 / log2(1 + rank) for ranks from 1 to k, else 0 (Järvelin and Kekäläinen 2002, one right document)."""
    return sum(1.0 / math.log2(1 + rank) for rank in ranks if 1 <= rank <= k) / len(ranks) if ranks else 0.0


def _intervals(ranks: Sequence[int]) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap intervals over the questions (Efron and Tibshirani 1993)."""
    if not ranks:
        return {}
    given = np.array(ranks)
    values = {
        "top1": 100.0 * (given == 1),
        "top5": 100.0 * ((given >= 1) & (given <= 5)),
        "mrr": np.where(given > 0, 1.0 / np.maximum(given, 1), 0.0),
    }
    draw = np.random.default_rng(0)
    means: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(RESAMPLES):
        chosen = draw.integers(0, len(given), len(given))
        for name, value in values.items():
            means[name].append(float(value[chosen].mean()))
    return {
        name: (float(np.percentile(found, 2.5)), float(np.percentile(found, 97.5))) for name, found in means.items()
    }


# What a score is worth


@dataclass(frozen=True, slots=True)
class Trust:
    """How far scores of first hits can be trusted, when half of the questions have no answer in the index."""

    answerable: int
    unanswerable: int
    expected_calibration_error: float
    """Mean over `BINS` bins of equal width of |share right - mean score|, weighted by their questions (Naeini et al.
    2015)."""
    bins: tuple[tuple[int, float, float], ...]
    """(questions, mean score, share right) of each bin that has any."""
    threshold: float
    """Least score with at most `FALSE_ACCEPTS` percent of the unanswerable questions answered."""
    answered: float
    """Percent of the answerable questions whose first hit scores that much."""
    answered_right: float
    """Percent of the answerable questions whose first hit scores that much and is the right one."""


BINS = 10
FALSE_ACCEPTS = 5.0
HITS_LEARNT = 5
"""First hits of a question from which a calibration is learnt."""


def calibrate(
    model: ModelFolder, questions: QuestionSet, modes: Sequence[Mode], on_progress: ProgressListener | None = None
) -> dict[Mode, Calibration]:
    """Learn what scores are worth, from questions about articles that the model was not trained on.

    Each half of the held-out articles is taken out of the index once; so every question is asked once with its answer
    there and once without.
    """
    out = held_out(questions.titles, questions.paragraphs)
    asked = questions.ask_held_out()
    names = questions.titles if any(questions.titles) else questions.paragraphs
    half = half_of_articles([name if held else "" for name, held in zip(names, out, strict=True)])
    rows: dict[Mode, list[list[float]]] = {mode: [] for mode in modes}
    right: dict[Mode, list[bool]] = {mode: [] for mode in modes}
    done = 0
    for gone in (True, False):
        keep = [not held or first != gone for held, first in zip(out, half, strict=True)]
        with paragraphs_index(model, questions, keep) as index:
            for mode in modes:
                for first, answers in _answers(index, asked.questions, mode):
                    for number, answer in enumerate(answers, start=first):
                        learnt = features(answer.evidence)[:HITS_LEARNT]
                        rows[mode] += learnt
                        gold = f"paragraph:{asked.gold[number]}"
                        right[mode] += [hit.source == gold for hit in answer[: len(learnt)]]
                    done += len(answers)
                    if on_progress:
                        on_progress(done, 2 * len(modes) * len(asked.questions))
    return {mode: fit(np.array(rows[mode]), np.array(right[mode])) for mode in modes}


def _answers(index: indexes.Index, questions: Sequence[str], mode: Mode) -> Iterator[tuple[int, list[Answer]]]:
    """Answers in batches, each with the number of its first question."""
    for first in range(0, len(questions), QUESTIONS_PER_BATCH):
        yield first, index.query_many(questions[first : first + QUESTIONS_PER_BATCH], HITS_LEARNT, mode)


def measure_trust(
    model: ModelFolder, questions: QuestionSet, mode: Mode, on_progress: ProgressListener | None = None
) -> Trust:
    """Ask all questions of an index that has half of their articles."""
    half = half_of_articles(questions.titles)
    answerable = np.array(half)[questions.gold]
    scores, right = np.zeros(len(answerable)), np.zeros(len(answerable), bool)
    with paragraphs_index(model, questions, half) as index:
        for first, answers in _answers(index, questions.questions, mode):
            for number, answer in enumerate(answers, start=first):
                if answer:
                    scores[number] = answer[0].score
                    right[number] = answer[0].source == f"paragraph:{questions.gold[number]}"
            if on_progress:
                on_progress(first + len(answers), len(answerable))
    return trust(scores, right, answerable)


def half_of_articles(titles: Sequence[str]) -> list[bool]:
    """Every second article, in the order in which they come."""
    numbers = {title: number for number, title in enumerate(dict.fromkeys(titles))}
    return [numbers[title] % 2 == 0 for title in titles]


def trust(scores: NDArray[np.float64], right: NDArray[np.bool_], answerable: NDArray[np.bool_]) -> Trust:
    """Judge scores of first hits.

    Args:
        scores: of each question's first hit, 0 to 1.
        right: whether that hit answers the question; never true where nothing can.
        answerable: whether the index holds an answer.
    """
    bins = []
    error = 0.0
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    for number in range(BINS):
        inside = place == number
        if count := int(inside.sum()):
            mean, share = float(scores[inside].mean()), float(right[inside].mean())
            bins.append((count, mean, share))
            error += count / len(scores) * abs(mean - share)
    wrong = np.sort(scores[~answerable])[::-1]
    allowed = int(len(wrong) * FALSE_ACCEPTS / 100.0)
    threshold = float(np.nextafter(wrong[allowed], 2.0)) if allowed < len(wrong) else 0.0
    accepted = scores[answerable] >= threshold
    return Trust(
        answerable=int(answerable.sum()),
        unanswerable=int((~answerable).sum()),
        expected_calibration_error=error,
        bins=tuple(bins),
        threshold=threshold,
        answered=100.0 * float(accepted.mean()),
        answered_right=100.0 * float((accepted & right[answerable]).mean()),
    )
