"""Readers and a writer, each a process, on one index: no query fails, and each answer is of the generation it names.

The writer notes what each generation holds. The readers note what they got; when all are done, every answer is
compared with the generation that it names: its hits are documents of it, letter for letter, and a document that it
holds is found by its own word.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
import traceback
from pathlib import Path
from typing import Any

import ctxsearch
import ctxsearch.query
import ctxsearch.reembed
import ctxsearch.vectors
from ctxsearch.records import MODES
from tests import hashing
from tests.crash.harness import WORDS, _fork, text_of

SOURCES = 40

LEAST = 20
"""Queries that each reader makes, however slow the machine is; the writer makes half as many changes."""


def text(source: str, version: int) -> str:
    """A version of a document; ``own<source>`` stands in all its versions and in no other document."""
    return f"own{source} {text_of(source, version)}"


def document(source: str, version: int) -> ctxsearch.Document:
    return ctxsearch.Document(text(source, version), source=source, metadata={"version": version})


class Soak:
    """One index with its readers and its writer."""

    def __init__(self, root: Path, seed: int = 1) -> None:
        hashing.install()
        self.root = root
        self.seed = seed
        self.index = root / "index"
        self.models = [
            hashing.make_model(root / "models", name, dim=dim, window=window).path
            for name, dim, window in (("hash-a", 16, 40), ("hash-b", 24, 24))
        ]
        self.documents = {f"s{n}": 0 for n in range(SOURCES)}
        self.first = 1
        os.waitpid(_fork(self._make), 0)  # threads that FAISS has started are not there after a fork

    def _make(self) -> None:
        with ctxsearch.open(self.index, model=self.models[0]) as index:
            index.add(document(source, 0) for source in self.documents)
            assert index.status().generation == self.first

    def run(self, readers: int, seconds: float, *, writes: bool) -> dict[str, Any]:
        """Read, and perhaps write, for so long; returns counts and latencies. Raises if anything was wrong."""
        history = self.root / "history.jsonl"
        with history.open("a") as file:
            file.write(json.dumps([self.first, self.documents]) + "\n")
        until = time.time() + seconds
        children = {_fork(lambda n=n: self._read(n, until)): f"reader {n}" for n in range(readers)}  # type: ignore[misc]
        if writes:
            children[_fork(lambda: self._write(history, until))] = "writer"
        failed = [name for child, name in children.items() if os.waitpid(child, 0)[1]]
        errors = [path.read_text() for path in self.root.glob("*.error")]
        if failed or errors:
            raise AssertionError(f"{failed} failed: {errors}")
        generations = dict(map(json.loads, history.open()))
        latencies: list[float] = []
        answers = moved = 0
        for n in range(readers):
            path = self.root / f"reader-{n}.jsonl"
            seen = set()
            for line in path.open():
                generation, milliseconds, source, hits = json.loads(line)
                latencies.append(milliseconds)
                answers += 1
                seen.add(generation)
                self._compare(generations[generation], generation, source, hits)
            moved += len(seen)
            path.unlink()
        last = max(generations)
        self.first, self.documents = last, generations[last]
        return {
            "answers": answers,
            "generations": len(generations),
            "seen": moved / readers,
            "p50": statistics.median(latencies),
            "p95": statistics.quantiles(latencies, n=20)[-1],
        }

    def _compare(self, documents: dict[str, int], generation: int, source: str | None, hits: list[list[str]]) -> None:
        for found, whole in hits:
            if found not in documents or whole not in text(found, documents[found]):
                raise AssertionError(f"generation {generation} has no {found} with {whole!r}")
        if source is not None and [found for found, _ in hits] != [source] * (source in documents):
            raise AssertionError(f"generation {generation}: {source} is there: {source in documents}, found: {hits}")

    def _read(self, number: int, until: float) -> None:
        rng = random.Random(f"{self.seed} {number}")
        try:
            with (
                ctxsearch.open(self.index, read_only=True) as index,
                (self.root / f"reader-{number}.jsonl").open("w") as file,
            ):
                answered = 0
                while time.time() < until or answered < LEAST:
                    answered += 1
                    source = f"s{rng.randrange(SOURCES)}" if rng.random() < 0.5 else None
                    started = time.perf_counter()
                    if source:
                        answer = index.query(f"own{source}", k=1, mode="lexical")
                    else:
                        answer = index.query(" ".join(rng.sample(WORDS, 2)), k=5, mode=rng.choice(MODES))
                    milliseconds = (time.perf_counter() - started) * 1000
                    hits = [[hit.source, hit.text] for hit in answer]
                    file.write(json.dumps([answer.generation, milliseconds, source, hits]) + "\n")
        except BaseException:
            (self.root / f"reader-{number}.error").write_text(traceback.format_exc())
            raise

    def _write(self, history: Path, until: float) -> None:
        rng = random.Random(self.seed)
        documents = dict(self.documents)
        model, version = 0, self.first * 1000
        try:
            with ctxsearch.open(self.index) as index, history.open("a") as file:
                model = [path.name for path in self.models].index(index._store.passport.name)
                written = 0
                while time.time() < until or written < LEAST // 2:
                    written += 1
                    kind = rng.choices(["add", "delete", "compact", "reembed"], [6, 3, 1, 1])[0]
                    if kind == "add":
                        version += 1
                        changed = [f"s{n}" for n in rng.sample(range(SOURCES), 3)]
                        documents |= dict.fromkeys(changed, version)
                        index.add(document(source, version) for source in changed)
                    elif kind == "delete" and len(documents) > SOURCES // 2:
                        source = rng.choice(sorted(documents))
                        del documents[source]
                        index.delete(source=source)
                    elif kind == "compact":
                        index.compact()
                    elif kind == "reembed":
                        model = 1 - model
                        index.reembed(self.models[model])
                    file.write(json.dumps([index.status().generation, documents]) + "\n")
                    file.flush()
        except BaseException:
            (self.root / "writer.error").write_text(traceback.format_exc())
            raise
