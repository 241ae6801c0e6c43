"""The words of contexts that were ranked are kept, and change no answer."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import ctxsearch
from ctxsearch.catalog import sentences
from ctxsearch.evidence import sentence_words

QUESTIONS = ("how many vacation days are there", "who may approve a refund", "remote work from abroad")


def seen(index: ctxsearch.Index, question: str) -> list[tuple[float, int, str]]:
    return [(hit.score, hit.context_id, hit.sentence.text) for hit in index.query(question)]


def test_answers_are_the_same_whether_words_were_kept_or_not(
    sample: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = [seen(sample, question) for question in (*QUESTIONS, *QUESTIONS)]
    assert warm[:3] == warm[3:]
    monkeypatch.setattr(sentences, "CONTEXTS_KEPT", 0)
    with ctxsearch.open(sample.path, read_only=True) as fresh:
        assert [seen(fresh, question) for question in QUESTIONS] == warm[:3]


def test_kept_words_are_those_of_the_texts_and_no_more_than_a_number(
    sample: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sentences, "CONTEXTS_KEPT", 3)
    draw = random.Random(1)
    with ctxsearch.open(sample.path, read_only=True) as index, index._store.snapshot() as snapshot:
        every = [context_id for (context_id,) in index._store.catalog._db.execute("SELECT id FROM contexts")]
        for _ in range(30):
            some = draw.sample(every, 4)
            stored = snapshot.contexts(some)
            found = snapshot.sentence_words(some)
            assert found.keys() == stored.keys()
            for i, one in stored.items():
                expected = sentence_words(one.text[s.start - one.start : s.end - one.start] for s in one.sentences)
                np.testing.assert_array_equal(found[i].words, expected.words)
                np.testing.assert_array_equal(found[i].starts, expected.starts)
            assert len(index._store.catalog._words) == 3


def test_a_document_that_was_replaced_has_its_new_words(tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index") as index:
        index.add([ctxsearch.Document("The heron eats. A red fox runs.", source="a")])
        assert index.query("red fox")[0].sentence.text == "A red fox runs."
        index.add([ctxsearch.Document("A red fox runs. The heron eats.", source="a")])
        found = index.query("heron eats")[0]
        assert (found.sentence.text, found.sentence.start) == ("The heron eats.", 16)
        index.add([ctxsearch.Document("Nothing but rain.", source="b")])
        index.delete(source="a")
        assert [hit.source for hit in index.query("red fox")] == ["b"]
