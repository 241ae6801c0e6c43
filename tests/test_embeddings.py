"""Embeddings that a caller asks for, and those that a caller brings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctxsearch
from tests import hashing
from tests.hashing import HashEncoder

DIM = 16


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        hashing.install()
        yield hashing.make_model(tmp_path_factory.mktemp("models"), "hash").path


@pytest.fixture
def index(model: Path, tmp_path: Path) -> Iterator[ctxsearch.Index]:
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        yield index


def random_rows(count: int, seed: int = 0) -> Any:
    rows = np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def vectors_of(index: ctxsearch.Index, source: str) -> list[Any]:
    return [context.vectors for context in index.get(source, vectors=True).contexts]


# Texts to embeddings


def test_the_encoder_gives_what_an_index_searches_with(sample: ctxsearch.Index) -> None:
    encoder = ctxsearch.Encoder()
    question = "How many days of vacation are there?"
    rows = encoder.embed_questions([question, "Who pays?"])
    assert (rows.dtype, rows.shape) == (np.float32, (2, encoder.dim))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    assert np.array_equal(rows, sample.embed_questions([question, "Who pays?"]))
    by_vector, by_question = sample.query(vector=rows[0], k=9), sample.query(question, k=9, mode="dense")
    assert [hit.context_id for hit in by_vector] == [hit.context_id for hit in by_question]
    assert [hit.score for hit in by_vector] == pytest.approx([hit.score for hit in by_question], abs=1e-4)

    hit = by_question[0]
    (row,) = encoder.embed_contexts([hit.text])
    stored = next(c for c in sample.get(hit.document_id, vectors=True).contexts if c.context_id == hit.context_id)
    assert stored.vectors is not None
    assert float(row @ stored.vectors[0]) > 0.9999
    assert encoder.fingerprint == sample.model.passport.fingerprint
    assert encoder.name in repr(encoder)
    assert (encoder.context_window, encoder.question_window) == (384, 32)
    assert encoder.count_tokens(["An otter.", ""]) == [len("an otter .".split()), 0]


def test_indexes_share_an_encoder(tmp_path: Path, sample: ctxsearch.Index) -> None:
    encoder = ctxsearch.Encoder()
    for path in (tmp_path / "new", sample.path):
        with ctxsearch.open(path, encoder=encoder) as index:
            assert index._get_encoder() is encoder._encoder
    with ctxsearch.open(tmp_path / "new", encoder=encoder) as index:
        index.add([ctxsearch.Document("An otter swims.", "a")])
        assert index.query("otter")[0].source == "a"
    assert encoder.embed_questions(["still there"]).shape == (1, encoder.dim)
    with pytest.raises(ctxsearch.ArgumentError, match="a model or an encoder"):
        ctxsearch.open(tmp_path / "new", encoder=encoder, model=encoder.name)
    with pytest.raises(ctxsearch.ArgumentError, match=r"expected a ctxsearch\.Encoder"):
        ctxsearch.open(tmp_path / "new", encoder="ctxsearch-l6-int8")  # type: ignore[arg-type]


def test_an_encoder_of_another_space_is_refused(index: ctxsearch.Index) -> None:
    with pytest.raises(ctxsearch.PassportMismatchError, match="was made with the model hash"):
        ctxsearch.open(index.path, encoder=ctxsearch.Encoder())


def test_no_texts_have_no_rows(index: ctxsearch.Index) -> None:
    encoder = ctxsearch.Encoder()
    for found in (encoder.embed_questions([]), encoder.embed_contexts(iter([]))):
        assert (found.dtype, found.shape) == (np.float32, (0, encoder.dim))
    for found in (index.embed_questions([]), index.embed_contexts([])):
        assert (found.dtype, found.shape) == (np.float32, (0, DIM))


def test_an_index_embeds_with_its_own_model(index: ctxsearch.Index) -> None:
    own = HashEncoder(index.model)
    assert np.array_equal(index.embed_questions(["a", "b"]), [own.vector("a"), own.vector("b")])
    assert np.array_equal(index.embed_contexts(text for text in ("a", "b")), [own.vector("a"), own.vector("b")])


@pytest.mark.parametrize("texts", ["otter", b"otter", 5, None, ["otter", 5], [None]], ids=str)
def test_what_is_no_texts_is_refused(index: ctxsearch.Index, texts: Any) -> None:
    for embed in (index.embed_questions, index.embed_contexts):
        with pytest.raises(ctxsearch.ArgumentError, match="expected"):
            embed(texts)


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "2"])
def test_threads_of_no_use_are_refused(threads: Any) -> None:
    with pytest.raises(ctxsearch.ArgumentError, match="threads is"):
        ctxsearch.Encoder(threads=threads)


def test_a_model_that_is_not_there_is_said() -> None:
    with pytest.raises(ctxsearch.ModelNotFoundError, match="no model 'nothing'"):
        ctxsearch.Encoder("nothing")


def test_the_encoder_is_imported_when_it_is_used() -> None:
    program = (
        "import sys, ctxsearch; before = set(sys.modules); ctxsearch.Encoder; "
        "print('numpy' in before, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


# Embeddings that a document brings


def test_a_document_of_one_context_brings_its_embedding(index: ctxsearch.Index) -> None:
    (row,) = random_rows(1)
    report = index.add(
        [ctxsearch.Document("An otter swims. It dives.", "a", vectors=row), ctxsearch.Document("B.", "b")]
    )
    assert (report.documents.added, report.contexts) == (2, 2)
    (kept,) = vectors_of(index, "a")
    assert kept.shape == (1, DIM)
    assert np.array_equal(kept[0], row.astype(np.float16).astype(np.float32))
    assert index.query(vector=row, k=1)[0].source == "a"
    assert np.allclose(vectors_of(index, "b")[0][0], HashEncoder(index.model).vector("B."), atol=1e-3)
    assert [hit.source for hit in index.query("otter", mode="hybrid", k=1)] == ["a"]
    assert index.verify() == []


@pytest.mark.parametrize("scale", [1e-30, 0.5, 3, 1e30])
def test_rows_are_scaled_to_unit_length(index: ctxsearch.Index, scale: float) -> None:
    (row,) = random_rows(1).astype(np.float64)
    for vectors in (row * scale, [row * scale], (row * scale).tolist(), [(row * scale).tolist()], [[row * scale]]):
        index.add([ctxsearch.Document("An otter.", "a", vectors=vectors)])
        assert np.allclose(vectors_of(index, "a")[0], [row], atol=1e-3)
        index.delete("a")


TEXT = "\n\n".join(f"The otter number {n} swims in the river. It dives for fish, and comes up again." for n in range(9))


def test_embeddings_go_round(index: ctxsearch.Index, model: Path, tmp_path: Path) -> None:
    index.add([ctxsearch.Document(TEXT, "a", "Otters", {"n": 1}), ctxsearch.Document("B. C.", "b")])
    with ctxsearch.open(tmp_path / "other", model=model) as other:
        other.add(
            ctxsearch.Document(
                stored.text,
                stored.source,
                stored.title,
                stored.metadata,
                stored.headings,
                pages=stored.pages,
                vectors=[context.vectors for context in stored.contexts if context.vectors is not None],
            )
            for stored in index.iterate(vectors=True)
        )
        for source in ("a", "b"):
            before, after = index.get(source, vectors=True), other.get(source, vectors=True)
            assert (after.text, after.title, after.metadata) == (before.text, before.title, before.metadata)
            assert len(after.contexts) == len(before.contexts) > (source == "a")
            for one, same in zip(before.contexts, after.contexts, strict=True):
                assert np.array_equal(one.vectors, same.vectors)
                assert (one.text, one.sentences) == (same.text, same.sentences)
        assert other.verify() == []


def test_other_embeddings_make_another_document(index: ctxsearch.Index) -> None:
    first, second = random_rows(2)
    document = ctxsearch.Document("An otter.", "a", vectors=first)
    index.add([document])
    assert index.add([document]).documents.unchanged == 1
    assert index.add([ctxsearch.Document("An otter.", "a", "Otter", vectors=first)]).contexts == 0
    assert index.add([ctxsearch.Document("An otter.", "a", "Otter", vectors=second)]).documents.updated == 1
    assert np.allclose(vectors_of(index, "a")[0], [second], atol=1e-3)
    index.add([ctxsearch.Document("An otter.", "a", "Otter")])
    assert hashing.misfits(index) == []


def test_embeddings_go_along_with_an_export_and_another_model_replaces_them(
    index: ctxsearch.Index, model: Path, tmp_path: Path
) -> None:
    (row,) = random_rows(1)
    index.add([ctxsearch.Document("An otter.", "a", vectors=row)])
    index.export(tmp_path / "export.jsonl")
    ctxsearch.Index.import_(tmp_path / "export.jsonl", tmp_path / "other")
    with ctxsearch.open(tmp_path / "other", model=model) as other:
        assert np.array_equal(vectors_of(other, "a")[0], vectors_of(index, "a")[0])
    index.reembed(hashing.make_model(tmp_path / "models", "second", dim=24).path)
    assert hashing.misfits(index) == []


def test_many_documents_with_and_without_embeddings_go_in_together(
    index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctxsearch import ingest

    monkeypatch.setattr(ingest, "CONTEXTS_PER_WINDOW", 7)
    contexts = len(index_of(index, TEXT))
    rows = random_rows(10 * contexts).reshape(10, contexts, DIM)
    told = []
    report = index.add(
        (ctxsearch.Document(TEXT, f"d{n}", vectors=rows[n // 2] if n % 2 else None) for n in range(20)),
        on_progress=told.append,
    )
    assert report.documents.added == 20
    assert told[-1].documents == 20
    assert len(told) > 5
    own = HashEncoder(index.model)
    for n in range(20):
        stored = index.get(f"d{n}", vectors=True)
        for place, context in enumerate(stored.contexts):
            assert context.vectors is not None
            expected = rows[n // 2][place] if n % 2 else own.vector(context.text)
            assert np.allclose(context.vectors[0], expected, atol=1e-3)
            assert len(context.vectors) == (1 if n % 2 else 1 + len(context.sentences))
    assert index.verify() == []


def index_of(index: ctxsearch.Index, text: str) -> tuple[ctxsearch.DocumentContext, ...]:
    """The contexts that a text is cut into."""
    index.add([ctxsearch.Document(text, "cut")])
    found = index.get("cut").contexts
    index.delete("cut")
    return found


NAN = [float("nan")] * DIM


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([1.0], r"vectors\[0\] has the shape \(1,\); expected \(16,\), or \(1 \+ sentences, 16\)"),
        (np.ones((2, 8)), r"vectors\[0\] has the shape \(8,\)"),
        (np.ones((1, 2, 2, DIM)), r"vectors\[0\] has the shape \(2, 2, 16\)"),
        (NAN, r"vectors\[0\] has a value that is not a finite number"),
        ([NAN], r"vectors\[0\] has a value that is not a finite number"),
        (np.zeros(DIM), r"vectors\[0\] is zero"),
        (np.ones((2, DIM)), "vectors are of 2 contexts, its text has 1 context"),
        (np.ones((1, 2, DIM)), r"vectors\[0\] has 2 rows; the context has 2 sentences, so expected 1 or 3"),
        ([], "vectors"),
        (np.ones((0, DIM)), "vectors are of 0 contexts"),
        (["x"] * DIM, "vectors"),
        ("x" * DIM, "vectors"),
        (5, "vectors"),
        ({"a": 1}, "vectors"),
        ([[1.0] * DIM, [1.0]], r"vectors\[1\] has the shape \(1,\)"),
        ([np.ones((3, DIM)), None], r"vectors\[1\]"),
        (np.empty(1, object), "vectors"),
        ([[[1.0], [1.0, 2.0]]], r"vectors\[0\] is no array of numbers"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_embeddings_of_no_use_are_refused_and_what_came_before_is_in(
    index: ctxsearch.Index, vectors: Any, message: str
) -> None:
    given = [
        ctxsearch.Document("An owl.", "before"),
        ctxsearch.Document("An otter swims. It dives.", "wrong", vectors=vectors),
        ctxsearch.Document("A toad.", "after"),
    ]
    with pytest.raises(ctxsearch.ArgumentError, match=rf"wrong.*{message}"):
        index.add(given)
    assert [document.source for document in index.iterate()] == ["before"]
    assert index.verify() == []


def test_documents_with_embeddings_are_plain_data() -> None:
    one, other = (ctxsearch.Document("a", "b", vectors=[random_rows(2, seed)]) for seed in (1, 2))
    same = ctxsearch.Document("a", "b", vectors=[random_rows(2, 1)])
    assert one == same
    assert one != other
    assert one != ctxsearch.Document("a", "b")
