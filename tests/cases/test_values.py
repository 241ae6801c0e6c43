"""Values of a caller (cases 04 and 11 of the engine): each is taken for what it evidently means, or refused by name.

Of the two right answers that case 04 names, `ArgumentError` was chosen: a document that cannot be stored is the
caller's mistake, and a line in a report of 50,000 documents is easily missed.
"""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

import ctxsearch
from ctxsearch import ArgumentError, Document
from ctxsearch.records import Heading, Page

TEXT = "The manager approves refunds."


def sources(index: ctxsearch.Index) -> list[str]:
    return [document.source for document in index.documents()]


def sound(index: ctxsearch.Index) -> bool:
    """Whether the index answers and everything in it is what was written."""
    return bool(index.query("refunds")) and index.verify() == []


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("text", {"text": None}, "text is None; expected a text"),
    ("bytes for a text", {"text": b"abc"}, r"text is b'abc' \(bytes\); expected a text"),
    ("half a character", {"text": "abc \ud800"}, "text has half a character .* at character 4"),
    ("source", {"source": 5}, r"source is 5 \(int\); expected a text"),
    ("no source", {"source": " "}, "source is empty"),
    ("source that no path can be", {"source": "a\0b"}, "source has a NUL character"),
    ("source of half a character", {"source": "a\udce9"}, "source has half a character"),
    ("title", {"title": 2024}, r"title is 2024 \(int\); expected a text"),
    ("no title", {"title": None}, "title is None"),
    ("NumPy for a title", {"title": np.int64(5)}, "title is "),
    ("long title", {"title": "x" * 65_537}, "title has 65,537 characters; at most 65,536"),
    ("metadata", {"metadata": None}, "metadata is None; expected a mapping"),
    ("metadata that is a list", {"metadata": [1]}, "metadata is"),
    ("key", {"metadata": {5: "x"}}, "metadata has the key 5; keys are texts"),
    ("NaN", {"metadata": {"a": {"b": float("nan")}}}, r"metadata\['a'\]\['b'\] is nan"),
    ("bytes", {"metadata": {"a": b"x"}}, r"metadata\['a'\] is b'x' \(bytes\), which JSON cannot hold"),
    ("object", {"metadata": {"a": object()}}, r"metadata\['a'\] is <object object"),
    ("origin", {"origin": None}, "origin is None"),
    ("is_record", {"is_record": "yes"}, r"is_record is 'yes' \(str\); expected True or False"),
    ("headings", {"headings": None}, "headings is None"),
    ("heading", {"headings": ((0, 1, "A"),)}, r"headings\[0\] is \(0, 1, 'A'\) \(tuple\); expected a Heading"),
    ("heading beyond the text", {"headings": (Heading(1000, 1, "A"),)}, r"headings\[0\].start is 1000; .* at most 29"),
    ("heading without a number", {"headings": (Heading(0, "1", "A"),)}, r"headings\[0\].level is '1'"),  # type: ignore[arg-type]
    ("headings that fall", {"headings": (Heading(5, 1, "A"), Heading(0, 1, "B"))}, r"headings\[1\].start is 0, before"),
    ("pages", {"pages": (3,)}, r"pages\[0\] is 3"),
    ("page beyond the text", {"pages": (Page(-1, 1),)}, r"pages\[0\].start is -1; .* at least 0"),
    ("page number", {"pages": (Page(0, 2**70),)}, r"pages\[0\].number is"),
]


@pytest.mark.parametrize(("field", "wrong", "message"), WRONG, ids=[one[0] for one in WRONG])
def test_a_document_that_cannot_be_stored_is_refused_and_poisons_nothing(
    index: ctxsearch.Index, field: str, wrong: dict[str, Any], message: str
) -> None:
    bad = Document(**{"text": TEXT, "source": "bad", **wrong})
    with pytest.raises(ArgumentError, match=rf"^document 1 \(.*\): {message}"):
        index.add([Document(TEXT, "good"), bad, Document(TEXT, "after")])
    assert sources(index) == ["good"]
    assert sound(index)
    assert index.add([Document(TEXT, "after")]).documents.added == 1


def test_what_is_no_document_is_refused(index: ctxsearch.Index) -> None:
    for wrong in (Document(TEXT, "x"), None, 5, {"text": TEXT}, "abc"):
        with pytest.raises(ArgumentError, match=r"documents are .*; expected several"):
            index.add(wrong)  # type: ignore[arg-type]
    for wrong in (None, TEXT, {"text": TEXT, "source": "x"}, (TEXT, "x")):
        with pytest.raises(ArgumentError, match=r"document 0: .*; expected a Document"):
            index.add([wrong])  # type: ignore[list-item]


