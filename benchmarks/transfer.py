"""Models on texts of other kinds.

    python benchmarks/transfer.py SUMMARIES PAIRS QUESTIONS FOLDER MODEL [MODEL …]

Top-1 / top-5 in percent of each model on tasks that are not SQuAD, to see that training on it lost nothing: with one
vector a context (the seed's protocol), and as the product searches (dense and hybrid). SUMMARIES are documents with a
title; of every fifth, which `training_texts.py` leaves out of training, some are asked about, over those and as many
others. PAIRS and QUESTIONS are
those of the sample collection in FOLDER.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import numpy as np

import ctxsearch
from ctxsearch.contexts import sentence_spans
from ctxsearch.evaluate import index_protocol, seed_protocol, system_protocol
from ctxsearch.modelling import read_documents
from ctxsearch.passport import ModelFolder, find_model
from ctxsearch.questionset import QuestionSet, read_questions, read_source_questions

ASKED_EVERY = 5
MOST_ASKED = 1000


def tasks(summaries: Path, pairs: Path) -> list[QuestionSet]:
    """Titles, sentences that were taken out, and six words of a sentence, to be answered by a summary; and pairs."""
    documents = [one for number, one in enumerate(read_documents([str(summaries)])) if number % ASKED_EVERY < 2]
    draw = random.Random(1)
    asked = draw.sample(range(0, len(documents), 2), min(MOST_ASKED, len(documents) // 2))
    texts = [document.text for document in documents]
    cropped = list(texts)
    sentences, words = [], []
    for number in asked:
        text = texts[number]
        spans = [(start, end) for start, end, _ in sentence_spans(text) if end - start > 40]
        if len(spans) > 2:
            start, end = draw.choice(spans[1:])
            sentences.append((text[start:end].strip(), number))
            cropped[number] = text[:start] + text[end:]
            known = documents[number].title.lower()
            rare = [
                word for word in dict.fromkeys(text[start:end].split()) if len(word) > 3 and word.lower() not in known
            ]
            if len(rare) >= 6:
                words.append((" ".join(draw.sample(rare, 6)), number))
    return [
        _set("titles", texts, [(documents[number].title, number) for number in asked]),
        _set("a sentence taken out", cropped, sentences),
        _set("six words", texts, words),
        read_questions(pairs),
    ]


def _set(name: str, texts: list[str], asked: list[tuple[str, int]]) -> QuestionSet:
    gold = np.array([number for _, number in asked], np.int64)
    return QuestionSet(name, tuple(texts), ("",) * len(texts), tuple(question for question, _ in asked), gold)


def row(model: ModelFolder, task: QuestionSet) -> list[str]:
    """Of one model and task."""
    found = [seed_protocol(model, task)]
    found += system_protocol(model, task, ("dense", "hybrid"))
    return [f"{one.top[1]:.1f} / {one.top[5]:.1f}" for one in found]


def main(summaries: Path, pairs: Path, questions: Path, folder: Path, names: list[str]) -> None:
    """Measure and print."""
    models = [find_model(name) for name in names]
    print("task | questions | model | one vector | dense | hybrid", flush=True)
    for task in tasks(summaries, pairs):
        for model in models:
            print(task.name, len(task.questions), model.passport.name, *row(model, task), sep=" | ", flush=True)
    for model in models:
        with (
            tempfile.TemporaryDirectory() as temporary,
            ctxsearch.open(Path(temporary) / "index", model=str(model.path)) as index,
        ):
            index.ingest([str(folder)])
            asked = read_source_questions(questions)
            found = index_protocol(index, questions.name, asked, ("dense", "hybrid"))
        cells = [f"{one.top[1]:.1f} / {one.top[5]:.1f}" for one in found]
        print(questions.name, len(asked), model.passport.name, "", *cells, sep=" | ", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
