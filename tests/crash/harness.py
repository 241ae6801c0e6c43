"""The crash harness: random operations in processes that are killed, checked against a model of what was acknowledged.

A child does one random operation after another and tells, through a pipe, what it is about to do and what it has done.
It is killed with SIGKILL when it has used a random amount of processor time, or at a named step of a write
(`ctxsearch.layout.STEPS`). Then another child opens the index and compares it with the model: what was acknowledged is
there, the operation in which the other was killed is there up to one of its commits, every vector is that of its text,
`verify` finds nothing. Children are forked, so that starting one costs milliseconds; the parent never opens an index.
"""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ctxsearch
import ctxsearch.exchange
import ctxsearch.ingest
import ctxsearch.query
import ctxsearch.reembed
import ctxsearch.vectors.parts
from ctxsearch.layout import STEPS, files
from tests import hashing

SOURCES = 24
MOST_PROCESSOR_SECONDS = 0.25
WORDS = "otter heron badger toad kestrel limpet bracken swift hedgehog owl beetle anemone".split()

Operation = dict[str, Any]

WAY_TO = {
    "create": "create",
    "catalog": "compact",
    "pointer: flipped": "compact",
    "pointer: next named": "reembed",
    "reembed": "reembed",
    "backup": "backup",
}
"""Which operation comes to a step, by the start of the step's name; the others are on the way of any write."""


def text_of(source: str, version: int) -> str:
    """The text of a version of a document; the same for ever, and with a word of its own."""
    rng = random.Random(f"{source} {version}")
    paragraphs = [" ".join(rng.choices(WORDS, k=rng.randint(2, 12))) + "." for _ in range(rng.randint(1, 6))]
    return f"marker{source}v{version} begins.\n\n" + "\n\n".join(paragraphs)


@dataclass
class Model:
    """What is known to be in the index."""

    documents: dict[str, int] = field(default_factory=dict)
    """Version by source."""
    model: str = "hash-a"
    exists: bool = False

    def after(self, operation: Operation) -> Model:
        """The model after an operation that was acknowledged."""
        documents = dict(self.documents)
        if operation["do"] == "add":
            documents |= dict(operation["documents"])
        elif operation["do"] == "delete":
            documents.pop(operation["source"], None)
        model = operation.get("model", self.model)
        return Model(documents, model, True)

    def allowed_after_kill_in(self, operation: Operation | None) -> list[Model]:
        """The models that may be true after a kill in the middle of an operation: a commit is there or not."""
        if operation is None:
            return [self]
        allowed = [self]
        if operation["do"] == "add":
            several = operation["documents"]
            allowed += [self.after({"do": "add", "documents": several[: n + 1]}) for n in range(len(several))]
        else:
            allowed.append(self.after(operation))
        return allowed