def test_all_documents_before_the_one_that_is_refused_are_in(index: ctxsearch.Index) -> None:
    def documents() -> Iterator[Document]:
        for number in range(300):
            yield Document(f"{TEXT} It is the number {number}.", f"memo:{number}")
        yield Document(TEXT, "bad", title=2024)  # type: ignore[arg-type]
        raise AssertionError("nothing is read after the one that is refused")

    with pytest.raises(ArgumentError, match=r"^document 300 \('bad'\): title is 2024"):
        index.add(documents())
    assert sources(index) == [f"memo:{number}" for number in range(300)]
    assert sound(index)


def test_metadata_become_what_they_evidently_mean(index: ctxsearch.Index) -> None:
    key = UUID(int=7)
    metadata = {
        "when": datetime.date(2024, 5, 1),
        "n": np.int64(3),
        "share": np.float32(0.5),
        "price": Decimal("12.10"),
        "id": key,
        "file": pathlib.PurePosixPath("a/b"),
        "tags": {"b", "a"},
    }
    report = index.add([Document(TEXT, pathlib.PurePosixPath("docs/a.md"), metadata=metadata)])  # type: ignore[arg-type]
    assert (report.documents.added, report.failures) == (1, ())
    (hit,) = index.query("refunds", k=1)
    assert hit.source == "docs/a.md"
    assert dict(hit.metadata) == {
        "when": "2024-05-01",
        "n": 3,
        "share": 0.5,
        "price": "12.10",
        "id": str(key),
        "file": "a/b",
        "tags": ["a", "b"],
    }
    for where in (
        {"when": datetime.date(2024, 5, 1)},
        {"when": {"$lt": datetime.datetime(2024, 5, 1, 0, 0, 1)}},
        {"n": np.int64(3)},
        {"n": {"$in": np.array([3, 4])}},
        {"n": Decimal("3")},
        {"share": {"$gte": np.float32(0.5)}},
        {"price": Decimal("12.10")},
        {"id": key},
        {"file": pathlib.PurePosixPath("a/b")},
        {"tags": np.str_("a")},
        {"source": pathlib.PurePosixPath("docs/a.md")},
    ):
        assert [found.source for found in index.query("refunds", where=where)] == ["docs/a.md"], where
        assert [found.source for found in index.documents(where)] == ["docs/a.md"], where


def test_the_same_metadata_are_no_news(index: ctxsearch.Index) -> None:
    def document() -> Document:
        return Document(TEXT, "a", metadata={"tags": {"a", "b", "c"}, "when": datetime.date(2024, 5, 1)})

    index.add([document()])
    assert index.add([document()]).documents.unchanged == 1


def test_questions_are_taken_from_any_iterable_but_a_text(index: ctxsearch.Index) -> None:
    index.add([Document(TEXT, "a")])
    asked = ("a text", "b text", "c text")
    assert [answer.question for answer in index.query_many(question for question in asked)] == list(asked)
    assert [answer.question for answer in index.query_many(dict.fromkeys(asked).keys())] == list(asked)
    with pytest.raises(ArgumentError, match="questions is 'abc'"):
        index.query_many("abc")


