"""Identifiers and words of many scripts find themselves first, among near misses; indexes from before still answer."""

from __future__ import annotations

import functools
import json
import os
import random
import sqlite3
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import Document
from ctxsearch.catalog import schema
from ctxsearch.catalog.connection import SEARCHED
from ctxsearch.cli.answers import WORD, _marks, _question_words
from ctxsearch.identifiers import CASELESS, EXACT, INNER, JOINED, held, identifiers, literal
from ctxsearch.layout import files
from ctxsearch.store import beside
from ctxsearch.terms import asked_terms, search_text
from tests.conftest import ROOT

ROWS = json.loads((ROOT / "tests" / "identifiers.json").read_text(encoding="utf-8"))
CASE_12 = ROOT / "tests" / "cases" / "documents" / "12-lexical-word-joiners"


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


# The table


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ctxsearch.Index]:
    """The documents and the near misses of all rows in one index; the source of a row's document is its number."""
    with ctxsearch.open(tmp_path_factory.mktemp("table") / "index") as index:
        index.add(Document(row["text"], str(number)) for number, row in enumerate(ROWS))
        index.add(
            Document(text, f"{number}-{i}") for number, row in enumerate(ROWS) for i, text in enumerate(row["near"])
        )
        yield index


def test_the_table_has_sixty_rows_of_all_kinds() -> None:
    assert len(ROWS) == 60
    kinds = {row["kind"] for row in ROWS}
    assert {"version", "path", "code", "part", "e-mail", "IBAN", "error", "accents", "German"} <= kinds
    assert {"Greek", "Russian", "Hebrew", "Arabic", "Chinese", "Japanese", "Korean", "Thai"} <= kinds


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
@pytest.mark.parametrize(
    "number", range(len(ROWS)), ids=lambda number: f"{ROWS[number]['kind']} {ROWS[number]['query']!a}"
)
def test_the_document_that_holds_the_string_is_first(table: ctxsearch.Index, number: int, mode: ctxsearch.Mode) -> None:
    assert table.query(ROWS[number]["query"], k=3, mode=mode)[0].source == str(number)


def test_identifiers_are_first_in_a_large_catalog_too(table: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    from ctxsearch.catalog import exact, searching

    monkeypatch.setattr(searching, "SCORED", 40)
    monkeypatch.setattr(exact, "SCORED", 40)
    with ctxsearch.open(table.path, read_only=True) as index:
        for _ in range(2):  # by FTS5, and by what is kept of words
            first = [next(iter(index.query(row["query"], k=1, mode="lexical")), None) for row in ROWS]
            missed = [
                row["query"]
                for number, row in enumerate(ROWS)
                if not first[number] or first[number].source != str(number)
            ]
            assert missed == []


def test_an_identifier_counts_in_a_question_about_it(index: ctxsearch.Index) -> None:
    index.add(
        Document(f"Release v{v} fixes the crash when a file is opened twice. It is stable.", v)
        for v in ("1.3.2", "3.2.1", "1.2.3", "2.1.3", "1.2.3.4")
    )
    for mode in ("lexical", "hybrid"):
        for question in ("what was fixed in v1.2.3?", "Is v1.2.3 stable?", "the crash in (v1.2.3)"):
            assert index.query(question, mode=mode)[0].source == "1.2.3"


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_the_matched_sentence_is_the_one_that_holds_the_identifier(
    index: ctxsearch.Index, mode: ctxsearch.Mode
) -> None:
    text = "Release v1.3.2 fixes the crash of 2023. Release v1.2.3 fixes the crash. Release v3.2.1 fixes the crash."
    index.add([Document(text, "a")])
    hit = index.query("v1.2.3", mode=mode)[0]
    assert hit.sentence.text == "Release v1.2.3 fixes the crash."
    assert text[hit.sentence.start : hit.sentence.end] == hit.sentence.text


def test_an_identifier_in_the_title_counts(index: ctxsearch.Index) -> None:
    index.add(Document("The crash is fixed.", f"{v}.md", title=f"Release v{v}") for v in ("1.3.2", "1.2.3", "3.1.2"))
    for mode in ("lexical", "hybrid"):
        assert index.query("v1.2.3", mode=mode)[0].title == "Release v1.2.3"


# How well a text holds an identifier


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("v1.2.3", "See (v1.2.3).", EXACT),
        ("v1.2.3", "See V1.2.3!", CASELESS),
        ("v1.2.3", "See v1.2.3-rc1", INNER),
        ("v1.2.3", "See v1.2.3.4", INNER),
        ("1.2.3", "See v1.2.3", INNER),
        ("v1.2.3", "See rev1.2.3", 0.0),
        ("v1.2.3", "See v1.2.30", 0.0),
        ("v1.2.3", "See v1.3.2", 0.0),
        ("nginx.conf", "/etc/nginx.conf", INNER),
        ("C++", "C++, then C", EXACT),
        ("C++", "C++11", INNER),
        ("C++", "C+", 0.0),
        (".NET", "the .NET runtime", EXACT),
        (".NET", "ASP.NET", INNER),
        ("std::vector", "std::vector<int> v;", EXACT),
        ("std::vector", "std::vector::size", INNER),
        ("1,000.5", "11,000.5", 0.0),
        ("1,000.5", "9,1,000.5", INNER),
        ("XR-20/4B", "XR 20 4B", JOINED),
        ("xr204b", "XR-20/4B", JOINED),
        ("XR-20/4B", "XR-2/04B", JOINED),
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00", JOINED),
        ("+49 30 901820", "+4930901820", JOINED),
        ("fooBar", "call fooBar()", EXACT),
        ("fooBar", "call foobar()", CASELESS),
        ("résumé", nfd("the résumé"), EXACT),
        ("résumé", "the resume", 0.0),
        ("东京", "在东京都", EXACT),
    ],
)
def test_how_well_a_text_holds_an_identifier(question: str, text: str, expected: float) -> None:
    (one,) = identifiers(question)
    assert held(one, literal(text)) == expected


