"""A program that uses the whole public API: `mypy --strict` accepts it, and it runs (tests/test_typing.py).

python sample.py FOLDER
"""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import ctxsearch


def documents(count: int) -> Iterator[ctxsearch.Document]:
    """Memos, made while they are added."""
    for n in range(count):
        text = f"# Memo {n}\n\nThe otter number {n} swims. It dives for fish."
        yield ctxsearch.Document(
            text,
            f"memo:{n}",
            title=f"Memo {n}",
            metadata={"n": n, "tags": ["memo"], "author": {"name": "Ada"}},
            headings=(ctxsearch.Heading(start=0, level=1, title=f"Memo {n}"),),
            pages=(ctxsearch.Page(start=0, number=1),),
        )


def show_progress(progress: ctxsearch.Progress) -> None:
    assert_type(progress.documents, int)
    assert_type(progress.source, str)


def write(index: ctxsearch.Index, folder: Path) -> None:
    """Ways in."""
    report = index.add(documents(5), on_progress=show_progress, stop=threading.Event())
    assert_type(report, ctxsearch.IngestReport)
    assert_type(report.documents, ctxsearch.DocumentCounts)
    assert_type(report.failures, tuple[ctxsearch.Failure, ...])
    assert report.documents.added == 5
    assert report.contexts_per_second > 0

    (folder / "heron.md").write_text("# Herons\n\nA heron waits.", encoding="utf-8")
    (folder / "empty.txt").touch()
    report = index.ingest([folder], glob="*", metadata={"team": "birds"}, prune=True, on_progress=show_progress)
    failures = index.failures()
    assert_type(failures, list[ctxsearch.FailedSource])
    assert [failure.error for failure in failures] == ["is empty"]

    stop = threading.Event()
    for round_ in index.watch(folder, stop=stop, metadata={"team": "birds"}, on_problem=print):
        assert_type(round_, ctxsearch.IngestReport)
        stop.set()


def ask(index: ctxsearch.Index) -> None:
    """Ways out."""
    answer = index.query("What does the otter dive for?", k=3, mode="hybrid", where={"n": {"$lt": 4}})
    assert_type(answer, ctxsearch.Answer)
    assert_type(answer[0], ctxsearch.Hit)
    assert_type(answer[:2], tuple[ctxsearch.Hit, ...])
    assert_type(answer.milliseconds, ctxsearch.Milliseconds)
    assert_type(answer.evidence, tuple[ctxsearch.Evidence, ...])
    for hit in answer:
        assert_type(hit, ctxsearch.Hit)
        assert_type(hit.score, float)
        assert_type(hit.scores, ctxsearch.Scores)
        assert_type(hit.sentence, ctxsearch.MatchedSentence)
        assert_type(hit.page, int | None)
    page = index.query("otter", k=2, offset=2, group_by="document", missing="ignore", min_score=0.0)
    assert [hit.rank for hit in page] == [3, 4]
    many = index.query_many(["otter", "heron"], k=1, mode="lexical", offset=0, group_by="document")
    assert_type(many, list[ctxsearch.Answer])
    near = index.more_like("memo:1", 2, where={"tags": {"$contains": "memo"}})
    assert_type(near, ctxsearch.Answer)
    assert index.more_like(context_id=answer[0].context_id, k=1)
    assert index.more_like(source="memo:2")
    assert index.more_like(document_id=1, group_by="document")

    for other in (pickle.loads(pickle.dumps(answer)), copy.copy(answer), copy.deepcopy(answer)):
        assert other == answer
    assert json.loads(json.dumps(answer.to_dict()))["hits"][0] == answer[0].to_dict()
    assert_type(answer._repr_html_(), str)


