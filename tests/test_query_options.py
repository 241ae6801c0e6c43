"""Pages of an answer, one hit a document, and searching by an embedding or by what is in the index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctxsearch
from ctxsearch.records import MODES
from tests import hashing
from tests.hashing import HashEncoder

WORDS = ("otter", "heron", "toad", "owl", "crane", "newt")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        hashing.install()
        yield hashing.make_model(tmp_path_factory.mktemp("models"), "hash").path


@pytest.fixture(scope="module")
def index(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    """400 documents of one to three contexts, and a book whose 300 contexts all say a word more often."""
    with ctxsearch.open(tmp_path_factory.mktemp("index") / "index", model=model) as index:
        notes = [
            ctxsearch.Document(
                " ".join(f"The {WORDS[(n + i) % len(WORDS)]} number {n} met the river {i}." for i in range(1 + n % 19)),
                f"note:{n}",
                metadata={"n": n},
            )
            for n in range(400)
        ]
        book = ctxsearch.Document(
            "\n\n".join(f"# Chapter {i}\n\nA phoenix, a phoenix and a phoenix {i}." for i in range(300)),
            "book",
            metadata={"n": -1},
            headings=(),
        )
        index.add([*notes, book])
        yield index


def ids(answer: ctxsearch.Answer) -> list[int]:
    return [hit.context_id for hit in answer]


# Pages


@pytest.mark.parametrize("mode", MODES)
def test_pages_are_parts_of_the_whole_answer(index: ctxsearch.Index, mode: Any) -> None:
    question = "the otter number 7 river phoenix"
    whole = index.query(question, k=130, mode=mode)
    assert len(set(ids(whole))) == 130
    for size in (10, 26):
        pages = [index.query(question, k=size, mode=mode, offset=offset) for offset in range(0, 130, size)]
        assert [hit for page in pages for hit in page] == list(whole)
    assert [hit.rank for hit in index.query(question, k=3, mode=mode, offset=49)] == [50, 51, 52]


@pytest.mark.parametrize("mode", MODES)
def test_pages_end_where_the_answer_does(index: ctxsearch.Index, mode: Any) -> None:
    where = {"n": {"$in": [0, 1, 2]}}
    total = len(index.query("otter river", k=100, mode=mode, where=where))
    assert total >= 3
    (last,) = index.query("otter river", k=100, mode=mode, where=where, offset=total - 1)
    assert last.rank == total
    assert index.query("otter river", k=100, mode=mode, where=where, offset=total).hits == ()
    assert index.query("otter river", mode=mode, offset=10**6).hits == ()


def test_several_questions_have_the_same_page(index: ctxsearch.Index) -> None:
    many = index.query_many(["otter", "heron"], k=4, offset=4, group_by="document")
    assert [ids(one) for one in many] == [
        ids(index.query(q, 4, offset=4, group_by="document")) for q in ("otter", "heron")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset": -1}, "offset is -1"),
        ({"offset": 1.5}, "offset is 1.5"),
        ({"offset": True}, "offset is True"),
        ({"group_by": "source"}, "group_by is 'source'; expected 'document' or None"),
        ({"missing": None}, "missing is None"),
        ({"k": 0}, "k is 0"),
    ],
)
def test_options_of_no_use_are_said(index: ctxsearch.Index, options: Any, message: str) -> None:
    with pytest.raises(ctxsearch.ArgumentError, match=message):
        index.query("otter", **options)
    with pytest.raises(ctxsearch.ArgumentError, match=message):
        index.query_many(["otter"], **options)
    with pytest.raises(ctxsearch.ArgumentError, match=message):
        index.more_like("note:1", **options)


def test_a_key_that_no_document_has_fits_none_by_choice(index: ctxsearch.Index) -> None:
    with pytest.raises(ctxsearch.ArgumentError, match="no document has the key 'team'"):
        index.query("otter", where={"team": "ops"})
    assert index.query("otter", where={"team": "ops"}, missing="ignore").hits == ()
    assert len(index.query("otter", where={"team": {"$ne": "ops"}}, missing="ignore")) == 5
    assert index.more_like("note:1", where={"team": "ops"}, missing="ignore").hits == ()


# One hit a document


@pytest.mark.parametrize("mode", MODES)
def test_each_document_has_its_best_hit(index: ctxsearch.Index, mode: Any) -> None:
    question = "the otter number 7 met the river"
    flat = index.query(question, k=50, mode=mode)
    grouped = index.query(question, k=10, mode=mode, group_by="document")
    first = {hit.document_id: hit.context_id for hit in reversed(flat.hits)}
    expected = list(dict.fromkeys(hit.document_id for hit in flat))[:10]
    assert [hit.document_id for hit in grouped] == expected
    assert ids(grouped) == [first[document] for document in expected]
    assert [hit.rank for hit in grouped] == [*range(1, 11)]


@pytest.mark.parametrize("mode", MODES)
def test_a_long_document_hides_no_other(index: ctxsearch.Index, mode: Any) -> None:
    question = "phoenix phoenix river"
    whole = index.query(question, k=60, mode=mode, group_by="document")
    assert len({hit.document_id for hit in whole}) == 60
    pages = [index.query(question, k=15, mode=mode, group_by="document", offset=offset) for offset in (0, 15, 30, 45)]
    assert [hit for page in pages for hit in page] == list(whole)


@pytest.mark.parametrize("mode", MODES)
def test_there_are_as_many_as_there_are_documents(index: ctxsearch.Index, mode: Any) -> None:
    where = {"n": {"$lt": 3}}
    found = index.query("phoenix otter number", k=10, mode=mode, where=where, group_by="document")
    assert {hit.source for hit in found} == {"book", "note:0", "note:1", "note:2"}
    assert len(found) == 4


# By an embedding


def test_a_vector_finds_what_its_question_finds(index: ctxsearch.Index) -> None:
    vector = HashEncoder(index.model).vector("otter")
    asked = index.query("otter", mode="dense", k=7)
    for given in (vector, (vector * 1e20).tolist(), vector.astype(np.float64) * 1e-200, list(vector)):
        answer = index.query(vector=given, k=7)
        assert ids(answer) == ids(asked)
        assert [hit.score for hit in answer] == pytest.approx([hit.score for hit in asked], abs=1e-5)
        assert (answer.question, answer.mode, answer.truncated) == ("", "dense", False)
    assert ids(index.query(vector=vector, k=3, offset=4)) == ids(asked)[4:]
    grouped = index.query(vector=vector, k=7, group_by="document", where={"n": {"$gt": 9}})
    assert len({hit.document_id for hit in grouped}) == 7


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0], r"vector has the shape \(1,\); embeddings of this index have \(16,\)"),
        (np.ones((1, 16)), r"the shape \(1, 16\)"),
        ([0.0] * 16, "vector is zero"),
        ([float("nan")] + [1.0] * 15, "not a finite number"),
        ([float("inf")] + [1.0] * 15, "not a finite number"),
        (["1"] * 16, "expected numbers"),
        ([[1.0], [1.0, 2.0]], "vector is no array of numbers"),
        ("otter", "expected numbers"),
        ([True] * 16, "expected numbers"),
        (object(), "expected numbers"),
        (np.ones(16) * 1j, "expected numbers"),
    ],
    ids=str,
)
def test_vectors_of_no_use_are_said(index: ctxsearch.Index, vector: Any, message: str) -> None:
    with pytest.raises(ctxsearch.ArgumentError, match=message):
        index.query(vector=vector)


def test_a_query_is_a_question_or_a_vector(index: ctxsearch.Index) -> None:
    vector = [1.0] * 16
    for arguments in ({}, {"question": "a", "vector": vector}, {"vector": vector, "mode": "lexical"}):
        with pytest.raises(ctxsearch.ArgumentError, match="query takes a question"):
            index.query(**arguments)


# By what is in the index


def test_a_document_finds_others_and_not_itself(index: ctxsearch.Index) -> None:
    document = index.get("note:18", vectors=True)
    assert len(document.contexts) > 2
    mean = np.mean([context.vectors[0] for context in document.contexts if context.vectors is not None], axis=0)
    everything = index.query(vector=mean, k=60)
    expected = [hit.context_id for hit in everything if hit.document_id != document.document_id][:20]
    for answer in (index.more_like("note:18", 20), index.more_like(document_id=document.document_id, k=20)):
        assert ids(answer) == expected
        assert [hit.rank for hit in answer] == [*range(1, 21)]
    assert ids(index.more_like(source="note:18", k=5, offset=3)) == expected[3:8]
    assert -1.0 <= answer[-1].score <= answer[0].score <= 1.0


def test_a_context_finds_others_and_not_itself(index: ctxsearch.Index) -> None:
    context = index.get("note:18", vectors=True).contexts[1]
    assert context.vectors is not None
    everything = ids(index.query(vector=context.vectors[0], k=100))
    everything.remove(context.context_id)
    answer = index.more_like(context_id=context.context_id, k=20)
    assert ids(answer) == everything[:20]
    assert ids(index.more_like(context_id=context.context_id, k=60))[:20] == ids(answer)
    alone = index.more_like(context_id=context.context_id, where={"n": 18}, group_by="document")
    assert [hit.source for hit in alone] == ["note:18"]


def test_what_is_not_there_is_like_nothing(index: ctxsearch.Index) -> None:
    for name in ({"document": "note:9999"}, {"document_id": 9999}, {"context_id": 99999}):
        with pytest.raises(ctxsearch.DocumentNotFoundError, match="9999"):
            index.more_like(**name)
    with pytest.raises(ctxsearch.ArgumentError, match="a document or a context_id, not both"):
        index.more_like("note:1", context_id=1)
    with pytest.raises(ctxsearch.ArgumentError, match="context_id is '1'"):
        index.more_like(context_id="1")  # type: ignore[arg-type]


def test_a_vector_needs_no_model(model: Path, tmp_path: Path) -> None:
    own = hashing.make_model(tmp_path / "models", "gone")
    with ctxsearch.open(tmp_path / "index", model=own.path) as index:
        index.add([ctxsearch.Document(f"An {word}.", word) for word in WORDS])
        vector = HashEncoder(own).vector("An owl.")
    for file in own.path.iterdir():
        file.unlink()
    own.path.rmdir()
    with ctxsearch.open(tmp_path / "index") as index:
        assert index.query(vector=vector, k=1)[0].source == "owl"
        assert len(index.more_like("owl", 9)) == 5
        with pytest.raises(ctxsearch.ModelError):
            index.query("An owl.")
