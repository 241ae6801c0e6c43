"""An index in an asyncio loop: the loop goes on, calls are cancelled, and no thread is left. Also what is logged."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxsearch
from ctxsearch import asynchronous
from ctxsearch.records import Context, Embeddings
from tests import hashing
from tests.hashing import HashEncoder

WINDOW_SECONDS = 0.2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model that takes as long for a window as a real one, in which it leaves the interpreter to others."""
    embed = HashEncoder.embed_contexts

    def slowly(self: HashEncoder, contexts: list[Context]) -> Embeddings:
        time.sleep(WINDOW_SECONDS if len(contexts) > 5 else 0)  # canaries are five
        return embed(self, contexts)

    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch import ingest
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        patch.setattr(HashEncoder, "embed_contexts", slowly)
        patch.setattr(ingest, "CONTEXTS_PER_WINDOW", 50)
        hashing.install()
        yield hashing.make_model(tmp_path_factory.mktemp("models"), "hash").path


@pytest.fixture
def index(model: Path, tmp_path: Path) -> Iterator[ctxsearch.Index]:
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        yield index


def memos(count: int) -> Iterator[ctxsearch.Document]:
    return (ctxsearch.Document(f"The otter number {n} swims.", f"memo:{n}", metadata={"n": n}) for n in range(count))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ctxsearch")]


def no_threads_are_left() -> bool:
    until = time.perf_counter() + 5
    while threads() and time.perf_counter() < until:
        time.sleep(0.001)
    return threads() == []


async def lag_during(work: Any) -> tuple[Any, float, float]:
    """What an awaitable gives, how long it took, and the longest time for which the loop stood still meanwhile."""
    worst, done = 0.0, False

    async def measure() -> None:
        nonlocal worst
        before = time.perf_counter()
        while not done:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            worst, before = max(worst, now - before - 0.005), now

    measuring = asyncio.create_task(measure())
    started = time.perf_counter()
    found = await work
    done = True
    await measuring
    return found, time.perf_counter() - started, worst


def test_the_loop_goes_on(index: ctxsearch.Index, tmp_path: Path) -> None:
    for n in range(120):
        (tmp_path / f"{n}.txt").write_text(f"The heron number {n} waits.")

    async def main() -> None:
        report, seconds, lag = await lag_during(index.aadd(memos(400)))
        assert report.documents.added == 400
        assert seconds > 5 * WINDOW_SECONDS / 2  # two windows are embedded at once
        assert lag < seconds / 3
        report, seconds, lag = await lag_during(index.aingest([tmp_path], glob="*.txt"))
        assert report.documents.added == 120
        assert lag < seconds / 3
        answers, _, _ = await lag_during(asyncio.gather(*(index.aquery(f"otter {n}") for n in range(40))))
        assert [answer.question for answer in answers] == [f"otter {n}" for n in range(40)]

    asyncio.run(main())
    assert no_threads_are_left()


def test_each_gives_what_its_twin_gives(index: ctxsearch.Index) -> None:
    async def main() -> None:
        assert (await index.aadd(memos(9))).documents.added == 9
        assert (await index.aquery("otter 3", 2, mode="lexical")).hits == index.query("otter 3", 2, mode="lexical").hits
        assert [a.hits for a in await index.aquery_many(["a"], k=3)] == [index.query("a", k=3).hits]
        assert (await index.amore_like("memo:1", 3)).hits == index.more_like("memo:1", 3).hits
        assert await index.aget("memo:3") == index.get("memo:3")
        assert await index.aupdate_metadata("memo:3", {"seen": True}) == 1
        assert await index.acount({"seen": True}) == 1
        assert await index.adelete(where={"n": {"$lt": 4}}) == 4
        assert await index.acount() == 5
        with pytest.raises(ctxsearch.DocumentNotFoundError):
            await index.aget("memo:3")
        with pytest.raises(ctxsearch.ArgumentError, match="k is 0"):
            await index.aquery("otter", k=0)

    asyncio.run(main())
    for name in ("aadd", "aquery", "aingest", "adelete", "aget"):
        twin, method = getattr(ctxsearch.Index, name), getattr(ctxsearch.Index, name[1:])
        assert inspect.iscoroutinefunction(twin)
        assert (twin.__name__, twin.__qualname__) == (name, f"Index.{name}")
        assert inspect.signature(twin).parameters == inspect.signature(method).parameters
        assert twin.__doc__.startswith(f"`{name[1:]}` for asyncio")


def test_a_write_that_is_cancelled_stops_at_the_next_window(index: ctxsearch.Index) -> None:
    taken = 0

    def endless() -> Iterator[ctxsearch.Document]:
        nonlocal taken
        for document in memos(10**9):
            taken += 1
            yield document

    async def main() -> None:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_progress(progress: Any) -> None:
            if progress.documents:
                loop.call_soon_threadsafe(told.set)

        adding = asyncio.create_task(index.aadd(endless(), on_progress=on_progress))
        await told.wait()
        adding.cancel()
        adding.cancel()
        started = time.perf_counter()
        with pytest.raises(asyncio.CancelledError):
            await adding
        assert threads() == []
        assert time.perf_counter() - started < 20 * WINDOW_SECONDS
        before = taken
        committed = len(index)
        assert 0 < committed <= before
        report = await asyncio.wait_for(index.aadd([ctxsearch.Document("A heron.", "next")]), 30)
        assert report.documents.added == 1  # the lock is free
        assert (taken, len(index)) == (before, committed + 1)

    asyncio.run(main())
    assert no_threads_are_left()
    assert index.verify() == []
    assert [document.source for document in index.iterate()][:-1] == [f"memo:{n}" for n in range(len(index) - 1)]