def look(index: ctxsearch.Index) -> None:
    """What is there."""
    stored = index.get("memo:1", vectors=True)
    assert_type(stored, ctxsearch.StoredDocument)
    assert_type(stored.headings, tuple[ctxsearch.Heading, ...])
    assert_type(stored.pages, tuple[ctxsearch.Page, ...])
    for context in stored.contexts:
        assert_type(context, ctxsearch.DocumentContext)
        assert_type(context.sentences, tuple[ctxsearch.Sentence, ...])
        assert_type(context.vectors, NDArray[np.float32] | None)
    assert index.get(document_id=stored.document_id).text == index.text(source="memo:1")
    for document in index.iterate({"n": {"$exists": True}}, after=1, missing="ignore", vectors=True):
        assert_type(document, ctxsearch.StoredDocument)
    summaries = index.documents({"$not": {"n": 1}}, missing="ignore")
    assert_type(summaries, list[ctxsearch.DocumentSummary])
    assert len(index) == index.count() == 6
    assert "memo:1" in index
    assert 99 not in index
    assert bool(index)

    encoder = ctxsearch.Encoder(threads=1)
    rows = encoder.embed_questions(["What swims?"])
    assert_type(rows, NDArray[np.float32])
    assert rows.shape == (1, encoder.dim) == index.embed_questions(iter(["What swims?"])).shape
    assert index.embed_contexts([]).shape == encoder.embed_contexts([]).shape == (0, encoder.dim)
    assert index.query(vector=rows[0], k=1)
    assert index.query(vector=rows[0].tolist(), k=1)
    assert_type(encoder.count_tokens(["a"]), list[int])
    assert_type((encoder.name, encoder.fingerprint), tuple[str, str])
    assert encoder.question_window < encoder.context_window
    own = ctxsearch.Document("Tea.", "tea", vectors=rows[0])
    others = ctxsearch.Document("Tea. Coffee.", "coffee", vectors=[rows, rows.tolist()][:1])
    assert index.add([own, others]).documents.added == 2


def change(index: ctxsearch.Index) -> None:
    """What is changed and removed."""
    assert_type(index.update_metadata("memo:1", {"seen": True, "n": None}), int)
    assert index.update_metadata({"seen": True}, {"seen": False}) == 1
    assert index.update_metadata(document_id=[1, 2], metadata={"seen": True}) == 2
    assert index.update_metadata(where={"absent": 1}, metadata={"seen": True}, missing="ignore") == 0
    assert_type(index.delete("memo:1"), int)
    assert index.delete(["memo:2", 4]) == 2
    assert index.delete(source=("tea", Path("coffee"))) == 2
    assert index.delete(where={"absent": 1}, missing="ignore") == 0


async def serve(index: ctxsearch.Index, folder: Path) -> None:
    """All of it in a loop."""
    assert_type(await index.aadd(documents(3), on_progress=show_progress), ctxsearch.IngestReport)
    assert_type(await index.aingest([folder], glob="*.md"), ctxsearch.IngestReport)
    assert_type(await index.aquery("otter", 2, mode="dense"), ctxsearch.Answer)
    assert_type(await index.aquery_many(["otter"], k=1), list[ctxsearch.Answer])
    assert_type(await index.amore_like("memo:1", k=1), ctxsearch.Answer)
    assert_type(await index.aget("memo:1", vectors=True), ctxsearch.StoredDocument)
    assert_type(await index.aupdate_metadata("memo:1", {"a": 1}), int)
    assert_type(await index.acount({"a": 1}), int)
    assert_type(await index.adelete(document_id=[1]), int)
    adding = asyncio.create_task(index.aadd(documents(10**9)))
    await asyncio.sleep(0.2)
    adding.cancel()
    done = await asyncio.gather(adding, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)


def care(index: ctxsearch.Index, folder: Path) -> None:
    """What is looked after."""
    status = index.status()
    assert_type(status, ctxsearch.IndexStatus)
    assert status.healthy
    assert index.verify() == []
    index.compact()
    index.reindex()
    index.backup(folder / "backup")
    assert_type(ctxsearch.Index.repair(folder / "backup"), ctxsearch.RepairReport)
    assert_type(index.export(folder / "export.jsonl"), int)
    imported = ctxsearch.Index.import_(folder / "export.jsonl", folder / "imported")
    assert_type(imported, ctxsearch.ImportReport)
    try:
        assert_type(index.rollback(), ctxsearch.ReembedReport)
    except ctxsearch.IndexNotFoundError as error:
        assert_type(error, ctxsearch.IndexNotFoundError)
    try:
        assert_type(index.reembed(index.model.path), ctxsearch.ReembedReport)
    except ctxsearch.ArgumentError as error:
        assert_type(error, ctxsearch.ArgumentError)


def main(folder: Path) -> None:
    (folder / "docs").mkdir()
    with ctxsearch.open(folder / "index", create=True, lock_timeout=5.0, recall=0.99) as index:
        write(index, folder / "docs")
        ask(index)
        look(index)
        change(index)
        asyncio.run(serve(index, folder / "docs"))
        care(index, folder)
        model = index.model.path
    with ctxsearch.open(folder / "other", encoder=ctxsearch.Encoder(model)) as index:
        assert len(index) == 0
    with ctxsearch.open(folder / "index", model=model, read_only=True) as index:
        try:
            index.delete("memo:1")
        except ctxsearch.CtxsearchError as error:
            print(f"ctxsearch {ctxsearch.__version__}: {error}")
    index.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
