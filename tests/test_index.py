"""The Index: what goes in comes out, stays out once deleted, and is found as exact search would find it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ctxsearch
from ctxsearch.encoder import Encoder
from ctxsearch.passport import find_model
from ctxsearch.records import MODES, SENTENCE_WEIGHT
from ctxsearch.store.local import LocalSnapshot
from tests.conftest import DATA

QUESTIONS = [json.loads(line) for line in (DATA / "questions.jsonl").read_text(encoding="utf-8").splitlines()]


def add(index: ctxsearch.Index, **texts: str) -> ctxsearch.IngestReport:
    return index.add([ctxsearch.Document(text, source=source) for source, text in texts.items()])


def test_sample_questions_find_their_document_among_the_first_five(sample: ctxsearch.Index) -> None:
    right = 0
    for question, answer in zip(
        QUESTIONS, sample.query_many([question["question"] for question in QUESTIONS], k=50), strict=True
    ):
        sources = list(dict.fromkeys(hit.source for hit in answer))[:5]
        right += any(source.endswith(question["source"]) for source in sources)
    assert right / len(QUESTIONS) >= 0.95


@pytest.mark.parametrize("question", [question["question"] for question in QUESTIONS[::12]])
def test_dense_scores_equal_a_brute_force(sample: ctxsearch.Index, question: str) -> None:
    encoder = Encoder(find_model())
    asked = encoder.embed_questions([question])[0].embedding
    expected = []
    with sample._store.snapshot() as snapshot:
        for stored in snapshot._catalog.vectors_from(0, encoder.dim):
            products = stored.rows.astype(np.float32) @ asked
            blend = SENTENCE_WEIGHT * products[1:].max() + (1 - SENTENCE_WEIGHT) * products[0]
            expected.append((-float(blend), stored.context_id))
    expected.sort()
    hits = sample.query(question, k=20, mode="dense")
    assert [hit.context_id for hit in hits] == [context_id for _, context_id in expected[:20]]
    found = [hit.scores.dense for hit in hits]
    np.testing.assert_allclose(found, [-score for score, _ in expected[:20]], atol=1e-5)  # type: ignore[arg-type]


def test_offsets_point_into_the_text(sample: ctxsearch.Index) -> None:
    for hit in sample.query("how warm may the shield become?", k=20):
        text = sample.text(document_id=hit.document_id)
        assert text[hit.start : hit.end] == hit.text
        assert text[hit.sentence.start : hit.sentence.end] == hit.sentence.text
        assert hit.start <= hit.sentence.start <= hit.sentence.end <= hit.end


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=600))
def test_what_is_ingested_is_shown_letter_for_letter(index: ctxsearch.Index, text: str) -> None:
    report = index.add([ctxsearch.Document(text, source="it")])
    if report.failures:
        assert not text.strip()
    else:
        assert index.text(source="it") == text


def test_files_are_shown_letter_for_letter(index: ctxsearch.Index) -> None:
    index.ingest([DATA / "field-guide", DATA / "handbook"])
    for path in [*DATA.glob("field-guide/*.txt"), *DATA.glob("handbook/*.md")]:
        assert index.text(source=path) == path.read_bytes().decode()


def test_a_deleted_document_is_in_no_mode(index: ctxsearch.Index) -> None:
    add(index, otter="The otter swims in the river.", heron="The heron stands in the river.")
    for mode in MODES:
        assert {hit.source for hit in index.query("otter in the river", mode=mode)} == {"otter", "heron"}
    assert index.delete(source="otter") == 1
    for mode in MODES:
        assert {hit.source for hit in index.query("otter in the river", mode=mode)} == {"heron"}
    with pytest.raises(ctxsearch.DocumentNotFoundError):
        index.text(source="otter")
    assert index.verify() == []


def test_unchanged_is_skipped_and_changed_is_replaced(index: ctxsearch.Index) -> None:
    assert add(index, a="Badgers dig setts.", b="Foxes dig earths.").documents.added == 2
    generation = index.status().generation
    again = add(index, a="Badgers dig setts.", b="Foxes dig earths.")
    assert (again.documents.unchanged, again.documents.added, again.contexts) == (2, 0, 0)
    assert index.status().generation == generation
    changed = add(index, a="Badgers eat earthworms.")
    assert (changed.documents.updated, changed.documents.added) == (1, 0)
    assert index.text(source="a") == "Badgers eat earthworms."
    for mode in MODES:
        assert not [hit for hit in index.query("setts", mode=mode, k=9) if "setts" in hit.text]
    assert index.status().documents == 2
    assert index.status().generation == generation + 1


def test_the_same_source_twice_in_one_run(index: ctxsearch.Index) -> None:
    report = index.add([ctxsearch.Document(text, source="s") for text in ("one", "one", "two")])
    assert (report.documents.added, report.documents.unchanged, report.documents.failed) == (1, 1, 1)
    assert index.text(source="s") == "one"


def test_prune_removes_what_is_gone_and_nothing_else(index: ctxsearch.Index, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "below").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "below/c.txt", "d.md"):
        (docs / name).write_text(f"text of {name}")
    (docs / "r.jsonl").write_text('{"text": "one", "source": "r1"}\n{"text": "two", "source": "r2"}\n')
    add(index, memo="a memo")
    assert index.ingest([docs]).documents.added == 6
    (docs / "a.txt").unlink()
    (docs / "below" / "c.txt").unlink()
    (docs / "d.md").unlink()
    (docs / "r.jsonl").write_text('{"text": "one", "source": "r1"}\n')
    assert index.ingest([docs]).documents.deleted == 0
    assert index.ingest([docs], glob="*.txt", prune=True).documents.deleted == 2
    assert index.ingest([docs], prune=True).documents.deleted == 2
    assert [d.source.rpartition("/")[2] for d in index.documents()] == ["memo", "b.txt", "r1"]
    (docs / "b.txt").write_bytes(b"\xff not text")
    assert index.ingest([docs], prune=True).documents.deleted == 0, "a file that cannot be read is not gone"
    assert index.ingest([tmp_path / "nowhere"], prune=True).documents.deleted == 0


def test_one_file_by_two_spellings_is_one_document(
    index: ctxsearch.Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("some text")
    monkeypatch.chdir(tmp_path)
    assert index.ingest(["a.txt"]).documents.added == 1
    assert index.ingest([tmp_path / "a.txt", "./a.txt"]).documents.unchanged == 1
    assert index.query("text")[0].source == "a.txt"
    assert index.delete(source=tmp_path / "a.txt") == 1


def test_where_restricts_before_the_top_k(index: ctxsearch.Index) -> None:
    values: list[object] = ["ops", "it's", 5, 5.5, True, None]
    index.add(
        ctxsearch.Document(f"The river number {n}", source=str(n), metadata={"team": values[n % 6]}) for n in range(60)
    )
    for mode in MODES:
        for value in values:
            found = index.query("river", k=60, mode=mode, where={"team": value})
            assert len(found) == 10
            assert all(hit.metadata["team"] is value or hit.metadata["team"] == value for hit in found)
    assert len(index.query("river", k=60, where={"team": {"$in": ["ops", 5]}})) == 20
    assert len(index.query("river", where={"team": "none such"})) == 0
    with pytest.raises(ctxsearch.ArgumentError, match="no document has the key"):
        index.query("river", where={"t') OR 1 --": "x"})
    with pytest.raises(ctxsearch.ArgumentError):
        index.query("river", where={"team": {"$wrong": 1}})


@pytest.mark.parametrize(
    ("question", "k", "mode"),
    [("", 5, "hybrid"), (" \n", 5, "dense"), ("a", 0, "hybrid"), ("a", -1, "hybrid"), ("a", 5, "x")],
)
def test_useless_arguments_are_said(sample: ctxsearch.Index, question: str, k: int, mode: str) -> None:
    with pytest.raises(ctxsearch.ArgumentError):
        sample.query(question, k, mode)  # type: ignore[arg-type]


def test_k_beyond_the_index_gives_all(sample: ctxsearch.Index) -> None:
    assert len(sample.query("rain", k=10_000, mode="dense")) == sample.status().contexts


def test_meaning_beside_words_answers_the_same(sample: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = ["who may approve a refund?", "how is the gauge read?", "rain"]
    alone = [[(hit.context_id, hit.score) for hit in sample.query(question)] for question in questions]
    monkeypatch.setattr(LocalSnapshot, "searches_long", lambda _: True)  # as in an index that has lists
    assert [[(hit.context_id, hit.score) for hit in sample.query(question)] for question in questions] == alone

    def broken(*_: object, **__: object) -> None:
        raise ctxsearch.StoreError("the vectors are gone")

    monkeypatch.setattr(LocalSnapshot, "dense_scores", broken)
    with pytest.raises(ctxsearch.StoreError, match="the vectors are gone"):
        sample.query(questions[0])
    monkeypatch.setattr(LocalSnapshot, "search_lexical", broken)
    with pytest.raises(ctxsearch.StoreError, match="the vectors are gone"):
        sample.query(questions[0])


def test_hits_are_the_same_whether_read_ahead_or_not(sample: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = ["who may approve a refund?", "how is the gauge read?", "rain"]
    ahead: list[int] = []
    read = LocalSnapshot.read_ahead

    def counted(self: LocalSnapshot, context_ids: Sequence[int]) -> None:
        ahead.extend(context_ids)
        read(self, context_ids)

    monkeypatch.setattr(LocalSnapshot, "read_ahead", counted)
    monkeypatch.setattr("ctxsearch.query._Embeddings.over", lambda _: True)
    expected = [sample.query(question).hits for question in questions]
    assert not ahead
    monkeypatch.setattr("ctxsearch.query._Embeddings.over", lambda _: False)
    assert [sample.query(question).hits for question in questions] == expected
    assert {hit.context_id for hits in expected for hit in hits} & set(ahead)


def test_what_cannot_be_read_ahead_is_said_when_it_is_asked_for(
    sample: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sample._store.snapshot() as snapshot:
        expected = snapshot.contexts([1, 2])
        contexts = snapshot._catalog.contexts
        snapshot.read_ahead([2, 10_000])
        assert snapshot.contexts([1, 2]) == expected
        with pytest.raises(ctxsearch.DamagedIndexError, match="missing, first 10000"):
            snapshot.contexts([1, 10_000])

        def damaged(context_ids: Sequence[int]) -> object:
            raise ctxsearch.DamagedIndexError("context 1 is damaged")

        monkeypatch.setattr(snapshot._catalog, "contexts", damaged)
        snapshot.read_ahead([1])
        with pytest.raises(ctxsearch.DamagedIndexError, match="context 1 is damaged"):
            snapshot.contexts([1])
        monkeypatch.setattr(snapshot._catalog, "contexts", contexts)
        assert snapshot.contexts([1]) == {1: expected[1]}


def test_truncation_is_said(sample: ctxsearch.Index) -> None:
    assert not sample.query("rain").truncated
    for mode in MODES:
        assert sample.query(" ".join(f"word{n}" for n in range(10_000)), mode=mode).truncated


def test_operators_in_questions_are_plain_text(sample: ctxsearch.Index) -> None:
    for question in (
        '"',
        "*",
        "NEAR(rain",
        "AND",
        ";--",
        'rain" OR "x',
        "rain*",
        "-rain",
        "title:rain",
        "{rain}",
        "\ud800 rain",
    ):
        for mode in MODES:
            sample.query(question, mode=mode)
    assert [hit.context_id for hit in sample.query("rain* AND (gauge", mode="lexical")] == [
        hit.context_id for hit in sample.query("rain and gauge", mode="lexical")
    ]


def test_an_empty_index_answers_with_nothing(index: ctxsearch.Index) -> None:
    for mode in MODES:
        assert len(index.query("anything", mode=mode)) == 0


def test_a_document_longer_than_many_windows_goes_in_whole(index: ctxsearch.Index) -> None:
    text = "\n\n".join(
        f"Paragraph {n} tells that the number {n} follows {n - 1}. " + "It goes on. " * 60 for n in range(600)
    )
    report = add(index, long=text, short="A short one about otters.")
    assert report.documents.added == 2
    assert report.contexts > 512
    assert index.text(source="long") == text
    assert index.status().contexts == report.contexts
    assert index.query("otters", k=1)[0].source == "short"


def test_answers_survive_the_loss_of_the_vector_file(tmp_path: Path) -> None:
    def ask() -> list[tuple[int, float]]:
        with ctxsearch.open(tmp_path / "i", read_only=True) as index:
            assert index.status().healthy
            return [(hit.context_id, hit.score) for hit in index.query("what eats earthworms?", k=9)]

    with ctxsearch.open(tmp_path / "i") as index:
        index.ingest([DATA / "field-guide"])
    before = ask()
    (vectors,) = (tmp_path / "i").glob("vectors-*.rows")
    content = bytearray(vectors.read_bytes())
    content[len(content) // 2] ^= 0xFF
    for damaged in (bytes(content), bytes(content[:100]), b""):
        vectors.write_bytes(damaged)
        assert ask() == before
    vectors.unlink()
    assert ask() == before


def test_an_open_reader_sees_later_generations(tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "i") as writer, ctxsearch.open(tmp_path / "i", read_only=True) as reader:
        add(writer, a="The otter swims.")
        assert [hit.source for hit in reader.query("otter")] == ["a"]
        add(writer, b="The otter dives.")
        assert {hit.source for hit in reader.query("otter")} == {"a", "b"}
        writer.delete(source="a")
        assert [hit.source for hit in reader.query("otter")] == ["b"]
        with pytest.raises(ctxsearch.ArgumentError):
            reader.delete(source="b")


def test_a_reader_that_loses_the_vector_file_finds_nothing_deleted(tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "i") as writer, ctxsearch.open(tmp_path / "i", read_only=True) as reader:
        add(writer, a="The otter swims.", b="The otter dives.")
        assert len(reader.query("otter", mode="dense")) == 2
        writer.delete(source="a")
        add(writer, c="The otter sleeps.")
        add(writer, d="A hedgehog.")  # its commit drops the note about what was removed
        (vectors,) = (tmp_path / "i").glob("vectors-*.rows")
        vectors.unlink()
        assert {hit.source for hit in reader.query("otter", mode="dense")} == {"b", "c", "d"}


def test_an_exception_in_the_middle_leaves_what_was_committed(index: ctxsearch.Index) -> None:
    add(index, a="The otter swims.")

    def documents() -> object:
        yield ctxsearch.Document("The heron waits.", source="b")
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        index.add(documents())  # type: ignore[arg-type]
    assert [document.source for document in index.documents()] == ["a"]
    assert index.verify() == []


def test_threads_share_an_index(index: ctxsearch.Index) -> None:
    add(index, **{f"s{n}": f"The river number {n} is long." for n in range(50)})
    wrong: list[object] = []

    def ask(n: int) -> None:
        for _ in range(10):
            hits = index.query(f"river number {n}", k=3)
            if len(hits) != 3 or hits[0].source != f"s{n}":
                wrong.append(hits)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for n in range(50, 55):
        add(index, **{f"s{n}": f"The hill number {n} is high."})
    for thread in threads:
        thread.join()
    assert wrong == []


def test_another_model_is_refused_with_both_named(index: ctxsearch.Index, tmp_path: Path) -> None:
    model = find_model()
    other = tmp_path / "other"
    other.mkdir()
    for file in model.path.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    card = {**model.card, "name": "other", "question_window": 64}
    (other / "model.json").write_text(json.dumps(card))
    with pytest.raises(ctxsearch.PassportMismatchError, match=r"ctxsearch-l6-int8 .* other "):
        ctxsearch.open(index.path, model=other)


def test_compact_gives_back_space(index: ctxsearch.Index) -> None:
    add(index, **{f"s{n}": f"zebra{n} " * 200 for n in range(100)})
    full = index.status().bytes["catalog"]
    for n in range(90):
        index.delete(source=f"s{n}")
    index.compact()
    assert index.status().bytes["catalog"] < full / 2
    assert index.verify() == []
    assert len(index.query("zebra95", mode="lexical")) > 0
