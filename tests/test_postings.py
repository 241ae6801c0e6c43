"""Scores of words are kept and added up: what FTS5 gives for all words at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ctxsearch
from ctxsearch.catalog import bm25, postings, searching
from ctxsearch.catalog.bm25 import Bm25, WordScores
from ctxsearch.catalog.connection import WORD_INSTANCES
from ctxsearch.catalog.postings import Postings, best
from ctxsearch.catalog.searching import Searching, words_of

WORDS = "heron lake delta river rain stone bridge mill".split()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    """Documents of words drawn at random, some of them more than once."""
    draw = np.random.default_rng(1)
    with ctxsearch.open(tmp_path_factory.mktemp("many") / "index") as index:
        index.add(
            ctxsearch.Document(" ".join(draw.choice(WORDS, draw.integers(1, 9))), source=f"d{n}", title=WORDS[n % 5])
            for n in range(120)
        )
        yield index


def at_once(catalog: Searching, words: list[str], limit: int) -> list[tuple[int, float]]:
    """By one query of FTS5, as the first question of a generation is answered."""
    catalog._statistics = None
    return catalog.search_text(words, limit)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.sampled_from([*WORDS, "unicorn", "lakes"]), min_size=1, max_size=6, unique=True),
    limit=st.integers(1, 150),
    sums=st.sampled_from([0, 8]),
)
def test_kept_scores_give_what_one_query_gives(
    many: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch, asked: list[str], limit: int, sums: int
) -> None:
    monkeypatch.setattr(postings, "SUMS_A_SCORE", sums)
    catalog = many._store.catalog
    expected = at_once(catalog, asked, limit)
    for _ in range(2):
        found = catalog.search_text(asked, limit)
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-9)
        assert found == sorted(found, key=lambda one: (-one[1], one[0]))
        every = dict(at_once(catalog, asked, 1000))
        assert all(score == pytest.approx(every[context_id], abs=1e-5) for context_id, score in found)


def test_scores_of_a_generation_are_not_those_of_the_next(tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index") as index:
        index.add([ctxsearch.Document("A heron.", source="a"), ctxsearch.Document("A lake and rain.", source="b")])
        for _ in range(3):
            before = index.query("heron", mode="lexical")
            assert [hit.source for hit in before] == ["a"]
        index.add([ctxsearch.Document("Another heron and heron.", source="c")])
        for _ in range(3):
            after = index.query("heron", mode="lexical")
            assert [hit.source for hit in after] == ["c", "a"]
            assert after[1].scores.lexical != before[0].scores.lexical
        index.delete(source="a")
        assert [hit.source for hit in index.query("heron", mode="lexical")] == ["c"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.sampled_from([*WORDS, "unicorn", "lakes", "Bridges", "mill_stone"]), min_size=1, unique=True))
def test_scores_in_a_large_catalog_are_those_of_fts5(
    many: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    monkeypatch.setattr(searching, "SCORED", 100)
    catalog = many._store.catalog
    words = words_of(" ".join(asked))
    expected = at_once(catalog, words, 200)
    found = catalog.search_text(words, 200)
    assert sorted(found) == [(i, pytest.approx(score, abs=1e-9)) for i, score in sorted(expected)]


def test_lengths_of_contexts_are_those_of_the_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SCORED", 6)
    with ctxsearch.open(tmp_path / "index") as index:
        for title in ("", "a river and a lake"):
            index.add(
                ctxsearch.Document(f"Rain {'on stone ' * n}" + "heron " * (n == 5), source=f"d{n}", title=title)
                for n in range(20)
            )
            catalog = index._store.catalog
            for words in (["heron"], ["heron", "heron"], ["unicorn"]):
                expected = at_once(catalog, words, 50)
                assert catalog.search_text(words, 50) == [(i, pytest.approx(score)) for i, score in expected]
            assert len(at_once(catalog, ["heron"], 5)) == 1


@pytest.mark.parametrize(
    "damage",
    ["UPDATE contexts_fts_data SET block = x'' WHERE id = 1", "DELETE FROM contexts_fts_docsize WHERE id % 2"],
)
def test_lost_numbers_are_damage(tmp_path: Path, damage: str) -> None:
    with ctxsearch.open(tmp_path / "index") as index:
        index.add(ctxsearch.Document("Rain." + " A heron." * (n % 5 == 0), source=f"d{n}") for n in range(30))
    (catalog,) = (tmp_path / "index").glob("catalog-*.sqlite3")
    with closing(sqlite3.connect(catalog)) as db:
        db.execute(WORD_INSTANCES)
        (found,) = Bm25(db, 30, 2.0).of(["herons"])
        assert found is not None
        assert len(found.context_ids) == 6
        with pytest.raises(sqlite3.DatabaseError, match="full text search has lost"):
            Bm25(db, 10, 2.0).of(["heron"])
        db.execute(damage)
        with pytest.raises(sqlite3.DatabaseError, match="full text search has lost"):
            Bm25(db, 30, 2.0).of(["heron"])


def test_no_more_is_kept_than_a_number_and_the_word_asked_for_last_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "SCORES_KEPT", 5)
    read: list[str] = []

    def rows(words: Sequence[str]) -> list[WordScores]:
        read.extend(words)
        return [WordScores(np.arange(len(word)), np.ones(len(word))) for word in words]

    kept = Postings(rows)
    for word in ("aa", "bb", "aa", "cc", "aa", "bb", "seven77", "seven77"):
        assert best(kept.of([word]), 10) == [(n, 1.0) for n in range(len(word))]
    assert read == ["aa", "bb", "cc", "bb", "seven77"]


def test_words_asked_for_together_are_read_once_and_come_in_their_order() -> None:
    read: list[list[str]] = []

    def rows(words: Sequence[str]) -> list[WordScores]:
        read.append([*words])
        return [WordScores(np.arange(len(word)), np.ones(len(word))) for word in words]

    kept = Postings(rows)
    assert [len(one.context_ids) for one in kept.of(["three", "a", "three"])] == [5, 1, 5]
    assert [len(one.context_ids) for one in kept.of(["ab", "three", "abc"])] == [2, 5, 3]
    assert read == [["three", "a"], ["ab", "abc"]]


def test_words_that_nothing_holds_find_nothing() -> None:
    nothing = WordScores(np.empty(0, np.int64), np.empty(0))
    assert best([nothing, nothing], 3) == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(st.sampled_from([*WORDS, "unicorn", "lakes", "Bridges", "mill_stone", "_"]), max_size=12),
    together=st.integers(1, 4),
)
def test_several_words_at_once_are_as_one_after_another(
    many: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch, asked: list[str], together: int
) -> None:
    monkeypatch.setattr(bm25, "WORDS_AT_ONCE", together)
    with closing(sqlite3.connect(many._store.catalog.path)) as db:
        db.execute(WORD_INSTANCES)
        found = Bm25(db, 200, 2.0).of(asked)
        assert len(found) == len(asked)
        for word, own in zip(asked, found, strict=True):
            (alone,) = Bm25(db, 200, 2.0).of([word])
            assert (own is None) == (alone is None) == (word in ("mill_stone", "_"))
            if own and alone:
                assert own.context_ids.tolist() == alone.context_ids.tolist()
                assert own.scores.tolist() == pytest.approx(alone.scores.tolist(), abs=1e-12)


def test_contexts_without_a_word_and_an_empty_catalog_are_no_damage(tmp_path: Path) -> None:
    with ctxsearch.open(tmp_path / "index") as index:
        for documents in ([], [ctxsearch.Document("... !", source="a")], [ctxsearch.Document("A heron.", source="b")]):
            index.add(documents)
            for _ in range(3):
                hits = index.query("heron", mode="lexical").hits
                assert [hit.source for hit in hits] == [one.source for one in documents if "heron" in one.text]
        index.delete(source="a")
        index.delete(source="b")
        for _ in range(3):
            assert index.query("heron", mode="lexical").hits == ()
