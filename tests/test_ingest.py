"""The way in: windows overlap and stay in order, and the report says how busy the encoder was."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import ctxsearch
from ctxsearch import canaries, ingest
from ctxsearch.cli import present
from ctxsearch.records import Context, Embeddings
from ctxsearch.store import LocalWriter
from tests import hashing

hashing.install()

WINDOW = 4


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ctxsearch.Index]:
    """An empty index whose windows are small and whose vectors are hashes."""
    monkeypatch.setattr(ingest, "CONTEXTS_PER_WINDOW", WINDOW)
    model = hashing.make_model(tmp_path / "models", "hash")
    with ctxsearch.open(tmp_path / "index", model=str(model.path)) as opened:
        yield opened


def documents(number: int) -> list[ctxsearch.Document]:
    """Documents of one to three contexts."""
    return [ctxsearch.Document(f"Text {i} is this. " * (1 + 12 * (i % 3)), f"memo:{i}") for i in range(number)]


def test_windows_that_overlap_are_written_in_order(index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, now, most = threading.Lock(), 0, 0
    embed = hashing.HashEncoder.embed_contexts

    def slowly(self: hashing.HashEncoder, contexts: Sequence[Context]) -> Embeddings:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05 if contexts[0].text.startswith("Text 0 ") else 0.01)  # the first takes longest
        with lock:
            now -= 1
        return embed(self, contexts)

    monkeypatch.setattr(hashing.HashEncoder, "embed_contexts", slowly)
    report = index.add(documents(30))
    assert report.documents.added == 30
    assert report.contexts > 10 * WINDOW
    assert most == ingest.WINDOWS_EMBEDDED
    assert [document.source for document in index.documents()] == [f"memo:{i}" for i in range(30)]
    assert hashing.misfits(index) == []


def test_texts_are_written_while_they_are_embedded(index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    embed, put = hashing.HashEncoder.embed_contexts, LocalWriter.put_contexts
    written: set[str] = set()
    there = threading.Condition()

    def noting(self: LocalWriter, document_id: int, title: str, contexts: Sequence[Context]) -> Sequence[int]:
        ids = put(self, document_id, title, contexts)
        with there:
            written.update(context.text for context in contexts)
            there.notify_all()
        return ids

    def waiting(self: hashing.HashEncoder, contexts: Sequence[Context]) -> Embeddings:
        with there:
            texts = {context.text for context in contexts}.difference(canaries.TEXTS)
            assert there.wait_for(lambda: texts <= written, timeout=30)
        return embed(self, contexts)

    monkeypatch.setattr(hashing.HashEncoder, "embed_contexts", waiting)
    monkeypatch.setattr(LocalWriter, "put_contexts", noting)
    assert index.add(documents(10)).documents.added == 10
    assert hashing.misfits(index) == []


def test_texts_whose_embedding_fails_are_not_there(index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    embed = hashing.HashEncoder.embed_contexts

    def failing(self: hashing.HashEncoder, contexts: Sequence[Context]) -> Embeddings:
        if any(context.text.startswith("Text 20 ") for context in contexts):
            raise ctxsearch.ModelError("the model cannot be run")
        return embed(self, contexts)

    monkeypatch.setattr(hashing.HashEncoder, "embed_contexts", failing)
    with pytest.raises(ctxsearch.ModelError):
        index.add(documents(30))
    held = [document.source for document in index.documents()]
    assert held == [f"memo:{i}" for i in range(len(held))]
    assert 0 < len(held) <= 20
    assert hashing.misfits(index) == []


def test_report_says_for_what_share_of_the_time_the_encoder_was_busy(
    index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    embed = hashing.HashEncoder.embed_contexts

    def busily(self: hashing.HashEncoder, contexts: Sequence[Context]) -> Embeddings:
        time.sleep(0.4)
        self.busy_seconds += 0.3
        return embed(self, contexts)

    monkeypatch.setattr(hashing.HashEncoder, "embed_contexts", busily)
    report = index.add(documents(1))
    assert report.seconds >= 0.4
    assert report.encoder_busy == pytest.approx(0.3 / report.seconds)
    present.report(report)
    assert f"encoder busy {report.encoder_busy:.0%})" in capsys.readouterr().out
    assert report.to_dict()["encoder_busy"] == round(report.encoder_busy, 3)


def test_an_ingest_that_embeds_nothing_has_no_busy_encoder(index: ctxsearch.Index) -> None:
    index.add(documents(2))
    report = index.add(documents(2))
    assert (report.documents.unchanged, report.contexts, report.encoder_busy) == (2, 0, 0.0)


def test_the_time_that_the_vector_index_takes_is_in_the_report(
    index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctxsearch.store.publishing import Publisher

    publish = Publisher.publish

    def late(self: Publisher, *args: Any, **options: Any) -> None:
        time.sleep(0.3)
        publish(self, *args, **options)

    monkeypatch.setattr(Publisher, "publish", late)
    assert index.add(documents(1)).seconds >= 0.3