@pytest.mark.parametrize(
    "question",
    [
        "who may approve a refund?",
        "What did the U.S. do in the well-known 19th-century war of 1812?",
        "don't pay $100 or 50% (at most)",
        "e.g. O'Brien's 20-year-old son, etc.",
    ],
)
def test_ordinary_questions_hold_no_identifier(question: str) -> None:
    assert [one.text for one in identifiers(question) if one.text != question] == []


# What is indexed and asked


def test_ordinary_english_is_indexed_as_it_is() -> None:
    text = "The naïve café’s well-known “façade” (1990–2000) cost £5 — in the U.S., 50% more: AT&T's."
    assert search_text(text) is text


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("re\u00adim\u00adburse\u00adment", "reimbursement"),
        ("pay\u200bment", "payment"),
        ("o\ufb03ce", "office"),
        ("ＸＲ２０", "xr20"),
        ("40 m² of H₂O", "m2"),
        ("40 m² of H₂O", "H2O"),
        ("claims¹ are", "claims"),
        (nfd("piñata"), "piñata"),
        ("piñata", nfd("piñata")),
        ("Straße", "STRASSE"),
        ("smørrebrød", "smorrebrod"),
        ("İstanbul", "istanbul"),
        ("ΟΔΟΣ", "οδός"),
        ("ёлка", "елка"),
        ("שָׁלוֹם", "שלום"),
        ("צה״ל", 'צה"ל'),
        ("مُحَمَّد", "محمد"),
        ("العـــربية", "العربيه"),
        ("صفحه ۱۲", "12"),
        ("می\u200cخواهم", "میخواهم"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("தமிழ் மொழி", "தமிழ்"),
        ("ﾃﾚﾋﾞ", "テレビ"),
        (nfd("テレビが"), "テレビ"),
        ("東京タワー", "タワー"),
        ("京は古い", "京"),
        ("古い京", "京"),
        ("東京都", "京"),
        ("서울은 한국", "서울"),
        (nfd("서울은"), "서울"),
        ("กรุงเทพเป็นเมือง", "กรุงเทพ"),
        ("ទីក្រុងភ្នំពេញ", "ភ្នំពេញ"),
        ("မြန်မာစာ", "မြန်မာ"),
        ("ນະຄອນຫຼວງວຽງຈັນ", "ວຽງຈັນ"),
        ("重跑gen-itgc后五十条", "itgc"),
        ("重跑gen-itgc后五十条", "gen-itgc"),
        ("in C++ and", "C++"),
        ("a Ｃ＋＋ program", "C++"),
        ("+49 30 901820", "+4930901820"),
        ("+4930/901820", "+49 30 901 820"),
        ("ORA\u201100942", "ORA-00942"),
    ],
)
def test_words_are_found_however_they_are_written(index: ctxsearch.Index, text: str, question: str) -> None:
    index.add([Document(text, "it"), Document("Nothing of the kind, said the fox. 狐 лиса", "other")])
    answer = index.query(question, mode="lexical")
    assert [hit.source for hit in answer] == ["it"]
    assert answer[0].text == text  # letter for letter


