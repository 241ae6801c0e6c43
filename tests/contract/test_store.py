"""The contract of `Store`: one body for every implementation. A new one adds itself to ``stores``."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ctxsearch.contexts import split
from ctxsearch.errors import ArgumentError
from ctxsearch.layout import IndexFolder
from ctxsearch.passport import ModelFolder
from ctxsearch.records import Document, FailedSource, Filter
from ctxsearch.store import LocalStore, Snapshot, Store, Writer, compact
from tests.hashing import HashEncoder, make_model

Maker = Callable[[Path, ModelFolder], Store]


def local(path: Path, model: ModelFolder) -> Store:
    return LocalStore.create(IndexFolder(path / "index"), model.passport, str(model.path))


stores = pytest.mark.parametrize("make", [local])


def put(writer: Writer, encoder: HashEncoder, source: str, text: str, **metadata: Any) -> int:
    """Add a document as ingest does."""
    document = Document(text, source, f"title {source}", metadata)
    cut = list(split(document, encoder.count_tokens, encoder.context_budget))
    rows = encoder.embed_contexts(cut)
    document_id = writer.put_document(document, f"hash of {text}")
    context_ids = writer.put_contexts(document_id, document.title, cut)
    writer.put_vectors(context_ids, [rows[i] for i in range(len(cut))])
    return document_id


def texts(snapshot: Snapshot) -> dict[str, str]:
    return {d.source: snapshot.document_text(d.document_id) for d in snapshot.documents()}


@pytest.fixture
def encoder(tmp_path: Path) -> HashEncoder:
    return HashEncoder(make_model(tmp_path / "models", "hash-a"))


@pytest.fixture
def store(make: Maker, tmp_path: Path) -> Store:
    return make(tmp_path, ModelFolder.load(make_model(tmp_path / "more", "hash-a").path))


@stores
def test_what_was_not_committed_is_not_there(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        put(writer, encoder, "a", "An otter swims.")
        with store.snapshot() as snapshot:
            assert texts(snapshot) == {}
        first = writer.commit()
        put(writer, encoder, "b", "A heron waits.")
    with store.snapshot() as snapshot:
        assert texts(snapshot) == {"a": "An otter swims."}
        assert snapshot.generation == first
    with pytest.raises(ZeroDivisionError), store.writer() as writer:  # noqa: PT012
        put(writer, encoder, "c", "A toad sits.")
        1 / 0  # noqa: B018
    with store.snapshot() as snapshot:
        assert (snapshot.generation, snapshot.counts()) == (first, (1, 1, 1))


@stores
def test_a_snapshot_is_of_one_generation(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        put(writer, encoder, "a", "An otter swims.")
        writer.commit()
    vector = encoder.vector("An otter swims.")

    def replace_a_by_b() -> int:
        with store.writer() as writer:
            writer.delete_document(writer.find_documents("a")[0])
            put(writer, encoder, "b", "A heron waits.")
            return writer.commit()

    with store.snapshot() as before, ThreadPoolExecutor(1) as another_thread:
        second = another_thread.submit(replace_a_by_b).result(timeout=30)
        assert texts(before) == {"a": "An otter swims."}
        (found,) = before.search_dense(vector, 5, 0.85)
        assert before.contexts([found.context_id])[found.context_id].text == "An otter swims."
        assert before.generation < second
    with store.snapshot() as after:
        assert texts(after) == {"b": "A heron waits."}
        assert [after.contexts([c.context_id])[c.context_id].source for c in after.search_dense(vector, 5, 0.85)] == [
            "b"
        ]
        assert after.search_lexical("otter", 5) == []


@stores
def test_a_document_of_the_same_key_is_replaced(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        first = put(writer, encoder, "a", "An otter swims.", n=1)
        assert writer.content_hash("a") == "hash of An otter swims."
        writer.commit()
        assert put(writer, encoder, "a", "A heron waits. It stands.", n=2) == first
        writer.commit()
        assert writer.content_hash("a") == "hash of A heron waits. It stands."
    with store.snapshot() as snapshot:
        assert snapshot.counts() == (1, 1, 2)
        assert [d.metadata for d in snapshot.documents()] == [{"n": 2}]
        assert [d.source for d in snapshot.documents(Filter({"n": 1}))] == []
        assert snapshot.contexts_with_vectors() == 1


@stores
def test_a_document_is_given_other_facts(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        document_id = put(writer, encoder, "a", "An otter swims. It dives.", team="ops")
        put(writer, encoder, "b", "A heron waits.", team="hr")
        writer.commit()
        known = writer.known("a")
        assert known is not None
        assert (known.document_id, known.title, known.metadata) == (document_id, "title a", {"team": "ops"})
        assert (known.content_hash, known.characters) == ("hash of An otter swims. It dives.", 25)
        assert writer.known("c") is None
        document = Document("", "c", "burrow", {"team": "it"}, origin="/files/c")
        writer.put_facts(document_id, document, "another hash")
        assert writer.known("a") is None
        assert [one.document_id for one in writer.documents_of("/files/c")] == [document_id]
        generation = writer.commit()
    with store.snapshot() as snapshot:
        assert snapshot.generation == generation
        assert texts(snapshot) == {"c": "An otter swims. It dives.", "b": "A heron waits."}
        assert [one.source for one in snapshot.documents(Filter({"team": "it"}))] == ["c"]
        assert [one.context_id for one in snapshot.search_lexical("burrow", 5)] == [1]
        (found, _) = snapshot.search_dense(encoder.vector("An otter swims. It dives."), 5, 0.0)
        assert (found.context_id, found.dense) == (1, pytest.approx(1.0, abs=1e-3))


@stores
def test_documents_are_counted_and_walked_through_by_id(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        for n in range(5):
            put(writer, encoder, f"s{n}", f"The number {n}.", even=n % 2 == 0)
        assert writer.matching_documents(Filter({"even": False})) == [2, 4]
        writer.commit()
    with store.snapshot() as snapshot:
        assert snapshot.count_documents() == 5
        assert snapshot.count_documents(Filter({"even": True})) == 3
        assert snapshot.count_documents(Filter({"odd": True}, "ignore")) == 0
        assert [d.document_id for d in snapshot.documents(after=2)] == [3, 4, 5]
        assert [d.document_id for d in snapshot.documents(Filter({"even": True}), after=1)] == [3, 5]
        with pytest.raises(ArgumentError, match="no document has the key 'odd'"):
            snapshot.count_documents(Filter({"odd": True}))


@stores
def test_documents_are_left_out_of_a_search(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        for n in range(4):
            put(writer, encoder, f"s{n}", f"An otter {n}. It swims.", even=n % 2 == 0)
        writer.commit()
    with store.snapshot() as snapshot:
        without = Filter({}, without=frozenset({1, 3}))
        owners = snapshot.documents_of_contexts([1, 2, 3, 4, 99])
        assert sorted(owners.values()) == [1, 2, 3, 4]
        dense = snapshot.search_dense(encoder.vector("An otter 0."), 9, 0.8, without)
        for candidates in (snapshot.search_lexical("otter", 9, without), dense):
            assert {owners[candidate.context_id] for candidate in candidates} == {2, 4}
        assert snapshot.count_documents(without) == 2
        assert snapshot.count_documents(Filter({"even": True}, without=frozenset({1, 99}))) == 1


@stores
def test_what_is_rolled_back_is_not_there(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        put(writer, encoder, "a", "An otter swims.")
        first = writer.commit()
        put(writer, encoder, "b", "A heron waits.")
        writer.roll_back()
        assert writer.commit() == first
        put(writer, encoder, "c", "A toad sits.")
        writer.commit()
    with store.snapshot() as snapshot:
        assert texts(snapshot) == {"a": "An otter swims.", "c": "A toad sits."}
        assert snapshot.contexts_with_vectors() == 2


@stores
def test_metadata_are_changed_alone(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        document_id = put(writer, encoder, "a", "An otter swims. It dives.", team="ops")
        writer.commit()
    with store.snapshot() as snapshot:
        before = snapshot.whole_document(document_id)
    with store.writer() as writer:
        assert writer.known_document(document_id).metadata == {"team": "ops"}
        writer.put_metadata(document_id, {"team": "hr", "n": [1]}, "another hash")
        generation = writer.commit()
    with store.snapshot() as snapshot:
        after = snapshot.whole_document(document_id)
        assert after.metadata == {"team": "hr", "n": [1]}
        assert (after.content_hash, snapshot.generation) == ("another hash", generation)
        for name in ("key", "source", "origin", "title", "headings", "ingested_at"):
            assert getattr(after, name) == getattr(before, name)
        assert [(c.context_id, c.text, c.rows.tobytes()) for c in after.contexts] == [
            (c.context_id, c.text, c.rows.tobytes()) for c in before.contexts
        ]
        assert snapshot.count_documents(Filter({"n": 1})) == 1
        assert snapshot.count_documents(Filter({"team": "ops"})) == 0
        assert [c.context_id for c in snapshot.search_lexical("otter", 5, Filter({"team": "hr"}))] == [1]


@stores
def test_failures_are_kept_by_origin(store: Store) -> None:
    one, two = (FailedSource("a", error, "/a", "1 2 3", "2026-01-01T00:00:00+00:00") for error in ("empty", "torn"))
    other = one._replace(origin="/b")
    with store.writer() as writer:
        generation = writer.commit()
        writer.put_failures((), [two, one, other])
        assert writer.commit() == generation  # they change no answer
    with store.writer() as writer:
        assert writer.failures() == [one, two, other]
        writer.put_failures(["/a"], [one._replace(error="gone")])
    with store.snapshot() as snapshot:
        assert snapshot.failures() == [one._replace(error="gone"), other]


@stores
def test_scores_are_of_the_rows_that_were_put(store: Store, encoder: HashEncoder) -> None:
    with store.writer() as writer:
        for n in range(9):
            put(writer, encoder, f"s{n}", f"The number {n}. It follows {n - 1}.", even=n % 2 == 0)
        writer.commit()
    asked = encoder.vector("It follows 4.")
    with store.snapshot() as snapshot:
        best, *rest = snapshot.search_dense(asked, 9, 0.75)
        assert snapshot.contexts([best.context_id])[best.context_id].source == "s5"
        whole = encoder.vector("The number 5. It follows 4.")
        assert best.dense == pytest.approx(0.75 + 0.25 * float(whole @ asked), abs=1e-3)
        assert (best.sentence, len(rest)) == (1, 8)
        last = rest[-1]
        for k in (0, 1):
            ids, scores = snapshot.dense_scores(asked, k, [last.context_id], 0.75)
            found = dict(zip(ids.tolist(), scores.tolist(), strict=True))
            assert found[last.context_id] == last.dense
            assert k == 0 or found[best.context_id] == best.dense
        even = snapshot.search_dense(asked, 9, 0.75, Filter({"even": True}))
        assert {snapshot.contexts([c.context_id])[c.context_id].source for c in even} == {"s0", "s2", "s4", "s6", "s8"}


@stores
def test_a_whole_document_is_copied_with_its_ids(
    make: Maker, store: Store, encoder: HashEncoder, tmp_path: Path
) -> None:
    with store.writer() as writer:
        put(writer, encoder, "gone", "Gone.")
        put(writer, encoder, "a", "An otter swims. " * 30, n=[1, "x"])
        writer.commit()
        writer.delete_document(1)
        writer.commit()
    with store.snapshot() as snapshot:
        whole = snapshot.whole_document(2)
    other = make(tmp_path / "other", make_model(tmp_path / "third", "hash-a"))
    with other.writer() as writer:
        assert writer.put_whole(whole) == 2
        writer.commit()
    with other.snapshot() as snapshot:
        copied = snapshot.whole_document(2)
        assert [c.rows.tobytes() for c in copied.contexts] == [c.rows.tobytes() for c in whole.contexts]
        assert [(c.context_id, c.text, c.sentences) for c in copied.contexts] == [
            (c.context_id, c.text, c.sentences) for c in whole.contexts
        ]
        assert (copied.metadata, copied.ingested_at) == (whole.metadata, whole.ingested_at)


@stores
def test_operation_sequences(make: Maker, tmp_path: Path) -> None:
    """Random operations against a dict."""
    counter = itertools.count()
    model = make_model(tmp_path / "models", "hash-a")
    encoder = HashEncoder(model)
    sources = st.sampled_from(["a", "b", "c", "d"])
    contents = st.lists(st.sampled_from(["otter", "heron", "toad.", "owl\n\n"]), min_size=1, max_size=60).map(" ".join)

    class Operations(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.store = make(tmp_path / str(next(counter)), model)
            self.model: dict[str, str] = {}
            self.generation = 0

        @rule(source=sources, text=contents, commit=st.booleans())
        def put(self, source: str, text: str, commit: bool) -> None:
            with self.store.writer() as writer:
                put(writer, encoder, source, text)
                if commit:
                    self.generation = writer.commit()
                    self.model[source] = text

        @rule(source=sources, commit=st.booleans())
        def delete(self, source: str, commit: bool) -> None:
            with self.store.writer() as writer:
                for document_id in writer.find_documents(source):
                    writer.delete_document(document_id)
                if commit:
                    self.generation = max(self.generation, writer.commit())
                    self.model.pop(source, None)

        @rule()
        def compact(self) -> None:
            if isinstance(self.store, LocalStore):
                compact(self.store)

        @rule()
        def reopen(self) -> None:
            if isinstance(self.store, LocalStore):
                self.store.close()
                self.store = LocalStore(self.store.folder)

        @invariant()
        def holds_what_the_model_holds(self) -> None:
            with self.store.snapshot() as snapshot:
                assert snapshot.generation == self.generation
                assert texts(snapshot) == self.model
                for source, text in self.model.items():
                    document = snapshot.whole_document(snapshot.find_documents(source)[0])
                    assert document.text == text
                    first = document.contexts[0]
                    (best,) = snapshot.search_dense(encoder.vector(first.text), 1, 0.0)
                    assert snapshot.contexts([best.context_id])[best.context_id].text == first.text
                assert snapshot.contexts_with_vectors() == snapshot.counts()[1]

        def teardown(self) -> None:
            self.store.close()

    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Operations, settings=settings(max_examples=8, stateful_step_count=12, deadline=None, database=None)
    )