def test_arguments_of_another_type_or_range_are_refused_by_name(index: ctxsearch.Index, tmp_path: pathlib.Path) -> None:
    index.add([Document(TEXT, "a", metadata={"n": 1})])
    calls: list[tuple[str, Any]] = [
        ("question is None", lambda: index.query(None)),  # type: ignore[arg-type]
        ("question is b'x'", lambda: index.query(b"x")),  # type: ignore[arg-type]
        ("question has 200,000 characters", lambda: index.query("rain " * 40_000)),
        (r"questions\[1\] is 5", lambda: index.query_many(["a", 5])),  # type: ignore[list-item]
        ("questions is None", lambda: index.query_many(None)),  # type: ignore[arg-type]
        ("k is 0", lambda: index.query("x", k=0)),
        ("k is True", lambda: index.query("x", k=True)),
        ("k is 2.0", lambda: index.query("x", k=2.0)),  # type: ignore[arg-type]
        ("k is '5'", lambda: index.query("x", k="5")),  # type: ignore[arg-type]
        ("k is 1", lambda: index.query("x", k=2**64)),
        ("no mode None", lambda: index.query("x", mode=None)),  # type: ignore[arg-type]
        (r"no mode \['hybrid'\]", lambda: index.query("x", mode=["hybrid"])),  # type: ignore[arg-type]
        ("min_score is nan", lambda: index.query("x", min_score=float("nan"))),
        ("min_score is '0.5'", lambda: index.query("x", min_score="0.5")),  # type: ignore[arg-type]
        ("min_score is 2.0", lambda: index.query("x", min_score=2)),
        ("where is .*; expected a condition", lambda: index.query("x", where=[])),  # type: ignore[arg-type]
        ("where is .*; expected a condition", lambda: index.documents(0)),  # type: ignore[arg-type]
        ("where: 'n' cannot be compared with b'x'", lambda: index.documents({"n": b"x"})),
        ("where: 'n' cannot be compared with .*nan", lambda: index.documents({"n": np.float32("nan")})),
        ("where: .n. .* more than 2048 bits", lambda: index.documents({"n": 10**5000})),
        ("document_id is True", lambda: index.text(document_id=True)),
        ("document_id is 'a'", lambda: index.text(document_id="a")),  # type: ignore[arg-type]
        ("source is 5", lambda: index.text(source=5)),  # type: ignore[arg-type]
        ("paths is None", lambda: index.ingest(None)),  # type: ignore[arg-type]
        ("paths is empty", lambda: index.ingest("")),
        (r"paths\[0\] is 5", lambda: index.ingest([5])),  # type: ignore[list-item]
        ("paths has a NUL", lambda: index.ingest("a\0b")),
        ("metadata is", lambda: index.ingest(tmp_path, metadata=["team"])),  # type: ignore[arg-type]
        (r"metadata\['x'\] is b'x'", lambda: index.ingest(tmp_path, metadata={"x": b"x"})),
        ("glob is 5", lambda: index.ingest(tmp_path, glob=5)),  # type: ignore[arg-type]
        ("prune is 'no'", lambda: index.ingest(tmp_path, prune="no")),  # type: ignore[arg-type]
        ("ignore is None", lambda: index.ingest(tmp_path, ignore=None)),  # type: ignore[arg-type]
        ("destination is empty", lambda: index.backup("")),
        ("path is None", lambda: index.export(None)),  # type: ignore[arg-type]
        ("path is empty", lambda: ctxsearch.open("")),
        (r"path is b'x' \(bytes\)", lambda: ctxsearch.open(b"x")),  # type: ignore[arg-type]
        ("path has a NUL", lambda: ctxsearch.open("a\0b")),
        ("create is 'no'", lambda: ctxsearch.open(tmp_path / "n", create="no")),  # type: ignore[arg-type]
        ("recall is '1'", lambda: ctxsearch.open(tmp_path / "n", recall="1")),  # type: ignore[arg-type]
        ("recall is nan", lambda: ctxsearch.open(tmp_path / "n", recall=float("nan"))),
        ("lock_timeout is 'x'", lambda: ctxsearch.open(tmp_path / "n", lock_timeout="x")),  # type: ignore[arg-type]
        ("lock_timeout is -1.0", lambda: ctxsearch.open(tmp_path / "n", lock_timeout=-1)),
        ("source is empty", lambda: ctxsearch.Index.import_("", tmp_path / "n")),
        ("path is None", lambda: ctxsearch.Index.repair(None)),  # type: ignore[arg-type]
    ]
    for message, call in calls:
        with pytest.raises(ArgumentError, match=message):
            call()
    assert not (tmp_path / "n").exists()
    assert sources(index) == ["a"]
    assert sound(index)


def test_a_name_that_no_document_can_have_is_not_found(index: ctxsearch.Index) -> None:
    index.add([Document(TEXT, "a")])
    for names in (
        {"document_id": 2**63},
        {"document_id": -1},
        {"source": "a\0b"},
        {"source": "\ud800"},
        {"source": ""},
    ):
        for call in (index.text, index.get, index.delete):
            with pytest.raises(ctxsearch.DocumentNotFoundError, match="no document"):
                call(**names)


def test_integers_beyond_64_bits_are_compared_exactly(index: ctxsearch.Index) -> None:
    numbers = [2**63 - 1, 2**63, 2**63 + 1, 2**64, 10**30, 10**30 + 1, -(2**63), -(2**63) - 1, -(10**30)]
    index.add(Document(f"{TEXT} It is {n}.", str(n), metadata={"id": n}) for n in numbers)
    operators: dict[str, Any] = {
        "$eq": int.__eq__,
        "$ne": int.__ne__,
        "$gt": int.__gt__,
        "$gte": int.__ge__,
        "$lt": int.__lt__,
        "$lte": int.__le__,
    }
    for wanted in (*numbers, 0, 2**62, 10**29, -(10**29)):
        for operator, holds in operators.items():
            found = [d.source for d in index.documents({"id": {operator: wanted}})]
            assert found == [str(n) for n in numbers if holds(n, wanted)], (operator, wanted)
    for wanted in (2.0**63, 1e30, -1e30, 1e18):
        assert [d.source for d in index.documents({"id": {"$gt": wanted}})] == [str(n) for n in numbers if n > wanted]
    assert [hit.source for hit in index.query("refunds", where={"id": {"$in": [2**63, 10**30]}}, k=9)] == [
        str(2**63),
        str(10**30),
    ]
    assert [d.source for d in index.documents({"id": Decimal(2**63)})] == [str(2**63)]