class Crash:
    """One index that is written to and killed, over and over."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        self.model = Model()
        self.kills = 0
        self.reopenings: list[float] = []
        self.versions = 0
        hashing.install()
        self.models = {
            name: hashing.make_model(root / "models", name, dim=dim, window=window).path
            for name, dim, window in (("hash-a", 16, 40), ("hash-b", 24, 24))
        }

    @property
    def index(self) -> Path:
        return self.root / "index"

    def kill_somewhere(self) -> None:
        """One kill after a random amount of processor time."""
        self._round(None, self.random.uniform(0.0, MOST_PROCESSOR_SECONDS))

    def kill_at(self, step: str) -> None:
        """One kill at a named step."""
        self._round(step, None)

    def _round(self, step: str | None, processor_seconds: float | None) -> None:
        if step is not None and step.startswith("create"):
            shutil.rmtree(self.index, ignore_errors=True)
            self.model = Model()
        plan = self._plan(step)
        read, write = os.pipe()
        child = _fork(lambda: self._work(plan, step, write))
        os.close(write)
        pending, acknowledged = self._watch(child, read, processor_seconds)
        for operation in acknowledged:
            self.model = self.model.after(operation)
        status = os.waitpid(child, 0)[1]
        if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            raise AssertionError(f"the child was not killed (at {step}): {status}; it did {acknowledged}, {pending}")
        self.kills += 1
        self.model = self._check(self.model.allowed_after_kill_in(pending))

    def _plan(self, step: str | None) -> list[Operation]:
        """Operations until the kill; the first lead to the step."""
        wanted = next((way for start, way in WAY_TO.items() if step and step.startswith(start)), None)
        first = [wanted] if wanted else []
        kinds = [*first, *self.random.choices(["add", "delete", "compact", "backup", "reembed"], [8, 4, 1, 1, 1], k=40)]
        plan: list[Operation] = []
        other = {"hash-a": "hash-b", "hash-b": "hash-a"}
        model = self.model.model
        for kind in kinds:
            if kind == "add":
                sources = self.random.sample(range(SOURCES), self.random.randint(1, 12))
                self.versions += 1
                plan.append({"do": "add", "documents": [[f"s{n}", self.versions] for n in sources]})
            elif kind == "delete":
                plan.append({"do": "delete", "source": f"s{self.random.randrange(SOURCES)}"})
            elif kind == "reembed":
                if step is not None and not plan:
                    plan.append({"do": "compact"})  # so that no former catalog is gone back to
                model = other[model]
                plan.append({"do": "reembed", "model": model})
            elif kind == "create":
                plan.append({"do": "add", "documents": []})
            else:
                plan.append({"do": kind})
        return plan

    def _work(self, plan: list[Operation], step: str | None, pipe: int) -> None:
        """The child: does what was planned, and tells."""
        ctxsearch.ingest.CONTEXTS_PER_WINDOW = 8  # so that an ingest has several commits
        ctxsearch.reembed.CONTEXTS_PER_WINDOW = 8
        ctxsearch.vectors.parts.SCANNED_BYTES = 2048  # so that there are segments with lists
        if step is not None:
            skip = 0 if any(step.startswith(start) for start in WAY_TO) else 1

            def at_step(name: str) -> None:
                nonlocal skip
                if name == step:
                    if skip == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    skip -= 1

            files.on_step = at_step

        def tell(kind: str, operation: Operation) -> None:
            os.write(pipe, json.dumps([kind, operation]).encode() + b"\n")

        model = None if self.model.exists else self.models["hash-a"]
        with ctxsearch.open(self.index, model=model) as index:
            for operation in plan:
                tell("begin", operation)
                self._do(index, operation)
                tell("done", operation)
        os._exit(3)  # nobody killed it

    def _do(self, index: ctxsearch.Index, operation: Operation) -> None:
        match operation["do"]:
            case "add":
                index.add(
                    ctxsearch.Document(text_of(source, version), source=source, metadata={"version": version})
                    for source, version in operation["documents"]
                )
            case "delete":
                with suppress(ctxsearch.DocumentNotFoundError):
                    index.delete(source=operation["source"])
            case "compact":
                index.compact()
            case "backup":
                shutil.rmtree(self.root / "backup", ignore_errors=True)
                index.backup(self.root / "backup")
            case "reembed":
                index.reembed(self.models[operation["model"]])

    def _watch(
        self, child: int, pipe: int, processor_seconds: float | None
    ) -> tuple[Operation | None, list[Operation]]:
        """Read what the child tells, and kill it when its time has come."""
        said = b""
        os.set_blocking(pipe, False)
        ended = False
        while not ended:
            try:
                some = os.read(pipe, 1 << 16)
                said += some
                ended = not some
            except BlockingIOError:
                if processor_seconds is not None and _processor_seconds(child) >= processor_seconds:
                    os.kill(child, signal.SIGKILL)
                    processor_seconds = None
                time.sleep(0.0005)
        os.close(pipe)
        pending: Operation | None = None
        acknowledged = []
        for line in said.splitlines():
            kind, operation = json.loads(line)
            pending = operation if kind == "begin" else None
            if kind == "done":
                acknowledged.append(operation)
        return pending, acknowledged

    def _check(self, allowed: list[Model]) -> Model:
        """Open the index in a process of its own and find which of the allowed models is true."""
        read, write = os.pipe()
        child = _fork(lambda: self._look(allowed, write))
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        found = json.loads(said) if said else {"wrong": ["the checking process died"]}
        if found["wrong"]:
            raise AssertionError(f"after {self.kills} kills: {found['wrong']}")
        self.reopenings.append(found["seconds"])
        return Model({k: int(v) for k, v in found["documents"].items()}, found["model"], found["exists"])

    def _look(self, allowed: list[Model], pipe: int) -> None:
        wrong: list[str] = []
        documents: dict[str, int] = {}
        model, exists, seconds = "hash-a", True, 0.0
        try:
            started = time.process_time()
            try:
                index = ctxsearch.open(self.index, create=False)
            except ctxsearch.IndexNotFoundError:
                exists = False
                if any(one.documents for one in allowed):
                    wrong.append("the index is not there")
            if exists:
                with index:
                    index.query(WORDS[0], k=3)
                    seconds = time.process_time() - started
                    documents, model = self._read(index, wrong)
            if not any((one.documents, one.model) == (documents, model) for one in allowed):
                wrong.append(f"found {model} {sorted(documents.items())}, allowed {[vars(one) for one in allowed]}")
        except BaseException:
            wrong.append(traceback.format_exc())
        report = {"wrong": wrong, "documents": documents, "model": model, "exists": exists, "seconds": seconds}
        with os.fdopen(pipe, "wb") as file:
            file.write(json.dumps(report).encode())
        os._exit(0)

    def _read(self, index: ctxsearch.Index, wrong: list[str]) -> tuple[dict[str, int], str]:
        """What is in the index; whatever is wrong with it is added to ``wrong``."""
        wrong += index.verify()
        wrong += hashing.misfits(index)
        documents = {}
        for summary in index.documents():
            version = int(summary.metadata["version"])
            documents[summary.source] = version
            if index.text(document_id=summary.document_id) != text_of(summary.source, version):
                wrong.append(f"{summary.source} has another text")
            marker = f"marker{summary.source}v{version}"
            found = {hit.source for hit in index.query(marker, mode="lexical", k=5)}
            if found != {summary.source}:
                wrong.append(f"{marker} is found in {found}")
        return documents, index._store.passport.name


def _fork(work: Callable[[], None]) -> int:
    gc.collect()
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(4)
    os._exit(0)


def _processor_seconds(child: int) -> float:
    try:
        return int(Path(f"/proc/{child}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def run(root: Path, kills: int, seed: int, say: Callable[[str], None] = lambda line: None) -> Crash:
    """Kill so many processes: at each named step once, then by turns at a random moment and at the next step."""
    crash = Crash(root, seed)
    for number in range(kills):
        if number < len(STEPS):
            crash.kill_at(STEPS[number])
        elif number % 2 == 0:
            crash.kill_somewhere()
        else:
            crash.kill_at(STEPS[(number // 2) % len(STEPS)])
        if crash.kills % 20 == 0:
            say(f"{crash.kills} kills, {len(crash.model.documents)} documents, model {crash.model.model}")
    return crash
