"""The words of contexts are stored and kept, and change no answer."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

import ctxsearch
from ctxsearch.catalog import sentences
from ctxsearch.catalog.schema import WORDS
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


TEXTS = ("A red fox runs. The heron eats.", "The heron waits. Rain falls.", "Rivers flow. A heron flies to the river.")
ASKED = ("which heron flies?", "red fox", "what does the heron eat?")


@pytest.fixture
def herons(tmp_path: Path) -> Path:
    """An index of `TEXTS`."""
    with ctxsearch.open(tmp_path / "herons") as index:
        index.add([ctxsearch.Document(text, source=f"{n}.txt") for n, text in enumerate(TEXTS)])
    return tmp_path / "herons"


@contextmanager
def changed(index: Path) -> Iterator[sqlite3.Connection]:
    """The catalog, to be changed behind the program's back; without its seal."""
    (catalog,) = index.glob("catalog-*.sqlite3")
    with closing(sqlite3.connect(catalog)) as connection, connection:
        yield connection
    for seal in index.glob("*.seal*"):
        seal.unlink()


def answers(index: Path) -> list[list[tuple[float, int, str]]]:
    with ctxsearch.open(index, read_only=True) as opened:
        return [seen(opened, question) for question in ASKED]


def stored(index: Path) -> list[tuple[int, bytes]]:
    with changed(index) as connection:
        return connection.execute(f"SELECT context_id, data FROM {WORDS} ORDER BY context_id").fetchall()


def test_words_are_stored_for_each_context_and_go_with_it(herons: Path) -> None:
    assert [data for _, data in stored(herons)] == [
        sentence_words(part.strip() for part in text.split(". ")).to_bytes() for text in TEXTS
    ]
    with ctxsearch.open(herons) as index:
        index.delete(source="1.txt")
        index.add([ctxsearch.Document("A fox sleeps.", source="0.txt")])
        assert index.verify() == []
    assert [data for _, data in stored(herons)] == [
        sentence_words([text]).to_bytes() if "sleeps" in text else sentence_words(text.split(". ")).to_bytes()
        for text in (TEXTS[2], "A fox sleeps.")
    ]


@pytest.mark.parametrize(
    "damage",
    [
        f"DELETE FROM {WORDS} WHERE context_id = 2",
        f"UPDATE {WORDS} SET data = x'0000000000000000' WHERE context_id = 2",
        f"UPDATE {WORDS} SET data = 'no words' WHERE context_id = 2",
        f"UPDATE {WORDS} SET data = (SELECT data FROM {WORDS} WHERE context_id = 1) WHERE context_id = 2",
        f"UPDATE {WORDS} SET (data, checksum) = (SELECT data, checksum FROM {WORDS} WHERE context_id = 1) "
        "WHERE context_id = 2",
    ],
)
def test_where_they_are_not_what_was_written_they_are_found_in_the_text(herons: Path, damage: str) -> None:
    before = answers(herons)
    with changed(herons) as connection:
        assert connection.execute(damage).rowcount == 1
    assert answers(herons) == before
    with ctxsearch.open(herons) as index:
        assert index.verify() == ["the catalog: the words stored of context 2 are not those of its text"]
    ctxsearch.Index.repair(herons)
    with ctxsearch.open(herons) as index:
        assert index.verify() == []
    assert answers(herons) == before


@pytest.mark.parametrize("other", [f"DROP TABLE {WORDS}", f"ALTER TABLE {WORDS} RENAME TO words_0"])
def test_a_catalog_without_them_answers_the_same_and_has_them_from_the_next_write(herons: Path, other: str) -> None:
    before, words = answers(herons), stored(herons)
    with changed(herons) as connection:
        connection.execute(other)
    assert answers(herons) == before
    with ctxsearch.open(herons) as index:
        assert index.verify() == []
        index.add([ctxsearch.Document("Snow.", source="3.txt")])
        assert index.verify() == []
    assert stored(herons)[:3] == words
    with changed(herons) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE name GLOB 'words_*'").fetchall()
    assert names == [(WORDS,)]


def test_a_damaged_context_does_not_stop_that_write(herons: Path) -> None:
    words = stored(herons)
    with changed(herons) as connection:
        connection.execute(f"DROP TABLE {WORDS}")
        connection.execute("UPDATE contexts SET tokens = tokens + 1 WHERE id = 2")
    with ctxsearch.open(herons) as index:
        index.add([ctxsearch.Document("Snow.", source="3.txt")])
    assert stored(herons)[:2] == [words[0], words[2]]
