"""What is made to do harm costs its own failure at most: hostile files, and parsers that crash, hang or eat memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import ctxsearch
from ctxsearch import readers
from ctxsearch.errors import SourceError
from ctxsearch.records import Document
from tests import hostile
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and odd names are made as POSIX has them")

LIMITS = readers.Limits(seconds=8.0, memory_bytes=512 * 2**20)
GIGABYTE = 2**30

INGEST = """
import json, resource, sys
import ctxsearch
with ctxsearch.open(sys.argv[1]) as index:
    report = index.ingest([sys.argv[2]])
    texts = [index.text(document_id=summary.document_id) for summary in index.documents()]
own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform == "linux":  # there it counts what the parent had when it forked; VmHWM does not
    own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
peaks = [kilobytes * 1024 for kilobytes in (own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)]
print(json.dumps([report.failures, report.skipped, report.documents.added, peaks, texts]))
"""


@pytest.fixture(scope="module")
def worker() -> Iterator[readers.Worker]:
    with readers.Worker(LIMITS, "tests.hostile:read_kind") as worker:
        yield worker


def read(worker: readers.Worker, path: Path) -> list[object]:
    path.write_text("<html><p>a page that could be read")
    (file,) = readers.find([str(path)]).files
    return list(readers.read(file, worker))


def text_of(found: list[object]) -> str:
    (document,) = found
    assert isinstance(document, Document), document
    return document.text


def reason_of(found: list[object]) -> str:
    (error,) = found
    assert isinstance(error, SourceError), error
    return error.reason


# --- parsers ---


@pytest.mark.parametrize(
    ("stem", "reason"),
    [
        ("crash", "its reader crashed (SIGSEGV); the file is damaged, or too large for it"),
        ("exit", "its reader ended (status 3); the file is damaged, or too large for it"),
        ("hang", "takes longer than 8 s to read"),
        ("spin", "takes longer than 8 s to read"),
        ("eat", "takes more than 512 MB of memory to read"),
        ("throw", "is damaged, or not what it seems: RuntimeError: a parser that raises what nobody foresaw"),
    ],
)
def test_parser_that_does_harm_costs_its_file(worker: readers.Worker, tmp_path: Path, stem: str, reason: str) -> None:
    assert text_of(read(worker, tmp_path / "before.html")) == "a page that could be read"
    started = time.monotonic()
    assert reason_of(read(worker, tmp_path / f"{stem}.html")) == reason
    assert time.monotonic() - started < 30
    assert text_of(read(worker, tmp_path / "after.html")) == "a page that could be read"


def test_parser_that_floods_is_ended(worker: readers.Worker, tmp_path: Path) -> None:
    *documents, last = read(worker, tmp_path / "flood.html")
    assert 60 <= len(documents) <= 64
    assert reason_of([last]) == "holds more than 64 MB of text; split it"


def test_parser_that_prints_disturbs_nothing(worker: readers.Worker, tmp_path: Path) -> None:
    assert text_of(read(worker, tmp_path / "print.html")) == "a page that could be read"


def test_parser_cannot_write(worker: readers.Worker, tmp_path: Path) -> None:
    assert reason_of(read(worker, tmp_path / "write.html")) == "cannot be read: File too large"
    assert not (tmp_path / "written.txt").exists() or (tmp_path / "written.txt").stat().st_size == 0


def test_reader_that_is_left_in_the_middle_does_not_confuse_the_next(worker: readers.Worker, tmp_path: Path) -> None:
    (tmp_path / "flood.html").write_text("x")
    (file,) = readers.find([str(tmp_path / "flood.html")]).files
    items = readers.read(file, worker)
    next(items)
    items.close()
    assert text_of(read(worker, tmp_path / "after.html")) == "a page that could be read"


def test_files_run_ahead_of_one_that_crashes_are_read(worker: readers.Worker, tmp_path: Path) -> None:
    names = ["a", "b", "crash", "c", "hang", "d", "e", *(f"f{n}" for n in range(40)), "exit", "g"]
    for name in names:
        (tmp_path / f"{name}.html").write_text(f"<html><p>page {name}")
    files = readers.find([str(tmp_path / f"{name}.html") for name in names]).files
    found = {file.path.stem: list(items) for file, items in readers.read_each(files, worker)}
    assert list(found) == names
    failed = {name for name, (item,) in found.items() if isinstance(item, SourceError)}
    assert failed == {"crash", "hang", "exit"}
    assert all(text_of(items) == f"page {name}" for name, items in found.items() if name not in failed)


def test_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "hang.html").write_text("<html>")
    code = (
        "import sys; from ctxsearch import readers\n"
        "with readers.Worker(readers.Limits(seconds=0.5), 'tests.hostile:read_kind') as worker:\n"
        "    worker._started(); print(worker._child._process.pid, flush=True); sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            break
        with open(f"/proc/{child}/stat") as stat:
            if stat.read().split()[2] == "Z":
                break
        time.sleep(0.1)
    else:
        pytest.fail(f"process {child} is still there")


def test_ingest_with_parsers_that_do_harm_completes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for stem in ("a", "crash", "b", "hang", "c", "eat", "d"):
        (folder / f"{stem}.html").write_text(f"<html><p>the page called {stem}")
    monkeypatch.setattr(readers, "Worker", partial(readers.Worker, LIMITS, "tests.hostile:read_kind"))
    with ctxsearch.open(tmp_path / "index") as index:
        report = index.ingest([folder])
        assert report.documents.added == 4
        assert {Path(failure.source).name: failure.error for failure in report.failures} == {
            "crash.html": "its reader crashed (SIGSEGV); the file is damaged, or too large for it",
            "hang.html": "takes longer than 8 s to read",
            "eat.html": "takes more than 512 MB of memory to read",
        }


# --- files ---


def test_hostile_files_cost_their_own_failure(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    expected = hostile.make(folder)
    before = _everything(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", INGEST, str(tmp_path / "index"), str(folder)],
        capture_output=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    failures, skipped, added, peaks, texts = json.loads(done.stdout)
    reasons = {source.removeprefix(f"{folder.as_posix()}/"): reason for source, reason in failures}
    read = {name for name, reason in expected.items() if reason == hostile.READ}
    outcomes = {name: hostile.READ if name in read else reasons.get(name, hostile.NOT_MET) for name in expected}
    assert {name for name in read if name in reasons} == set()
    assert {name: outcome for name, outcome in outcomes.items() if expected[name] not in outcome} == {}
    assert added == len(read)
    assert {Path(source).name for source, _ in skipped} == {"endless", "away.txt", "loop"}
    assert not any(hostile.SECRET in text for text in texts)
    assert max(peaks) < GIGABYTE
    assert {path: state for path, state in _everything(tmp_path).items() if "index" not in path} == before


@pytest.mark.slow
def test_one_hundred_thousand_tiny_files(tmp_path: Path) -> None:
    for number in range(100_000):
        (tmp_path / f"{number}.txt").write_text(f"file {number}")
    found = readers.find([str(tmp_path)])
    with readers.Worker() as worker:
        count = sum(isinstance(item, Document) for _, items in readers.read_each(found.files, worker) for item in items)
    assert count == 100_000


def _everything(root: Path) -> dict[str, tuple[int, int]]:
    """All that is below a folder, with sizes and times."""
    return {
        str(path.relative_to(root)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in root.rglob("*")
        if not path.is_dir() or path.is_symlink()
    }
