"""One `Index` shared by threads and an asyncio loop that do, at random, all that the API can do.

Each worker owns some sources, and it alone writes them, so it knows at every moment what the index must hold of them:
after a write was acknowledged it reads its documents back, by source, by their words and by id. Of the sources of
others it knows which versions were ever begun: a hit must be a whole passage of one of these, of one version in an
answer. The rest (compact, verify, reembed, backup, export, an index opened and closed beside it) must change nothing.

The embeddings come from two real models: the one in the box, and a small one made by OpenVINO's operators.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import random
import shutil
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ctxsearch
from ctxsearch import Document
from ctxsearch.passport import find_model
from tests.small_models import small_model

SOURCES_PER_WORKER = 6
WORDS = "otter heron badger toad kestrel limpet bracken swift hedgehog owl beetle anemone manager refund".split()
MODES = ("hybrid", "dense", "lexical")

STALLED_SECONDS = 10.0
"""When no worker has ended an operation for so long, the stacks of all threads are printed and the process ends."""


def text_of(source: str, version: int) -> str:
    """A version of a document, the same for ever. Its marks stand in no other version of any document."""
    rng = random.Random(f"{source} {version}")
    sentences = [
        " ".join(rng.choices(WORDS, k=rng.randint(3, 9))).capitalize() + "." for _ in range(rng.randint(1, 12))
    ]
    return f"Mark {mark_of(source, version)} begins. " + " ".join(sentences)


def mark_of(source: str, version: int) -> str:
    return f"{source}v{version}x"


@dataclass
class Report:
    """What a run has done."""

    seconds: float
    operations: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    """Resident memory, sampled in equal steps."""

    @property
    def growth(self) -> float:
        """Memory of the last tenth over that of the second tenth, when all was loaded."""
        tenth = max(1, len(self.megabytes) // 10)
        early, late = self.megabytes[tenth : 2 * tenth], self.megabytes[-tenth:]
        return (sum(late) / len(late)) / (sum(early) / len(early)) if early and late else 1.0


class Stress:
    """An index under load."""

    def __init__(self, root: Path, seed: int, threads: int) -> None:
        self.root = root
        self.seed = seed
        self.models = [
            find_model().path,
            small_model(
                root / "small",
                shapes="dynamic",
                output="token_states",
                pooling="mean",
                context_window=64,
                question_window=32,
                name="small",
            )[0].path,
        ]
        self.index = ctxsearch.open(root / "index", model=self.models[0])
        self.begun: dict[str, int] = {}
        """The highest version of each source that anybody began to write."""
        self.report = Report(0.0)
        self.workers = [Worker(self, number) for number in range(threads)]
        self.tasks = [Worker(self, threads + number) for number in range(4)]
        self.end = 0.0
        self.beats = 0
        self._reembedding = threading.Lock()

    def run(self, seconds: float) -> Report:
        self.end = time.monotonic() + seconds
        self.report.seconds = seconds
        several = [threading.Thread(target=self._work, args=(worker,), daemon=True) for worker in self.workers]
        several.append(threading.Thread(target=lambda: asyncio.run(self._loop()), daemon=True))
        for thread in several:
            thread.start()
        self._watch(several, seconds)
        for thread in several:
            thread.join()
        self._settle()
        return self.report

    def _watch(self, several: list[threading.Thread], seconds: float) -> None:
        """End the process when nothing moves; sample the memory meanwhile."""
        seen, since, step = -1, time.monotonic(), max(0.5, seconds / 200)
        while any(thread.is_alive() for thread in several):
            time.sleep(step if seconds > 10 else 0.2)
            self.report.megabytes.append(_resident_megabytes())
            if self.beats != seen:
                seen, since = self.beats, time.monotonic()
            elif time.monotonic() - since > STALLED_SECONDS:
                print(f"nothing has moved for {STALLED_SECONDS:g} s", file=sys.stderr, flush=True)
                faulthandler.dump_traceback(all_threads=True)
                os._exit(2)

    def _work(self, worker: Worker) -> None:
        while time.monotonic() < self.end and not self.report.errors:
            self.attempt(worker, worker.choose())

    def attempt(self, worker: Worker, operation: Callable[[], None]) -> None:
        try:
            operation()
        except BaseException:
            self.report.errors.append(f"worker {worker.number}: {traceback.format_exc()}")
        self.counted(operation.__name__)

    def counted(self, name: str) -> None:
        self.report.operations[name] += 1
        self.beats += 1

    async def _loop(self) -> None:
        async def work(worker: Worker) -> None:
            while time.monotonic() < self.end and not self.report.errors:
                try:
                    await worker.asynchronously()
                except BaseException:
                    self.report.errors.append(f"task {worker.number}: {traceback.format_exc()}")
                self.counted("asynchronous")

        await asyncio.gather(*map(work, self.tasks))

    def _settle(self) -> None:
        """What the index holds at the end is what the workers know, also for one who opens it anew."""
        expected = {s: v for worker in [*self.workers, *self.tasks] for s, v in worker.held.items()}
        try:
            for index in (self.index, ctxsearch.open(self.root / "index")):
                found = {document.source: document.text for document in index.iterate()}
                assert found == {source: text_of(source, version) for source, version in expected.items()}
                assert index.verify() == [], index.verify()
                index.close()
        except BaseException:
            self.report.errors.append(f"at the end: {traceback.format_exc()}")

    def check(self, answer: ctxsearch.Answer) -> None:
        """A hit is a passage of a version that somebody began to write, and all hits of a source are of one version."""
        versions: dict[str, set[int]] = {}
        for hit in answer:
            some = {v for v in range(self.begun.get(hit.source, -1) + 1) if hit.text in text_of(hit.source, v)}
            versions[hit.source] = versions.get(hit.source, some) & some
            assert versions[hit.source], f"{hit.source} never had {hit.text!r}, or not in one version"
            assert text_of(hit.source, max(versions[hit.source]))[hit.start : hit.end] == hit.text
            assert hit.sentence.text in hit.text


class Worker:
    """One thread or task: its sources, and what the index must hold of them."""

    def __init__(self, stress: Stress, number: int) -> None:
        self.number = number
        self.held: dict[str, int] = {}
        self._stress = stress
        self._index = stress.index
        self._rng = random.Random(f"{stress.seed} {number}")
        self._sources = [f"s{number}n{place}" for place in range(SOURCES_PER_WORKER)]
        self._folder = stress.root / f"worker-{number}"

    def choose(self) -> Callable[[], None]:
        """The next operation."""
        operations: dict[Callable[[], None], float] = {
            self.ask: 30,
            self.ask_several: 5,
            self.add: 12,
            self.delete: 5,
            self.read_back: 12,
            self.ingest: 2,
            self.walk: 3,
            self.metadata: 3,
            self.more_like: 3,
            self.status: 4,
            self.embed: 2,
            self.beside: 0.5,
            self.compact: 0.2,
            self.verify: 0.3,
            self.reembed: 0.15,
            self.export: 0.3,
            self.backup: 0.3,
        }
        return self._rng.choices(list(operations), list(operations.values()))[0]

    # Writing

    def add(self) -> None:
        chosen = self._rng.sample(self._sources, self._rng.randint(1, 3))
        report = self._index.add([self._next(source) for source in chosen])
        assert report.failures == ()
        self.held |= {source: self._stress.begun[source] for source in chosen}
        self._check_own(self._rng.choice(chosen))

    def _next(self, source: str) -> Document:
        version = self._stress.begun[source] = self._stress.begun.get(source, -1) + 1
        return Document(text_of(source, version), source, metadata={"owner": self.number, "version": version})

    def ingest(self) -> None:
        self._folder.mkdir(exist_ok=True)
        source = self._rng.choice(self._sources)
        document = self._next(source)
        (self._folder / "records.jsonl").write_text(
            json.dumps({"text": document.text, "source": source, "metadata": dict(document.metadata)})
        )
        assert self._index.ingest(self._folder).failures == ()
        self.held[source] = self._stress.begun[source]
        self._check_own(source)

    def delete(self) -> None:
        source = self._rng.choice(self._sources)
        if source in self.held:
            assert self._index.delete(source=source) == 1
            del self.held[source]
        else:
            with suppress(ctxsearch.DocumentNotFoundError):
                self._index.delete(source=source)
                raise AssertionError(f"{source} came back")
        self._check_own(source)

    def metadata(self) -> None:
        if self.held:
            source = self._rng.choice(sorted(self.held))
            value = self._rng.random()
            assert self._index.update_metadata(source, {"mood": value}) == 1
            assert self._index.get(source).metadata["mood"] == value

    # Reading

    def _check_own(self, source: str) -> None:
        version = self.held.get(source)
        assert (source in self._index) == (version is not None)
        mark = mark_of(source, self._stress.begun.get(source, 0))
        hits = self._index.query(mark, k=1, mode="lexical")
        assert [hit.source for hit in hits if mark in hit.text] == ([source] if version is not None else [])
        if version is not None:
            assert self._index.get(source).text == text_of(source, version)
        else:
            with suppress(ctxsearch.DocumentNotFoundError):
                self._index.get(source)
                raise AssertionError(f"{source} is there")

    def read_back(self) -> None:
        self._check_own(self._rng.choice(self._sources))

    def _question(self) -> str:
        return " ".join(self._rng.sample(WORDS, self._rng.randint(1, 5)))

    def ask(self) -> None:
        where = {"owner": self.number} if self._rng.random() < 0.3 else None
        group = "document" if self._rng.random() < 0.2 else None
        answer = self._index.query(
            self._question(), k=self._rng.randint(1, 12), mode=self._rng.choice(MODES), where=where,
            missing="ignore", group_by=group, offset=self._rng.choice([0, 0, 3]),
        )  # fmt: skip
        self._stress.check(answer)
        if where:
            assert {hit.source for hit in answer} <= set(self._sources)

    def ask_several(self) -> None:
        for answer in self._index.query_many([self._question() for _ in range(4)], mode=self._rng.choice(MODES)):
            self._stress.check(answer)

    def more_like(self) -> None:
        if self.held:
            self._stress.check(self._index.more_like(self._rng.choice(sorted(self.held))))

    def walk(self) -> None:
        own = {d.source: d.text for d in self._index.iterate({"owner": self.number}, missing="ignore")}
        assert own == {source: text_of(source, version) for source, version in self.held.items()}

    def status(self) -> None:
        status = self._index.status()
        assert status.healthy, status.problems
        assert len(self._index) >= len(self.held)
        assert self._index.count({"owner": self.number}, missing="ignore") == len(self.held)

    def embed(self) -> None:
        rows = self._index.embed_questions([self._question(), self._question()])
        assert rows.shape[0] == 2
        assert abs((rows**2).sum(axis=1) - 1).max() < 1e-3

    # Care

    def beside(self) -> None:
        with ctxsearch.open(self._index.path) as other:
            self._stress.check(other.query(self._question(), mode=self._rng.choice(MODES)))
            for source, version in self.held.items():
                assert other.get(source).text == text_of(source, version)

    def compact(self) -> None:
        self._index.compact()

    def verify(self) -> None:
        assert self._index.verify() == []

    def reembed(self) -> None:
        with suppress(ctxsearch.ArgumentError):  # another worker was faster
            self._index.reembed(self._rng.choice(self._stress.models))

    def export(self) -> None:
        self._folder.mkdir(exist_ok=True)
        assert self._index.export(self._folder / "export.gz") >= len(self.held)
        (self._folder / "export.gz").unlink()

    def backup(self) -> None:
        copy = self._stress.root / f"backup-{self.number}"
        self._index.backup(copy)
        with ctxsearch.open(copy, read_only=True) as index:
            assert {source for source in self.held if source not in index} == set()
        shutil.rmtree(copy)

    # From asyncio

    async def asynchronously(self) -> None:
        kind = self._rng.choices(["ask", "add", "get", "delete", "cancel"], [6, 3, 3, 1, 1])[0]
        source = self._rng.choice(self._sources)
        if kind == "ask":
            self._stress.check(await self._index.aquery(self._question(), mode=self._rng.choice(MODES)))
        elif kind == "add":
            assert (await self._index.aadd([self._next(source)])).failures == ()
            self.held[source] = self._stress.begun[source]
        elif kind == "get" and source in self.held:
            assert (await self._index.aget(source)).text == text_of(source, self.held[source])
        elif kind == "delete" and source in self.held:
            await self._index.adelete(source=source)
            del self.held[source]
        elif kind == "cancel":
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._index.aquery(self._question()), timeout=0.002)


def _resident_megabytes() -> float:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def summary(report: Report) -> dict[str, Any]:
    """As it is printed."""
    return {
        "seconds": report.seconds,
        "operations": sum(report.operations.values()),
        "by kind": dict(sorted(report.operations.items())),
        "errors": len(report.errors),
        "megabytes": [round(mb) for mb in report.megabytes[:: max(1, len(report.megabytes) // 10)]],
        "growth of memory": round(report.growth, 3),
    }
