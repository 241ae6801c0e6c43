"""Records are plain data: JSON, pickles and copies of them are equal, and their HTML holds no markup of a document."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import ctxsearch
from ctxsearch.cli import commands
from ctxsearch.records import Failure, IngestReport
from tests import hashing

HOSTILE = (
    "<script>alert('1')</script> & \"otters\" <b onmouseover=x> swim. A heron waits.\n\nAnd </td></table> \x1b[31m."
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An index whose document, source and title are HTML."""
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        hashing.install()
        model = hashing.make_model(tmp_path_factory.mktemp("models"), "hash")
        path = tmp_path_factory.mktemp("index") / "index"
        with ctxsearch.open(path, model=model.path) as index:
            metadata = {"team": "<i>", "tags": [1, None, {"a": 2.5}]}
            index.add([ctxsearch.Document(HOSTILE, "<img src=x>", "<h1>", metadata)])
        patch.setenv("CTXSEARCH_MODELS", str(model.path.parent))
        yield path


def records(folder: Path) -> list[Any]:
    with ctxsearch.open(folder) as index:
        answer = index.query("otters", k=2)
        report = index.add([ctxsearch.Document("", "empty")])
        assert report.failures == (Failure("empty", "has no text"),)
        return [
            answer,
            answer[0],
            report,
            index.status(),
            index.documents()[0],
            index.get(1, vectors=True),
            index.get(1).contexts[0],
            ctxsearch.Document("a", "b", metadata={"c": [1]}),
            *index.failures(),
        ]


def test_records_are_equal_to_their_pickles_and_copies(folder: Path) -> None:
    for record in records(folder):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(record, protocol)) == record
        for other in (copy.copy(record), copy.deepcopy(record)):
            assert other == record
            assert type(other) is type(record)
        assert record != object()


def test_json_of_records_is_stable(folder: Path) -> None:
    for record in records(folder):
        if hasattr(record, "to_dict"):
            text = json.dumps(record.to_dict(), allow_nan=False)
            assert json.loads(text) == record.to_dict()
            assert json.dumps(pickle.loads(pickle.dumps(record)).to_dict()) == text


def printed(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(commands, [*arguments, "--json"], standalone_mode=False)
    assert done.exception is None, done.output
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_records_are_what_the_command_line_prints(folder: Path) -> None:
    with ctxsearch.open(folder) as index:
        answer = index.query("otters", k=3, mode="lexical").to_dict()
        assert (
            printed("query", "otters", "-k", "3", "--mode", "lexical", "--index", str(folder))
            | {"milliseconds": answer["milliseconds"]}
            == answer
        )
        assert printed("status", "--index", str(folder)) == index.status().to_dict()
        assert printed("list", "--index", str(folder))["documents"] == [one.to_dict() for one in index.documents()]


def test_vectors_are_in_the_json_of_a_context_where_they_were_asked_for(folder: Path) -> None:
    with ctxsearch.open(folder) as index:
        (context,) = index.get(1, vectors=True).contexts
        assert context.vectors is not None
        assert np.array_equal(np.array(context.to_dict()["vectors"], np.float32), context.vectors)
        assert "vectors" not in index.get(1).to_dict()["contexts"][0]


# Notebooks


class _Tags(HTMLParser):
    """Collects the tags and the text of some HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_holds_no_markup_of_a_document(folder: Path) -> None:
    with ctxsearch.open(folder) as index:
        answer = index.query("<script> otters", k=3)
        failures = tuple(Failure(f"<a href={n}>", "<script>") for n in range(25))
        report = index.add([])
        report = IngestReport(**{name: getattr(report, name) for name in report.__slots__} | {"failures": failures})
    for shown in (answer._repr_html_(), answer[0]._repr_html_(), report._repr_html_()):
        found = _Tags()
        found.feed(shown)
        found.close()
        assert found.open == []
        assert found.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "mark"}
        assert found.attributes <= {"style"}
    found = _Tags()
    found.feed(answer._repr_html_())
    assert "<script> otters" in found.text
    assert "<img src=x>" in found.text
    assert answer[0].sentence.text in found.text
    assert "<script>" in report._repr_html_().replace("&lt;", "<").replace("&gt;", ">")
    assert "5 more" in report._repr_html_()