def test_an_ingest_that_is_cancelled_stops_and_goes_on_later(index: ctxsearch.Index, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(1000):
        (folder / f"{n:04}.txt").write_text(f"The heron number {n} waits.")

    async def main() -> None:
        ingesting = asyncio.create_task(index.aingest([folder], prune=True))
        while not await index.acount():
            await asyncio.sleep(0.01)
        ingesting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ingesting
        before = len(index)
        assert 0 < before < 1000
        report = await index.aingest([folder], prune=True)
        assert (report.documents.unchanged, report.documents.added) == (before, 1000 - before)

    asyncio.run(main())
    assert no_threads_are_left()
    assert (len(index), index.verify()) == (1000, [])


def test_a_write_that_times_out_stops(index: ctxsearch.Index) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3 * WINDOW_SECONDS):
                await index.aadd(memos(10**9))
        committed = await index.acount()
        assert await index.adelete(where={"n": {"$gte": 0}}, missing="ignore") == committed

    asyncio.run(main())
    assert no_threads_are_left()


def test_a_long_document_that_was_begun_is_not_half_in(index: ctxsearch.Index) -> None:
    index.add([ctxsearch.Document("A short one.", "long")])
    stop = threading.Event()
    told: list[int] = []

    def on_progress(progress: Any) -> None:
        told.append(progress.contexts)
        if len(told) == 2:
            stop.set()

    text = "\n\n".join(f"The otter number {n} swims in the river, and the heron waits there." for n in range(2000))
    report = index.add([ctxsearch.Document(text, "long")], on_progress=on_progress, stop=stop)
    assert told
    assert (report.documents.added, report.documents.updated, report.contexts) == (0, 0, 0)
    assert index.get("long").text == "A short one."
    assert index.verify() == []


def test_an_ingest_that_is_stopped_removes_nothing(index: ctxsearch.Index, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(200):
        (folder / f"{n}.txt").write_text(f"The heron number {n} waits.")
    index.ingest([folder])
    (folder / "0.txt").unlink()
    stop = threading.Event()
    stop.set()
    report = index.ingest([folder], prune=True, stop=stop)
    assert (report.documents.deleted, len(index)) == (0, 200)
    assert index.ingest([folder], prune=True).documents.deleted == 1


def test_a_read_that_is_cancelled_returns_at_once(index: ctxsearch.Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.add(memos(3))
    held = threading.Event()
    embed = HashEncoder.begin_questions

    def waiting(self: HashEncoder, questions: Any) -> Any:
        held.wait(30)
        return embed(self, questions)

    monkeypatch.setattr(HashEncoder, "begin_questions", waiting)

    async def main() -> None:
        asking = [asyncio.create_task(index.aquery("otter")) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert len(threads()) == asynchronous.READERS  # the others wait for a thread
        for task in asking:
            task.cancel()
        done = await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), 5)
        assert all(isinstance(one, asyncio.CancelledError) for one in done)
        held.set()
        assert len(await asyncio.wait_for(index.aquery("otter"), 30)) == 3

    asyncio.run(main())
    assert no_threads_are_left()


def test_other_users_of_the_loops_own_threads_are_not_starved(index: ctxsearch.Index) -> None:
    async def main() -> None:
        adding = [asyncio.create_task(index.aadd(memos(50))) for _ in range(50)]
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 5), 5) == 5
        assert len(threads()) == asynchronous.WRITERS
        for task in adding:
            task.cancel()
        await asyncio.gather(*adding, return_exceptions=True)

    asyncio.run(main())
    assert no_threads_are_left()


def test_context_variables_go_along(index: ctxsearch.Index) -> None:
    variable = contextvars.ContextVar("variable", default=0)
    seen: list[int] = []

    async def main() -> None:
        variable.set(7)
        await index.aadd(memos(1), on_progress=lambda progress: seen.append(variable.get()))

    asyncio.run(main())
    assert set(seen) == {7}


# Logging


def test_what_happens_is_logged_and_no_question_above_debug(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ctxsearch import logs

    monkeypatch.setattr(logs, "SLOW_MILLISECONDS", 0.0)
    with caplog.at_level(logging.DEBUG, "ctxsearch"), ctxsearch.open(tmp_path / "index", model=model) as index:
        index.add(memos(3))
        index.query("secret otter", mode="lexical")
        index.update_metadata("memo:1", {"a": 1})
        index.delete(["memo:1", "memo:2"])
    said = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "ctxsearch"]
    info = [message for level, message in said if level == "INFO"]
    assert [message.split()[0] for message in info] == ["opened", "ingested", "slow", "changed", "deleted"]
    assert "3 documents added" in info[1]
    assert not any("secret" in message for message in info)
    assert any("secret otter" in message for level, message in said if level == "DEBUG")
    assert any(message.startswith("committed generation 1") for _, message in said)
    assert {record.filename for record in caplog.records} >= {"ingest.py", "query.py", "documents.py", "index.py"}


def test_nothing_is_printed_where_nobody_listens(model: Path, tmp_path: Path) -> None:
    program = (
        "import logging, sys, ctxsearch\n"
        "with ctxsearch.open(sys.argv[1]) as index: index.query('otter', mode='lexical')\n"
        "print([type(handler).__name__ for handler in logging.getLogger('ctxsearch').handlers])"
    )
    with ctxsearch.open(tmp_path / "index", model=model) as index:
        index.add(memos(1))
    command = [sys.executable, "-c", program, str(tmp_path / "index")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("['NullHandler']", "")
