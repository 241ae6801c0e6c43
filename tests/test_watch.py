"""An index that watches its paths: bursts, renames, deletions, and thousands of changes end in what a fresh one has."""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxsearch
from ctxsearch import watch as watching
from ctxsearch.records import IngestReport
from tests import hashing
from tests.conftest import ROOT

PATIENCE = 60.0
"""Seconds to wait for what comes at once on a machine that is not busy."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        from ctxsearch.index import Index

        patch.setattr(Index, "_encoder_of", Index._encoder_of)  # put back afterwards what install replaces
        hashing.install()
        yield hashing.make_model(tmp_path_factory.mktemp("models"), "hash").path


class Watcher:
    """An index that watches a folder in a thread."""

    def __init__(self, root: Path, folder: Path, model: Path, **options: Any) -> None:
        self.index = ctxsearch.open(root / "index", model=model)
        self.reports: list[IngestReport] = []
        self.problems: list[str] = []
        self._stop = threading.Event()
        self._news: queue.Queue[object] = queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(folder, options))
        self._thread.start()
        self.rounds(1)

    def _run(self, folder: Path, options: dict[str, Any]) -> None:
        try:
            for report in self.index.watch(folder, stop=self._stop, on_problem=self.problems.append, **options):
                self.reports.append(report)
                self._news.put(report)
        except BaseException as error:
            self._news.put(error)
            raise

    def rounds(self, count: int) -> list[IngestReport]:
        """Wait until there were so many rounds."""
        while len(self.reports) < count:
            news = self._news.get(timeout=PATIENCE)
            assert isinstance(news, IngestReport), news
        return self.reports

    def until(self, fits: Callable[[ctxsearch.Index], bool]) -> float:
        """Wait until the index is as it should be; returns how many seconds that took."""
        began = time.monotonic()
        while not fits(self.index):
            assert time.monotonic() < began + PATIENCE
            time.sleep(0.05)
        return time.monotonic() - began

    def close(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.index.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "first.txt").write_text("The river is long.")
    return folder


@pytest.fixture
def start(tmp_path: Path, folder: Path, model: Path) -> Iterator[Callable[..., Watcher]]:
    started: list[Watcher] = []

    def start(**options: Any) -> Watcher:
        started.append(Watcher(tmp_path, folder, model, **options))
        return started[-1]

    yield start
    for watcher in started:
        watcher.close()


def names(index: ctxsearch.Index) -> list[str]:
    return sorted(Path(summary.source).name for summary in index.documents())


def embedded(watcher: Watcher) -> int:
    """Contexts embedded since the first ingest."""
    return sum(report.contexts for report in watcher.reports[1:])


def test_a_burst_is_taken_in_few_rounds(start: Callable[..., Watcher], folder: Path) -> None:
    watcher = start()
    assert watcher.reports[0].documents.added == 1
    for n in range(50):
        (folder / f"{n}.txt").write_text(f"The lake number {n}.")
    watcher.until(lambda index: len(names(index)) == 51)
    time.sleep(0.5)
    assert len(watcher.reports) <= 1 + 4
    watcher.until(lambda index: embedded(watcher) == 50)
    assert watcher.index.query("lake number 7", mode="lexical")[0].text == "The lake number 7."


def test_a_rename_embeds_nothing(start: Callable[..., Watcher], folder: Path) -> None:
    watcher = start()
    (before,) = watcher.index.documents()
    (folder / "deep").mkdir()
    (folder / "first.txt").rename(folder / "deep" / "second.txt")
    watcher.until(lambda index: names(index) == ["second.txt"])
    (after,) = watcher.index.documents()
    assert (after.document_id, after.title) == (before.document_id, "second")
    watcher.until(lambda index: sum(report.documents.moved for report in watcher.reports) == 1)
    assert embedded(watcher) == 0
    (hit,) = watcher.index.query("second", mode="lexical")  # the title is searched, and it is new
    assert hit.source.endswith("deep/second.txt")
    assert hit.text == "The river is long."
    assert len(watcher.index.query("first", mode="lexical")) == 0
    (folder / "deep").rename(folder / "shallow")
    watcher.until(lambda index: "shallow" in index.documents()[0].source)
    assert embedded(watcher) == 0
    assert watcher.index.verify() == []


def test_deletions_are_honoured_with_prune(start: Callable[..., Watcher], folder: Path) -> None:
    watcher = start(prune=True)
    (folder / "deep").mkdir()
    (folder / "deep" / "second.txt").write_text("The lake is deep.")
    watcher.until(lambda index: names(index) == ["first.txt", "second.txt"])
    shutil.rmtree(folder / "deep")
    watcher.until(lambda index: names(index) == ["first.txt"])
    (folder / "first.txt").unlink()
    watcher.until(lambda index: names(index) == [])


def test_deletions_are_not_honoured_without_prune(start: Callable[..., Watcher], folder: Path) -> None:
    watcher = start()
    (folder / "first.txt").unlink()
    (folder / "second.txt").write_text("The lake is deep.")
    watcher.until(lambda index: names(index) == ["first.txt", "second.txt"])


def test_ignore_files_rule_at_once(start: Callable[..., Watcher], folder: Path) -> None:
    watcher = start(prune=True)
    (folder / ".gitignore").write_text("*.log\nfirst.*\n")
    watcher.until(lambda index: names(index) == [])
    (folder / "some.log").write_text("Nothing of use.")
    (folder / ".hidden.txt").write_text("Nothing to see.")
    (folder / "kept.txt").write_text("The lake is deep.")
    watcher.until(lambda index: names(index) == ["kept.txt"])
    (folder / ".gitignore").unlink()
    watcher.until(lambda index: names(index) == ["first.txt", "kept.txt", "some.log"])


def test_failures_come_and_go(start: Callable[..., Watcher], folder: Path) -> None:
    watcher = start()
    (folder / "bad.json").write_text("")
    watcher.until(lambda index: len(index.failures()) == 1)
    assert watcher.index.status().failed == 1
    (folder / "bad.json").write_text('{"title": "whole"}')
    watcher.until(lambda index: names(index) == ["bad.json", "first.txt"] and index.failures() == [])


def test_others_write_and_query_between_the_rounds(start: Callable[..., Watcher], tmp_path: Path, model: Path) -> None:
    watcher = start()
    with ctxsearch.open(tmp_path / "index", model=model) as other:
        other.add([ctxsearch.Document("The sea is salt.", "memo")])
        assert len(other.documents()) == 2
    assert watcher.index.query("sea", mode="lexical")[0].source == "memo"


def test_changes_are_found_without_events(
    start: Callable[..., Watcher], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    monkeypatch.setattr(watching, "RESCAN_SECONDS_WITHOUT_EVENTS", (0.1, 0.1))
    watcher = start(prune=True)
    assert watcher.problems == [
        "looking for changes every few seconds; to be told of them at once: pip install 'ctxsearch[watch]'"
    ]
    (folder / "first.txt").rename(folder / "second.txt")
    (folder / "third.txt").write_text("The lake is deep.")
    watcher.until(lambda index: names(index) == ["second.txt", "third.txt"])
    watcher.until(lambda index: embedded(watcher) == 1)
    (folder / "third.txt").write_text("The lake is clear.")
    watcher.until(lambda index: "clear" in index.query("lake", mode="lexical")[0].text)


def test_a_single_file_is_watched_through_its_replacement(tmp_path: Path, folder: Path, model: Path) -> None:
    watcher = Watcher(tmp_path, folder / "first.txt", model)
    try:
        for n in range(2):
            (folder / "new").write_text(f"The lake number {n}.")
            (folder / "new").replace(folder / "first.txt")
            watcher.until(lambda index, n=n: index.text(document_id=1) == f"The lake number {n}.")  # type: ignore[misc]
        assert names(watcher.index) == ["first.txt"]
    finally:
        watcher.close()


def test_standard_input_is_not_watched(index: ctxsearch.Index) -> None:
    with pytest.raises(ctxsearch.ArgumentError, match="standard input cannot be watched"):
        next(index.watch(["-"], stop=threading.Event()))


# A great many changes


def contents(index: ctxsearch.Index) -> dict[str, Any]:
    """All of an index that does not depend on the order in which things came.

    A file that could be read once, and then changed into one that cannot, is known by what it held: those are left out.
    """
    failed = {failure.origin for failure in index.failures()}
    with index._store.snapshot() as snapshot:
        whole = [snapshot.whole_document(summary.document_id) for summary in list(snapshot.documents())]
    return {
        one.key: (
            one.source,
            one.origin,
            one.title,
            one.metadata,
            one.content_hash,
            [(c.start, c.end, c.text, c.headings, c.sentences, c.rows.tobytes()) for c in one.contexts],
        )
        for one in whole
        if one.origin not in failed
    }


class Changes:
    """Random changes to a folder, as people and programs make them."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        self.count = 0

    def files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def folders(self) -> list[Path]:
        return [self.root, *sorted(path for path in self.root.rglob("*") if path.is_dir())]

    def text(self) -> str:
        words = ["river", "lake", "delta", "heron", "reed", "mud", "tide"]
        return " ".join(self.random.choices(words, k=self.random.randint(3, 60))).capitalize() + ".\n"

    def target(self) -> Path:
        self.count += 1
        suffix = self.random.choice([".txt", ".md", ".jsonl", ".json", ".py"])
        return self.random.choice(self.folders()) / f"f{self.random.randrange(60)}{suffix}"

    def write(self, path: Path) -> None:
        if path.suffix == ".jsonl":
            ids = self.random.sample(range(1000), self.random.randint(1, 4))
            path.write_text("".join(json.dumps({"text": self.text(), "n": n}) + "\n" for n in ids))
        elif path.suffix == ".json":
            path.write_text(self.random.choice(["", json.dumps({"title": self.text()})]))
        elif path.suffix == ".md":
            path.write_text(f"# {self.text()}\n{self.text()}")
        else:
            path.write_text(self.text())

    def once(self) -> None:
        files, folders = self.files(), self.folders()
        what = self.random.choices(
            ["create", "edit", "rename", "move", "delete", "replace", "mkdir", "movedir", "rmdir", "touch", "ignore"],
            [26, 20, 14, 12, 9, 6, 5, 3, 1, 4, 1],
        )[0]
        if what in ("edit", "rename", "move", "delete", "replace", "touch") and not files:
            what = "create"
        if what == "create":
            self.write(self.target())
        elif what == "edit":
            self.write(self.random.choice(files))
        elif what == "touch":
            self.random.choice(files).touch()
        elif what == "rename":
            path = self.random.choice(files)
            path.replace(path.with_name(f"r{self.random.randrange(60)}{path.suffix}"))
        elif what == "move":
            path = self.random.choice(files)
            path.replace(self.random.choice(folders) / path.name)
        elif what == "replace":  # as editors do
            path = self.random.choice(files)
            beside = path.with_name("partial" + path.suffix)
            self.write(beside)
            beside.replace(path)
        elif what == "delete":
            self.random.choice(files).unlink()
        elif what == "mkdir":
            (self.random.choice(folders) / f"d{self.random.randrange(20)}").mkdir(exist_ok=True)
        elif what == "ignore":
            (self.random.choice(folders) / ".gitignore").write_text(f"f{self.random.randrange(60)}.*\n")
        elif len(folders) > 1:
            path = self.random.choice(folders[1:])
            if what == "rmdir" and self.random.random() < 0.4:
                shutil.rmtree(path)
            else:
                to = self.random.choice(folders) / f"d{self.random.randrange(20)}"
                if not to.exists() and path not in to.parents:
                    path.rename(to)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_thousand_changes_end_in_what_a_fresh_index_has(
    start: Callable[..., Watcher], folder: Path, tmp_path: Path, model: Path, seed: int
) -> None:
    watcher = start(prune=True)
    changes = Changes(folder, seed)
    for n in range(1000):
        changes.once()
        if n % 7 == 0:
            time.sleep(changes.random.random() * 0.02)
    last = time.monotonic()
    with ctxsearch.open(tmp_path / "fresh", model=model) as fresh:
        fresh.ingest(folder)
        expected = contents(fresh)
        failed = {(failure.source, failure.error) for failure in fresh.failures()}
    assert len(expected) > 30
    watcher.until(lambda index: contents(index) == expected)
    seconds = time.monotonic() - last
    print(
        f"seed {seed}: as a fresh index {seconds:.2f} s after the last of 1,000 changes, {len(watcher.reports)} rounds"
    )
    watcher.until(lambda index: {(one.source, one.error) for one in index.failures()} == failed)
    assert watcher.index.verify() == []
    assert hashing.misfits(watcher.index) == []
    moved = sum(report.documents.moved for report in watcher.reports)
    assert moved > 10


# The command


def test_command_stops_cleanly_when_asked(folder: Path, tmp_path: Path) -> None:
    for number, sign in enumerate((signal.SIGINT, signal.SIGTERM)):
        command = [sys.executable, "-m", "ctxsearch.cli", "ingest", "--watch", "--prune", str(folder)]
        process = subprocess.Popen(
            [*command, "--index", str(tmp_path / "index")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout
        assert "added" in process.stdout.readline()
        (folder / f"more{number}.txt").write_text(f"The lake number {number}.")
        while "1 added" not in process.stdout.readline():
            assert process.poll() is None
        with ctxsearch.open(tmp_path / "index", read_only=True) as index:
            assert index.query("lake", mode="lexical")[0].text.startswith("The lake")
        process.send_signal(sign)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        lines = err.splitlines()
        assert lines[0] == f"watching {folder}; Ctrl-C to stop"
        assert lines[-1].startswith("stopped after 2 rounds: ")
        assert "Traceback" not in err