def test_every_term_that_is_asked_for_is_one_that_is_indexed() -> None:
    """The terms of a text as a question are among those that FTS5 makes of it as a text."""
    from ctxsearch.catalog.schema import FULL_TEXT_TOKENIZER

    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"CREATE VIRTUAL TABLE f USING fts5(x, tokenize='{FULL_TEXT_TOKENIZER}')")
        for row in ROWS:
            db.execute("INSERT INTO f (rowid, x) VALUES (1, ?)", [search_text(row["text"])])
            missed = [
                term
                for term in asked_terms(row["text"])
                if not db.execute("SELECT 1 FROM f WHERE f MATCH ?", [f'"{term}"']).fetchall()
            ]
            assert missed == []
            db.execute("DELETE FROM f")


def test_case_10(index: ctxsearch.Index) -> None:
    index.add([Document(f"Release v{v} fixes the crash.", v) for v in ("1.2.3", "1.3.2", "3.2.1")])
    index.add(
        [
            Document("The café is naïve and cool.", "nfc"),
            Document(nfd("The piñata and the naïve jalapeño."), "nfd"),
            Document("东京是日本的首都。重跑gen-itgc后五十条。", "cjk"),
        ]
    )
    for mode in ("hybrid", "lexical"):
        best = [hit.score for hit in index.query("v1.2.3", mode=mode)]
        assert index.query("v1.2.3", mode=mode)[0].source == "1.2.3"
        assert best[0] > best[1]
        for question in ("piñata", nfd("piñata")):
            assert index.query(question, mode=mode)[0].source == "nfd"
        for question in ("东京", "itgc"):
            assert index.query(question, mode=mode)[0].source == "cjk"
    naive = {hit.source: hit.score for hit in index.query("naïve", k=6)}
    assert naive["nfd"] > 0.005
    assert [hit.source for hit in index.query("naïve", k=2)] == ["nfc", "nfd"]


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_case_12(tmp_path: Path, mode: ctxsearch.Mode) -> None:
    with ctxsearch.open(tmp_path / "index") as index:
        index.ingest([CASE_12 / name for name in ("full.txt", "lig.txt", "shy.txt")])
        index.add(
            Document(text, text[:9]) for text in ("Rivers flow to the sea.", "The model was slim.", "A red fox runs.")
        )
        for question, name in (
            ("reimbursement", "shy.txt"),
            ("payment", "shy.txt"),
            ("office", "lig.txt"),
            ("Model XR20", "full.txt"),
        ):
            assert Path(index.query(question, mode=mode)[0].source).name == name


def test_a_question_s_words_are_marked_in_the_text_as_it_is() -> None:
    text = "Zero pay\u200bment, o\ufb03ce; 重跑gen-itgc后。 " + nfd("café") + " naïve."
    asked = _question_words("payment office 重跑 itgc café")
    marks = _marks(text, 0, 0, asked)
    marked = "".join(character if marks[at] & WORD else "|" for at, character in enumerate(text))
    assert [run for run in marked.split("|") if run] == ["pay\u200bment", "o\ufb03ce", "重跑", "itgc", nfd("café")]


# The catalog


def test_full_text_search_keeps_in_step_with_changes(index: ctxsearch.Index) -> None:
    chance = random.Random(3)
    texts = ["A plain text. ", "東京タワー。", "Call +49 30 901820 or C++. ", nfd("Café ёлка. "), "o\ufb03ce "]
    titles = ["", "Plain", "東京", "v1.2.3", "C++"]
    for step in range(60):
        source = f"d{chance.randrange(8)}"
        match chance.randrange(4):
            case 0 | 1:
                chosen = "".join(chance.choices(texts, k=3))
                index.add([Document(chosen, source, title=chance.choice(titles))])
            case 2:
                known = {one.source: one for one in index.documents()}
                if source in known:  # another title alone: its contexts stay
                    text = index.text(document_id=known[source].document_id)
                    index.add([Document(text, source, title=chance.choice(titles))])
            case 3 if any(one.source == source for one in index.documents()):
                index.delete(source=source)
        if step % 10 == 9:
            assert index.verify() == []
    for summary in index.documents():
        if summary.title:
            found = index.query(summary.title, k=20, mode="lexical")
            assert summary.source in {hit.source for hit in found}
    index.compact()
    assert index.verify() == []


