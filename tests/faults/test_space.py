"""No space left, and folders that cannot be written: a clear line, the index as before, and it goes on later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ctxsearch
from tests import hashing
from tests.conftest import ROOT
from tests.crash.harness import text_of

hashing.install()

INGEST = """
import os, resource, sys
from tests import hashing
import ctxsearch, ctxsearch.ingest
from ctxsearch.cli import main
hashing.install()
ctxsearch.ingest.CONTEXTS_PER_WINDOW = 16
limit, *arguments = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
sys.argv = ["ctxsearch", *arguments]
main()
"""


def run(limit: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A command in a process that may not write files beyond a size; 0 for no limit."""
    command = [sys.executable, "-c", INGEST, str(limit), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    lines = [json.dumps({"text": text_of(f"s{n}", 1) * 3, "source": f"s{n}"}) for n in range(120)]
    path.write_text("\n".join(lines) + "\n")
    return path


def check_goes_on(index_path: Path, records: Path, before: str) -> None:
    """The index is as before, and takes all once there is space."""
    with ctxsearch.open(index_path) as index:
        assert index.verify() == []
        assert hashing.misfits(index) == []
        assert index.text(source="first") == before
        held = len(index.documents())
    assert held < 121
    done = run(0, "ingest", records, "--index", index_path, "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["documents"]
    assert (counts["unchanged"], counts["added"]) == (held - 1, 121 - held)
    with ctxsearch.open(index_path) as index:
        assert index.verify() == []
        assert len(index.documents()) == 121


@pytest.mark.skipif(os.name == "nt", reason="no limit of file sizes")
def test_a_file_size_limit_in_the_middle_of_an_ingest(tmp_path: Path, records: Path) -> None:
    model = hashing.make_model(tmp_path / "models", "hash-a")
    with ctxsearch.open(tmp_path / "i", model=model.path) as index:
        index.add([ctxsearch.Document("The first document.", source="first")])
    done = run(250_000, "ingest", records, "--index", tmp_path / "i")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "no space left" in done.stderr
    check_goes_on(tmp_path / "i", records, "The first document.")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting takes root")
def test_a_full_disk_in_the_middle_of_an_ingest(tmp_path: Path, records: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "none", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        model = hashing.make_model(tmp_path / "models", "hash-a")
        with ctxsearch.open(disk / "i", model=model.path) as index:
            index.add([ctxsearch.Document("The first document.", source="first")])
        done = run(0, "ingest", records, "--index", disk / "i")
        assert done.returncode == 1, done.stdout
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "no space left" in done.stderr
        with ctxsearch.open(disk / "i", read_only=True) as index:
            assert index.query("otter")
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        check_goes_on(disk / "i", records, "The first document.")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with ctxsearch.open(disk / "i", read_only=True) as index:
            assert index.query("otter")
            assert index.verify() == []
        with ctxsearch.open(disk / "i") as index, pytest.raises(ctxsearch.StoreError, match="cannot write to"):
            index.delete(source="first")
    finally:
        subprocess.run(["umount", disk], check=False)


def test_a_clock_that_goes_backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what is shown of a document depends on the clock."""
    from datetime import UTC, datetime

    import ctxsearch.catalog.writing as writing

    class Yesterday(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Yesterday:
            return cls(1999, 1, 1, tzinfo=UTC)

    model = hashing.make_model(tmp_path / "models", "hash-a")
    with (
        ctxsearch.open(tmp_path / "i", model=model.path) as index,
        ctxsearch.open(tmp_path / "i", read_only=True) as reader,
    ):
        index.add([ctxsearch.Document("An otter.", source="a")])
        monkeypatch.setattr(writing, "datetime", Yesterday)
        index.add([ctxsearch.Document("A heron.", source="b"), ctxsearch.Document("A toad.", source="a")])
        for path in index.path.iterdir():
            os.utime(path, (0, 0))
        assert [d.source for d in reader.documents()] == ["a", "b"]
        assert [hit.text for hit in reader.query("toad", mode="lexical")] == ["A toad."]
        assert len(reader.query("otter", mode="lexical")) == 0
        assert index.verify() == []
