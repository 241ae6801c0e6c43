"""Documents by name and by condition: read, counted, walked through, removed, and their metadata changed."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ctxsearch
from ctxsearch import documents
from ctxsearch.records import Heading, Page
from tests import hashing
from tests.hashing import HashEncoder


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


def memo(n: int, text: str = "", **metadata: Any) -> ctxsearch.Document:
    return ctxsearch.Document(text or f"The number {n}.", f"memo:{n}", f"Memo {n}", {"n": n, **metadata})


def sources(found: Any) -> list[str]:
    return [one.source for one in found]


# Reading


def test_a_document_comes_back_as_it_went_in(index: ctxsearch.Index) -> None:
    text = "# Otters\n\nAn otter swims. It dives.\n\n# Herons\n\nA heron waits."
    headings = (Heading(0, 1, "Otters"), Heading(text.index("# Herons"), 1, "Herons"))
    pages = (Page(0, 1), Page(text.index("# Herons"), 2))
    given = ctxsearch.Document(text, "birds.md", "Animals", {"team": "ops", "tags": ["a"]}, headings, pages=pages)
    index.add([given])
    found = index.get("birds.md")
    assert (found.document_id, found.source, found.title, found.text) == (1, "birds.md", "Animals", text)
    assert found.metadata == {"team": "ops", "tags": ["a"]}
    assert (found.headings, found.pages, found.origin) == (headings, pages, "")
    assert found.ingested_at.startswith("20")
    assert "".join(context.text for context in found.contexts) == text
    assert [(c.page, c.headings) for c in found.contexts] == [(1, ("Otters",)), (2, ("Herons",))]
    for context in found.contexts:
        assert text[context.start : context.end] == context.text
        assert context.tokens == len(context.text.split())
        assert "".join(text[s.start : s.end] for s in context.sentences) == context.text
        assert context.vectors is None


def test_vectors_come_when_they_are_asked_for(index: ctxsearch.Index) -> None:
    index.add([memo(1, "An otter swims. It dives.")])
    (context,) = index.get("memo:1", vectors=True).contexts
    assert context.vectors is not None
    assert (context.vectors.dtype, context.vectors.shape) == (np.float32, (3, 16))
    encoder = HashEncoder(index.model)
    expected = encoder.rows(context.text, ["An otter swims. ", "It dives."])
    assert np.allclose(context.vectors, expected, atol=1e-3)


def test_a_document_is_named_by_its_source_or_its_id(index: ctxsearch.Index) -> None:
    index.add([memo(1), memo(2)])
    for found in (
        index.get("memo:2"),
        index.get(2),
        index.get(source="memo:2"),
        index.get(document_id=2),
        index.get(np.int64(2)),  # type: ignore[arg-type]
    ):
        assert found == index.get("memo:2")
        assert found.text == "The number 2."


def test_a_file_is_named_by_its_path(index: ctxsearch.Index, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("An otter swims.")
    index.ingest([path])
    assert index.get(path).origin == str(path)
    assert path in index
    assert str(path) in index
    assert tmp_path / "b.txt" not in index


def test_a_file_of_records_is_no_single_document(index: ctxsearch.Index, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "An otter swims."}\n{"text": "A heron waits."}\n')
    index.ingest([path])
    with pytest.raises(ctxsearch.DocumentNotFoundError, match="holds 2 documents; name one by its own source"):
        index.get(path)
    assert path in index
    assert index.delete(source=path) == 2


@pytest.mark.parametrize("name", ["memo:9", 9, 2**70, -1, "", "a\0b", "\udce9", Path("memo:9")])
def test_what_is_not_there_is_said(index: ctxsearch.Index, name: Any) -> None:
    index.add([memo(1)])
    for act in (index.get, index.delete, lambda one: index.update_metadata(one, {"a": 1})):
        with pytest.raises(ctxsearch.DocumentNotFoundError, match=r"no document .* in "):
            act(name)
    assert name not in index
    assert len(index) == 1


@pytest.mark.parametrize("name", [True, 1.0, b"memo:1", object(), [True], [1.5]])
def test_what_is_no_name_is_said(index: ctxsearch.Index, name: Any) -> None:
    index.add([memo(1)])
    for act in (index.get, index.delete, lambda one: index.update_metadata(one, {"a": 1})):
        with pytest.raises(ctxsearch.ArgumentError, match="expected a whole number"):
            act(name)
    with pytest.raises(ctxsearch.ArgumentError, match=r"source is .*; expected a text or a path"):
        index.get(source=1)  # type: ignore[arg-type]
    assert len(index) == 1


@pytest.mark.parametrize(
    "arguments", [{}, {"source": "a", "document_id": 1}, {"source": "a", "where": {"n": 1}}], ids=str
)
def test_documents_are_named_in_one_way(index: ctxsearch.Index, arguments: Any) -> None:
    with pytest.raises(ctxsearch.ArgumentError, match="by one of them"):
        index.delete(**arguments)


def test_an_index_has_a_length_and_is_true_without_any(index: ctxsearch.Index) -> None:
    assert (len(index), bool(index), "memo:1" in index, 1 in index, None in index) == (0, True, False, False, False)
    index.add(memo(n, even=n % 2 == 0) for n in range(1, 6))
    assert (len(index), "memo:1" in index, 1 in index, 6 in index, True in index) == (5, True, True, False, False)
    assert (index.count(), index.count({"even": True}), index.count({"n": {"$gt": 9}})) == (5, 2, 0)
    with pytest.raises(ctxsearch.ArgumentError, match="no document has the key 'odd'"):
        index.count({"odd": True})
    assert index.count({"odd": True}, missing="ignore") == 0
    with pytest.raises(ctxsearch.ArgumentError, match=r'missing is .*; expected "error" or "ignore"'):
        index.count({"odd": True}, missing="skip")  # type: ignore[arg-type]


def test_records_are_plain_data(index: ctxsearch.Index) -> None:
    index.add([memo(1, "An otter swims. It dives.")])
    found = index.get(1, vectors=True)
    for other in (pickle.loads(pickle.dumps(found)), copy.copy(found), copy.deepcopy(found)):
        assert other == found
    assert found != index.get(1)
    assert found.contexts[0] != 5


# Walking through


def test_documents_come_page_by_page_in_the_order_of_their_ids(
    index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "DOCUMENTS_PER_PAGE", 3)
    index.add(memo(n, even=n % 2 == 0) for n in range(1, 11))
    assert [d.document_id for d in index.iterate()] == [*range(1, 11)]
    assert [d.document_id for d in index.iterate(after=7)] == [8, 9, 10]
    assert [d.document_id for d in index.iterate({"even": True}, after=4)] == [6, 8, 10]
    assert [*index.iterate({"n": {"$gt": 99}})] == [*index.iterate(after=2**70)] == []
    (last,) = index.iterate(after=9, vectors=True)
    assert last == index.get(10, vectors=True)


def test_others_may_write_between_pages(index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "DOCUMENTS_PER_PAGE", 2)
    index.add(memo(n, old=True) for n in range(1, 6))
    seen = []
    for document in index.iterate({"old": True}):
        seen.append(document.document_id)
        if seen == [1]:
            index.delete([1, 4])
            index.add([memo(9, old=True)])
    assert seen == [1, 2, 3, 5, 6]
    for document in index.iterate({"old": True}):  # the last page has no document with the key any more
        index.update_metadata(document.document_id, {"old": None})
    assert index.count({"old": True}, missing="ignore") == 0


def test_a_condition_of_no_use_is_refused_where_it_is_given(index: ctxsearch.Index) -> None:
    index.add([memo(1)])
    with pytest.raises(ctxsearch.ArgumentError, match="no document has the key 'odd'"):
        index.iterate({"odd": True})
    with pytest.raises(ctxsearch.ArgumentError, match=r"after is 'memo:1' \(str\); expected a whole number"):
        index.iterate(after="memo:1")  # type: ignore[arg-type]


def test_a_page_holds_few_characters(index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHARACTERS_PER_PAGE", 20_000)
    index.add(memo(n, f"The number {n}. " * 1000) for n in range(30))
    tracemalloc.start()
    texts = sum(len(document.text) for document in index.iterate())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert texts > 400_000
    assert most < 3_000_000  # all of them take 20 MB with their sentences


# Removing


def test_several_documents_are_removed_in_one_commit(index: ctxsearch.Index) -> None:
    index.add(memo(n, team="ops" if n < 4 else "hr") for n in range(1, 10))
    generation = index.status().generation
    assert index.delete(["memo:1", 2]) == 2
    assert index.status().generation == generation + 1
    assert index.delete(source=("memo:3", "memo:3")) == 1
    assert index.delete(document_id=iter([4, 5])) == 2
    assert index.delete(where={"n": {"$gte": 8}}) == 2
    assert index.delete(where={"n": 99}) == index.delete([]) == 0
    assert sources(index.iterate()) == ["memo:6", "memo:7"]
    assert index.status().generation == generation + 4
    assert index.verify() == []


def test_nothing_is_removed_where_one_is_not_there(index: ctxsearch.Index) -> None:
    index.add(memo(n) for n in range(1, 4))
    with pytest.raises(ctxsearch.DocumentNotFoundError, match="no document memo:7, 8, 9, 10, 11, … in "):
        index.delete(["memo:1", "memo:7", 8, 9, 10, 11, 12])
    assert len(index) == 3


def test_all_documents_are_removed_by_no_mistake(index: ctxsearch.Index) -> None:
    index.add(memo(n) for n in range(1, 4))
    with pytest.raises(ctxsearch.ArgumentError, match="where is empty, and all documents fit it"):
        index.delete(where={})
    with pytest.raises(ctxsearch.ArgumentError, match="no document has the key"):
        index.delete(where={"tema": "ops"})
    assert index.delete(where={"tema": "ops"}, missing="ignore") == 0
    assert index.delete(where={"source": {"$exists": True}}) == 3


def test_an_index_that_is_only_read_is_not_written(model: Path, tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        index.add([memo(1)])
    with ctxsearch.open(tmp_path / "index", read_only=True) as index:
        for act in (index.delete, lambda one: index.update_metadata(one, {"a": 1})):
            with pytest.raises(ctxsearch.ArgumentError, match="read_only"):
                act("memo:1")


# Metadata


def test_metadata_are_merged(index: ctxsearch.Index) -> None:
    index.add([memo(1, team="ops", draft=True, empty=None), memo(2), memo(3)])
    before = index.get(1, vectors=True)
    assert index.update_metadata("memo:1", {"team": "hr", "draft": None, "absent": None, "a": {"b": [1]}}) == 1
    after = index.get(1, vectors=True)
    assert after.metadata == {"n": 1, "team": "hr", "empty": None, "a": {"b": [1]}}
    assert (after.contexts, after.ingested_at) == (before.contexts, before.ingested_at)
    assert sources(index.documents({"a.b": 1})) == ["memo:1"]
    assert [hit.metadata["team"] for hit in index.query("number", where={"team": "hr"})] == ["hr"]
    assert index.verify() == []


def test_metadata_of_several_are_changed_in_one_commit(index: ctxsearch.Index) -> None:
    index.add(memo(n) for n in range(1, 7))
    generation = index.status().generation
    assert index.update_metadata({"n": {"$gt": 3}}, {"late": True}) == 3
    assert index.status().generation == generation + 1
    assert index.update_metadata(["memo:1", 2], {"early": True}) == 2
    assert index.update_metadata(document_id=3, metadata={"early": True}) == 1
    assert index.update_metadata({"early": True}, document_id=4) == 1
    assert index.update_metadata(where={"late": True}, metadata={"late": "yes"}) == 3
    assert index.update_metadata({"n": 99}, {"late": True}) == 0
    assert sources(index.documents({"early": True})) == ["memo:1", "memo:2", "memo:3", "memo:4"]
    assert index.count({"late": "yes"}) == 3
    generation = index.status().generation
    assert index.update_metadata({"late": "yes"}, {"late": "yes"}) == 3
    assert index.status().generation == generation  # nothing was new


@pytest.mark.parametrize(
    "metadata", [{"a": float("nan")}, {"a": object()}, {5: 1}, {"a": "\udce9"}, [("a", 1)], "a=1"], ids=ascii
)
def test_what_is_no_metadata_is_refused(index: ctxsearch.Index, metadata: Any) -> None:
    index.add([memo(1)])
    with pytest.raises(ctxsearch.ArgumentError, match="metadata"):
        index.update_metadata("memo:1", metadata)
    with pytest.raises(ctxsearch.ArgumentError, match="update_metadata takes the values to change"):
        index.update_metadata("memo:1")
    assert index.get(1).metadata == {"n": 1}


def test_changes_outlive_an_ingest_of_the_unchanged_file(index: ctxsearch.Index, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("An otter swims.")
    index.ingest([path])
    index.update_metadata(path, {"reviewed": True})
    assert index.ingest([path]).documents.unchanged == 1
    path.touch()
    report = index.ingest([path])
    assert (report.documents.unchanged, report.contexts) == (1, 0)
    assert index.get(path).metadata["reviewed"] is True
    assert index.verify() == []
    path.write_text("A heron waits.")
    assert index.ingest([path]).documents.updated == 1
    assert "reviewed" not in index.get(path).metadata


def test_a_document_that_is_added_replaces_changes(index: ctxsearch.Index) -> None:
    index.add([memo(1)])
    index.update_metadata(1, {"reviewed": True})
    report = index.add([memo(1)])
    assert (report.documents.updated, report.contexts) == (1, 0)
    assert index.get(1).metadata == {"n": 1}
    assert index.add([memo(1)]).documents.unchanged == 1


def test_changes_go_along_with_an_export(index: ctxsearch.Index, model: Path, tmp_path: Path) -> None:
    index.add([memo(1), memo(2)])
    index.export(tmp_path / "before.jsonl")
    index.update_metadata(1, {"reviewed": True})
    index.export(tmp_path / "after.jsonl")
    other = tmp_path / "other"
    ctxsearch.Index.import_(tmp_path / "before.jsonl", other)
    done = ctxsearch.Index.import_(tmp_path / "after.jsonl", other)
    assert (done.updated, done.unchanged) == (1, 1)
    with ctxsearch.open(other, model=model) as copied:
        assert copied.get(1).metadata == {"n": 1, "reviewed": True}


def test_changes_go_along_to_another_model_and_back(index: ctxsearch.Index, tmp_path: Path) -> None:
    index.add([memo(1), memo(2)])
    index.reembed(hashing.make_model(tmp_path / "models", "second", dim=24).path)
    index.update_metadata(1, {"reviewed": True})
    index.rollback()
    assert index.get(1).metadata == {"n": 1, "reviewed": True}
    assert hashing.misfits(index) == []