def test_only_texts_that_need_it_are_kept_twice(index: ctxsearch.Index) -> None:
    index.add([Document("The naïve fox.", "a"), Document("東京", "b"), Document("A fox in C++.", "c")])
    (path,) = index.path.glob("catalog-*.sqlite3")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(f"SELECT x FROM {SEARCHED}").fetchall() == [
            (" 東 東京 京 ",),
            ("A fox in C++. c\ue02b\ue02b",),
        ]
        index.delete(source="b")
        assert db.execute(f"SELECT count(*) FROM {SEARCHED}").fetchall() == [(1,)]


def test_the_schema_of_a_catalog_stays_in_its_first_page(index: ctxsearch.Index) -> None:
    (path,) = index.path.glob("catalog-*.sqlite3")
    assert path.read_bytes()[100] == 13  # the first page of the schema's b-tree is a leaf: there is no other


# Indexes from before


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index whose full-text search has texts as they are shown, as in versions before."""
    with monkeypatch.context() as patch:
        patch.setattr(beside, "make", functools.partial(schema.make, searched=False))
        with ctxsearch.open(tmp_path / "old") as index:
            index.add(
                [
                    Document("Badgers eat earthworms.", "badger.txt"),
                    Document("Кит живёт в море. 鯨は海に住む。", "whale.txt", title="鯨"),
                ]
            )
    return tmp_path / "old"


def lexical(index: ctxsearch.Index, question: str) -> list[str]:
    return [hit.source for hit in index.query(question, mode="lexical")]


def test_an_old_index_answers_by_its_words_until_it_is_reindexed(old: Path) -> None:
    with ctxsearch.open(old) as index:
        assert index.status().words == "older"
        assert lexical(index, "earthworms") == ["badger.txt"]
        assert lexical(index, "海") == []
        index.add([Document("狐は森に住む。", "fox.txt", title="狐")])
        assert index.verify() == []
        index.compact()
        assert lexical(index, "海") == lexical(index, "森") == []
        with ctxsearch.open(old, read_only=True) as reader:
            assert lexical(reader, "海") == []
            embedded = {hit.context_id: hit.scores.dense for hit in index.query("what eats earthworms?", mode="dense")}
            index.reindex()
            assert lexical(reader, "海") == lexical(index, "海") == ["whale.txt"]
        assert lexical(index, "森") == ["fox.txt"]
        assert index.status().words == "current"
        assert index.verify() == []
        after = {hit.context_id: hit.scores.dense for hit in index.query("what eats earthworms?", mode="dense")}
        assert after == embedded
        index.compact()
        assert lexical(index, "海") == ["whale.txt"]


def test_the_command_line_says_what_brings_the_new_words(old: Path) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "ctxsearch.cli", *arguments, "--index", str(old)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "words       of an older version (ctxsearch reindex)" in run("status")
    assert json.loads(run("status", "--json"))["words"] == "older"
    warned = [one for one in json.loads(run("doctor", "--json"))["findings"] if "ctxsearch reindex" in one["advice"]]
    assert [one["state"] for one in warned] == ["warning"]
    assert "2 documents have the words of this version" in run("reindex")
    assert "words  " not in run("status")
    assert json.loads(run("status", "--json"))["words"] == "current"


KILLED_AT = """
import os, sys
import ctxsearch
from ctxsearch.layout import files
from ctxsearch.store import beside
files.on_step = lambda name: os._exit(9) if name == sys.argv[2] else None
ctxsearch.open(sys.argv[1]).reindex()
"""


@pytest.mark.parametrize(
    "step", ["catalog: copied", "catalog: renamed", "segment: written", "seal: written", "pointer: flipped"]
)
def test_a_reindex_that_is_killed_leaves_the_old_words_or_the_new(old: Path, step: str) -> None:
    assert step in files.STEPS
    killed = subprocess.run([sys.executable, "-c", KILLED_AT, str(old), step], check=False, env=os.environ)
    assert killed.returncode == 9
    with ctxsearch.open(old) as index:
        found = ["whale.txt"] if step == "pointer: flipped" else []
        assert lexical(index, "海") == found
        assert lexical(index, "earthworms") == ["badger.txt"]
        assert index.verify() == []
        index.reindex()
        assert lexical(index, "海") == ["whale.txt"]
        assert index.verify() == []
